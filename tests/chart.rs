//! The chart, as Helm reads it, without a cluster.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::Value;
use tokencache_operator::kubernetes::identity::labels::OPERATOR_LABEL;

/// The chart rendered with these values.
fn template(values: &[&str]) -> Result<Vec<Value>, String> {
    let output = helm(&["template", "release"], values);
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let text = String::from_utf8(output.stdout).unwrap();
    Ok(serde_yaml::Deserializer::from_str(&text).map(|document| Value::deserialize(document).unwrap()).collect())
}

fn helm(command: &[&str], values: &[&str]) -> Output {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let binary = BINARY.get_or_init(|| {
        let built = Command::new(repository.join("tests/cluster/binary")).stderr(Stdio::inherit()).output().unwrap();
        assert!(built.status.success(), "tests/cluster/binary failed");
        PathBuf::from(String::from_utf8(built.stdout).unwrap().trim())
    });
    let chart = repository.join("charts/tokencache-operator");
    let set = values.iter().flat_map(|value| ["--set-string", *value]);
    Command::new(binary)
        .arg("helm")
        .args(command)
        .arg(chart)
        .args(["--namespace", "system"])
        .args(set)
        .output()
        .unwrap()
}

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

/// The operator's container.
fn container(objects: &[Value]) -> &Value {
    &of_kind(objects, "Deployment")[0]["spec"]["template"]["spec"]["containers"][0]
}

fn variable<'a>(objects: &'a [Value], name: &str) -> Option<&'a Value> {
    container(objects)["env"].as_array().unwrap().iter().find(|variable| variable["name"] == name)
}

#[test]
fn helm_finds_no_fault_with_it() {
    for values in [&[][..], &["watchNamespace=shops"]] {
        let linted = helm(&["lint", "--strict"], values);
        assert!(linted.status.success(), "{}", String::from_utf8_lossy(&linted.stdout));
    }
}

#[test]
fn by_default_every_namespace_is_watched() {
    let objects = template(&[]).unwrap();
    assert!(variable(&objects, "WATCH_NAMESPACE").is_none());
    for (kind, count) in [("ClusterRole", 1), ("ClusterRoleBinding", 1), ("Role", 0), ("RoleBinding", 0)] {
        assert_eq!(of_kind(&objects, kind).len(), count, "{kind}");
    }
}

#[test]
fn edits_are_warned_of_where_every_namespace_is_watched_unless_that_is_switched_off() {
    const KINDS: [&str; 2] = ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"];
    let objects = template(&[]).unwrap();
    let [policy, binding] = KINDS.map(|kind| of_kind(&objects, kind)[0]);
    assert_eq!(binding["spec"]["policyName"], policy["metadata"]["name"]);
    assert_eq!(binding["spec"]["validationActions"], serde_json::json!(["Warn"]), "nothing is refused");
    assert_eq!(policy["spec"]["failurePolicy"], "Ignore");
    let output = helm(&["template", "release", "--set", "editWarnings.enabled=false"], &[]);
    assert!(output.status.success());
    let off = String::from_utf8(output.stdout).unwrap();
    let one = template(&["watchNamespace=shops"]).unwrap();
    for kind in KINDS {
        assert!(!off.contains(kind) && of_kind(&one, kind).is_empty(), "{kind}");
    }
}

#[test]
fn the_operator_knows_its_namespace_and_has_the_label_that_network_policies_let_through() {
    let objects = template(&[]).unwrap();
    let namespace = variable(&objects, "POD_NAMESPACE").unwrap();
    assert_eq!(namespace["valueFrom"]["fieldRef"]["fieldPath"], "metadata.namespace");
    let (key, value) = OPERATOR_LABEL;
    assert_eq!(of_kind(&objects, "Deployment")[0]["spec"]["template"]["metadata"]["labels"][key], value);
}

#[test]
fn one_namespace_is_watched_with_the_same_rights_and_none_elsewhere() {
    let everywhere = template(&[]).unwrap();
    let objects = template(&["watchNamespace=shops"]).unwrap();
    assert_eq!(variable(&objects, "WATCH_NAMESPACE").unwrap()["value"], "shops");
    assert!(of_kind(&objects, "ClusterRole").is_empty() && of_kind(&objects, "ClusterRoleBinding").is_empty());
    let (role, binding) = (of_kind(&objects, "Role")[0], of_kind(&objects, "RoleBinding")[0]);
    assert_eq!(role["rules"], of_kind(&everywhere, "ClusterRole")[0]["rules"]);
    assert_eq!(role["metadata"]["namespace"], "shops");
    assert_eq!(binding["metadata"]["namespace"], "shops");
    assert_eq!(binding["roleRef"]["kind"], "Role");
    assert_eq!(binding["roleRef"]["name"], role["metadata"]["name"]);
    assert_eq!(binding["subjects"][0]["namespace"], "system");
    assert!(template(&["watchNamespace=Shops"]).is_err());
}

#[test]
fn an_image_is_named_by_its_tag_or_by_its_digest() {
    let image = |values: &[&str]| container(&template(values).unwrap())["image"].clone();
    assert_eq!(image(&["image.repository=host:5000/op", "image.tag=1"]), "host:5000/op:1");
    let digest = format!("sha256:{}", "0".repeat(64));
    let wanted = format!("host:5000/op@{digest}");
    assert_eq!(image(&["image.repository=host:5000/op", &format!("image.digest={digest}")]), wanted.as_str());
    assert!(template(&["image.digest=latest"]).is_err());
}

#[test]
fn the_ports_are_those_that_the_operator_listens_on() {
    let help = Command::new(env!("CARGO_BIN_EXE_tokencache-operator")).args(["run", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let objects = template(&[]).unwrap();
    for name in ["health", "metrics"] {
        let ports = container(&objects)["ports"].as_array().unwrap().iter();
        let port = ports.clone().find(|port| port["name"] == name).unwrap()["containerPort"].as_u64().unwrap();
        let told = help.split(&format!("--{name}-address")).nth(1).unwrap().split("[default: ").nth(1).unwrap();
        assert!(told.starts_with(&format!("[::]:{port}]")), "{name} {port}: {told}");
    }
}

#[test]
fn the_chart_takes_the_periods_that_the_operator_takes() {
    for period in ["1s", "3600s", "60m", "1h", "0s", "3601s", "61m", "2h", "30"] {
        let refused = Command::new(env!("CARGO_BIN_EXE_tokencache-operator"))
            .args(["run", "--probe-period", period])
            .env("KUBECONFIG", "/nowhere")
            .env_remove("KUBERNETES_SERVICE_HOST")
            .output()
            .unwrap();
        // It ends either way: there is no cluster.
        let refused = String::from_utf8_lossy(&refused.stderr).contains("--probe-period");
        let value = format!("probePeriod={period}");
        assert_eq!(template(&[&value]).is_err(), refused, "{period}");
    }
}
