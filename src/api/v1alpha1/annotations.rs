//! The annotations of a `TokenCache` that mean something: the one list of them.

use std::fmt;

/// An annotation that means something. None is read that is not in [`ANNOTATIONS`], since only this module makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Annotation {
    key: &'static str,
    takes: Takes,
}

/// What an annotation takes for its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// This word.
    Word(&'static str),
    /// A time, and perhaps more: what is no request is told in `status.operations`.
    Request,
}

impl Annotation {
    /// The key.
    #[must_use]
    pub const fn key(self) -> &'static str {
        self.key
    }

    /// What it takes for its value.
    #[must_use]
    pub const fn takes(self) -> Takes {
        self.takes
    }
}

impl fmt::Display for Annotation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.key)
    }
}

macro_rules! annotations {
    ($($(#[doc = $doc:literal])+ $name:ident: $key:literal, $takes:expr;)+) => {
        $($(#[doc = $doc])+ pub const $name: Annotation = Annotation { key: $key, takes: $takes };)+

        /// Every one there is.
        pub const ANNOTATIONS: &[Annotation] = &[$($name),+];
    };
}

/// What the keys of all of them begin with.
pub const ANNOTATION_PREFIX: &str = "tokencache.dev/";

/// The value of [`RECONCILE_ANNOTATION`] that pauses.
pub const PAUSED: &str = "paused";

/// The value of [`ADOPT_ANNOTATION`] that takes up what was restored.
pub const RESTORED: &str = "restored";

annotations! {
    /// Holds a cache still: with the value `paused` the operator observes and reports, and changes nothing.
    RECONCILE_ANNOTATION: "tokencache.dev/reconcile", Takes::Word(PAUSED);
    /// Says that objects which carry all labels of the cache's own, and which nobody owns, are its own: with the value
    /// `restored` they are taken up again also where another field manager has written them, such as a backup's. To be removed
    /// afterwards: whoever may create objects under these names would have them taken up too.
    ADOPT_ANNOTATION: "tokencache.dev/adopt", Takes::Word(RESTORED);
    /// Asks for another password of the applications. Its value begins with the time of the request.
    ROTATE_PASSWORD_ANNOTATION: "tokencache.dev/rotate-password-requested", Takes::Request;
    /// Asks for another key that encrypts at once. Its value begins with the time of the request.
    ROTATE_KEY_ANNOTATION: "tokencache.dev/rotate-key-requested", Takes::Request;
    /// Asks for a key to be revoked. Its value begins with the time of the request, after which it names the key, by its id or
    /// the first eight digits of that, or says `all`, and perhaps says `remove`.
    REVOKE_KEY_ANNOTATION: "tokencache.dev/revoke-key-requested", Takes::Request;
    /// Asks for stored entries to be removed. Its value begins with the time of the request, after which it says `unreadable`,
    /// `encrypted` or `all`.
    FLUSH_ANNOTATION: "tokencache.dev/flush-requested", Takes::Request;
}
