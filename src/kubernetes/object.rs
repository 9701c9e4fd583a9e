//! The objects that an operator makes, of whichever kind.
//!
//! In: objects of a kind. Out: values that plans, caches and writes handle alike. A kind that is added here is one that the
//! compiler then asks for everywhere else.

use std::{fmt, sync::Arc};

use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::StatefulSet,
        core::v1::{ConfigMap, PersistentVolumeClaim, Secret, Service, ServiceAccount},
        networking::v1::NetworkPolicy,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::Resource;
use serde::{Serialize, de::DeserializeOwned};

/// The kinds of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
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
    /// `PersistentVolumeClaim`, which a `StatefulSet` makes.
    PersistentVolumeClaim,
}

impl Kind {
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
            Self::PersistentVolumeClaim => "PersistentVolumeClaim",
        }
    }
}

/// What all kinds have in common.
pub trait Namespaced:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Serialize
    + DeserializeOwned
    + Clone
    + fmt::Debug
    + Send
    + Sync
    + 'static
{
}

impl<K> Namespaced for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Serialize
        + DeserializeOwned
        + Clone
        + fmt::Debug
        + Send
        + Sync
        + 'static
{
}

/// An object, with its content.
#[derive(Clone, PartialEq)]
pub enum Object {
    /// `StatefulSet`.
    StatefulSet(Arc<StatefulSet>),
    /// `Service`.
    Service(Arc<Service>),
    /// `ConfigMap`.
    ConfigMap(Arc<ConfigMap>),
    /// `Secret`.
    Secret(Arc<Secret>),
    /// `ServiceAccount`.
    ServiceAccount(Arc<ServiceAccount>),
    /// `NetworkPolicy`.
    NetworkPolicy(Arc<NetworkPolicy>),
    /// `PersistentVolumeClaim`.
    PersistentVolumeClaim(Arc<PersistentVolumeClaim>),
}

impl Object {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::StatefulSet(_) => Kind::StatefulSet,
            Self::Service(_) => Kind::Service,
            Self::ConfigMap(_) => Kind::ConfigMap,
            Self::Secret(_) => Kind::Secret,
            Self::ServiceAccount(_) => Kind::ServiceAccount,
            Self::NetworkPolicy(_) => Kind::NetworkPolicy,
            Self::PersistentVolumeClaim(_) => Kind::PersistentVolumeClaim,
        }
    }

    /// Its metadata.
    #[must_use]
    pub fn metadata(&self) -> &ObjectMeta {
        match self {
            Self::StatefulSet(object) => &object.metadata,
            Self::Service(object) => &object.metadata,
            Self::ConfigMap(object) => &object.metadata,
            Self::Secret(object) => &object.metadata,
            Self::ServiceAccount(object) => &object.metadata,
            Self::NetworkPolicy(object) => &object.metadata,
            Self::PersistentVolumeClaim(object) => &object.metadata,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.metadata().name.as_deref().unwrap_or_default()
    }
}

// By hand: derived, it would print the content of Secrets.
impl fmt::Debug for Object {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.kind().as_str(), self.name())
    }
}

/// A kind of which an [`Object`] can be.
pub trait OfKind: Namespaced {
    /// Which.
    const KIND: Kind;

    /// The object, if it is of this kind.
    fn of(object: &Object) -> Option<&Arc<Self>>;
}

macro_rules! from {
    ($($kind:ident),*) => {
        $(
            impl From<$kind> for Object {
                fn from(object: $kind) -> Self {
                    Self::$kind(Arc::new(object))
                }
            }

            impl From<Arc<$kind>> for Object {
                fn from(object: Arc<$kind>) -> Self {
                    Self::$kind(object)
                }
            }

            impl OfKind for $kind {
                const KIND: Kind = Kind::$kind;

                fn of(object: &Object) -> Option<&Arc<Self>> {
                    match object {
                        Object::$kind(object) => Some(object),
                        _ => None,
                    }
                }
            }
        )*
    };
}

from!(StatefulSet, Service, ConfigMap, Secret, ServiceAccount, NetworkPolicy, PersistentVolumeClaim);

/// An object, by its metadata as it was seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// Its kind.
    pub kind: Kind,
    /// Its name, UID and version.
    pub metadata: ObjectMeta,
}

impl Reference {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.kind.as_str(), self.name())
    }
}
