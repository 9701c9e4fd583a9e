//! The node that the pods are on. It is no more than its name: nothing in the API tier looks at nodes but the collector of
//! pods whose node does not exist.

use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use super::Shared;

/// Makes the node.
pub async fn join(shared: &Shared) {
    let nodes: Api<Node> = Api::all(shared.client.clone());
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": shared.node}});
    let parameters = PatchParams::apply("kubelet");
    nodes.patch(&shared.node, &parameters, &Patch::Apply(node)).await.expect("the API server takes the node");
}
