//! Who uses what is published, as the operator finds it out.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::{Api, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use tokencache_operator::{
    capability::published,
    kubernetes::read::{
        consumers::ConsumerLookup,
        process::Processes,
        workload::{Consumers, Source},
    },
};

use super::scene::SHOP;
use crate::support::api_server::api_server;
use crate::support::audit::Mark;
use crate::support::eventually::eventually;
use crate::support::namespace::fresh_namespace;
use crate::support::operator::USER_AGENT;

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// A namespace in which nobody runs pods.
async fn namespace(prefix: &str) -> (Client, String) {
    let client = api_server().client("tests").await;
    let namespace = fresh_namespace(&client, prefix).await;
    (client, namespace)
}

/// A pod's spec that has these Secrets in its variables.
fn using(secrets: &[&str]) -> Value {
    let variables: Vec<_> = secrets.iter().map(|name| json!({"secretRef": {"name": name}})).collect();
    json!({"containers": [{"name": "app", "image": "registry.example/app:1", "envFrom": variables}]})
}

async fn make_pod(client: &Client, namespace: &str, name: &str, secrets: &[&str]) {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let pod = json!({"metadata": {"name": name}, "spec": using(secrets)});
    // The account that it gets is made a moment after its namespace.
    eventually("the pod is accepted", async || {
        let made = pods.create(&PostParams::default(), &serde_json::from_value(pod.clone()).unwrap()).await;
        made.map(drop).map_err(|error| error.to_string())
    })
    .await;
}

fn names(found: &Consumers) -> Vec<String> {
    let Consumers::Known(found) = found else { panic!("nothing is known") };
    found.iter().map(|consumer| consumer.workload.to_string()).collect()
}

#[tokio::test]
async fn workloads_are_found_with_the_time_since_which_they_run() {
    let (client, namespace) = namespace("consumers").await;
    let labels = json!({"app": "web"});
    let template = json!({"metadata": {"labels": labels}, "spec": using(&["shop-keys", "shop-redis"])});
    let spec = json!({"replicas": 2, "selector": {"matchLabels": labels}, "template": template});
    let deployment = serde_json::from_value(json!({"metadata": {"name": "web"}, "spec": spec})).unwrap();
    Api::<Deployment>::namespaced(client.clone(), &namespace)
        .create(&PostParams::default(), &deployment)
        .await
        .unwrap();
    make_pod(&client, &namespace, "cleanup", &["shop-redis"]).await;
    make_pod(&client, &namespace, "stranger", &["other-keys"]).await;

    let now = Timestamp::now();
    let all = published(SHOP);
    eventually("the Deployment and the pod are found", async || {
        // Another one each time: each keeps what it has found.
        let found = ConsumerLookup::new(client.clone()).consumers(&namespace, &all, now).await;
        if names(&found) == ["Deployment web", "Pod cleanup"] { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await;
    let lookup = ConsumerLookup::new(client.clone());
    let of_keys = [Source::Secret("shop-keys".to_owned())];
    assert_eq!(lookup.consumers(&namespace, &of_keys, now).await.oldest_start(), None, "no container runs");
    let status = json!({"status": {"phase": "Running", "containerStatuses": [{
        "name": "app", "image": "", "imageID": "", "ready": true, "restartCount": 0,
        "state": {"running": {"startedAt": "2026-01-01T10:00:00Z"}},
    }]}});
    let pods: Api<Pod> = Api::namespaced(client.clone(), &namespace);
    let web = pods.list(&kube::api::ListParams::default().labels("app=web")).await.unwrap().items;
    let first = web[0].metadata.name.clone().unwrap();
    pods.patch_status(&first, &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
    let found = lookup.consumers(&namespace, &of_keys, now + MINUTE).await;
    assert_eq!(names(&found), ["Deployment web"]);
    assert_eq!(found.oldest_start(), Some("2026-01-01T10:00:00Z".parse().unwrap()));
    let ended = json!({"status": {"phase": "Succeeded"}});
    pods.patch_status("cleanup", &PatchParams::default(), &Patch::Merge(ended)).await.unwrap();
    assert_eq!(names(&lookup.consumers(&namespace, &all, now + MINUTE * 2).await), ["Deployment web"]);
}

#[tokio::test]
async fn an_answer_is_kept_for_a_minute() {
    let (client, namespace) = namespace("kept").await;
    let lookup = ConsumerLookup::new(client.clone());
    let (all, now) = (published(SHOP), Timestamp::now());
    assert_eq!(lookup.consumers(&namespace, &all, now).await, Consumers::Known(Vec::new()));
    make_pod(&client, &namespace, "web", &["shop-keys"]).await;
    let almost = now + MINUTE - SignedDuration::from_secs(1);
    assert_eq!(lookup.consumers(&namespace, &all, almost).await, Consumers::Known(Vec::new()));
    assert_eq!(names(&lookup.consumers(&namespace, &all, now + MINUTE).await), ["Pod web"]);
    make_pod(&client, &namespace, "api", &["shop-keys"]).await;
    assert_eq!(names(&lookup.consumers(&namespace, &all, now + MINUTE).await), ["Pod web"]);
    // What a clock that was set back kept would be young for long.
    assert_eq!(names(&lookup.consumers(&namespace, &all, now - MINUTE).await), ["Pod api", "Pod web"]);
}

#[tokio::test]
async fn all_caches_of_a_namespace_are_told_by_one_list() {
    const AGENT: &str = "asks-for-consumers";
    let (client, namespace) = namespace("shared").await;
    make_pod(&client, &namespace, "web", &["shop-7-keys", "shop-42-redis"]).await;
    let (lookup, now) = (ConsumerLookup::new(api_server().client(AGENT).await), Timestamp::now());
    let names_of =
        async |cache: usize| names(&lookup.consumers(&namespace, &published(&format!("{SHOP}-{cache}")), now).await);
    let found = futures::future::join_all((0..100).map(names_of)).await;
    let using: Vec<usize> = (0..100).filter(|cache| found[*cache] == ["Pod web"]).collect();
    assert_eq!(using, [7, 42], "each is told of its own only");
    let asked = async || {
        let asked = api_server().audit_log().next_by(&mut Mark::default(), AGENT).len();
        if asked > 0 { Ok(asked) } else { Err("nothing is recorded yet".to_owned()) }
    };
    assert_eq!(eventually("what was asked is recorded", asked).await, 1);
}

#[tokio::test]
async fn a_look_that_is_older_than_what_is_asked_about_is_made_again() {
    let (client, namespace) = namespace("since").await;
    let lookup = ConsumerLookup::new(client.clone());
    let (all, now, second) = (published(SHOP), Timestamp::now(), SignedDuration::from_secs(1));
    assert_eq!(lookup.processes(&namespace, &all, now, now).await, Processes::Known(Vec::new()));
    make_pod(&client, &namespace, "web", &["shop-keys"]).await;
    assert_eq!(lookup.processes(&namespace, &all, now, now + second * 2).await, Processes::Known(Vec::new()));
    let found = lookup.processes(&namespace, &all, now + second, now + second * 2).await;
    let Processes::Known(found) = found else { panic!("nothing is known") };
    assert_eq!(found.iter().map(|process| process.pod.as_str()).collect::<Vec<_>>(), ["web"]);
}

#[tokio::test]
async fn more_pods_than_come_at_once_are_all_looked_at() {
    let (client, namespace) = namespace("pages").await;
    let make = |index: usize| {
        let (client, namespace) = (client.clone(), namespace.clone());
        async move {
            let name = format!("pod-{index:03}");
            make_pod(&client, &namespace, &name, &["shop-keys"]).await;
        }
    };
    futures::StreamExt::for_each_concurrent(futures::stream::iter(0..PODS), 20, make).await;
    let lookup = ConsumerLookup::new(client);
    let found = lookup.consumers(&namespace, &published(SHOP), Timestamp::now()).await;
    assert_eq!(names(&found).len(), PODS);
}

/// One more than come at once.
const PODS: usize = 501;

#[tokio::test]
async fn without_the_right_to_list_pods_nobody_is_known_and_nothing_fails() {
    let (_client, namespace) = namespace("forbidden").await;
    let lookup = ConsumerLookup::new(api_server().client_as("nobody", USER_AGENT).await);
    let found = lookup.consumers(&namespace, &published(SHOP), Timestamp::now()).await;
    assert_eq!(found, Consumers::Unknown);
}
