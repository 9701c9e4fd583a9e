//! Why a write did not happen, and what kind of failure that is.

use kube::Resource;

use crate::kubernetes::words;

/// What a plan shows to the API server before it writes.
pub(super) const REHEARSE: &str = "rehearse";

/// Why a write did not happen.
#[derive(Debug, thiserror::Error)]
#[error("{verb} {object}: {}", words::of(source.as_ref()))]
pub struct WriteError {
    verb: &'static str,
    object: String,
    source: Box<kube::Error>,
}

/// What kind of failure it is, which decides on when to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteErrorClass {
    /// The API server refuses the object itself.
    Invalid,
    /// The operator lacks a right, or a quota is used up.
    Forbidden,
    /// Somebody else wrote at the same time, or the object is not there any more.
    Conflict,
    /// Everything that may pass by itself.
    Transient,
}

impl WriteError {
    pub(super) fn new<K: Resource<DynamicType = ()>>(verb: &'static str, name: &str, source: kube::Error) -> Self {
        Self { verb, object: format!("{} {name}", K::kind(&())), source: Box::new(source) }
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn class(&self) -> WriteErrorClass {
        match self.source.as_ref() {
            kube::Error::Api(status) => match status.code {
                400 | 422 => WriteErrorClass::Invalid,
                401 | 403 => WriteErrorClass::Forbidden,
                404 | 409 => WriteErrorClass::Conflict,
                // What the object's schema cannot hold; a server-side apply answers it like a fault of the server.
                500 if status.message.starts_with("failed to create typed patch object") => WriteErrorClass::Invalid,
                _ => WriteErrorClass::Transient,
            },
            _ => WriteErrorClass::Transient,
        }
    }

    /// Whether it may pass by itself.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self.class(), WriteErrorClass::Conflict | WriteErrorClass::Transient)
    }

    /// Whether it was a rehearsal, so that nothing can have changed.
    #[must_use]
    pub fn is_rehearsal(&self) -> bool {
        self.verb == REHEARSE
    }

    /// Which object, such as `StatefulSet shop-redis`.
    #[must_use]
    pub fn object(&self) -> &str {
        &self.object
    }

    /// What the API server, or the way to it, answered, in words.
    #[must_use]
    pub fn words(&self) -> String {
        words::of(self.source.as_ref())
    }

    /// Whether the API server refuses the object for an element of a list that is there twice.
    pub(super) fn is_of_duplicate(&self) -> bool {
        let says_so = |source: &kube::Error| matches!(source, kube::Error::Api(status) if status.message.contains("Duplicate value"));
        self.class() == WriteErrorClass::Invalid && says_so(&self.source)
    }
}
