//! What a pass saw of a cache's Redis: values only.

use std::{fmt, sync::Arc};

use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{ConfigMap, Pod, Secret, Service, ServiceAccount},
    networking::v1::NetworkPolicy,
};

use super::{network::Callers, sample::Sample};
use crate::{
    api::v1alpha1::OperationStatus,
    kubernetes::{identity::Found, settled::Settled, workload::Consumers},
};

/// What a pass saw of a cache's Redis.
#[derive(Clone)]
pub struct Observed {
    /// The account of the pods.
    pub service_account: Found<Arc<ServiceAccount>>,
    /// Who reaches the servers over the network.
    pub network_policy: Found<Arc<NetworkPolicy>>,
    /// Whether the status says that there was a `NetworkPolicy`.
    pub was_restricted: bool,
    /// From where applications are connected, where there is none yet.
    pub callers: Callers,
    /// The namespace of the operator's own pod, where that is known.
    pub operator_namespace: Option<String>,
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
    pub settled: Option<Settled>,
    /// The Secret with the operator's own authority.
    pub certificate_authority: Found<Arc<Secret>>,
    /// The Secret with the certificate that the operator made.
    pub server_certificate: Found<Arc<Secret>>,
    /// The user's Secret that is to provide the certificate.
    pub provided_certificate: Option<Arc<Secret>>,
    /// The pods of the `StatefulSet`, by name.
    pub pods: Vec<Arc<Pod>>,
    /// The latest look at each server.
    pub samples: Vec<Sample>,
    /// Who uses the cache, where something is to be said of it.
    pub consumers: Consumers,
    /// What the status says of requests.
    pub operations: Vec<OperationStatus>,
}

// By hand: derived, it would print the content of Secrets.
impl fmt::Debug for Observed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Observed").field("samples", &self.samples).finish_non_exhaustive()
    }
}

impl Observed {
    /// The first name that somebody else's object stands under, with its kind and holder.
    #[must_use]
    pub fn taken(&self, owner: &str) -> Option<Taken> {
        self.places(owner).into_iter().find_map(|place| match place.holder {
            Holder::Foreign(holder) => Some(Taken { kind: place.kind, name: place.name, holder }),
            Holder::Earlier | Holder::Free => None,
        })
    }

    /// The first object that an earlier `TokenCache` of this name left behind and that is still being collected.
    #[must_use]
    pub fn leftover(&self, owner: &str) -> Option<String> {
        let mut places = self.places(owner).into_iter();
        places.find(|place| place.holder == Holder::Earlier).map(|place| format!("{} {}", place.kind, place.name))
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
            operator_namespace: _,
            service,
            headless_service,
            config_map,
            application_settings,
            stateful_set,
            operator_login,
            users,
            connection,
            rotation: _,
            settled: _,
            certificate_authority,
            server_certificate,
            provided_certificate: _,
            pods: _,
            samples: _,
            consumers: _,
            operations: _,
        } = self;
        [
            place("ServiceAccount", name::redis(owner), service_account),
            place("Service", name::redis(owner), service),
            place("Service", name::redis_headless(owner), headless_service),
            place("ConfigMap", name::redis_config(owner), config_map),
            place("ConfigMap", name::settings(owner), application_settings),
            place("StatefulSet", name::redis(owner), stateful_set),
            place("Secret", name::redis_operator(owner), operator_login),
            place("Secret", name::redis_users(owner), users),
            place("Secret", name::redis(owner), connection),
            place("Secret", name::redis_ca(owner), certificate_authority),
            place("Secret", name::redis_tls(owner), server_certificate),
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
    /// Whose it is, in words.
    pub holder: String,
}

struct Place {
    kind: &'static str,
    name: String,
    holder: Holder,
}

#[derive(PartialEq, Eq)]
enum Holder {
    Free,
    Earlier,
    Foreign(String),
}

fn place<T>(kind: &'static str, name: String, found: &Found<T>) -> Place {
    let holder = match found {
        Found::Nothing | Found::Ours(_) => Holder::Free,
        Found::Earlier => Holder::Earlier,
        Found::Foreign(holder) => Holder::Foreign(holder.clone()),
    };
    Place { kind, name, holder }
}
