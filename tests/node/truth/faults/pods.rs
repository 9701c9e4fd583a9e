//! Pods that go, do not come, or stand in the way.

use serde_json::{Value, json};

use crate::truth::judge::Row;
use crate::truth::stage::Stage;

pub async fn deleted(stage: &Stage) -> Row {
    let cause = async || stage.delete_pod();
    stage.fault("pod deleted", "`kubectl delete pod`", cause, async || {}).await
}

pub async fn forbidden_by_a_quota(stage: &Stage) -> Row {
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": {"hard": {"pods": "1"}},
    });
    let cause = async || {
        stage.apply(&quota);
        stage.delete_pod();
    };
    let mend = async || drop(stage.scene.kubectl(&["delete", "resourcequota", "none"]));
    stage.fault("quota", "a ResourceQuota of one pod; pod deleted", cause, mend).await
}

pub async fn kept_by_a_finalizer(stage: &Stage) -> Row {
    let finalizers = |value: Value| {
        let patch = json!({"metadata": {"finalizers": value}}).to_string();
        stage.scene.kubectl(&["patch", "pod", "shop-redis-0", "--type", "merge", "--patch", &patch]);
    };
    let cause = async || {
        finalizers(json!(["example.com/kept"]));
        stage.delete_pod();
    };
    let mend = async || finalizers(Value::Null);
    stage.fault("pod stays Terminating", "a finalizer on the pod; pod deleted", cause, mend).await
}

pub async fn joined_by_strangers(stage: &Stage) -> Row {
    let service = stage.scene.kubectl(&["get", "service", "shop-redis", "--output", "jsonpath={.spec.selector}"]);
    let labels: Value = serde_json::from_str(&service).unwrap();
    let strangers: Vec<String> = (1..=8).map(|number| format!("stranger-{number}")).collect();
    let cause = async || {
        for name in &strangers {
            stage.make_pod(name, &labels, "sleep infinity", false).await;
        }
    };
    let mend = async || strangers.iter().for_each(|name| stage.remove_pod(name));
    stage.fault("pods behind the Service", "eight more pods with the labels of shop-redis-0", cause, mend).await
}

pub async fn with_an_image_that_is_nowhere(stage: &Stage) -> Row {
    let image = |image: Value| json!({"spec": {"redis": {"image": image}}});
    let cause = async || stage.scene.change(image("localhost/tokencache-nowhere/redis:1".into())).await;
    let mend = async || stage.scene.change(image("docker.io/library/redis:8.2.9".into())).await;
    stage.fault("image", "an `image` that cannot be pulled", cause, mend).await
}

pub async fn that_no_node_takes(stage: &Stage) -> Row {
    let node = |labels: Value| json!({"spec": {"redis": {"pod": {"nodeSelector": labels}}}});
    let cause = async || stage.scene.change(node(json!({"no-such-label": "none"}))).await;
    let mend = async || stage.scene.change(node(Value::Null)).await;
    stage.fault("unschedulable", "a `nodeSelector` that no node has", cause, mend).await
}

pub async fn killed_again_and_again(stage: &Stage) -> Row {
    let kill = async || {
        let script = stage.signal("KILL").await;
        stage
            .on_the_node(&format!("(while :; do {script}; sleep 0.5; done) >/dev/null 2>&1 & echo $! >/tmp/killer"))
            .await;
    };
    let mend = async || stage.on_the_node("kill $(cat /tmp/killer)").await;
    stage.fault("crashes", "Redis killed whenever it starts, by SIGKILL", kill, mend).await
}
