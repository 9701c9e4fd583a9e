//! Reads what there is: the watch caches, and the API server for what they do not hold.
//!
//! In: the settings. Out: values. It never writes.

use std::{fmt::Debug, sync::Arc};

use k8s_openapi::{
    NamespaceResourceScope,
    api::core::v1::{Pod, Secret},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ApiResource, DynamicObject},
    runtime::reflector::Lookup,
};
use serde::de::DeserializeOwned;

use super::{
    Key,
    context::Context,
    plan::{Retiree, RetireeKind},
};
use crate::{
    api::v1alpha1::{NetworkPolicyMode, OperationStatus, TokenCache, TokenCacheStatus},
    kubernetes::{
        cache::Cache,
        identity::{Found, Owner, Ownership},
        name,
        workload::Consumers,
    },
    redis::{
        network::Callers,
        objects,
        observed::Observed,
        rotation,
        settings::{Settings, TlsSource},
    },
};

/// Why there is nothing to plan from.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// The API server, or the way to it, did not answer.
    #[error("read {object}: {source}")]
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
    let managed = async |name: String| match settings.tls {
        TlsSource::Managed => find_secret(context, owner, &name).await,
        TlsSource::Secret(_) | TlsSource::Disabled => Ok(Found::Nothing),
    };
    Ok(Observed {
        service_account: find(context, owner, &caches.service_accounts, &main).await?,
        network_policy: find(context, owner, &caches.network_policies, &main).await?,
        was_restricted: false,
        callers: Callers::Unknown,
        operator_namespace: context.operator_namespace.clone(),
        service: find(context, owner, &caches.services, &main).await?,
        headless_service: find(context, owner, &caches.services, &name::redis_headless(&owner.name)).await?,
        config_map: find(context, owner, &caches.config_maps, &name::redis_config(&owner.name)).await?,
        application_settings: find(context, owner, &caches.config_maps, &name::settings(&owner.name)).await?,
        stateful_set: find(context, owner, &caches.stateful_sets, &main).await?,
        operator_login: find_secret(context, owner, &name::redis_operator(&owner.name)).await?,
        users: find_secret(context, owner, &name::redis_users(&owner.name)).await?,
        connection: find_secret(context, owner, &main).await?,
        rotation: rotation(context, settings, &operations).await?,
        settled: context.settled(key),
        certificate_authority: managed(name::redis_ca(&owner.name)).await?,
        server_certificate: managed(name::redis_tls(&owner.name)).await?,
        provided_certificate: match &settings.tls {
            // It has no label of ours, and so is in no cache: it is read at every pass, of which each change of it makes one.
            TlsSource::Secret(name) => context
                .secrets
                .read(&owner.namespace, name)
                .await
                .map_err(|source| read_error::<Secret>(name, source))?,
            TlsSource::Managed | TlsSource::Disabled => None,
        },
        pods: pods(context, owner),
        samples: context.prober.latest(key),
        consumers: Consumers::Unknown,
        operations,
    })
}

/// The Secret of a rotation. There seldom is one: it is asked for only where the watch shows it, or where one is expected.
async fn rotation(
    context: &Context,
    settings: &Settings,
    operations: &[OperationStatus],
) -> Result<Found<Arc<Secret>>, ObserveError> {
    let name = name::redis_rotation(&settings.owner.name);
    let watched = context.caches.secrets.get(&settings.owner.namespace, &name).is_some();
    if watched || rotation::is_expected(settings, operations) {
        return find_secret(context, &settings.owner, &name).await;
    }
    Ok(Found::Nothing)
}

/// The status of a `TokenCache` whose spec cannot be read.
///
/// # Errors
/// Where the API server did not answer.
pub async fn status(client: &Client, cache: &ObjectMeta) -> Result<Option<TokenCacheStatus>, ObserveError> {
    let (namespace, name) = (cache.namespace.as_deref().unwrap_or_default(), cache.name.as_deref().unwrap_or_default());
    let kind = ApiResource::erase::<TokenCache>(&());
    let api = Api::<DynamicObject>::namespaced_with(client.clone(), namespace, &kind);
    let live = api.get_opt(name).await.map_err(|source| read_error::<TokenCache>(name, source))?;
    Ok(live.and_then(|cache| serde_json::from_value(cache.data["status"].clone()).ok()))
}

/// The object of this name. What the watch does not show may still be there: somebody else's, or made a moment ago.
async fn find<K>(context: &Context, owner: &Owner, cache: &Cache<K>, name: &str) -> Result<Found<Arc<K>>, ObserveError>
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
    Ok(owner.found(live, |object| object.meta()))
}

pub(super) async fn find_secret(
    context: &Context,
    owner: &Owner,
    name: &str,
) -> Result<Found<Arc<Secret>>, ObserveError> {
    let live =
        context.secrets.read(&owner.namespace, name).await.map_err(|source| read_error::<Secret>(name, source))?;
    Ok(owner.found(live, |secret| &secret.metadata))
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

/// The names of an owner's Secrets.
#[must_use]
pub fn secrets(owner: &str) -> [String; 7] {
    [
        name::redis(owner),
        name::redis_users(owner),
        name::redis_operator(owner),
        name::redis_rotation(owner),
        name::redis_ca(owner),
        name::redis_tls(owner),
        name::keys(owner),
    ]
}

/// What the owner has and no plan names: made by another version of the operator, or under an earlier spec. Never what holds
/// keys, whatever the spec says.
#[must_use]
pub fn surplus(context: &Context, settings: &Settings) -> Vec<Retiree> {
    let owner = &settings.owner;
    let name = &owner.name;
    let main = [name::redis(name)];
    let services = [name::redis(name), name::redis_headless(name)];
    let config_maps = [name::redis_config(name), name::settings(name)];
    let of_managed_tls = [name::redis_ca(name), name::redis_tls(name)];
    let is_planned = |secret: &String| settings.tls == TlsSource::Managed || !of_managed_tls.contains(secret);
    let secrets: Vec<String> = secrets(name).into_iter().filter(is_planned).collect();
    let caches = &context.caches;
    let mut surplus = Vec::new();
    surplus.extend(beside(owner, &caches.stateful_sets, &main, RetireeKind::StatefulSet));
    surplus.extend(beside(owner, &caches.services, &services, RetireeKind::Service));
    surplus.extend(beside(owner, &caches.config_maps, &config_maps, RetireeKind::ConfigMap));
    let mut of_secrets = beside(owner, &caches.secrets, &secrets, RetireeKind::Secret);
    of_secrets.retain(|secret| !secret.metadata.name.as_deref().is_some_and(|it| name::outlives_its_owner(name, it)));
    surplus.extend(of_secrets);
    let policies: &[String] = if settings.network_policy == NetworkPolicyMode::None { &[] } else { &main };
    surplus.extend(beside(owner, &caches.network_policies, policies, RetireeKind::NetworkPolicy));
    surplus.extend(beside(owner, &caches.service_accounts, &main, RetireeKind::ServiceAccount));
    surplus
}

fn beside<K>(owner: &Owner, cache: &Cache<K>, planned: &[String], kind: RetireeKind) -> Vec<Retiree>
where
    K: Resource<DynamicType = ()> + Lookup<DynamicType = ()> + Clone,
{
    let ours = |metadata: &ObjectMeta| {
        metadata.deletion_timestamp.is_none()
            && metadata.name.as_ref().is_some_and(|name| !planned.contains(name))
            && owner.ownership(metadata) == Ownership::Ours
    };
    let labelled = cache.of_instance(&owner.namespace, &owner.name);
    let surplus = labelled.iter().map(|object| Resource::meta(object.as_ref())).filter(|metadata| ours(metadata));
    surplus.map(|metadata| Retiree { kind, metadata: metadata.clone() }).collect()
}
