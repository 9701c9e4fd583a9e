//! The layer that counts and fails writes, and the audit log that counts them on the other side.

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Client;
use kube::api::{Api, DeleteParams, ListParams, PostParams};

use crate::support::api_server::api_server;
use crate::support::audit;
use crate::support::eventually::eventually;
use crate::support::faults::{Death, Writes};
use crate::support::namespace::fresh_namespace;

fn config_map(name: &str) -> ConfigMap {
    let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
    ConfigMap { metadata, ..ConfigMap::default() }
}

/// Three writes, each after a read, until the first that fails; the number of those that succeeded.
async fn write_three(config_maps: &Api<ConfigMap>) -> usize {
    for (index, name) in ["a", "b", "c"].iter().enumerate() {
        if config_maps.get_opt(name).await.is_err() {
            return index;
        }
        if config_maps.create(&PostParams::default(), &config_map(name)).await.is_err() {
            return index;
        }
    }
    3
}

async fn names(client: &Client, namespace: &str) -> Vec<String> {
    let config_maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let list = config_maps.list(&ListParams::default()).await.expect("the API server lists");
    list.items.into_iter().filter_map(|each| each.metadata.name).filter(|name| name.len() == 1).collect()
}

/// What the API server holds after a client died, what the client thought it had written, and its log.
async fn after(death: Death) -> (Vec<String>, usize, Writes) {
    let admin = api_server().client("tests").await;
    let namespace = fresh_namespace(&admin, "writes").await;
    let writes = Writes::until(death);
    let client = api_server().client_through("mortal", &writes).await;
    let succeeded = write_three(&Api::namespaced(client, &namespace)).await;
    (names(&admin, &namespace).await, succeeded, writes)
}

#[tokio::test]
async fn a_client_that_dies_before_a_write_leaves_what_it_wrote_before() {
    let (left, succeeded, writes) = after(Death::BeforeWrite(1)).await;
    assert_eq!(left, ["a"]);
    assert_eq!(succeeded, 1, "{writes}");
    assert!(writes.dead());
    writes.death().await;
}

#[tokio::test]
async fn a_client_that_dies_after_a_write_leaves_that_one_too_and_does_not_know() {
    let (left, succeeded, writes) = after(Death::AfterWrite(1)).await;
    assert_eq!(left, ["a", "b"]);
    assert_eq!(succeeded, 1, "{writes}");
    assert_eq!(writes.log().len(), 2, "{writes}");
}

#[tokio::test]
async fn a_dead_client_neither_reads_nor_writes() {
    let admin = api_server().client("tests").await;
    let namespace = fresh_namespace(&admin, "dead").await;
    let writes = Writes::until(Death::BeforeWrite(0));
    let config_maps = Api::namespaced(api_server().client_through("mortal", &writes).await, &namespace);
    assert_eq!(write_three(&config_maps).await, 0);
    assert!(config_maps.get("a").await.is_err());
    assert!(config_maps.delete("a", &DeleteParams::default()).await.is_err());
    assert_eq!(writes.log().len(), 1, "what a dead client tries is no write: {writes}");
}

#[tokio::test]
async fn the_layer_counts_writes_but_no_reads_and_no_dry_runs() {
    let admin = api_server().client("tests").await;
    let namespace = fresh_namespace(&admin, "count").await;
    let writes = Writes::counted();
    let config_maps = Api::namespaced(api_server().client_through("counted", &writes).await, &namespace);
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    config_maps.create(&dry, &config_map("dry")).await.unwrap();
    assert_eq!(write_three(&config_maps).await, 3);
    config_maps.delete("a", &DeleteParams::default()).await.unwrap();
    let seen: Vec<_> = writes.log().iter().map(|write| (write.index, write.method.to_string())).collect();
    let expected: Vec<_> = ["POST", "POST", "POST", "DELETE"]
        .iter()
        .enumerate()
        .map(|(index, verb)| (index, (*verb).to_owned()))
        .collect();
    assert_eq!(seen, expected, "{writes}");
    assert!(writes.log()[3].path.starts_with(&format!("/api/v1/namespaces/{namespace}/configmaps/a")), "{writes}");
}

#[tokio::test]
async fn the_audit_log_counts_the_writes_of_one_client_in_one_namespace_since_a_mark() {
    let admin = api_server().client("tests").await;
    let namespace = fresh_namespace(&admin, "audit").await;
    let log = api_server().audit_log();
    let before: Api<ConfigMap> = Api::namespaced(api_server().client("audited/1").await, &namespace);
    before.create(&PostParams::default(), &config_map("early")).await.unwrap();
    let start = audit::Mark::default();
    eventually("the early write is in the log", async || {
        let seen = log.writes_since(start, &namespace, "audited");
        if seen.len() == 1 { Ok(()) } else { Err(format!("{seen:?}")) }
    })
    .await;

    let mark = log.mark();
    assert_eq!(write_three(&before).await, 3);
    before.delete("a", &DeleteParams::default()).await.unwrap();
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    before.create(&dry, &config_map("dry")).await.unwrap();
    let other: Api<ConfigMap> = Api::namespaced(admin.clone(), &namespace);
    other.create(&PostParams::default(), &config_map("other")).await.unwrap();

    let key = |verb: &str| ("audited/1".to_owned(), verb.to_owned(), "configmaps".to_owned());
    let expected = audit::Counts::from([(key("create"), 3), (key("delete"), 1)]);
    eventually("the log holds the later writes, and only them", async || {
        let counts = audit::count(&log.writes_since(mark, &namespace, "audited"));
        if counts == expected { Ok(()) } else { Err(format!("{counts:?}")) }
    })
    .await;
}

#[tokio::test]
async fn kubectl_talks_to_the_cluster_of_the_tests() {
    let admin = api_server().client("tests").await;
    let namespace = fresh_namespace(&admin, "kubectl").await;
    let shown = api_server().kubectl(&["get", "namespace", &namespace, "--output=name"]).await;
    assert_eq!(shown.trim(), format!("namespace/{namespace}"));
}
