//! What is to be written so that a cache's key ring is as it should be.
//!
//! In: the settings, what was observed, how far the ring is. Out: a [`Plan`], in which nothing is that is done already. What
//! it never holds is the removal of a key.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;

use super::{
    KeyMint, objects, observed::Observed, published::CAPACITY, request::REQUESTED_ANNOTATION, schedule::Why,
    settings::Settings, standing::Standing,
};
use crate::kubernetes::{identity::Found, subset};

/// What is to be written, in this order.
#[derive(Clone, Default, PartialEq)]
pub struct Plan {
    /// A key whose bytes are drawn when its Secret is created.
    pub mint: Option<Mint>,
    /// Secrets of keys that are published, and whose own are gone: to be created, never overwritten.
    pub files: Vec<Secret>,
    /// The published ring.
    pub ring: Option<Publication>,
}

/// A key that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mint {
    /// The key.
    pub key: KeyMint,
    /// The request that it answers.
    pub requested: Option<Timestamp>,
}

/// The published ring, as it is to be written.
#[derive(Clone, PartialEq)]
pub struct Publication {
    /// The Secret, with the UID and the version of the live one, if there is one.
    pub secret: Secret,
    /// Files in the live one that do not stay.
    pub strays: Vec<String>,
}

// By hand: derived, it would print keys.
impl fmt::Debug for Plan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files: Vec<_> = self.files.iter().map(|secret| secret.metadata.name.as_deref()).collect();
        let strays = self.ring.as_ref().map(|ring| &ring.strays);
        formatter
            .debug_struct("Plan")
            .field("mint", &self.mint)
            .field("files", &files)
            .field("ring", &strays)
            .finish_non_exhaustive()
    }
}

impl Plan {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it begins a ring, which need not be before the rest of the spec is known to be good.
    #[must_use]
    pub fn begins(&self) -> bool {
        self.mint.as_ref().is_some_and(|mint| mint.key.why == Why::First)
    }
}

impl Mint {
    /// The key's Secret, from random bytes; `None` where they do not suffice.
    #[must_use]
    pub fn secret(&self, settings: &Settings, random: &[u8]) -> Option<Secret> {
        let mut secret = objects::file_secret(&settings.owner, &self.key.file(random).ok()?)?;
        secret.metadata.annotations =
            self.requested.map(|requested| BTreeMap::from([(REQUESTED_ANNOTATION.to_owned(), requested.to_string())]));
        Some(secret)
    }
}

impl Publication {
    /// With the files of a Secret that was made a moment ago.
    #[must_use]
    pub fn with(mut self, made: &Secret) -> Self {
        self.secret.data.get_or_insert_default().extend(made.data.clone().unwrap_or_default());
        self
    }
}

/// What is to be written.
#[must_use]
pub fn plan(settings: &Settings, observed: &Observed, standing: &Standing) -> Plan {
    let Some(ring) = standing.ring.as_ref().filter(|_| !settings.held) else { return Plan::default() };
    if !matches!(observed.ring, Found::Nothing | Found::Ours(_)) {
        return Plan::default();
    }
    let secrets = ring.published.orphans.iter().filter_map(|file| objects::file_secret(&settings.owner, file));
    // One that is there and holds something else is told, and not written again and again in vain.
    let is_wanting = |secret: &Secret| !secret.metadata.name.as_deref().is_some_and(|name| observed.has(name));
    Plan {
        mint: standing.mint.clone(),
        files: secrets.filter(is_wanting).collect(),
        ring: publication(settings, observed, standing),
    }
}

fn publication(settings: &Settings, observed: &Observed, standing: &Standing) -> Option<Publication> {
    let published = &standing.ring.as_ref()?.published;
    let grows = standing.mint.is_some();
    if published.fill().bytes > CAPACITY || (published.files().is_empty() && !grows) {
        return None;
    }
    let mut secret = objects::ring_secret(&settings.owner, published);
    let Some(live) = observed.ring.ours() else { return Some(Publication { secret, strays: Vec::new() }) };
    let there = live.data.iter().flat_map(BTreeMap::keys);
    let strays: Vec<String> = there.filter(|name| !published.files().contains_key(*name)).cloned().collect();
    if !grows && strays.is_empty() && subset::holds(live.as_ref(), &secret) {
        return None;
    }
    secret.metadata.uid.clone_from(&live.metadata.uid);
    // Over a later version, a ring that was put together without a key that is in it by now would take that key away.
    secret.metadata.resource_version.clone_from(&live.metadata.resource_version);
    Some(Publication { secret, strays })
}
