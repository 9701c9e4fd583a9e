//! A `StatefulSet` with Redis, made by hand, and the questions that tests ask about its pod.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, ContainerStatus, Pod, Secret};
use kube::Client;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::support::api_server::api_server;
use crate::support::eventually::eventually;
use crate::support::kubelet::Kubelet;
use crate::support::namespace::fresh_namespace;

pub const POD: &str = "cache-0";
pub const APP: Option<(&str, &str)> = Some(("app", "open-sesame"));

/// One test's namespace.
pub struct Scene {
    pub client: Client,
    pub namespace: String,
    pub kubelet: Kubelet,
}

impl Scene {
    /// A namespace with a stand-in, and no object yet.
    pub async fn empty() -> Self {
        let client = api_server().client("tests").await;
        let namespace = fresh_namespace(&client, "kubelet").await;
        let kubelet = Kubelet::start(api_server().client("kubelet").await, &namespace).await;
        Self { client, namespace, kubelet }
    }

    /// With all that the pod needs.
    pub async fn with_redis() -> Self {
        let scene = Self::empty().await;
        scene.make_config("maxmemory 64mb").await;
        scene.make_users().await;
        scene.make_stateful_set().await;
        scene
    }

    pub async fn make_config(&self, line: &str) {
        let text = format!("port 6379\nbind * -::*\ndir /data\naclfile /etc/redis/users/users.acl\n{line}\n");
        let body = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "config"}, "data": {"redis.conf": text},
        });
        let config_maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), &self.namespace);
        config_maps.patch("config", &PatchParams::apply("tests").force(), &Patch::Apply(body)).await.unwrap();
    }

    pub async fn make_users(&self) {
        let body = json!({
            "metadata": {"name": "users"},
            "stringData": {
                "users.acl": "user default off\nuser app on >open-sesame ~* +@all\nuser probe on >who-is-there +ping\n",
                "probe": "who-is-there",
            },
        });
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace);
        secrets.create(&PostParams::default(), &serde_json::from_value(body).unwrap()).await.unwrap();
    }

    pub async fn make_stateful_set(&self) {
        let labels = json!({"app": "cache"});
        let probe = "REDISCLI_AUTH=$(cat /etc/redis/users/probe) redis-cli --user probe ping | grep -q PONG";
        let body = json!({
            "metadata": {"name": "cache"},
            "spec": {
                "serviceName": "cache", "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "containers": [{
                            "name": "redis", "image": "docker.io/library/redis:8.2.9",
                            "command": ["redis-server", "/etc/redis/redis.conf"],
                            "args": ["--maxmemory-policy", "$(POLICY)"],
                            "env": [{"name": "POLICY", "value": "volatile-lru"}],
                            "terminationMessagePolicy": "FallbackToLogsOnError",
                            "readinessProbe": {
                                "exec": {"command": ["sh", "-c", probe]}, "periodSeconds": 1, "failureThreshold": 1,
                            },
                            "volumeMounts": [
                                {"name": "config", "mountPath": "/etc/redis"},
                                {"name": "users", "mountPath": "/etc/redis/users"},
                                {"name": "data", "mountPath": "/data"},
                            ],
                        }],
                        "volumes": [
                            {"name": "config", "configMap": {"name": "config"}},
                            {"name": "users", "projected": {"sources": [{"secret": {"name": "users"}}]}},
                            {"name": "data", "emptyDir": {}},
                        ],
                    },
                },
            },
        });
        let stateful_sets: Api<StatefulSet> = Api::namespaced(self.client.clone(), &self.namespace);
        stateful_sets.create(&PostParams::default(), &serde_json::from_value(body).unwrap()).await.unwrap();
    }

    pub fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Waits until the pod's status, as JSON, is as wanted.
    pub async fn status(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        eventually(what, async || {
            let pod = self.pods().get(POD).await.map_err(|error| error.to_string())?;
            let status = serde_json::to_value(pod.status).map_err(|error| error.to_string())?;
            if wanted(&status) { Ok(status) } else { Err(format!("{status:#}\n{}", self.kubelet.logs())) }
        })
        .await
    }

    /// Waits until the container's status is as wanted.
    pub async fn container(&self, what: &str, wanted: impl Fn(&ContainerStatus) -> bool) -> ContainerStatus {
        let status = |status: &Value| serde_json::from_value(status["containerStatuses"][0].clone()).ok();
        let seen = self.status(what, |seen| status(seen).is_some_and(|container| wanted(&container))).await;
        status(&seen).unwrap()
    }

    pub async fn ready(&self, wanted: bool) -> Value {
        let wanted = if wanted { "True" } else { "False" };
        self.status(&format!("the pod's Ready is {wanted}"), |status| condition(status, "Ready")["status"] == wanted)
            .await
    }

    pub async fn delete_pod(&self) {
        self.pods().delete(POD, &DeleteParams::default()).await.unwrap();
    }
}

pub fn condition<'a>(status: &'a Value, kind: &str) -> &'a Value {
    let conditions = status["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().find(|each| each["type"] == kind).unwrap_or(&Value::Null)
}

pub fn waiting(container: &ContainerStatus) -> (String, String) {
    let waiting = container.state.clone().and_then(|state| state.waiting).unwrap_or_default();
    (waiting.reason.unwrap_or_default(), waiting.message.unwrap_or_default())
}
