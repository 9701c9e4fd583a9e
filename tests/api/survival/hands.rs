//! Hands in the operator's objects: whatever is changed or deleted comes back.

use serde_json::{Value, json};

use super::shape;
use super::world::{PARTS, POLICY, RING, SHOP, World};
use crate::support::eventually::eventually;
use crate::support::operator::Operator;

const CONTAINER: &str = "a container of which only name and image are left";

/// What somebody does to an object: its kind and name, what it is, and a merge patch.
fn edits() -> Vec<(&'static str, &'static str, &'static str, Value)> {
    let no_label = |label: &str| json!({"metadata": {"labels": {format!("app.kubernetes.io/{label}"): null}}});
    let spec = |spec: Value| json!({ "spec": spec });
    let pod = |pod: Value| json!({"spec": {"template": {"spec": pod}}});
    let bytes = "YW5vdGhlcg==";
    vec![
        ("ServiceAccount", "shop-redis", "a field that is gone", json!({"automountServiceAccountToken": null})),
        ("ServiceAccount", "shop-redis", "a field that is another", json!({"automountServiceAccountToken": true})),
        ("ServiceAccount", "shop-redis", "the label that the watch goes by is gone", no_label("managed-by")),
        ("NetworkPolicy", "shop-redis", "whoever wants", spec(json!({"ingress": [{}]}))),
        ("NetworkPolicy", "shop-redis", "nobody", spec(json!({"ingress": null}))),
        ("NetworkPolicy", "shop-redis", "no way out either", spec(json!({"policyTypes": ["Ingress", "Egress"]}))),
        ("NetworkPolicy", "shop-redis", "the label that the watch goes by is gone", no_label("managed-by")),
        ("Service", "shop-redis", "another port", spec(json!({"ports": [{"name": "redis", "port": 6380}]}))),
        (
            "Service",
            "shop-redis",
            "another target",
            spec(json!({"ports": [{"name": "redis", "port": 6380, "targetPort": 80}]})),
        ),
        ("Service", "shop-redis", "another selector", spec(json!({"selector": {"app.kubernetes.io/instance": "x"}}))),
        ("Service", "shop-redis", "a selector that is too narrow", spec(json!({"selector": {"no": "pod-has-this"}}))),
        ("Service", "shop-redis", "labels that are gone", json!({"metadata": {"labels": null}})),
        ("Service", "shop-redis-headless", "a field that is gone", spec(json!({"publishNotReadyAddresses": null}))),
        ("ConfigMap", "shop-redis-config", "another redis.conf", json!({"data": {"redis.conf": "maxmemory 1gb\n"}})),
        ("ConfigMap", "shop-redis-config", "no redis.conf", json!({"data": null})),
        ("ConfigMap", "shop-settings", "another prefix", json!({"data": {"Redis__InstanceName": "other:"}})),
        ("ConfigMap", "shop-settings", "a label that is gone", no_label("instance")),
        ("Secret", "shop-redis-operator", "another user", json!({"data": {"username": bytes}})),
        ("Secret", "shop-redis-operator", "the label that the watch goes by is gone", no_label("managed-by")),
        ("Secret", "shop-redis-users", "another users.acl", json!({"data": {"users.acl": bytes}})),
        ("Secret", "shop-redis-users", "another probe", json!({"data": {"probe": bytes}})),
        ("Secret", "shop-redis", "another host", json!({"data": {"host": bytes}})),
        ("Secret", "shop-redis", "no connection string", json!({"data": {"connectionString": null}})),
        ("Secret", "shop-redis", "a label that is gone", no_label("part-of")),
        ("Secret", "shop-redis", "another bundle of authorities", json!({"data": {"ca.crt": bytes}})),
        ("Secret", "shop-redis-ca", "a label that is gone", no_label("component")),
        ("Secret", "shop-redis-ca", "the label that the watch goes by is gone", no_label("managed-by")),
        ("Secret", "shop-redis-tls", "a label that is gone", no_label("instance")),
        ("Secret", "shop-redis-tls", "the label that the watch goes by is gone", no_label("managed-by")),
        ("Secret", "shop-redis-tls", "another bundle of authorities", json!({"data": {"ca.crt": bytes}})),
        ("Secret", "shop-redis-tls", "no bundle of authorities", json!({"data": {"ca.crt": null}})),
        ("Secret", "shop-redis-tls", "another certificate", json!({"data": {"tls.crt": bytes}})),
        ("Secret", "shop-redis-tls", "no private key", json!({"data": {"tls.key": ""}})),
        ("Secret", "shop-keys", "a file that is none", json!({"data": {"notes.txt": bytes, "broken.xml": bytes}})),
        ("Secret", "shop-keys", "no file", json!({"data": null})),
        ("Secret", "shop-keys", "a label that is gone", no_label("instance")),
        ("Secret", "shop-keys", "the label that the watch goes by is gone", no_label("managed-by")),
        ("StatefulSet", "shop-redis", "more replicas", spec(json!({"replicas": 3}))),
        ("StatefulSet", "shop-redis", "a label that is gone", no_label("component")),
        (
            "StatefulSet",
            "shop-redis",
            "another update strategy",
            spec(json!({"updateStrategy": {"type": "OnDelete", "rollingUpdate": null}})),
        ),
        (
            "StatefulSet",
            "shop-redis",
            CONTAINER,
            pod(json!({"containers": [{"name": "redis", "image": "example.com/other:1"}]})),
        ),
        (
            "StatefulSet",
            "shop-redis",
            "an account that is gone",
            pod(json!({"serviceAccountName": null, "serviceAccount": null})),
        ),
    ]
}

#[tokio::test]
async fn every_object_that_is_edited_by_hand_is_repaired() {
    let (world, _operator) = World::with_shop("edited").await;
    let (wanted, passwords) = (world.parts().await, world.passwords().await);
    let mut edited = std::collections::BTreeSet::new();
    for (kind, name, what, patch) in edits() {
        world.edit(kind, name, patch).await;
        world.has_parts(&format!("{kind} {name} is repaired: {what}"), &wanted).await;
        edited.insert((kind, name));
    }
    assert_eq!(edited, PARTS.into_iter().chain([POLICY, RING]).collect(), "every part was edited");
    world.ready(SHOP).await;
    assert_eq!(world.passwords().await, passwords);
    eventually("the server takes the published password", async || world.ping(passwords[1].as_ref().unwrap()).await)
        .await;
}

/// What a lost authority leaves for good: clients trust the one before it beside the new one, without its private key, and
/// it is noted since when.
fn with_a_previous_authority(wanted: &Value) -> Value {
    let mut wanted = wanted.clone();
    for bundle in ["/Secret shop-redis/data/ca.crt", "/Secret shop-redis-tls/data/ca.crt"] {
        let bundle = wanted.pointer_mut(bundle).unwrap();
        *bundle = bundle.as_str().unwrap().repeat(2).into();
    }
    let authority = &mut wanted["Secret shop-redis-ca"];
    authority["data"]["previous.crt"] = authority["data"]["tls.crt"].clone();
    authority["data"]["previous.key"] = "".into();
    authority["data"]["published"] = "TIME".into();
    for key in ["f:previous.crt", "f:previous.key", "f:published"] {
        authority["owned"]["f:data"][key] = json!({});
    }
    wanted
}

/// The parts without those that hold the operator's login, which has another one beside it for a while.
fn without_login(parts: &Value) -> Value {
    let mut parts = parts.clone();
    parts
        .as_object_mut()
        .unwrap()
        .retain(|name, _| !["Secret shop-redis-operator", "Secret shop-redis-users"].contains(&name.as_str()));
    parts
}

/// What a binding says of the password that followed a lost one.
fn with_a_date(wanted: &Value) -> Value {
    let mut wanted = wanted.clone();
    let binding = &mut wanted["Secret shop-redis"];
    for key in ["tokencache.dev/password-published", "tokencache.dev/password-requested"] {
        binding["metadata"]["annotations"][key] = "TIME".into();
        binding["owned"]["f:metadata"]["f:annotations"][format!("f:{key}")] = json!({});
    }
    wanted
}

#[tokio::test]
async fn every_object_that_is_deleted_by_hand_is_made_again() {
    let world = World::new("deleted").await;
    let _operator = Operator::start(&world.namespace).await;
    world.create(SHOP, json!({"redis": {"passwordRotation": {"overlap": "1s"}}})).await;
    world.ready(SHOP).await;
    let mut wanted = world.parts().await;
    let last = ("Secret", "shop-redis-operator");
    let others = PARTS.into_iter().chain([POLICY, RING]).filter(|part| *part != last);
    for (kind, name) in others.chain([last]) {
        let before = world.uid(kind, name).await;
        world.delete(kind, name).await;
        eventually(&format!("there is another {kind} {name}"), async || {
            let now = world.uid(kind, name).await;
            if now.is_some() && now != before { Ok(()) } else { Err(format!("{now:?}")) }
        })
        .await;
        match name {
            "shop-redis-ca" => wanted = with_a_previous_authority(&wanted),
            "shop-redis" if kind == "Secret" => wanted = with_a_date(&wanted),
            _ => {}
        }
        if (kind, name) != last {
            world.has_parts(&format!("{kind} {name} is what it was"), &wanted).await;
        }
    }
    world.ready(SHOP).await;
    shape::same(&without_login(&wanted), &without_login(&world.parts().await)).unwrap();
    let [_, app] = world.passwords().await;
    eventually("the server takes the published password", async || world.ping(app.as_ref().unwrap()).await).await;
}
