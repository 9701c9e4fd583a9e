//! Everything that is about Redis: what a cache wants, the objects that make it, and how its health is read. Pure.
//!
//! In: settings and what was observed. Out: what is to be written, what the servers should be, and [`findings`].
//!
//! | part | what |
//! |---|---|
//! | [`settings`] | what a cache wants |
//! | [`access`] | users, their rules, their passwords |
//! | [`tls`] | certificates: reading, verifying, making them |
//! | [`look`] | what a server says of itself, as values |
//! | [`server`] | the objects that make a server, and what its pod tells |
//! | [`live`] | what a pass saw |
//! | [`restart`] | what a restart costs |
//! | [`credentials`] | which passwords and which certificate hold, and what is to be made for them |
//! | [`plan`] | what is to be written |
//! | [`desired`] | what the servers should be |
//! | [`findings`] | what is said of it |
//! | [`view`] | what a pass saw, out of all that it saw |
//! | [`part`] | what is decided, put together |

pub mod access;
pub mod credentials;
pub mod desired;
pub mod findings;
pub mod live;
pub mod look;
pub mod part;
pub mod plan;
pub mod restart;
pub mod server;
pub mod settings;
pub mod tls;
pub mod view;

use std::sync::Arc;

use jiff::SignedDuration;
use k8s_openapi::api::apps::v1::StatefulSet;

use crate::{
    api::v1alpha1::{NetworkPolicyMode, OperationStatus, TokenCache},
    capability::{Capability, Names, SpecError, observed::Observed, part::Part},
    condition::ConditionType,
};
use credentials::Credentials;
use desired::ProbeTarget;
use findings::{Answered, Moment};
use live::Live;
pub use look::Sample;
use part::Assessment;
use plan::rollout;
pub use server::objects::COMPONENT;
pub use settings::Settings;
pub use tls::verified::Verified;
pub use view::connection;

/// What a pass knows of Redis beside what it observed.
#[derive(Debug, Clone, Copy)]
pub struct Given<'pass> {
    /// The latest look at each server.
    pub samples: &'pass [Sample],
    /// The time between two looks at a server.
    pub period: SignedDuration,
    /// What was verified of certificates before.
    pub verified: &'pass Arc<Verified>,
}

/// What Redis has for those after it.
pub struct Offer {
    /// What was seen of it.
    pub live: Live,
    /// How the servers are to be looked at; `None` while that cannot be.
    pub aim: Option<ProbeTarget>,
    /// Whether what is wanted reaches the servers: it does not where it is refused, or the cache is paused.
    pub is_carried_out: bool,
    /// Which server answered; `None` while the first look is on its way.
    pub answered: Option<Answered>,
    /// Why no server can be asked for anything now, in words.
    pub obstacle: Option<String>,
    /// Whether it is said of every correction that the latest samples hold.
    pub tells_of_samples: bool,
}

impl Capability for Settings {
    type Given<'pass> = Given<'pass>;
    type Offer = Offer;

    fn parse(cache: &TokenCache) -> Result<Self, SpecError> {
        Self::parse(cache).map_err(|error| SpecError(error.to_string()))
    }

    fn names(&self, operations: &[OperationStatus]) -> Names {
        view::names(self, operations)
    }

    fn conditions(&self) -> Vec<ConditionType> {
        use ConditionType::{
            AccessAllowed, Durable, EvictionPolicyVerified, LatencyAcceptable, MemorySufficient, NetworkRestricted,
            RedisAvailable, ServerSupported, TlsReady, UsersVerified,
        };
        let is_restricted = self.network_policy != NetworkPolicyMode::None;
        let optional = [(self.has_tls(), TlsReady), (is_restricted, NetworkRestricted)];
        let optional = optional.into_iter().filter_map(|(is_there, condition)| is_there.then_some(condition));
        let always = [RedisAvailable, EvictionPolicyVerified, UsersVerified, AccessAllowed, ServerSupported];
        let by_looks = [MemorySufficient, LatencyAcceptable, Durable];
        always.into_iter().chain(by_looks).chain(optional).collect()
    }

    fn decide(&self, observed: &Observed<'_>, given: Given<'_>) -> (Part, Offer) {
        let live = view::live(self, observed, given.samples, given.verified);
        let credentials = Credentials::read(self, &live, observed.now);
        // A spec that does not reach the StatefulSet, reaches no server either.
        let refusal = part::refusal(self, &live);
        let is_carried_out = refusal.is_none()
            && !observed.is_paused
            && (!observed.has_failed || rollout::is_written(self, &live, &credentials));
        let moment = Moment { now: observed.now, period: given.period, carried_out: is_carried_out };
        let Assessment { part, answered, tells_of_samples } = part::assessment(self, &live, &credentials, moment);
        let part = part::with_mended(part, observed.mended(part::GROUP));
        let asks = Part { asks: view::asks(self, &live, credentials.rotation.looks_since), ..Part::default() };
        let plan = part::plan(self, &live, &credentials, observed.is_accepted);
        let offer = Offer {
            aim: desired::aim(self, &live, &credentials, is_carried_out),
            obstacle: desired::obstacle(self, &live, &credentials),
            is_carried_out,
            answered,
            tells_of_samples,
            live,
        };
        let refused = Part { refusal, ..Part::default() };
        (asks.and(plan).and(part).and(refused), offer)
    }
}

/// What a pod is replaced for where this takes the place of the live `StatefulSet`, in words; nothing where none is.
#[must_use]
pub fn replaces_pod_for(live: &StatefulSet, wanted: &StatefulSet) -> Vec<&'static str> {
    rollout::replaces_pod_for(live, wanted)
}

/// Whether two states of a `StatefulSet` tell the same: what else its controller counts in its status, the pods tell.
#[must_use]
pub fn tells_the_same(one: &StatefulSet, other: &StatefulSet) -> bool {
    rollout::tells_the_same(one, other)
}
