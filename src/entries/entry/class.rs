//! What stored entries are counted as: the words of metrics, and what conditions go by.
//!
//! In: an entry that was read. Out: its class. Nothing of its content is left in it.

use super::{Entry, Undecryptable};

macro_rules! classes {
    ($($(#[$doc:meta])+ $name:ident => $word:literal),+ $(,)?) => {
        /// What a stored entry is, in one word.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Class {
            $($(#[$doc])+ $name),+
        }

        impl Class {
            /// Every class there is.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The word in metrics.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word),+
                }
            }
        }
    };
}

classes! {
    /// Encrypted, and every application of a known name reads it.
    Readable => "readable",
    /// Not encrypted.
    Plain => "plain",
    /// Encrypted, and there is no ring to read it with.
    Encrypted => "encrypted",
    /// Encrypted with a key that is not in the ring.
    KeyMissing => "key_missing",
    /// Encrypted with a key that was revoked.
    KeyRevoked => "key_revoked",
    /// Encrypted with a key that this operator cannot use.
    KeyClosed => "key_closed",
    /// Encrypted with a key of the ring, and no known application name reads it.
    OtherApplication => "other_application",
    /// It has a key that MSAL gives, or decrypts for the purpose of tokens, and is no token cache.
    Undeserializable => "undeserializable",
    /// Nothing shows that it is of Microsoft.Identity.Web.
    Strange => "strange",
}

impl Class {
    /// The class of an entry that was read with a ring.
    #[must_use]
    pub fn of(entry: &Entry) -> Self {
        match entry {
            Entry::Plain => Self::Plain,
            Entry::Readable(_) => Self::Readable,
            Entry::Undecryptable { why, .. } => match why {
                Undecryptable::KeyMissing => Self::KeyMissing,
                Undecryptable::KeyRevoked => Self::KeyRevoked,
                Undecryptable::KeyClosed(_) => Self::KeyClosed,
                Undecryptable::OtherApplication => Self::OtherApplication,
            },
            Entry::Undeserializable { .. } => Self::Undeserializable,
            Entry::Strange { .. } => Self::Strange,
        }
    }

    /// Whether it is a token entry that applications have to decrypt first.
    #[must_use]
    pub fn is_encrypted(self) -> bool {
        match self {
            Self::Readable
            | Self::Encrypted
            | Self::KeyMissing
            | Self::KeyRevoked
            | Self::KeyClosed
            | Self::OtherApplication => true,
            Self::Plain | Self::Undeserializable | Self::Strange => false,
        }
    }
}
