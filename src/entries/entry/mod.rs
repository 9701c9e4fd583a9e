//! What a stored entry is: a token cache that can be read, why it cannot, or something else.
//!
//! In: the form of its key, and what its bytes are. Out: what it is. Nothing of what it says is told.
//!
//! Microsoft.Identity.Web stores what MSAL serialises: one JSON object, in plain or protected for the purpose `msal_cache`.
//! What it cannot unprotect it hands to MSAL as it is, which then fails with `json_parse_failed`
//! (<https://github.com/AzureAD/microsoft-identity-web/tree/master/src/Microsoft.Identity.Web.TokenCache>).
//!
//! Only what shows that Microsoft.Identity.Web wrote it is a token entry: what decrypts for its purpose shows it by that,
//! whatever its key; what MSAL wrote in plain by its content; and what cannot be looked into by its key.

pub mod class;
pub mod reader;
pub mod token_cache;

use crate::data_protection::key::{Closed, id::KeyId};
use token_cache::Form;

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
    /// It has a key that MSAL gives, or decrypts for the purpose of tokens, and what it says is no token cache.
    Undeserializable {
        /// The key that it was made with; `None` where it is not encrypted.
        key: Option<KeyId>,
    },
    /// Nothing shows that it is of Microsoft.Identity.Web: whatever else stores its things under the prefix, such as the
    /// sessions of the same application, which uses the same `IDistributedCache` for them.
    Strange {
        /// The key that it was made with, where it is encrypted as Data Protection does it.
        key: Option<KeyId>,
    },
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
    /// One that is not encrypted.
    #[must_use]
    pub fn unencrypted(form: Form, bytes: &[u8]) -> Self {
        match form {
            _ if token_cache::is_written(bytes) => Self::Plain,
            Form::Msal => Self::Undeserializable { key: None },
            Form::Prefixed | Form::Other => Self::Strange { key: None },
        }
    }

    /// One that was decrypted for the purpose of tokens.
    #[must_use]
    pub fn decrypted(key: KeyId, plaintext: &[u8]) -> Self {
        if token_cache::is_readable(plaintext) {
            Self::Readable(key)
        } else {
            Self::Undeserializable { key: Some(key) }
        }
    }

    /// One that is encrypted, and for what only its key can tell.
    #[must_use]
    pub fn sealed(form: Form, key: KeyId, why: Undecryptable) -> Self {
        match form {
            Form::Msal | Form::Prefixed => Self::Undecryptable { key, why },
            Form::Other => Self::Strange { key: Some(key) },
        }
    }

    /// The key that it was made with; `None` where it is not encrypted.
    #[must_use]
    pub fn key(&self) -> Option<KeyId> {
        match self {
            Self::Plain => None,
            Self::Readable(key) | Self::Undecryptable { key, .. } => Some(*key),
            Self::Undeserializable { key } | Self::Strange { key } => *key,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Products, a response of `FusionCache`, a session, an antiforgery token, what was compressed, and nothing at all.
    const OTHERS: [&[u8]; 8] = [
        br#"[{"sku":"a1","price":9}]"#,
        br#"{"v":{"sku":"a1"},"m":{"e":1},"t":1}"#,
        b"\"text\"",
        b"9",
        b"\x02\x00session",
        b"CfDJ8",
        b"\x1f\x8b\x08\x00",
        b"",
    ];

    #[test]
    fn what_msal_does_not_write_is_strange_but_under_a_key_that_only_msal_gives() {
        for bytes in OTHERS {
            for form in [Form::Other, Form::Prefixed] {
                assert_eq!(Entry::unencrypted(form, bytes), Entry::Strange { key: None }, "{bytes:?}");
            }
            assert_eq!(Entry::unencrypted(Form::Msal, bytes), Entry::Undeserializable { key: None }, "{bytes:?}");
        }
    }

    #[test]
    fn what_msal_writes_is_a_token_entry_under_any_key() {
        let bytes =
            br#"{"AccessToken":{"a":{"secret":"s"}},"RefreshToken":{},"IdToken":{},"Account":{},"AppMetadata":{}}"#;
        for form in [Form::Msal, Form::Prefixed, Form::Other] {
            assert_eq!(Entry::unencrypted(form, bytes), Entry::Plain);
        }
    }

    #[test]
    fn what_nobody_can_look_into_goes_by_its_key() {
        let key = KeyId::from_payload([1; 16]);
        let of = |form| Entry::sealed(form, key, Undecryptable::KeyMissing);
        let missing = Entry::Undecryptable { key, why: Undecryptable::KeyMissing };
        assert_eq!((of(Form::Msal), of(Form::Prefixed)), (missing.clone(), missing));
        assert_eq!(of(Form::Other), Entry::Strange { key: Some(key) });
        assert_eq!(of(Form::Other).key(), Some(key), "what encrypted it is told all the same");
    }
}
