//! Whether a live object already is what is wanted of it, so that nothing to do is found without a request.
//!
//! What the API server or others added does not count: defaults, status, fields of other managers. A field that we
//! applied earlier and do not want any more does count; `managedFields` tells it. Quantities are compared as amounts,
//! empty maps and lists are the same as absent ones.

use k8s_openapi::api::core::v1::Secret;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::kubernetes::{
    identity::{FIELD_MANAGER, labels::is_own},
    quantity,
};

/// What of an object's metadata anybody asks for; the API server keeps the rest.
const ASKED_OF_METADATA: [&str; 4] = ["annotations", "finalizers", "labels", "ownerReferences"];

/// Whether applying `wanted` would leave `live` as it is.
///
/// Values that cannot be turned into JSON are never equal, which leads to a write and its error message.
#[must_use]
pub fn holds<T: Serialize>(live: &T, wanted: &T) -> bool {
    match (serde_json::to_value(live), serde_json::to_value(wanted)) {
        (Ok(live), Ok(mut wanted)) => {
            leave_labels(&live, &mut wanted);
            value_holds(Some(&live), &wanted, "") && !owns_more(&live, &wanted)
        }
        _ => false,
    }
}

/// Leaves an object's labels that others use too to whoever has given them another value, such as a policy of the cluster that
/// rewrites them at every write. One that is lacking is set.
fn leave_labels(live: &Value, wanted: &mut Value) {
    let (Some(live), Some(wanted)) = (
        live.pointer("/metadata/labels").and_then(Value::as_object),
        wanted.pointer_mut("/metadata/labels").and_then(Value::as_object_mut),
    ) else {
        return;
    };
    for (key, value) in wanted.iter_mut().filter(|(key, _)| !is_own(key)) {
        if let Some(live) = live.get(key) {
            value.clone_from(live);
        }
    }
}

/// Whether our field manager owns something in `live` that `wanted` no longer names.
fn owns_more(live: &Value, wanted: &Value) -> bool {
    live["metadata"]["managedFields"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|entry| {
            entry["manager"] == FIELD_MANAGER && entry["operation"] == "Apply" && entry["subresource"].is_null()
        })
        .any(|entry| !names_all(&entry["fieldsV1"], wanted))
}

/// Whether `wanted` names every field of `live` that anybody may have asked for, so that nothing of it can go away by an apply. Of a
/// list it names what it has just so.
#[must_use]
pub fn names_all_of<T: Serialize>(live: &T, wanted: &T) -> bool {
    let (Ok(mut live), Ok(wanted)) = (serde_json::to_value(live), serde_json::to_value(wanted)) else { return false };
    if let Some(metadata) = live.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|field, _| ASKED_OF_METADATA.contains(&field.as_str()));
    }
    live.as_object_mut().and_then(|live| live.remove("status"));
    is_named_by(&live, Some(&wanted))
}

fn is_named_by(live: &Value, wanted: Option<&Value>) -> bool {
    match (live, wanted) {
        (Value::Object(live), Some(Value::Object(wanted))) => {
            live.iter().all(|(field, live)| is_named_by(live, wanted.get(field)))
        }
        (Value::Array(live), Some(Value::Array(wanted))) => live.iter().all(|element| wanted.contains(element)),
        (Value::Object(_) | Value::Array(_), _) => false,
        (_, wanted) => wanted.is_some_and(|wanted| !wanted.is_null()),
    }
}

/// The keys of a Secret's data that it was created with, or changed, by us, and that are not wanted any more: an apply takes
/// away only what an earlier apply put there.
#[must_use]
pub fn left_behind(live: &Secret, wanted: &Secret) -> Vec<String> {
    let entries = live.metadata.managed_fields.iter().flatten();
    let ours = entries.filter(|entry| {
        entry.manager.as_deref() == Some(FIELD_MANAGER) && entry.operation.as_deref() == Some("Update")
    });
    let fields: Vec<&Value> = ours.filter_map(|entry| Some(&entry.fields_v1.as_ref()?.0["f:data"])).collect();
    let is_wanted = |key: &String| wanted.data.as_ref().is_some_and(|data| data.contains_key(key));
    let is_ours = |key: &String| fields.iter().any(|fields| fields.get(format!("f:{key}")).is_some());
    let keys = live.data.iter().flat_map(|data| data.keys());
    keys.filter(|key| !is_wanted(key) && is_ours(key)).cloned().collect()
}

/// Whether `wanted` names every field of a set in the `fieldsV1` format: `f:` a field, `k:` the element of a list with
/// these keys, `v:` an element of a list with this value, `.` the thing itself.
fn names_all(fields: &Value, wanted: &Value) -> bool {
    fields.as_object().into_iter().flatten().all(|(path, inner)| match path.split_once(':') {
        Some(("f", field)) => wanted.get(field).is_some_and(|wanted| names_all(inner, wanted)),
        Some(("k", keys)) => {
            let Ok(keys) = serde_json::from_str::<Value>(keys) else { return false };
            let elements = wanted.as_array().into_iter().flatten();
            elements.into_iter().any(|element| has_keys(element, &keys) && names_all(inner, element))
        }
        Some(("v", value)) => {
            let elements = wanted.as_array().into_iter().flatten();
            elements
                .into_iter()
                .any(|element| serde_json::from_str::<Value>(value).is_ok_and(|value| value == *element))
        }
        _ => true,
    })
}

/// Whether an element has these keys. A key that the element leaves out was filled in by the API server, as the protocol
/// of a port is.
fn has_keys(element: &Value, keys: &Value) -> bool {
    keys.as_object().into_iter().flatten().all(|(key, value)| element.get(key).is_none_or(|own| own == value))
}

fn value_holds(live: Option<&Value>, wanted: &Value, field: &str) -> bool {
    match (live, wanted) {
        (None | Some(Value::Null), wanted) => is_empty(wanted),
        (Some(live), wanted) if is_whole(field) => live == wanted,
        (Some(Value::Object(live)), Value::Object(wanted)) => {
            wanted.iter().all(|(key, wanted)| member_holds(live, key, wanted, field))
        }
        (Some(Value::Array(live)), Value::Array(wanted)) => list_holds(live, wanted, field),
        (Some(live), wanted) => live == wanted,
    }
}

fn member_holds(live: &Map<String, Value>, key: &str, wanted: &Value, field: &str) -> bool {
    match (live.get(key), wanted) {
        (Some(Value::String(live)), Value::String(wanted)) if is_amount_map(field) || key == "sizeLimit" => {
            same_amount(live, wanted)
        }
        (live, wanted) => value_holds(live, wanted, key),
    }
}

/// Lists whose elements have names are compared name by name; others element by element, but for those that are merged by
/// other keys, to which others may have added.
fn list_holds(live: &[Value], wanted: &[Value], field: &str) -> bool {
    if field == "topologySpreadConstraints" {
        return wanted.iter().all(|wanted| live.iter().any(|live| value_holds(Some(live), wanted, field)));
    }
    if is_named(wanted) {
        return wanted.iter().all(|wanted| {
            live.iter().any(|live| name(live) == name(wanted) && value_holds(Some(live), wanted, field))
        });
    }
    live.len() == wanted.len() && live.iter().zip(wanted).all(|(live, wanted)| value_holds(Some(live), wanted, field))
}

fn name(value: &Value) -> Option<&str> {
    value.get("name").and_then(Value::as_str)
}

fn is_named(list: &[Value]) -> bool {
    !list.is_empty() && list.iter().all(|value| name(value).is_some())
}

/// The fields by which a live object is not what is wanted, such as `spec.ports[redis].port`. None of their values is in it.
#[must_use]
pub fn differences(live: &impl Serialize, wanted: &impl Serialize) -> Vec<String> {
    let mut found = Vec::new();
    if let (Ok(live), Ok(mut wanted)) = (serde_json::to_value(live), serde_json::to_value(wanted)) {
        leave_labels(&live, &mut wanted);
        differ(Some(&live), &wanted, ("", ""), &mut found);
    }
    found
}

fn differ(live: Option<&Value>, wanted: &Value, (path, field): (&str, &str), found: &mut Vec<String>) {
    match (live, wanted) {
        (Some(Value::Object(live)), Value::Object(wanted)) if !is_whole(field) => {
            for (key, wanted) in wanted.iter().filter(|(key, wanted)| !member_holds(live, key, wanted, field)) {
                differ(live.get(key), wanted, (&member(path, key), key), found);
            }
        }
        (Some(Value::Array(live)), Value::Array(wanted)) if is_named(wanted) && !is_whole(field) => {
            for wanted in wanted {
                let live = live.iter().find(|live| name(live) == name(wanted));
                if !value_holds(live, wanted, field) {
                    differ(live, wanted, (&format!("{path}[{}]", name(wanted).unwrap_or_default()), field), found);
                }
            }
        }
        _ => found.push(path.to_owned()),
    }
}

fn member(path: &str, key: &str) -> String {
    let is_plain = key.bytes().all(|byte| byte.is_ascii_alphanumeric());
    match (path, is_plain) {
        ("", _) => key.to_owned(),
        (path, true) => format!("{path}.{key}"),
        (path, false) => format!("{path}[{key}]"),
    }
}

/// What means something else with one entry more: a selector that somebody narrowed selects nothing any more, and a rule of a
/// `NetworkPolicy` lets others through.
fn is_whole(field: &str) -> bool {
    matches!(field, "selector" | "matchLabels" | "podSelector" | "ingress")
}

fn is_amount_map(field: &str) -> bool {
    matches!(field, "requests" | "limits" | "capacity")
}

fn same_amount(live: &str, wanted: &str) -> bool {
    live == wanted || quantity::nanos(live).is_some_and(|live| quantity::nanos(wanted) == Some(live))
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.values().all(is_empty),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_others_added_does_not_count() {
        let wanted = json!({"spec": {"ports": [{"name": "redis", "port": 6379}], "selector": {"a": "b"}}});
        let live = json!({"spec": {"clusterIP": "10.0.0.1", "ports": [{"name": "redis", "port": 6379, "protocol": "TCP"}], "selector": {"a": "b"}}, "status": {}});
        assert!(holds(&live, &wanted));
    }

    #[test]
    fn a_selector_with_one_label_more_is_another_one() {
        let wanted = json!({"spec": {"selector": {"a": "b"}}});
        assert!(!holds(&json!({"spec": {"selector": {"a": "b", "c": "d"}}}), &wanted));
        assert!(holds(&wanted, &wanted));
    }

    #[test]
    fn a_rule_that_lets_others_through_or_fewer_is_another_one() {
        let rule = |peer: Value, port: Value| json!({"spec": {"ingress": [{"from": [peer], "ports": [port]}]}});
        let wanted = rule(json!({"podSelector": {}}), json!({"port": 6380}));
        assert!(holds(&wanted, &wanted));
        for changed in [
            rule(json!({"podSelector": {"matchLabels": {"a": "b"}}}), json!({"port": 6380})),
            rule(json!({"podSelector": {}, "namespaceSelector": {}}), json!({"port": 6380})),
            rule(json!({"podSelector": {}}), json!({"port": 6380, "endPort": 9000})),
        ] {
            assert!(!holds(&changed, &wanted), "{changed}");
        }
    }

    #[test]
    fn what_was_changed_or_removed_counts() {
        let wanted = json!({"data": {"a": "1", "b": "2"}, "args": ["x", "y"]});
        assert!(!holds(&json!({"data": {"a": "1"}, "args": ["x", "y"]}), &wanted));
        assert!(!holds(&json!({"data": {"a": "1", "b": "3"}, "args": ["x", "y"]}), &wanted));
        assert!(!holds(&json!({"data": {"a": "1", "b": "2"}, "args": ["x", "y", "z"]}), &wanted));
        assert!(!holds(&json!({"data": {"a": "1", "b": "2"}}), &wanted));
    }

    #[test]
    fn amounts_are_compared_and_not_their_spelling() {
        let wanted = json!({"resources": {"requests": {"cpu": "1000m"}}, "emptyDir": {"sizeLimit": "1024Mi"}});
        assert!(holds(&json!({"resources": {"requests": {"cpu": "1"}}, "emptyDir": {"sizeLimit": "1Gi"}}), &wanted));
        assert!(!holds(&json!({"resources": {"requests": {"cpu": "2"}}, "emptyDir": {"sizeLimit": "1Gi"}}), &wanted));
        assert!(!holds(&json!({"cpu": "1"}), &json!({"cpu": "1000m"})), "outside of resources text is text");
    }

    #[test]
    fn absent_and_empty_are_the_same() {
        assert!(holds(&json!({}), &json!({"labels": {}, "tolerations": [], "emptyDir": {"medium": null}})));
        assert!(!holds(&json!({}), &json!({"labels": {"a": "b"}})));
        assert!(
            !holds(&json!({"tolerations": [{"key": "a"}]}), &json!({"tolerations": []})),
            "a list that was emptied"
        );
    }

    #[test]
    fn a_label_that_others_use_too_may_have_another_value_and_one_of_our_own_may_not() {
        let object = |part_of: Value, owner: &str| {
            let labels = json!({"app.kubernetes.io/part-of": part_of, "tokencache.dev/cache": owner});
            json!({"metadata": {"labels": labels}, "spec": {"template": {"metadata": {"labels": labels}}}})
        };
        let mut rewritten = object("tokencache".into(), "shop");
        assert!(holds(&rewritten, &object("tokencache".into(), "shop")));
        rewritten["metadata"]["labels"]["app.kubernetes.io/part-of"] = "team".into();
        assert!(holds(&rewritten, &object("tokencache".into(), "shop")), "a policy rewrote it");
        assert!(!holds(&rewritten, &object("tokencache".into(), "other")), "it tells whose the object is");
        rewritten["metadata"]["labels"].as_object_mut().unwrap().remove("app.kubernetes.io/part-of");
        assert!(!holds(&rewritten, &object("tokencache".into(), "shop")), "it is lacking");
        assert!(
            !holds(&object("team".into(), "shop"), &object("tokencache".into(), "shop")),
            "of pods nothing may differ"
        );
    }

    #[test]
    fn fields_that_differ_are_named_and_their_values_are_not() {
        let wanted = json!({
            "metadata": {"labels": {"tokencache.dev/cache": "shop", "app.kubernetes.io/part-of": "tokencache"}},
            "data": {"password": "c2VjcmV0", "tls.crt": "a"},
            "spec": {"ports": [{"name": "redis", "port": 6380}], "selector": {"a": "b"}, "replicas": 1},
        });
        assert_eq!(differences(&wanted, &wanted), [""; 0]);
        let live = json!({
            "metadata": {"labels": {"tokencache.dev/cache": "other", "app.kubernetes.io/part-of": "team"}},
            "data": {"password": "b3RoZXI="},
            "spec": {"ports": [{"name": "redis", "port": 1}], "selector": {"a": "b", "c": "d"}, "replicas": 1},
        });
        let differing = [
            "data.password",
            "data[tls.crt]",
            "metadata.labels[tokencache.dev/cache]",
            "spec.ports[redis].port",
            "spec.selector",
        ];
        assert_eq!(differences(&live, &wanted), differing);
        assert_eq!(differences(&json!({"metadata": {}}), &json!({"spec": {"ports": [{"name": "a"}]}})), ["spec"]);
    }

    #[test]
    fn a_field_that_we_applied_and_do_not_want_any_more_counts() {
        let fields = |inner: Value| {
            json!([
                {"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:spec": {"f:other": {}}}},
                {"manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": {"f:spec": inner}},
            ])
        };
        let live = |inner: Value| json!({"metadata": {"managedFields": fields(inner)}, "spec": {"kept": 1, "gone": 2, "other": 3, "ports": [{"port": 1, "protocol": "TCP"}]}});
        let wanted = json!({"spec": {"kept": 1, "ports": [{"port": 1}]}});
        assert!(holds(&live(json!({".": {}, "f:kept": {}})), &wanted));
        assert!(!holds(&live(json!({"f:kept": {}, "f:gone": {}})), &wanted));
        let port = |keys: &str| json!({"f:ports": {keys: {".": {}, "f:port": {}}}});
        assert!(holds(&live(port(r#"k:{"port":1,"protocol":"TCP"}"#)), &wanted));
        assert!(!holds(&live(port(r#"k:{"port":2,"protocol":"TCP"}"#)), &wanted));
    }

    #[test]
    fn of_a_secret_only_what_we_put_there_is_left_behind() {
        let secret = |data: Value| -> Secret {
            let entry = |manager: &str, operation: &str, key: &str| json!({"manager": manager, "operation": operation, "fieldsV1": {"f:data": {".": {}, key: {}}}});
            let fields = [
                entry(FIELD_MANAGER, "Update", "f:ca.crt"),
                entry(FIELD_MANAGER, "Apply", "f:host"),
                entry("kubectl", "Update", "f:note"),
            ];
            serde_json::from_value(json!({"metadata": {"managedFields": fields}, "data": data})).unwrap()
        };
        let live = secret(json!({"ca.crt": "", "host": "", "note": ""}));
        assert_eq!(left_behind(&live, &secret(json!({"host": ""}))), ["ca.crt"]);
        assert_eq!(left_behind(&live, &secret(json!({"host": "", "ca.crt": ""}))), [""; 0]);
        assert_eq!(left_behind(&secret(json!({"host": ""})), &secret(json!({"host": ""}))), [""; 0]);
    }

    #[test]
    fn an_apply_that_names_all_that_is_there_takes_nothing_away() {
        let live = json!({
            "metadata": {"name": "a", "uid": "1", "labels": {"a": "b"}, "ownerReferences": [{"uid": "2"}]},
            "data": {"a": "1"},
            "status": {"b": 1},
        });
        let mut wanted = json!({
            "metadata": {"name": "a", "labels": {"a": "c", "d": ""}, "ownerReferences": [{"uid": "2"}]},
            "data": {"a": "2", "b": ""},
        });
        assert!(names_all_of(&live, &wanted));
        for (path, other) in [
            ("/data", json!({"b": "1"})),
            ("/data", json!("1")),
            ("/metadata/labels", json!({})),
            ("/metadata/ownerReferences", json!([{"uid": "2", "controller": true}])),
        ] {
            let before = std::mem::replace(wanted.pointer_mut(path).unwrap(), other);
            assert!(!names_all_of(&live, &wanted), "{wanted}");
            *wanted.pointer_mut(path).unwrap() = before;
        }
        wanted.as_object_mut().unwrap().remove("data");
        assert!(!names_all_of(&live, &wanted));
    }

    #[test]
    fn elements_with_names_are_found_wherever_they_stand() {
        let wanted = json!({"containers": [{"name": "redis", "image": "a"}]});
        assert!(holds(&json!({"containers": [{"name": "proxy"}, {"name": "redis", "image": "a"}]}), &wanted));
        assert!(!holds(&json!({"containers": [{"name": "redis", "image": "b"}]}), &wanted));
    }
}
