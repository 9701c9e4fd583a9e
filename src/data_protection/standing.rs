//! How far a cache's key ring is: what is to be made of what was seen.
//!
//! In: the settings, what was observed, the time. Out: [`Standing`]. Nothing is drawn and nothing is written here.

use jiff::Timestamp;

use super::{
    DataProtection, Protection, Seen, certificates,
    key_ring::KeyRing,
    objects,
    observed::Observed,
    plan::Mint,
    provided::Provided,
    revoke::{self, Revoke},
    room::Room,
    settings::Settings,
};
use crate::{api::v1alpha1::OperationStatus, kubernetes::identity::Found};

/// How far a cache's key ring is.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The ring; `None` where the operator makes none.
    pub ring: Option<DataProtection>,
    /// A key that is to be made.
    pub mint: Option<Mint>,
    /// What became of the request for another key.
    pub operation: Option<OperationStatus>,
    /// What becomes of the request to revoke one.
    pub revoke: Revoke,
    /// What the user provides for it.
    pub provided: Provided,
}

impl Standing {
    /// Reads what was seen. What `earlier` has opened is not opened again.
    #[must_use]
    pub fn read(settings: &Settings, observed: &Observed, earlier: &KeyRing, now: Timestamp) -> Self {
        let mut provided = Provided::read(settings, observed);
        let inputs = observed.inputs();
        let copies = inputs.certificates.ours().map(|secret| certificates::published(secret, now)).unwrap_or_default();
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
            protection: match inputs.certificates {
                Found::Foreign(_) | Found::Earlier if settings.certificate.is_some() => Protection::Unavailable,
                _ => provided.protection(),
            },
            previous: &provided.previous,
            copies: &copies,
            oldest_process: inputs.oldest_process,
            awaited: provided.awaited(),
            made: observed.made(now),
        };
        let ring = settings.rotation.map(|rotation| DataProtection::read(&seen, rotation, now, earlier));
        let (operation, asked) = super::request::answer(settings, observed, ring.as_ref(), now);
        let revoke = revoke::read(settings, observed, ring.as_ref(), now);
        // What a ring is to be taken over for may revoke all keys that there are by then, and the next pass knows.
        let may_make = |ring: &&DataProtection| provided.pending().is_empty() && may_make(observed, ring);
        let mint = ring.as_ref().filter(may_make).and_then(|ring| match (asked, &revoke.order) {
            (Some(requested), _) => ring.at_once(now).map(|key| Mint { key, requested: Some(requested) }),
            // What takes its place is there no later than the revocation.
            (None, Some(order)) if ring.encrypts_with(order.key, now) => {
                ring.at_once(now).map(|key| Mint { key, requested: None })
            }
            (None, _) => {
                let key = ring.mint.clone().filter(|mint| room(ring).has_for(mint.why));
                key.map(|key| Mint { key, requested: None })
            }
        });
        Self { ring, mint, operation, revoke, provided }
    }

    /// The Secrets that keys lack: those of published ones that are gone, and those of a ring that is taken over.
    pub fn lacking<'ring>(&'ring self, settings: &'ring Settings) -> impl Iterator<Item = String> {
        let orphans = self.ring.iter().flat_map(|ring| &ring.published.orphans).chain(self.provided.pending());
        orphans.filter_map(|file| objects::file_secret(&settings.owner, file)?.metadata.name)
    }
}

/// Whether a key can be made in an emergency: there is a place to publish it, room, and what it is to be encrypted to.
#[must_use]
pub fn may_make(observed: &Observed, ring: &DataProtection) -> bool {
    matches!(observed.ring, Found::Nothing | Found::Ours(_)) && room(ring).has_for_emergency() && ring.can_mint()
}

/// How much room the ring has.
#[must_use]
pub fn room(ring: &DataProtection) -> Room {
    Room::new(ring.published.fill(), ring.encrypts_to())
}
