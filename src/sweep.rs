//! A sweep: every key under a cache's prefix is looked at once, and some of them are removed.
//!
//! In: what is asked for, and what was read of an entry. Out: whether it is meant, and how many were. Nothing is remembered of
//! an entry but that it was counted.

use std::{collections::BTreeSet, sync::Arc};

use jiff::{SignedDuration, Timestamp};

use crate::{
    api::v1alpha1::OperationType,
    data_protection::{
        entry::{Entry, Undecryptable},
        key_id::KeyId,
        reader::{Read, Reader},
    },
};

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
    /// Entries that no application can read.
    Unreadable {
        /// Whether applications encrypt: those that do not cannot read encrypted entries.
        encrypt: bool,
        /// Whether an entry of another application name is one of them. Where no name is known that reads anything, it may be
        /// the right one, and the operator's the wrong one.
        foreign: bool,
    },
    /// Entries that were encrypted with one of these keys.
    OfKeys(BTreeSet<KeyId>),
}

/// What was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Keys under the prefix.
    pub keys: u64,
    /// Those of them that are meant.
    pub meant: u64,
    /// Entries that were decrypted.
    pub opened: u64,
    /// Entries that no known application name decrypts, though their key is there.
    pub foreign: u64,
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
            Self::Unreadable { encrypt, foreign } => match entry {
                Entry::Readable(_) => !*encrypt,
                Entry::Undecryptable { why: Undecryptable::OtherApplication, .. } => *foreign,
                // Applications may have what opens it, and the operator not; and what is strange is nobody's entry.
                Entry::Plain | Entry::Strange | Entry::Undecryptable { why: Undecryptable::KeyClosed(_), .. } => false,
                Entry::Undecryptable { .. } | Entry::Undeserializable { .. } => true,
            },
        }
    }
}

impl Tally {
    /// Adds an entry that was read.
    pub fn note(&mut self, read: &Read, is_meant: bool) {
        self.meant += u64::from(is_meant);
        self.opened += u64::from(read.name.is_some());
        let is_foreign = matches!(read.entry, Entry::Undecryptable { why: Undecryptable::OtherApplication, .. });
        self.foreign += u64::from(is_foreign);
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
    fn of_unreadable_entries_those_are_meant_that_no_application_can_read() {
        let meant = Selection::Unreadable { encrypt: true, foreign: false };
        for entry in [
            undecryptable(Undecryptable::KeyMissing),
            undecryptable(Undecryptable::KeyRevoked),
            Entry::Undeserializable { key: None },
            Entry::Undeserializable { key: Some(key(1)) },
        ] {
            assert!(meant.means(&entry), "{entry:?}");
        }
        let closed = Closed::Foreign(Foreign::Incomplete("master key"));
        for entry in [
            Entry::Plain,
            Entry::Strange,
            Entry::Readable(key(1)),
            undecryptable(Undecryptable::KeyClosed(closed)),
            undecryptable(Undecryptable::OtherApplication),
        ] {
            assert!(!meant.means(&entry), "{entry:?}");
        }
    }

    #[test]
    fn an_entry_of_another_application_is_unreadable_only_where_the_name_is_known_to_be_right() {
        let foreign = undecryptable(Undecryptable::OtherApplication);
        assert!(Selection::Unreadable { encrypt: true, foreign: true }.means(&foreign));
        assert!(!Selection::Unreadable { encrypt: false, foreign: false }.means(&foreign));
    }

    #[test]
    fn applications_that_do_not_encrypt_cannot_read_what_is_encrypted() {
        let meant = Selection::Unreadable { encrypt: false, foreign: false };
        assert!(meant.means(&Entry::Readable(key(1))));
        assert!(!meant.means(&Entry::Plain));
    }

    #[test]
    fn keys_mean_what_was_encrypted_with_them_whether_it_can_be_read_or_not() {
        let meant = Selection::OfKeys([key(1), key(3)].into());
        assert!(meant.means(&Entry::Readable(key(3))));
        assert!(meant.means(&Entry::Readable(key(1))));
        assert!(meant.means(&undecryptable(Undecryptable::KeyRevoked)));
        assert!(!meant.means(&Entry::Readable(key(2))));
        assert!(!meant.means(&Entry::Plain));
        assert!(meant.reads() && !Selection::All.reads());
    }
}
