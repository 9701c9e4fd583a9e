//! Pods as kubelet and the scheduler report them.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};
use tokencache_operator::redis::server::objects::OPERATOR_LOGIN_ANNOTATION;

/// The revision of the `StatefulSet` that pods are made from.
pub const REVISION: &str = "shop-redis-12345";

/// The pod of `shop` with this status.
pub fn pod(status: &Value) -> Arc<Pod> {
    marked(status, "unknown")
}

/// The same, started with the operator password of this mark.
pub fn marked(status: &Value, mark: &str) -> Arc<Pod> {
    let metadata = json!({
        "name": "shop-redis-0", "namespace": "web", "uid": "uid-of-pod", "annotations": {OPERATOR_LOGIN_ANNOTATION: mark},
        "labels": {"controller-revision-hash": REVISION},
    });
    let spec = json!({"nodeName": "node-1", "containers": []});
    Arc::new(serde_json::from_value(json!({"metadata": metadata, "spec": spec, "status": status})).unwrap())
}

/// The status of a pod that runs.
pub fn running(ready: bool) -> Value {
    on_node(ready, &json!({"running": {}}), &json!({}))
}

/// The status of a pod whose container waits.
pub fn waiting(reason: &str, message: &str) -> Value {
    on_node(false, &json!({"waiting": {"reason": reason, "message": message}}), &json!({}))
}

/// The status of a pod whose container waits after it ended.
pub fn waiting_after(reason: &str, message: &str, ended: &Value) -> Value {
    on_node(false, &json!({"waiting": {"reason": reason, "message": message}}), &json!({"terminated": ended}))
}

/// The status of a pod that has a node and an address.
pub fn on_node(ready: bool, state: &Value, last_state: &Value) -> Value {
    json!({
        "phase": "Running", "podIP": "10.0.0.7",
        "conditions": [
            {"type": "PodScheduled", "status": "True"},
            {"type": "Ready", "status": if ready { "True" } else { "False" }},
        ],
        "containerStatuses": [{
            "name": "redis", "image": "docker.io/library/redis:8.2.9", "imageID": "", "ready": ready, "restartCount": 0,
            "state": state, "lastState": last_state,
        }],
    })
}

/// The status of a pod that no node takes.
pub fn unschedulable(message: &str) -> Value {
    json!({
        "phase": "Pending",
        "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}],
    })
}
