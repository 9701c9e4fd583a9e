//! What stored entries show to be in use: keys, and the names of applications.
//!
//! In: what was seen of entries, and what stood in the status. Out: the status of the ring with it. While not every entry
//! was looked at, what was told before stands.

use std::collections::BTreeSet;

use crate::{capability::progress::SweepId, data_protection::key::id::KeyId};

/// What stored entries show to be in use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InUse {
    /// The keys that entries were encrypted with.
    pub keys: BTreeSet<KeyId>,
    /// The names of the applications that encrypted them.
    pub names: BTreeSet<String>,
    /// Whether every entry was looked at, or as many as it takes to tell.
    pub is_whole: bool,
}

/// The entries that were encrypted with these keys, whatever they are: they are to be counted, or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntriesOfKeys {
    /// What it is asked for.
    pub id: SweepId,
    /// The keys.
    pub keys: BTreeSet<KeyId>,
    /// How many were removed for the same request before the operator was restarted.
    pub removed_before: u64,
}

impl InUse {
    /// What this and that show together.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.keys.extend(other.keys);
        self.names.extend(other.names);
        self.is_whole &= other.is_whole;
        self
    }
}
