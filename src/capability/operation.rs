//! A request, as an annotation makes it: whether it is followed, and what is said of it in `status.operations`.
//!
//! In: the annotation's value, when the `TokenCache` was made, the time. Out: a [`Request`], and the sentence that tells why
//! one is not followed. A manifest or a backup that is applied again brings an annotation of long ago with it, which must
//! change nothing: so a request counts only while it is new.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{cost, time::whole};
use crate::{
    api::v1alpha1::{
        ADOPT_ANNOTATION, Annotation, OperationStage, OperationStatus, OperationType, PAUSED, RECONCILE_ANNOTATION,
        RESTORED, Remedy, TokenCache,
    },
    condition::Message,
    kubernetes::identity::Owner,
};

/// How old a request may be when it is first seen.
pub const GOOD_FOR: SignedDuration = SignedDuration::from_hours(1);
/// How far ahead of the operator's clock that of whoever asks may be.
pub const CLOCKS_DIFFER_BY: SignedDuration = SignedDuration::from_mins(5);

/// How much of a value that is no time is told, in characters.
const TOLD: usize = 40;

/// What an annotation asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// It was made at this time, in whole seconds: two of the same second are the same.
    At(Timestamp),
    /// Its value does not begin with a time. Holds the beginning of the value.
    Malformed(String),
}

impl Request {
    /// Reads the annotation's value: an RFC 3339 time, and after white space whatever else.
    #[must_use]
    pub fn parse(value: &str) -> Self {
        let time = value.split_ascii_whitespace().next().and_then(|word| word.parse().ok());
        time.map_or_else(|| Self::Malformed(value.chars().take(TOLD).collect()), |time| Self::At(whole(time)))
    }
}

/// The value of an annotation.
#[must_use]
pub fn annotation(cache: &TokenCache, annotation: Annotation) -> Option<&str> {
    cache.metadata.annotations.as_ref()?.get(annotation.key()).map(String::as_str)
}

/// Whether a `TokenCache` asks to be left alone.
#[must_use]
pub fn is_paused(cache: &TokenCache) -> bool {
    annotation(cache, RECONCILE_ANNOTATION) == Some(PAUSED)
}

/// Whether a `TokenCache` says that what nobody owns was restored for it, whoever wrote it.
#[must_use]
pub fn is_restored(cache: &TokenCache) -> bool {
    annotation(cache, ADOPT_ANNOTATION) == Some(RESTORED)
}

/// What is said of an object that a restore has brought back, most likely, under a field manager that is not the operator's.
#[must_use]
pub fn restored(owner: &Owner, kind: &str, name: &str, manager: &str) -> Message {
    let Owner { namespace, name: cache, .. } = owner;
    Message::from(format!(
        "{kind} {name} has all labels of this TokenCache and no owner, as after a restore. {manager} wrote it; it is left alone"
    ))
    .remedy(Remedy::free("adopt what was restored, with its passwords and keys").command(format!(
        "kubectl -n {namespace} annotate --overwrite tokencache {cache} {ADOPT_ANNOTATION}={RESTORED}"
    )))
    .remedy(Remedy::costing("what it holds", format!("delete {kind} {name}, if nobody restored it")))
}

/// When a `TokenCache` was made.
#[must_use]
pub fn created(cache: &TokenCache) -> Option<Timestamp> {
    cache.metadata.creation_timestamp.as_ref().map(|created| created.0)
}

/// Why a request is older than the `TokenCache`, in words; `None` where it is not.
#[must_use]
pub fn precedes(requested: Timestamp, created: Option<Timestamp>) -> Option<String> {
    let is_older = created.is_some_and(|created| requested < created);
    is_older.then(|| "it is older than the TokenCache, and came with a manifest or a backup".to_owned())
}

/// Why a request of this time, which nobody has seen before, is not followed; `None` where it is.
#[must_use]
pub fn refused(requested: Timestamp, created: Option<Timestamp>, now: Timestamp) -> Option<String> {
    if let Some(why) = precedes(requested, created) {
        return Some(why);
    }
    if requested > now.checked_add(CLOCKS_DIFFER_BY).unwrap_or(Timestamp::MAX) {
        return Some(format!(
            "it is more than {} minutes in the future: the clock of whoever asked, or the operator's, is wrong",
            CLOCKS_DIFFER_BY.as_mins()
        ));
    }
    if now.duration_since(requested) > GOOD_FOR {
        return Some(
            "it was more than an hour old when the operator first saw it, and may have come with a backup".to_owned(),
        );
    }
    None
}

/// The entry of a stage, and nothing else said yet.
#[must_use]
pub fn entry(
    type_: OperationType,
    stage: OperationStage,
    requested: Option<Timestamp>,
    message: impl Into<Message>,
) -> OperationStatus {
    let message = message.into();
    OperationStatus {
        type_,
        requested: requested.map(time),
        stage,
        started: None,
        published: None,
        ends_at: None,
        finished: None,
        queued: None,
        entries: None,
        affected: None,
        removed: None,
        seconds: None,
        message: message.told(),
        remedies: message.remedies,
    }
}

/// What the status says of requests of one kind.
#[must_use]
pub fn entry_in(operations: &[OperationStatus], of: OperationType) -> Option<&OperationStatus> {
    operations.iter().find(|operation| operation.type_ == of)
}

/// Whether an entry is about the request of this time.
#[must_use]
pub fn is(entry: &OperationStatus, requested: Timestamp) -> bool {
    entry.requested == Some(time(requested))
}

/// Whether a request is made of which something is still to be done or said.
#[must_use]
pub fn is_open(request: Option<&Request>, operations: &[OperationStatus], of: OperationType) -> bool {
    let Some(Request::At(requested)) = request else { return false };
    !entry_in(operations, of).is_some_and(|entry| entry.stage.is_final() && is(entry, *requested))
}

/// A time as the status has it.
#[must_use]
pub fn time(time: Timestamp) -> Time {
    Time(whole(time))
}

/// A request that would be followed, where another one is not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Again {
    /// What it costs, where that is more than its kind tells.
    pub costs: Option<String>,
    /// What it says after the time.
    pub rest: String,
}

impl Again {
    /// One that says this after the time.
    #[must_use]
    pub fn saying(rest: &str) -> Self {
        Self { rest: rest.to_owned(), ..Self::default() }
    }

    /// The command that makes it.
    #[must_use]
    pub fn command(&self, owner: &Owner, annotation: Annotation) -> String {
        let Owner { namespace, name, .. } = owner;
        let value = match self.rest.as_str() {
            "" => "$(date -u +%FT%TZ)".to_owned(),
            rest => format!("\"$(date -u +%FT%TZ) {rest}\""),
        };
        format!("kubectl -n {namespace} annotate --overwrite tokencache {name} {annotation}={value}")
    }

    fn remedy(&self, owner: &Owner, annotation: Annotation) -> Remedy {
        let costs = self.costs.as_deref().unwrap_or_else(|| cost::of_request(annotation));
        Remedy::costing(costs, "request it again").command(self.command(owner, annotation))
    }
}

/// What nobody can read as a time.
#[must_use]
pub fn malformed(owner: &Owner, annotation: Annotation, value: &str, again: Option<&Again>) -> Message {
    Message::from(format!("annotation {annotation} does not begin with a time (RFC 3339): {value:?}. Nothing is done"))
        .remedies(again.map(|again| again.remedy(owner, annotation)))
}

/// A request that is not followed. Where none would be, `again` is none.
#[must_use]
pub fn ignored(owner: &Owner, annotation: Annotation, why: &str, again: Option<&Again>) -> Message {
    Message::from(format!("the request is ignored: {why}")).remedies(again.map(|again| again.remedy(owner, annotation)))
}

/// Why nothing is done while a cache is paused.
#[must_use]
pub fn paused() -> String {
    format!("annotation {RECONCILE_ANNOTATION} says {PAUSED}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str) -> Timestamp {
        time.parse().unwrap()
    }

    #[test]
    fn a_request_begins_with_a_time_in_any_zone_and_says_what_it_likes_after_it() {
        let noon = Request::At(at("2026-01-01T12:00:00Z"));
        for value in [
            "2026-01-01T12:00:00Z",
            "2026-01-01T12:00:00.75Z",
            " 2026-01-01T13:00:00+01:00 ",
            "2026-01-01T12:00:00Z because Ann left",
        ] {
            assert_eq!(Request::parse(value), noon, "{value}");
        }
    }

    #[test]
    fn what_begins_with_no_time_is_malformed_and_told_in_part() {
        for value in ["", "now", "yes 2026-01-01T12:00:00Z", "2026-01-01", "2026-01-01T12:00:00", "1767225600"] {
            assert_eq!(Request::parse(value), Request::Malformed(value.to_owned()));
        }
        assert_eq!(Request::parse(&"x".repeat(100)), Request::Malformed("x".repeat(TOLD)));
    }

    #[test]
    fn only_a_new_request_is_followed() {
        let (created, now) = (Some(at("2026-01-01T11:30:00Z")), at("2026-01-01T12:00:00Z"));
        let why = |requested: &str| refused(at(requested), created, now);
        for good in ["2026-01-01T11:30:00Z", "2026-01-01T12:00:00Z", "2026-01-01T12:05:00Z"] {
            assert_eq!(why(good), None, "{good}");
        }
        assert!(why("2026-01-01T11:29:59Z").unwrap().contains("older than the TokenCache"));
        assert!(why("2026-01-01T12:05:01Z").unwrap().contains("in the future"));
        let why = |requested: &str| refused(at(requested), None, now);
        assert_eq!(why("2026-01-01T11:00:00Z"), None);
        assert!(why("2026-01-01T10:59:59Z").unwrap().contains("more than an hour old"));
    }
}
