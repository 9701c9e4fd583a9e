//! An object that an owner has, or seems to have: its kind, and its metadata as it was seen.
//!
//! In: nothing. Out: values for plans that are about an object as a whole, such as its deletion.

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// The kinds that an owner has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildKind {
    /// `StatefulSet`.
    StatefulSet,
    /// `Service`.
    Service,
    /// `ConfigMap`.
    ConfigMap,
    /// `Secret`.
    Secret,
    /// `ServiceAccount`.
    ServiceAccount,
    /// `NetworkPolicy`.
    NetworkPolicy,
}

impl ChildKind {
    /// The kind's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StatefulSet => "StatefulSet",
            Self::Service => "Service",
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
            Self::ServiceAccount => "ServiceAccount",
            Self::NetworkPolicy => "NetworkPolicy",
        }
    }
}

/// An object, as it was seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Child {
    /// Its kind.
    pub kind: ChildKind,
    /// Its name, UID and version.
    pub metadata: ObjectMeta,
}

impl Child {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }
}

impl fmt::Display for Child {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.kind.as_str(), self.name())
    }
}
