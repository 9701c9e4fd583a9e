//! What the entries hold: which of them applications can read, and why they cannot read the others.
//!
//! In: the bytes of a payload, and what reads them. Out: what it is; what all of them are, in words that do not move with
//! every entry, and exact counts beside it. No payload is kept.

use std::collections::{BTreeMap, BTreeSet};

use super::census::Share;
use crate::{
    capability::token_cache::TokenCacheRef,
    data_protection::{
        key::id::KeyId,
        ring::{in_use::InUse, open::KeyRing},
    },
    entries::entry::{
        class::Class,
        reader::{Read, Reader},
    },
};

/// So many keys that are in no ring are told from each other.
const UNKNOWN_KEYS: usize = 16;

/// What a payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payload {
    /// Its class.
    pub class: Class,
    /// The key that it was made with; `None` where it is not encrypted.
    pub key: Option<KeyId>,
    /// Under which name it was written, by its place among those of the reader.
    pub name: Option<usize>,
}

/// What the entries hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Payloads {
    /// Whether every entry has had its turn, or as many as it takes to tell.
    pub is_complete: bool,
    /// What there is.
    pub classes: BTreeMap<Class, Portion>,
    /// The names under which they were encrypted.
    pub names: BTreeSet<String>,
    /// Whether there are entries that are too big to be looked into.
    pub has_passed_over: bool,
}

/// The entries of one class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Portion {
    /// How many of all: never [`Share::All`], since of many entries only some are looked into.
    pub share: Share,
    /// The keys that they were made with.
    pub keys: BTreeSet<KeyId>,
}

/// What was counted, to the last one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Entries, by the last complete way through the key space.
    pub entries: u64,
    /// Whether payloads are looked into at all.
    pub is_inspected: bool,
    /// Payloads that were looked into, by class and key.
    pub payloads: BTreeMap<(Class, Option<KeyId>), u64>,
    /// Entries whose payload is too big for that.
    pub passed_over: u64,
    /// The names under which they were written, by their places among those of the reader.
    pub names: BTreeSet<usize>,
}

impl Payload {
    /// Looks into a payload; `key` is that of its entry, without the prefix of the cache. Without anything that reads them it
    /// is only told whether it is encrypted.
    #[must_use]
    pub fn of(key: &[u8], bytes: &[u8], reader: Option<&Reader>) -> Self {
        let nothing = || Reader::new(KeyRing::default(), Vec::new());
        let Read { entry, name } = reader.map_or_else(|| nothing().read(key, bytes), |reader| reader.read(key, bytes));
        let class = match Class::of(&entry) {
            Class::KeyMissing if reader.is_none() => Class::Encrypted,
            class => class,
        };
        Self { class, key: entry.key(), name }
    }
}

impl Payloads {
    /// Whether there is anything of this class.
    #[must_use]
    pub fn has(&self, class: Class) -> bool {
        self.classes.contains_key(&class)
    }

    /// What they show to be in use.
    #[must_use]
    pub fn in_use(&self) -> InUse {
        InUse {
            keys: self.classes.values().flat_map(|portion| portion.keys.iter().copied()).collect(),
            names: self.names.clone(),
            is_whole: self.is_complete,
        }
    }
}

impl Counts {
    /// How many payloads were looked into.
    #[must_use]
    pub fn looked_into(&self) -> u64 {
        self.payloads.values().sum()
    }

    /// Adds one.
    pub(crate) fn add(&mut self, payload: Payload) {
        let Payload { class, key, name } = payload;
        let is_known = |counts: &Self| counts.payloads.contains_key(&(class, key));
        let is_of_ring = !matches!(class, Class::KeyMissing | Class::Encrypted | Class::Strange);
        let unknown = || self.payloads.keys().filter(|(counted, _)| *counted == class).count();
        let key = key.filter(|_| is_of_ring || is_known(self) || unknown() < UNKNOWN_KEYS);
        *self.payloads.entry((class, key)).or_default() += 1;
        self.names.extend(name);
    }

    /// How many there are of a class.
    #[must_use]
    pub fn of(&self, class: Class) -> u64 {
        self.payloads.iter().filter(|((counted, _), _)| *counted == class).map(|(_, count)| count).sum()
    }

    /// The keys of a class.
    pub(crate) fn keys(&self, class: Class) -> impl Iterator<Item = KeyId> {
        self.payloads.keys().filter(move |(counted, _)| *counted == class).filter_map(|(_, key)| *key)
    }
}

/// What was counted of a cache's entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// The cache.
    pub of: TokenCacheRef,
    /// The counts.
    pub counts: Counts,
}
