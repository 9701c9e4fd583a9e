//! The chart's template that has the API server say what an edit costs: a `ValidatingAdmissionPolicy` that warns, and refuses nothing.
//!
//! In: the table of edits. Out: a template, in which each field that costs something has its CEL.

use std::fmt::Write;

use super::{Consequence, EDITS, Edit};

/// The content of the chart's template. Written as text, since it is a template of Helm's.
#[must_use]
pub fn edits_chart_template() -> String {
    let mut restarting = String::new();
    let mut beside = String::new();
    for edit in &EDITS {
        if edit.consequence == Consequence::Restart {
            _ = writeln!(restarting, "        {} ? '{}' : '',", changed(edit), told(edit));
        }
        if let Some(when) = costs_when(edit.field) {
            let words = edit.beside.replace('`', "");
            _ = writeln!(beside, "        {} && {when} ? '{}: {words}' : '',", changed(edit), told(edit));
        }
    }
    TEMPLATE
        .replace("RESTARTING", restarting.trim_end_matches([',', '\n']))
        .replace("BESIDE", beside.trim_end_matches([',', '\n']))
}

fn told(edit: &Edit) -> String {
    format!("spec.{}", edit.field)
}

/// The value of a field before or after, as an optional.
fn value(of: &str, field: &str) -> String {
    format!("{of}.spec.?{}", field.replace('.', ".?"))
}

/// Whether a field is another one by the edit, in what counts of it.
fn changed(edit: &Edit) -> String {
    let (before, after) = (value("oldObject", edit.field), value("object", edit.field));
    match edit.field {
        "redis.tls.mode" => {
            let is_plain = |value: String| format!("({value}.orValue('') == 'Disabled')");
            format!("{} != {}", is_plain(before), is_plain(after))
        }
        "redis.maxMemory" => "variables.maxMemory != variables.maxMemoryBefore".to_owned(),
        _ => format!("{before} != {after}"),
    }
}

/// When an edit costs what the table says beside; `None` where that is no cost.
fn costs_when(field: &str) -> Option<String> {
    let after = || format!("{}.orValue('')", value("object", field));
    let before = || format!("{}.orValue('')", value("oldObject", field));
    match field {
        "redis.maxMemory" => Some("variables.maxMemory < variables.maxMemoryBefore".to_owned()),
        "redis.persistence.whenDeleted" => Some(format!("{} == 'Delete'", after())),
        "redis.networkPolicy" => Some(format!("{} == 'Namespace'", after())),
        "redis.acl" => Some(format!("({} == 'Compatible' || {} == 'Strict')", before(), after())),
        "dataProtection.mode" => Some(format!("{} == 'None'", after())),
        "redis.tls.mode" | "redis.tls.secretName" | "dataProtection.certificate.secretName" => {
            Some(format!("{} != ''", after()))
        }
        _ => None,
    }
}

/// Where nobody knows how much memory the server's container has, it may suit or not.
const TEMPLATE: &str = r#"{{- /* Made by `tokencache-operator edits --chart`; `make generate` writes it anew. Where one namespace is watched, nothing is made
beyond it. */ -}}
{{- if and .Values.editWarnings.enabled (eq .Values.watchNamespace "") }}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata:
  name: {{ include "tokencache-operator.name" . }}-edits
  labels:
    {{- include "tokencache-operator.labels" . | nindent 4 }}
spec:
  failurePolicy: Ignore
  matchConstraints:
    resourceRules:
      - apiGroups: [tokencache.dev]
        apiVersions: [v1alpha1]
        operations: [UPDATE]
        resources: [tokencaches]
  matchConditions:
    - name: the-spec-is-another
      expression: object.spec != oldObject.spec
  variables:
    - name: isKept
      expression: has(object.spec.redis.persistence)
    - name: restart
      expression: >-
        variables.isKept ? 'restarts Redis: seconds of outage, no entry is lost'
        : 'restarts Redis: without a volume all entries are lost, and users sign in again'
    - name: maxMemory
      expression: quantity(string(object.spec.redis.maxMemory)).asInteger()
    - name: maxMemoryBefore
      expression: quantity(string(oldObject.spec.redis.maxMemory)).asInteger()
    - name: anew
      expression: (variables.maxMemory + variables.maxMemory / 2 + 1048575) / 1048576 * 1048576 + 67108864
    - name: least
      expression: >-
        variables.isKept ? variables.anew
        : (variables.maxMemory + variables.maxMemory / 4 + 1048575) / 1048576 * 1048576 + 67108864
    - name: containers
      expression: >-
        oldObject.?status.?redis.?servers.orValue([]).map(server, server.?memoryLimit.orValue(''))
        .filter(limit, isQuantity(limit)).map(limit, quantity(limit).asInteger())
    - name: memory
      expression: >-
        variables.maxMemory == variables.maxMemoryBefore ? ''
        : size(variables.containers) == 0 ? 'spec.redis.maxMemory, unless its container suits that'
        : variables.containers.all(it, it >= variables.least && (variables.isKept || it <= 2 * variables.anew)) ? ''
        : 'spec.redis.maxMemory'
    - name: restarting
      expression: >-
        [variables.memory,
RESTARTING].filter(field, field != '')
    - name: beside
      expression: >-
        [
BESIDE].filter(cost, cost != '')
  validations:
    - expression: size(variables.restarting) == 0
      messageExpression: variables.restarting.join(', ') + ' ' + variables.restart
    - expression: size(variables.beside) == 0
      messageExpression: variables.beside.join('; ')
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{ include "tokencache-operator.name" . }}-edits
  labels:
    {{- include "tokencache-operator.labels" . | nindent 4 }}
spec:
  policyName: {{ include "tokencache-operator.name" . }}-edits
  validationActions: [Warn]
{{- end }}
"#;
