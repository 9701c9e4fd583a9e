//! What every pass shares: the way to the API server, the watch caches, the probes, and the clock.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{Pod, Secret},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{Client, Resource};
use tokio::sync::watch as signal;

use super::{
    brake::Brake,
    memory::Written,
    watch::{Caches, GuardedRef, Scope, token_cache},
};
use crate::{
    data_protection::KeyRing,
    kubernetes::{
        identity::{labels::is_managed, managed_fields},
        name,
        object::{Kind, Object, Reference},
        read::{consumers::ConsumerLookup, named::NamedSecrets, secret::SecretReader},
        write::{admitted::Admitted, settled::Settled},
    },
    probe::{prober::Prober, sweeper::Sweeper},
    redis::Verified,
};

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
    /// The namespace of the operator's pod; `None` where it runs in none.
    pub operator_namespace: Option<String>,
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
    /// The namespace of the operator's pod, where that is known.
    pub operator_namespace: Option<String>,
    failures: Mutex<HashMap<GuardedRef, u32>>,
    /// The statuses that were written last.
    pub written: Arc<Written>,
    admitted: Mutex<HashMap<GuardedRef, Admitted>>,
    opened: Mutex<HashMap<GuardedRef, Arc<KeyRing>>>,
    verified: Mutex<HashMap<GuardedRef, Arc<Verified>>>,
    settled: Mutex<HashMap<GuardedRef, Arc<Settled>>>,
    left: Mutex<HashMap<GuardedRef, HashSet<String>>>,
    claims: Mutex<HashMap<GuardedRef, String>>,
    brakes: Mutex<HashMap<GuardedRef, Brake>>,
    marked: Mutex<HashMap<GuardedRef, HashMap<String, Option<String>>>>,
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
            operator_namespace: options.operator_namespace.clone(),
            failures: Mutex::default(),
            written,
            admitted: Mutex::default(),
            opened: Mutex::default(),
            verified: Mutex::default(),
            settled: Mutex::default(),
            left: Mutex::default(),
            claims: Mutex::default(),
            brakes: Mutex::default(),
            marked: Mutex::default(),
        }
    }

    /// The time. Nothing else reads the clock.
    #[must_use]
    pub fn now() -> Timestamp {
        Timestamp::now()
    }

    /// Counts one more failure in a row of a cache, and returns how many there were before.
    pub fn failed(&self, key: &GuardedRef) -> u32 {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(key.clone()).or_default();
        std::mem::replace(count, count.saturating_add(1))
    }

    /// How many failures in a row there were.
    pub fn failures(&self, key: &GuardedRef) -> u32 {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).get(key).copied().unwrap_or_default()
    }

    /// Ends a row of failures.
    pub fn succeeded(&self, key: &GuardedRef) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// Remembers what the API server made of a cache's `StatefulSet`.
    pub fn admit(&self, key: &GuardedRef, admitted: Admitted) {
        self.admitted.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), admitted);
    }

    /// What the API server made of a cache's `StatefulSet` when this process applied it last.
    pub fn admitted(&self, key: &GuardedRef) -> Option<Admitted> {
        self.admitted.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
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

    /// Asks the brake of a cache's objects, or tells it something.
    pub fn brake<T>(&self, key: &GuardedRef, act: impl FnOnce(&mut Brake) -> T) -> T {
        act(self.brakes.lock().unwrap_or_else(PoisonError::into_inner).entry(key.clone()).or_default())
    }

    /// What the last pass has opened of a cache's key ring.
    pub fn opened(&self, key: &GuardedRef) -> Arc<KeyRing> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned().unwrap_or_default()
    }

    /// What was verified of a cache's certificates before.
    pub fn verified(&self, key: &GuardedRef) -> Arc<Verified> {
        Arc::clone(self.verified.lock().unwrap_or_else(PoisonError::into_inner).entry(key.clone()).or_default())
    }

    /// Which objects of a cache were found to be as they are wanted.
    pub fn settled(&self, key: &GuardedRef) -> Arc<Settled> {
        Arc::clone(self.settled.lock().unwrap_or_else(PoisonError::into_inner).entry(key.clone()).or_default())
    }

    /// Lets go of what a pass has read: it is over.
    pub fn rest(&self, key: &GuardedRef) {
        let (namespace, name) = (key.namespace.as_deref().unwrap_or_default(), key.name.as_str());
        self.caches.rest(namespace, name);
        self.secrets.rest(namespace, name);
        if let Some(verified) = self.verified.lock().unwrap_or_else(PoisonError::into_inner).get(key) {
            verified.rest();
        }
    }

    /// Remembers what a pass has opened of a cache's key ring; nothing, where it has none.
    pub fn open(&self, key: &GuardedRef, opened: Option<&KeyRing>) {
        let mut rings = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        match opened {
            None => drop(rings.remove(key)),
            Some(opened) if rings.get(key).is_some_and(|known| **known == *opened) => {}
            Some(opened) => drop(rings.insert(key.clone(), Arc::new(opened.clone()))),
        }
    }

    /// Those of the objects that are left alone of which this process has not told yet; from now on it has.
    pub fn not_told_of<'seen>(&self, key: &GuardedRef, left: &'seen [Reference]) -> Vec<&'seen Reference> {
        let mut told = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let uids = left.iter().filter_map(|child| child.metadata.uid.clone()).collect::<HashSet<_>>();
        let before = if uids.is_empty() { told.remove(key) } else { told.insert(key.clone(), uids) };
        let before = before.unwrap_or_default();
        left.iter().filter(|child| child.metadata.uid.as_ref().is_none_or(|uid| !before.contains(uid))).collect()
    }

    /// Whether the claim of this pod is known to need nothing.
    pub fn is_claim_seen(&self, key: &GuardedRef, pod: &Pod) -> bool {
        let claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        pod.metadata.uid.is_some() && claims.get(key) == pod.metadata.uid.as_ref()
    }

    /// Remembers that the claim of this pod needs nothing.
    pub fn saw_claim(&self, key: &GuardedRef, pod: &Pod) {
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        self.claims.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), uid);
    }

    /// Whether an object was labelled at the version that it has, and is as it was: a policy of the cluster undoes it.
    pub fn is_marked_in_vain(&self, key: &GuardedRef, seen: &ObjectMeta) -> bool {
        let marked = self.marked.lock().unwrap_or_else(PoisonError::into_inner);
        let version = seen.uid.as_ref().and_then(|uid| marked.get(key)?.get(uid));
        version.is_some_and(|version| *version == seen.resource_version)
    }

    /// The objects that were labelled, by their UID, with the version at which they were.
    pub fn marked_in_vain(&self, key: &GuardedRef) -> HashMap<String, Option<String>> {
        self.marked.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned().unwrap_or_default()
    }

    /// Remembers that an object was labelled at the version that it was seen at.
    pub fn marked(&self, key: &GuardedRef, seen: &ObjectMeta) {
        let (uid, version) = (seen.uid.clone().unwrap_or_default(), seen.resource_version.clone());
        let mut marked = self.marked.lock().unwrap_or_else(PoisonError::into_inner);
        marked.entry(key.clone()).or_default().insert(uid, version);
    }

    /// Forgets a cache that is gone.
    pub fn forget(&self, key: &GuardedRef) {
        self.succeeded(key);
        self.written.forget(key);
        self.admitted.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        self.prober.forget(&token_cache(key));
        self.sweeper.forget(&token_cache(key));
        self.follow(key, &[]);
        self.open(key, None);
        self.verified.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        self.settled.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        self.not_told_of(key, &[]);
        self.claims.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        // Others may fight over what is left of it.
        let mut brakes = self.brakes.lock().unwrap_or_else(PoisonError::into_inner);
        if brakes.get_mut(key).is_some_and(|brake| brake.is_at_rest(Self::now())) {
            brakes.remove(key);
        }
        drop(brakes);
        self.marked.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        let (namespace, named) = (key.namespace.as_deref().unwrap_or_default(), name::secrets(&key.name));
        let is_of_it =
            |secret: &str| name::outlives_its_owner(&key.name, secret) || named.iter().any(|name| name == secret);
        self.secrets.forget_where(namespace, is_of_it);
    }
}
