//! What a `TokenCache` that is gone has left behind under the labels of an earlier version: its keys, its certificates and the
//! claim of its volume are labelled as those of the others are, so that no other tool takes them for its own.
//!
//! In: the name of a `TokenCache` that is gone. Out: writes of labels, and nothing else.

use std::sync::Arc;

use k8s_openapi::{api::core::v1::PersistentVolumeClaim, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{Api, Resource};

use crate::{
    api::v1alpha1::TokenCache,
    controller::{
        context::Context,
        watch::{Guarded, GuardedRef},
    },
    data_protection,
    kubernetes::{
        identity::Owner,
        name,
        object::{Kind, Reference},
        words,
        write::{self, Write},
    },
    redis,
};

/// Labels what is left of a `TokenCache`, if it really is gone. What fails is logged: the watch tells of it again.
pub async fn label(context: Arc<Context>, key: GuardedRef) {
    let owner = Owner {
        api_version: TokenCache::api_version(&()).into_owned(),
        kind: TokenCache::kind(&()).into_owned(),
        namespace: key.namespace.clone().unwrap_or_default(),
        name: key.name.clone(),
        uid: String::new(),
    };
    let labelled = context.secrets.watched(&owner.namespace, &owner.name);
    let labelled: Vec<ObjectMeta> = labelled.iter().map(|secret| secret.metadata.clone()).collect();
    let left = data_protection::labelled_otherwise(&owner, &labelled);
    if left.is_empty() {
        return;
    }
    let caches = Api::<Guarded>::namespaced(context.client.clone(), &owner.namespace);
    match caches.get_metadata_opt(&owner.name).await {
        Ok(None) => {}
        Ok(Some(_)) => return,
        Err(error) => {
            return tracing::warn!(
                why = words::of(&error),
                cache = owner.name,
                "whether a TokenCache is there is not known"
            );
        }
    }
    // Nothing watches the claims. So this comes before the keys, which are looked for again as long as they lack labels.
    label_claim(&context, &owner).await;
    for (seen, lacking) in left {
        let label = Write::Label(Reference { kind: Kind::Secret, metadata: seen }, lacking);
        if context.brake(&key, |brake| brake.allow(&label, Context::now())).is_err() {
            let (secret, namespace) = (label.name(), &owner.namespace);
            tracing::warn!(
                secret,
                namespace,
                "somebody takes the labels from a key that was left as often as it gets them"
            );
            continue;
        }
        match write::execute(&context.client, &label).await {
            Ok(_) => context.brake(&key, |brake| brake.wrote(&label, Context::now())),
            Err(error) => {
                tracing::warn!(why = %error, cache = owner.name, namespace = owner.namespace, "a key that was left is not labelled");
            }
        }
    }
}

async fn label_claim(context: &Context, owner: &Owner) {
    let name = name::data_claim(&format!("{}-0", name::redis(&owner.name)));
    let claims = Api::<PersistentVolumeClaim>::namespaced(context.client.clone(), &owner.namespace);
    let claim = match claims.get_metadata_opt(&name).await {
        Ok(claim) => claim.map(|claim| claim.metadata),
        Err(error) => {
            return tracing::warn!(
                why = words::of(&error),
                claim = name,
                namespace = owner.namespace,
                "a claim cannot be read"
            );
        }
    };
    // The StatefulSet controller has given it the labels of the selector. What has none of ours may be anybody's.
    let component = redis::COMPONENT;
    let Some(claim) = claim.filter(|claim| owner.is_selected(component, claim)) else { return };
    let Some(lacking) = owner.lacking(component, &claim) else { return };
    let label = Write::Label(Reference { kind: Kind::PersistentVolumeClaim, metadata: claim }, lacking);
    if let Err(error) = write::execute(&context.client, &label).await {
        tracing::warn!(why = %error, claim = name, namespace = owner.namespace, "a claim that was left is not labelled");
    }
}
