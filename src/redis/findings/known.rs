//! What is known of a cache's servers, as a value: all that is said of them, and which of them answered.
//!
//! In: findings; where no server answered, the one that says why. Out: [`Health`], to which others add theirs. It looks at no
//! server.

use jiff::{SignedDuration, Timestamp};

use super::load;
use crate::{
    api::v1alpha1::ServerStatus,
    condition::{
        ConditionType::{AccessAllowed, Durable, EvictionPolicyVerified, ServerSupported, UsersVerified},
        Finding, Reason,
    },
};

pub(super) const NO_LOGIN: &str = "the operator cannot ask Redis without its own password";

/// What is known of the servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// A server has not been looked at yet, or not since something else is wanted of it or kubelet thinks otherwise of it;
    /// a look is on its way, and until then nothing is said.
    AwaitingFirstLook,
    /// What to report.
    Known {
        /// What is said of them.
        findings: Vec<Finding>,
        /// What each server answered.
        servers: Vec<ServerStatus>,
        /// Which server can be said more of.
        answered: Answered,
        /// Whether they tell of every correction that the latest samples hold.
        tells_of_samples: bool,
    },
}

/// Which server answered, so that it is known what stands in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// The one in this pod.
    By(String),
    /// None, and why.
    Nobody {
        /// As one word.
        reason: Reason,
        /// As a sentence.
        why: String,
    },
}

impl Health {
    /// Whether whoever is told this has heard of every correction that the latest samples hold.
    #[must_use]
    pub fn tells_of_samples(&self) -> bool {
        matches!(self, Self::Known { tells_of_samples: true, .. })
    }
}

/// What a pass knows beside what it saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The time of this pass.
    pub now: Timestamp,
    /// The time between two looks at a server.
    pub period: SignedDuration,
    /// Whether what the spec asks for is being carried out: it is not where it is refused, or the cache is paused.
    pub carried_out: bool,
}

pub(super) fn unavailable(why: Finding) -> Health {
    without_answer(why, Reason::RedisUnavailable, "Redis could not be asked: see RedisAvailable")
}

/// What is said where no server answered: whether it is available, and why nothing else is known.
pub(super) fn without_answer(available: Finding, reason: Reason, why: &str) -> Health {
    let unknown = |condition| Finding::unknown(condition, reason, why);
    let others = [EvictionPolicyVerified, UsersVerified, AccessAllowed, ServerSupported, Durable].map(unknown);
    Health::Known {
        findings: [available].into_iter().chain(others).chain(load::unasked(reason, why)).collect(),
        servers: Vec::new(),
        answered: Answered::Nobody { reason, why: why.to_owned() },
        tells_of_samples: false,
    }
}
