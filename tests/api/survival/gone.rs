//! Caches that are deleted, at any time: what they owned goes, what others own stays.

use futures::{StreamExt, stream};
use kube::api::{DeleteParams, PropagationPolicy};
use serde_json::json;

use super::TWO_PERIODS;
use super::world::{PARTS, SHOP, World};
use crate::support::api_server::api_server;
use crate::support::eventually::{eventually, never};
use crate::support::faults::{Death, Writes};
use crate::support::operator::{Operator, PROBE_PERIOD, USER_AGENT};

/// Waits until the namespace holds these objects and no other of the kinds that a cache consists of, and stays so. Keys are
/// not among them: they outlive their cache.
async fn left(world: &World, wanted: &[String]) {
    // A pass that is under way goes on: what it still makes is collected too.
    world.quiet().await;
    let differ = async || {
        let mut now = world.names().await;
        now.retain(|name| !name.starts_with("Secret shop-key-"));
        (now != wanted).then(|| format!("{now:?}"))
    };
    eventually("what the cache owned is collected", async || differ().await.map_or(Ok(()), Err)).await;
    never(TWO_PERIODS, "nothing comes back", differ).await;
}

/// Objects that look like the cache's own and have no owner.
async fn bystanders(world: &World) {
    let labels = json!({
        "app.kubernetes.io/name": "redis", "app.kubernetes.io/instance": SHOP,
        "app.kubernetes.io/component": "cache", "app.kubernetes.io/managed-by": "tokencache-operator",
        "app.kubernetes.io/part-of": "tokencache",
    });
    let metadata = |name: &str| json!({"name": name, "labels": labels});
    let pod = json!({
        "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "a", "image": "a:1"}]},
    });
    let bodies = [
        ("ServiceAccount", json!({"metadata": metadata("shop")})),
        ("Service", json!({"metadata": metadata("shop-redis-web"), "spec": {"ports": [{"port": 80}]}})),
        ("ConfigMap", json!({"metadata": metadata("shop-redis"), "data": {"a": "b"}})),
        ("ConfigMap", json!({"metadata": {"name": "shop-redis-config-old"}, "data": {"a": "b"}})),
        ("Secret", json!({"metadata": metadata("shop-redis-mine"), "stringData": {"a": "b"}})),
        (
            "StatefulSet",
            json!({"metadata": metadata("shop"), "spec": {
                "replicas": 0, "serviceName": "shop", "selector": {"matchLabels": {"a": "b"}}, "template": pod,
            }}),
        ),
    ];
    for (kind, body) in bodies {
        world.make(kind, body).await.unwrap();
    }
}

#[tokio::test]
async fn a_deleted_cache_takes_with_it_what_it_owned_and_nothing_else() {
    let world = World::new("collected").await;
    let _operator = Operator::start(&world.namespace).await;
    bystanders(&world).await;
    world.create("shop-two", json!({})).await;
    world.ready("shop-two").await;
    world.quiet().await;
    let (before, names) = (world.parts().await, world.names().await);
    world.create(SHOP, json!({})).await;
    world.ready(SHOP).await;
    assert!(world.names().await.len() > names.len() + PARTS.len());
    api_server().kubectl(&["delete", "tokencache", SHOP, "--namespace", &world.namespace]).await;
    let keys = world.keys().await;
    left(&world, &names).await;
    assert_eq!((keys.len(), &world.keys().await), (1, &keys), "the key outlives the cache");
    for name in keys.into_keys() {
        world.delete("Secret", &name).await;
    }
    assert_eq!(world.parts().await, before, "the bystanders are as they were");
    world.ready("shop-two").await;
}

#[tokio::test]
async fn a_cache_that_is_deleted_after_its_dependents_goes_too() {
    let (world, _operator) = World::with_shop("foreground").await;
    let foreground =
        DeleteParams { propagation_policy: Some(PropagationPolicy::Foreground), ..DeleteParams::default() };
    world.api("TokenCache").delete(SHOP, &foreground).await.unwrap();
    left(&world, &[]).await;
    eventually("the cache is gone", async || match world.uid("TokenCache", SHOP).await {
        None => Ok(()),
        Some(uid) => Err(uid),
    })
    .await;
}

#[tokio::test]
async fn a_cache_that_is_deleted_while_its_first_pass_runs_leaves_nothing_but_keys() {
    let stopped = |index: usize| async move {
        let world = World::new("stopped").await;
        let writes = Writes::until(Death::AfterWrite(index));
        let client = api_server().client_through(USER_AGENT, &writes).await;
        let mortal = Operator::start_with(client, &world.namespace, PROBE_PERIOD);
        world.create(SHOP, json!({})).await;
        writes.death().await;
        world.delete("TokenCache", SHOP).await;
        mortal.kill().await;
        let _heir = Operator::start(&world.namespace).await;
        left(&world, &[]).await;
    };
    let running =
        |index: usize| async move {
            let world = World::new("running").await;
            let writes = Writes::counted();
            let client = api_server().client_through(USER_AGENT, &writes).await;
            let _operator = Operator::start_with(client, &world.namespace, PROBE_PERIOD);
            world.create(SHOP, json!({})).await;
            eventually("the operator has begun", async || {
                if writes.log().len() > index { Ok(()) } else { Err(writes.to_string()) }
            })
            .await;
            world.delete("TokenCache", SHOP).await;
            left(&world, &[]).await;
        };
    stream::iter([0, 2, 5, 9])
        .for_each_concurrent(4, |index| async move {
            tokio::join!(stopped(index), running(index));
        })
        .await;
}

#[tokio::test]
async fn a_cache_that_is_made_again_under_its_name_at_once_becomes_ready_with_new_passwords_but_for_what_was_left_to_it()
 {
    let (world, _operator) = World::with_shop("again").await;
    let (wanted, passwords) = (world.shape().await, world.passwords().await);
    for way in [PropagationPolicy::Background, PropagationPolicy::Orphan] {
        let orphan = matches!(way, PropagationPolicy::Orphan);
        let params = DeleteParams { propagation_policy: Some(way), ..DeleteParams::default() };
        let (uid, before) = (world.uid("TokenCache", SHOP).await, world.passwords().await);
        world.api("TokenCache").delete(SHOP, &params).await.unwrap();
        eventually("the name is free", async || match world.uid("TokenCache", SHOP).await {
            now if now == uid => Err("not yet".to_owned()),
            _ => Ok(()),
        })
        .await;
        world.create(SHOP, json!({})).await;
        world.ready(SHOP).await;
        if orphan {
            // What was left behind on purpose belongs to nobody, and is taken up again.
            assert_eq!(world.passwords().await, before);
            assert!(world.event(SHOP, "ObjectsAdopted").await.contains("StatefulSet shop-redis"));
            continue;
        }
        world.has_shape("the objects are those of the first", &wanted).await;
        let now = world.passwords().await;
        assert!(now[0] != passwords[0] && now[1] != passwords[1], "a password was used again");
        let app = now[1].clone().unwrap();
        eventually("the server takes the new password", async || world.ping(&app).await).await;
    }
}
