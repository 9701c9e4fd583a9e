//! What messages propose works as it stands, when it is pasted into a shell.

use jiff::Timestamp;
use kube::ResourceExt;
use serde_json::json;
use tokencache_operator::{
    api::v1alpha1::{ANNOTATIONS, PAUSED, RECONCILE_ANNOTATION, Takes, TokenCache},
    capability::operation::{self, Request},
    controller::report::mistyped,
};

use super::scene::{SHOP, condition, shop};
use crate::support::api_server::api_server;
use crate::support::eventually::eventually;
use crate::support::proposed::in_messages;

/// What the messages of the snapshots speak of. Nothing runs of it: there is no node.
const SUBJECTS: &str = r#"
{apiVersion: v1, kind: Namespace, metadata: {name: web}}
---
{apiVersion: tokencache.dev/v1alpha1, kind: TokenCache, metadata: {name: shop, namespace: web}, spec: {}}
---
apiVersion: v1
kind: Pod
metadata: {name: shop-redis-0, namespace: web}
spec: {containers: [{name: redis, image: "registry.example/redis:1"}]}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data-shop-redis-0, namespace: web}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
{apiVersion: v1, kind: Secret, metadata: {name: shop-redis-operator, namespace: web}, stringData: {password: a}}
---
{apiVersion: v1, kind: Secret, metadata: {name: shop-redis-rotation, namespace: web}, stringData: {password: a}}
---
apiVersion: v1
kind: Secret
metadata:
  name: shop-copy
  namespace: web
  ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: kube-root-ca.crt, uid: OWNER}]
stringData: {password: a}
---
{apiVersion: v1, kind: Secret, metadata: {name: shop-keys-certificates, namespace: web}, immutable: true}
---
{apiVersion: v1, kind: Secret, metadata: {name: shop-key-16a28072, namespace: web}}
"#;

/// What is restarted, by kind and name.
const WORKLOADS: [(&str, &str); 4] =
    [("Deployment", "web"), ("StatefulSet", "api"), ("DaemonSet", "agent"), ("StatefulSet", "shop-redis")];

fn workload(kind: &str, name: &str) -> String {
    let labels = json!({"app": name});
    let template = json!({
        "metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": "registry.example/app:1"}]},
    });
    let mut spec = json!({"selector": {"matchLabels": labels}, "template": template});
    if kind != "DaemonSet" {
        spec["replicas"] = 0.into();
    }
    let metadata = json!({"name": name, "namespace": "web"});
    json!({"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec}).to_string()
}

/// Makes what is missing.
async fn make_subjects(folder: &std::path::Path) {
    let workloads = WORKLOADS.map(|(kind, name)| workload(kind, name)).join("\n---\n");
    let line = "kubectl create namespace web 2>/dev/null || true
        kubectl -n web wait --for=create configmap/kube-root-ca.crt --timeout=60s >/dev/null || exit
        owner=$(kubectl -n web get configmap kube-root-ca.crt -o jsonpath={.metadata.uid})
        sed \"s/OWNER/$owner/\" subjects.yaml | kubectl apply -f -";
    std::fs::write(folder.join("subjects.yaml"), format!("{SUBJECTS}---\n{workloads}\n")).unwrap();
    let output = api_server().shell(line, folder).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The cache, where its annotations mean something.
async fn cache() -> TokenCache {
    let seen = api_server().kubectl(&["get", "tokencache", SHOP, "--namespace=web", "--output=json"]).await;
    let cache: TokenCache = serde_json::from_str(&seen).unwrap();
    assert_eq!(mistyped::sentences(&cache.metadata), None);
    for annotation in ANNOTATIONS.iter().filter(|annotation| annotation.takes() == Takes::Request) {
        let request = operation::annotation(&cache, *annotation).map(Request::parse);
        assert!(!matches!(request, Some(Request::Malformed(_))), "{annotation}: {request:?}");
    }
    cache
}

/// The cache without annotations; or paused, where the command takes one away. Within a second, a request would be the same again.
async fn annotated_otherwise(command: &str, folder: &std::path::Path) -> TokenCache {
    let others = ANNOTATIONS.iter().map(|annotation| format!("{annotation}-"));
    let others = others.collect::<Vec<_>>().join(" ");
    let last = if command.ends_with('-') { format!("{RECONCILE_ANNOTATION}={PAUSED}") } else { others.clone() };
    let annotate = "kubectl -n web annotate tokencache shop";
    let output = api_server().shell(&format!("{annotate} {others}; {annotate} {last}"), folder).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    cache().await
}

/// Whether something is to be put in the place of a word.
fn has_placeholder(command: &str) -> bool {
    let is_capital = |char: char| char.is_ascii_uppercase() || char == '_' || char == '-';
    let mut words =
        command.split(|char: char| !(char.is_ascii_alphanumeric() || char == '_' || char == '-' || char == '%'));
    command.contains(['<', '…']) || words.any(|word| word.len() > 1 && word.chars().all(is_capital))
}

#[test]
fn a_placeholder_is_seen() {
    for command in ["kubectl get pod <pod>", "kubectl logs …", "kubectl annotate a b=\"$(date -u +%FT%TZ) KEY\""] {
        assert!(has_placeholder(command), "{command}");
    }
    assert!(!has_placeholder("kubectl annotate a b=\"$(date -u +%FT%TZ) all\" --overwrite -p '[{}]'"));
}

#[tokio::test]
async fn every_command_of_every_message_can_be_run_as_it_stands() {
    let messages = in_messages();
    assert!(messages.len() > 15, "{messages:?}");
    let folder = tempfile::tempdir().unwrap();
    let mut is_whole = false;
    for commands in messages {
        if !is_whole {
            make_subjects(folder.path()).await;
        }
        is_whole = !commands.iter().any(|command| command.contains(" delete ") || command.contains(" patch "));
        // Those of one message in their order.
        for command in commands {
            assert!(!has_placeholder(&command), "`{command}` is to be filled in");
            // What goes on is paused before.
            if command.ends_with("tokencache.dev/reconcile-") {
                let pause = "kubectl -n web annotate --overwrite tokencache shop tokencache.dev/reconcile=paused";
                assert!(api_server().shell(pause, folder.path()).await.status.success());
            }
            // Of several commands, one undoes what another one does.
            let annotates = command.contains(" annotate ") && !command.contains(" && ");
            let before = if annotates { Some(annotated_otherwise(&command, folder.path()).await) } else { None };
            let output = api_server().shell(&command, folder.path()).await;
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            // Only a node has logs. That it is asked for one shows that kubectl and the API server understood.
            let lacks_node = command.contains(" logs ") && said.contains("does not have a host assigned");
            assert!(output.status.success() || lacks_node, "`{command}`: {said}");
            if let Some(before) = before {
                assert_ne!(cache().await.annotations(), before.annotations(), "`{command}` changed nothing");
            }
        }
    }
}

#[tokio::test]
async fn a_key_is_revoked_by_the_command_that_is_told_where_none_was_named() {
    let (world, _operator) = shop("no-key").await;
    let active = world.ready(SHOP).await["keyRing"]["active"].as_str().unwrap().to_owned();
    let asked = Timestamp::now();
    world.request("revoke-key", asked, "").await;
    let ignored = world.outcome("RevokeKey", "Ignored").await;
    let remedy = &ignored["remedies"][0];
    assert_eq!(remedy["costs"], format!("what key {active}, the active one, encrypted"), "{ignored}");
    let command = remedy["command"].as_str().unwrap();
    eventually("another second has begun: of the same one it would be the same request", async || {
        if Timestamp::now().as_second() > asked.as_second() { Ok(()) } else { Err("it has not".to_owned()) }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let output = api_server().shell(command, folder.path()).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    world.outcome("RevokeKey", "Completed").await;
    let status = world.ready(SHOP).await;
    let keys = status["keyRing"]["keys"].as_array().unwrap();
    let state = keys.iter().find(|key| key["id"].as_str().unwrap().starts_with(&active)).unwrap()["state"].clone();
    assert_eq!(state, "Revoked", "{status}");
    assert_eq!(condition(&status, "SpecValid")["reason"], "Valid");
}
