//! The `CustomResourceDefinition` as a value and as files: `crds/tokencaches.yaml` and the chart's template.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;
use serde_json::json;

use super::{LONGEST_MESSAGE, TokenCache};

/// The definition, with what the derive cannot express. A status that nobody has written yet says
/// `observedGeneration: -1`, so that tools which wait (kstatus) do wait. And no field is nullable: the API server then
/// drops a null before it fills in defaults, so that `field:` without a value means the default.
#[must_use]
pub fn crd() -> CustomResourceDefinition {
    let mut crd = TokenCache::crd();
    let schemas =
        crd.spec.versions.iter_mut().filter_map(|version| version.schema.as_mut()?.open_api_v3_schema.as_mut());
    for schema in schemas {
        refuse_null(schema);
        for (list, field, longest) in COMPARED {
            bound(schema, list, field, longest);
        }
        for list in TOLD {
            bound(schema, list, "message", i64::from(LONGEST_MESSAGE));
        }
        if let Some(status) = schema.properties.as_mut().and_then(|fields| fields.get_mut("status")) {
            status.default = Some(JSON(json!({"observedGeneration": -1})));
        }
    }
    crd
}

/// Fields of Kubernetes' own types that rules compare: without a bound the API server counts on texts of megabytes, and
/// refuses the rules as too costly.
const COMPARED: [(&str, &str, i64); 3] = [
    ("topologySpreadConstraints", "topologyKey", 317),
    ("topologySpreadConstraints", "whenUnsatisfiable", 32),
    ("imagePullSecrets", "name", 253),
];

/// Lists of the status whose elements have a message. The API server tolerates a longer one of before, as long as nobody
/// changes it.
const TOLD: [&str; 2] = ["conditions", "operations"];

/// Bounds a field of the elements of a list, wherever the list is.
fn bound(schema: &mut JSONSchemaProps, list: &str, field: &str, longest: i64) {
    for (name, property) in schema.properties.iter_mut().flatten() {
        match property.items.as_mut() {
            Some(JSONSchemaPropsOrArray::Schema(element)) if name == list => {
                if let Some(field) = element.properties.as_mut().and_then(|fields| fields.get_mut(field)) {
                    field.max_length = Some(longest);
                }
            }
            _ => bound(property, list, field, longest),
        }
    }
}

fn refuse_null(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    schema.properties.iter_mut().flat_map(|fields| fields.values_mut()).for_each(refuse_null);
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = schema.items.as_mut() {
        refuse_null(items);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = schema.additional_properties.as_mut() {
        refuse_null(values);
    }
}

/// The content of `crds/tokencaches.yaml`.
///
/// # Errors
/// Where the definition cannot be written as YAML.
pub fn crd_yaml() -> Result<String, serde_yaml::Error> {
    let yaml = serde_yaml::to_string(&crd())?;
    Ok(format!("# Made by `tokencache-operator crd`; `make generate` writes it anew.\n{yaml}"))
}

/// The content of the chart's template: the same definition, which `helm uninstall` leaves in place, because removing it
/// would delete every `TokenCache` of the cluster.
///
/// # Errors
/// Where the definition cannot be written as YAML.
pub fn crd_chart_template() -> Result<String, serde_yaml::Error> {
    let mut crd = crd();
    crd.metadata.annotations.get_or_insert_default().insert("helm.sh/resource-policy".to_owned(), "keep".to_owned());
    // A brace pair in a description would be read as a template action.
    let yaml = serde_yaml::to_string(&crd)?.replace("{{", "{{ \"{{\" }}");
    Ok(format!(
        "{{{{- /* Made by `tokencache-operator crd --chart`; `make generate` writes it anew. */ -}}}}\n\
         {{{{- if .Values.crds.enabled }}}}\n{yaml}{{{{- end }}}}\n"
    ))
}
