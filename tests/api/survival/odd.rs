//! Odd wishes: what the API server refuses on admission, with which words, and what it takes.

use kube::Error;
use serde_json::{Value, json};

use super::TWO_PERIODS;
use super::world::{SHOP, World, condition};
use crate::support::eventually::never;
use crate::support::operator::Operator;

/// What the API server says to a cache of this name and spec.
async fn refusal(world: &World, name: &str, spec: &Value) -> String {
    match world.try_create(name, spec.clone()).await {
        Err(Error::Api(status)) => status.message,
        other => panic!("{name} {spec}: {other:?}"),
    }
}

#[tokio::test]
async fn a_wish_that_cannot_be_carried_out_is_refused_with_the_field_and_the_remedy() {
    let world = World::new("refused").await;
    let memory = |amount: Value| json!({"redis": {"maxMemory": amount}});
    let resources = |of: &str| json!({"redis": {"pod": {"resources": {of: {"memory": "1Gi"}}}}});
    let long = "a".repeat(63);
    let refused: Vec<(&str, Value, &[&str])> = vec![
        (&long, json!({}), &["more than 40 characters", "shorter name"]),
        ("1shop", json!({}), &["DNS-1035"]),
        ("shop.eu", json!({}), &["DNS-1035"]),
        ("Shop", json!({}), &["metadata.name", "lower case"]),
        (SHOP, memory(json!(-268_435_456)), &["spec.redis.maxMemory", "from 16Mi to 1Ti"]),
        (SHOP, memory("-1Gi".into()), &["spec.redis.maxMemory", "from 16Mi to 1Ti"]),
        (SHOP, memory("15Mi".into()), &["spec.redis.maxMemory", "from 16Mi to 1Ti"]),
        (SHOP, memory(json!(0)), &["spec.redis.maxMemory", "from 16Mi to 1Ti"]),
        (SHOP, memory("1025Gi".into()), &["spec.redis.maxMemory", "from 16Mi to 1Ti"]),
        (SHOP, memory("999999999999999Ti".into()), &["spec.redis.maxMemory", "from 16Mi to 1Ti"]),
        (SHOP, memory("1.5Gi".into()), &["spec.redis.maxMemory", "whole number"]),
        (SHOP, memory("lots".into()), &["spec.redis.maxMemory", "256Mi"]),
        (SHOP, memory(json!(1.5)), &["spec.redis.maxMemory", "integer"]),
        (SHOP, json!({"redis": {"evictionPolicy": "random"}}), &["spec.redis.evictionPolicy", "volatile-lru"]),
        (SHOP, json!({"redis": {"image": "redis 8"}}), &["spec.redis.image", "white space"]),
        (SHOP, json!({"redis": {"imagePullPolicy": "always"}}), &["spec.redis.imagePullPolicy", "Unsupported value"]),
        (SHOP, json!({"redis": {"acceptedVersion": "8.0.2 or so"}}), &["spec.redis.acceptedVersion", "8.0.2"]),
        (SHOP, json!({"redis": {"image": ""}}), &["spec.redis.image"]),
        (SHOP, json!({"entries": {"instanceName": "two words"}}), &["spec.entries.instanceName", "white space"]),
        (SHOP, json!({"entries": {"instanceName": "tab\t"}}), &["spec.entries.instanceName", "white space"]),
        (SHOP, json!({"entries": {"instanceName": "ümlaut"}}), &["spec.entries.instanceName", "ASCII"]),
        (SHOP, json!({"entries": {"instanceName": "a".repeat(129)}}), &["spec.entries.instanceName", "128"]),
        (SHOP, resources("requests"), &["spec.redis.pod.resources", "change maxMemory instead"]),
        (SHOP, resources("limits"), &["spec.redis.pod.resources", "change maxMemory instead"]),
        (SHOP, Value::Null, &["spec", "Required value"]),
    ];
    for (name, spec, words) in refused {
        let said = refusal(&world, name, &spec).await;
        assert!(words.iter().all(|word| said.contains(word)), "{name} {spec}: {said}");
    }
    let missing = world.make("TokenCache", json!({"metadata": {"name": SHOP}})).await;
    assert!(missing.is_err_and(|error| error.to_string().contains("spec: Required value")));
}

/// What the API server answers to a field that nobody knows.
async fn with_unknown_field(world: &World, validation: &str) -> Result<Value, Error> {
    let body = json!({
        "apiVersion": "tokencache.dev/v1alpha1", "kind": "TokenCache", "metadata": {"name": SHOP},
        "spec": {"redis": {"maxMemroy": "1Gi"}},
    });
    let uri = format!(
        "/apis/tokencache.dev/v1alpha1/namespaces/{}/tokencaches?fieldValidation={validation}",
        world.namespace
    );
    let request = http::Request::post(uri).header("content-type", "application/json");
    world.client.request(request.body(serde_json::to_vec(&body).unwrap()).unwrap()).await
}

#[tokio::test]
async fn an_unknown_field_is_refused_by_kubectl_and_dropped_where_nobody_asks() {
    let world = World::new("unknown").await;
    let _operator = Operator::start(&world.namespace).await;
    let refused = with_unknown_field(&world, "Strict").await.unwrap_err().to_string();
    assert!(refused.contains("unknown field \"spec.redis.maxMemroy\""), "{refused}");
    let made = with_unknown_field(&world, "Ignore").await.unwrap();
    assert_eq!(made["spec"]["redis"]["maxMemroy"], Value::Null);
    assert_eq!(made["spec"]["redis"]["maxMemory"], "256Mi");
    world.ready(SHOP).await;
}

#[tokio::test]
async fn a_field_without_a_value_means_its_default() {
    let world = World::new("nulls").await;
    let _operator = Operator::start(&world.namespace).await;
    let nulls = json!({
        "redis": {"image": null, "maxMemory": null, "evictionPolicy": null, "pod": {"resources": null, "tolerations": null}},
        "entries": {"instanceName": null},
    });
    let made = world.create(SHOP, nulls).await;
    let empty = world.create("empty", json!({"redis": null, "entries": null})).await;
    let bare = world.create("bare", json!({})).await;
    assert_eq!(made.data["spec"], bare.data["spec"]);
    assert_eq!(empty.data["spec"], bare.data["spec"]);
    world.ready(SHOP).await;
}

#[tokio::test]
async fn an_image_may_be_named_by_tag_and_digest_and_its_pull_policy_reaches_the_pod() {
    let world = World::new("digest").await;
    let _operator = Operator::start(&world.namespace).await;
    let image = format!("docker.io/library/redis:8.2.9@sha256:{}", "0".repeat(64));
    world.create(SHOP, json!({"redis": {"image": image, "imagePullPolicy": "Always"}})).await;
    world.ready(SHOP).await;
    let set = world.get("StatefulSet", "shop-redis").await;
    let container = &set["spec"]["template"]["spec"]["containers"][0];
    assert_eq!((&container["image"], &container["imagePullPolicy"]), (&image.into(), &"Always".into()));
}

#[tokio::test]
async fn the_longest_name_and_the_most_memory_work() {
    let world = World::new("longest").await;
    let _operator = Operator::start(&world.namespace).await;
    let long = "a".repeat(40);
    world.create(&long, json!({"redis": {"maxMemory": 16 << 20}})).await;
    world.create("huge", json!({"redis": {"maxMemory": "1Ti"}})).await;
    let status = world.ready(&long).await;
    assert_eq!(status["redis"]["servers"][0]["maxMemory"], "16Mi");
    world.ready("huge").await;
    let set = world.get("StatefulSet", "huge-redis").await;
    let resources = &set["spec"]["template"]["spec"]["containers"][0]["resources"];
    assert_eq!(resources["limits"]["memory"], "1572928Mi", "half as much again, and 64Mi");
}

#[tokio::test]
async fn the_prefix_cannot_change_but_what_it_is_may_be_written_out() {
    let world = World::new("prefix").await;
    world.create(SHOP, json!({})).await;
    let prefix = |prefix: Value| json!({"spec": {"entries": {"instanceName": prefix}}});
    world.edit("TokenCache", SHOP, prefix("shop:".into())).await;
    world.edit("TokenCache", SHOP, prefix(Value::Null)).await;
    let patch = kube::api::Patch::Merge(prefix("other:".into()));
    let refused = world.api("TokenCache").patch(SHOP, &kube::api::PatchParams::default(), &patch).await;
    let said = refused.unwrap_err().to_string();
    assert!(said.contains("instanceName cannot change") && said.contains("second TokenCache"), "{said}");
}

/// A spec that only the API server can refuse writes nothing, and says whose fault it is; then it is corrected.
async fn is_rejected(spec: Value, correction: Value, words: &[&str]) {
    let world = World::new("rejected").await;
    let _operator = Operator::start(&world.namespace).await;
    world.create(SHOP, spec).await;
    let message = world.condition(SHOP, "SpecValid", "False", "RejectedByApiServer").await;
    assert!(message.contains("StatefulSet shop-redis"), "{message}");
    assert!(words.iter().all(|word| message.contains(word)), "{message}");
    let status =
        world.status(SHOP, "it waits for the user", |seen| condition(seen, "Stalled")["status"] == "True").await;
    assert_eq!(condition(&status, "Ready")["reason"], "RejectedByApiServer");
    never(TWO_PERIODS, "nothing is made", async || {
        let names = world.names().await;
        (!names.is_empty()).then(|| format!("{names:?}"))
    })
    .await;
    world.edit("TokenCache", SHOP, json!({"spec": {"redis": {"pod": correction}}})).await;
    let status = world.ready(SHOP).await;
    assert_eq!(condition(&status, "Stalled")["status"], "False");
}

#[tokio::test]
async fn a_toleration_that_is_none_is_rejected_in_the_servers_words_and_nothing_is_made() {
    let pod = json!({"tolerations": [{"key": "a", "operator": "Sometimes"}]});
    is_rejected(json!({"redis": {"pod": pod}}), json!({"tolerations": null}), &["tolerations[0]", "Sometimes"]).await;
}

#[tokio::test]
async fn more_cpu_requested_than_allowed_is_rejected_in_the_servers_words_and_nothing_is_made() {
    let pod = json!({"resources": {"requests": {"cpu": 2}, "limits": {"cpu": 1}}});
    let correction = json!({"resources": {"limits": {"cpu": 3}}});
    is_rejected(json!({"redis": {"pod": pod}}), correction, &["resources.requests", "cpu limit"]).await;
}

#[tokio::test]
async fn an_amount_of_cpu_that_is_none_is_told_with_what_is_written() {
    let world = World::new("amount").await;
    let _operator = Operator::start(&world.namespace).await;
    let pod = |pod: Value| json!({"redis": {"pod": pod}});
    world.create(SHOP, pod(json!({"resources": {"requests": {"cpu": "lots"}}}))).await;
    let message = world.condition(SHOP, "SpecValid", "False", "Invalid").await;
    assert!(
        message.contains("spec.redis.pod.resources") && message.contains("\"lots\" is no amount of cpu"),
        "{message}"
    );
    assert!(world.names().await.is_empty());
    world.edit("TokenCache", SHOP, json!({"spec": pod(json!({"resources": null}))})).await;
    world.ready(SHOP).await;
}
