//! What a cache wants of its entries.
//!
//! In: a `TokenCache` as users wrote it. Out: [`Settings`].

use jiff::Timestamp;

use crate::{
    api::v1alpha1::{FLUSH_ANNOTATION, Inspect, TokenCache},
    capability::{
        cost,
        operation::{self, Request},
    },
};

/// What a cache wants of its entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Whether applications encrypt what they store.
    pub encrypt: bool,
    /// What is read of entries.
    pub inspect: Inspect,
    /// The name under which applications encrypt, where the spec tells it.
    pub application_name: Option<String>,
    /// Whether entries are to be removed.
    pub flush: FlushRequest,
}

impl Settings {
    /// Reads a spec.
    #[must_use]
    pub fn parse(cache: &TokenCache) -> Self {
        Self {
            encrypt: cache.spec.entries.encrypt,
            inspect: cache.spec.inspect(),
            application_name: cache.spec.data_protection.application_name.clone(),
            flush: flush_wish(cache),
        }
    }
}

/// Which entries an annotation asks to remove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlushRequest {
    /// What its annotation asks for.
    pub request: Option<Request>,
    /// Which entries are to go.
    pub what: What,
    /// When the `TokenCache` was made.
    pub created: Option<Timestamp>,
    /// Whether nothing is to be changed: the cache is paused.
    pub held: bool,
}

/// Which entries are to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Every one.
    All,
    /// Those that no application can read.
    Unreadable,
    /// Those that are encrypted: applications do not encrypt any more.
    Encrypted,
    /// Nobody knows. Holds the beginning of what was written.
    Other(String),
}

impl What {
    /// Reads the annotation's value, in which the word follows the time. What removes least is meant where there is none.
    #[must_use]
    pub fn parse(value: &str) -> Self {
        match value.split_ascii_whitespace().nth(1) {
            None | Some("unreadable") => Self::Unreadable,
            Some("all") => Self::All,
            Some("encrypted") => Self::Encrypted,
            Some(other) => Self::Other(other.chars().take(20).collect()),
        }
    }

    /// The word for it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::All => "all",
            Self::Unreadable => "unreadable",
            Self::Encrypted => "encrypted",
            Self::Other(other) => other,
        }
    }

    /// What is lost where these are removed.
    #[must_use]
    pub fn costs(&self) -> &'static str {
        match self {
            Self::All => "all entries (users sign in again)",
            Self::Unreadable => "unreadable entries only",
            Self::Encrypted => "encrypted entries only",
            Self::Other(_) => cost::of_request(FLUSH_ANNOTATION),
        }
    }

    /// What they are called in a sentence.
    #[must_use]
    pub fn named(&self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Encrypted => "encrypted",
            Self::Unreadable | Self::Other(_) => "unreadable",
        }
    }

    /// What is meant by a value that has no time; what removes least where it has no word either.
    #[must_use]
    pub fn named_in(value: &str) -> Self {
        let is_named = |what: &Self| value.split_ascii_whitespace().any(|written| written == what.as_str());
        [Self::All, Self::Encrypted].into_iter().find(is_named).unwrap_or(Self::Unreadable)
    }

    /// Whether it takes a look into entries to tell which are meant.
    #[must_use]
    pub fn is_told_by_payloads(&self) -> bool {
        matches!(self, Self::Unreadable | Self::Encrypted)
    }
}

fn flush_wish(cache: &TokenCache) -> FlushRequest {
    let written = operation::annotation(cache, FLUSH_ANNOTATION);
    FlushRequest {
        request: written.map(Request::parse),
        what: What::parse(written.unwrap_or_default()),
        created: operation::created(cache),
        held: operation::is_paused(cache),
    }
}
