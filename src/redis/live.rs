//! What a pass saw of a cache's Redis: values only.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::{fmt, sync::Arc};

use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{ConfigMap, Pod, Secret, Service, ServiceAccount},
    networking::v1::NetworkPolicy,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;

use super::{look::Sample, tls::verified::Verified};
use crate::{
    api::v1alpha1::OperationStatus,
    capability::{ask::Volume, observed::OperatorPlace},
    kubernetes::{
        identity::Found,
        object::{Kind, Reference},
        read::{process::Processes, workload::Consumers},
        write::{admitted::Admitted, settled::Settled},
    },
};

/// What a pass saw of a cache's Redis.
#[derive(Clone)]
pub struct Live {
    /// The account of the pods.
    pub service_account: Found<Arc<ServiceAccount>>,
    /// Who reaches the servers over the network.
    pub network_policy: Found<Arc<NetworkPolicy>>,
    /// Whether the status says that there was a `NetworkPolicy`.
    pub was_restricted: bool,
    /// From where applications are connected, where there is none yet.
    pub callers: Callers,
    /// Where the operator runs.
    pub operator: OperatorPlace,
    /// The Service that applications connect to.
    pub service: Found<Arc<Service>>,
    /// The Service that governs the pods.
    pub headless_service: Found<Arc<Service>>,
    /// redis.conf.
    pub config_map: Found<Arc<ConfigMap>>,
    /// The applications' settings.
    pub application_settings: Found<Arc<ConfigMap>>,
    /// The `StatefulSet`.
    pub stateful_set: Found<Arc<StatefulSet>>,
    /// The Secret with the operator's own login.
    pub operator_login: Found<Arc<Secret>>,
    /// The Secret that Redis mounts.
    pub users: Found<Arc<Secret>>,
    /// The Secret that applications mount.
    pub connection: Found<Arc<Secret>>,
    /// The Secret with the applications' next password, while one follows another. It is asked for on request only, so that
    /// somebody else's of that name stands in the way of nothing but that.
    pub rotation: Found<Arc<Secret>>,
    /// What the API server made of the `StatefulSet` when it was last applied, as far as that is known.
    pub admitted: Option<Admitted>,
    /// The Secret with the operator's own authority.
    pub certificate_authority: Found<Arc<Secret>>,
    /// The Secret with the certificate that the operator made.
    pub server_certificate: Found<Arc<Secret>>,
    /// The user's Secret that is to provide the certificate.
    pub provided_certificate: Option<Arc<Secret>>,
    /// What was verified of certificates before.
    pub verified: Arc<Verified>,
    /// Which objects were found to be as they are wanted.
    pub settled: Arc<Settled>,
    /// The claim of the pod's volume, while it is not known to be labelled as what outlives the cache is.
    pub claim: Option<ObjectMeta>,
    /// The volume of the pod's claim.
    pub volume: Volume,
    /// The pods of the `StatefulSet`, by name.
    pub pods: Vec<Arc<Pod>>,
    /// The pods that the Service sends connections to, and that are none of those.
    pub strangers: Vec<String>,
    /// The latest look at each server.
    pub samples: Vec<Sample>,
    /// Who uses the cache, where something is to be said of it.
    pub consumers: Consumers,
    /// The pods that use the connection, where the end of a password depends on them.
    pub processes: Processes,
    /// What the status says of requests.
    pub operations: Vec<OperationStatus>,
}

// By hand: derived, it would print the content of Secrets.
impl fmt::Debug for Live {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Live").field("samples", &self.samples).finish_non_exhaustive()
    }
}

impl Live {
    /// The first name that somebody else's object stands under, with its kind and holder.
    #[must_use]
    pub fn taken(&self, owner: &str) -> Option<Taken> {
        let mut places = self.places(owner).into_iter().map(|place| (place.kind.as_str(), place));
        places.find_map(|(kind, place)| match place.holder {
            Holder::Foreign(holder) => Some(Taken { kind, name: place.name, holder, is_restored: false }),
            Holder::Restored(holder) => Some(Taken { kind, name: place.name, holder, is_restored: true }),
            Holder::Unowned(_) | Holder::Earlier | Holder::Free => None,
        })
    }

    /// What is the owner's own and is owned by nobody, as after a restore from a backup.
    #[must_use]
    pub fn unowned(&self, owner: &str) -> Vec<Reference> {
        let places = self.places(owner).into_iter().chain([self.rotation(owner), self.policy(owner)]);
        let unowned = places.filter_map(|place| match place.holder {
            Holder::Unowned(metadata) => Some(Reference { kind: place.kind, metadata: *metadata }),
            Holder::Free | Holder::Earlier | Holder::Restored(_) | Holder::Foreign(_) => None,
        });
        unowned.collect()
    }

    fn rotation(&self, owner: &str) -> Place {
        place(Kind::Secret, crate::kubernetes::name::redis_rotation(owner), &self.rotation)
    }

    fn policy(&self, owner: &str) -> Place {
        place(Kind::NetworkPolicy, crate::kubernetes::name::redis(owner), &self.network_policy)
    }

    /// The first object that an earlier `TokenCache` of this name left behind and that is still being collected.
    #[must_use]
    pub fn leftover(&self, owner: &str) -> Option<String> {
        let mut places = self.places(owner).into_iter();
        places
            .find(|place| place.holder == Holder::Earlier)
            .map(|place| format!("{} {}", place.kind.as_str(), place.name))
    }

    fn places(&self, owner: &str) -> [Place; 11] {
        use crate::kubernetes::name;
        // Without `..`: an object that nobody looks at here does not compile.
        let Self {
            service_account,
            // A policy of somebody else's keeps no cache from its work.
            network_policy: _,
            was_restricted: _,
            callers: _,
            operator: _,
            service,
            headless_service,
            config_map,
            application_settings,
            stateful_set,
            operator_login,
            users,
            connection,
            rotation: _,
            admitted: _,
            certificate_authority,
            server_certificate,
            provided_certificate: _,
            verified: _,
            settled: _,
            claim: _,
            volume: _,
            pods: _,
            strangers: _,
            samples: _,
            consumers: _,
            processes: _,
            operations: _,
        } = self;
        [
            place(Kind::ServiceAccount, name::redis(owner), service_account),
            place(Kind::Service, name::redis(owner), service),
            place(Kind::Service, name::redis_headless(owner), headless_service),
            place(Kind::ConfigMap, name::redis_config(owner), config_map),
            place(Kind::ConfigMap, name::settings(owner), application_settings),
            place(Kind::StatefulSet, name::redis(owner), stateful_set),
            place(Kind::Secret, name::redis_operator(owner), operator_login),
            place(Kind::Secret, name::redis_users(owner), users),
            place(Kind::Secret, name::redis(owner), connection),
            place(Kind::Secret, name::redis_ca(owner), certificate_authority),
            place(Kind::Secret, name::redis_tls(owner), server_certificate),
        ]
    }
}

/// A name that is somebody else's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The object's kind.
    pub kind: &'static str,
    /// The object's name.
    pub name: String,
    /// Whose it is, in words; or who wrote it.
    pub holder: String,
    /// Whether it is the owner's own by all it carries, but for who wrote it.
    pub is_restored: bool,
}

struct Place {
    kind: Kind,
    name: String,
    holder: Holder,
}

#[derive(PartialEq)]
enum Holder {
    Free,
    Unowned(Box<ObjectMeta>),
    Earlier,
    Restored(String),
    Foreign(String),
}

fn place<T: Resource>(kind: Kind, name: String, found: &Found<Arc<T>>) -> Place {
    let is_unowned = |metadata: &ObjectMeta| metadata.owner_references.as_ref().is_none_or(Vec::is_empty);
    let holder = match found {
        Found::Owned(object) if is_unowned(object.meta()) => Holder::Unowned(Box::new(object.meta().clone())),
        Found::Absent | Found::Owned(_) => Holder::Free,
        Found::Leftover => Holder::Earlier,
        Found::Restored(manager) => Holder::Restored(manager.clone()),
        Found::Foreign(holder) => Holder::Foreign(holder.clone()),
    };
    Place { kind, name, holder }
}

/// From where applications are connected to a cache without a `NetworkPolicy`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Callers {
    /// It was not asked, or could not be told.
    #[default]
    Unknown,
    /// From pods that the policy lets through, all of them; or nobody is.
    Inside,
    /// From these addresses too.
    Outside(BTreeSet<IpAddr>),
}

impl Callers {
    /// Of the addresses from which applications are connected, those that no pod of the namespace has.
    #[must_use]
    pub fn of(addresses: &BTreeSet<IpAddr>, pods: &BTreeSet<IpAddr>) -> Self {
        let outside: BTreeSet<IpAddr> = abroad(addresses).difference(pods).copied().collect();
        if outside.is_empty() { Self::Inside } else { Self::Outside(outside) }
    }
}

/// The addresses that a policy has a say in: who connects within the server's own pod, as `kubectl port-forward` does, is
/// never kept out.
#[must_use]
pub fn abroad(addresses: &BTreeSet<IpAddr>) -> BTreeSet<IpAddr> {
    let own = [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)];
    addresses.iter().map(IpAddr::to_canonical).filter(|address| !own.contains(address)).collect()
}
