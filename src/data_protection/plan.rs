//! What is to be written so that a cache's key ring is as it should be.
//!
//! In: the settings, what was observed, how far the ring is. Out: a [`RingWrites`], in which nothing is that is done already. What
//! it never holds is the removal of a key.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::{api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};

use super::{
    key::write::File,
    objects,
    operations::revoke_key::Revocations,
    ring::{Ring, certificates, schedule::Why},
    secrets::{IMPORTED_ANNOTATION, REVOKED_ANNOTATION, RingSecrets},
    settings::Settings,
    state::{NewKey, RingState},
};
use crate::kubernetes::{
    identity::{
        Found,
        labels::{Lacking, is_own},
    },
    name,
    object::{Kind, Reference},
    write::{Draft, Write, subset},
};

/// What is to be written, in this order: certificates before the keys that need them, and the Secret of a key before the key is
/// published, so that none is ever in one place only that somebody may write to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RingWrites {
    /// Whether a ring begins with it, which need not be before the rest of the spec is known to be good.
    pub begins: bool,
    /// The writes.
    pub writes: Vec<Write>,
}

impl RingWrites {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }
}

/// A key that is to be made for these settings.
#[derive(Debug)]
struct NewKeyDraft {
    settings: Settings,
    mint: NewKey,
}

impl Draft for NewKeyDraft {
    fn name(&self) -> String {
        name::ring_file(&self.settings.owner.name, "key-*")
    }

    fn secret(&self, random: &[u8]) -> Option<Secret> {
        self.mint.secret(&self.settings, random)
    }
}

/// What is to be written. `unmarked` are the Secrets of keys and of certificates, as they were seen, that are not labelled as what
/// outlives its owner is.
#[must_use]
pub fn plan(
    settings: &Settings,
    observed: &RingSecrets,
    state: &RingState,
    unmarked: Vec<(ObjectMeta, Lacking)>,
) -> RingWrites {
    let is_named = |metadata: &ObjectMeta, name: &str| metadata.name.as_deref() == Some(name);
    let label = |(metadata, lacking): (ObjectMeta, Lacking)| Write::Label(secret(metadata), lacking);
    let (writes, begins) = of_ring(settings, observed, state);
    if settings.held {
        return RingWrites { begins, writes };
    }
    // Of two writes at the version that was seen the second one is refused.
    let is_written = |metadata: &ObjectMeta| writes.iter().any(|write| is_named(metadata, &write.name()));
    let labels = unmarked.into_iter().filter(|(metadata, _)| !is_written(metadata)).map(label);
    RingWrites { begins, writes: labels.chain(writes.clone()).collect() }
}

/// What is to be written of the ring, and whether that begins it.
fn of_ring(settings: &Settings, observed: &RingSecrets, state: &RingState) -> (Vec<Write>, bool) {
    let Some(ring) = state.ring.as_ref().filter(|_| !settings.held) else { return Default::default() };
    if !matches!(observed.ring, Found::Absent | Found::Owned(_)) {
        return Default::default();
    }
    if let Some(unowned) = observed.ring.owned().filter(|live| is_unowned(live)) {
        let adoption = Write::Adopt(secret(unowned.metadata.clone()), settings.owner.reference());
        return (vec![adoption], false);
    }
    let owned: Vec<Write> = observed.owned().map(|owned| Write::Disown(secret(owned.metadata.clone()))).collect();
    let is_disowned = |write: &Write| owned.iter().any(|owned| owned.name() == write.name());
    let certificates = publish_certificates(settings, observed, ring).filter(|write| !is_disowned(write));
    let mut writes: Vec<Write> = owned.iter().cloned().chain(certificates).collect();
    if let Some(mint) = &state.mint {
        // Without the key that takes its place, none may be revoked; and none is published before it is there.
        writes.push(Write::Mint(Arc::new(NewKeyDraft { settings: settings.clone(), mint: mint.clone() })));
        return (writes, mint.key.why == Why::First);
    }
    // Of a ring that cannot be published nothing is made that could never be taken back.
    let orphans = ring.published.orphans.iter().filter(|_| !ring.published.fill().is_over());
    let orphans = orphans.filter_map(|file| objects::file_secret(&settings.owner, file));
    let pending = state.provided.pending().iter().filter_map(|file| imported(settings, file));
    // One that is there and holds something else is told, and not written again and again in vain.
    let is_wanting = |secret: &Secret| !secret.metadata.name.as_deref().is_some_and(|name| observed.has(name));
    let files = orphans.chain(pending).chain(revocations(settings, state)).filter(is_wanting);
    let files: Vec<Write> = files.map(|file| Write::Create(file.into())).collect();
    let publication = publication(settings, observed, state);
    let begins = matches!(publication, Some(Write::Create(_))) && !files.is_empty();
    writes.extend(files.into_iter().chain(publication));
    (writes, begins)
}

fn secret(metadata: ObjectMeta) -> Reference {
    Reference { kind: Kind::Secret, metadata }
}

/// Whether a Secret that is to be owned is not, as after a restore from a backup.
fn is_unowned(secret: &Secret) -> bool {
    secret.metadata.owner_references.as_ref().is_none_or(Vec::is_empty)
}

/// The revocations that are asked for, unless a key is to take the place of those first: never is there a ring without one that
/// encrypts.
fn order(state: &RingState) -> Option<&Revocations> {
    state.revoke.order.as_ref().filter(|order| !order.needs_key)
}

/// The Secrets of revocations that are asked for, one for each key.
fn revocations<'plan>(settings: &'plan Settings, state: &'plan RingState) -> impl Iterator<Item = Secret> + 'plan {
    let each =
        order(state).into_iter().flat_map(|order| order.revocations.iter().map(move |revocation| (order, revocation)));
    each.filter_map(|(order, revocation)| {
        let mut secret = objects::file_secret(&settings.owner, &revocation.file())?;
        let requested = (REVOKED_ANNOTATION.to_owned(), order.requested.to_string());
        secret.metadata.annotations.get_or_insert_default().extend([requested]);
        Some(secret)
    })
}

/// The Secret of a key that is taken over.
fn imported(settings: &Settings, file: &File) -> Option<Secret> {
    let mut secret = objects::file_secret(&settings.owner, file)?;
    let from = settings.import.clone().map(|from| (IMPORTED_ANNOTATION.to_owned(), from));
    secret.metadata.annotations.get_or_insert_default().extend(from);
    Some(secret)
}

fn publish_certificates(settings: &Settings, observed: &RingSecrets, ring: &Ring) -> Option<Write> {
    // What was published once stays for those who mount it.
    if ring.certificates.pairs.is_empty() {
        return None;
    }
    let mut secret = objects::certificates_secret(&settings.owner, &ring.certificates, &ring.certificates_since);
    match &observed.inputs().certificates {
        Found::Absent => Some(Write::Create(secret.into())),
        Found::Leftover | Found::Restored(_) | Found::Foreign(_) => None,
        Found::Owned(_) if observed.certificates_are_immutable() => None,
        Found::Owned(live) => {
            if !ring.has_every_certificate() {
                keep(&mut secret, live);
            }
            leave_annotations(live, &mut secret);
            let strays = strays(live, |name| secret.data.as_ref().is_some_and(|data| data.contains_key(name)));
            let is_as_wanted = || subset::holds(live.as_ref(), &secret);
            if strays.is_empty() && observed.inputs().settled.holds(&live.metadata, &secret, is_as_wanted) {
                return None;
            }
            secret.metadata.uid.clone_from(&live.metadata.uid);
            // What another pass has put there meanwhile, of which nobody else has a copy, must not go.
            secret.metadata.resource_version.clone_from(&live.metadata.resource_version);
            Some(Write::Amend { secret, without: strays })
        }
    }
}

/// With all that the live one has beside, as it is, and with what it says of certificates that are garbled now.
fn keep(secret: &mut Secret, live: &Secret) {
    for (name, bytes) in live.data.iter().flatten() {
        secret.data.get_or_insert_default().entry(name.clone()).or_insert_with(|| bytes.clone());
    }
    for (name, value) in live.metadata.annotations.iter().flatten().filter(|(name, _)| certificates::is_published(name))
    {
        secret.metadata.annotations.get_or_insert_default().entry(name.clone()).or_insert_with(|| value.clone());
    }
}

/// Leaves annotations that others use too as they are: to whoever has given them another value, and to what labels it where
/// they are lacking.
fn leave_annotations(live: &Secret, wanted: &mut Secret) {
    let live = live.metadata.annotations.as_ref();
    wanted.metadata.annotations.get_or_insert_default().retain(|key, value| {
        let there = live.and_then(|live| live.get(key));
        if let Some(there) = there.filter(|_| !is_own(key)) {
            value.clone_from(there);
        }
        is_own(key) || there.is_some()
    });
}

fn strays(live: &Secret, is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
    live.data.iter().flat_map(BTreeMap::keys).filter(|name| !is_wanted(name)).cloned().collect()
}

fn publication(settings: &Settings, observed: &RingSecrets, state: &RingState) -> Option<Write> {
    let published = &state.ring.as_ref()?.published;
    let grows = order(state).is_some();
    if published.fill().is_over() || (published.files().is_empty() && !grows) {
        return None;
    }
    let mut secret = objects::ring_secret(&settings.owner, published);
    let revocations = revocations(settings, state).filter_map(|revocation| revocation.data).flatten();
    secret.data.get_or_insert_default().extend(revocations);
    let Some(live) = observed.ring.owned() else { return Some(Write::Create(secret.into())) };
    let strays = strays(live, |name| published.files().contains_key(name));
    let is_as_wanted = || subset::holds(live.as_ref(), &secret);
    if !grows && strays.is_empty() && observed.inputs().settled.holds(&live.metadata, &secret, is_as_wanted) {
        return None;
    }
    secret.metadata.uid.clone_from(&live.metadata.uid);
    // Over a later version, a ring that was put together without a key that is in it by now would take that key away.
    secret.metadata.resource_version.clone_from(&live.metadata.resource_version);
    Some(if strays.is_empty() { Write::Apply(secret.into()) } else { Write::Amend { secret, without: strays } })
}
