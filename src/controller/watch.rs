//! The watches: what the operator made, kept in caches, and which `TokenCache` a change belongs to.
//!
//! In: a client and where to watch. Out: caches and streams of changes. Secrets are watched by metadata only; everything
//! but the `TokenCache`s themselves is watched by label. (Users' Secrets: see [`super::named`].) A watch that fails is logged and tried again by itself: an error
//! that reached the controller would hold up every other watch, and the news of the servers, for up to a minute.

use std::fmt::Debug;

use futures::{Stream, StreamExt, TryStreamExt};
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::StatefulSet,
        core::v1::{ConfigMap, Pod, Secret, Service, ServiceAccount},
        networking::v1::NetworkPolicy,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Api, Client, Resource, ResourceExt,
    core::{DeserializeGuard, PartialObjectMeta},
    runtime::{
        Controller, WatchStreamExt,
        controller::Config,
        reflector::{self, ObjectRef, store::WriterDropped},
        watcher,
    },
};
use serde::de::DeserializeOwned;

use crate::{
    api::v1alpha1::{StoredStatus, TokenCache},
    condition::ConditionType,
    kubernetes::{
        cache::Cache,
        identity::{EARLIER_SELECTOR, MANAGED_SELECTOR, POD_SELECTOR, STATUS_FIELD_MANAGER, named_owner},
        managed_fields,
    },
};

/// How many passes run at the same time.
const CONCURRENT_PASSES: u16 = 16;

/// A `TokenCache` that may not be readable: one that is not must not hide the others.
pub type Guarded = DeserializeGuard<TokenCache>;

/// A `TokenCache` by namespace and name.
pub type Key = ObjectRef<Guarded>;

/// Where to watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Every namespace.
    Cluster,
    /// This one only; then no right beyond it is needed.
    Namespace(String),
}

/// What the watches saw.
#[derive(Clone)]
pub struct Caches {
    /// All accounts that the operator made.
    pub service_accounts: Cache<ServiceAccount>,
    /// All `NetworkPolicy`s that the operator made.
    pub network_policies: Cache<NetworkPolicy>,
    /// All Services that the operator made.
    pub services: Cache<Service>,
    /// All `ConfigMap`s that the operator made.
    pub config_maps: Cache<ConfigMap>,
    /// All `StatefulSet`s that the operator made.
    pub stateful_sets: Cache<StatefulSet>,
    /// All pods of those `StatefulSet`s.
    pub pods: Cache<Pod>,
    /// The metadata of all Secrets that the operator made.
    pub secrets: Cache<PartialObjectMeta<Secret>>,
    /// The metadata of those that an earlier version of the operator made, until they are labelled as they are now.
    pub earlier_secrets: Cache<PartialObjectMeta<Secret>>,
}

impl Caches {
    /// Waits until every watch has listed what was there at its start.
    ///
    /// # Errors
    /// Where the operator is shutting down.
    pub async fn ready(&self) -> Result<(), WriterDropped> {
        // Not for policies: an operator that was upgraded without the right to them is to say so, and not to wait for ever. What
        // the watch does not show is looked up.
        let Self {
            service_accounts,
            network_policies: _,
            services,
            config_maps,
            stateful_sets,
            pods,
            secrets,
            earlier_secrets,
        } = self;
        service_accounts.wait_until_ready().await?;
        services.wait_until_ready().await?;
        config_maps.wait_until_ready().await?;
        stateful_sets.wait_until_ready().await?;
        pods.wait_until_ready().await?;
        secrets.wait_until_ready().await?;
        earlier_secrets.wait_until_ready().await
    }
}

/// The controller over all `TokenCache`s of a scope, and the caches that its watches fill while it runs.
#[must_use]
pub fn controller(client: &Client, scope: &Scope) -> (Controller<Guarded>, Caches) {
    let (token_caches, changed) = kept_as::<Guarded>(client, scope, watcher::Config::default(), slim_cache);
    let controller = Controller::for_stream(changed.map(Ok), token_caches.store())
        .with_config(Config::default().concurrency(CONCURRENT_PASSES));
    let ours = || watcher::Config::default().labels(MANAGED_SELECTOR);
    let (service_accounts, changed) = kept::<ServiceAccount>(client, scope, ours());
    let controller = controller.watches_stream(changed.map(Ok), |object| owners(&object));
    let (network_policies, changed) = kept::<NetworkPolicy>(client, scope, ours());
    let controller = controller.watches_stream(changed.map(Ok), |object| owners(&object));
    let (services, changed) = kept::<Service>(client, scope, ours());
    let controller = controller.watches_stream(changed.map(Ok), |object| owners(&object));
    let (config_maps, changed) = kept::<ConfigMap>(client, scope, ours());
    let controller = controller.watches_stream(changed.map(Ok), |object| owners(&object));
    let (stateful_sets, changed) = kept::<StatefulSet>(client, scope, ours());
    let controller = controller.watches_stream(changed.map(Ok), |object| owners(&object));
    let (pods, changed) = kept::<Pod>(client, scope, watcher::Config::default().labels(POD_SELECTOR));
    let controller = controller.watches_stream(changed.map(Ok), |pod| instance(&pod));

    let (secrets, changed) = kept::<PartialObjectMeta<Secret>>(client, scope, ours());
    let controller = controller.watches_stream(changed.map(Ok), |object| owners(&object));
    let earlier = watcher::Config::default().labels(EARLIER_SELECTOR);
    let (earlier_secrets, changed) = kept::<PartialObjectMeta<Secret>>(client, scope, earlier);
    let controller = controller.watches_stream(changed.map(Ok), |object| owners(&object));
    let caches = Caches {
        service_accounts,
        network_policies,
        services,
        config_maps,
        stateful_sets,
        pods,
        secrets,
        earlier_secrets,
    };
    (controller, caches)
}

/// A cache of one kind, and the changes that have reached it. Deletions are among them.
fn kept<K>(
    client: &Client,
    scope: &Scope,
    config: watcher::Config,
) -> (Cache<K>, impl Stream<Item = K> + Send + 'static)
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + DeserializeOwned
        + Clone
        + Debug
        + Send
        + Sync
        + 'static,
{
    kept_as(client, scope, config, slim)
}

/// As [`kept`], with this done to each object before it is kept.
fn kept_as<K>(
    client: &Client,
    scope: &Scope,
    config: watcher::Config,
    slim: fn(&mut K),
) -> (Cache<K>, impl Stream<Item = K> + Send + 'static)
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + DeserializeOwned
        + Clone
        + Debug
        + Send
        + Sync
        + 'static,
{
    let (store, writer) = reflector::store();
    let cache = Cache::over(store);
    let noted = cache.clone();
    let watched = watcher(scope.api::<K>(client), config).default_backoff().modify(slim);
    let watched = watched.inspect_ok(move |event| noted.note(event));
    let changes = watched.reflect(writer).touched_objects().filter_map(async |change| {
        change
            .inspect_err(|error| tracing::warn!(kind = %K::kind(&()), %error, "a watch failed; it is tried again"))
            .ok()
    });
    (cache, changes.boxed())
}

fn slim<K: Resource>(object: &mut K) {
    managed_fields::slim(object.managed_fields_mut());
}

fn slim_cache(cache: &mut Guarded) {
    if let Ok(TokenCache { metadata, status: Some(status), .. }) = &mut cache.0 {
        leave_to_others(status, metadata);
    }
    slim(cache);
}

/// Leaves to others what they wrote into a status. What another version of the operator wrote, which this one does not know, it
/// did as the same field manager.
pub fn leave_to_others(status: &mut StoredStatus, object: &ObjectMeta) {
    status.leave(ConditionType::is_known, &managed_fields::written(object, STATUS_FIELD_MANAGER, "status"));
}

/// The `TokenCache`s that an object concerns: the one that owns it, and the one that its labels name, which hears of it
/// also when somebody took the owner away.
fn owners<K: Resource<DynamicType = ()>>(object: &K) -> Vec<Key> {
    let namespace = object.namespace().unwrap_or_default();
    let kind = TokenCache::kind(&());
    let owners = object.owner_references().iter().filter(|owner| owner.kind == kind);
    owners.map(|owner| Key::new(&owner.name).within(&namespace)).chain(instance(object)).collect()
}

/// The `TokenCache` that an object's labels name. Of a pod they are all there is: its owner is the `StatefulSet`.
fn instance<K: Resource>(object: &K) -> Option<Key> {
    Some(Key::new(named_owner(object.labels())?).within(&object.namespace()?))
}

impl Scope {
    /// The API for one kind, in this scope.
    fn api<K>(&self, client: &Client) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        match self {
            Self::Cluster => Api::all(client.clone()),
            Self::Namespace(namespace) => Api::namespaced(client.clone(), namespace),
        }
    }
}
