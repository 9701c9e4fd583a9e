//! Puts the capabilities' plans together. Pure: the same input, the same plan.

use crate::{
    api::v1alpha1::{NetworkPolicyMode, TokenCache},
    capability::operation,
    condition::{ConditionType, Verdict},
    data_protection,
    kubernetes::{
        name,
        object::{Kind, Object, Reference},
        write::{Write, upkeep::take_over},
    },
    redis::{
        self,
        credentials::Credentials,
        live::Observed,
        plan::rollout,
        settings::{Settings, TlsSource},
    },
};

/// What is to be done, and nothing that is done already.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// Shown to the API server before the first write of a new generation, so that a spec that it refuses is never
    /// carried out by half.
    pub rehearsal: Option<Object>,
    /// What is to be written. Groups do not wait for each other.
    pub groups: Vec<Group>,
    /// What is to be written as well, and has to wait.
    pub held: Vec<Write>,
}

/// Writes that wait for each other, in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// What they are about.
    pub name: &'static str,
    /// What must hold before any of them.
    pub needs: Needs,
    /// Whether each of them needs those before it.
    pub is_chain: bool,
    /// The writes.
    pub writes: Vec<Write>,
}

/// What must hold before a group of writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: what is there already is kept up also where the rest of the spec is refused.
    Nothing,
    /// The API server does not refuse what the spec leads to.
    AcceptedSpec,
}

/// What a cache has beside what its plan names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Surplus {
    /// What the operator has made, in another version or under an earlier spec, and nothing needs any more.
    pub retirees: Vec<Reference>,
    /// What has the cache's labels and owner, and was made by somebody else: a copy, most likely. It is left as it is.
    pub left: Vec<Reference>,
}

impl Plan {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }
}

/// What is to be done for a cache. A write of which `waits` holds has to wait.
#[must_use]
pub fn plan(
    cache: &TokenCache,
    settings: &Settings,
    observed: &Observed,
    credentials: &Credentials,
    ring: data_protection::plan::Plan,
    retirees: Vec<Reference>,
    waits: &dyn Fn(&Write) -> bool,
) -> Plan {
    let owner = &settings.owner.name;
    if operation::is_paused(cache) {
        return Plan::default();
    }
    let is_blocked = observed.taken(owner).is_some() || observed.leftover(owner).is_some();
    let ring_needs = if ring.begins { Needs::AcceptedSpec } else { Needs::Nothing };
    // What applications encrypt with does not wait for Redis. None is begun for a cache that may be in the wrong place.
    let ring_writes = if is_blocked && ring.begins { Vec::new() } else { ring.writes };
    let (rehearsal, writes) = if is_blocked {
        (None, Vec::new())
    } else {
        of_redis(settings, observed, credentials, is_accepted(cache), retirees, waits)
    };
    // A name that is not free is met before a ring begins.
    let mut groups = vec![
        Group { name: "redis", needs: Needs::AcceptedSpec, is_chain: false, writes },
        Group { name: "key ring", needs: ring_needs, is_chain: true, writes: ring_writes },
    ];
    let held = groups.iter_mut().flat_map(|group| group.hold(waits)).collect();
    groups.retain(|group| !group.writes.is_empty());
    Plan { rehearsal, groups, held }
}

impl Group {
    /// Takes out what has to wait, and in a chain what needs it. Returns what others have to end for.
    fn hold(&mut self, waits: &dyn Fn(&Write) -> bool) -> Vec<Write> {
        let (mut held, mut is_broken) = (Vec::new(), false);
        for write in std::mem::take(&mut self.writes) {
            if is_broken {
                continue;
            }
            if waits(&write) {
                // Labels and owners nothing needs.
                is_broken = self.is_chain && !matches!(write, Write::Label(..) | Write::Disown(_) | Write::Adopt(..));
                held.push(write);
            } else {
                self.writes.push(write);
            }
        }
        held
    }
}

/// What is to be written of Redis, and what is shown to the API server before.
fn of_redis(
    settings: &Settings,
    observed: &Observed,
    credentials: &Credentials,
    is_accepted: bool,
    retirees: Vec<Reference>,
    waits: &dyn Fn(&Write) -> bool,
) -> (Option<Object>, Vec<Write>) {
    let unowned = observed.unowned(&settings.owner.name).into_iter();
    let adoptions: Vec<Write> = unowned.map(|object| Write::Adopt(object, settings.owner.reference())).collect();
    if !adoptions.iter().all(waits) {
        return (None, adoptions);
    }
    let is_free = |write: &Write| !adoptions.iter().any(|it| (it.kind(), it.name()) == (write.kind(), write.name()));
    let mut writes = redis::plan::writes(settings, observed, credentials);
    writes.retain(is_free);
    // What was made by a POST is taken over before anything is applied, or shown to the API server as if it were.
    if writes.iter().any(|write| matches!(write, Write::TakeOver(..))) {
        writes.retain(|write| matches!(write, Write::TakeOver(..)));
        return (None, writes);
    }
    // Where only the `StatefulSet` is to be applied, that is refused as a whole or not at all.
    let is_its_own_rehearsal = matches!(writes.as_slice(), [Write::Apply(Object::StatefulSet(_))]);
    let is_rehearsed = !writes.is_empty() && !is_its_own_rehearsal && !is_accepted;
    let live = observed.stateful_set.ours().map(|live| &live.metadata);
    if let Some(record) = live.filter(|_| is_rehearsed).and_then(|live| take_over(Kind::StatefulSet, live)) {
        return (None, vec![record]);
    }
    let rehearsal = is_rehearsed.then(|| {
        let mut wanted = rollout::wanted(settings, observed, None);
        wanted.metadata.uid = live.and_then(|live| live.uid.clone());
        wanted.into()
    });
    writes.extend(retirees.into_iter().map(Write::Delete).chain(adoptions));
    (rehearsal, writes)
}

/// What of these objects, which have the cache's labels and owner, no plan names. What is deleted of it is in the operator's own
/// list of names, and was made by it: what somebody else made stays, whatever it carries. What holds keys is never in it.
#[must_use]
pub fn surplus(settings: &Settings, credentials: &Credentials, children: Vec<Reference>) -> Surplus {
    let owner = &settings.owner;
    let of_tls: Vec<String> = match settings.tls {
        TlsSource::Managed => Vec::new(),
        TlsSource::Secret(_) => vec![name::redis_ca(&owner.name)],
        TlsSource::Disabled => vec![name::redis_ca(&owner.name), name::redis_tls(&owner.name)],
    };
    let policy = (settings.network_policy == NetworkPolicyMode::None).then(|| name::redis(&owner.name));
    let spent = credentials.rotation.spent.clone().map(|metadata| Reference { kind: Kind::Secret, metadata });
    let secrets = of_tls.into_iter().chain(spent.iter().map(|spent| spent.name().to_owned()));
    let unneeded: Vec<(Kind, String)> =
        secrets.map(|name| (Kind::Secret, name)).chain(policy.map(|name| (Kind::NetworkPolicy, name))).collect();
    let is_spent = |child: &Reference| {
        spent.as_ref().is_some_and(|spent| (child.kind, child.name()) == (spent.kind, spent.name()))
    };
    let others: Vec<Reference> = children.into_iter().filter(|child| !is_spent(child)).collect();
    let mut surplus = Surplus::default();
    for child in others.into_iter().chain(spent).filter(|child| child.metadata.deletion_timestamp.is_none()) {
        let is_secret = child.kind == Kind::Secret;
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

/// Whether an object with the cache's labels and owner may be in a [`Surplus`], whatever the spec says.
#[must_use]
pub fn may_be_surplus(owner: &str, kind: Kind, name: &str) -> bool {
    let is_always_needed = match kind {
        Kind::NetworkPolicy => false,
        Kind::Secret => ![name::redis_ca(owner), name::redis_tls(owner), name::redis_rotation(owner)]
            .iter()
            .any(|needed_at_times| needed_at_times == name),
        _ => true,
    };
    !(is_always_needed && names(owner, kind).iter().any(|needed| needed == name))
}

/// The names of a cache's objects of a kind.
#[must_use]
pub fn names(owner: &str, kind: Kind) -> Vec<String> {
    match kind {
        Kind::StatefulSet | Kind::ServiceAccount | Kind::NetworkPolicy => vec![name::redis(owner)],
        Kind::Service => vec![name::redis(owner), name::redis_headless(owner)],
        Kind::ConfigMap => vec![name::redis_config(owner), name::settings(owner)],
        Kind::Secret => name::secrets(owner).to_vec(),
        // The `StatefulSet` controller's.
        Kind::PersistentVolumeClaim => Vec::new(),
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

#[cfg(test)]
mod tests {
    use k8s_openapi::{api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};

    use super::*;

    fn named(name: &str) -> ObjectMeta {
        ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() }
    }

    #[test]
    fn what_waits_is_taken_out_and_in_a_chain_all_that_needs_it() {
        let secret = |name| Write::Apply(Secret { metadata: named(name), ..Secret::default() }.into());
        let disown = |name| Write::Disown(Reference { kind: Kind::Secret, metadata: named(name) });
        let names = |writes: &[Write]| writes.iter().map(Write::name).collect::<String>();
        let split = |is_chain, waiting: &str| {
            let writes = vec![disown("a"), secret("b"), secret("c"), secret("d")];
            let mut group = Group { name: "test", needs: Needs::Nothing, is_chain, writes };
            let held = group.hold(&|write| waiting.contains(&write.name()));
            (names(&group.writes), names(&held))
        };
        let pair = |left: &str, held: &str| (left.to_owned(), held.to_owned());
        assert_eq!((split(false, ""), split(true, "")), (pair("abcd", ""), pair("abcd", "")));
        assert_eq!((split(false, "bd"), split(true, "bd")), (pair("ac", "bd"), pair("a", "b")));
        assert_eq!((split(false, "a"), split(true, "a")), (pair("bcd", "a"), pair("bcd", "a")), "nothing needs it");
        assert_eq!(split(true, "abcd"), pair("", "ab"));
    }
}
