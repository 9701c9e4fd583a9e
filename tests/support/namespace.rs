//! A namespace of its own for each test, so that tests run side by side in one cluster.

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, PostParams};
use kube::{Client, ResourceExt};

/// Makes a namespace with a unique name that starts with `prefix`. It stays until the cluster goes.
pub async fn fresh_namespace(client: &Client, prefix: &str) -> String {
    let metadata = ObjectMeta { generate_name: Some(format!("{prefix}-")), ..ObjectMeta::default() };
    let namespace = Namespace { metadata, ..Namespace::default() };
    let made = Api::<Namespace>::all(client.clone()).create(&PostParams::default(), &namespace).await;
    made.expect("the API server makes a namespace").name_any()
}
