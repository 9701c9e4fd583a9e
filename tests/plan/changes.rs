//! What a change of the spec changes: one table of fields, and of the places in objects that follow them.

use serde_json::Value;

use super::objects::FULL;
use super::world::{World, said, shop};

/// The paths at which two values differ, with both sides.
fn differences(path: &str, before: &Value, after: &Value, into: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                differences(&format!("{path}.{key}"), &before[key], &after[key], into);
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                differences(&format!("{path}[{index}]"), old, new, into);
            }
        }
        (Value::String(old), Value::String(new)) if old.contains('\n') => {
            let changed = old.lines().zip(new.lines()).filter(|(old, new)| old != new);
            into.extend(changed.map(|(old, new)| format!("{path}: {old:?} -> {new:?}")));
        }
        _ if before != after => into.push(format!("{path}: {before} -> {after}")),
        _ => {}
    }
}

/// What a settled cache writes after the change, and where it differs then.
fn after(from: &str, field: &str, to: &str) -> String {
    let mut world = World::settled(shop(from));
    let before = world.objects();
    let mut spec = serde_json::to_value(&world.cache.spec).unwrap();
    let value: Value = serde_yaml::from_str(to).unwrap();
    let (parent, leaf) = field.rsplit_once('.').unwrap();
    let place = spec.pointer_mut(&format!("/{}", parent.replace('.', "/"))).unwrap();
    place.as_object_mut().unwrap().insert(leaf.to_owned(), value);
    world.cache.spec = serde_json::from_value(spec).unwrap();
    let mut lines = vec![format!("{field} = {to}"), format!("  writes {}", world.pass().join(", "))];
    let again = said(&world.plan());
    assert!(again.is_empty(), "{field}: a second pass writes {again:?}");
    for (before, after) in before.iter().zip(&world.objects()) {
        let name = format!("{} {}", before["kind"].as_str().unwrap(), before["metadata"]["name"].as_str().unwrap());
        let mut found = Vec::new();
        differences("", before, after, &mut found);
        lines.extend(found.into_iter().map(|difference| format!("    {name}{difference}")));
    }
    lines.join("\n")
}

#[test]
fn each_field_changes_what_it_should_and_nothing_else() {
    let empty = [
        ("redis.image", "registry.example/redis:8.4"),
        ("redis.imagePullPolicy", "Always"),
        ("redis.acceptedVersion", "8.0.2"),
        ("redis.maxMemory", "300Mi"),
        ("redis.maxMemory", "128Mi"),
        ("redis.maxMemory", "512Mi"),
        ("redis.maxMemory", "64Mi"),
        ("redis.evictionPolicy", "allkeys-lru"),
        ("redis.acl", "Strict"),
        ("redis.pod.resources", "{requests: {cpu: 1}}"),
        ("redis.pod.nodeSelector", "{pool: caches}"),
        ("redis.pod.tolerations", "[{key: dedicated, operator: Exists}]"),
        (
            "redis.pod.affinity",
            "{podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: zone}]}}",
        ),
        ("redis.pod.topologySpreadConstraints", "[{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule}]"),
        ("redis.pod.priorityClassName", "high"),
        ("redis.pod.imagePullSecrets", "[{name: registry}]"),
    ];
    let table: Vec<String> = empty.iter().map(|(field, to)| after("{}", field, to)).collect();
    insta::assert_snapshot!(table.join("\n"));
}

#[test]
fn what_becomes_of_the_claim_changes_without_a_restart() {
    insta::assert_snapshot!(after(FULL, "redis.persistence.whenDeleted", "Retain"));
}

#[test]
fn each_field_that_is_removed_leaves_the_objects() {
    let full = [
        ("redis.imagePullPolicy", "null"),
        ("redis.pod.resources", "null"),
        ("redis.pod.nodeSelector", "{}"),
        ("redis.pod.tolerations", "[]"),
        ("redis.pod.affinity", "null"),
        ("redis.pod.topologySpreadConstraints", "[]"),
        ("redis.pod.priorityClassName", "null"),
        ("redis.pod.imagePullSecrets", "[]"),
    ];
    let table: Vec<String> = full.iter().map(|(field, to)| after(FULL, field, to)).collect();
    insta::assert_snapshot!(table.join("\n"));
}

#[test]
fn another_spelling_of_the_same_memory_changes_nothing() {
    let mut world = World::settled(shop("{redis: {maxMemory: 256Mi}}"));
    world.cache = shop("{redis: {maxMemory: 268435456}}");
    assert!(world.plan().is_empty(), "{:?}", said(&world.plan()));
}
