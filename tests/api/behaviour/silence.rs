//! No password stands where it should not: in events, logs, objects, arguments or environments.

use std::collections::BTreeMap;

use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, ListParams};
use serde_json::json;
use tokencache_operator::redis::{access::password::Password, server::objects::probe_password};

use super::scene::{POD, SHOP, World, operated};
use crate::support::eventually::eventually;
use crate::support::log::{heard, listen};

/// Every secret there is, with what it is.
async fn secrets(world: &World) -> BTreeMap<String, String> {
    let mut secrets = BTreeMap::new();
    let operator = Password::parse(world.secret("shop-redis-operator").await["password"].as_bytes()).unwrap();
    let app = Password::parse(world.secret("shop-redis").await["password"].as_bytes()).unwrap();
    for (user, password) in [("probe", probe_password(&operator)), ("operator", operator), ("app", app)] {
        secrets.insert(password.sha256().as_hex().to_owned(), format!("the hash of the password of {user}"));
        secrets.insert(password.reveal().to_owned(), format!("the password of {user}"));
    }
    for text in world.keys().await.into_values().flat_map(BTreeMap::into_values) {
        let (_, master) = text.split_once("<value>").unwrap();
        secrets.insert(master.split_once('<').unwrap().0.to_owned(), "the secret of a key".to_owned());
    }
    for name in ["shop-redis-ca", "shop-redis-tls"] {
        let key = world.secret(name).await["tls.key"].clone();
        secrets.insert(key.lines().nth(1).unwrap().to_owned(), format!("the private key in {name}"));
    }
    secrets
}

/// Where the operator and Kubernetes show things to people who may not read Secrets.
async fn shown(world: &World) -> BTreeMap<&'static str, String> {
    let mut shown = BTreeMap::new();
    let events: Api<Event> = Api::namespaced(world.client.clone(), &world.namespace);
    shown.insert("events", serde_json::to_string(&events.list(&ListParams::default()).await.unwrap().items).unwrap());
    for kind in [
        "TokenCache",
        "ServiceAccount",
        "NetworkPolicy",
        "Service",
        "ConfigMap",
        "StatefulSet",
        "ControllerRevision",
        "Pod",
    ] {
        let objects = world.api(kind).list(&ListParams::default()).await.unwrap().items;
        assert!(!objects.is_empty(), "{kind}");
        shown.insert(kind, serde_json::to_string(&objects).unwrap());
    }
    let (_, process) = world.kubelet.pod(POD).incarnation().await;
    let read = |what: &str| {
        let bytes = std::fs::read(format!("/proc/{process}/{what}")).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    assert!(read("cmdline").contains("redis-server"), "{}", read("cmdline"));
    shown.insert("arguments", read("cmdline"));
    shown.insert("environment", read("environ"));
    shown.insert("the pod's log", world.kubelet.logs());
    shown
}

/// What of the operator's doings could show a password: corrections, refusals, changed Secrets, a lost login.
async fn trouble(world: &World) -> Vec<String> {
    let published = world.secret("shop-redis").await["password"].clone();
    world.intruder(SHOP, &["CONFIG", "SET", "maxmemory-policy", "noeviction"]).await;
    world.event(SHOP, "DriftCorrected").await;
    world.condition(SHOP, "EvictionPolicyVerified", "True", "Verified").await;
    world.intruder(SHOP, &["ACL", "SETUSER", "app", "resetpass"]).await;
    eventually("the password is set back", async || world.ping(&published).await).await;

    let foreign = "W".repeat(40);
    world.edit("Secret", "shop-redis", json!({"stringData": {"password": foreign}})).await;
    eventually("it is followed", async || world.ping(&foreign).await).await;
    world.edit("Secret", "shop-redis", json!({"stringData": {"password": "has,a,comma"}})).await;
    world.event(SHOP, "PasswordEditUndone").await;
    world.ready(SHOP).await;

    let before = world.secret("shop-redis-operator").await["password"].clone();
    world.delete("Secret", "shop-redis-operator").await;
    eventually("another login is drawn", async || {
        let now = world.passwords().await[0].clone();
        if now.as_ref().is_some_and(|now| *now != before) { Ok(()) } else { Err("it is not".to_owned()) }
    })
    .await;
    eventually("Redis takes it", async || {
        let now = world.passwords().await[0].clone().unwrap_or_default();
        let pod = world.kubelet.pod(POD);
        let answer = pod.try_redis_cli(6380, Some(("operator", &now)), &["PING"]).await?;
        if answer == "PONG" { Ok(()) } else { Err(answer) }
    })
    .await;
    world.ready(SHOP).await;
    let mut passwords = rotation(world).await;
    passwords.extend([foreign, before, token(world).await]);
    passwords
}

/// An entry that is not encrypted and not as it should be. Returns the token in it.
async fn token(world: &World) -> String {
    let token = "eyJ0b2tlbiI6Im9mIGEgdXNlciJ9";
    let entry = format!("{{\"AccessToken\":{{\"a\":{{\"secret\":\"{token}\"}}}},\"Account\":1}}");
    let key = "shop:22222222-0000-0000-0000-000000000001.aaaaaaaa-0000-0000-0000-00000000000a";
    world.app(SHOP, &["HMSET", key, "absexp", "-1", "sldexp", "-1", "data", &entry]).await;
    world.condition(SHOP, "EntriesReadable", "False", "Undeserializable").await;
    token.to_owned()
}

/// Another password of the applications, with a hand in its Secret. Returns those that were valid on the way.
async fn rotation(world: &World) -> Vec<String> {
    let old = world.secret("shop-redis").await["password"].clone();
    let overlap = |overlap: &str| json!({"spec": {"redis": {"passwordRotation": {"overlap": overlap}}}});
    world.edit("TokenCache", SHOP, overlap("2s")).await;
    world.operation("Completed", "").await;
    // A stage that is waited for must last longer than the pause between two writes of the status.
    world.edit("TokenCache", SHOP, overlap("1h")).await;
    world.ask_for_password().await;
    world.operation("Adding", "").await;
    let next = world.secret("shop-redis-rotation").await;
    world.edit("Secret", "shop-redis-rotation", json!({"stringData": {"password": "a,b"}})).await;
    world.operation("Blocked", "Secret shop-redis-rotation was changed").await;
    world.edit("Secret", "shop-redis-rotation", json!({"stringData": {"password": next["password"]}})).await;
    world.edit("TokenCache", SHOP, overlap("2s")).await;
    world.operation("Completed", "").await;
    let hash = Password::parse(old.as_bytes()).unwrap().sha256().as_hex().to_owned();
    vec![old, hash, next["password"].clone(), next["password"][..20].to_owned()]
}

#[tokio::test]
async fn no_password_and_no_hash_of_one_is_shown_anywhere() {
    listen();
    let (world, operator) = operated("silence").await;
    world.create(SHOP, json!({})).await;
    world.ready(SHOP).await;
    let mut secret = secrets(&world).await;
    let earlier = trouble(&world).await;
    secret.extend(earlier.into_iter().map(|password| (password, "an earlier or a foreign password".to_owned())));
    secret.extend(secrets(&world).await);
    operator.kill().await;
    let log = heard();

    let mut shown = shown(&world).await;
    for line in ["the watches are in step", "pass", "TRACE"] {
        assert!(log.contains(line), "{line:?} is not in what was heard of the operator's log");
    }
    shown.insert("the operator's log", log);
    for (place, text) in shown {
        for (secret, what) in &secret {
            if let Some(found) = text.find(secret.as_str()) {
                let around = text[..found].chars().rev().take(200).collect::<Vec<_>>();
                panic!("{what} stands in {place}, after {}", around.into_iter().rev().collect::<String>());
            }
        }
    }
}

#[tokio::test]
async fn the_users_secret_holds_hashes_of_all_passwords_but_the_probes() {
    let (world, _operator) = operated("hashes").await;
    world.create(SHOP, json!({})).await;
    world.ready(SHOP).await;
    let users = world.secret("shop-redis-users").await;
    assert_eq!(users.keys().collect::<Vec<_>>(), ["probe", "users.acl"]);
    for (secret, what) in secrets(&world).await {
        let wanted = what.starts_with("the hash");
        assert_eq!(users["users.acl"].contains(&secret), wanted, "{what} in the users' file");
    }
}
