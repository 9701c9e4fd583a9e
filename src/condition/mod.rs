//! Conditions: their types and reasons as closed lists, the worst of them as `Ready`, and how they meet those that stand
//! in the status already.
//!
//! In: findings of the capabilities. Out: the list for the status. It reads no clock and writes nothing.

mod closed;
pub mod message;
mod reason;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use closed::closed;
use message::LONGEST;
pub use message::Message;
pub use reason::Reason;

closed! {
    /// What a condition is about. In the order in which they stand in the status, and in which `Ready` looks for the first that
    /// fails.
    pub enum ConditionType {
        /// Applications are served, and have what was asked for: nothing else is an outage.
        Ready,
        /// Only the user can help.
        Stalled,
        /// Nothing is changed or repaired, because the user asks for that. It is there while that is so.
        Paused,
        /// The spec can be carried out.
        SpecValid,
        /// Redis answers the operator and takes writes.
        RedisAvailable,
        /// Redis serves the wanted certificate, as a handshake showed.
        TlsReady,
        /// `maxmemory` and `maxmemory-policy` were read back as wanted from every server.
        EvictionPolicyVerified,
        /// The users of every server were read back as wanted, and there are no others.
        UsersVerified,
        /// The key ring is published whole, and one of its keys encrypts.
        KeyRingReady,
        /// Redis refused applications nothing of late: no login, no command, no key.
        AccessAllowed,
        /// The server's release has upstream's security fixes.
        ServerSupported,
        /// Only those who should reach Redis over the network.
        NetworkRestricted,
        /// Nothing is evicted or refused for want of memory.
        MemorySufficient,
        /// Redis answers fast.
        LatencyAcceptable,
        /// No entry stays forever that the eviction policy cannot remove.
        EntriesExpire,
        /// Applications write to the cache.
        InUse,
        /// Applications can read every entry, as it is to be stored.
        EntriesReadable,
        /// What is written outlasts the server.
        Durable,
        /// No pod has the applications' earlier password, which is about to end.
        PasswordRolledOut,
    }
}

impl ConditionType {
    /// Whether this version has a condition of this name.
    #[must_use]
    pub fn is_known(name: &str) -> bool {
        Self::named(name).is_some()
    }
}

closed! {
    /// What a reason means for applications where its condition does not hold. Where one holds with a reason that is no note, it
    /// warns.
    pub enum Effect {
        /// They fail now, or what was asked for is not there yet: `Ready` is False, or Unknown where the condition is.
        Outage,
        /// They will fail, or may: a warning.
        Risk,
        /// Nothing: it is worth knowing.
        Note,
    }
}

closed! {
    /// The status of a condition.
    pub enum ConditionStatus {
        /// It holds.
        True,
        /// It was asked, and does not hold.
        False,
        /// It could not be asked.
        Unknown,
    }
}

/// What a capability found out about one condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which condition.
    pub condition: ConditionType,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// Why, as one word.
    pub reason: Reason,
    /// What was seen, where, what it leads to, what to do.
    pub message: Message,
}

impl Finding {
    /// A condition that holds.
    #[must_use]
    pub fn holds(condition: ConditionType, reason: Reason, message: impl Into<Message>) -> Self {
        Self { condition, status: ConditionStatus::True, reason, message: message.into() }
    }

    /// A condition that does not hold.
    #[must_use]
    pub fn fails(condition: ConditionType, reason: Reason, message: impl Into<Message>) -> Self {
        Self { condition, status: ConditionStatus::False, reason, message: message.into() }
    }

    /// A condition that could not be asked.
    #[must_use]
    pub fn unknown(condition: ConditionType, reason: Reason, message: impl Into<Message>) -> Self {
        Self { condition, status: ConditionStatus::Unknown, reason, message: message.into() }
    }

    /// The message of its condition. Of `Ready`, how many warnings there are stands behind what is told of another.
    #[must_use]
    pub fn told(&self) -> String {
        match self.condition {
            ConditionType::Ready => self.message.told_within(LONGEST),
            _ => self.message.told(),
        }
    }
}

/// `Ready` and `Stalled`, from findings in the order of their conditions. `Ready` repeats the reason and message of the first outage,
/// or else of the first that cannot be excluded, and says how many warnings there are.
#[must_use]
pub fn summary(findings: &[Finding]) -> [Finding; 2] {
    let worst = [ConditionStatus::False, ConditionStatus::Unknown].into_iter().find_map(|status| {
        findings.iter().find(|finding| finding.status == status && finding.reason.effect() == Effect::Outage)
    });
    let mut ready = worst.map_or_else(
        || {
            Finding::holds(
                ConditionType::Ready,
                Reason::AllVerified,
                "Redis is available, its settings were read back, and the connection is published",
            )
        },
        |worst| Finding { condition: ConditionType::Ready, message: worst.told().into(), ..worst.clone() },
    );
    let warned = warned(findings);
    if !warned.is_empty() {
        let what = if warned.len() == 1 { "1 warning" } else { &format!("{} warnings", warned.len()) };
        ready.message = ready.message.and(what);
    }
    let stalled = match worst {
        Some(worst) if worst.status == ConditionStatus::False && worst.reason.needs_user() => {
            Finding::holds(ConditionType::Stalled, worst.reason, worst.message.clone())
        }
        _ => Finding::fails(ConditionType::Stalled, Reason::NotStalled, "nothing waits for the user"),
    };
    [ready, stalled]
}

/// The conditions that warn, in their order: those that do not hold for a risk, and those that hold and say more than a note. `Ready`
/// and `Stalled` only repeat others.
#[must_use]
pub fn warned(findings: &[Finding]) -> Vec<ConditionType> {
    let warns = |finding: &&Finding| match finding.status {
        ConditionStatus::True => finding.reason.effect() != Effect::Note,
        ConditionStatus::False => finding.reason.effect() == Effect::Risk,
        ConditionStatus::Unknown => false,
    };
    let warned = findings.iter().filter(warns).map(|finding| finding.condition);
    warned.filter(|condition| !matches!(condition, ConditionType::Ready | ConditionType::Stalled)).collect()
}

/// The findings with what was told before in place of those that take more looks to tell.
#[must_use]
pub fn standing(previous: &[Condition], findings: &[Finding]) -> Vec<Finding> {
    let standing = |finding: &Finding| {
        let told = told(previous, finding)?;
        Some(Finding {
            condition: finding.condition,
            status: ConditionStatus::named(&told.status)?,
            reason: Reason::named(&told.reason)?,
            message: told.message.as_str().into(),
        })
    };
    findings.iter().map(|finding| standing(finding).unwrap_or_else(|| finding.clone())).collect()
}

/// Whether what was told of a condition before stands, since it takes more looks to tell.
#[must_use]
pub fn is_kept(previous: &[Condition], finding: &Finding) -> bool {
    told(previous, finding).is_some()
}

/// What was told before the operator was started, where it takes more looks to tell.
fn told<'told>(previous: &'told [Condition], finding: &Finding) -> Option<&'told Condition> {
    let before = previous.iter().find(|condition| condition.type_ == finding.condition.as_str());
    let is_verdict = |condition: &&Condition| condition.status != ConditionStatus::Unknown.as_str();
    before.filter(is_verdict).filter(|_| finding.reason == Reason::Sampling)
}

/// The list for the status: the findings in their order. A condition whose status is the same as before keeps its
/// `lastTransitionTime`; one that nobody found anything about any more is gone. Where it takes more looks to tell, what was
/// told before the operator was started stands until then.
#[must_use]
pub fn merge(previous: &[Condition], findings: &[Finding], generation: i64, now: Timestamp) -> Vec<Condition> {
    findings
        .iter()
        .map(|finding| {
            if let Some(told) = told(previous, finding) {
                return told.clone();
            }
            let before = previous.iter().find(|condition| condition.type_ == finding.condition.as_str());
            let kept = before
                .filter(|condition| condition.status == finding.status.as_str())
                .map(|condition| condition.last_transition_time.clone());
            Condition {
                type_: finding.condition.as_str().to_owned(),
                status: finding.status.as_str().to_owned(),
                reason: finding.reason.as_str().to_owned(),
                message: finding.told(),
                observed_generation: Some(generation),
                last_transition_time: kept.unwrap_or_else(|| Time(whole_second(now))),
            }
        })
        .collect()
}

/// The API server keeps times of conditions in whole seconds; a finer one would differ from what comes back.
fn whole_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// Reasons of which each message is about something else.
const IS_ANOTHER_BY_ITS_MESSAGE: [Reason; 2] = [Reason::DriftCorrected, Reason::UnknownAnnotation];

/// The findings that are news compared with what stood in the status: another status, another reason, or another
/// message where that is about something else.
pub fn news<'findings>(
    previous: &'findings [Condition],
    findings: &'findings [Finding],
) -> impl Iterator<Item = &'findings Finding> {
    findings.iter().filter(|finding| {
        !previous.iter().any(|condition| {
            condition.type_ == finding.condition.as_str()
                && condition.status == finding.status.as_str()
                && condition.reason == finding.reason.as_str()
                && (!IS_ANOTHER_BY_ITS_MESSAGE.contains(&finding.reason) || condition.message == finding.told())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn available() -> Finding {
        Finding::holds(ConditionType::RedisAvailable, Reason::Available, "answers")
    }

    #[test]
    fn a_condition_keeps_its_transition_time_while_its_status_stays() {
        let first = merge(&[], &[available()], 1, at(100));
        let changed_message = Finding { message: "still answers".into(), ..available() };
        let second = merge(&first, &[changed_message], 2, at(200));
        assert_eq!(second[0].last_transition_time, Time(at(100)));
        assert_eq!(second[0].observed_generation, Some(2));
        let failed = Finding::fails(ConditionType::RedisAvailable, Reason::Frozen, "no answer");
        assert_eq!(merge(&second, &[failed], 2, at(300))[0].last_transition_time, Time(at(300)));
    }

    #[test]
    fn a_condition_that_is_not_found_any_more_is_gone() {
        let previous = merge(&[], &[available()], 1, at(100));
        assert!(merge(&previous, &[], 1, at(200)).is_empty());
    }

    #[test]
    fn what_takes_more_looks_to_tell_leaves_a_verdict_and_no_ignorance() {
        let sampling = Finding::unknown(ConditionType::InUse, Reason::Sampling, "some keys were seen");
        let told = merge(&[], &[Finding::holds(ConditionType::InUse, Reason::Used, "it is")], 1, at(100));
        assert_eq!(merge(&told, std::slice::from_ref(&sampling), 2, at(200)), told);
        let unasked = Finding::unknown(ConditionType::InUse, Reason::RedisUnavailable, "nobody answers");
        let unasked = merge(&told, &[unasked], 1, at(200));
        assert_eq!(merge(&unasked, &[sampling], 1, at(300))[0].reason, "Sampling");
    }

    #[test]
    fn ready_copies_the_first_that_fails_and_prefers_false_to_unknown() {
        let unknown = Finding::unknown(ConditionType::RedisAvailable, Reason::NoRecentAnswer, "no answer since");
        let failed = Finding::fails(ConditionType::EvictionPolicyVerified, Reason::CorrectionRefused, "noeviction");
        let [ready, stalled] = summary(&[unknown.clone(), failed]);
        assert_eq!(
            (ready.status, ready.reason, ready.message.text.as_str()),
            (ConditionStatus::False, Reason::CorrectionRefused, "noeviction")
        );
        assert_eq!(stalled.status, ConditionStatus::False);
        assert_eq!(summary(&[available(), unknown])[0].status, ConditionStatus::Unknown);
        assert_eq!(summary(&[available()])[0].status, ConditionStatus::True);
    }

    #[test]
    fn every_reason_has_the_effect_that_its_column_says() {
        for &reason in Reason::ALL {
            let found = |status| {
                [Finding { condition: ConditionType::RedisAvailable, status, reason, message: "so it is".into() }]
            };
            let ready = |status| summary(&found(status))[0].status;
            let [of_false, of_unknown] = [ConditionStatus::False, ConditionStatus::Unknown].map(ready);
            let expected = match reason.effect() {
                Effect::Outage => [ConditionStatus::False, ConditionStatus::Unknown],
                Effect::Risk | Effect::Note => [ConditionStatus::True; 2],
            };
            assert_eq!([of_false, of_unknown], expected, "{reason:?}");
            assert_eq!(ready(ConditionStatus::True), ConditionStatus::True, "{reason:?}");
            assert_eq!(
                !warned(&found(ConditionStatus::False)).is_empty(),
                reason.effect() == Effect::Risk,
                "{reason:?}"
            );
            assert_eq!(warned(&found(ConditionStatus::Unknown)), [], "{reason:?}");
            assert_eq!(
                !warned(&found(ConditionStatus::True)).is_empty(),
                reason.effect() != Effect::Note,
                "{reason:?}: what holds with more than a note warns"
            );
        }
    }

    #[test]
    fn ready_says_the_outage_and_then_how_many_warnings_there_are() {
        let evicted = Finding::fails(ConditionType::MemorySufficient, Reason::EntriesEvicted, "entries were evicted");
        let unsaved = Finding::fails(ConditionType::Durable, Reason::SaveFailed, "its volume is full");
        let frozen = Finding::fails(ConditionType::RedisAvailable, Reason::Frozen, "no answer");
        let [ready, _] = summary(&[frozen, evicted.clone(), unsaved]);
        assert_eq!(ready.message.text, "no answer. 2 warnings");
        let [ready, _] = summary(&[available(), evicted]);
        assert_eq!(ready.status, ConditionStatus::True);
        assert!(ready.message.text.ends_with(". 1 warning"), "{}", ready.message.text);
    }

    #[test]
    fn ready_says_how_many_warnings_there_are_behind_the_longest_message() {
        let outage = Finding::fails(ConditionType::RedisAvailable, Reason::Frozen, "x".repeat(900));
        let unsaved = Finding::fails(ConditionType::Durable, Reason::SaveFailed, "its volume is full");
        assert_eq!(summary(std::slice::from_ref(&outage))[0].told(), outage.told());
        let [ready, _] = summary(&[outage.clone(), unsaved]);
        assert_eq!(ready.told(), format!("{}. 1 warning", outage.told()));
        assert!(ready.told().chars().count() <= LONGEST);
    }

    #[test]
    fn what_only_repeats_others_is_no_warning_of_its_own() {
        let stalled = Finding::holds(ConditionType::Stalled, Reason::NameTaken, "Service shop-redis exists");
        assert_eq!(warned(&[stalled]), []);
    }

    #[test]
    fn what_takes_more_looks_to_tell_leaves_an_outage_as_it_was_told() {
        let refused = Finding::fails(ConditionType::MemorySufficient, Reason::WritesRefused, "it is full");
        let told = merge(&[], std::slice::from_ref(&refused), 1, at(100));
        let sampling = [Finding::unknown(ConditionType::MemorySufficient, Reason::Sampling, "one look so far")];
        assert_eq!(standing(&told, &sampling), [refused]);
        assert_eq!(standing(&[], &sampling), sampling);
        let mut by_another_version = told;
        by_another_version[0].reason = "TooManyKeys".to_owned();
        assert_eq!(standing(&by_another_version, &sampling), sampling);
    }

    #[test]
    fn stalled_is_true_only_where_only_the_user_can_help() {
        let taken = Finding::fails(ConditionType::RedisAvailable, Reason::NameTaken, "Service shop-redis exists");
        let [ready, stalled] = summary(&[taken]);
        assert_eq!(
            (ready.status, stalled.status, stalled.reason),
            (ConditionStatus::False, ConditionStatus::True, Reason::NameTaken)
        );
    }

    #[test]
    fn only_another_verdict_reason_or_correction_is_news() {
        let previous = merge(&[], &[available()], 1, at(100));
        let other_message = [Finding { message: "elsewhere".into(), ..available() }];
        assert_eq!(news(&previous, &other_message).count(), 0);
        let other_reason = [Finding { reason: Reason::DriftCorrected, ..available() }];
        assert_eq!(news(&previous, &other_reason).count(), 1);
        let previous = merge(&[], &other_reason, 1, at(100));
        assert_eq!(news(&previous, &other_reason).count(), 0);
        let other_correction = [Finding { reason: Reason::DriftCorrected, ..other_message[0].clone() }];
        assert_eq!(news(&previous, &other_correction).count(), 1);
    }
}
