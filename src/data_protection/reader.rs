//! What reads stored entries: the ring, and the application names under which they may have been written.
//!
//! In: the bytes of an entry. Out: what it is, and under which of the names it was written. Nothing of what it says leaves
//! this room.

use std::fmt;

use super::{
    entry::{Entry, Undecryptable},
    key_ring::KeyRing,
};

/// What reads stored entries.
#[derive(Clone, PartialEq, Eq)]
pub struct Reader {
    ring: KeyRing,
    names: Vec<String>,
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
        Self { ring, names }
    }

    /// The names that it tries.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Reads an entry.
    #[must_use]
    pub fn read(&self, bytes: &[u8]) -> Read {
        let mut last = None;
        for (index, name) in self.names.iter().enumerate() {
            let entry = Entry::of(bytes, &self.ring, name);
            let is_of_another = matches!(entry, Entry::Undecryptable { why: Undecryptable::OtherApplication, .. });
            let is_opened = matches!(entry, Entry::Readable(_) | Entry::Undeserializable { key: Some(_) });
            last = Some(Read { entry, name: is_opened.then_some(index) });
            if !is_of_another {
                break;
            }
        }
        last.unwrap_or_else(|| Read { entry: Entry::of(bytes, &self.ring, ""), name: None })
    }
}
