//! The readers of what the operator writes and logs.

use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, Patch, PatchParams, PostParams};
use serde_json::json;

use crate::support::api_server::api_server;
use crate::support::operator::USER_AGENT;
use crate::support::{log, plain};
use crate::survival::world::{SHOP, World, kind};

#[tokio::test]
async fn what_debug_writes_is_found_in_statuses_events_and_lines_of_the_log() {
    let world = World::new("messages").await;
    world.create(SHOP, json!({})).await;
    let client = api_server().client(USER_AGENT).await;
    let events: Api<Event> = Api::namespaced(client.clone(), &world.namespace);
    let event = json!({
        "metadata": {"name": "event"}, "eventTime": "2026-01-01T00:00:00.000000Z", "type": "Normal", "reason": "a", "action": "a",
        "reportingController": "a", "reportingInstance": "a", "note": "Some(note)",
        "regarding": {"namespace": world.namespace},
    });
    events.create(&PostParams::default(), &serde_json::from_value(event).unwrap()).await.unwrap();
    let caches: Api<kube::api::DynamicObject> = Api::namespaced_with(client, &world.namespace, &kind("TokenCache"));
    let status = json!({"conditions": [{
        "type": "InUse", "status": "True", "reason": "Used", "message": "Err(message)",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }]});
    let patch = Patch::Merge(json!({ "status": status }));
    caches.patch_status(SHOP, &PatchParams::default(), &patch).await.unwrap();
    log::read();
    tracing::warn!(target: "tokencache_operator::test", value = ?Some("a line"), "it happened");
    tracing::debug!(target: "tokencache_operator::test", value = ?Some("for those who develop"), "it happened");
    let found = plain::found();
    let of = |words: &str| found.iter().filter(|found| found.contains(words)).count();
    assert_eq!([found.len(), of("Some(note)"), of("Err(message)"), of("a line")], [3, 1, 1, 1], "{found:?}");
}
