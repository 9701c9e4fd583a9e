//! The ring as an application holds it in memory: keys that were opened, and why others were not.
//!
//! In: keys, revocations, and the certificates at hand. Out: payloads, protected and read. A master key is opened once, which
//! with a certificate takes milliseconds, and is wiped from memory when the ring is dropped.

use std::{collections::BTreeMap, sync::Arc};

use zeroize::Zeroizing;

use super::default_key::{DatedKey, DatedKeys};
use crate::data_protection::{
    certificate::Pair,
    key::{Closed, Key, encrypted_xml::EncryptedSecret, id::KeyId, revocation::Revocation},
    payload::{self, Protector, Purposes},
};

/// Keys that payloads are read with. Its clones share them: each is in memory once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyRing(Arc<BTreeMap<KeyId, Box<Entry>>>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    key: Key,
    held: Held,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Held {
    Open(Protector),
    /// With what tells its payloads from others, where it could be opened.
    Revoked(Option<Protector>),
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
    /// Opens every key that can be opened. What `earlier` has opened is taken from it.
    #[must_use]
    pub fn open(keys: &[Key], revocations: &[Revocation], pairs: &[Pair], earlier: &Self) -> Self {
        // Without it the key counts as closed, or a restart would change what is told.
        let has_certificate = |key: &Key| {
            let needed = key.encrypted().map(EncryptedSecret::thumbprint);
            needed.is_none_or(|needed| pairs.iter().any(|pair| pair.thumbprint() == needed))
        };
        let opened = |key: &Key| {
            let known = earlier.0.get(&key.id).filter(|known| known.key == *key && has_certificate(key));
            if let Some(Held::Open(protector) | Held::Revoked(Some(protector))) = known.map(|known| &known.held) {
                return Ok(protector.clone());
            }
            key.open(pairs).map(|(algorithm, master)| Protector::new(key.id, algorithm, master))
        };
        let held = |key: &Key| {
            let opened = opened(key);
            if revocations.iter().any(|revocation| revocation.is_about(key.id, key.created.timestamp())) {
                return Held::Revoked(opened.ok());
            }
            opened.map_or_else(Held::Closed, Held::Open)
        };
        let entry = |key: &Key| (key.id, Box::new(Entry { key: key.clone(), held: held(key) }));
        let ring = Self(Arc::new(keys.iter().map(entry).collect()));
        if ring == *earlier { earlier.clone() } else { ring }
    }

    /// The ring as its dates tell it.
    #[must_use]
    pub fn dates(&self) -> DatedKeys {
        let member = |entry: &Entry| {
            let Entry { key, held } = entry;
            DatedKey {
                id: key.id,
                created: key.created.timestamp(),
                activates: key.activates.timestamp(),
                expires: key.expires.timestamp(),
                is_revoked: matches!(held, Held::Revoked(_)),
                is_readable: !matches!(held, Held::Closed(_)),
            }
        };
        self.0.values().map(AsRef::as_ref).map(member).collect()
    }

    /// What protects with a key; `None` where there is no such key, or it cannot be used.
    #[must_use]
    pub fn protector(&self, id: KeyId) -> Option<&Protector> {
        self.opened(id).ok()
    }

    /// The keys that cannot be opened, and why. Revoked ones are not among them.
    pub fn closed(&self) -> impl Iterator<Item = (KeyId, &Closed)> {
        self.0.iter().filter_map(|(&id, entry)| match &entry.held {
            Held::Closed(closed) => Some((id, closed)),
            Held::Open(_) | Held::Revoked(_) => None,
        })
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn unprotect(&self, purposes: &Purposes, payload: &[u8]) -> Result<Zeroizing<Vec<u8>>, UnprotectError> {
        let id = payload::key_id(payload).ok_or(UnprotectError::NotProtected)?;
        self.opened(id)?.unprotect(purposes, payload).map_err(|_| UnprotectError::Rejected(id))
    }

    /// A key that can be used.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn opened(&self, id: KeyId) -> Result<&Protector, UnprotectError> {
        match self.0.get(&id).map(|entry| &entry.held) {
            None => Err(UnprotectError::KeyMissing(id)),
            Some(Held::Revoked(_)) => Err(UnprotectError::KeyRevoked(id)),
            Some(Held::Closed(closed)) => Err(UnprotectError::KeyClosed(id, closed.clone())),
            Some(Held::Open(protector)) => Ok(protector),
        }
    }

    /// Whether a payload was made for these purposes with a key that was revoked since. Nothing of it is told.
    #[must_use]
    pub fn is_of_revoked(&self, purposes: &Purposes, payload: &[u8]) -> bool {
        let held = payload::key_id(payload).and_then(|id| self.0.get(&id)).map(|entry| &entry.held);
        matches!(held, Some(Held::Revoked(Some(protector))) if protector.unprotect(purposes, payload).is_ok())
    }
}
