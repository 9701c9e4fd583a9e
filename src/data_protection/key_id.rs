//! The name of a key: a GUID.
//!
//! In: random bytes, text of a key file, or bytes of a payload. Out: the GUID in each of these forms. Nothing is drawn here.

use std::fmt;

use uuid::{Builder, Uuid};

/// Bytes of a key's id.
pub const KEY_ID_BYTES: usize = 16;

/// The name of a key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(Uuid);

impl KeyId {
    /// From random bytes, as `Guid.NewGuid` makes one (version 4).
    #[must_use]
    pub fn from_random(random: [u8; KEY_ID_BYTES]) -> Self {
        Self(Builder::from_random_bytes(random).into_uuid())
    }

    /// From text, in either case; `None` where it is no GUID.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Uuid::try_parse(text.trim()).ok().map(Self)
    }

    /// From a payload: `Guid.ToByteArray` has the first three fields in little-endian order.
    #[must_use]
    pub fn from_payload(bytes: [u8; KEY_ID_BYTES]) -> Self {
        Self(Uuid::from_bytes_le(bytes))
    }

    /// As it stands in a payload.
    #[must_use]
    pub fn to_payload(self) -> [u8; KEY_ID_BYTES] {
        self.0.to_bytes_le()
    }

    /// As many digits as a person needs to tell the keys of one ring apart.
    #[must_use]
    pub fn short(self) -> String {
        self.to_string().chars().take(8).collect()
    }

    /// What the file of its key is called.
    #[must_use]
    pub fn file_name(self) -> String {
        format!("key-{self}.xml")
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(formatter)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_holds_the_first_three_fields_in_little_endian_order() {
        let id = KeyId::parse("80732141-ec8f-4b80-af9c-c4d2d1ff8901").unwrap();
        assert_eq!(hex::encode(id.to_payload()), "412173808fec804baf9cc4d2d1ff8901");
        assert_eq!(KeyId::from_payload(id.to_payload()), id);
    }

    #[test]
    fn an_id_is_read_in_either_case_and_written_in_lower_case() {
        let id = KeyId::parse("80732141-EC8F-4B80-AF9C-C4D2D1FF8901").unwrap();
        assert_eq!(id.to_string(), "80732141-ec8f-4b80-af9c-c4d2d1ff8901");
        assert_eq!(id.short(), "80732141");
        assert_eq!(KeyId::parse("*"), None);
    }

    #[test]
    fn random_bytes_make_a_version_4_id() {
        assert_eq!(KeyId::from_random([0xff; 16]).to_string(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
