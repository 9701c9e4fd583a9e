//! Reads the Secrets of a cache's key ring.
//!
//! In: the settings of the ring, and what a pass has asked for. Out: values. Which Secrets there are is read from the watch, and once
//! more from the API server before a key is made: an answer that was lost, or a watch that lags behind, must not lead to a second
//! key. It never writes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;
use k8s_openapi::{api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};

use super::{
    context::Context,
    observe::{ObserveError, Unseen, find_secret, read_error},
    snapshot::Answers,
    watch::Key,
};
use crate::{
    data_protection::{
        objects::COMPONENT,
        secrets::{Beside, Inputs, Observed},
        settings::Settings,
    },
    kubernetes::{
        identity::{Found, Lacking, ORPHANED, Owner, Wanted},
        name,
        write::settled::Settled,
    },
    redis::server::{fit, objects::SECRET_TYPE},
};

/// Reads Secrets. One that lacks the labels of a key's counts by its name where nothing says that it is somebody else's, and
/// where it holds the file of that name.
///
/// # Errors
/// Where the API server did not answer.
pub async fn observe(
    context: &Context,
    settings: &Settings,
    (beside, settled): (Beside, Arc<Settled>),
    answers: &Answers,
    unseen: Unseen,
) -> Result<Observed, ObserveError> {
    if settings.rotation.is_none() {
        return Ok(Observed::nothing(beside));
    }
    let owner = &settings.owner;
    let (mut files, mut taken) = (Vec::new(), BTreeMap::new());
    let mut known = watched(context, settings);
    known.extend(answers.listed.iter().flatten().cloned());
    let lacking = &answers.lacking;
    for name in known.union(lacking) {
        let is_listed_only = known.contains(name) && !context.secrets.is_watched(&owner.namespace, name);
        let live = if is_listed_only || unseen == Unseen::AskedFor {
            context.secrets.ask(&owner.namespace, name).await
        } else {
            context.secrets.read(&owner.namespace, name).await
        };
        let Some(secret) = live.map_err(|source| read_error::<Secret>(name, source))? else { continue };
        if is_file(settings, &secret.metadata) || is_unlabelled_file(settings, &secret) {
            files.push(secret);
        } else if lacking.contains(name) {
            taken.insert(name.clone(), holder(settings, &secret.metadata));
        }
    }
    let wanted = Wanted {
        component: COMPONENT,
        fits: &|live: &Secret| fit::secret(live, SECRET_TYPE),
        is_restored: settings.is_restored,
    };
    let ring = find_secret(context, owner, &name::keys(&owner.name), &wanted, unseen).await?;
    let inputs = Inputs {
        provided: provided(context, settings).await?,
        certificates: certificates(context, settings, answers.are_certificates_lacking, unseen).await?,
        oldest_process: answers.oldest_process,
        settled,
    };
    Ok(Observed::new(files, ring, taken, beside).with(inputs))
}

/// The Secrets that the user provides.
async fn provided(context: &Context, settings: &Settings) -> Result<BTreeMap<String, Arc<Secret>>, ObserveError> {
    let mut provided = BTreeMap::new();
    for name in settings.named() {
        let live = context.provided(&settings.owner.namespace, name).await;
        if let Some(secret) = live.map_err(|source| read_error::<Secret>(name, source))? {
            provided.insert(name.to_owned(), secret);
        }
    }
    Ok(provided)
}

/// The Secret with the certificates. Most rings have none: it is asked for only where the watch shows it, or where one is
/// expected.
async fn certificates(
    context: &Context,
    settings: &Settings,
    is_lacking: bool,
    unseen: Unseen,
) -> Result<Found<Arc<Secret>>, ObserveError> {
    let owner = &settings.owner;
    let name = name::key_certificates(&owner.name);
    let is_expected = is_lacking || settings.certificate.is_some() || !settings.previous.is_empty();
    if !is_expected && !context.secrets.is_watched(&owner.namespace, &name) {
        return Ok(Found::Nothing);
    }
    // What keys need that nobody has may be there without its labels, and nothing makes it anew.
    let is_asked_for = is_lacking || unseen == Unseen::AskedFor;
    let live = if is_asked_for && !context.secrets.is_watched(&owner.namespace, &name) {
        context.secrets.ask(&owner.namespace, &name).await
    } else {
        context.secrets.read(&owner.namespace, &name).await
    };
    let Some(secret) = live.map_err(|source| read_error::<Secret>(&name, source))? else { return Ok(Found::Nothing) };
    if owner.is_labelled(COMPONENT, &secret.metadata) || owner.may_have_lost_labels(&secret.metadata) {
        return Ok(Found::Ours(secret));
    }
    Ok(Found::Foreign(holder(settings, &secret.metadata)))
}

/// Who has a Secret that lacks the labels which tell that it is of this cache, in words.
fn holder(settings: &Settings, metadata: &ObjectMeta) -> String {
    let holder = Some(settings.owner.holder(metadata)).filter(|holder| holder != ORPHANED);
    holder.unwrap_or_else(|| "nobody, since its labels were removed".to_owned())
}

/// Whether a Secret is of a key, or of a revocation, of this cache.
fn is_file(settings: &Settings, metadata: &ObjectMeta) -> bool {
    let owner = &settings.owner;
    let is_named = metadata.name.as_deref().is_some_and(|name| name::is_ring_file(&owner.name, name));
    is_named && owner.is_labelled(COMPONENT, metadata)
}

/// Whether a Secret that lacks the labels of a key's is one all the same: it has the name, holds the file of that name, and
/// nothing says that it is somebody else's.
fn is_unlabelled_file(settings: &Settings, secret: &Secret) -> bool {
    let owner = &settings.owner;
    let name = secret.metadata.name.as_deref().unwrap_or_default();
    let is_of_name = |file: &String| {
        let stem = file.strip_suffix(".xml").map(str::to_ascii_lowercase);
        stem.is_some_and(|stem| name::ring_file(&owner.name, &stem) == name)
    };
    name::is_ring_file(&owner.name, name)
        && owner.may_have_lost_labels(&secret.metadata)
        && secret.data.iter().flat_map(BTreeMap::keys).any(is_of_name)
}

fn watched(context: &Context, settings: &Settings) -> BTreeSet<String> {
    let owner = &settings.owner;
    let watched = context.secrets.watched(&owner.namespace, &owner.name).into_iter();
    let of_ring = watched.filter(|secret| is_file(settings, &secret.metadata));
    of_ring.filter_map(|secret| secret.metadata.name.clone()).collect()
}

/// The names of the Secrets that would hold a key or a revocation, as they are at this moment: those with the owner's label, and
/// those without any. One without any that has the name of what is published is read, since no key is to be made for a ring that
/// cannot be published.
///
/// # Errors
/// Where the API server did not answer.
pub async fn list(context: &Context, owner: &Owner, now: Timestamp) -> Result<BTreeSet<String>, ObserveError> {
    let error = |source| read_error::<Secret>(&name::ring_file(&owner.name, "key-*"), source);
    let labelled = context.secrets.labelled(&owner.namespace, &owner.own_selector()).await.map_err(error)?;
    let unlabelled = context.secrets.unlabelled(&owner.namespace, now).await.map_err(error)?;
    for published in [name::keys(&owner.name), name::key_certificates(&owner.name)] {
        if unlabelled.contains(&published) {
            context.reread_secret(&owner.namespace, &published).await;
        }
    }
    let names = labelled.into_iter().chain(unlabelled.iter().cloned());
    Ok(names.filter(|name| name::is_ring_file(&owner.name, name)).collect())
}

/// The Secrets that outlive the cache and lack what says so: those that an earlier version of the operator made, and those
/// whose labels somebody took away. Also where no ring is wanted any more.
#[must_use]
pub fn unmarked(context: &Context, key: &Key, settings: &Settings, observed: &Observed) -> Vec<(ObjectMeta, Lacking)> {
    let owner = &settings.owner;
    let mut unmarked = unmarked_of(context, owner);
    for seen in observed.lasting().map(|secret| &secret.metadata) {
        unmarked.retain(|(watched, _)| watched.name != seen.name);
        unmarked.extend(owner.lacking(COMPONENT, seen).map(|lacking| (seen.clone(), lacking)));
    }
    unmarked.retain(|(seen, _)| !context.is_marked_in_vain(key, seen));
    unmarked
}

/// Those that a watch shows.
#[must_use]
pub fn unmarked_of(context: &Context, owner: &Owner) -> Vec<(ObjectMeta, Lacking)> {
    let watched = context.secrets.watched(&owner.namespace, &owner.name).into_iter();
    let of_ring = watched.filter(|secret| {
        let name = secret.metadata.name.as_deref();
        name.is_some_and(|name| name::outlives_its_owner(&owner.name, name))
            && owner.is_labelled(COMPONENT, &secret.metadata)
    });
    of_ring.filter_map(|secret| Some((secret.metadata.clone(), owner.lacking(COMPONENT, &secret.metadata)?))).collect()
}
