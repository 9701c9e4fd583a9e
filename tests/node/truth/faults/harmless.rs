//! What applications do not feel, so that `Ready` has no reason to be False.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, ListParams};
use serde_json::json;

use crate::cluster::{OPERATOR_NAMESPACE, PATIENCE};
use crate::truth::judge::Row;
use crate::truth::stage::Stage;

pub async fn policy_changed_by_hand(stage: &Stage) -> Row {
    let cause = async || stage.configure("maxmemory-policy allkeys-lfu").await;
    let until = async || stage.scene.event(PATIENCE, "DriftCorrected", &["allkeys-lfu"], 1).await;
    stage.disturbance("policy by hand", "`CONFIG SET maxmemory-policy allkeys-lfu`", &[], cause, until).await
}

pub async fn settings_edited(stage: &Stage) -> Row {
    let redis =
        |memory: &str, policy: &str| json!({"spec": {"redis": {"maxMemory": memory, "evictionPolicy": policy}}});
    let cause = async || {
        stage.scene.change(redis("30Mi", "allkeys-lru")).await;
        stage.read_back("allkeys-lru").await;
        stage.scene.change(redis("32Mi", "volatile-lru")).await;
    };
    let until = async || stage.read_back("volatile-lru").await;
    stage.disturbance("settings", "`maxMemory` and `evictionPolicy` edited, twice", &[], cause, until).await
}

pub async fn key_rotated(stage: &Stage) -> Row {
    let cause = async || stage.request("rotate-key-requested").await;
    let until = async || stage.scene.event(PATIENCE, "KeyRotated", &[], 1).await;
    stage.disturbance("key rotated", "`rotate-key-requested`", &[], cause, until).await
}

pub async fn password_rotated(stage: &Stage) -> Row {
    let cause = async || stage.request("rotate-password-requested").await;
    let until = async || stage.scene.event(PATIENCE * 2, "PasswordPublished", &[], 1).await;
    stage.disturbance("password rotated", "`rotate-password-requested`", &[], cause, until).await
}

pub async fn binding_deleted(stage: &Stage) -> Row {
    deleted(stage, "shop-redis", "binding deleted", &["NotPublished"]).await
}

pub async fn users_deleted(stage: &Stage) -> Row {
    deleted(stage, "shop-redis-users", "users deleted", &[]).await
}

pub async fn login_deleted(stage: &Stage) -> Row {
    deleted(stage, "shop-redis-operator", "operator's login deleted", &[]).await
}

/// A Secret that is gone is made anew, and who has the earlier password goes on.
async fn deleted(stage: &Stage, secret: &str, what: &str, asked_for: &[&str]) -> Row {
    let cause = async || drop(stage.scene.kubectl(&["delete", "secret", secret]));
    let until = async || stage.there_is("secret", secret).await;
    stage.disturbance(what, &format!("`kubectl delete secret {secret}`"), asked_for, cause, until).await
}

pub async fn password_edited(stage: &Stage) -> Row {
    let patch = json!({"stringData": {"password": "handmade"}}).to_string();
    let cause =
        async || drop(stage.scene.kubectl(&["patch", "secret", "shop-redis", "--type", "merge", "--patch", &patch]));
    stage.disturbance("binding's password", "another `password` in Secret shop-redis", &[], cause, async || {}).await
}

pub async fn objects_edited(stage: &Stage) -> Row {
    let cause = async || {
        stage.scene.kubectl(&["delete", "service", "shop-redis-headless"]);
        stage.scene.kubectl(&["delete", "configmap", "shop-redis-config"]);
        stage.scene.kubectl(&["delete", "networkpolicy", "shop-redis"]);
        let users = json!({"stringData": {"users.acl": ""}}).to_string();
        stage.scene.kubectl(&["patch", "secret", "shop-redis-users", "--type", "merge", "--patch", &users]);
    };
    let done = "headless Service, ConfigMap and NetworkPolicy deleted, users' file emptied";
    stage.disturbance("objects", done, &[], cause, async || {}).await
}

pub async fn operator_killed(stage: &Stage) -> Row {
    let operators = Api::<Pod>::namespaced(stage.scene.client.clone(), OPERATOR_NAMESPACE);
    let ours = ListParams::default().labels("app.kubernetes.io/name=tokencache-operator");
    let now = DeleteParams::default().grace_period(0);
    let cause = async || drop(operators.delete_collection(&now, &ours).await.unwrap());
    stage.disturbance("operator killed", "its pod deleted, without grace", &[], cause, async || {}).await
}
