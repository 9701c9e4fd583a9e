//! Reads what there is: the watch caches, and the API server for what they do not hold.
//!
//! In: the settings. Out: values. It never writes.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::{
    api::{
        apps::v1::StatefulSet,
        core::v1::{PersistentVolumeClaim, Pod, Secret, Service},
    },
    apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta},
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ApiResource, DynamicObject},
};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    context::Context,
    plan, ring_secrets,
    settings::Settings,
    snapshot::{Answers, Ask, Snapshot},
    watch::{Key, leave_to_others, token_cache},
};
use crate::{
    api::v1alpha1::{NetworkPolicyMode, OperationStatus, StoredStatus, TokenCache, TokenCacheStatus},
    capability::operation,
    condition::{ConditionType, Verdict},
    data_protection::secrets as ring,
    kubernetes::{
        identity::{Found, OWNER_LABEL, Owner, Ownership, Wanted},
        name,
        object::{Kind, Namespaced, Object, Reference},
        read::{
            cache::Cache,
            process::Processes,
            workload::{Consumers, Source},
        },
        words,
    },
    redis::{
        credentials::{binding, rotation, tls},
        live::{Callers, Observed},
        server::{fit, objects},
        settings::{self as redis_settings, TlsSource},
    },
};

/// Why there is nothing to plan from.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// The API server, or the way to it, did not answer.
    #[error("read {object}: {}", words::of(source.as_ref()))]
    Read {
        /// Which object.
        object: String,
        /// What it answered.
        source: Box<kube::Error>,
    },
}

impl ObserveError {
    /// Whether the operator lacks the right.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        let Self::Read { source, .. } = self;
        matches!(source.as_ref(), kube::Error::Api(status) if matches!(status.code, 401 | 403))
    }
}

/// Looks at what there is, as it is now.
///
/// # Errors
/// Where the API server did not answer.
pub async fn snapshot<'pass>(
    context: &Context,
    key: &Key,
    cache: &'pass TokenCache,
    settings: &Settings,
    previous: &'pass TokenCacheStatus,
    answers: &'pass Answers,
) -> Result<Snapshot<'pass>, ObserveError> {
    // Where nothing is written, nobody is told that a name is not free.
    let unseen = if operation::is_paused(cache) { Unseen::AskedFor } else { Unseen::TakenForAbsent };
    let mut observed = redis(context, key, &settings.redis, previous.operations.clone(), unseen).await?;
    let (samples, entries) = context.prober.latest(&token_cache(key));
    observed.samples = samples;
    observed.was_restricted = is_restricted(previous);
    observed.callers = answers.callers.clone().unwrap_or(Callers::Unknown);
    observed.processes = answers.connection_processes.clone().unwrap_or(Processes::Unknown);
    observed.consumers = answers.connection_consumers.clone().unwrap_or(Consumers::Unknown);
    let consumers = answers.consumers.clone().unwrap_or(Consumers::Unknown);
    let beside = ring::Beside {
        operations: previous.operations.clone(),
        sweep: context.sweeper.progress(&token_cache(key)),
        obstacle: None,
        consumers: consumers.named(&Source::Secret(name::redis(&key.name))),
        processes: answers.ring_processes.clone().unwrap_or(Processes::Unknown),
    };
    let settled = Arc::clone(&observed.settled);
    let ring = ring_secrets::observe(context, &settings.data_protection, (beside, settled), answers, unseen).await?;
    let (now, generation) = (Context::now(), cache.metadata.generation.unwrap_or_default());
    Ok(Snapshot {
        now,
        brake: context.brake(key, |brake| brake.begin(&settings.owner().uid, generation, now).pulled()),
        cache,
        previous,
        redis: observed,
        entries,
        unmarked: ring_secrets::unmarked(context, key, &settings.data_protection, &ring),
        ring,
        opened: context.opened(key),
        children: children(context, settings.owner()),
        answers,
    })
}

/// Asks for what a decision would know better. Returns whether anything was asked for.
///
/// # Errors
/// Where the API server did not answer.
pub async fn answer(
    context: &Context,
    owner: &Owner,
    asks: &[Ask],
    answers: &mut Answers,
) -> Result<bool, ObserveError> {
    let (pods, namespace, now) = (&context.consumers, owner.namespace.as_str(), Context::now());
    let connection = [Source::Secret(name::redis(&owner.name))];
    let of_ring = [name::keys(&owner.name), name::key_certificates(&owner.name)].map(Source::Secret);
    for ask in asks {
        match ask {
            Ask::ConnectionProcesses(since) => {
                answers.connection_processes = Some(pods.processes(namespace, &connection, *since, now).await);
            }
            Ask::RingProcesses(since) => {
                answers.ring_processes = Some(pods.processes(namespace, &of_ring, *since, now).await);
            }
            Ask::Callers(abroad) if abroad.is_empty() => answers.callers = Some(Callers::Inside),
            Ask::Callers(abroad) => {
                let addresses = pods.addresses(namespace, abroad, now).await;
                let callers = addresses.map_or(Callers::Unknown, |addresses| Callers::of(abroad, &addresses));
                answers.callers = Some(callers);
            }
            Ask::Consumers => {
                answers.consumers = Some(pods.consumers(namespace, &published(&owner.name), now).await);
            }
            Ask::ConnectionConsumers => {
                answers.connection_consumers = Some(pods.consumers(namespace, &connection, now).await);
            }
            Ask::OldestRingProcess => {
                answers.is_oldest_process_known = true;
                // While it cannot be found out, they are taken for older than anything that is published.
                answers.oldest_process = match pods.consumers(namespace, &of_ring, now).await {
                    Consumers::Unknown => Some(Timestamp::MIN),
                    known @ Consumers::Known(_) => known.oldest_start(),
                };
            }
            Ask::RingSecrets => answers.listed = Some(ring_secrets::list(context, owner, now).await?),
            Ask::LackingSecrets(names) => answers.lacking.extend(names.iter().cloned()),
            Ask::LackingCertificates => answers.are_certificates_lacking = true,
        }
    }
    Ok(!asks.is_empty())
}

/// Whether a status says that a `NetworkPolicy` is there.
fn is_restricted(status: &TokenCacheStatus) -> bool {
    let of_it = |condition: &&Condition| condition.type_ == ConditionType::NetworkRestricted.as_str();
    status.conditions.iter().find(of_it).is_some_and(|condition| condition.status == Verdict::True.as_str())
}

/// Reads what there is of a cache's Redis.
///
/// # Errors
/// Where the API server did not answer.
async fn redis(
    context: &Context,
    key: &Key,
    settings: &redis_settings::Settings,
    operations: Vec<OperationStatus>,
    unseen: Unseen,
) -> Result<Observed, ObserveError> {
    let owner = &settings.owner;
    let caches = &context.caches;
    let main = name::redis(&owner.name);
    let secret = async |name: String, type_: &str| {
        find_secret(context, owner, &name, &wanted(settings, &|live| fit::secret(live, type_)), unseen).await
    };
    let managed = async |name: String| match settings.tls {
        TlsSource::Managed => secret(name, tls::SECRET_TYPE).await,
        TlsSource::Secret(_) | TlsSource::Disabled => Ok(Found::Nothing),
    };
    let service = async |name: &str, is_headless: bool| {
        let fits = |live: &Service| fit::service(live, is_headless);
        find(context, owner, &caches.services, name, &wanted(settings, &fits), unseen).await
    };
    let config_map = async |name: String| {
        find(context, owner, &caches.config_maps, &name, &wanted(settings, &fit::config_map), unseen).await
    };
    let pods = pods(context, owner);
    Ok(Observed {
        service_account: {
            find(context, owner, &caches.service_accounts, &main, &wanted(settings, &fit::service_account), unseen)
                .await?
        },
        service: service(&main, false).await?,
        headless_service: service(&name::redis_headless(&owner.name), true).await?,
        config_map: config_map(name::redis_config(&owner.name)).await?,
        application_settings: config_map(name::settings(&owner.name)).await?,
        stateful_set: {
            let fits = |live: &StatefulSet| fit::stateful_set(live, settings);
            find(context, owner, &caches.stateful_sets, &main, &wanted(settings, &fits), unseen).await?
        },
        operator_login: secret(name::redis_operator(&owner.name), objects::SECRET_TYPE).await?,
        users: secret(name::redis_users(&owner.name), objects::SECRET_TYPE).await?,
        connection: secret(main.clone(), binding::SECRET_TYPE).await?,
        rotation: if is_rotation_expected(context, settings, &operations) {
            secret(name::redis_rotation(&owner.name), objects::SECRET_TYPE).await?
        } else {
            Found::Nothing
        },
        network_policy: {
            // Where none is wanted, none is asked for: the right to them may be lacking.
            let is_wanted = settings.network_policy != NetworkPolicyMode::None;
            if is_wanted || caches.network_policies.get(&owner.namespace, &main).is_some() {
                let wanted = wanted(settings, &fit::network_policy);
                find(context, owner, &caches.network_policies, &main, &wanted, unseen).await?
            } else {
                Found::Nothing
            }
        },
        was_restricted: false,
        callers: Callers::Unknown,
        operator_namespace: context.operator_namespace.clone(),
        admitted: context.admitted(key),
        certificate_authority: managed(name::redis_ca(&owner.name)).await?,
        server_certificate: match settings.tls {
            TlsSource::Managed | TlsSource::Secret(_) => secret(name::redis_tls(&owner.name), tls::SECRET_TYPE).await?,
            TlsSource::Disabled => Found::Nothing,
        },
        provided_certificate: match &settings.tls {
            TlsSource::Secret(name) => {
                context.provided(&owner.namespace, name).await.map_err(|source| read_error::<Secret>(name, source))?
            }
            TlsSource::Managed | TlsSource::Disabled => None,
        },
        verified: context.verified(key),
        settled: context.settled(key),
        claim: claim(context, key, settings, pods.first().map(AsRef::as_ref)).await,
        pods,
        samples: Vec::new(),
        consumers: Consumers::Unknown,
        processes: Processes::Unknown,
        operations,
    })
}

/// What applications take from a cache.
#[must_use]
pub fn published(cache: &str) -> [Source; 4] {
    [
        Source::Secret(name::redis(cache)),
        Source::Secret(name::keys(cache)),
        Source::Secret(name::key_certificates(cache)),
        Source::ConfigMap(name::settings(cache)),
    ]
}

/// The claim of a pod's volume, which the `StatefulSet` controller has made and given the labels of its selector. It is asked for
/// until it is known to need nothing more: once for each pod, since only with a pod another one can have come. Nothing else
/// depends on it, so that it keeps nothing from being done where it cannot be read.
async fn claim(
    context: &Context,
    key: &Key,
    settings: &redis_settings::Settings,
    pod: Option<&Pod>,
) -> Option<ObjectMeta> {
    let pod = pod.filter(|pod| settings.persistence.is_some() && !context.is_claim_seen(key, pod))?;
    let name = name::data_claim(pod.metadata.name.as_deref()?);
    let owner = &settings.owner;
    let claims = Api::<PersistentVolumeClaim>::namespaced(context.client.clone(), &owner.namespace);
    let claim = match claims.get_metadata_opt(&name).await {
        Ok(claim) => claim?.metadata,
        Err(error) => {
            let why = words::of(&error);
            tracing::warn!(
                why,
                claim = name,
                namespace = owner.namespace,
                "a claim cannot be read, and is not labelled"
            );
            context.saw_claim(key, pod);
            return None;
        }
    };
    // It is of the pod by its name, whatever a policy has made of the labels; but not where it is said to be another cache's.
    let named = claim.labels.as_ref().and_then(|labels| labels.get(OWNER_LABEL));
    let is_ours = named.is_none_or(|named| *named == owner.name);
    let lacks = is_ours && owner.lacking(objects::COMPONENT, &claim).is_some();
    if lacks && !context.is_marked_in_vain(key, &claim) {
        return Some(claim);
    }
    context.saw_claim(key, pod);
    None
}

/// Whether to look for the Secret of a rotation. There seldom is one: it is asked for only where the watch shows it, or where
/// one is expected.
fn is_rotation_expected(
    context: &Context,
    settings: &redis_settings::Settings,
    operations: &[OperationStatus],
) -> bool {
    let name = name::redis_rotation(&settings.owner.name);
    context.secrets.is_watched(&settings.owner.namespace, &name) || rotation::is_expected(settings, operations)
}

fn wanted<'a, K>(settings: &redis_settings::Settings, fits: &'a (dyn Fn(&K) -> bool + Sync)) -> Wanted<'a, K> {
    Wanted { component: objects::COMPONENT, fits, is_restored: settings.is_restored }
}

/// The status of a `TokenCache` whose spec cannot be read.
///
/// # Errors
/// Where the API server did not answer.
pub async fn status(client: &Client, cache: &ObjectMeta) -> Result<Option<StoredStatus>, ObserveError> {
    let (namespace, name) = (cache.namespace.as_deref().unwrap_or_default(), cache.name.as_deref().unwrap_or_default());
    let kind = ApiResource::erase::<TokenCache>(&());
    let api = Api::<DynamicObject>::namespaced_with(client.clone(), namespace, &kind);
    let live = api.get_opt(name).await.map_err(|source| read_error::<TokenCache>(name, source))?;
    Ok(live.and_then(|cache| {
        let mut status: StoredStatus = serde_json::from_value(cache.data["status"].clone()).ok()?;
        leave_to_others(&mut status, &cache.metadata);
        Some(status)
    }))
}

/// The object of this name, as the watch shows it or as it was written or found since. What is not seen is not asked for, since
/// whoever makes it is told that it is there; but where nothing is made, or there is no watch to trust, it is asked for.
async fn find<K>(
    context: &Context,
    owner: &Owner,
    cache: &Cache<K>,
    name: &str,
    wanted: &Wanted<'_, K>,
    unseen: Unseen,
) -> Result<Found<Arc<K>>, ObserveError>
where
    K: Namespaced,
{
    let live = match cache.get(&owner.namespace, name) {
        None if unseen == Unseen::AskedFor || !cache.is_ready() => ask(context, owner, name).await?.map(Arc::new),
        seen => seen,
    };
    Ok(owner.found(live, wanted))
}

/// What becomes of a name under which no watch shows anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unseen {
    /// Nothing is there: whoever makes it is told where something is.
    TakenForAbsent,
    /// The API server is asked.
    AskedFor,
}

async fn ask<K: Namespaced>(context: &Context, owner: &Owner, name: &str) -> Result<Option<K>, ObserveError> {
    let api = Api::<K>::namespaced(context.client.clone(), &owner.namespace);
    api.get_opt(name).await.map_err(|source| read_error::<K>(name, source))
}

/// Whether something was found under the cache's names that no watch shows.
#[must_use]
pub fn is_unwatched(context: &Context, owner: &Owner) -> bool {
    let (caches, namespace) = (&context.caches, owner.namespace.as_str());
    let is_of_it = |kind: Kind, unwatched: Vec<String>| {
        let is_secret = kind == Kind::Secret;
        unwatched.iter().any(|name| {
            plan::names(&owner.name, kind).contains(name) || is_secret && name::outlives_its_owner(&owner.name, name)
        })
    };
    is_of_it(Kind::StatefulSet, caches.stateful_sets.unwatched(namespace))
        || is_of_it(Kind::Service, caches.services.unwatched(namespace))
        || is_of_it(Kind::ConfigMap, caches.config_maps.unwatched(namespace))
        || is_of_it(Kind::ServiceAccount, caches.service_accounts.unwatched(namespace))
        || is_of_it(Kind::NetworkPolicy, caches.network_policies.unwatched(namespace))
        || is_of_it(Kind::Secret, context.secrets.unwatched(namespace))
}

/// Asks again for what was found under the cache's names and no watch shows, such as somebody else's.
///
/// # Errors
/// Where the API server did not answer.
pub async fn refresh(context: &Context, owner: &Owner) -> Result<(), ObserveError> {
    let caches = &context.caches;
    refresh_kind(context, owner, &caches.stateful_sets, Kind::StatefulSet).await?;
    refresh_kind(context, owner, &caches.services, Kind::Service).await?;
    refresh_kind(context, owner, &caches.config_maps, Kind::ConfigMap).await?;
    refresh_kind(context, owner, &caches.service_accounts, Kind::ServiceAccount).await?;
    refresh_kind(context, owner, &caches.network_policies, Kind::NetworkPolicy).await?;
    for name in context.secrets.unwatched(&owner.namespace) {
        let is_ours = plan::names(&owner.name, Kind::Secret).contains(&name);
        if is_ours || name::outlives_its_owner(&owner.name, &name) {
            let live = context.secrets.ask(&owner.namespace, &name).await;
            match live.map_err(|source| read_error::<Secret>(&name, source))? {
                Some(secret) => context.secrets.absorb(Arc::unwrap_or_clone(secret)),
                None => context.secrets.forget_written(&owner.namespace, &name),
            }
        }
    }
    Ok(())
}

async fn refresh_kind<K>(context: &Context, owner: &Owner, cache: &Cache<K>, kind: Kind) -> Result<(), ObserveError>
where
    K: Namespaced,
    Object: From<K>,
{
    let unwatched = cache.unwatched(&owner.namespace).into_iter();
    for name in unwatched.filter(|name| plan::names(&owner.name, kind).contains(name)) {
        match ask::<K>(context, owner, &name).await? {
            Some(object) => context.absorb(object.into()),
            None => cache.forget(&owner.namespace, &name),
        }
    }
    Ok(())
}

pub(super) async fn find_secret(
    context: &Context,
    owner: &Owner,
    name: &str,
    wanted: &Wanted<'_, Secret>,
    unseen: Unseen,
) -> Result<Found<Arc<Secret>>, ObserveError> {
    let live = match unseen {
        Unseen::AskedFor if !context.secrets.is_watched(&owner.namespace, name) => {
            context.secrets.ask(&owner.namespace, name).await
        }
        Unseen::AskedFor | Unseen::TakenForAbsent => context.secrets.read(&owner.namespace, name).await,
    };
    Ok(owner.found(live.map_err(|source| read_error::<Secret>(name, source))?, wanted))
}

pub(super) fn read_error<K: Resource<DynamicType = ()>>(name: &str, source: kube::Error) -> ObserveError {
    ObserveError::Read { object: format!("{} {name}", K::kind(&())), source: Box::new(source) }
}

/// The pods that the `StatefulSet` made, by the names that it gives them: nothing is searched among all pods of a cluster.
/// Not by its UID: while it is made anew, the pods of the earlier one stay.
fn pods(context: &Context, owner: &Owner) -> Vec<Arc<Pod>> {
    let set = name::redis(&owner.name);
    let named = (0..objects::REPLICAS)
        .filter_map(|ordinal| context.caches.pods.get(&owner.namespace, &format!("{set}-{ordinal}")));
    let made_by_set = |pod: &Arc<Pod>| {
        pod.owner_references().iter().any(|reference| reference.kind == "StatefulSet" && reference.name == set)
    };
    named.filter(made_by_set).collect()
}

/// Every object that has the owner's labels and the owner, but for those that are needed in any case.
#[must_use]
pub fn children(context: &Context, owner: &Owner) -> Vec<Reference> {
    let caches = &context.caches;
    [
        labelled(owner, &caches.stateful_sets, Kind::StatefulSet),
        labelled(owner, &caches.services, Kind::Service),
        labelled(owner, &caches.config_maps, Kind::ConfigMap),
        labelled(owner, &caches.secrets, Kind::Secret),
        labelled(owner, &caches.earlier_secrets, Kind::Secret),
        labelled(owner, &caches.network_policies, Kind::NetworkPolicy),
        labelled(owner, &caches.service_accounts, Kind::ServiceAccount),
    ]
    .concat()
}

fn labelled<K>(owner: &Owner, cache: &Cache<K>, kind: Kind) -> Vec<Reference>
where
    K: Resource<DynamicType = ()> + Serialize + DeserializeOwned + Clone,
{
    let labelled = cache.of_instance(&owner.namespace, &owner.name);
    let metadata = labelled.iter().map(|object| Resource::meta(object.as_ref()));
    let ours = metadata.filter(|metadata| {
        plan::may_be_surplus(&owner.name, kind, metadata.name.as_deref().unwrap_or_default())
            && owner.ownership(metadata) == Ownership::Ours
    });
    ours.map(|metadata| Reference { kind, metadata: metadata.clone() }).collect()
}
