//! How much room a ring has: no key is ever removed, and a Secret holds no more than a megabyte.
//!
//! In: how full the published Secret is, and what keys are encrypted to. Out: whether there is room for what is to come. There
//! is always kept what an emergency takes: a key that encrypts at once, and the revocation of the one before. What a ring may
//! have is added up before the first Secret of a key is written, since those are never changed.

use super::{
    published::{CAPACITY, Fill},
    schedule::Why,
};
use crate::data_protection::certificate::Certificate;

/// The least that is reckoned with for the file of a key, in bytes: of a plain one it is four times as much as it takes, so
/// that a certificate may be set later.
const LEAST_FOR_A_KEY: usize = 8 << 10;
/// What a key that is encrypted takes beside its certificate, in bytes, with one of 16,384 bits.
const BESIDE_A_CERTIFICATE: usize = 6 << 10;
/// What is reckoned with for the file of a revocation, in bytes.
const FOR_A_REVOCATION: usize = 1 << 10;

/// How much room a ring has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// How full it is.
    fill: Fill,
    /// What a key takes, in bytes.
    key: usize,
}

/// What there is no room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overflow {
    /// What the published Secret would hold with it.
    pub with: Fill,
    /// What it holds without.
    pub without: Fill,
    /// What is kept for an emergency, in bytes.
    pub kept: usize,
}

impl Room {
    /// Of a ring that is so full, and whose next key is encrypted to this certificate.
    #[must_use]
    pub fn new(fill: Fill, certificate: Option<&Certificate>) -> Self {
        let sealed = certificate.map(|certificate| certificate.der().len().div_ceil(3) * 4 + BESIDE_A_CERTIFICATE);
        Self { fill, key: sealed.unwrap_or_default().max(LEAST_FOR_A_KEY) }
    }

    /// What is kept for an emergency, in bytes.
    #[must_use]
    pub fn kept(self) -> usize {
        self.key + FOR_A_REVOCATION
    }

    /// Whether an emergency can be met.
    #[must_use]
    pub fn has_for_emergency(self) -> bool {
        self.has(self.kept())
    }

    /// Whether a key can be made that changes in turn, and an emergency can be met after it.
    #[must_use]
    pub fn has_for_rotation(self) -> bool {
        self.has(self.key + self.kept())
    }

    /// Whether a key can be made for this. One without which no key would be left to encrypt takes the room that is kept:
    /// it is the emergency.
    #[must_use]
    pub fn has_for(self, why: Why) -> bool {
        match why {
            Why::RotationDue => self.has_for_rotation(),
            Why::First
            | Why::NothingUsable
            | Why::NothingActivated
            | Why::UnusableAhead
            | Why::ExpiresSoon
            | Why::Requested => self.has_for_emergency(),
        }
    }

    /// Why a ring that would be so full has no room.
    #[must_use]
    pub fn overflow(self, with: Fill) -> Option<Overflow> {
        let is_over = !Self { fill: with, ..self }.has_for_emergency();
        is_over.then(|| Overflow { with, without: self.fill, kept: self.kept() })
    }

    /// What is reckoned with for the file of a key, in bytes.
    #[must_use]
    pub fn key(self) -> usize {
        self.key
    }

    /// Whether it holds so many bytes more, and nothing of what is kept for an emergency is spared.
    #[must_use]
    pub fn has(self, more: usize) -> bool {
        !self.fill.and(Fill { bytes: more, beside: 0 }).is_over() && self.fill.bytes + more <= CAPACITY
    }
}
