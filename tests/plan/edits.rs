//! The table of edits, field by field: it names every field of the definition, and what it says becomes of the pod template and of
//! what the server should be.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use serde_json::{Value, json};
use tokencache_operator::{
    api::v1alpha1::{Consequence, EDITS, crd},
    redis::desired::want,
};

use crate::support::edits::edits_of;

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
