//! When a pass comes again. Pure.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;

use super::report::Report;
use crate::{capability::part::Awaited, kubernetes::write::WriteErrorClass};

/// When nothing changes: a watch can miss an event.
pub const RESYNC: Duration = Duration::from_mins(5);
/// When a pass has left something to write.
pub const UNFINISHED: Duration = Duration::from_secs(1);
/// How many failures in a row that may pass by themselves are not worth a status.
pub const TOLERATED: u32 = 2;
/// While a cache is not ready: what it waits for may not be watched, such as somebody else's object under its name.
pub const NOT_READY: Duration = Duration::from_secs(30);
/// While the first look at a server is on its way.
pub const AWAITING_LOOK: Duration = Duration::from_secs(15);
/// After a report of what was put right, which holds for that pass only. No watch shows that it is over.
pub const PUT_RIGHT: Duration = crate::controller::memory::PAUSE;
/// While something of an earlier owner is being collected.
pub const COLLECTING: Duration = Duration::from_secs(5);

const FORBIDDEN: Duration = Duration::from_mins(1);
const CONFLICT: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(5);

/// When to come again after what was said, while this is waited for. `is_unwatched` tells whether something was found that no watch
/// shows.
#[must_use]
pub fn after_report(report: Option<&Report>, awaits: &BTreeSet<Awaited>, is_unwatched: impl Fn() -> bool) -> Duration {
    if awaits.contains(&Awaited::Collection) {
        return COLLECTING;
    }
    match report {
        None => AWAITING_LOOK,
        Some(_) if awaits.contains(&Awaited::NextPass) => PUT_RIGHT,
        Some(report) if report.is_ready() => RESYNC,
        // Whatever else it waits for is watched.
        Some(_) if !awaits.contains(&Awaited::Server) && !is_unwatched() => RESYNC,
        Some(_) => NOT_READY,
    }
}

/// When to try again after a failure, of which there were `before` others in a row.
#[must_use]
pub fn after(class: WriteErrorClass, before: u32) -> Duration {
    match class {
        WriteErrorClass::Invalid => RESYNC,
        WriteErrorClass::Forbidden => FORBIDDEN,
        WriteErrorClass::Conflict if before == 0 => CONFLICT,
        WriteErrorClass::Conflict | WriteErrorClass::Transient => Duration::from_secs(1 << before.min(16)).min(LONGEST),
    }
}

/// How long it is until a time; nothing where that is past.
#[must_use]
pub fn until(time: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(time.duration_since(now)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::v1alpha1::TokenCacheStatus;

    #[test]
    fn what_may_pass_by_itself_is_tried_soon_and_then_ever_less_often() {
        let pauses: Vec<u64> = (0..12).map(|before| after(WriteErrorClass::Transient, before).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        assert_eq!(after(WriteErrorClass::Transient, u32::MAX), LONGEST);
    }

    #[test]
    fn what_a_cache_waits_for_brings_the_next_pass_unless_a_watch_shows_it() {
        let status = TokenCacheStatus::default();
        let report = Report { status, events: Vec::new() };
        let after = |awaits: &[Awaited], is_unwatched| {
            after_report(Some(&report), &awaits.iter().copied().collect(), || is_unwatched)
        };
        assert_eq!(after(&[], false), RESYNC);
        assert_eq!((after(&[], true), after(&[Awaited::Server], false)), (NOT_READY, NOT_READY));
        assert_eq!(after(&[Awaited::Server, Awaited::NextPass], false), PUT_RIGHT);
        assert_eq!(after(&[Awaited::Server, Awaited::NextPass, Awaited::Collection], true), COLLECTING);
        assert_eq!(after_report(None, &BTreeSet::from([Awaited::Look]), || false), AWAITING_LOOK);
    }

    #[test]
    fn what_only_a_change_can_mend_waits_for_the_change() {
        assert_eq!(after(WriteErrorClass::Invalid, 0), RESYNC);
    }
}
