//! The definition of the custom resource, as the files in this repository have it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde_json::Value;
use tokencache_operator::api::v1alpha1::{crd, crd_chart_template, crd_yaml, edits_chart_template};

fn file(path: &str) -> String {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn schema() -> Value {
    let crd = serde_json::to_value(crd()).unwrap();
    let versions = crd["spec"]["versions"].as_array().unwrap();
    assert_eq!(versions.len(), 1, "a second version needs tests of its own");
    versions[0]["schema"]["openAPIV3Schema"].clone()
}

/// Every schema in this one with its path, also those of list elements and of map values.
fn schemas(path: &str, schema: &Value) -> Vec<(String, Value)> {
    let mut found = vec![(path.to_owned(), schema.clone())];
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        found.extend(schemas(&format!("{path}.{name}"), property));
    }
    for (key, suffix) in [("items", "[]"), ("additionalProperties", "{}")] {
        if schema[key].is_object() {
            found.extend(schemas(&format!("{path}{suffix}"), &schema[key]));
        }
    }
    found
}

#[test]
fn the_manifest_is_what_the_generator_prints() {
    assert!(file("crds/tokencaches.yaml") == crd_yaml().unwrap(), "crds/tokencaches.yaml is old: run `make generate`");
}

#[test]
fn the_charts_template_is_what_the_generator_prints() {
    let path = "charts/tokencache-operator/templates/crd.yaml";
    assert!(file(path) == crd_chart_template().unwrap(), "{path} is old: run `make generate`");
}

#[test]
fn every_property_is_described() {
    let is_element = |path: &str| path.ends_with("[]") || path.ends_with("{}");
    let mute: Vec<String> = schemas("", &schema())
        .into_iter()
        .filter(|(path, schema)| !is_element(path) && schema["description"].as_str().is_none_or(str::is_empty))
        .map(|(path, _)| path)
        // The API server describes these itself.
        .filter(|path| !["", ".apiVersion", ".kind", ".metadata"].contains(&path.as_str()))
        .collect();
    assert!(mute.is_empty(), "without a description: {mute:#?}");
}

#[test]
fn no_field_is_nullable() {
    let nullable: Vec<String> = schemas("", &schema())
        .into_iter()
        .filter(|(_, schema)| schema["nullable"] == true)
        .map(|(path, _)| path)
        .collect();
    assert!(nullable.is_empty(), "{nullable:#?}");
}

#[test]
fn a_status_that_nobody_wrote_says_that_no_generation_was_observed() {
    let status = &schema()["properties"]["status"];
    assert_eq!(status["default"], serde_json::json!({"observedGeneration": -1}));
    assert_eq!(status["properties"]["observedGeneration"]["default"], -1);
}

#[test]
fn conditions_operations_servers_and_keys_are_maps_by_their_key() {
    let schema = schema();
    let status = &schema["properties"]["status"]["properties"];
    for (list, key) in [
        (&status["conditions"], "type"),
        (&status["operations"], "type"),
        (&status["redis"]["properties"]["servers"], "pod"),
        (&status["keyRing"]["properties"]["keys"], "id"),
    ] {
        assert_eq!(list["x-kubernetes-list-type"], "map", "{list}");
        assert_eq!(list["x-kubernetes-list-map-keys"], serde_json::json!([key]), "{list}");
    }
}

#[test]
fn every_rule_says_what_is_wrong_in_a_sentence() {
    for (path, schema) in schemas("", &schema()) {
        for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
            let message = rule["message"].as_str().unwrap_or_default();
            assert!(message.split_whitespace().count() > 5, "{path}: {rule}");
        }
    }
}

#[test]
fn the_table_of_edits_is_the_code_s() {
    assert!(
        file("docs/edits.md") == tokencache_operator::cli::edits::table(),
        "docs/edits.md is old: run `make generate`"
    );
}

#[test]
fn the_chart_s_warnings_are_what_the_generator_prints() {
    let path = "charts/tokencache-operator/templates/edits.yaml";
    assert!(file(path) == edits_chart_template(), "{path} is old: run `make generate`");
}

#[test]
fn the_table_of_reasons_is_the_code_s() {
    assert!(
        file("docs/reasons.md") == tokencache_operator::cli::reasons::table(),
        "docs/reasons.md is old: run `make generate`"
    );
}
