//! When a pass comes again. Pure.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;

use super::{report::Report, snapshot::Snapshot};
use crate::{data_protection::findings::changes::Corrected, kubernetes::write::WriteErrorClass, redis};

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

/// When to come again after what was said, with `corrected` put right in the key ring. `is_unwatched` tells whether something was
/// found that no watch shows.
#[must_use]
pub fn after_report(
    report: Option<&Report>,
    corrected: &Corrected,
    snapshot: &Snapshot<'_>,
    is_unwatched: impl Fn() -> bool,
) -> Duration {
    let observed = &snapshot.redis;
    if observed.leftover(snapshot.cache.metadata.name.as_deref().unwrap_or_default()).is_some() {
        return COLLECTING;
    }
    match report {
        None => AWAITING_LOOK,
        Some(_) if *corrected != Corrected::default() => PUT_RIGHT,
        Some(report) if report.is_ready() => RESYNC,
        Some(_) if !may_change_with_time(&observed.pods) && !is_unwatched() => RESYNC,
        Some(_) => NOT_READY,
    }
}

/// Whether what a cache lacks may be a matter of time: of a server that runs. Whatever else it waits for is watched.
fn may_change_with_time(pods: &[Arc<Pod>]) -> bool {
    pods.iter().any(|pod| redis::is_running(pod))
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

    #[test]
    fn what_may_pass_by_itself_is_tried_soon_and_then_ever_less_often() {
        let pauses: Vec<u64> = (0..12).map(|before| after(WriteErrorClass::Transient, before).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        assert_eq!(after(WriteErrorClass::Transient, u32::MAX), LONGEST);
    }

    #[test]
    fn a_server_that_runs_may_become_ready_with_time_and_one_that_does_not_waits_for_what_a_watch_shows() {
        let pod = |state: serde_json::Value| -> Arc<Pod> {
            let container = serde_json::json!({
                "name": "redis", "ready": false, "restartCount": 0, "image": "", "imageID": "", "state": state,
            });
            let pod = serde_json::json!({"metadata": {}, "status": {"containerStatuses": [container]}});
            Arc::new(serde_json::from_value(pod).unwrap())
        };
        let running = pod(serde_json::json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}}));
        let waiting = pod(serde_json::json!({"waiting": {"reason": "ImagePullBackOff"}}));
        assert!(may_change_with_time(&[Arc::clone(&waiting), running]));
        assert!(!may_change_with_time(&[waiting, Arc::default()]) && !may_change_with_time(&[]));
    }

    #[test]
    fn what_only_a_change_can_mend_waits_for_the_change() {
        assert_eq!(after(WriteErrorClass::Invalid, 0), RESYNC);
    }
}
