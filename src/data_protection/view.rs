//! What a round of a pass saw of a cache's key ring, out of all that it saw.
//!
//! In: the settings, what was observed. Out: [`RingSecrets`], in which it is told whose each Secret is, and what would have to be
//! known better.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;
use k8s_openapi::{api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};

use super::{
    objects::{COMPONENT, SECRET_TYPE},
    operations::{revoke_key, rotate_key},
    secrets::{Inputs, RingSecrets, Surroundings},
    settings::Settings,
    state::RingState,
};
use crate::{
    api::v1alpha1::OperationType,
    capability::{Names, ask::Ask, observed::Observed, operation, published},
    kubernetes::{
        identity::{Found, ORPHANED, Owner, Wanted, labels::Lacking},
        name,
        object::Kind,
        read::workload::Source,
    },
};

/// What is known by name.
#[must_use]
pub fn names(settings: &Settings) -> Names {
    let owner = &settings.owner.name;
    let secrets = settings.named().map(str::to_owned).collect();
    if settings.rotation.is_none() {
        return Names { secrets, ..Names::default() };
    }
    // Most rings have none.
    let has_certificates = settings.certificate.is_some() || !settings.previous.is_empty();
    let certificates = has_certificates.then(|| name::key_certificates(owner));
    let objects = std::iter::once(name::keys(owner)).chain(certificates);
    let objects = objects.map(|name| (Kind::Secret, name)).collect();
    Names { objects, secrets, reads_lasting: true, ..Names::default() }
}

/// What was seen. A Secret that lacks the labels of a key's counts by its name where nothing says that it is somebody else's, and
/// where it holds the file of that name. `obstacle` tells why the entries cannot be swept now.
#[must_use]
pub fn ring_secrets(settings: &Settings, observed: &Observed<'_>, obstacle: Option<&str>) -> RingSecrets {
    let owner = &settings.owner;
    let (answers, cache) = (observed.answers, owner.name.as_str());
    let consumers = answers.consumers(&published(cache));
    let beside = Surroundings {
        operations: observed.previous.operations.clone(),
        sweep: observed.sweep.clone(),
        obstacle: obstacle.map(str::to_owned),
        consumers: consumers.named(&Source::Secret(name::redis(cache))),
        restart: consumers.restart(&owner.namespace),
        processes: answers.processes(&users(cache)),
    };
    if settings.rotation.is_none() {
        return RingSecrets::nothing(beside);
    }
    let (mut files, mut taken) = (Vec::new(), BTreeMap::new());
    let labelled = observed.labelled.iter().filter(|secret| is_file(settings, secret));
    let mut names: BTreeSet<&str> = labelled.filter_map(|secret| secret.name.as_deref()).collect();
    names.extend(answers.lasting.iter().flatten().chain(&answers.secrets).map(String::as_str));
    for name in names {
        let Some(secret) = observed.objects.get::<Secret>(name) else { continue };
        if is_file(settings, &secret.metadata) || is_unlabelled_file(settings, &secret) {
            files.push(secret);
        } else if answers.secrets.contains(name) {
            taken.insert(name.to_owned(), holder(settings, &secret.metadata));
        }
    }
    let fits = |live: &Secret| live.immutable != Some(true) && live.type_.as_deref() == Some(SECRET_TYPE);
    let wanted = Wanted { component: COMPONENT, fits: &fits, is_restored: settings.is_restored };
    let ring = owner.found(observed.objects.get::<Secret>(&name::keys(cache)), &wanted);
    let found = |name: &str| Some((name.to_owned(), Arc::clone(observed.provided.get(name)?)));
    let inputs = Inputs {
        provided: settings.named().filter_map(found).collect(),
        certificates: certificates(settings, observed),
        processes: observed.answers.processes.get(&users(cache)).cloned(),
        settled: Arc::clone(&observed.settled),
    };
    RingSecrets::new(files, ring, taken, beside).with(inputs)
}

/// What would have to be known better.
#[must_use]
pub fn asks(settings: &Settings, seen: &RingSecrets, state: &RingState, now: Timestamp) -> Vec<Ask> {
    let (cache, operations) = (settings.owner.name.as_str(), &seen.beside.operations);
    let mut asks = Vec::new();
    let of_revocation = revoke_key::looks_since(settings, operations, now);
    let of_rotation = rotate_key::looks_since(state.operation.as_ref(), now);
    let depends = state.ring.as_ref().is_some_and(|ring| ring.depends_on_processes);
    let since = of_revocation.max(of_rotation).or_else(|| depends.then_some(Timestamp::MIN));
    asks.extend(since.map(|since| Ask::Processes(users(cache), since)));
    let revoked = settings.revoke.as_ref().map(|wish| &wish.request);
    if operation::is_open(revoked, operations, OperationType::RevokeKey) {
        asks.push(Ask::Consumers(published(cache).into()));
    }
    // Before a key is made, or the ring is made again from its keys, whatever is there by its name counts, whichever labels it has
    // lost.
    if state.mint.is_some() || settings.rotation.is_some() && seen.ring == Found::Absent {
        asks.push(Ask::LastingSecrets);
    }
    let lacking: BTreeSet<String> = state.lacking(settings).collect();
    if !lacking.is_empty() {
        asks.push(Ask::Secrets(lacking));
    }
    // What keys need that nobody has may be there without its labels.
    let is_sealed = state.ring.as_ref().is_some_and(|ring| ring.sealed().next().is_some());
    if is_sealed && seen.inputs().certificates == Found::Absent {
        asks.push(Ask::Secret(name::key_certificates(cache)));
    }
    asks
}

/// The Secrets that outlive the cache and lack what says so: those that an earlier version of the operator made, and those
/// whose labels somebody took away. Also where no ring is wanted any more.
#[must_use]
pub fn unmarked(settings: &Settings, observed: &Observed<'_>, seen: &RingSecrets) -> Vec<(ObjectMeta, Lacking)> {
    let owner = &settings.owner;
    let mut unmarked = labelled_otherwise(owner, &observed.labelled);
    for secret in seen.lasting().map(|secret| &secret.metadata) {
        unmarked.retain(|(labelled, _)| labelled.name != secret.name);
        unmarked.extend(owner.lacking(COMPONENT, secret).map(|lacking| (secret.clone(), lacking)));
    }
    unmarked.retain(|(secret, _)| !observed.marked.is_in_vain(secret));
    unmarked
}

/// Those of the Secrets of an owner that outlive it, and lack what says so.
#[must_use]
pub fn labelled_otherwise(owner: &Owner, labelled: &[ObjectMeta]) -> Vec<(ObjectMeta, Lacking)> {
    let lasting = labelled.iter().filter(|secret| {
        secret.name.as_deref().is_some_and(|name| name::outlives_its_owner(&owner.name, name))
            && owner.is_labelled(COMPONENT, secret)
    });
    lasting.filter_map(|secret| Some((secret.clone(), owner.lacking(COMPONENT, secret)?))).collect()
}

/// What the pods that use the ring use.
fn users(cache: &str) -> Vec<Source> {
    [name::keys(cache), name::key_certificates(cache)].map(Source::Secret).into()
}

/// The Secret with the certificates.
fn certificates(settings: &Settings, observed: &Observed<'_>) -> Found<Arc<Secret>> {
    let owner = &settings.owner;
    let Some(secret) = observed.objects.get::<Secret>(&name::key_certificates(&owner.name)) else {
        return Found::Absent;
    };
    if owner.is_labelled(COMPONENT, &secret.metadata) || owner.may_have_lost_labels(&secret.metadata) {
        return Found::Owned(secret);
    }
    Found::Foreign(holder(settings, &secret.metadata))
}

/// Who has a Secret that lacks the labels which tell that it is of this cache, in words.
fn holder(settings: &Settings, metadata: &ObjectMeta) -> String {
    let holder = Some(settings.owner.holder(metadata)).filter(|holder| holder != ORPHANED);
    holder.unwrap_or_else(|| "nobody, since its labels were removed".to_owned())
}

/// Whether a Secret is of a key, or of a revocation, of this cache.
fn is_file(settings: &Settings, metadata: &ObjectMeta) -> bool {
    let owner = &settings.owner;
    let is_named = metadata.name.as_deref().is_some_and(|name| name::is_ring_file(&owner.name, name));
    is_named && owner.is_labelled(COMPONENT, metadata)
}

/// Whether a Secret that lacks the labels of a key's is one all the same: it has the name, holds the file of that name, and
/// nothing says that it is somebody else's.
fn is_unlabelled_file(settings: &Settings, secret: &Secret) -> bool {
    let owner = &settings.owner;
    let name = secret.metadata.name.as_deref().unwrap_or_default();
    let is_of_name = |file: &String| {
        let stem = file.strip_suffix(".xml").map(str::to_ascii_lowercase);
        stem.is_some_and(|stem| name::ring_file(&owner.name, &stem) == name)
    };
    name::is_ring_file(&owner.name, name)
        && owner.may_have_lost_labels(&secret.metadata)
        && secret.data.iter().flat_map(BTreeMap::keys).any(is_of_name)
}
