//! What every pass shares: the way to the API server, the watch caches, the probes, and the clock.

mod remembered;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::{Client, Resource};
use tokio::sync::watch as signal;

use super::{
    brake::Brake,
    memory::Written,
    watch::{Caches, GuardedRef, Scope, token_cache},
};
use crate::{
    capability::observed::OperatorPlace,
    kubernetes::{
        identity::{labels::is_managed, managed_fields},
        name,
        object::{Kind, Object, Reference},
        read::{consumers::ConsumerLookup, named::NamedSecrets, secret::SecretReader},
    },
    probe::{prober::Prober, sweeper::Sweeper},
};
pub use remembered::Remembered;

/// How to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Where to watch.
    pub scope: Scope,
    /// The time between two looks at a Redis server.
    pub probe_period: Duration,
    /// The least time between two writes of one status: [`PAUSE`](super::memory::PAUSE), but in tests.
    pub status_pause: Duration,
    /// Who reports events: the operator's pod.
    pub reporter: String,
    /// Where the operator runs.
    pub operator: OperatorPlace,
}

/// What every pass shares.
pub struct Context {
    /// The way to the API server.
    pub client: Client,
    /// What the watches saw.
    pub caches: Caches,
    /// Whether every watch has listed what was there at its start.
    pub in_step: signal::Receiver<bool>,
    /// Whether the operator is shutting down.
    pub stopping: signal::Receiver<bool>,
    /// Secrets, by name.
    pub secrets: SecretReader,
    /// Who uses what is published.
    pub consumers: ConsumerLookup,
    /// The looks at Redis servers.
    pub prober: Prober,
    /// The sweeps of their entries.
    pub sweeper: Sweeper,
    named: NamedSecrets<GuardedRef>,
    /// The time between two looks at a server.
    pub probe_period: Duration,
    /// Who reports events: the operator's pod.
    pub reporter: String,
    /// Where the operator runs.
    pub operator: OperatorPlace,
    /// The statuses that were written last.
    pub written: Arc<Written>,
    remembered: Mutex<HashMap<GuardedRef, Remembered>>,
}

/// Without what nobody asks for, as the watches keep objects.
fn slim<K: Resource + Clone>(object: Arc<K>) -> Arc<K> {
    let mut object = Arc::unwrap_or_clone(object);
    managed_fields::slim(object.meta_mut());
    Arc::new(object)
}

impl Context {
    /// A context without a history.
    #[must_use]
    pub fn new(
        client: Client,
        caches: Caches,
        (in_step, stopping): (signal::Receiver<bool>, signal::Receiver<bool>),
        (prober, sweeper): (Prober, Sweeper),
        named: NamedSecrets<GuardedRef>,
        written: Arc<Written>,
        options: &Options,
    ) -> Self {
        let secrets = SecretReader::new(client.clone(), [caches.secrets.clone(), caches.earlier_secrets.clone()]);
        let consumers = ConsumerLookup::new(client.clone());
        Self {
            client,
            caches,
            in_step,
            stopping,
            secrets,
            consumers,
            prober,
            sweeper,
            named,
            probe_period: options.probe_period,
            reporter: options.reporter.clone(),
            operator: options.operator.clone(),
            written,
            remembered: Mutex::default(),
        }
    }

    /// The time. Nothing else reads the clock.
    #[must_use]
    pub fn now() -> Timestamp {
        Timestamp::now()
    }

    /// Asks what this process remembers of a cache, or has it remember something.
    pub fn remember<T>(&self, key: &GuardedRef, act: impl FnOnce(&mut Remembered) -> T) -> T {
        act(self.remembered.lock().unwrap_or_else(PoisonError::into_inner).entry(key.clone()).or_default())
    }

    /// [`Self::remember`] of a cache of which anything is remembered: nothing begins with it.
    pub fn recall<T>(&self, key: &GuardedRef, act: impl FnOnce(&mut Remembered) -> T) -> Option<T> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner).get_mut(key).map(act)
    }

    /// Asks the brake of a cache's objects, or tells it something.
    pub fn brake<T>(&self, key: &GuardedRef, act: impl FnOnce(&mut Brake) -> T) -> T {
        self.remember(key, |remembered| act(&mut remembered.brake))
    }

    /// Puts what was written, or found, into what the next look sees.
    pub fn absorb(&self, object: Object) {
        let is_watched = is_managed(object.metadata());
        let caches = &self.caches;
        match object {
            Object::StatefulSet(object) => caches.stateful_sets.absorb(slim(object), is_watched),
            Object::Service(object) => caches.services.absorb(slim(object), is_watched),
            Object::ConfigMap(object) => caches.config_maps.absorb(slim(object), is_watched),
            Object::Secret(object) => self.secrets.absorb(Arc::unwrap_or_clone(object)),
            Object::ServiceAccount(object) => caches.service_accounts.absorb(slim(object), is_watched),
            Object::NetworkPolicy(object) => caches.network_policies.absorb(slim(object), is_watched),
            // Nothing watches the claims.
            Object::PersistentVolumeClaim(_) => {}
        }
    }

    /// Puts a deletion into what the next look sees.
    pub fn absorb_deletion(&self, object: &Reference) {
        let (caches, metadata) = (&self.caches, object.metadata.clone());
        match object.kind {
            Kind::StatefulSet => caches.stateful_sets.absorb_deletion(&metadata),
            Kind::Service => caches.services.absorb_deletion(&metadata),
            Kind::ConfigMap => caches.config_maps.absorb_deletion(&metadata),
            Kind::Secret => self.secrets.absorb_deletion(&metadata),
            Kind::ServiceAccount => caches.service_accounts.absorb_deletion(&metadata),
            Kind::NetworkPolicy => caches.network_policies.absorb_deletion(&metadata),
            Kind::PersistentVolumeClaim => {}
        }
    }

    /// Reads a Secret anew, whatever the watch shows. Where that fails, the watch is left to tell of it.
    pub async fn reread_secret(&self, namespace: &str, name: &str) {
        match self.secrets.ask(namespace, name).await {
            Ok(Some(secret)) => self.secrets.absorb(Arc::unwrap_or_clone(secret)),
            Ok(None) => self.secrets.forget_written(namespace, name),
            Err(error) => tracing::debug!(%error, namespace, secret = name, "a Secret cannot be read anew"),
        }
    }

    /// Has a pass come whenever one of these Secrets changes, which the user provides, and no others.
    pub fn follow(&self, key: &GuardedRef, secrets: &[String]) {
        let namespace = key.namespace.as_deref().unwrap_or_default();
        let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
        let ended = self.named.follow(key, namespace, &secrets);
        self.secrets.forget(namespace, &ended);
    }

    /// A Secret that the user provides. It has no label of ours, and so is in no cache.
    ///
    /// # Errors
    /// What the API server or the way to it answered.
    pub async fn provided(&self, namespace: &str, name: &str) -> Result<Option<Arc<Secret>>, kube::Error> {
        self.secrets.read_seen(namespace, name, self.named.sight(namespace, name)).await
    }

    /// The object of a cache as it was seen last, where it is one that is made.
    #[must_use]
    pub fn live(&self, namespace: &str, kind: Kind, name: &str) -> Option<Object> {
        let caches = &self.caches;
        match kind {
            Kind::StatefulSet => caches.stateful_sets.get(namespace, name).map(Object::StatefulSet),
            Kind::Service => caches.services.get(namespace, name).map(Object::Service),
            Kind::ConfigMap => caches.config_maps.get(namespace, name).map(Object::ConfigMap),
            Kind::Secret => self.secrets.last(namespace, name).map(Object::Secret),
            Kind::ServiceAccount => caches.service_accounts.get(namespace, name).map(Object::ServiceAccount),
            Kind::NetworkPolicy => caches.network_policies.get(namespace, name).map(Object::NetworkPolicy),
            Kind::PersistentVolumeClaim => None,
        }
    }

    /// Lets go of what a pass has read: it is over.
    pub fn rest(&self, key: &GuardedRef) {
        let (namespace, name) = (key.namespace.as_deref().unwrap_or_default(), key.name.as_str());
        self.caches.rest(namespace, name);
        self.secrets.rest(namespace, name);
        self.recall(key, |remembered| remembered.verified.rest());
    }

    /// Forgets a cache that is gone.
    pub fn forget(&self, key: &GuardedRef) {
        self.written.forget(key);
        self.prober.forget(&token_cache(key));
        self.sweeper.forget(&token_cache(key));
        self.follow(key, &[]);
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = remembered.remove(key).unwrap_or_default();
        // Others may fight over what is left of it.
        if let Some(brake) = gone.into_fights(Self::now()) {
            remembered.insert(key.clone(), brake);
        }
        drop(remembered);
        let (namespace, named) = (key.namespace.as_deref().unwrap_or_default(), name::secrets(&key.name));
        let is_of_it =
            |secret: &str| name::outlives_its_owner(&key.name, secret) || named.iter().any(|name| name == secret);
        self.secrets.forget_where(namespace, is_of_it);
    }
}
