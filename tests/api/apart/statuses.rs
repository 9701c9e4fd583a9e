//! Statuses that another version of the operator has written, by another version's CRD.

use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use tokencache_operator::api::v1alpha1::LONGEST_MESSAGE;

use super::{PATIENCE, PROPERTIES, change_crd, elsewhere};
use crate::support::api_server::the_crd;
use crate::support::eventually::within;
use crate::support::operator::{Operator, PROBE_PERIOD, USER_AGENT};
use crate::survival::world::{SHOP, World, condition, kind};

/// Writes a status as the operator does, or only asks whether that may be.
async fn write(world: &World, name: &str, status: &Value, dry_run: bool) -> Result<(), String> {
    write_as(world, "tokencache-operator-status", name, status, dry_run).await
}

async fn write_as(world: &World, manager: &str, name: &str, status: &Value, dry_run: bool) -> Result<(), String> {
    let resource = kind("TokenCache");
    let body = json!({"apiVersion": resource.api_version, "kind": resource.kind, "status": status});
    let params = PatchParams { dry_run, ..PatchParams::apply(manager).force() };
    let written = world.api("TokenCache").patch_status(name, &params, &Patch::Apply(body)).await;
    written.map(drop).map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_message_that_an_earlier_version_wrote_may_be_longer_than_it_may_be_now() {
    let (server, _turn) = elsewhere().await;
    let world = World::on(server, "long").await;
    let bound = format!("{PROPERTIES}/status/properties/conditions/items/properties/message/maxLength");
    let long = "ü".repeat(5000);
    let status = json!({"observedGeneration": 1, "conditions": [{
        "type": "InUse", "status": "True", "reason": "Used", "message": long, "lastTransitionTime": "2026-01-01T00:00:00Z",
    }]});
    world.create(SHOP, json!({})).await;
    change_crd(&world.client, json!([{"op": "remove", "path": bound}])).await;
    within(PATIENCE, "no message is too long", async || write(&world, SHOP, &status, false).await).await;
    change_crd(&world.client, json!([{"op": "add", "path": bound, "value": LONGEST_MESSAGE}])).await;
    let longer = json!({"conditions": [{
        "type": "InUse", "status": "True", "reason": "Used", "message": format!("{long}!"),
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }]});
    within(PATIENCE, "one that is too long is refused", async || match write(&world, SHOP, &longer, true).await {
        Ok(()) => Err("it is not".to_owned()),
        Err(_) => Ok(()),
    })
    .await;
    // Whoever changes something else is not refused for it.
    world.edit("TokenCache", SHOP, json!({"metadata": {"annotations": {"example.com/note": "hello"}}})).await;
    world.edit("TokenCache", SHOP, json!({"spec": {"redis": {"maxMemory": "128Mi"}}})).await;
    assert_eq!(condition(&world.get("TokenCache", SHOP).await["status"], "InUse")["message"], long);
    let _operator = Operator::start_with(server.client(USER_AGENT).await, &world.namespace, PROBE_PERIOD);
    let status = world.ready(SHOP).await;
    for each in status["conditions"].as_array().unwrap() {
        assert!(each["message"].as_str().unwrap().chars().count() <= LONGEST_MESSAGE.into(), "{each}");
    }
}

/// Has the CRD be that of a later version, which knows more of statuses, and back.
async fn knows_more(world: &World, more: bool) {
    let status = format!("{PROPERTIES}/status/properties");
    let operation = format!("{status}/operations/items/properties");
    let known = |field: &str| {
        let path = format!("{operation}/{field}/enum").replacen("/spec/", "/", 1);
        let crd = serde_json::to_value(the_crd()).unwrap();
        crd["spec"].pointer(&path).unwrap().as_array().unwrap().clone()
    };
    let with = |field: &str, later: &str| {
        let mut values = known(field);
        values.extend(more.then(|| Value::from(later)));
        json!({"op": "replace", "path": format!("{operation}/{field}/enum"), "value": values})
    };
    let field = |path: String, schema: Value| {
        if more { json!({"op": "add", "path": path, "value": schema}) } else { json!({"op": "remove", "path": path}) }
    };
    let at = json!({"type": "object", "properties": {"lastRun": {"type": "string"}}});
    let patch = json!([
        with("type", "SqlCleanup"),
        with("stage", "Verifying"),
        field(format!("{operation}/verified"), json!({"type": "integer"})),
        field(format!("{status}/sqlCleanup"), at),
    ]);
    change_crd(&world.client, patch).await;
    let trial = json!({"operations": [{"type": "SqlCleanup", "stage": "Verifying", "message": "a", "verified": 1}]});
    within(PATIENCE, "the CRD is another", async || {
        let is_taken = write(world, "trial", &trial, true).await;
        if is_taken.is_ok() == more { Ok(()) } else { Err(format!("{is_taken:?}")) }
    })
    .await;
}

/// What a later version says, beside what this one does.
fn more(requested: &str) -> Value {
    json!({
        "sqlCleanup": {"lastRun": requested},
        "conditions": [{
            "type": "SqlClean", "status": "True", "reason": "Clean", "message": "no row is left that expired",
            "lastTransitionTime": requested,
        }],
        "operations": [
            {"type": "SqlCleanup", "requested": requested, "stage": "Completed", "message": "rows were removed"},
            {"type": "Flush", "requested": requested, "stage": "Verifying", "message": "it is made sure of", "verified": 5},
        ],
    })
}

/// The element of a list with this type.
fn of_type<'list>(list: &'list Value, type_: &str) -> &'list Value {
    list.as_array().unwrap().iter().find(|element| element["type"] == type_).unwrap_or(&Value::Null)
}

/// Another generation is reported, with what a later version has said.
async fn is_kept(world: &World, memory: &str, wanted: &Value, with_fields: bool) {
    world.edit("TokenCache", SHOP, json!({"spec": {"redis": {"maxMemory": memory}}})).await;
    let reads_back = |status: &Value| status["redis"]["servers"][0]["maxMemory"] == memory;
    let status = world.status(SHOP, &format!("{memory} is reported"), reads_back).await;
    assert_eq!(condition(&status, "SqlClean"), &wanted["conditions"][0]);
    assert_eq!(of_type(&status["operations"], "SqlCleanup"), &wanted["operations"][0]);
    let mut flush = wanted["operations"][1].clone();
    let mut field = wanted["sqlCleanup"].clone();
    if !with_fields {
        flush.as_object_mut().unwrap().remove("verified");
        field = Value::Null;
    }
    assert_eq!((of_type(&status["operations"], "Flush"), &status["sqlCleanup"]), (&flush, &field));
}

#[tokio::test]
async fn what_a_later_version_said_is_kept_and_a_flush_that_it_has_done_is_not_done_again() {
    let (server, _turn) = elsewhere().await;
    let world = World::on(server, "later-status").await;
    world.create("trial", json!({})).await;
    knows_more(&world, true).await;
    let operator = async || Operator::start_with(server.client(USER_AGENT).await, &world.namespace, PROBE_PERIOD);
    let first = operator().await;
    world.create(SHOP, json!({})).await;
    let mut status = world.ready(SHOP).await;
    first.kill().await;
    let entry = ["HMGET", "shop:a", "data"];
    assert_eq!(world.app(SHOP, &["HMSET", "shop:a", "absexp", "-1", "sldexp", "-1", "data", "x"]).await, "OK");

    let requested = Timestamp::from_second(Timestamp::now().as_second()).unwrap().to_string();
    let more = more(&requested);
    status["sqlCleanup"] = more["sqlCleanup"].clone();
    status["operations"] = more["operations"].clone();
    status["conditions"].as_array_mut().unwrap().push(more["conditions"][0].clone());
    write(&world, SHOP, &status, false).await.unwrap();
    let annotation = json!({"tokencache.dev/flush-requested": format!("{requested} all")});
    world.edit("TokenCache", SHOP, json!({"metadata": {"annotations": annotation}})).await;
    let theirs = |message: &str| {
        json!({"conditions": [{
            "type": "example.com/Watched", "status": "True", "reason": "Seen", "message": message,
            "lastTransitionTime": requested,
        }]})
    };
    write_as(&world, "example", SHOP, &theirs("once"), false).await.unwrap();

    let _second = operator().await;
    is_kept(&world, "128Mi", &more, true).await;
    write_as(&world, "example", SHOP, &theirs("twice"), false).await.unwrap();
    is_kept(&world, "160Mi", &more, true).await;
    let status = world.get("TokenCache", SHOP).await["status"].clone();
    assert_eq!(condition(&status, "example.com/Watched")["message"], "twice", "it is left to whoever wrote it");
    knows_more(&world, false).await;
    is_kept(&world, "200Mi", &more, false).await;
    assert_eq!(world.app(SHOP, &entry).await, "x", "the flush is not done again");
}

#[tokio::test]
async fn a_value_of_another_type_than_the_schema_has_keeps_nothing_from_being_reported() {
    let (server, _turn) = elsewhere().await;
    let world = World::on(server, "type").await;
    world.create(SHOP, json!({})).await;
    let path = format!("{PROPERTIES}/status/properties/binding");
    let schema = serde_json::to_value(the_crd()).unwrap().pointer(&path).unwrap().clone();
    let has_schema = async |schema: Value, status: &Value| {
        change_crd(&world.client, json!([{"op": "replace", "path": path, "value": schema}])).await;
        within(PATIENCE, "the schema is another", async || write(&world, "trial", status, true).await).await;
    };
    world.create("trial", json!({})).await;
    has_schema(json!({"type": "string"}), &json!({"binding": "shop-redis"})).await;
    write(&world, SHOP, &json!({"observedGeneration": 1, "binding": "shop-redis"}), false).await.unwrap();
    has_schema(schema, &json!({"binding": {"name": "shop-redis"}})).await;
    let refused = write(&world, SHOP, &json!({"observedGeneration": 1}), true).await.unwrap_err();
    assert!(refused.contains("failed to create typed live object"), "{refused}");
    let _operator = Operator::start_with(server.client(USER_AGENT).await, &world.namespace, PROBE_PERIOD);
    assert_eq!(world.ready(SHOP).await["binding"], json!({"name": "shop-redis"}));
    // What was written otherwise than by an apply goes as well, or it would be fought over.
    world.quiet().await;
    assert_eq!(world.remedies(SHOP, "RedisAvailable").await, "");
}
