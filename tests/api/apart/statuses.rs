//! Statuses that another version of the operator has written, by another version's CRD.

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use tokencache_operator::api::v1alpha1::LONGEST_MESSAGE;

use super::{PATIENCE, PROPERTIES, change_crd, elsewhere};
use crate::support::eventually::within;
use crate::support::operator::{Operator, PROBE_PERIOD, USER_AGENT};
use crate::survival::world::{SHOP, World, condition};

/// Writes a status as the operator does, or only asks whether that may be.
async fn write(world: &World, status: &Value, dry_run: bool) -> Result<(), String> {
    let resource = super::kind("TokenCache");
    let body = json!({"apiVersion": resource.api_version, "kind": resource.kind, "status": status});
    let params = PatchParams { dry_run, ..PatchParams::apply("tokencache-operator-status").force() };
    let written = world.api("TokenCache").patch_status(SHOP, &params, &Patch::Apply(body)).await;
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
    within(PATIENCE, "no message is too long", async || write(&world, &status, false).await).await;
    change_crd(&world.client, json!([{"op": "add", "path": bound, "value": LONGEST_MESSAGE}])).await;
    let longer = json!({"conditions": [{
        "type": "InUse", "status": "True", "reason": "Used", "message": format!("{long}!"),
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }]});
    within(PATIENCE, "one that is too long is refused", async || match write(&world, &longer, true).await {
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
