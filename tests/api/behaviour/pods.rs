//! What a pod that does not run says, in the words of kubelet and the scheduler.

use std::time::Duration;

use serde_json::json;

use super::scene::{POD, SHOP, World, condition, operated, shop};
use crate::support::api_server::api_server;
use crate::support::eventually::never;
use crate::support::kubelet::Fault;

const MISSING: &str = "registry.example/redis:none";

/// Watches that the operator writes nothing while kubelet goes back and forth.
async fn says_nothing_new(world: &World) {
    world.quiet().await;
    let mark = api_server().audit_log().mark();
    never(Duration::from_secs(6), "nothing is written", async || {
        let writes = world.writes_since(mark);
        (!writes.is_empty()).then(|| format!("{writes:?}"))
    })
    .await;
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled_is_told_once_and_mending_it_in_the_spec_heals() {
    let (world, _operator) = operated("image").await;
    world.kubelet.remove_image(MISSING);
    world.create(SHOP, json!({"redis": {"image": MISSING}})).await;
    let message = world.condition(SHOP, "RedisAvailable", "False", "ImagePullFailed").await;
    for part in [MISSING, POD, "not found", "spec.redis.image"] {
        assert!(message.contains(part), "{part:?} is not in {message}");
    }
    let status = world.get("TokenCache", SHOP).await["status"].clone();
    assert_eq!(condition(&status, "Ready")["reason"], "ImagePullFailed");
    says_nothing_new(&world).await;
    let seen = world.get("TokenCache", SHOP).await["status"].clone();
    assert_eq!(seen, status, "kubelet goes between ErrImagePull and ImagePullBackOff, and that is no news");

    let broken = world.uid("Pod", POD).await;
    world.edit("TokenCache", SHOP, json!({"spec": {"redis": {"image": "docker.io/library/redis:8.2.9"}}})).await;
    world.ready(SHOP).await;
    assert_ne!(world.uid("Pod", POD).await, broken, "the broken pod was replaced, not waited for");
}

#[tokio::test]
async fn an_image_whose_name_is_none_needs_the_user() {
    let (world, _operator) = operated("image-name").await;
    world.create(SHOP, json!({"redis": {"image": "registry.example/Redis:8.2"}})).await;
    let message = world.condition(SHOP, "RedisAvailable", "False", "InvalidImageName").await;
    assert!(message.contains("registry.example/Redis:8.2") && message.contains("spec.redis.image"), "{message}");
    world.condition(SHOP, "Stalled", "True", "InvalidImageName").await;
    world.edit("TokenCache", SHOP, json!({"spec": {"redis": {"image": "docker.io/library/redis:8.2.9"}}})).await;
    world.ready(SHOP).await;
}

#[tokio::test]
async fn a_pod_that_no_node_takes_is_told_in_the_schedulers_words() {
    let (world, _operator) = operated("node").await;
    world.kubelet.pod(POD).inject(Fault::Unschedulable);
    world.create(SHOP, json!({})).await;
    let message = world.condition(SHOP, "RedisAvailable", "False", "Unschedulable").await;
    assert!(message.starts_with("no node takes pod shop-redis-0: 0/1 nodes are available: 1 Insufficient memory."));
    assert!(message.contains("spec.redis.maxMemory"), "{message}");
    world.kubelet.pod(POD).heal();
    world.ready(SHOP).await;
}

#[tokio::test]
async fn a_server_that_is_killed_for_its_memory_is_told_from_one_that_crashes() {
    let (world, _operator) = shop("memory-kill").await;
    world.kubelet.pod(POD).inject(Fault::OutOfMemory);
    let message = world.condition(SHOP, "RedisAvailable", "False", "OutOfMemory").await;
    assert!(message.contains("ran out of memory") && message.contains("spec.redis.maxMemory"), "{message}");
    world.event(SHOP, "OutOfMemory").await;
    world.kubelet.pod(POD).heal();
    world.ready(SHOP).await;
}

#[tokio::test]
async fn a_server_that_crashes_again_and_again_is_told_with_its_last_words() {
    let (world, _operator) = shop("crash-loop").await;
    world.kubelet.pod(POD).inject(Fault::crash("Can't open the append-only file: Permission denied"));
    let told = |status: &serde_json::Value| {
        let available = condition(status, "RedisAvailable");
        available["reason"] == "CrashLoop" && available["message"].as_str().unwrap().contains("Permission denied")
    };
    let status = world.status(SHOP, "the last words are told", told).await;
    let message = condition(&status, "RedisAvailable")["message"].as_str().unwrap();
    let wanted = "the server in pod shop-redis-0 ended with exit code 1: Can't open the append-only file: Permission denied. See the log \
                  of its last run";
    assert_eq!(message, wanted);
    let command = format!("kubectl -n {} logs shop-redis-0 --previous", world.namespace);
    assert!(world.remedies(SHOP, "RedisAvailable").await.contains(&command));
    says_nothing_new(&world).await;
    world.kubelet.pod(POD).heal();
    world.ready(SHOP).await;
}

#[tokio::test]
async fn an_image_without_a_server_is_told() {
    let (world, _operator) = operated("no-server").await;
    let nothing = ["sh", "-c", "exec no-such-server"].map(str::to_owned);
    world.kubelet.pod(POD).inject(Fault::Instead(nothing.to_vec()));
    world.create(SHOP, json!({})).await;
    let message = world.condition(SHOP, "RedisAvailable", "False", "CrashLoop").await;
    assert!(message.contains("exit code 127") && message.contains("correct spec.redis.image"), "{message}");
}

#[tokio::test]
async fn an_image_without_a_shell_is_told_as_a_container_that_cannot_be_started() {
    let (world, _operator) = operated("no-shell").await;
    world.kubelet.pod(POD).inject(Fault::Instead(vec!["no-such-shell".to_owned()]));
    world.create(SHOP, json!({})).await;
    let message = world.condition(SHOP, "RedisAvailable", "False", "ContainerNotCreated").await;
    assert!(message.contains("executable file not found"), "{message}");
    assert!(world.remedies(SHOP, "RedisAvailable").await.contains("set spec.redis.image to one with a shell"));
}
