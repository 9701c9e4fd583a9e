//! Somebody else's object under a name that a cache needs.

use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::api_server::api_server;
use crate::support::eventually::never;
use crate::support::operator::Operator;
use crate::survival::TWO_PERIODS;
use crate::survival::world::{PARTS, SHOP, World, condition};

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
    let others = world.names().await;
    let message = world.condition(SHOP, "RedisAvailable", "False", "NameTaken").await;
    assert!(message.contains(&format!("{kind} {name} exists already")), "{message}");
    let status =
        world.status(SHOP, "it waits for the user", |seen| condition(seen, "Stalled")["status"] == "True").await;
    assert_eq!(condition(&status, "Ready")["reason"], "NameTaken");
    let published = [("Secret", "binding"), ("Service", "redis")].into_iter().find(|each| each.0 == kind);
    if let Some((_, field)) = published.filter(|_| name == "shop-redis") {
        assert_eq!(status[field], Value::Null, "what is a stranger's is not published");
    }
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
    assert!(message.contains("Put back the labels"), "{message}");
    world.edit("Service", "shop-redis", json!({"metadata": label("cache".into())})).await;
    world.ready(SHOP).await;
    let now = world.get("Service", "shop-redis").await;
    assert_eq!(now["metadata"]["ownerReferences"], owned["metadata"]["ownerReferences"]);
    assert_eq!(now["metadata"]["uid"], owned["metadata"]["uid"]);
    assert!(world.event(SHOP, "ObjectsAdopted").await.ends_with(": Service shop-redis"));
}
