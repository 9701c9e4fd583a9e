//! Objects through which applications reach Redis, edited and deleted.

use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::truth::judge::Row;
use crate::truth::stage::Stage;

pub async fn service_deleted(stage: &Stage) -> Row {
    let cause = async || {
        stage.pause().await;
        stage.services().delete("shop-redis", &DeleteParams::default()).await.unwrap();
    };
    stage.fault("Service gone", "paused; `kubectl delete service`", cause, async || stage.unpause().await).await
}

pub async fn service_selects_nothing(stage: &Stage) -> Row {
    let patch = json!({"spec": {"selector": {"app.kubernetes.io/name": "another"}}});
    edit(stage, "Service's selector", "paused; another label in `spec.selector`", "service", &patch).await
}

pub async fn service_leads_to_another_port(stage: &Stage) -> Row {
    let patch = json!({"spec": {"ports": [{"port": 6380, "targetPort": 6381}]}});
    edit(stage, "Service's port", "paused; `targetPort: 6381`", "service", &patch).await
}

pub async fn service_becomes_a_name_elsewhere(stage: &Stage) -> Row {
    let patch = json!({"spec": {
        "type": "ExternalName", "externalName": "redis.invalid", "clusterIP": null, "clusterIPs": null, "selector": null,
    }});
    edit(stage, "Service's type", "paused; `type: ExternalName`", "service", &patch).await
}

pub async fn binding_names_another_host(stage: &Stage) -> Row {
    let patch = json!({"stringData": {"host": "redis.invalid"}});
    edit(stage, "binding's host", "paused; another `host` in Secret shop-redis", "secret", &patch).await
}

pub async fn binding_has_another_password(stage: &Stage) -> Row {
    let password = |value: &str| {
        let patch = json!({"stringData": {"password": value}}).to_string();
        stage.scene.kubectl(&["patch", "secret", "shop-redis", "--type", "merge", "--patch", &patch]);
    };
    let earlier = stage.scene.secret("shop-redis", "password").await;
    let cause = async || {
        stage.pause().await;
        password("handmade");
    };
    let mend = async || {
        password(&earlier);
        stage.unpause().await;
    };
    stage.fault("binding's password", "paused; another `password` in Secret shop-redis", cause, mend).await
}

pub async fn scaled_to_nothing(stage: &Stage) -> Row {
    let patch = json!({"spec": {"replicas": 0}});
    edit(stage, "scaled to 0", "paused; `kubectl scale statefulset --replicas 0`", "statefulset", &patch).await
}

/// An edit of `shop-redis` that a paused operator leaves, and puts right afterwards.
async fn edit(stage: &Stage, what: &str, done: &str, kind: &str, patch: &Value) -> Row {
    let cause = async || {
        stage.pause().await;
        stage.scene.kubectl(&["patch", kind, "shop-redis", "--type", "merge", "--patch", &patch.to_string()]);
    };
    stage.fault(what, done, cause, async || stage.unpause().await).await
}
