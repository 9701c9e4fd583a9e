//! What is spared and what is not: a paused cache, and objects that no plan names.

use serde_json::{Value, json};

use super::TWO_PERIODS;
use super::world::{POD, SHOP, World};
use crate::support::eventually::{eventually, never};

pub fn pause(value: &Value) -> Value {
    json!({"metadata": {"annotations": {"tokencache.dev/reconcile": value}}})
}

#[tokio::test]
async fn a_paused_cache_is_watched_and_not_repaired_until_it_goes_on() {
    let (world, _operator) = World::with_shop("paused").await;
    world.quiet().await;
    let wanted = world.parts().await;
    let operator = world.passwords().await[0].clone().unwrap();
    let policy = async |words: &[&str]| {
        let command = [&["CONFIG"], words].concat();
        world.kubelet.pod(POD).redis_cli(6380, Some(("operator", &operator)), &command).await
    };
    world.edit("TokenCache", SHOP, pause(&"paused".into())).await;
    world.condition(SHOP, "Paused", "True", "Paused").await;

    world.delete("Service", "shop-redis").await;
    world.edit("ConfigMap", "shop-redis-config", json!({"data": {"redis.conf": "# empty\n"}})).await;
    policy(&["SET", "maxmemory-policy", "noeviction"]).await;
    let message = world.condition(SHOP, "EvictionPolicyVerified", "False", "DriftWhilePaused").await;
    assert!(message.contains("noeviction") && message.contains("volatile-lru"), "{message}");
    never(TWO_PERIODS, "nothing is repaired", async || {
        let service = world.uid("Service", "shop-redis").await;
        let file = world.get("ConfigMap", "shop-redis-config").await["data"]["redis.conf"].clone();
        let policy = policy(&["GET", "maxmemory-policy"]).await;
        (service.is_some() || file != "# empty\n" || !policy.ends_with("noeviction"))
            .then(|| format!("{service:?} {file} {policy}"))
    })
    .await;

    world.edit("TokenCache", SHOP, pause(&Value::Null)).await;
    world.has_parts("everything is repaired", &wanted).await;
    eventually("the policy is set again", async || {
        let policy = policy(&["GET", "maxmemory-policy"]).await;
        if policy.ends_with("volatile-lru") { Ok(()) } else { Err(policy) }
    })
    .await;
    world.ready(SHOP).await;
}

#[tokio::test]
async fn a_cache_that_is_paused_from_the_start_is_not_begun() {
    let world = World::new("held").await;
    let _operator = crate::support::operator::Operator::start(&world.namespace).await;
    let metadata = json!({"name": SHOP, "annotations": {"tokencache.dev/reconcile": "paused"}});
    world.make("TokenCache", json!({"metadata": metadata, "spec": {}})).await.unwrap();
    world.condition(SHOP, "Ready", "False", "Provisioning").await;
    world.condition(SHOP, "Paused", "True", "Paused").await;
    let remedies = world.remedies(SHOP, "Paused").await;
    assert!(remedies.contains("tokencache.dev/reconcile-\""), "{remedies}");
    never(TWO_PERIODS, "nothing is made", async || {
        let names = world.names().await;
        (!names.is_empty()).then(|| format!("{names:?}"))
    })
    .await;
    world.edit("TokenCache", SHOP, pause(&Value::Null)).await;
    world.ready(SHOP).await;
}

/// An object of this kind with the labels of the cache, and this owner.
fn labelled(kind: &str, name: &str, owner: Option<&Value>) -> Value {
    let mut object = match kind {
        "Service" => json!({"spec": {"ports": [{"port": 80}]}}),
        "StatefulSet" => json!({"spec": {
            "replicas": 0, "serviceName": name, "selector": {"matchLabels": {"a": name}},
            "template": {"metadata": {"labels": {"a": name}}, "spec": {"containers": [{"name": "a", "image": "a:1"}]}},
        }}),
        _ => json!({}),
    };
    object["metadata"] = json!({"name": name, "labels": {
        "app.kubernetes.io/instance": SHOP, "app.kubernetes.io/managed-by": "tokencache-operator",
    }});
    if let Some(owner) = owner {
        object["metadata"]["ownerReferences"] = json!([owner]);
    }
    object
}

#[tokio::test]
async fn what_the_operator_did_not_make_stays_whoever_owns_it() {
    let (world, _operator) = World::with_shop("surplus").await;
    let ours = world.get("Secret", "shop-redis").await["metadata"]["ownerReferences"][0].clone();
    // Made so by a user, who wants it to go with the cache.
    let mut tied = ours.clone();
    tied["controller"] = false.into();
    let kinds = ["ServiceAccount", "Service", "ConfigMap", "Secret", "StatefulSet"];
    for kind in kinds {
        world.make(kind, labelled(kind, "unowned", None)).await.unwrap();
        world.make(kind, labelled(kind, "tied", Some(&tied))).await.unwrap();
        world.make(kind, labelled(kind, "owned", Some(&ours))).await.unwrap();
    }
    world.make("Secret", labelled("Secret", "shop-key-owned", Some(&ours))).await.unwrap();
    never(TWO_PERIODS, "all of it stays", async || {
        let names = world.names().await;
        let stays =
            |kind: &str| ["unowned", "tied", "owned"].iter().all(|name| names.contains(&format!("{kind} {name}")));
        let key_stays = names.iter().any(|name| name == "Secret shop-key-owned");
        (!key_stays || !kinds.into_iter().all(stays)).then(|| format!("{names:?}"))
    })
    .await;
    world.ready(SHOP).await;
}
