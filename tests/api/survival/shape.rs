//! Objects without what differs from one run to another: UIDs, versions, times, addresses, passwords and what derives from
//! them. Two caches that were made by different ways must have the same shape.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use serde_json::{Map, Value, json};
use tokencache_operator::{
    data_protection::{
        key::read::{self, Element},
        secrets,
    },
    kubernetes::identity::APPLIED_ANNOTATION,
    redis::{
        access::password::Password,
        credentials::rotation::record::{PUBLISHED_ANNOTATION, REQUESTED_ANNOTATION},
        server::objects,
    },
};

const FIELD_MANAGER: &str = "tokencache-operator";
const OF_THE_RUN: [&str; 6] =
    ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "generateName"];

/// Kind and name of each object, with its content; the number of its revisions and pods.
pub fn shape(objects: &[Value], namespace: &str) -> Value {
    let words = replacements(objects, namespace);
    let mut shaped = Map::new();
    for object in objects {
        let [kind, name] = [&object["kind"], &object["metadata"]["name"]].map(|word| word.as_str().unwrap());
        if matches!(kind, "Pod" | "ControllerRevision") {
            let count = shaped.get(kind).and_then(Value::as_u64).unwrap_or_default();
            shaped.insert(kind.to_owned(), json!(count + 1));
        } else {
            let name = words.iter().fold(name.to_owned(), |name, (from, to)| name.replace(from, to));
            shaped.insert(format!("{kind} {name}"), replace(&without_the_run(object), &words));
        }
    }
    Value::Object(shaped)
}

/// Whether two shapes are the same; the `Err` says where they are not.
pub fn same(wanted: &Value, seen: &Value) -> Result<(), String> {
    let mut differences = Vec::new();
    compare("", wanted, seen, &mut differences);
    if differences.is_empty() { Ok(()) } else { Err(differences.join("\n")) }
}

fn compare(path: &str, wanted: &Value, seen: &Value, differences: &mut Vec<String>) {
    match (wanted, seen) {
        (Value::Object(wanted), Value::Object(seen)) => {
            let keys: std::collections::BTreeSet<_> = wanted.keys().chain(seen.keys()).collect();
            for key in keys {
                let side = |of: &Map<String, Value>| of.get(key).cloned().unwrap_or_default();
                compare(&format!("{path}.{key}"), &side(wanted), &side(seen), differences);
            }
        }
        _ if wanted == seen => {}
        _ => differences.push(format!("{path}: wanted {wanted}, seen {seen}")),
    }
}

fn without_the_run(object: &Value) -> Value {
    let mut object = object.clone();
    let owned = fields_of_ours(&object);
    let metadata = object["metadata"].as_object_mut().unwrap();
    metadata.retain(|field, _| !OF_THE_RUN.contains(&field.as_str()));
    object["owned"] = owned;
    object.as_object_mut().unwrap().remove("status");
    if let Some(marks) = object.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        let of_keys = [
            tokencache_operator::data_protection::secrets::REQUESTED_ANNOTATION,
            tokencache_operator::data_protection::secrets::REVOKED_ANNOTATION,
        ];
        // It tells the operator's password of one cache from that of another.
        marks.entry(objects::TEMPLATE_ANNOTATION).and_modify(|mark| *mark = "MARK".into());
        for mark in of_keys.into_iter().chain([PUBLISHED_ANNOTATION, REQUESTED_ANNOTATION]) {
            marks.entry(mark).and_modify(|time| *time = "TIME".into());
        }
        for hash in [objects::TEMPLATE_ANNOTATION, APPLIED_ANNOTATION] {
            marks.entry(hash).and_modify(|hash| *hash = "HASH".into());
        }
        // A time, and keys.
        if let Some(Value::String(replaced)) = marks.get_mut(secrets::REPLACES_ANNOTATION) {
            let keys = replaced.split_once(' ').map(|(_, keys)| format!("TIME {keys}"));
            *replaced = keys.unwrap_or_default();
        }
        let since = marks.iter_mut().filter(|(mark, _)| mark.starts_with("tokencache.dev/published-"));
        since.for_each(|(_, time)| *time = "TIME".into());
        marks.entry(objects::TEMPLATE_ANNOTATION).and_modify(|mark| *mark = "MARK".into());
    }
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut)
        && spec.get("clusterIP").is_some_and(|address| address != "None")
    {
        spec.retain(|field, _| !field.starts_with("clusterIP"));
    }
    if let Some(marks) = object.pointer_mut("/spec/template/metadata/annotations").and_then(Value::as_object_mut) {
        marks.entry(objects::OPERATOR_LOGIN_ANNOTATION).and_modify(|mark| *mark = "MARK".into());
    }
    object
}

/// The fields that the operator owns in an object, however it came to own them; but for those of its spec, of which a POST owns
/// also what the API server filled in. What they hold is in the shape anyway.
fn fields_of_ours(object: &Value) -> Value {
    let mut fields = Value::Null;
    for entry in object["metadata"]["managedFields"].as_array().into_iter().flatten() {
        if entry["manager"] == FIELD_MANAGER {
            merge(&mut fields, &entry["fieldsV1"]);
        }
    }
    if let Some(fields) = fields.as_object_mut() {
        fields.remove("f:spec");
    }
    fields
}

fn merge(into: &mut Value, from: &Value) {
    if into.is_null() {
        *into = json!({});
    }
    for (field, inner) in from.as_object().into_iter().flatten() {
        // `.` is the thing itself, which only an update names.
        if field != "." {
            merge(&mut into[field], inner);
        }
    }
}

/// The ids of keys, in the order of their first use.
const KEYS: [&str; 3] = ["KEY-1", "KEY-2", "KEY-3"];

/// The ids of the keys in these objects, each with its place in the order of their first use.
fn keys(objects: &[Value]) -> BTreeMap<String, &'static str> {
    let files = objects.iter().filter(|object| object["kind"] == "Secret");
    let files = files.flat_map(|secret| secret["data"].as_object().into_iter().flatten());
    let files = files.filter(|(name, _)| name.strip_suffix(".xml").is_some());
    let mut keys: Vec<_> = files
        .filter_map(|(_, value)| {
            let bytes: ByteString = serde_json::from_value(value.clone()).ok()?;
            match read::read(&bytes.0).ok()? {
                Element::Key(key) => Some((key.activates, key.id)),
                Element::Revocation(_) => None,
            }
        })
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys.into_iter().map(|(_, id)| id.to_string()).zip(KEYS).collect()
}

/// Texts that differ from one run to another, each with a word for it.
fn replacements(objects: &[Value], namespace: &str) -> BTreeMap<String, &'static str> {
    let mut words = keys(objects);
    words.insert(namespace.to_owned(), "NAMESPACE");
    let references = objects.iter().filter_map(|object| object["metadata"]["ownerReferences"].as_array()).flatten();
    words.extend(references.map(|reference| (reference["uid"].as_str().unwrap().to_owned(), "UID")));
    let files = objects.iter().filter(|object| object["kind"] == "Secret");
    let files = files.flat_map(|secret| secret["data"].as_object().into_iter().flat_map(Map::keys));
    words.extend(files.filter_map(|name| Some((name.strip_suffix(".pem")?.to_owned(), "FINGERPRINT"))));
    let password = |name: &str| {
        let secret = objects.iter().find(|each| each["kind"] == "Secret" && each["metadata"]["name"] == name)?;
        let bytes: ByteString = serde_json::from_value(secret["data"]["password"].clone()).ok()?;
        Password::parse(&bytes.0).ok()
    };
    if let Some(operator) = password("shop-redis-operator") {
        let probe = objects::probe_password(&operator);
        words.insert(operator.sha256().as_hex().to_owned(), "HASH-OF-OPERATOR");
        words.insert(probe.sha256().as_hex().to_owned(), "HASH-OF-PROBE");
        words.insert(operator.reveal().to_owned(), "OPERATOR");
        words.insert(probe.reveal().to_owned(), "PROBE");
    }
    if let Some(app) = password("shop-redis") {
        words.insert(app.sha256().as_hex().to_owned(), "HASH-OF-APP");
        words.insert(app.reveal().to_owned(), "APP");
    }
    words
}

/// The object with these texts replaced, in Secrets' bytes too.
fn replace(object: &Value, words: &BTreeMap<String, &'static str>) -> Value {
    let text = |text: &str| words.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    let mut object = object.clone();
    if object["kind"] == "Secret" {
        for value in object["data"].as_object_mut().into_iter().flat_map(Map::values_mut) {
            let bytes: ByteString = serde_json::from_value(value.clone()).unwrap();
            let text = String::from_utf8_lossy(&bytes.0).into_owned();
            // Certificates and keys: what they are is the same, and how many.
            let labels: Vec<&str> = text.lines().filter(|line| line.starts_with("-----BEGIN ")).collect();
            let is_time = text.parse::<jiff::Timestamp>().is_ok();
            *value = match labels.as_slice() {
                [] if is_time => "TIME".into(),
                // Which one it is, and nothing of its dates and secrets.
                [] if text.starts_with("\u{feff}<?xml") => {
                    let id = text.split('"').find(|word| words.contains_key(*word)).unwrap_or("a key that is none");
                    format!("<key {id}>").into()
                }
                [] => text.into(),
                labels => labels.concat().into(),
            };
        }
    }
    serde_json::from_str(&text(&object.to_string())).unwrap()
}
