//! An operator that may not see what there is says so, and goes on when it may.

use std::time::Instant;

use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::{Api, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::scene::{PERIOD, SHOP, World, condition};
use crate::support::api_server::api_server;
use crate::support::eventually::eventually;
use crate::support::operator::{Operator, USER_AGENT};

/// Who the operator is here.
const USER: &str = "short-sighted";

/// The rights of the chart's role, with these on Secrets.
fn rules(on_secrets: &[&str]) -> Value {
    let write = ["get", "list", "watch", "create", "patch", "delete"];
    json!([
        {"apiGroups": ["tokencache.dev"], "resources": ["tokencaches"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": ["tokencache.dev"], "resources": ["tokencaches/status"], "verbs": ["patch"]},
        {"apiGroups": [""], "resources": ["serviceaccounts", "services", "configmaps"], "verbs": write},
        {"apiGroups": ["apps"], "resources": ["statefulsets"], "verbs": write},
        {"apiGroups": ["networking.k8s.io"], "resources": ["networkpolicies"], "verbs": write},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]},
        {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["get", "create", "patch"]},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": on_secrets},
    ])
}

async fn grant(world: &World, rules: Value) {
    let metadata = json!({"name": "operator", "namespace": world.namespace});
    let role = json!({"metadata": metadata, "rules": rules});
    let subject = json!({"kind": "User", "name": USER, "apiGroup": "rbac.authorization.k8s.io"});
    let role_ref = json!({"kind": "Role", "name": "operator", "apiGroup": "rbac.authorization.k8s.io"});
    let binding = json!({"metadata": metadata, "roleRef": role_ref, "subjects": [subject]});
    let granted: Api<Role> = Api::namespaced(world.client.clone(), &world.namespace);
    let bindings: Api<RoleBinding> = Api::namespaced(world.client.clone(), &world.namespace);
    granted.create(&PostParams::default(), &serde_json::from_value(role).unwrap()).await.unwrap();
    bindings.create(&PostParams::default(), &serde_json::from_value(binding).unwrap()).await.unwrap();
}

#[tokio::test]
async fn an_operator_that_may_not_read_a_secret_says_that_it_knows_nothing_and_goes_on_when_it_may() {
    let (world, operator) = World::with_shop("sight").await;
    world.quiet().await;
    operator.kill().await;
    let made = world.names().await;
    grant(&world, rules(&["list", "watch", "create", "patch", "delete"])).await;
    let client = api_server().client_as(USER, USER_AGENT).await;
    let _operator = Operator::start_with(client, &world.namespace, PERIOD);
    let message = eventually("it says that it cannot read", async || {
        // What it has listed at its start it knows; what has changed since it has to read.
        let note = json!({"metadata": {"annotations": {"seen": format!("{:?}", Instant::now())}}});
        world.edit("Secret", "shop-redis-operator", note).await;
        let status = world.get("TokenCache", SHOP).await["status"].clone();
        let ready = condition(&status, "Ready");
        let is_told = ready["status"] == "Unknown" && ready["reason"] == "ReadFailed";
        if is_told { Ok(ready["message"].as_str().unwrap().to_owned()) } else { Err(status.to_string()) }
    })
    .await;
    assert!(message.contains("read Secret shop-") && message.contains("forbidden"), "{message}");
    let status = world.condition(SHOP, "RedisAvailable", "Unknown", "ReadFailed").await;
    assert_eq!(status, message);
    assert_eq!(world.event(SHOP, "ReadFailed").await, message);
    let told = world.events(SHOP).await;
    let told: Vec<_> = told.iter().filter(|event| event.reason.as_deref() == Some("ReadFailed")).collect();
    assert!(told.len() == 1 && told[0].series.is_none(), "one trouble is told once: {told:?}");
    assert_eq!(world.names().await, made, "nothing is made");

    let roles: Api<Role> = Api::namespaced(world.client.clone(), &world.namespace);
    let all = Patch::Merge(json!({"rules": rules(&["get", "list", "watch", "create", "patch", "delete"])}));
    roles.patch("operator", &PatchParams::default(), &all).await.unwrap();
    eventually("it is ready", async || {
        // So that the operator need not wait for its next try.
        let change = json!({"metadata": {"annotations": {"seen": format!("{:?}", Instant::now())}}});
        world.edit("TokenCache", SHOP, change).await;
        let status = world.get("TokenCache", SHOP).await["status"].clone();
        if condition(&status, "Ready")["status"] == "True" { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
}

#[tokio::test]
async fn an_operator_without_the_rights_of_its_version_says_which_it_lacks() {
    let world = World::new("sight-policies").await;
    let mut rules = rules(&["get", "list", "watch", "create", "patch", "delete"]);
    rules.as_array_mut().unwrap().retain(|rule| rule["resources"] != json!(["networkpolicies"]));
    grant(&world, rules).await;
    let client = api_server().client_as(USER, USER_AGENT).await;
    let _operator = Operator::start_with(client, &world.namespace, PERIOD);
    world.create(SHOP, json!({})).await;
    let message = world.condition(SHOP, "Ready", "Unknown", "ReadFailed").await;
    assert!(message.contains("NetworkPolicy shop-redis") && message.contains("forbidden"), "{message}");
}
