//! What reads stored entries: the ring, and the application names under which they may have been written.
//!
//! In: an entry's key, without the prefix of the cache, and its bytes. Out: what it is, and under which of the names it was
//! written. A plaintext lives only as long as it is looked at, and is wiped from memory then: nothing of what it says leaves
//! this room.

use std::fmt;

use super::{Entry, Undecryptable, token_cache::Form};
use crate::data_protection::{
    payload::{self, Purposes},
    ring::open::{KeyRing, UnprotectError},
};

/// What reads stored entries.
#[derive(Clone, PartialEq, Eq)]
pub struct Reader {
    ring: KeyRing,
    names: Vec<String>,
    /// Of the tokens of each of the names.
    purposes: Vec<Purposes>,
}

// By hand: it goes wherever a look at a server goes, and the ring is of no interest there.
impl fmt::Debug for Reader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Reader").field("names", &self.names).finish_non_exhaustive()
    }
}

/// What was read of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// What it is.
    pub entry: Entry,
    /// Under which of the names it was written, by its place among them; `None` where it is not encrypted, or none of them
    /// decrypts it.
    pub name: Option<usize>,
}

impl Reader {
    /// A reader that tries these names, one after the other.
    #[must_use]
    pub fn new(ring: KeyRing, names: Vec<String>) -> Self {
        let purposes = names.iter().map(|name| Purposes::token_cache(name)).collect();
        Self { ring, names, purposes }
    }

    /// The names that it tries.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Reads an entry.
    #[must_use]
    pub fn read(&self, key: &[u8], bytes: &[u8]) -> Read {
        let form = Form::of(key);
        let Some(id) = payload::key_id(bytes) else {
            return Read { entry: Entry::unencrypted(form, bytes), name: None };
        };
        for (index, purposes) in self.purposes.iter().enumerate() {
            if let Ok(mut plaintext) = self.ring.unprotect(purposes, bytes) {
                let entry = Entry::decrypted(id, &plaintext);
                // `Zeroizing` wipes what a vector holds byte by byte, and the room that it has left at once.
                plaintext.clear();
                return Read { entry, name: Some(index) };
            }
        }
        let why = match self.ring.opened(id) {
            Err(UnprotectError::KeyMissing(_)) => Undecryptable::KeyMissing,
            Err(UnprotectError::KeyRevoked(_)) if self.is_of_tokens(bytes) => {
                // What the key tells of it is told whatever the key of the entry.
                let entry = Entry::Undecryptable { key: id, why: Undecryptable::KeyRevoked };
                return Read { entry, name: None };
            }
            Err(UnprotectError::KeyRevoked(_)) => Undecryptable::KeyRevoked,
            Err(UnprotectError::KeyClosed(_, closed)) => Undecryptable::KeyClosed(closed),
            Ok(_) | Err(UnprotectError::NotProtected | UnprotectError::Rejected(_)) => Undecryptable::OtherApplication,
        };
        Read { entry: Entry::sealed(form, id, why), name: None }
    }

    /// Whether a payload of a revoked key was made for tokens under one of the names.
    fn is_of_tokens(&self, payload: &[u8]) -> bool {
        self.purposes.iter().any(|purposes| self.ring.is_of_revoked(purposes, payload))
    }
}
