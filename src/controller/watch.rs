//! The watches: what the operator made, kept in caches, and which `TokenCache` a change belongs to.
//!
//! In: a client and where to watch. Out: caches and streams of changes. Secrets are watched by metadata only; everything
//! but the `TokenCache`s themselves is watched by label. (Users' Secrets: see `kubernetes::read::named`.) A watch that fails is logged and tried again by itself: an error
//! that reached the controller would hold up every other watch, and the news of the servers, for up to a minute.

use std::{
    collections::{BTreeSet, HashSet},
    fmt::{self, Debug},
    time::Duration,
};

use futures::{Stream, StreamExt, future::ready, stream};
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
        reflector::{self, ObjectRef},
        watcher::{self, Event, watcher},
    },
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    api::v1alpha1::{StoredStatus, TokenCache},
    capability::token_cache::TokenCacheRef,
    condition::ConditionType,
    kubernetes::{
        identity::{
            STATUS_FIELD_MANAGER,
            labels::{EARLIER_SELECTOR, MANAGED_SELECTOR, POD_SELECTOR, named_owner},
            managed_fields,
        },
        read::cache::{Cache, WatchEnded},
        words,
    },
    redis,
};

/// How many passes run at the same time.
const CONCURRENT_PASSES: u16 = 16;

/// How many objects of a list are read at once.
pub const LIST_PAGE: u32 = 50;

/// How long a change of a pod, or of its `StatefulSet`, waits for the next one.
const GATHERED: Duration = Duration::from_millis(250);

/// How many changes wait at most.
const MOST_GATHERED: usize = 256;

/// A `TokenCache` that may not be readable: one that is not must not hide the others.
pub type Guarded = DeserializeGuard<TokenCache>;

/// A `TokenCache` by namespace and name.
pub type GuardedRef = ObjectRef<Guarded>;

/// What prober and sweeper call it.
#[must_use]
pub fn token_cache(key: &GuardedRef) -> TokenCacheRef {
    TokenCacheRef { namespace: key.namespace.clone().unwrap_or_default(), name: key.name.clone() }
}

/// What the controller calls it.
#[must_use]
pub fn key(cache: &TokenCacheRef) -> GuardedRef {
    GuardedRef::new(&cache.name).within(&cache.namespace)
}

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
    /// The `TokenCache`s that Secrets name by their labels, whether there is such a one or not.
    #[must_use]
    pub fn instances(&self) -> Vec<GuardedRef> {
        let named = self.secrets.instances().into_iter().chain(self.earlier_secrets.instances());
        let named: BTreeSet<(String, String)> = named.collect();
        named.into_iter().map(|(namespace, name)| GuardedRef::new(&name).within(&namespace)).collect()
    }

    /// Nobody uses the objects of this instance for now.
    pub fn rest(&self, namespace: &str, instance: &str) {
        // The Secrets rest where they are read.
        let Self { service_accounts, network_policies, services, config_maps, stateful_sets, pods, .. } = self;
        service_accounts.rest(namespace, instance);
        network_policies.rest(namespace, instance);
        services.rest(namespace, instance);
        config_maps.rest(namespace, instance);
        stateful_sets.rest(namespace, instance);
        pods.rest(namespace, instance);
    }

    /// Waits until every watch has listed what was there at its start.
    ///
    /// # Errors
    /// Where the operator is shutting down.
    pub async fn ready(&self) -> Result<(), WatchEnded> {
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

/// The controller over all `TokenCache`s of a scope, and the caches that its watches fill while it runs. `is_echo` tells a
/// `TokenCache` as a pass has left it.
#[must_use]
pub fn controller(
    client: &Client,
    scope: &Scope,
    is_echo: impl Fn(&Guarded) -> bool + Send + Sync + 'static,
) -> (Controller<Guarded>, Caches) {
    let (token_caches, writer) = reflector::store();
    let events = watcher(scope.api::<Guarded>(client), paged());
    let events = events.default_backoff().modify(slim_cache);
    let events = events.reflect(writer).filter_map(|event| ready(told("TokenCache", event)));
    let changed = events.filter_map(move |event| {
        ready(match event {
            // What a pass has written itself is no reason for another one. A list may hide what came before it.
            Event::Apply(cache) if is_echo(&cache) => None,
            Event::Apply(cache) | Event::InitApply(cache) | Event::Delete(cache) => Some(Ok(cache)),
            Event::Init | Event::InitDone => None,
        })
    });
    let controller =
        Controller::for_stream(changed, token_caches).with_config(Config::default().concurrency(CONCURRENT_PASSES));
    let ours = || paged().labels(MANAGED_SELECTOR);
    let (service_accounts, changed) = kept::<ServiceAccount>(client, scope, ours(), owners, never);
    let controller = controller.reconcile_on(changed);
    let (network_policies, changed) = kept::<NetworkPolicy>(client, scope, ours(), owners, never);
    let controller = controller.reconcile_on(changed);
    let (services, changed) = kept::<Service>(client, scope, ours(), owners, never);
    let controller = controller.reconcile_on(changed);
    let (config_maps, changed) = kept::<ConfigMap>(client, scope, ours(), owners, never);
    let controller = controller.reconcile_on(changed);
    let (stateful_sets, rolled) = kept::<StatefulSet>(client, scope, ours(), owners, redis::tells_the_same);
    let of_pods = paged().labels(POD_SELECTOR);
    let (pods, changed) = kept::<Pod>(client, scope, of_pods, |pod| instance(pod).into_iter().collect(), never);
    let controller = controller.reconcile_on(gathered(stream::select(rolled, changed)));
    let (secrets, changed) = kept::<PartialObjectMeta<Secret>>(client, scope, ours(), owners, never);
    let controller = controller.reconcile_on(changed);
    let earlier = paged().labels(EARLIER_SELECTOR);
    let (earlier_secrets, changed) = kept::<PartialObjectMeta<Secret>>(client, scope, earlier, owners, never);
    let controller = controller.reconcile_on(changed);
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

/// A cache of one kind, and those whom the changes concern that have reached it. Deletions are among them; what the operator has
/// written itself is not, nor what tells the same as before.
fn kept<K>(
    client: &Client,
    scope: &Scope,
    config: watcher::Config,
    concerned: fn(&K) -> Vec<GuardedRef>,
    tells_the_same: fn(&K, &K) -> bool,
) -> (Cache<K>, impl Stream<Item = GuardedRef> + Send + 'static)
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Serialize
        + DeserializeOwned
        + Clone
        + Debug
        + Send
        + Sync
        + 'static,
{
    let cache = Cache::default();
    let noted = cache.clone();
    let events = watcher(scope.api::<K>(client), config).default_backoff().modify(slim);
    let changes = events
        .filter_map(move |event| ready(told(&K::kind(&()), event).and_then(|event| noted.note(event, tells_the_same))));
    (cache, changes.flat_map(move |object| stream::iter(concerned(&object))).boxed())
}

/// Each `TokenCache` once, of those whom changes concern that come within a moment of the first: a pod that starts changes some times
/// in a row, and its `StatefulSet` with it.
fn gathered(
    concerned: impl Stream<Item = GuardedRef> + Send + 'static,
) -> impl Stream<Item = GuardedRef> + Send + 'static {
    let chunks = tokio_stream::StreamExt::chunks_timeout(concerned, MOST_GATHERED, GATHERED);
    chunks.flat_map(|chunk| stream::iter(chunk.into_iter().collect::<HashSet<_>>()))
}

/// Of most objects whatever has changed may tell something.
fn never<K>(_: &K, _: &K) -> bool {
    false
}

/// What a watch begins with comes in parts, of which each is in memory as a whole.
fn paged() -> watcher::Config {
    watcher::Config::default().page_size(LIST_PAGE)
}

/// What a watch tells; that it failed is logged.
fn told<E>(kind: &str, event: Result<E, watcher::Error>) -> Option<E> {
    event.inspect_err(|error| tracing::warn!(kind, why = words::of(error), "a watch failed; it is tried again")).ok()
}

fn slim<K: Resource>(object: &mut K) {
    managed_fields::slim(object.meta_mut());
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
fn owners<K: Resource<DynamicType = ()>>(object: &K) -> Vec<GuardedRef> {
    let namespace = object.namespace().unwrap_or_default();
    let kind = TokenCache::kind(&());
    let owners = object.owner_references().iter().filter(|owner| owner.kind == kind);
    owners.map(|owner| GuardedRef::new(&owner.name).within(&namespace)).chain(instance(object)).collect()
}

/// The `TokenCache` that an object's labels name. Of a pod they are all there is: its owner is the `StatefulSet`.
fn instance<K: Resource>(object: &K) -> Option<GuardedRef> {
    Some(GuardedRef::new(named_owner(object.labels())?).within(&object.namespace()?))
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster => formatter.write_str("every namespace"),
            Self::Namespace(namespace) => write!(formatter, "namespace {namespace}"),
        }
    }
}

impl Scope {
    /// The API for one kind, in this scope.
    #[must_use]
    pub fn api<K>(&self, client: &Client) -> Api<K>
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
