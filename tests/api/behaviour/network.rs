//! Who reaches a cache over the network. The pods of these tests have addresses of their own, and nothing enforces a policy.

use std::net::IpAddr;

use kube::ResourceExt;
use kube::api::DynamicObject;
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};

use super::scene::{PERIOD, POD, SHOP, World, condition, operated, warns_of};
use crate::support::eventually::{eventually, never};
use crate::support::operator::OPERATOR_NAMESPACE;
use crate::support::process::own_address;
use crate::support::redis_server::say;

/// A cache without TLS, to which the tests connect from wherever they like.
fn plain(policy: &str) -> Value {
    json!({"redis": {"tls": {"mode": "Disabled"}, "networkPolicy": policy}})
}

async fn policy(world: &World) -> Option<DynamicObject> {
    world.api("NetworkPolicy").get_opt("shop-redis").await.unwrap()
}

async fn is_made(world: &World) -> DynamicObject {
    eventually("the NetworkPolicy is there", async || policy(world).await.ok_or_else(|| "it is not".to_owned())).await
}

async fn choose(world: &World, policy: &str) {
    world.edit("TokenCache", SHOP, json!({"spec": {"redis": {"networkPolicy": policy}}})).await;
}

/// A connection of the user `app` from this address.
async fn connect(world: &World, from: IpAddr) -> TcpStream {
    let password = world.secret("shop-redis").await["password"].clone();
    let server = world.kubelet.pod(POD).address().await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    let mut stream = socket.connect((server, 6379).into()).await.unwrap();
    assert_eq!(say(&mut stream, &format!("AUTH app {password}")).await, "+OK\r\n");
    stream
}

#[tokio::test]
async fn a_new_cache_lets_its_namespace_and_the_operator_in_and_nobody_else() {
    let (world, _operator) = operated("network").await;
    world.create(SHOP, json!({})).await;
    world.ready(SHOP).await;
    let made = is_made(&world).await;
    let rule = &made.data["spec"]["ingress"][0];
    assert_eq!(rule["from"][0], json!({"podSelector": {}}));
    assert_eq!(rule["from"][1]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"], OPERATOR_NAMESPACE);
    assert_eq!(rule["ports"], json!([{"protocol": "TCP", "port": 6380}]));
    let pod = world.get("Pod", POD).await;
    for (label, value) in made.data["spec"]["podSelector"]["matchLabels"].as_object().unwrap() {
        assert_eq!(pod["metadata"]["labels"][label], *value, "it selects the server");
    }
    let message = world.condition(SHOP, "NetworkRestricted", "True", "Restricted").await;
    assert!(message.contains(&world.namespace) && message.contains(OPERATOR_NAMESPACE), "{message}");

    let uid = made.uid();
    world.delete("NetworkPolicy", "shop-redis").await;
    eventually("it is made again", async || {
        let now = policy(&world).await.and_then(|policy| policy.uid());
        if now.is_some() && now != uid { Ok(()) } else { Err(format!("{now:?}")) }
    })
    .await;
}

#[tokio::test]
async fn a_policy_that_is_not_asked_for_any_more_goes_and_comes_back_without_a_restart() {
    let (world, _operator) = operated("network-none").await;
    world.create(SHOP, plain("Auto")).await;
    world.ready(SHOP).await;
    is_made(&world).await;
    let pod = world.uid("Pod", POD).await;
    choose(&world, "None").await;
    eventually("it is gone", async || match policy(&world).await {
        None => Ok(()),
        Some(policy) => Err(policy.name_any()),
    })
    .await;
    world.status(SHOP, "nothing is said of it", |status| condition(status, "NetworkRestricted").is_null()).await;
    choose(&world, "Namespace").await;
    is_made(&world).await;
    assert_eq!(world.uid("Pod", POD).await, pod);
}

#[tokio::test]
async fn a_cache_that_was_there_gets_none_while_somebody_is_connected_from_outside() {
    let (world, _operator) = operated("network-outside").await;
    world.create(SHOP, plain("None")).await;
    world.ready(SHOP).await;
    let home = own_address(6379);
    let outside = connect(&world, home).await;
    let _inside = connect(&world, world.kubelet.pod(POD).address().await).await;
    choose(&world, "Auto").await;
    let message = world.condition(SHOP, "NetworkRestricted", "False", "ConnectionFromOutside").await;
    assert!(message.contains(&home.to_string()), "{message}");
    let remedies = world.remedies(SHOP, "NetworkRestricted").await;
    assert!(remedies.contains("networkPolicy: Namespace") && remedies.contains("kind: NetworkPolicy"), "{remedies}");
    assert!(warns_of(&world.ready(SHOP).await, "NetworkRestricted"));
    assert_eq!(world.event(SHOP, "ConnectionFromOutside").await, message);
    never(PERIOD * 2, "there is no policy", async || policy(&world).await.map(|policy| policy.name_any())).await;

    drop(outside);
    is_made(&world).await;
    world.condition(SHOP, "NetworkRestricted", "True", "Restricted").await;
    let _again = connect(&world, home).await;
    never(PERIOD * 2, "one that is there stays", async || {
        policy(&world).await.is_none().then(|| "it is gone".to_owned())
    })
    .await;
}

#[tokio::test]
async fn the_field_cuts_off_by_name_who_is_connected_from_outside() {
    let (world, _operator) = operated("network-named").await;
    world.create(SHOP, plain("None")).await;
    world.ready(SHOP).await;
    let _outside = connect(&world, own_address(6379)).await;
    choose(&world, "Namespace").await;
    is_made(&world).await;
    world.condition(SHOP, "NetworkRestricted", "True", "Restricted").await;
}

#[tokio::test]
async fn a_policy_of_somebody_elses_of_that_name_keeps_no_cache_from_its_work() {
    let (world, _operator) = operated("network-taken").await;
    let theirs = json!({"metadata": {"name": "shop-redis"}, "spec": {"podSelector": {}, "policyTypes": ["Ingress"]}});
    let version = world.make("NetworkPolicy", theirs).await.unwrap().resource_version();
    world.create(SHOP, json!({})).await;
    world.ready(SHOP).await;
    let message = world.condition(SHOP, "NetworkRestricted", "False", "NetworkPolicyNameTaken").await;
    assert!(message.contains("NetworkPolicy shop-redis"), "{message}");
    assert_eq!(policy(&world).await.unwrap().resource_version(), version, "it is left as it is");
}
