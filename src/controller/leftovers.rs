//! What a `TokenCache` that is gone has left behind under the labels of an earlier version: its keys and certificates are
//! labelled as those of the others are, so that no other tool takes them for its own.
//!
//! In: the name of a `TokenCache` that is gone. Out: writes of labels, and nothing else.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Resource};

use super::{Context, Guarded, Key, key_ring};
use crate::{
    api::v1alpha1::TokenCache,
    kubernetes::{identity::Owner, write},
};

/// Labels what is left of a `TokenCache`, if it really is gone. What fails is logged: the watch tells of it again.
pub async fn label(context: Arc<Context>, key: Key) {
    let owner = Owner {
        api_version: TokenCache::api_version(&()).into_owned(),
        kind: TokenCache::kind(&()).into_owned(),
        namespace: key.namespace.clone().unwrap_or_default(),
        name: key.name.clone(),
        uid: String::new(),
    };
    let left = key_ring::unmarked_of(&context, &owner);
    if left.is_empty() {
        return;
    }
    let caches = Api::<Guarded>::namespaced(context.client.clone(), &owner.namespace);
    match caches.get_metadata_opt(&owner.name).await {
        Ok(None) => {}
        Ok(Some(_)) => return,
        Err(error) => return tracing::warn!(%error, cache = owner.name, "whether a TokenCache is there is not known"),
    }
    for (seen, lacking) in left {
        if let Err(error) = write::mark::<Secret>(&context.client, &seen, &lacking).await {
            tracing::warn!(%error, cache = owner.name, namespace = owner.namespace, "a key that was left is not labelled");
        }
    }
}
