//! Which certificates applications need to read a ring.
//!
//! In: the keys, and the certificates at hand. Out: those that are to be published together. A certificate is kept for as long
//! as a key is encrypted to it, and no key is ever removed.

use std::collections::BTreeSet;

use super::{
    certificate::{Pair, Thumbprint},
    encrypted_xml::EncryptedSecret,
    key::Key,
};

/// The certificates that keys are encrypted to.
#[must_use]
pub fn needed(keys: &[Key]) -> BTreeSet<Thumbprint> {
    keys.iter().filter_map(Key::encrypted).map(EncryptedSecret::thumbprint).collect()
}

/// What of the certificates at hand is to be published and kept.
#[derive(Debug, Clone, Default)]
pub struct Kept {
    /// Each once: the current one first, then those that the user named, then those that a key needs.
    pub pairs: Vec<Pair>,
    /// Those that a key needs and nobody has: what these keys encrypted cannot be read.
    pub missing: BTreeSet<Thumbprint>,
}

/// What is to be published and kept: `named` are the current certificate and the previous ones that the user names, in this
/// order, and `copies` those that were kept before.
#[must_use]
pub fn kept(keys: &[Key], named: &[Pair], copies: &[Pair]) -> Kept {
    let mut missing = needed(keys);
    let mut kept = Kept::default();
    let wanted = copies.iter().filter(|copy| missing.contains(&copy.thumbprint()));
    for pair in named.iter().chain(wanted) {
        if !kept.pairs.iter().any(|there| there.thumbprint() == pair.thumbprint()) {
            kept.pairs.push(pair.clone());
        }
    }
    for pair in &kept.pairs {
        missing.remove(&pair.thumbprint());
    }
    Kept { missing, ..kept }
}
