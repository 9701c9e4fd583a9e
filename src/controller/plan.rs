//! Puts the capabilities' plans together. Pure: the same input, the same plan.

use k8s_openapi::{api::apps::v1::StatefulSet, apimachinery::pkg::apis::meta::v1::ObjectMeta};

use crate::{
    api::v1alpha1::{NetworkPolicyMode, TokenCache},
    condition::{ConditionType, Verdict},
    data_protection,
    kubernetes::{
        child::{Child, ChildKind},
        name,
    },
    redis::{
        self,
        credentials::Credentials,
        observed::Observed,
        rollout,
        settings::{Settings, TlsSource},
    },
    request,
};

/// What is to be done, and nothing that is done already.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// Shown to the API server before the first write of a new generation, so that a spec that it refuses is never
    /// carried out by half.
    pub rehearsal: Option<StatefulSet>,
    /// What is the cache's own and is owned by nobody. Then nothing else of Redis is written.
    pub adoptions: Vec<Child>,
    /// What the key ring needs.
    pub ring: data_protection::plan::Plan,
    /// What Redis needs.
    pub redis: redis::Plan,
    /// What nothing needs any more.
    pub retirees: Vec<Child>,
}

/// What a cache has beside what its plan names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Surplus {
    /// What the operator has made, in another version or under an earlier spec, and nothing needs any more.
    pub retirees: Vec<Child>,
    /// What has the cache's labels and owner, and was made by somebody else: a copy, most likely. It is left as it is.
    pub left: Vec<Child>,
}

impl Plan {
    /// The objects that are labelled as what outlives its owner, as they were seen.
    pub fn marks(&self) -> impl Iterator<Item = &ObjectMeta> {
        self.ring.unmarked.iter().chain(&self.redis.claim).map(|(seen, _)| seen)
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.adoptions.is_empty() && self.ring.is_empty() && self.redis.is_empty() && self.retirees.is_empty()
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
    retirees: Vec<Child>,
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
    let adoptions = observed.unowned(owner);
    if !adoptions.is_empty() {
        return Plan { adoptions, ring, ..Plan::default() };
    }
    let redis = redis::plan(settings, observed, credentials);
    if redis.is_empty() {
        return Plan { ring, retirees, ..Plan::default() };
    }
    let rehearsal = (!is_accepted(cache)).then(|| rollout::wanted(settings, observed, None));
    Plan { rehearsal, adoptions, ring, redis, retirees }
}

/// What of these objects, which have the cache's labels and owner, no plan names. What is deleted of it is in the operator's own
/// list of names, and was made by it: what somebody else made stays, whatever it carries. What holds keys is never in it.
#[must_use]
pub fn surplus(settings: &Settings, credentials: &Credentials, children: Vec<Child>) -> Surplus {
    let owner = &settings.owner;
    let of_tls: Vec<String> = match settings.tls {
        TlsSource::Managed => Vec::new(),
        TlsSource::Secret(_) => vec![name::redis_ca(&owner.name)],
        TlsSource::Disabled => vec![name::redis_ca(&owner.name), name::redis_tls(&owner.name)],
    };
    let policy = (settings.network_policy == NetworkPolicyMode::None).then(|| name::redis(&owner.name));
    let spent = credentials.rotation.spent.clone().map(|metadata| Child { kind: ChildKind::Secret, metadata });
    let secrets = of_tls.into_iter().chain(spent.iter().map(|spent| spent.name().to_owned()));
    let unneeded: Vec<(ChildKind, String)> = secrets
        .map(|name| (ChildKind::Secret, name))
        .chain(policy.map(|name| (ChildKind::NetworkPolicy, name)))
        .collect();
    let is_spent =
        |child: &Child| spent.as_ref().is_some_and(|spent| (child.kind, child.name()) == (spent.kind, spent.name()));
    let others: Vec<Child> = children.into_iter().filter(|child| !is_spent(child)).collect();
    let mut surplus = Surplus::default();
    for child in others.into_iter().chain(spent).filter(|child| child.metadata.deletion_timestamp.is_none()) {
        let is_secret = child.kind == ChildKind::Secret;
        let is_unneeded = unneeded.iter().any(|(kind, name)| (*kind, name.as_str()) == (child.kind, child.name()));
        let is_needed = names(&owner.name, child.kind).iter().any(|name| name == child.name()) && !is_unneeded;
        if is_needed || (is_secret && name::outlives_its_owner(&owner.name, child.name())) {
            continue;
        }
        let deletes = is_unneeded && owner.is_made_by_us(&child.metadata);
        if deletes { &mut surplus.retirees } else { &mut surplus.left }.push(child);
    }
    surplus
}

/// The names of a cache's objects of a kind.
fn names(owner: &str, kind: ChildKind) -> Vec<String> {
    match kind {
        ChildKind::StatefulSet | ChildKind::ServiceAccount | ChildKind::NetworkPolicy => vec![name::redis(owner)],
        ChildKind::Service => vec![name::redis(owner), name::redis_headless(owner)],
        ChildKind::ConfigMap => vec![name::redis_config(owner), name::settings(owner)],
        ChildKind::Secret => name::secrets(owner).to_vec(),
    }
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
