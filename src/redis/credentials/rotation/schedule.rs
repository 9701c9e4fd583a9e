//! When a rotation goes on: times, and what must have been seen.
//!
//! In: what was observed, and the time. Out: whether the next step may be taken, or what is waited for. Nothing is
//! remembered.
//!
//! ```text
//! added       the users' Secret has both ──▶ KUBELET_DELAY ──▶ every server seen with both ──▶ published
//! published   the binding has the new one ──▶ its term ──▶ the users' Secret and every server have only that ──▶ complete
//! ```

use jiff::{SignedDuration, Timestamp};

pub use crate::capability::time::{after, whole, whole_or_later};
use crate::{
    kubernetes::read::process::KUBELET_DELAY,
    redis::{
        access::{
            acl::{APP, Passwords},
            password::PasswordHash,
        },
        live::Live,
        look::{answer::Section, drift::Parameter},
        server::{objects::REPLICAS, pods::server_in},
        settings::Settings,
    },
};

/// When a look that is on its way is asked for again.
pub const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(2);

/// From when on a container that starts finds what a Secret has had since `added`. A server that restarts before then loads
/// the users as they were, and would refuse the new password until the operator looks at it next, or for good where there is
/// no operator at that moment: so that long nothing is published. And an application that starts before then may read the
/// earlier password. Whoever wants a short overlap is in more of a hurry than this.
#[must_use]
pub fn mounted_at(added: Timestamp, overlap: SignedDuration) -> Timestamp {
    after(added, KUBELET_DELAY.min(overlap))
}

/// What keeps a server from having been seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unseen {
    /// There is no pod.
    NoPod,
    /// This pod has no server that could be asked.
    NotRunning(String),
    /// The server in this pod is about to be looked at.
    Due(String),
    /// The server in this pod gave no answer.
    Silent(String),
    /// The server in this pod has other passwords, and they could not be set.
    Differs(String),
}

/// Whether every server was seen to take these passwords of the applications and no other, at a look since `since`.
///
/// # Errors
/// The first server that was not, and why.
pub fn seen(
    settings: &Settings,
    observed: &Live,
    hashes: &[PasswordHash],
    since: Option<Timestamp>,
) -> Result<(), Unseen> {
    if observed.pods.len() < usize::try_from(REPLICAS).unwrap_or(usize::MAX) {
        return Err(Unseen::NoPod);
    }
    for pod in &observed.pods {
        let name = || pod.metadata.name.clone().unwrap_or_default();
        let server = server_in(settings, pod).ok_or_else(|| Unseen::NotRunning(name()))?;
        let sample = observed.samples.iter().find(|sample| sample.server == server);
        let sample = sample.ok_or_else(|| Unseen::Due(name()))?;
        let answer = sample.outcome.as_ref().map_err(|_| Unseen::Silent(name()))?;
        let wanted = sample.want.users.iter().find(|user| user.name == APP).map(|user| &user.passwords);
        let asked_for = matches!(wanted, Some(Passwords::These(wanted)) if wanted == hashes);
        let in_time = since.is_none_or(|since| sample.taken >= since);
        if !asked_for || !in_time || crate::redis::server::pods::was_started_after(pod, sample.taken) {
            return Err(Unseen::Due(name()));
        }
        if answer.unread.contains_key(&Section::Users) {
            return Err(Unseen::Silent(name()));
        }
        let differs = |parameter| parameter == Parameter::AppPassword;
        if answer.drift.iter().any(|drift| differs(drift.parameter) && !drift.correction.is_done()) {
            return Err(Unseen::Differs(name()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_wants_a_short_overlap_waits_no_longer_than_that_for_the_mounted_files() {
        let added = Timestamp::UNIX_EPOCH;
        assert_eq!(mounted_at(added, SignedDuration::from_hours(24)), added + KUBELET_DELAY);
        assert_eq!(mounted_at(added, SignedDuration::from_secs(2)), added + SignedDuration::from_secs(2));
    }
}
