//! A spec that changes reaches the objects and the server, and the status follows it.

use serde_json::{Value, json};

use super::scene::{POD, SHOP, World, condition, has_been, shop, warns_of};
use crate::support::eventually::eventually;
use crate::support::operator::Operator;

/// Changes the spec, waits until the cache is ready with it, and makes sure that the whole status speaks of it.
async fn change(world: &World, spec: Value) -> Value {
    let before = world.get("TokenCache", SHOP).await["metadata"]["generation"].as_i64().unwrap();
    world.edit("TokenCache", SHOP, json!({ "spec": spec })).await;
    let status = world.ready(SHOP).await;
    assert_eq!(status["observedGeneration"], before + 1);
    for each in status["conditions"].as_array().unwrap() {
        assert_eq!(each["observedGeneration"], before + 1, "{each}");
    }
    status
}

/// Waits until the pod's spec in the `StatefulSet` is as wanted.
async fn template(world: &World, what: &str, wanted: impl Fn(&Value) -> bool) {
    eventually(what, async || {
        let set = world.get("StatefulSet", "shop-redis").await;
        let spec = &set["spec"]["template"]["spec"];
        if wanted(spec) { Ok(()) } else { Err(spec.to_string()) }
    })
    .await;
}

#[tokio::test]
async fn another_eviction_policy_reaches_the_running_server_and_nobody_is_blamed() {
    let (world, _operator) = shop("new-policy").await;
    let pod = world.uid("Pod", POD).await;
    world.edit("TokenCache", SHOP, json!({"spec": {"redis": {"evictionPolicy": "allkeys-lru"}}})).await;
    world.setting(SHOP, "maxmemory-policy", "allkeys-lru").await;
    let verified = |status: &Value| {
        let message = condition(status, "EvictionPolicyVerified")["message"].as_str().unwrap_or_default();
        message.starts_with("maxmemory-policy allkeys-lru and maxmemory 256Mi read back")
    };
    let status = world.status(SHOP, "the new policy is verified", verified).await;
    assert_eq!(status["redis"]["servers"][0]["evictionPolicy"], "allkeys-lru");
    assert!(world.config_map("shop-redis-config").await["redis.conf"].contains("maxmemory-policy allkeys-lru\n"));
    assert_eq!(world.uid("Pod", POD).await, pod, "no restart");
    world.quiet().await;
    let events = world.events(SHOP).await;
    let blamed: Vec<_> = events.iter().filter(|event| event.reason.as_deref() == Some("DriftCorrected")).collect();
    assert!(blamed.is_empty(), "a change of the spec is no drift: {blamed:?}");
}

#[tokio::test]
async fn memory_moves_live_within_the_container_that_there_is() {
    let (world, _operator) = shop("live-memory").await;
    let (pod, set) = (world.uid("Pod", POD).await, world.get("StatefulSet", "shop-redis").await);
    assert_eq!(world.app(SHOP, &["HMSET", "shop:a", "absexp", "-1", "sldexp", "-1", "data", "x"]).await, "OK");
    for (memory, bytes) in [("128Mi", "134217728"), ("300Mi", "314572800")] {
        world.edit("TokenCache", SHOP, json!({"spec": {"redis": {"maxMemory": memory}}})).await;
        world.setting(SHOP, "maxmemory", bytes).await;
        let verified = |status: &Value| {
            status["redis"]["servers"][0]["maxMemory"] == memory && condition(status, "Ready")["status"] == "True"
        };
        world.status(SHOP, &format!("{memory} are read back"), verified).await;
        assert!(world.config_map("shop-redis-config").await["redis.conf"].contains(&format!("maxmemory {bytes}\n")));
    }
    world.quiet().await;
    assert_eq!(world.uid("Pod", POD).await, pod, "no restart");
    assert_eq!(world.get("StatefulSet", "shop-redis").await["metadata"]["generation"], set["metadata"]["generation"]);
    assert_eq!(world.app(SHOP, &["HMGET", "shop:a", "data"]).await, "x");
    let events = world.events(SHOP).await;
    let blamed: Vec<_> = events.iter().filter(|event| event.reason.as_deref() == Some("DriftCorrected")).collect();
    assert!(blamed.is_empty(), "a change of the spec is no drift: {blamed:?}");
}

#[tokio::test]
async fn more_memory_reaches_the_server_and_its_container() {
    let (world, _operator) = shop("more-memory").await;
    let (pod, history) = (world.uid("Pod", POD).await, world.watch(SHOP).await);
    world.edit("TokenCache", SHOP, json!({"spec": {"redis": {"maxMemory": "512Mi"}}})).await;
    world.setting(SHOP, "maxmemory", "536870912").await;
    let limited = |spec: &Value| spec["containers"][0]["resources"]["limits"]["memory"] == "832Mi";
    template(&world, "the container's limit follows", limited).await;
    let verified = |status: &Value| {
        status["redis"]["servers"][0]["maxMemory"] == "512Mi" && condition(status, "Ready")["status"] == "True"
    };
    world.status(SHOP, "512Mi are read back", verified).await;
    assert_ne!(world.uid("Pod", POD).await, pod, "the pod was replaced");
    has_been(&history, "RedisAvailable", "False", "Provisioning").await;
    let announced = "because spec.redis.maxMemory changed";
    eventually("the restart was announced with its reason", async || {
        let notes: Vec<_> = world.events(SHOP).await.into_iter().filter_map(|event| event.note).collect();
        if notes.iter().any(|note| note.contains(announced)) { Ok(()) } else { Err(format!("{notes:?}")) }
    })
    .await;
}

#[tokio::test]
async fn where_the_pods_run_reaches_the_stateful_set_and_leaves_it_again() {
    let (world, _operator) = shop("place").await;
    let toleration = json!({"key": "dedicated", "operator": "Equal", "value": "caches", "effect": "NoSchedule"});
    let pod = json!({"nodeSelector": {"pool": "caches"}, "tolerations": [toleration], "priorityClassName": null});
    change(&world, json!({"redis": {"pod": pod}})).await;
    let placed =
        |spec: &Value| spec["nodeSelector"] == json!({"pool": "caches"}) && spec["tolerations"] == json!([toleration]);
    template(&world, "selector and toleration are there", placed).await;

    change(&world, json!({"redis": {"pod": {"tolerations": null}}})).await;
    let untolerated = |spec: &Value| spec["tolerations"].is_null() && spec["nodeSelector"] == json!({"pool": "caches"});
    template(&world, "the toleration is gone", untolerated).await;
    change(&world, json!({"redis": {"pod": null}})).await;
    template(&world, "the selector is gone", |spec| spec["nodeSelector"].is_null()).await;
}

#[tokio::test]
async fn another_image_replaces_the_pod() {
    let (world, _operator) = shop("new-image").await;
    let before = world.uid("Pod", POD).await;
    world.edit("TokenCache", SHOP, json!({"spec": {"redis": {"image": "docker.io/library/redis:8.4"}}})).await;
    eventually("the pod runs the new image", async || {
        let pod = world.api("Pod").get_opt(POD).await.map_err(|error| error.to_string())?;
        let image = pod.as_ref().map(|pod| pod.data["spec"]["containers"][0]["image"].clone());
        if image == Some("docker.io/library/redis:8.4".into()) { Ok(()) } else { Err(format!("{image:?}")) }
    })
    .await;
    assert_ne!(world.uid("Pod", POD).await, before);
    world.ready(SHOP).await;
}

#[tokio::test]
async fn a_spec_that_is_refused_is_told_in_the_api_servers_words_and_changes_nothing() {
    let (world, _operator) = shop("refused-spec").await;
    world.quiet().await;
    let shape = world.shape().await;
    let toleration = json!({"key": "dedicated", "operator": "Perhaps"});
    let redis = json!({"pod": {"tolerations": [toleration]}, "evictionPolicy": "allkeys-lru"});
    world.edit("TokenCache", SHOP, json!({"spec": {"redis": redis}})).await;
    let message = world.condition(SHOP, "SpecValid", "False", "RejectedByApiServer").await;
    assert!(message.contains("tolerations") && message.contains("StatefulSet shop-redis"), "{message}");
    world.condition(SHOP, "Stalled", "True", "RejectedByApiServer").await;
    world.quiet().await;
    world.has_shape("nothing was changed", &shape).await;
    world.setting(SHOP, "maxmemory-policy", "volatile-lru").await;
    // Where nothing else is to be written, nothing is rehearsed.
    world.edit("TokenCache", SHOP, json!({"spec": {"redis": {"evictionPolicy": "volatile-lru"}}})).await;
    eventually("the remedy is told", async || {
        let message = world.condition(SHOP, "SpecValid", "False", "RejectedByApiServer").await;
        if message.contains("Correct the field of the spec") { Ok(()) } else { Err(message) }
    })
    .await;
    world.edit("TokenCache", SHOP, json!({"spec": {"redis": {"pod": null, "evictionPolicy": "allkeys-lru"}}})).await;
    world.ready(SHOP).await;
    world.setting(SHOP, "maxmemory-policy", "allkeys-lru").await;
}

/// An apply takes away only what an earlier apply put there, and the first write of an object is none.
#[tokio::test]
async fn what_is_taken_out_of_the_spec_leaves_the_object_that_was_made_with_it() {
    let world = World::new("taken-out").await;
    let _operator = Operator::start(&world.namespace).await;
    let labels = json!({"nodeSelector": {"kubernetes.io/os": "linux"}, "priorityClassName": "system-cluster-critical"});
    world.create(SHOP, json!({"redis": {"pod": labels}})).await;
    let pod = async || world.get("StatefulSet", "shop-redis").await["spec"]["template"]["spec"].clone();
    world.condition(SHOP, "SpecValid", "True", "Valid").await;
    assert_eq!(pod().await["nodeSelector"], json!({"kubernetes.io/os": "linux"}));
    world.edit("TokenCache", SHOP, json!({"spec": {"redis": {"pod": null}}})).await;
    eventually("the StatefulSet has neither", async || {
        let pod = pod().await;
        let is_gone = pod["nodeSelector"].is_null() && pod["priorityClassName"].is_null();
        if is_gone { Ok(()) } else { Err(pod.to_string()) }
    })
    .await;
}

#[tokio::test]
async fn an_annotation_that_is_not_known_is_a_warning_with_an_event_until_it_is_gone() {
    let (world, _operator) = shop("mistyped").await;
    let annotate = async |key: &str, value: Value| {
        world.edit("TokenCache", SHOP, json!({"metadata": {"annotations": {key: value}}})).await;
    };
    annotate("argocd.argoproj.io/sync-options", "Prune=false".into()).await;
    for (key, value, words) in [
        ("tokencache.dev/rotate-password", "2026-01-01T00:00:00Z", "tokencache.dev/rotate-password-requested is meant"),
        ("tokencache.dev/reconcile", "pause", "it says \"pause\", not \"paused\""),
    ] {
        annotate(key, value.into()).await;
        let message = world.condition(SHOP, "SpecValid", "True", "UnknownAnnotation").await;
        world.condition_says(SHOP, "SpecValid", words).await;
        let status = world.ready(SHOP).await;
        assert!(warns_of(&status, "SpecValid") && message.contains("does nothing"), "{status}");
        eventually("an Event tells of it", async || {
            let events = world.events(SHOP).await;
            let notes: Vec<_> = events.into_iter().filter_map(|event| event.note).collect();
            if notes.iter().any(|note| note.contains(words)) { Ok(()) } else { Err(notes.join("\n")) }
        })
        .await;
        annotate(key, Value::Null).await;
        world.condition(SHOP, "SpecValid", "True", "Valid").await;
    }
}
