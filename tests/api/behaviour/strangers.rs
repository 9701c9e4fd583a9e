//! Somebody else's object under a name that a cache needs.

use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::api_server::api_server;
use crate::support::eventually::{eventually, never};
use crate::support::faults::Writes;
use crate::support::operator::{Operator, PROBE_PERIOD, USER_AGENT};
use crate::survival::TWO_PERIODS;
use crate::survival::world::{PARTS, POLICY, RING, SHOP, World, condition, make_in};

/// An object of this kind and name that has nothing to do with a cache.
fn stranger(kind: &str, name: &str) -> Value {
    let content = match kind {
        "Service" => json!({"spec": {"ports": [{"port": 80}]}}),
        "ConfigMap" => json!({"data": {"theirs": "yes"}}),
        "Secret" => json!({"stringData": {"theirs": "yes"}}),
        "StatefulSet" => json!({"spec": {
            "replicas": 0, "serviceName": "theirs", "selector": {"matchLabels": {"app": "theirs"}},
            "template": {
                "metadata": {"labels": {"app": "theirs"}},
                "spec": {"containers": [{"name": "theirs", "image": "theirs:1"}]},
            },
        }}),
        _ => json!({}),
    };
    let mut object = content;
    object["metadata"] = json!({"name": name, "labels": {"app": "theirs"}});
    object
}

/// What must stay as it is: everything but the status, which the controllers of Kubernetes write.
async fn content(world: &World, kind: &str, name: &str) -> Value {
    let mut object = world.get(kind, name).await;
    object.as_object_mut().unwrap().remove("status");
    object["metadata"]
        .as_object_mut()
        .unwrap()
        .retain(|field, _| field != "resourceVersion" && field != "managedFields");
    object
}

/// Waits until the cache says that this name is taken, and checks that nothing is done about it.
async fn is_taken(world: &World, kind: &str, name: &str) -> String {
    let before = content(world, kind, name).await;
    let message = world.condition(SHOP, "RedisAvailable", "False", "NameTaken").await;
    assert!(message.contains(&format!("{kind} {name} exists already")), "{message}");
    let status =
        world.status(SHOP, "it waits for the user", |seen| condition(seen, "Stalled")["status"] == "True").await;
    assert_eq!(condition(&status, "Ready")["reason"], "NameTaken");
    let published = [("Secret", "binding"), ("Service", "redis")].into_iter().find(|each| each.0 == kind);
    if let Some((_, field)) = published.filter(|_| name == "shop-redis") {
        assert_eq!(status[field], Value::Null, "what is a stranger's is not published");
    }
    let others = world.names().await;
    never(TWO_PERIODS, "the stranger stays as it is, and nothing else is made", async || {
        let (now, names) = (content(world, kind, name).await, world.names().await);
        (now != before || names != others).then(|| format!("{now}\n{names:?}"))
    })
    .await;
    message
}

#[tokio::test]
async fn an_object_of_a_stranger_is_named_and_left_alone_until_it_is_gone() {
    join_all(PARTS.map(async |(kind, name)| {
        let world = World::new("stranger").await;
        world.make(kind, stranger(kind, name)).await.unwrap();
        let _operator = Operator::start(&world.namespace).await;
        world.create(SHOP, json!({})).await;
        is_taken(&world, kind, name).await;
        world.delete(kind, name).await;
        world.ready(SHOP).await;
    }))
    .await;
}

/// Between the look that finds a name free and the write that takes it.
#[tokio::test]
async fn an_object_that_somebody_makes_at_that_very_moment_is_left_alone_and_outlives_the_cache() {
    join_all(PARTS.into_iter().chain([RING, POLICY]).map(async |(kind, name)| {
        let world = World::new("moment").await;
        let (client, namespace) = (world.client.clone(), world.namespace.clone());
        let collection = format!("/{}s", kind.to_lowercase()).replace("policys", "policies");
        let writes = Writes::overtaken(&collection, move || {
            let (client, namespace) = (client.clone(), namespace.clone());
            async move { make_in(&client, &namespace, kind, stranger(kind, name)).await.map(drop).unwrap() }
        });
        let client = api_server().client_through(USER_AGENT, &writes).await;
        let _operator = Operator::start_with(client, &world.namespace, PROBE_PERIOD);
        world.create(SHOP, json!({})).await;
        eventually("somebody was quicker", async || {
            let is_there = writes.overtook() && world.uid(kind, name).await.is_some();
            if is_there { Ok(()) } else { Err(format!("{kind} {name}: {writes}")) }
        })
        .await;
        if PARTS.contains(&(kind, name)) {
            is_taken(&world, kind, name).await;
        } else {
            let (of_it, reason) = if (kind, name) == RING {
                ("KeyRingReady", "NameTaken")
            } else {
                ("NetworkRestricted", "NetworkPolicyNameTaken")
            };
            world.condition(SHOP, of_it, "False", reason).await;
        }
        let theirs = content(&world, kind, name).await;
        assert_eq!(theirs["metadata"]["labels"], json!({"app": "theirs"}), "{kind} {name}");
        assert_eq!(theirs["metadata"]["ownerReferences"], Value::Null, "{kind} {name}");
        world.delete("TokenCache", SHOP).await;
        never(TWO_PERIODS, "what is a stranger's stays", async || {
            let now = content(&world, kind, name).await;
            (now != theirs).then(|| now.to_string())
        })
        .await;
    }))
    .await;
}

#[tokio::test]
async fn an_object_that_kubectl_made_is_told_with_its_maker() {
    let world = World::new("maker").await;
    let make = ["create", "configmap", "shop-settings", "--from-literal=a=b", "--namespace", &world.namespace];
    api_server().kubectl(&make).await;
    let _operator = Operator::start(&world.namespace).await;
    world.create(SHOP, json!({})).await;
    let message = is_taken(&world, "ConfigMap", "shop-settings").await;
    assert!(message.contains("kubectl-create"), "{message}");
}

#[tokio::test]
async fn an_object_of_another_cache_is_told_with_its_owner() {
    let world = World::new("other").await;
    let _operator = Operator::start(&world.namespace).await;
    let paused = json!({"name": "other", "annotations": {"tokencache.dev/reconcile": "paused"}});
    let other = world.make("TokenCache", json!({"metadata": paused, "spec": {}})).await.unwrap();
    let mut object = stranger("Service", "shop-redis");
    object["metadata"]["labels"] = json!({
        "app.kubernetes.io/managed-by": "tokencache-operator", "app.kubernetes.io/instance": "other",
    });
    object["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "tokencache.dev/v1alpha1", "kind": "TokenCache", "name": "other",
        "uid": other.metadata.uid, "controller": true,
    }]);
    world.make("Service", object).await.unwrap();
    world.create(SHOP, json!({})).await;
    let message = is_taken(&world, "Service", "shop-redis").await;
    assert!(message.contains("TokenCache other"), "{message}");
    world.delete("TokenCache", "other").await;
    world.ready(SHOP).await;
}

#[tokio::test]
async fn an_object_whose_owner_reference_was_taken_away_is_taken_up_again_once_it_has_its_labels() {
    let (world, _operator) = World::with_shop("disowned").await;
    let label = |value: Value| json!({"labels": {"app.kubernetes.io/component": value}});
    let owned = world.get("Service", "shop-redis").await;
    let mut bare = label(Value::Null);
    bare["ownerReferences"] = Value::Null;
    world.edit("Service", "shop-redis", json!({ "metadata": bare })).await;
    let message = is_taken(&world, "Service", "shop-redis").await;
    assert!(message.contains("Put back the labels that the other objects have"), "{message}");
    world.edit("Service", "shop-redis", json!({"metadata": label("cache".into())})).await;
    world.ready(SHOP).await;
    let now = world.get("Service", "shop-redis").await;
    assert_eq!(now["metadata"]["ownerReferences"], owned["metadata"]["ownerReferences"]);
    assert_eq!(now["metadata"]["uid"], owned["metadata"]["uid"]);
    assert!(world.event(SHOP, "ObjectsAdopted").await.starts_with("adopted Service shop-redis, "));
}
