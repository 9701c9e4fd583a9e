//! A sweep: every key under a cache's prefix is looked at once, and some of them are removed.
//!
//! In: what is asked for, and what was read of an entry. Out: whether it is meant, and how many were. Nothing is remembered of
//! an entry but that it was counted.

use std::{collections::BTreeSet, sync::Arc};

use jiff::{SignedDuration, Timestamp};

use super::entry::{Entry, Undecryptable, reader::Reader};
use crate::{api::v1alpha1::OperationType, data_protection::key::id::KeyId};

/// After how long a sweep that failed is begun again.
pub const AGAIN_AFTER: SignedDuration = SignedDuration::from_secs(10);

/// A sweep that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sweep {
    /// What it is made for. Another one of the same is not begun while this one is under way.
    pub id: SweepId,
    /// Which keys are meant.
    pub selection: Selection,
    /// What reads entries; `None` where no entry need be read.
    pub reader: Option<Arc<Reader>>,
    /// How many were removed for the same request before the operator was restarted.
    pub removed_before: u64,
}

impl Sweep {
    /// Whether the two mean the same entries.
    #[must_use]
    pub fn means_the_same_as(&self, other: &Self) -> bool {
        self.selection == other.selection && self.reader == other.reader
    }
}

/// What a sweep is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SweepId {
    /// The kind of request.
    pub operation: OperationType,
    /// The time that the request names.
    pub requested: Timestamp,
    /// Whether what is meant is counted, or removed.
    pub step: Step,
}

/// What is done with what is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It is counted.
    Count,
    /// It is removed.
    Remove,
    /// It is removed once more, and nobody stores it any more.
    RemoveLast,
}

impl Step {
    /// Whether what is meant is removed.
    #[must_use]
    pub fn removes(self) -> bool {
        self != Self::Count
    }
}

/// Which keys a sweep means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// Every one, whatever it is.
    All,
    /// Token entries that no application can read, as the ring and they themselves show. Not one that an application of
    /// another name may have written: that a name is not known proves nothing.
    Unreadable,
    /// Token entries that are encrypted, whether they can be read or not.
    Encrypted,
    /// Entries that were encrypted with one of these keys, whatever they are.
    OfKeys(BTreeSet<KeyId>),
}

/// What was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Keys under the prefix.
    pub keys: u64,
    /// Those of them that are meant.
    pub meant: u64,
    /// Token entries that were decrypted.
    pub readable: u64,
    /// Token entries that no known application name decrypts, though their key is there.
    pub foreign: u64,
    /// What is encrypted as Data Protection does it, and is not shown to be a token entry by anything.
    pub unidentified: u64,
    /// Entries that were too big to be read, and are left alone.
    pub too_big: u64,
    /// Those that were removed.
    pub removed: u64,
}

/// How far a sweep is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Of which sweep.
    pub sweep: Sweep,
    /// What was counted so far.
    pub tally: Tally,
    /// How it stands.
    pub state: State,
}

/// How a sweep stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It goes on.
    Running,
    /// It failed, and is begun anew a while later.
    Failing {
        /// Why, in words.
        why: String,
        /// When it failed.
        at: Timestamp,
    },
    /// Every key was looked at.
    Done,
}

impl Selection {
    /// Whether an entry must be read for this.
    #[must_use]
    pub fn reads(&self) -> bool {
        *self != Self::All
    }

    /// Whether an entry is meant.
    #[must_use]
    pub fn means(&self, entry: &Entry) -> bool {
        match self {
            Self::All => true,
            Self::OfKeys(keys) => entry.key().is_some_and(|key| keys.contains(&key)),
            Self::Encrypted => match entry {
                Entry::Readable(_) | Entry::Undecryptable { .. } | Entry::Undeserializable { key: Some(_) } => true,
                Entry::Plain | Entry::Undeserializable { key: None } | Entry::Strange { .. } => false,
            },
            Self::Unreadable => match entry {
                Entry::Undecryptable { why, .. } => match why {
                    Undecryptable::KeyMissing | Undecryptable::KeyRevoked => true,
                    // Applications may have what opens it, and the operator not.
                    Undecryptable::KeyClosed(_) | Undecryptable::OtherApplication => false,
                },
                Entry::Undeserializable { .. } => true,
                Entry::Readable(_) | Entry::Plain | Entry::Strange { .. } => false,
            },
        }
    }
}

impl Tally {
    /// Adds what was counted beside it.
    pub fn add(&mut self, part: Self) {
        // Without `..`: something that is counted and not added does not compile.
        let Self { keys, meant, readable, foreign, unidentified, too_big, removed } = part;
        self.keys += keys;
        self.meant += meant;
        self.readable += readable;
        self.foreign += foreign;
        self.unidentified += unidentified;
        self.too_big += too_big;
        self.removed += removed;
    }

    /// Adds an entry that was read.
    pub fn note(&mut self, entry: &Entry, is_meant: bool) {
        self.meant += u64::from(is_meant);
        self.readable += u64::from(matches!(entry, Entry::Readable(_)));
        self.foreign += u64::from(matches!(entry, Entry::Undecryptable { why: Undecryptable::OtherApplication, .. }));
        self.unidentified += u64::from(matches!(entry, Entry::Strange { key: Some(_) }));
    }
}

/// A count, as the status has it.
#[must_use]
pub fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_protection::{key::Closed, key::Foreign};

    fn key(of: u8) -> KeyId {
        KeyId::from_payload([of; 16])
    }

    fn undecryptable(why: Undecryptable) -> Entry {
        Entry::Undecryptable { key: key(1), why }
    }

    #[test]
    fn of_unreadable_entries_those_are_meant_that_are_shown_to_be_unreadable() {
        for entry in [
            undecryptable(Undecryptable::KeyMissing),
            undecryptable(Undecryptable::KeyRevoked),
            Entry::Undeserializable { key: None },
            Entry::Undeserializable { key: Some(key(1)) },
        ] {
            assert!(Selection::Unreadable.means(&entry), "{entry:?}");
        }
        let closed = Closed::Foreign(Foreign::Incomplete("master key"));
        for entry in [
            Entry::Plain,
            Entry::Strange { key: None },
            Entry::Strange { key: Some(key(1)) },
            Entry::Readable(key(1)),
            undecryptable(Undecryptable::KeyClosed(closed)),
            undecryptable(Undecryptable::OtherApplication),
        ] {
            assert!(!Selection::Unreadable.means(&entry), "{entry:?}");
        }
    }

    #[test]
    fn of_encrypted_entries_those_are_meant_that_hold_tokens() {
        for entry in [
            Entry::Readable(key(1)),
            undecryptable(Undecryptable::KeyMissing),
            undecryptable(Undecryptable::OtherApplication),
            Entry::Undeserializable { key: Some(key(1)) },
        ] {
            assert!(Selection::Encrypted.means(&entry), "{entry:?}");
        }
        for entry in [Entry::Plain, Entry::Undeserializable { key: None }, Entry::Strange { key: Some(key(1)) }] {
            assert!(!Selection::Encrypted.means(&entry), "{entry:?}");
        }
    }

    #[test]
    fn keys_mean_what_was_encrypted_with_them_whether_it_can_be_read_or_not() {
        let meant = Selection::OfKeys([key(1), key(3)].into());
        assert!(meant.means(&Entry::Readable(key(3))));
        assert!(meant.means(&Entry::Readable(key(1))));
        assert!(meant.means(&undecryptable(Undecryptable::KeyRevoked)));
        assert!(meant.means(&Entry::Strange { key: Some(key(1)) }));
        assert!(!meant.means(&Entry::Readable(key(2))));
        assert!(!meant.means(&Entry::Plain));
        assert!(meant.reads() && !Selection::All.reads());
    }
}
