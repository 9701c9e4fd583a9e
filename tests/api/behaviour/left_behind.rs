//! What was asked for once and is not wanted any more goes, however many writes and other wishes came between.

use std::sync::Arc;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use kube::api::{Api, ObjectMeta, Patch, PatchParams};
use serde_json::json;
use tokencache_operator::kubernetes::{
    identity::Found,
    write::{execute, settled::Settled, upkeep::upkeep},
};

use crate::support::api_server::api_server;
use crate::support::namespace::fresh_namespace;

const NAME: &str = "wish";

/// Writes until the object is as it is wanted, each time from what is there, as a new operator does. Returns how many writes
/// that takes.
async fn carry_out(client: &Client, namespace: &str, keys: &[&str], value: &str) -> usize {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let wanted = || ConfigMap {
        metadata: ObjectMeta {
            name: Some(NAME.to_owned()),
            namespace: Some(namespace.to_owned()),
            ..ObjectMeta::default()
        },
        data: Some(keys.iter().map(|key| ((*key).to_owned(), value.to_owned())).collect()),
        ..ConfigMap::default()
    };
    for writes in 0..5 {
        let live = api.get_opt(NAME).await.unwrap();
        let found = live.map_or(Found::Absent, |live| Found::Owned(Arc::new(live)));
        let Some(write) = upkeep(&Settled::default(), &found, wanted()) else { return writes };
        execute(client, &write).await.unwrap();
    }
    panic!("it never is as it is wanted");
}

async fn keys(client: &Client, namespace: &str) -> Vec<String> {
    let live = Api::<ConfigMap>::namespaced(client.clone(), namespace).get(NAME).await.unwrap();
    live.data.unwrap_or_default().into_keys().collect()
}

#[tokio::test]
async fn what_a_post_put_there_goes_at_the_write_that_drops_it_whatever_came_between() {
    let client = api_server().client("tests").await;
    let namespace = fresh_namespace(&client, "left-behind").await;
    let write = async |keys: &[&str], value: &str| carry_out(&client, &namespace, keys, value).await;
    assert_eq!(write(&["a", "b", "c"], "1").await, 1);
    // Nothing goes: one write each.
    assert_eq!(write(&["a", "b", "c"], "2").await, 1);
    assert_eq!(write(&["a", "b", "c", "d"], "2").await, 1);
    assert_eq!(write(&["a", "b", "c", "d"], "3").await, 1);
    assert_eq!(keys(&client, &namespace).await, ["a", "b", "c", "d"]);
    // Of the POST's, and of an apply's.
    assert_eq!(write(&["b", "c"], "3").await, 2);
    assert_eq!(keys(&client, &namespace).await, ["b", "c"]);
    assert_eq!(write(&["c"], "4").await, 1, "from now on an apply tells it");
    assert_eq!(keys(&client, &namespace).await, ["c"]);
}

#[tokio::test]
async fn what_goes_at_the_first_write_after_a_post_goes_and_what_others_have_added_stays() {
    let client = api_server().client("tests").await;
    let namespace = fresh_namespace(&client, "left-behind").await;
    let write = async |keys: &[&str], value: &str| carry_out(&client, &namespace, keys, value).await;
    assert_eq!(write(&["a", "b"], "1").await, 1);
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
    api.patch(NAME, &PatchParams::default(), &Patch::Merge(json!({"data": {"theirs": "1"}}))).await.unwrap();
    assert_eq!(write(&["b"], "1").await, 2);
    assert_eq!(keys(&client, &namespace).await, ["b", "theirs"]);
    // Beside what others have added nobody can tell: then it is made sure.
    assert_eq!(write(&["b", "c"], "2").await, 1);
    assert_eq!(write(&["c"], "2").await, 1);
    assert_eq!(keys(&client, &namespace).await, ["c", "theirs"]);
}
