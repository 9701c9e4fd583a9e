//! What a stored token-cache entry is: readable, or why it is not.
//!
//! In: the bytes of an entry, the ring, the application's name. Out: a class. A plaintext lives only as long as it is looked
//! at, is wiped from memory then, and nothing of it is ever told.
//!
//! Microsoft.Identity.Web stores what MSAL serialises: one JSON object, in plain or protected for the purpose `msal_cache`.
//! What it cannot unprotect it hands to MSAL as it is, which then fails with `json_parse_failed`
//! (<https://github.com/AzureAD/microsoft-identity-web/tree/master/src/Microsoft.Identity.Web.TokenCache>).

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};

use super::{
    key::Closed,
    key_id::KeyId,
    key_ring::{KeyRing, UnprotectError},
    payload::{MAGIC, Purposes},
};

/// What a stored entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// Tokens that anybody can read who can read the cache.
    Plain,
    /// Encrypted tokens, which every application of this name reads.
    Readable(KeyId),
    /// Encrypted, and not to be read.
    Undecryptable {
        /// The key that it was made with.
        key: KeyId,
        /// Why it cannot be read.
        why: Undecryptable,
    },
    /// It can be read, and what it says is no token cache.
    Undeserializable {
        /// The key that it was made with; `None` where it is not encrypted.
        key: Option<KeyId>,
    },
    /// Neither encrypted nor JSON: whatever else stores its things under the prefix, such as the sessions of the same
    /// application, which uses the same `IDistributedCache` for them.
    Strange,
}

/// Why an encrypted entry cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undecryptable {
    /// Its key is not in the ring.
    KeyMissing,
    /// Its key was revoked.
    KeyRevoked,
    /// Its key is there, and this operator cannot use it.
    KeyClosed(Closed),
    /// An application of another name wrote it, or it was changed.
    OtherApplication,
}

impl Entry {
    /// Looks at an entry.
    #[must_use]
    pub fn of(bytes: &[u8], ring: &KeyRing, application: &str) -> Self {
        let undecryptable = |key: KeyId, why: Undecryptable| Self::Undecryptable { key, why };
        match ring.unprotect(&Purposes::token_cache(application), bytes) {
            Err(UnprotectError::NotProtected) if is_token_cache(bytes) => Self::Plain,
            Err(UnprotectError::NotProtected) if is_meant_as_one(bytes) => Self::Undeserializable { key: None },
            Err(UnprotectError::NotProtected) => Self::Strange,
            Err(UnprotectError::KeyMissing(key)) => undecryptable(key, Undecryptable::KeyMissing),
            Err(UnprotectError::KeyRevoked(key)) => undecryptable(key, Undecryptable::KeyRevoked),
            Err(UnprotectError::KeyClosed(key, closed)) => undecryptable(key, Undecryptable::KeyClosed(closed)),
            Err(UnprotectError::Rejected(key)) => undecryptable(key, Undecryptable::OtherApplication),
            Ok(plaintext) => match super::payload::key_id(bytes) {
                Some(key) if is_token_cache(&plaintext) => Self::Readable(key),
                key => Self::Undeserializable { key },
            },
        }
    }

    /// The key that it was made with; `None` where it is not encrypted.
    #[must_use]
    pub fn key(&self) -> Option<KeyId> {
        match self {
            Self::Plain | Self::Strange => None,
            Self::Readable(key) | Self::Undecryptable { key, .. } => Some(*key),
            Self::Undeserializable { key } => *key,
        }
    }

    /// Whether an application fails on it.
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        matches!(self, Self::Undecryptable { .. } | Self::Undeserializable { .. })
    }
}

/// Whether MSAL could deserialise this. Sections may be absent; unknown ones are kept by MSAL as they are.
fn is_token_cache(bytes: &[u8]) -> bool {
    serde_json::from_slice::<TokenCache>(bytes).is_ok()
}

/// Whether what is neither encrypted nor a token cache begins as if it were one of the two.
fn is_meant_as_one(bytes: &[u8]) -> bool {
    let first = bytes.trim_ascii_start().first();
    bytes.starts_with(&MAGIC) || matches!(first, Some(b'{' | b'['))
}

/// What MSAL writes, with everything in it passed over.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(dead_code, reason = "only whether it parses is of interest")]
struct TokenCache {
    access_token: Option<Section>,
    refresh_token: Option<Section>,
    id_token: Option<Section>,
    account: Option<Section>,
    app_metadata: Option<Section>,
}

/// An object of objects.
struct Section;
/// An object.
struct Object;

impl<'de> Deserialize<'de> for Section {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Each::<Object>::default()).map(|()| Self)
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Each::<IgnoredAny>::default()).map(|()| Self)
    }
}

/// Passes over an object, each value of which is a `T`.
struct Each<T>(std::marker::PhantomData<T>);

impl<T> Default for Each<T> {
    fn default() -> Self {
        Self(std::marker::PhantomData)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Each<T> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_entry::<IgnoredAny, T>()?.is_some() {}
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_msal_writes_is_told_from_other_json() {
        for good in [
            r#"{"AccessToken":{"a":{"secret":"s"}},"RefreshToken":{},"IdToken":{},"Account":{},"AppMetadata":{}}"#,
            r#"{"AccessToken":null,"Unknown":[1]}"#,
            "{}",
        ] {
            assert!(is_token_cache(good.as_bytes()), "{good}");
        }
        for bad in [
            "",
            "[]",
            "null",
            "\"text\"",
            r#"{"AccessToken":[]}"#,
            r#"{"AccessToken":{"a":"text"}}"#,
            r#"{"AccessToken":{}"#,
            "{} trailing",
        ] {
            assert!(!is_token_cache(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn without_a_ring_an_entry_still_tells_its_key() {
        let mut bytes = super::super::payload::MAGIC.to_vec();
        bytes.extend([1; 80]);
        let entry = Entry::of(&bytes, &KeyRing::default(), "/app");
        let key = KeyId::from_payload([1; 16]);
        assert_eq!(entry, Entry::Undecryptable { key, why: Undecryptable::KeyMissing });
        assert!(entry.is_unreadable());
    }

    #[test]
    fn what_begins_as_an_entry_and_is_none_is_told_from_what_is_something_else() {
        let of = |bytes: &[u8]| Entry::of(bytes, &KeyRing::default(), "/app");
        for bad in [&b"[]"[..], b" {\"AccessToken\":1}", b"{\"AccessToken\":{}", b"\x09\xf0\xc9\xf0"] {
            assert_eq!(of(bad), Entry::Undeserializable { key: None }, "{bad:?}");
        }
        for strange in [&b""[..], b"\x02\x00session", b"CfDJ8", b"\x09\xf0\xc9"] {
            assert_eq!(of(strange), Entry::Strange, "{strange:?}");
            assert!(!of(strange).is_unreadable(), "nobody reads it as an entry");
        }
    }
}
