//! What stored entries show to be in use: keys, and the names of applications.
//!
//! In: what was seen of entries, and what stood in the status. Out: the status of the ring with it. While not every entry
//! was looked at, what was told before stands.

use std::collections::BTreeSet;

use crate::{
    api::v1alpha1::{KeyRingStatus, KeyStatus},
    capability::progress::SweepId,
    data_protection::{key::id::KeyId, settings::Settings},
};

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

/// The status of the ring with what is in use; `None` where nobody could be asked.
#[must_use]
pub fn told(
    ring: KeyRingStatus,
    settings: &Settings,
    seen: Option<&InUse>,
    previous: Option<&KeyRingStatus>,
) -> KeyRingStatus {
    let key = |key: KeyStatus| {
        let before = previous.and_then(|previous| previous.keys.iter().find(|before| before.id == key.id));
        let in_use = seen.and_then(|seen| {
            let is_seen = KeyId::parse(&key.id).is_some_and(|id| seen.keys.contains(&id));
            if is_seen || seen.is_whole { Some(is_seen) } else { before.and_then(|before| before.in_use) }
        });
        KeyStatus { in_use, ..key }
    };
    let found = seen.and_then(|seen| match (seen.names.len(), seen.names.first()) {
        (1, Some(name)) => Some(name.clone()),
        (0, _) if !seen.is_whole => previous.and_then(|previous| previous.application_name.clone()),
        _ => None,
    });
    KeyRingStatus {
        application_name: settings.application_name.clone().or(found),
        keys: ring.keys.into_iter().map(key).collect(),
        ..ring
    }
}
