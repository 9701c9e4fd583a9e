//! Reads what there is: the watch caches, and the API server for what they do not hold.
//!
//! In: the settings. Out: values. It never writes.

use std::{fmt::Debug, sync::Arc};

use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::StatefulSet,
        core::v1::{PersistentVolumeClaim, Pod, Secret, Service},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ApiResource, DynamicObject},
    runtime::reflector::Lookup,
};
use serde::de::DeserializeOwned;

use super::{
    context::Context,
    watch::{Key, leave_to_others},
};
use crate::{
    api::v1alpha1::{NetworkPolicyMode, OperationStatus, StoredStatus, TokenCache},
    kubernetes::{
        cache::Cache,
        child::{Child, ChildKind},
        identity::{Found, OWNER_LABEL, Owner, Ownership, Wanted},
        name,
        process::Processes,
        words,
        workload::{Consumers, Source},
    },
    redis::{
        binding, fit,
        network::Callers,
        objects,
        observed::Observed,
        rotation,
        settings::{Settings, TlsSource},
        tls,
    },
};

/// Why there is nothing to plan from.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// The API server, or the way to it, did not answer.
    #[error("read {object}: {}", words::of(source))]
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

/// Reads what there is of a cache's Redis.
///
/// # Errors
/// Where the API server did not answer.
pub async fn redis(
    context: &Context,
    key: &Key,
    settings: &Settings,
    operations: Vec<OperationStatus>,
) -> Result<Observed, ObserveError> {
    let owner = &settings.owner;
    let caches = &context.caches;
    let main = name::redis(&owner.name);
    let secret = async |name: String, type_: &str| {
        find_secret(context, owner, &name, &wanted(settings, &|live| fit::secret(live, type_))).await
    };
    let managed = async |name: String| match settings.tls {
        TlsSource::Managed => secret(name, tls::SECRET_TYPE).await,
        TlsSource::Secret(_) | TlsSource::Disabled => Ok(Found::Nothing),
    };
    let service = async |name: &str, is_headless: bool| {
        let fits = |live: &Service| fit::service(live, is_headless);
        find(context, owner, &caches.services, name, &wanted(settings, &fits)).await
    };
    let config_map = async |name: String| {
        find(context, owner, &caches.config_maps, &name, &wanted(settings, &fit::config_map)).await
    };
    let pods = pods(context, owner);
    Ok(Observed {
        service_account: {
            find(context, owner, &caches.service_accounts, &main, &wanted(settings, &fit::service_account)).await?
        },
        service: service(&main, false).await?,
        headless_service: service(&name::redis_headless(&owner.name), true).await?,
        config_map: config_map(name::redis_config(&owner.name)).await?,
        application_settings: config_map(name::settings(&owner.name)).await?,
        stateful_set: {
            let fits = |live: &StatefulSet| fit::stateful_set(live, settings);
            find(context, owner, &caches.stateful_sets, &main, &wanted(settings, &fits)).await?
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
                find(context, owner, &caches.network_policies, &main, &wanted).await?
            } else {
                Found::Nothing
            }
        },
        was_restricted: false,
        callers: Callers::Unknown,
        operator_namespace: context.operator_namespace.clone(),
        settled: context.settled(key),
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
        claim: claim(context, key, settings, pods.first().map(AsRef::as_ref)).await,
        pods,
        samples: context.prober.latest(key),
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
async fn claim(context: &Context, key: &Key, settings: &Settings, pod: Option<&Pod>) -> Option<ObjectMeta> {
    let pod = pod.filter(|pod| settings.persistence.is_some() && !context.is_claim_seen(key, pod))?;
    let name = name::data_claim(pod.metadata.name.as_deref()?);
    let owner = &settings.owner;
    let claims = Api::<PersistentVolumeClaim>::namespaced(context.client.clone(), &owner.namespace);
    let claim = match claims.get_metadata_opt(&name).await {
        Ok(claim) => claim?.metadata,
        Err(error) => {
            tracing::warn!(%error, claim = name, namespace = owner.namespace, "a claim cannot be read, and is not labelled");
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
fn is_rotation_expected(context: &Context, settings: &Settings, operations: &[OperationStatus]) -> bool {
    let name = name::redis_rotation(&settings.owner.name);
    context.secrets.is_watched(&settings.owner.namespace, &name) || rotation::is_expected(settings, operations)
}

fn wanted<'a, K>(settings: &Settings, fits: &'a (dyn Fn(&K) -> bool + Sync)) -> Wanted<'a, K> {
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

/// The object of this name. What the watch does not show may still be there: somebody else's, or made a moment ago.
async fn find<K>(
    context: &Context,
    owner: &Owner,
    cache: &Cache<K>,
    name: &str,
    wanted: &Wanted<'_, K>,
) -> Result<Found<Arc<K>>, ObserveError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Lookup<DynamicType = ()>
        + DeserializeOwned
        + Clone
        + Debug,
{
    let live = match cache.get(&owner.namespace, name) {
        Some(object) => Some(object),
        None => Api::<K>::namespaced(context.client.clone(), &owner.namespace)
            .get_opt(name)
            .await
            .map_err(|source| read_error::<K>(name, source))?
            .map(Arc::new),
    };
    Ok(owner.found(live, wanted))
}

pub(super) async fn find_secret(
    context: &Context,
    owner: &Owner,
    name: &str,
    wanted: &Wanted<'_, Secret>,
) -> Result<Found<Arc<Secret>>, ObserveError> {
    let live =
        context.secrets.read(&owner.namespace, name).await.map_err(|source| read_error::<Secret>(name, source))?;
    Ok(owner.found(live, wanted))
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

/// Every object that has the owner's labels and the owner.
#[must_use]
pub fn children(context: &Context, owner: &Owner) -> Vec<Child> {
    let caches = &context.caches;
    [
        labelled(owner, &caches.stateful_sets, ChildKind::StatefulSet),
        labelled(owner, &caches.services, ChildKind::Service),
        labelled(owner, &caches.config_maps, ChildKind::ConfigMap),
        labelled(owner, &caches.secrets, ChildKind::Secret),
        labelled(owner, &caches.earlier_secrets, ChildKind::Secret),
        labelled(owner, &caches.network_policies, ChildKind::NetworkPolicy),
        labelled(owner, &caches.service_accounts, ChildKind::ServiceAccount),
    ]
    .concat()
}

fn labelled<K>(owner: &Owner, cache: &Cache<K>, kind: ChildKind) -> Vec<Child>
where
    K: Resource<DynamicType = ()> + Lookup<DynamicType = ()> + Clone,
{
    let labelled = cache.of_instance(&owner.namespace, &owner.name);
    let metadata = labelled.iter().map(|object| Resource::meta(object.as_ref()));
    let ours = metadata.filter(|metadata| owner.ownership(metadata) == Ownership::Ours);
    ours.map(|metadata| Child { kind, metadata: metadata.clone() }).collect()
}
