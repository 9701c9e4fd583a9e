//! The secret of a key, from which every payload's own keys are derived.
//!
//! In: random bytes, or those of a key file. Out: the same bytes, for derivation and for the file. It is wiped from memory
//! when dropped, and prints as `<redacted>`.

use std::fmt;

use aws_lc_rs::constant_time;
use zeroize::Zeroizing;

/// Bytes of a master key that this operator makes, as ASP.NET Core does.
pub const MASTER_KEY_BYTES: usize = 64;

/// The secret of a key.
#[derive(Clone)]
pub struct MasterKey(Zeroizing<Vec<u8>>);

impl MasterKey {
    /// Takes the bytes; `None` where there are none.
    #[must_use]
    pub fn new(bytes: Zeroizing<Vec<u8>>) -> Option<Self> {
        (!bytes.is_empty()).then_some(Self(bytes))
    }

    /// From random bytes.
    #[must_use]
    pub fn from_random(random: &[u8; MASTER_KEY_BYTES]) -> Self {
        Self(Zeroizing::new(random.to_vec()))
    }

    /// The bytes. Only to derive from, and for a key file.
    #[must_use]
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl PartialEq for MasterKey {
    fn eq(&self, other: &Self) -> bool {
        constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl Eq for MasterKey {}

impl fmt::Debug for MasterKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("<redacted>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_master_key_never_prints_itself() {
        assert_eq!(format!("{:?}", MasterKey::from_random(&[7; MASTER_KEY_BYTES])), "<redacted>");
    }

    #[test]
    fn a_key_without_bytes_is_none() {
        assert_eq!(MasterKey::new(Zeroizing::new(Vec::new())), None);
    }
}
