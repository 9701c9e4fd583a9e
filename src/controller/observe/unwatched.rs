//! What was found under a cache's names and no watch shows, such as somebody else's objects.
//!
//! In: the cache. Out: whether there is such, and what stands there now. It never writes.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;

use super::{
    error::{ObserveError, read_error},
    objects::ask,
};
use crate::{
    controller::{context::Context, decide::plan},
    kubernetes::{
        identity::Owner,
        name,
        object::{Kind, Namespaced, Object},
        read::cache::Cache,
    },
};

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
