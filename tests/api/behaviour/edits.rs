//! What edits do to a cache that runs, against the table of edits: restarts and entries are counted, and what kubectl prints is read.

use serde_json::{Value, json};
use tokencache_operator::api::v1alpha1::{Consequence, EDITS};

use super::scene::{POD, SHOP, World, condition, operated};
use crate::support::api_server::{api_server, repository};
use crate::support::edits::edits_of;
use crate::support::eventually::eventually;

const ENTRY: &str = "shop:a";

/// A merge patch of the spec that gives a field this value.
fn patch(field: &str, to: &Value) -> Value {
    field.rsplit('.').chain(["spec"]).fold(to.clone(), |value, name| json!({ name: value }))
}

/// Writes an entry, edits a field, and waits until that is done. Says how many pods came after it, and whether the entry is there.
async fn edited(world: &World, field: &str, to: &Value) -> (bool, bool) {
    assert_eq!(world.app(SHOP, &["HMSET", ENTRY, "absexp", "-1", "sldexp", "-1", "data", "x"]).await, "OK");
    let before = world.uid("Pod", POD).await;
    world.edit("TokenCache", SHOP, patch(field, to)).await;
    let told = format!("{field} = {to} is carried out");
    eventually(&told, async || {
        let cache = world.get("TokenCache", SHOP).await;
        let available = condition(&cache["status"], "RedisAvailable");
        let is_seen = cache["status"]["observedGeneration"] == cache["metadata"]["generation"];
        if is_seen && available["status"] == "True" { Ok(()) } else { Err(cache["status"].to_string()) }
    })
    .await;
    let is_there = world.app(SHOP, &["HMGET", ENTRY, "data"]).await == "x";
    (world.uid("Pod", POD).await != before, is_there)
}

#[tokio::test]
async fn an_edit_restarts_redis_and_loses_entries_where_the_table_says_so_and_nowhere_else() {
    let (world, _operator) = operated("edits").await;
    world.create(SHOP, json!({})).await;
    world.ready(SHOP).await;
    for edit in EDITS.iter().filter(|edit| edit.consequence != Consequence::Refused) {
        let restarts = edit.consequence == Consequence::Restart;
        // What needs an earlier spec of its own is tried without a server; and so is a port for plain text.
        let edits =
            edits_of(edit.field).into_iter().filter(|(from, _)| *from == "{}" && edit.field != "redis.tls.mode");
        for (_, to) in edits {
            if edit.field.starts_with("dataProtection.") {
                world.edit("TokenCache", SHOP, patch("dataProtection.mode", &json!("Managed"))).await;
            }
            assert_eq!(edited(&world, edit.field, &to).await, (restarts, !restarts), "{} = {to}", edit.field);
        }
    }
    assert_eq!(edited(&world, "redis.maxMemory", &json!("512Mi")).await, (true, false), "no container suits that");
}

#[tokio::test]
async fn an_edit_that_restarts_redis_loses_nothing_that_is_on_a_volume() {
    let (world, _operator) = operated("kept-edits").await;
    world.create(SHOP, json!({"redis": {"persistence": {"size": "2Gi"}}})).await;
    world.ready(SHOP).await;
    for (field, to) in [("redis.image", json!("registry.example/redis:8.4")), ("redis.maxMemory", json!("512Mi"))] {
        assert_eq!(edited(&world, field, &to).await, (true, true), "{field}");
    }
}

/// What kubectl prints beside the result of an edit that is not made.
async fn warned(world: &World, edit: &Value) -> String {
    let line = format!(
        "kubectl --namespace {} patch tokencache {SHOP} --type=merge --dry-run=server --patch '{edit}'",
        world.namespace
    );
    let output = api_server().shell(&line, repository()).await;
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{edit}: {said}");
    said
}

#[tokio::test]
async fn kubectl_prints_what_an_edit_costs() {
    let (world, _operator) = operated("warned").await;
    world.create(SHOP, json!({})).await;
    world.ready(SHOP).await;
    let chart = "helm template warned charts/tokencache-operator --namespace system --show-only templates/edits.yaml";
    let made = api_server().shell(&format!("{chart} | kubectl apply -f -"), repository()).await;
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let image = patch("redis.image", &json!("registry.example/redis:8.4"));
    let lost = "restarts Redis: without a volume all entries are lost, and users sign in again";
    eventually("the policy is in force", async || {
        let said = warned(&world, &image).await;
        if said.contains(&format!("spec.redis.image {lost}")) { Ok(()) } else { Err(said) }
    })
    .await;
    for edit in EDITS.iter().filter(|edit| edit.consequence != Consequence::Refused) {
        for (_, to) in edits_of(edit.field).into_iter().filter(|(from, _)| *from == "{}") {
            let said = warned(&world, &patch(edit.field, &to)).await;
            let restarts = edit.consequence == Consequence::Restart;
            assert_eq!(
                said.contains(&format!("spec.{} {lost}", edit.field)),
                restarts,
                "{} = {to}: {said}",
                edit.field
            );
            assert_eq!(said.contains("restarts Redis"), restarts, "{} = {to}: {said}", edit.field);
        }
    }
    // What the container that there is suits, and what it does not.
    for (memory, restarts) in
        [("307Mi", false), ("308Mi", true), ("107Mi", false), ("106Mi", true), ("268435456", false)]
    {
        let said = warned(&world, &patch("redis.maxMemory", &json!(memory))).await;
        assert_eq!(said.contains(&format!("spec.redis.maxMemory {lost}")), restarts, "{memory}: {said}");
        assert_eq!(said.contains("evicts the entries"), memory.starts_with("10"), "{memory}: {said}");
    }
    for (field, to, words) in [
        ("redis.acl", "Strict", "refuses clients that need a longer one"),
        ("redis.networkPolicy", "Namespace", "cuts off applications"),
        ("dataProtection.mode", "None", "no further key is made"),
        ("redis.tls.mode", "Disabled", "applications have to read the connection Secret again"),
    ] {
        let said = warned(&world, &patch(field, &json!(to))).await;
        assert!(said.contains("Warning: ") && said.contains(words), "{field}: {said}");
    }
    for quiet in [json!({"metadata": {"labels": {"team": "web"}}}), patch("redis.acl", &json!("Compatible"))] {
        assert_eq!(warned(&world, &quiet).await, "", "{quiet}");
    }

    let kept = json!({"redis": {"persistence": {"size": "2Gi"}}});
    world.delete("TokenCache", SHOP).await;
    eventually("the cache is gone", async || world.uid("TokenCache", SHOP).await.map_or(Ok(()), Err)).await;
    world.create(SHOP, kept).await;
    let said = warned(&world, &image).await;
    assert!(said.contains("spec.redis.image restarts Redis: seconds of outage, no entry is lost"), "{said}");
    let said = warned(&world, &patch("redis.persistence.whenDeleted", &json!("Delete"))).await;
    assert!(said.contains("deleting the TokenCache deletes every entry"), "{said}");
    let removed = api_server().shell(&format!("{chart} | kubectl delete -f -"), repository()).await;
    assert!(removed.status.success(), "{}", String::from_utf8_lossy(&removed.stderr));
}
