//! The bare program: it creates the same objects with the same client and as many requests at the same time, and does
//! nothing else. What the operator costs beyond it is the operator's own.

use std::collections::HashMap;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use http::Request as HttpRequest;
use kube::ResourceExt;
use kube::core::DynamicObject;

use crate::operator::cpu_of;
use crate::tally::{Kind, Tally};
use crate::world::{AT_THE_SAME_TIME, World};

const USER_AGENT: &str = "bare";

/// Creates the objects in a new world with the same caches. Returns what was asked, and the processor time that it took.
pub async fn create(caches: usize, objects: Vec<(Kind, DynamicObject)>) -> (Tally, Duration) {
    let world = World::with(caches).await;
    let owners = world.token_caches().await;
    let uids: HashMap<_, _> = owners.iter().map(|cache| (cache.name_any(), cache.uid().unwrap())).collect();
    let objects: Vec<_> = objects.into_iter().map(|(kind, object)| (kind, anew(object, &uids))).collect();
    let client = world.client(USER_AGENT).await;
    let mark = world.mark();
    let before = cpu_of(std::process::id());
    let made = stream::iter(objects).map(async |(kind, object)| {
        let path = kind.path(object.metadata.namespace.as_deref());
        let body = serde_json::to_vec(&object).unwrap();
        client.request::<DynamicObject>(HttpRequest::post(path).body(body).unwrap()).await.map(drop)
    });
    made.buffer_unordered(AT_THE_SAME_TIME).try_for_each(async |()| Ok(())).await.unwrap();
    let cpu = cpu_of(std::process::id()).saturating_sub(before);
    (world.asked_since(mark, USER_AGENT), cpu)
}

/// The object as it was before the API server had it, of the owner of that name in another cluster.
fn anew(mut object: DynamicObject, uids: &HashMap<String, String>) -> DynamicObject {
    let metadata = &mut object.metadata;
    (metadata.uid, metadata.resource_version, metadata.creation_timestamp) = (None, None, None);
    (metadata.generation, metadata.managed_fields) = (None, None);
    for owner in metadata.owner_references.iter_mut().flatten() {
        owner.uid.clone_from(&uids[&owner.name]);
    }
    let fields = object.data.as_object_mut().unwrap();
    fields.remove("status");
    // Addresses are the cluster's own, but for "None".
    if let Some(spec) = fields.get_mut("spec").and_then(|spec| spec.as_object_mut())
        && spec.get("clusterIP").is_some_and(|address| address != "None")
    {
        spec.remove("clusterIP");
        spec.remove("clusterIPs");
    }
    object
}
