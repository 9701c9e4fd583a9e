//! The ring as an application holds it in memory: keys that were opened, and why others were not.
//!
//! In: keys, revocations, and the certificates at hand. Out: payloads, protected and read. Master keys are opened once, and
//! wiped from memory when the ring is dropped.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::{
    certificate::Pair,
    key::{Closed, Key},
    key_id::KeyId,
    payload::{self, Protector, Purposes},
    revocation::Revocation,
};

/// Keys that payloads are read with.
#[derive(Debug, Clone, Default)]
pub struct KeyRing(BTreeMap<KeyId, Held>);

#[derive(Debug, Clone)]
enum Held {
    Open(Protector),
    Revoked,
    Closed(Closed),
}

/// Why a payload cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnprotectError {
    /// It is none.
    #[error("it is no protected payload")]
    NotProtected,
    /// Its key is in no file of the ring.
    #[error("its key {0} is not in the ring")]
    KeyMissing(KeyId),
    /// Its key was revoked.
    #[error("its key {0} is revoked")]
    KeyRevoked(KeyId),
    /// Its key is there, and its master key cannot be read.
    #[error("its key {0} cannot be used: {1}")]
    KeyClosed(KeyId, Closed),
    /// Its key is there, and reads nothing under this application name and these purposes.
    #[error("its key {0} does not read it: it is for another application name, or was changed")]
    Rejected(KeyId),
}

impl KeyRing {
    /// Opens every key that can be opened.
    #[must_use]
    pub fn open(keys: &[Key], revocations: &[Revocation], pairs: &[Pair]) -> Self {
        let held = |key: &Key| {
            if revocations.iter().any(|revocation| revocation.is_about(key.id, key.created)) {
                return Held::Revoked;
            }
            match key.open(pairs) {
                Ok((algorithm, master)) => Held::Open(Protector { id: key.id, algorithm, master }),
                Err(closed) => Held::Closed(closed),
            }
        };
        Self(keys.iter().map(|key| (key.id, held(key))).collect())
    }

    /// What protects with a key; `None` where there is no such key, or it cannot be used.
    #[must_use]
    pub fn protector(&self, id: KeyId) -> Option<&Protector> {
        match self.0.get(&id)? {
            Held::Open(protector) => Some(protector),
            Held::Revoked | Held::Closed(_) => None,
        }
    }

    /// The keys that cannot be opened, and why. Revoked ones are not among them.
    pub fn closed(&self) -> impl Iterator<Item = (KeyId, &Closed)> {
        self.0.iter().filter_map(|(&id, held)| match held {
            Held::Closed(closed) => Some((id, closed)),
            Held::Open(_) | Held::Revoked => None,
        })
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn unprotect(&self, purposes: &Purposes, payload: &[u8]) -> Result<Zeroizing<Vec<u8>>, UnprotectError> {
        let id = payload::key_id(payload).ok_or(UnprotectError::NotProtected)?;
        match self.0.get(&id) {
            None => Err(UnprotectError::KeyMissing(id)),
            Some(Held::Revoked) => Err(UnprotectError::KeyRevoked(id)),
            Some(Held::Closed(closed)) => Err(UnprotectError::KeyClosed(id, closed.clone())),
            Some(Held::Open(protector)) => {
                protector.unprotect(purposes, payload).map_err(|_| UnprotectError::Rejected(id))
            }
        }
    }
}
