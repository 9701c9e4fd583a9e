//! An edit of each field of the spec that can be edited.

use serde_json::{Value, json};

/// Edits of a field: from a spec, to another value.
pub fn edits_of(field: &str) -> Vec<(&'static str, Value)> {
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
        "redis.pod.priorityClassName" => empty(json!("system-cluster-critical")),
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
