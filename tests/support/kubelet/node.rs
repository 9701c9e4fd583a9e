//! The node that the pods are on: it is there, ready, and not silent.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use super::Shared;

/// Makes the node: pods on nodes that don't exist are collected.
pub async fn join(shared: &Shared) {
    let nodes: Api<Node> = Api::all(shared.client.clone());
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": shared.node}});
    let parameters = PatchParams::apply("kubelet");
    nodes.patch(&shared.node, &parameters, &Patch::Apply(node)).await.expect("the API server takes the node");
    let capacity = json!({"cpu": "8", "memory": "64Gi", "pods": "1000"});
    let status = json!({
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "capacity": capacity,
        "allocatable": capacity,
        "conditions": [{
            "type": "Ready", "status": "True", "reason": "KubeletReady",
            "message": "kubelet is posting ready status",
        }],
    });
    let patch = Patch::Merge(json!({"status": status}));
    nodes.patch_status(&shared.node, &PatchParams::default(), &patch).await.expect("the API server takes its status");
}

/// A node that is silent for long loses its pods.
pub async fn heartbeat(shared: Arc<Shared>) {
    let leases: Api<Lease> = Api::namespaced(shared.client.clone(), "kube-node-lease");
    let mut beats = tokio::time::interval(Duration::from_secs(10));
    loop {
        beats.tick().await;
        let lease = json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": shared.node},
            "spec": {
                "holderIdentity": shared.node, "leaseDurationSeconds": 40,
                "renewTime": MicroTime(Timestamp::now()),
            },
        });
        if let Err(error) = leases.patch(&shared.node, &PatchParams::apply("kubelet"), &Patch::Apply(lease)).await {
            eprintln!("stand-in for kubelet: the lease of {}: {error}", shared.node);
        }
    }
}
