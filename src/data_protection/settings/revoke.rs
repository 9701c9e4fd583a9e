//! What a request to revoke keys says, and what the key says that takes their place.
//!
//! In: the values of annotations. Out: a [`RevokeRequest`]. It decides nothing.

use crate::capability::operation::Request;

/// What stands in the place of a key where all are meant.
pub(crate) const ALL: &str = "all";

/// What follows the key where the entries are to go that it encrypted.
pub(crate) const REMOVE: &str = "remove";

/// What a cache wants of its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokeRequest {
    /// When it is asked for.
    pub request: Request,
    /// The key's id, or its first digits, or [`ALL`], as it was written; `None` where nothing was.
    pub(crate) key: Option<String>,
    /// Whether the entries that it encrypted are to be removed.
    pub(crate) removes: bool,
    /// A word that means nothing.
    pub(crate) odd: Option<String>,
}

impl RevokeRequest {
    /// Reads the annotation's value: a time, a key or `all`, and perhaps `remove`.
    #[must_use]
    pub fn parse(value: &str) -> Self {
        let short = |word: &str| word.chars().take(40).collect::<String>();
        let mut words = value.split_ascii_whitespace().skip(1);
        let key = words.next().map(|word| short(word).to_ascii_lowercase());
        let (removes, odd) = match words.next() {
            None => (false, None),
            Some(REMOVE) => (true, None),
            Some(other) => (false, Some(short(other))),
        };
        Self { request: Request::parse(value), key, removes, odd }
    }

    /// What it says after the time, as far as that means something.
    pub(crate) fn words(&self) -> String {
        let remove = self.removes.then_some(REMOVE);
        self.key.as_deref().into_iter().chain(remove).collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn is_of_all(&self) -> bool {
        self.key.as_deref() == Some(ALL)
    }
}
