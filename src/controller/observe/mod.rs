//! Reads what there is: the watch caches, and the API server for what they do not hold.
//!
//! In: the settings. Out: values. It never writes.

mod claims;
mod error;
mod objects;
mod unwatched;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::SignedDuration;
use k8s_openapi::{
    api::core::v1::{Pod, Secret},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DynamicObject},
};

use super::{
    apply::Applied,
    context::Context,
    decide::snapshot::Snapshot,
    settings::Settings,
    watch::{GuardedRef, leave_to_others, token_cache},
};
use crate::{
    api::v1alpha1::{StoredStatus, TokenCache, TokenCacheStatus},
    capability::{
        Names,
        ask::{Answers, Ask},
        observed::Observed,
        operation,
    },
    condition::{ConditionStatus, ConditionType},
    kubernetes::{identity::Owner, name},
};
use claims::claims;
pub use error::ObserveError;
use error::read_error;
use objects::{Missing, children, objects};
pub use unwatched::{is_unwatched, refresh};

/// What a pass knows before it looks: of the `TokenCache`, and of what it has done itself.
pub struct Known<'pass> {
    /// The `TokenCache`.
    pub cache: &'pass TokenCache,
    /// The status that stands.
    pub previous: &'pass TokenCacheStatus,
    /// What it knows by name.
    pub names: &'pass Names,
    /// What was asked for.
    pub answers: &'pass Answers,
    /// What was written.
    pub applied: &'pass Applied,
}

/// Looks at what there is, as it is now.
///
/// # Errors
/// Where the API server did not answer.
pub async fn snapshot<'pass>(
    context: &Context,
    key: &GuardedRef,
    settings: &Settings,
    known: Known<'pass>,
) -> Result<Snapshot<'pass>, ObserveError> {
    let Known { cache, previous, names, answers, applied } = known;
    let (owner, now) = (&settings.owner, Context::now());
    let is_paused = operation::is_paused(cache);
    // Where nothing is written, nobody is told that a name is not free.
    let unseen = if is_paused { Missing::AskedFor } else { Missing::TakenForAbsent };
    let labelled = context.secrets.watched(&owner.namespace, &owner.name);
    let labelled: Vec<ObjectMeta> = labelled.iter().map(|secret| secret.metadata.clone()).collect();
    let named = names.pods.iter().filter_map(|name| context.caches.pods.get(&owner.namespace, name));
    let labelled_pods = context.caches.pods.of_instance(&owner.namespace, &owner.name);
    let is_other = |pod: &Arc<Pod>| !names.pods.contains(&pod.name_any());
    let pods: Vec<Arc<Pod>> = named.chain(labelled_pods.into_iter().filter(is_other)).collect();
    let objects = objects(context, owner, names, (&labelled, answers), unseen).await?;
    let provided = provided(context, owner, &names.secrets).await?;
    let claims = claims(context, key, owner, (&names.claims, &pods)).await;
    let generation = cache.metadata.generation.unwrap_or_default();
    let remembered = context.remember(key, |it| it.at_begin(&owner.uid, generation, now));
    let observed = Observed {
        now,
        objects,
        provided,
        claims,
        volume: remembered.volume,
        pods,
        labelled,
        marked: remembered.marked,
        previous,
        is_paused,
        is_accepted: is_accepted(cache),
        has_failed: applied.failure.is_some(),
        mended: &applied.mended,
        answers,
        sweep: context.sweeper.progress(&token_cache(key)),
        admitted: remembered.admitted,
        settled: remembered.settled,
        operator: context.operator.clone(),
    };
    Ok(Snapshot {
        observed,
        looks: context.prober.latest(&token_cache(key)),
        period: SignedDuration::try_from(context.probe_period).unwrap_or(SignedDuration::MAX),
        verified: remembered.verified,
        opened: remembered.opened,
        children: children(context, owner),
        brake: remembered.brake,
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
    for ask in asks {
        match ask {
            Ask::Processes(of, since) => {
                let found = pods.processes(namespace, of, *since, now).await;
                answers.processes.insert(of.clone(), found);
            }
            Ask::Consumers(of) => {
                let found = pods.consumers(namespace, of, now).await;
                answers.consumers.insert(of.clone(), found);
            }
            Ask::Addresses(of) => answers.addresses = Some(pods.addresses(namespace, of, now).await),
            Ask::LastingSecrets => answers.lasting = Some(lasting_secrets(context, owner).await?),
            Ask::Secrets(names) => answers.secrets.extend(names.iter().cloned()),
            Ask::Secret(name) => {
                answers.secrets_now.insert(name.clone());
            }
            Ask::Volume(claim) => {
                let found = claims::volume(context, owner, claim).await;
                answers.volumes.insert(claim.clone(), found);
            }
        }
    }
    Ok(!asks.is_empty())
}

/// Whether the API server is known to accept what this generation leads to.
fn is_accepted(cache: &TokenCache) -> bool {
    cache.status.as_ref().is_some_and(|status| {
        status.conditions.iter().any(|condition| {
            condition.type_ == ConditionType::SpecValid.as_str()
                && condition.status == ConditionStatus::True.as_str()
                && condition.observed_generation == cache.metadata.generation
        })
    })
}

/// The Secrets that the user provides.
async fn provided(
    context: &Context,
    owner: &Owner,
    names: &[String],
) -> Result<BTreeMap<String, Arc<Secret>>, ObserveError> {
    let mut provided = BTreeMap::new();
    for name in names {
        let live = context.provided(&owner.namespace, name).await;
        if let Some(secret) = live.map_err(|source| read_error::<Secret>(name, source))? {
            provided.insert(name.clone(), secret);
        }
    }
    Ok(provided)
}

/// The names of the Secrets that would hold what outlives the cache, as they are at this moment: those with the owner's label, and
/// those without any. One without any that has the name of what is published is read, since no key is to be made for a ring that
/// cannot be published.
async fn lasting_secrets(context: &Context, owner: &Owner) -> Result<BTreeSet<String>, ObserveError> {
    let error = |source| read_error::<Secret>(&name::ring_file(&owner.name, "key-*"), source);
    let labelled = context.secrets.labelled(&owner.namespace, &owner.own_selector()).await.map_err(error)?;
    let unlabelled = context.secrets.unlabelled(&owner.namespace, Context::now()).await.map_err(error)?;
    for published in [name::keys(&owner.name), name::key_certificates(&owner.name)] {
        if unlabelled.contains(&published) {
            context.reread_secret(&owner.namespace, &published).await;
        }
    }
    let names = labelled.into_iter().chain(unlabelled.iter().cloned());
    Ok(names.filter(|name| name::is_ring_file(&owner.name, name)).collect())
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
