//! The claims of pods' volumes, which nothing watches.
//!
//! In: their names. Out: those that are not known to be labelled as what outlives the cache is, and how large their volumes are. It
//! never writes.

use std::sync::Arc;

use k8s_openapi::{
    api::core::v1::{PersistentVolumeClaim, Pod},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::Api;

use crate::{
    capability::{Claim, ask::Volume},
    controller::{context::Context, watch::GuardedRef},
    kubernetes::{
        identity::{Owner, labels::OWNER_LABEL},
        quantity, words,
    },
};

/// The claims of pods' volumes, which the `StatefulSet` controller has made and given the labels of its selector. Each is asked for
/// until it is known to need nothing more: once for each pod, since only with a pod another one can have come. Nothing else
/// depends on it, so that it keeps nothing from being done where it cannot be read.
pub(super) async fn claims(
    context: &Context,
    key: &GuardedRef,
    owner: &Owner,
    (claims, pods): (&[Claim], &[Arc<Pod>]),
) -> Vec<ObjectMeta> {
    let mut found = Vec::new();
    for claim in claims {
        let pod = pods.iter().find(|pod| pod.metadata.name.as_deref() == Some(claim.pod.as_str()));
        if let Some(pod) = pod.filter(|pod| !context.remember(key, |it| it.is_claim_seen(pod))) {
            found.extend(unlabelled_claim(context, key, owner, (claim, pod.as_ref())).await);
        }
    }
    found
}

async fn unlabelled_claim(
    context: &Context,
    key: &GuardedRef,
    owner: &Owner,
    (Claim { name, pod: _, component }, pod): (&Claim, &Pod),
) -> Option<ObjectMeta> {
    let claims = Api::<PersistentVolumeClaim>::namespaced(context.client.clone(), &owner.namespace);
    let claim = match claims.get_opt(name).await {
        Ok(claim) => {
            let claim = claim?;
            context.remember(key, |it| it.volume = size(&claim));
            claim.metadata
        }
        Err(error) => {
            let (why, namespace) = (words::of(&error), &owner.namespace);
            tracing::warn!(why, claim = name, namespace, "a claim cannot be read, and is not labelled");
            context.remember(key, |it| it.saw_claim(pod));
            return None;
        }
    };
    // It is of the pod by its name, whatever a policy has made of the labels; but not where it is said to be another cache's.
    let named = claim.labels.as_ref().and_then(|labels| labels.get(OWNER_LABEL));
    let is_ours = named.is_none_or(|named| *named == owner.name);
    let lacks = is_ours && owner.lacking(component, &claim).is_some();
    if lacks && !context.remember(key, |it| it.marked.is_in_vain(&claim)) {
        return Some(claim);
    }
    context.remember(key, |it| it.saw_claim(pod));
    None
}

/// The volume of the claim of this name, as it is at this moment.
pub(super) async fn volume(context: &Context, owner: &Owner, name: &str) -> Volume {
    match Api::<PersistentVolumeClaim>::namespaced(context.client.clone(), &owner.namespace).get_opt(name).await {
        Ok(claim) => claim.map_or(Volume::Absent, |claim| size(&claim)),
        Err(error) => {
            let (why, namespace) = (words::of(&error), &owner.namespace);
            tracing::warn!(
                why,
                claim = name,
                namespace,
                "a claim cannot be read, and it is not known how large its volume is"
            );
            Volume::Unknown
        }
    }
}

/// How large the volume of a claim is; where it has none yet, is to be.
fn size(claim: &PersistentVolumeClaim) -> Volume {
    let has = claim.status.as_ref().and_then(|status| status.capacity.as_ref()?.get("storage"));
    let asks = || claim.spec.as_ref()?.resources.as_ref()?.requests.as_ref()?.get("storage");
    has.or_else(asks).and_then(|size| quantity::bytes(&size.0)).map_or(Volume::Unknown, Volume::Holds)
}
