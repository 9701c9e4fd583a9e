//! The objects under a cache's names, as the watches show them, and the API server where they do not.
//!
//! In: names. Out: values. It never writes.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::{
    api::{
        apps::v1::StatefulSet,
        core::v1::{ConfigMap, Secret, Service, ServiceAccount},
        networking::v1::NetworkPolicy,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{Api, Resource};
use serde::{Serialize, de::DeserializeOwned};

use super::error::{ObserveError, read_error};
use crate::{
    capability::{Names, ask::Answers, observed::Objects},
    controller::{context::Context, decide::plan},
    kubernetes::{
        identity::{Owner, Ownership},
        name,
        object::{Kind, Namespaced, Object, OfKind, Reference},
        read::cache::Cache,
    },
};

/// What stands under the cache's names: those that are named, and all others where a watch shows something.
pub(super) async fn objects(
    context: &Context,
    owner: &Owner,
    names: &Names,
    (labelled, answers): (&[ObjectMeta], &Answers),
    unseen: Missing,
) -> Result<Objects, ObserveError> {
    let (caches, mut objects) = (&context.caches, Objects::default());
    find::<StatefulSet>(context, owner, &caches.stateful_sets, (names, unseen), &mut objects).await?;
    find::<Service>(context, owner, &caches.services, (names, unseen), &mut objects).await?;
    find::<ConfigMap>(context, owner, &caches.config_maps, (names, unseen), &mut objects).await?;
    find::<ServiceAccount>(context, owner, &caches.service_accounts, (names, unseen), &mut objects).await?;
    find::<NetworkPolicy>(context, owner, &caches.network_policies, (names, unseen), &mut objects).await?;
    for (name, how) in secrets(owner, names, (labelled, answers), unseen) {
        let is_watched = context.secrets.is_watched(&owner.namespace, &name);
        let live = match how {
            Missing::AskedFor if !is_watched => context.secrets.ask(&owner.namespace, &name).await,
            Missing::AskedFor | Missing::TakenForAbsent => context.secrets.read(&owner.namespace, &name).await,
        };
        if let Some(secret) = live.map_err(|source| read_error::<Secret>(&name, source))? {
            objects.insert(secret);
        }
    }
    Ok(objects)
}

/// The Secrets that are read, by their names, and what becomes of those that no watch shows.
fn secrets(
    owner: &Owner,
    names: &Names,
    (labelled, answers): (&[ObjectMeta], &Answers),
    unseen: Missing,
) -> BTreeMap<String, Missing> {
    let is_named = |name: &String| names.objects.iter().any(|(kind, named)| (*kind, named) == (Kind::Secret, name));
    let mut secrets: BTreeMap<String, Missing> = BTreeMap::new();
    let certificates = names.reads_lasting.then(|| name::key_certificates(&owner.name));
    // A ring that nobody wants is not read.
    let is_read = |name: &String| names.reads_lasting || *name != name::keys(&owner.name);
    for name in plan::names(&owner.name, Kind::Secret).into_iter().filter(is_read).chain(certificates) {
        let how = if is_named(&name) { unseen } else { Missing::TakenForAbsent };
        secrets.insert(name, how);
    }
    if names.reads_lasting {
        let lasting = labelled.iter().filter_map(|secret| secret.name.clone());
        let lasting = lasting.filter(|name| name::outlives_its_owner(&owner.name, name));
        secrets.extend(lasting.chain(answers.secrets.iter().cloned()).map(|name| (name, unseen)));
        let asked_for = answers.lasting.iter().flatten().chain(&answers.secrets_now);
        secrets.extend(asked_for.map(|name| (name.clone(), Missing::AskedFor)));
    }
    secrets
}

/// Puts the objects of a kind under the cache's names into what was seen, as the watch shows them or as they were written or found
/// since. What is not seen is not asked for, since whoever makes it is told that it is there; but where nothing is made, or there is
/// no watch to trust, what is named is asked for.
async fn find<K: OfKind>(
    context: &Context,
    owner: &Owner,
    cache: &Cache<K>,
    (names, unseen): (&Names, Missing),
    objects: &mut Objects,
) -> Result<(), ObserveError>
where
    Object: From<Arc<K>>,
{
    let is_asked_for = unseen == Missing::AskedFor || !cache.is_ready();
    for name in plan::names(&owner.name, K::KIND) {
        let is_named = || names.objects.iter().any(|(kind, named)| (*kind, named) == (K::KIND, &name));
        let live = match cache.get(&owner.namespace, &name) {
            None if is_asked_for && is_named() => ask(context, owner, &name).await?.map(Arc::new),
            seen => seen,
        };
        if let Some(live) = live {
            objects.insert(live);
        }
    }
    Ok(())
}

/// What becomes of a name under which no watch shows anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// Nothing is there: whoever makes it is told where something is.
    TakenForAbsent,
    /// The API server is asked.
    AskedFor,
}

pub(super) async fn ask<K: Namespaced>(
    context: &Context,
    owner: &Owner,
    name: &str,
) -> Result<Option<K>, ObserveError> {
    let api = Api::<K>::namespaced(context.client.clone(), &owner.namespace);
    api.get_opt(name).await.map_err(|source| read_error::<K>(name, source))
}

/// Every object that has the owner's labels and the owner, but for those that are needed in any case.
#[must_use]
pub(super) fn children(context: &Context, owner: &Owner) -> Vec<Reference> {
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
        plan::may_be_left(&owner.name, kind, metadata.name.as_deref().unwrap_or_default())
            && owner.ownership(metadata) == Ownership::Ours
    });
    ours.map(|metadata| Reference { kind, metadata: metadata.clone() }).collect()
}
