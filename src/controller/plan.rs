//! Puts the capabilities' plans together. Pure: the same input, the same plan.

use k8s_openapi::{api::apps::v1::StatefulSet, apimachinery::pkg::apis::meta::v1::ObjectMeta};

use crate::{
    api::v1alpha1::TokenCache,
    condition::{ConditionType, Verdict},
    data_protection,
    redis::{self, credentials::Credentials, observed::Observed, rollout, settings::Settings},
    request,
};

/// What is to be done, and nothing that is done already.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// Shown to the API server before the first write of a new generation, so that a spec that it refuses is never
    /// carried out by half.
    pub rehearsal: Option<StatefulSet>,
    /// What the key ring needs.
    pub ring: data_protection::plan::Plan,
    /// What Redis needs.
    pub redis: redis::Plan,
    /// What nothing needs any more.
    pub retirees: Vec<Retiree>,
}

/// An owned object that is to be deleted, as it was seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Retiree {
    /// Its kind.
    pub kind: RetireeKind,
    /// Its name, UID and version.
    pub metadata: ObjectMeta,
}

/// The kinds that are ever deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetireeKind {
    /// `StatefulSet`.
    StatefulSet,
    /// `Service`.
    Service,
    /// `ConfigMap`.
    ConfigMap,
    /// `Secret`.
    Secret,
    /// `NetworkPolicy`.
    NetworkPolicy,
    /// `ServiceAccount`.
    ServiceAccount,
}

impl Plan {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ring.is_empty() && self.redis.is_empty() && self.retirees.is_empty()
    }
}

/// What is to be done for a cache.
#[must_use]
pub fn plan(
    cache: &TokenCache,
    settings: &Settings,
    observed: &Observed,
    credentials: &Credentials,
    ring: data_protection::plan::Plan,
    surplus: Vec<Retiree>,
) -> Plan {
    let owner = &settings.owner.name;
    if request::is_paused(cache) {
        return Plan::default();
    }
    if observed.taken(owner).is_some() || observed.leftover(owner).is_some() {
        // What applications encrypt with does not wait for Redis. None is begun for a cache that may be in the wrong place.
        let ring = if ring.begins() { data_protection::plan::Plan::default() } else { ring };
        return Plan { ring, ..Plan::default() };
    }
    let redis = redis::plan(settings, observed, credentials);
    let spent = credentials.rotation.spent.clone();
    let spent = spent.map(|metadata| Retiree { kind: RetireeKind::Secret, metadata });
    let surplus: Vec<Retiree> = surplus.into_iter().chain(spent).collect();
    if redis.is_empty() {
        return Plan { ring, retirees: surplus, ..Plan::default() };
    }
    let rehearsal = (!is_accepted(cache)).then(|| rollout::wanted(settings, observed, None));
    Plan { rehearsal, ring, redis, retirees: surplus }
}

/// Whether the API server is known to accept what this generation leads to.
fn is_accepted(cache: &TokenCache) -> bool {
    cache.status.as_ref().is_some_and(|status| {
        status.conditions.iter().any(|condition| {
            condition.type_ == ConditionType::SpecValid.as_str()
                && condition.status == Verdict::True.as_str()
                && condition.observed_generation == cache.metadata.generation
        })
    })
}
