//! What is told of a report in events. Pure.
//!
//! In: findings and operations, and the status that stands. Out: events about what is news. A cause is told once, however many
//! conditions it keeps from being known.

pub mod objects;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::{
    api::v1alpha1::OperationStatus,
    capability::part::Operation,
    condition::{ConditionStatus, ConditionType, Effect, Finding, Reason, news},
    kubernetes::event::{Event, EventType},
};

/// The events about conditions that have another status or reason than before.
#[must_use]
pub fn of_conditions(previous: &[Condition], findings: &[Finding]) -> Vec<Event> {
    let is_new = previous.is_empty();
    let news: Vec<&Finding> = news(previous, findings).collect();
    let is_ready_again = news.iter().any(|finding| finding.condition == ConditionType::Ready && is_well(finding));
    // What was told when it came, and what is told here.
    let stands = |finding: &&Finding| is_cause_of_many(finding) && !news.contains(finding);
    let mut causes: Vec<Reason> = findings.iter().filter(stands).map(|finding| finding.reason).collect();
    let mut told: Vec<Event> = Vec::new();
    for finding in news {
        // `Ready` tells of all that is well by now; and that something is made for a new cache needs no telling.
        let is_implied = is_ready_again && is_well(finding) && finding.condition != ConditionType::Ready
            || is_new && finding.reason == Reason::Provisioning;
        let Some(event) = of_condition(finding).filter(|_| !is_implied && !causes.contains(&finding.reason)) else {
            continue;
        };
        if is_cause_of_many(finding) {
            causes.push(finding.reason);
        }
        if !told.contains(&event) {
            told.push(event);
        }
    }
    told
}

/// Whether nothing but this is to be said: what is another key, or was set right, is more than that.
fn is_well(finding: &Finding) -> bool {
    finding.status == ConditionStatus::True && is_normal(finding.reason) && finding.reason != Reason::Adopted
}

/// Whether other conditions of the same reason have it for the same cause: what keeps one from being asked keeps others too.
fn is_cause_of_many(finding: &Finding) -> bool {
    finding.status == ConditionStatus::Unknown || finding.reason == Reason::Provisioning
}

/// The event about a condition. `Stalled` has none, since it repeats another; `Ready` only where everything is well.
fn of_condition(finding: &Finding) -> Option<Event> {
    let well = finding.status == ConditionStatus::True;
    let told = match finding.condition {
        // A fight has an event of its own.
        _ if matches!(finding.reason, Reason::Contested | Reason::NetworkPolicyContested) => false,
        ConditionType::SpecValid | ConditionType::AccessAllowed if is_well(finding) => false,
        // Nobody uses a cache that was made a moment ago.
        ConditionType::Stalled | ConditionType::InUse => false,
        ConditionType::Ready => well,
        ConditionType::Paused => true,
        ConditionType::SpecValid
        | ConditionType::RedisAvailable
        | ConditionType::TlsReady
        | ConditionType::EvictionPolicyVerified
        | ConditionType::UsersVerified
        | ConditionType::KeyRingReady
        | ConditionType::AccessAllowed => !matches!(finding.reason, Reason::RedisUnavailable | Reason::TlsNotReady),
        // Where nothing was read back, another condition tells why.
        ConditionType::Durable => finding.status != ConditionStatus::Unknown && finding.reason != Reason::InMemory,
        ConditionType::PasswordRolledOut => !well,
        ConditionType::MemorySufficient
        | ConditionType::LatencyAcceptable
        | ConditionType::EntriesExpire
        | ConditionType::EntriesReadable
        | ConditionType::ServerSupported
        | ConditionType::NetworkRestricted => finding.status == ConditionStatus::False,
    };
    told.then(|| event(finding.reason, finding.told()))
}

/// An event, of the type that its reason's effect has.
pub(super) fn event(reason: Reason, note: String) -> Event {
    let event_type = if is_normal(reason) { EventType::Normal } else { EventType::Warning };
    Event { event_type, reason: reason.as_str(), note }
}

/// Whether a reason is nothing to worry about.
fn is_normal(reason: Reason) -> bool {
    reason.effect() == Effect::Note
}

/// The events about stages that operations have reached since.
#[must_use]
pub fn of_operations(operations: &[Operation], previous: &[OperationStatus]) -> Vec<Event> {
    let stage = |entry: &OperationStatus| (entry.type_, entry.requested.clone(), entry.stage);
    let is_news = |operation: &&Operation| !previous.iter().any(|before| stage(before) == stage(&operation.entry));
    let told = |operation: &Operation| Some(event(operation.event?, operation.entry.message.clone()));
    operations.iter().filter(is_news).filter_map(told).collect()
}

/// Adds what else is told. In the event about a key that was made stands that it is published.
pub fn add(events: &mut Vec<Event>, more: &[(Reason, String)]) {
    if more.iter().any(|(reason, _)| *reason == Reason::KeyMinted) {
        events.retain(|event| event.reason != Reason::Published.as_str());
    }
    events.extend(more.iter().map(|(reason, note)| event(*reason, note.clone())));
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::condition::merge;

    fn reasons(events: &[Event]) -> Vec<&str> {
        events.iter().map(|event| event.reason).collect()
    }

    fn standing(findings: &[Finding]) -> Vec<Condition> {
        merge(&[], findings, 1, Timestamp::UNIX_EPOCH)
    }

    /// Conditions of which each has its event.
    const TOLD: [ConditionType; 4] = [
        ConditionType::RedisAvailable,
        ConditionType::TlsReady,
        ConditionType::EvictionPolicyVerified,
        ConditionType::UsersVerified,
    ];

    #[test]
    fn what_keeps_conditions_from_being_asked_is_told_once() {
        let late = |condition: ConditionType| {
            Finding::unknown(condition, Reason::NoRecentAnswer, format!("{} is not known", condition.as_str()))
        };
        let all = TOLD.map(late);
        assert_eq!(reasons(&of_conditions(&[], &all)), ["NoRecentAnswer"]);
        let (first, others) = all.split_first().unwrap();
        let before = standing(std::slice::from_ref(first));
        assert_eq!(reasons(&of_conditions(&before, &all)), [""; 0], "it was told when the first one had it");
        assert_eq!(reasons(&of_conditions(&standing(others), &all)), [""; 0]);
        let other = [all[0].clone(), Finding::unknown(TOLD[1], Reason::ReadFailed, "another trouble")];
        assert_eq!(reasons(&of_conditions(&[], &other)), ["NoRecentAnswer", "ReadFailed"]);
    }

    #[test]
    fn what_was_set_right_is_told_of_each() {
        let corrected =
            |condition: ConditionType| Finding::holds(condition, Reason::DriftCorrected, condition.as_str());
        assert_eq!(of_conditions(&[], &TOLD.map(corrected)).len(), TOLD.len());
    }

    #[test]
    fn that_all_is_well_is_told_once_with_what_is_more_than_that() {
        let frozen = TOLD.map(|condition| Finding::fails(condition, Reason::Frozen, "no answer"));
        let ready = Finding::holds(ConditionType::Ready, Reason::AllVerified, "it is");
        let well = |reason| TOLD.map(|condition| Finding::holds(condition, reason, "it is"));
        let all = [std::slice::from_ref(&ready), &well(Reason::Verified)].concat();
        assert_eq!(reasons(&of_conditions(&standing(&frozen), &all)), ["AllVerified"]);
        let corrected = Finding::holds(TOLD[0], Reason::DriftCorrected, "it was set right");
        let adopted = Finding::holds(TOLD[1], Reason::Adopted, "an earlier key");
        assert_eq!(
            reasons(&of_conditions(&standing(&frozen), &[ready, corrected, adopted])),
            ["AllVerified", "DriftCorrected", "Adopted"]
        );
    }

    #[test]
    fn that_a_new_cache_is_made_is_not_told_and_that_an_old_one_is_made_anew_is() {
        let made = [Finding::fails(TOLD[0], Reason::Provisioning, "there is no pod yet")];
        assert_eq!(of_conditions(&[], &made), []);
        let before = standing(&[Finding::holds(TOLD[0], Reason::Available, "it answers")]);
        assert_eq!(reasons(&of_conditions(&before, &made)), ["Provisioning"]);
    }

    #[test]
    fn a_key_that_is_made_and_published_is_told_once() {
        let published = Finding::holds(ConditionType::KeyRingReady, Reason::Published, "1 key");
        let mut events = of_conditions(&[], &[published]);
        add(&mut events, &[]);
        assert_eq!(reasons(&events), ["Published"]);
        let note = "key 16a28072 was made".to_owned();
        add(&mut events, &[(Reason::KeyMinted, note)]);
        assert_eq!(reasons(&events), ["KeyMinted"]);
    }
}
