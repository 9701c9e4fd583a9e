//! Entries on a real volume, with a scheduler that binds it and a kubelet that mounts it.

use serde_json::json;

use crate::cluster::{PATIENCE, Scene};
use crate::support::eventually::within;

/// A volume of the cluster's default class. The size is one that any has.
const VOLUME: &str = "1Gi";

#[tokio::test]
async fn entries_on_a_volume_outlast_the_pod_and_the_claim_outlasts_the_cache() {
    let scene = Scene::new("volume").await;
    let redis = json!({"maxMemory": "32Mi", "persistence": {"size": VOLUME}});
    scene.apply(redis.clone()).await;
    scene.ready().await;
    scene.condition("Durable", "True", "Persisted").await;
    assert_eq!(scene.redis_cli("app", "HMSET shop:a absexp -1 sldexp -1 data x").await, "OK");
    scene.replace_pod().await;
    assert_eq!(scene.redis_cli("app", "HMGET shop:a data").await, "x");

    let claim = || scene.kubectl(&["get", "pvc", "data-shop-redis-0", "--output", "jsonpath={.metadata.uid}"]);
    let uid = claim();
    scene.kubectl(&["delete", "tokencache", "shop"]);
    within(PATIENCE, "the pod is gone", async || match scene.pods().get_opt("shop-redis-0").await {
        Ok(None) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    assert_eq!(claim(), uid);
    scene.apply(redis).await;
    scene.ready().await;
    assert_eq!(scene.redis_cli("app", "HMGET shop:a data").await, "x");
}

#[tokio::test]
async fn a_class_that_does_not_exist_is_told_in_the_schedulers_words() {
    let scene = Scene::new("class").await;
    let persistence = json!({"size": VOLUME, "storageClassName": "no-such-class"});
    scene.apply(json!({"maxMemory": "32Mi", "persistence": persistence})).await;
    let message = scene.condition("RedisAvailable", "False", "Unschedulable").await;
    assert!(
        message.contains("PersistentVolumeClaim") && message.ends_with("See what claim data-shop-redis-0 waits for"),
        "{message}"
    );
}
