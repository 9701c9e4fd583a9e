//! How far a cache's key ring is: what is to be made of what was seen.
//!
//! In: the settings, what was observed, the time. Out: [`RingState`]. Nothing is drawn and nothing is written here.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;

use super::{
    import::provided::Provided,
    objects,
    operations::{
        may_make,
        revoke_key::{self, Revoke},
        room,
        rotate_key::{self, RotateKey},
    },
    ring::{
        PlannedKey, Protection, Ring, Seen,
        certificates::{self, Copies},
        open::KeyRing,
        published::{Refusal, Refused},
    },
    secrets::{REPLACES_ANNOTATION, REQUESTED_ANNOTATION, Replaced, RingSecrets, WHY_ANNOTATION},
    settings::Settings,
};
use crate::{
    api::v1alpha1::OperationStatus,
    capability::time::next_look,
    kubernetes::{identity::Found, name},
};

/// How far a cache's key ring is.
#[derive(Debug, Clone)]
pub struct RingState {
    /// The ring; `None` where the operator makes none.
    pub ring: Option<Ring>,
    /// A key that is to be made.
    pub mint: Option<NewKey>,
    /// What became of the request for another key.
    pub operation: Option<OperationStatus>,
    /// When that is to be looked at again.
    pub wake_at: Option<Timestamp>,
    /// What becomes of the request to revoke one.
    pub revoke: Revoke,
    /// What the user provides for it.
    pub provided: Provided,
}

impl RingState {
    /// Reads what was seen. What `earlier` has opened is not opened again.
    #[must_use]
    pub fn read(settings: &Settings, observed: &RingSecrets, earlier: &KeyRing, now: Timestamp) -> Self {
        let mut provided = Provided::read(settings, observed);
        let inputs = observed.inputs();
        let copies = inputs.certificates.owned().map(|secret| Copies::read(secret)).unwrap_or_default();
        let mut sources = observed.sources();
        let certificate = provided.certificate.as_ref().and_then(|pair| Some(pair.as_ref().ok()?.certificate()));
        if let Some(import) = &mut provided.import {
            import.add_up(&sources, &observed.live(), certificate);
        }
        let place = settings.import.as_deref().unwrap_or_default();
        sources.extend(provided.pending().iter().map(|file| (place, file.content.as_slice())));
        let seen = Seen {
            sources,
            live: observed.live(),
            // What cannot be published cannot be used.
            protection: match &inputs.certificates {
                Found::Foreign(_) | Found::Restored(_) | Found::Leftover if settings.certificate.is_some() => {
                    Protection::Unavailable
                }
                Found::Owned(_) if observed.certificates_are_immutable() => match provided.protection() {
                    Protection::Certificate(pair) if !copies.hold(pair.thumbprint()) => Protection::Unavailable,
                    protection => protection,
                },
                _ => provided.protection(),
            },
            previous: &provided.previous,
            copies: &copies,
            oldest_process: inputs.processes.as_ref().and_then(|processes| processes.oldest_start(now)),
            awaited: provided.awaited(),
            made: observed.made(now),
        };
        let ring = settings.rotation.map(|rotation| Ring::read(&seen, rotation, now, earlier));
        let RotateKey { operation, asked, wake_at } = rotate_key::answer(settings, observed, ring.as_ref(), now);
        let revoke = revoke_key::read(settings, observed, ring.as_ref(), now);
        // What a ring is to be taken over for, or what somebody has put into the published one, may revoke all keys that there are
        // by then, and the next pass knows.
        let is_by_date = |stray: &Refused| stray.why == Refusal::ByDate;
        let may_make = |ring: &&Ring| {
            provided.pending().is_empty() && !ring.published.strays.iter().any(is_by_date) && may_make(observed, ring)
        };
        let mint = ring.as_ref().filter(may_make).and_then(|ring| match (asked, &revoke.order) {
            (Some(requested), order) => {
                let replaces = order.as_ref().and_then(|order| order.replaces.clone());
                ring.at_once(now).map(|key| NewKey { key, requested: Some(requested), replaces })
            }
            // What takes its place is there no later than the revocation.
            (None, Some(order)) if order.needs_key => {
                ring.at_once(now).map(|key| NewKey { key, requested: None, replaces: order.replaces.clone() })
            }
            (None, _) => {
                let key = ring.mint.clone().filter(|mint| room(ring).has_for(mint.why));
                key.map(|key| NewKey { key, requested: None, replaces: None })
            }
        });
        Self { ring, mint, operation, wake_at, revoke, provided }
    }

    /// When something changes by itself, or is to be looked at again: nobody tells of a pod that was restarted.
    #[must_use]
    pub fn next_wake(&self, now: Timestamp) -> Option<Timestamp> {
        let ring = self.ring.as_ref();
        let again = self.awaited().map(|published| next_look(certificates::readable_from(published), now));
        [ring.and_then(|ring| ring.wake_at), self.wake_at, self.revoke.wake_at, again].into_iter().flatten().min()
    }

    /// Since when a renewed certificate is published that waits for processes; `None` where none does.
    fn awaited(&self) -> Option<Timestamp> {
        let (ring, Some(Ok(current))) = (self.ring.as_ref()?, &self.provided.certificate) else { return None };
        let renewed = current.certificate().thumbprint();
        let is_used = ring.encrypts_to().is_some_and(|used| used.thumbprint() == renewed);
        ring.certificates_since.get(&renewed).copied().filter(|_| ring.depends_on_processes && !is_used)
    }

    /// Why keys may be missing in the ring that applications have, in words; `None` where it is there as a whole. What such a
    /// key encrypted is not lost yet.
    #[must_use]
    pub fn gap(&self, settings: &Settings, observed: &RingSecrets) -> Option<String> {
        let ring = self.ring.as_ref().filter(|ring| !ring.ring.members().is_empty());
        let Some(ring) = ring else { return Some("there is no key yet".to_owned()) };
        if !matches!(observed.ring, Found::Owned(_)) {
            return Some(format!("Secret {} is not the one that holds the keys", name::keys(&settings.owner.name)));
        }
        if let Some(refused) = ring.published.refused.first() {
            return Some(format!("Secret {} cannot be read, which may hold a key", refused.file));
        }
        let import = self.provided.import.as_ref().filter(|import| import.is_incomplete())?;
        Some(format!("Secret {}, which spec.dataProtection.import names, is not taken over as a whole", import.secret))
    }

    /// The Secrets that keys lack: those of published ones that are gone, and those of a ring that is taken over.
    pub fn lacking<'ring>(&'ring self, settings: &'ring Settings) -> impl Iterator<Item = String> {
        let orphans = self.ring.iter().flat_map(|ring| &ring.published.orphans).chain(self.provided.pending());
        orphans.filter_map(|file| objects::file_secret(&settings.owner, file)?.metadata.name)
    }
}

/// A key that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// The key.
    pub key: PlannedKey,
    /// The request that it answers.
    pub requested: Option<Timestamp>,
    /// The keys in whose place it comes, where a request revokes all of them.
    pub replaces: Option<Replaced>,
}

impl NewKey {
    /// The key's Secret, from random bytes; `None` where they do not suffice.
    #[must_use]
    pub fn secret(&self, settings: &Settings, random: &[u8]) -> Option<Secret> {
        let mut secret = objects::file_secret(&settings.owner, &self.key.file(random).ok()?)?;
        let requested = self.requested.map(|requested| (REQUESTED_ANNOTATION.to_owned(), requested.to_string()));
        let replaces = self.replaces.as_ref().map(|replaced| (REPLACES_ANNOTATION.to_owned(), replaced.to_string()));
        let why = (WHY_ANNOTATION.to_owned(), self.key.why.to_string());
        let marks = requested.into_iter().chain(replaces).chain([why]);
        secret.metadata.annotations.get_or_insert_default().extend(marks);
        Some(secret)
    }
}
