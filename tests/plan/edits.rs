//! The table of edits, field by field: it names every field of the definition, and what it says becomes of the pod template and of
//! what the server should be.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use serde_json::{Value, json};
use tokencache_operator::{
    api::v1alpha1::{Consequence, EDITS, crd},
    redis::desired::want,
};

use super::world::{START, World, provided, shop};

/// Objects of Kubernetes' own, of which no part is a row.
const WHOLE: [&str; 1] = ["redis.pod.affinity"];
/// Objects that may be there or not, which is an edit too.
const OPTIONAL: [&str; 1] = ["redis.persistence"];

fn fields(path: &str, schema: &Value, into: &mut BTreeSet<String>) {
    match schema["properties"].as_object() {
        Some(properties) if !WHOLE.contains(&path) => {
            into.extend(OPTIONAL.contains(&path).then(|| path.to_owned()));
            for (name, property) in properties {
                fields(&[path, name].join(if path.is_empty() { "" } else { "." }), property, into);
            }
        }
        _ => _ = into.insert(path.to_owned()),
    }
}

#[test]
fn the_table_has_every_field_of_the_definition_and_no_other() {
    let definition = serde_json::to_value(crd()).unwrap();
    let mut defined = BTreeSet::new();
    let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    fields("", schema, &mut defined);
    let told: BTreeSet<String> = EDITS.iter().map(|edit| edit.field.to_owned()).collect();
    assert_eq!(told.len(), EDITS.len(), "a field has two rows");
    assert_eq!(told, defined);
}

/// Edits of a field: from a spec, to another value.
fn edits_of(field: &str) -> Vec<(&'static str, Value)> {
    const VOLUME: &str = "{redis: {persistence: {size: 2Gi}}}";
    const SECRET: &str = "{redis: {tls: {mode: Secret, secretName: mine}}}";
    let empty = |value: Value| vec![("{}", value)];
    match field {
        "redis.image" => empty(json!("registry.example/redis:8.4")),
        "redis.imagePullPolicy" => empty(json!("Always")),
        "redis.acceptedVersion" => empty(json!("8.0.2")),
        "redis.maxMemory" => vec![("{}", json!("300Mi")), ("{}", json!("128Mi")), (VOLUME, json!("16Mi"))],
        "redis.evictionPolicy" => empty(json!("noeviction")),
        "redis.persistence.whenDeleted" => vec![(VOLUME, json!("Delete"))],
        "redis.tls.mode" => vec![("{}", json!("Disabled")), ("{redis: {tls: {mode: Disabled}}}", json!("Managed"))],
        "redis.tls.secretName" => vec![(SECRET, json!("other"))],
        "redis.acl" => empty(json!("Strict")),
        "redis.passwordRotation.overlap" => empty(json!("1h")),
        "redis.passwordRotation.wait" => empty(json!("Clock")),
        "redis.pod.resources.requests" => empty(json!({"cpu": "1"})),
        "redis.pod.resources.limits" => empty(json!({"cpu": "2"})),
        "redis.pod.nodeSelector" => empty(json!({"pool": "caches"})),
        "redis.pod.tolerations" => empty(json!([{"key": "dedicated", "operator": "Exists"}])),
        "redis.pod.affinity" => empty(json!({"nodeAffinity": {}})),
        "redis.pod.topologySpreadConstraints" => {
            empty(json!([{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]))
        }
        "redis.pod.priorityClassName" => empty(json!("high")),
        "redis.pod.imagePullSecrets" => empty(json!([{"name": "registry"}])),
        "entries.encrypt" => empty(json!(false)),
        "entries.inspect" => empty(json!("Metadata")),
        "redis.networkPolicy" | "dataProtection.mode" => empty(json!("None")),
        "dataProtection.applicationName" => empty(json!("/app")),
        "dataProtection.rotation.every" => empty(json!("30d")),
        "dataProtection.rotation.publishAhead" => empty(json!("96h")),
        "dataProtection.certificate.secretName" | "dataProtection.import.secretName" => empty(json!("theirs")),
        "dataProtection.previous" => empty(json!([{"secretName": "theirs"}])),
        _ => panic!("no edit of {field} is tried"),
    }
}

fn edited(world: &World, field: &str, to: Value) -> World {
    let mut spec = serde_json::to_value(&world.cache.spec).unwrap();
    let mut place = &mut spec;
    for name in field.split('.') {
        place = &mut place[name];
    }
    *place = to;
    let mut world = world.clone();
    world.cache.spec = serde_json::from_value(spec).unwrap();
    if field.starts_with("redis.tls") {
        let other = provided(&[&world.settings().host()], START + SignedDuration::from_secs(1));
        world.observed.provided_certificate = Some(other.into());
    }
    world
}

/// The pod template, and what the servers should be.
fn outcome(world: &World) -> (Value, String) {
    let set = world.observed.stateful_set.owned().unwrap();
    let want = want(&world.settings(), &world.observed, &world.credentials());
    (serde_json::to_value(&set.spec.as_ref().unwrap().template).unwrap(), format!("{want:?}"))
}

/// What becomes of a settled cache by an edit.
fn consequence(from: &str, field: &str, to: Value) -> Consequence {
    let before = World::settled(shop(from));
    let mut after = edited(&before, field, to);
    for _ in 0..3 {
        after.pass();
    }
    let (template, server) = outcome(&before);
    match outcome(&after) {
        (other, _) if other != template => Consequence::Restart,
        (_, other) if other != server => Consequence::Running,
        _ => Consequence::Nothing,
    }
}

#[test]
fn each_edit_does_to_the_server_what_the_table_says() {
    for edit in EDITS.iter().filter(|edit| edit.consequence != Consequence::Refused) {
        for (from, to) in edits_of(edit.field) {
            let told = match edit.consequence {
                // What suits the container that there is.
                Consequence::RestartUnlessItSuits => Consequence::Running,
                other => other,
            };
            assert_eq!(consequence(from, edit.field, to.clone()), told, "{} = {to} in {from}", edit.field);
        }
    }
    for memory in ["512Mi", "64Mi"] {
        assert_eq!(consequence("{}", "redis.maxMemory", json!(memory)), Consequence::Restart, "{memory}");
    }
    let yours = json!({"mode": "Secret", "secretName": "mine"});
    assert_eq!(consequence("{}", "redis.tls", yours), Consequence::Running, "with TLS before and after");
}
