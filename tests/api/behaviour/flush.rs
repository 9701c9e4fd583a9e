//! Stored entries that are removed on request, and a key that is revoked on request.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokencache_operator::data_protection::{
    key::{
        id::KeyId,
        read::{self, Element},
    },
    payload::{MAGIC, Purposes},
    ring::open::KeyRing,
};

use super::scene::{SHOP, World, condition, operated, operator_of, shop};
use crate::support::eventually::eventually;
use crate::support::kubelet::Fault;
use crate::support::stored::{files, stored};
use crate::survival::world::POD;

const PLAIN: &str = r#"{"AccessToken":{}}"#;

impl World {
    /// Annotates the cache with a request of this time, and what follows it.
    pub async fn request(&self, annotation: &str, time: Timestamp, words: &str) {
        let value = format!("{time} {words}");
        let annotation = format!("tokencache.dev/{annotation}-requested");
        self.edit("TokenCache", SHOP, json!({"metadata": {"annotations": {annotation: value}}})).await;
    }

    /// Waits until the request of this kind has this stage, and returns what is said of it.
    pub async fn outcome(&self, of: &str, stage: &str) -> Value {
        let entry = |seen: &Value| {
            let operations = seen["operations"].as_array().cloned().unwrap_or_default();
            operations.into_iter().find(|operation| operation["type"] == of).unwrap_or_default()
        };
        let wanted = |seen: &Value| entry(seen)["stage"] == stage;
        entry(&self.status(SHOP, &format!("{of} is {stage}"), wanted).await)
    }

    /// Stores an entry as an application does.
    pub async fn store(&self, name: &str, payload: &[u8]) {
        // A command line takes no bytes as they are.
        let bytes: String = payload.iter().flat_map(|byte| ["\\x".to_owned(), hex::encode([*byte])]).collect();
        let data = ["\"", &bytes, "\""].concat();
        let words = ["--quoted-input", "HMSET", name, "absexp", "-1", "sldexp", "-1", "data", &data];
        assert_eq!(self.app(SHOP, &words).await, "OK");
        assert_eq!(self.app(SHOP, &["EXPIRE", name, "3600"]).await, "1");
    }

    /// Whether there is an entry of this name.
    pub async fn has_entry(&self, name: &str) -> bool {
        !self.app(SHOP, &["HMGET", name, "data"]).await.trim().is_empty()
    }

    /// The keys that are published, as applications open them.
    pub async fn key_ring(&self) -> KeyRing {
        let (mut keys, mut revocations) = (Vec::new(), Vec::new());
        for text in self.secret("shop-keys").await.into_values() {
            match read::read(text.as_bytes()).unwrap() {
                Element::Key(key) => keys.push(*key),
                Element::Revocation(revocation) => revocations.push(revocation),
            }
        }
        KeyRing::open(&keys, &revocations, &[], &KeyRing::default())
    }

    /// What an application whose content root is `/app` stores when it encrypts with the active key. With that key.
    pub async fn encrypted(&self) -> (KeyId, Vec<u8>) {
        let ring = self.key_ring().await;
        let id = ring.dates().active(Timestamp::now()).unwrap().id;
        let purposes = Purposes::token_cache("/app");
        (id, ring.protector(id).unwrap().protect(&purposes, PLAIN.as_bytes(), &[7; 32]).unwrap())
    }
}

/// The key that MSAL gives to the tokens of an account.
fn account(number: u32) -> String {
    format!("22222222-0000-0000-0000-{number:012}.aaaaaaaa-0000-0000-0000-00000000000a")
}

/// What nobody has the key of.
fn undecryptable() -> Vec<u8> {
    [&MAGIC[..], &[9; 96]].concat()
}

#[tokio::test]
async fn only_unreadable_entries_are_removed_where_that_is_asked_for() {
    let (world, _operator) = shop("flush").await;
    let (_, readable) = world.encrypted().await;
    let lost = format!("shop:{}", account(1));
    world.store("shop:plain", PLAIN.as_bytes()).await;
    world.store("shop:readable", &readable).await;
    world.store(&lost, &undecryptable()).await;
    world.request("flush", Timestamp::now(), "unreadable").await;
    let told = world.outcome("Flush", "Completed").await;
    assert_eq!((&told["entries"], &told["affected"], &told["removed"]), (&json!(3), &json!(1), &json!(1)), "{told}");
    let message = told["message"].as_str().unwrap();
    assert!(message.contains("removed 1 of 3 entries under \"shop:\""), "{message}");
    assert!(message.contains("restart the workloads that use Secret shop-redis"), "{message}");
    assert!(!world.has_entry(&lost).await);
    assert!(world.has_entry("shop:plain").await && world.has_entry("shop:readable").await);
    world.event(SHOP, "EntriesRemoved").await;
    world.quiet().await;
    assert_eq!(world.outcome("Flush", "Completed").await, told);
}

/// The name of its applications is not known either: neither they nor what their key reads is lost.
#[tokio::test]
async fn entries_of_a_ring_that_is_to_be_taken_over_outlast_a_flush_that_was_asked_for_too_early() {
    let (world, _operator) = shop("flush-import").await;
    let spec = json!({"import": {"secretName": "old-ring"}, "applicationName": "wrong"});
    world.edit("TokenCache", SHOP, json!({"spec": {"dataProtection": spec}})).await;
    world.condition(SHOP, "KeyRingReady", "False", "ImportMissing").await;
    let mut entries: Vec<String> = Vec::new();
    for entry in stored().into_iter().filter(|entry| entry.is_of("fx-encB:")) {
        let key = format!("shop:{}", entry.key.rsplit(':').next().unwrap());
        world.store(&key, &entry.data()).await;
        entries.push(key);
    }
    world.store("shop:products", br#"[{"sku":"a1","price":9}]"#).await;
    world.request("flush", Timestamp::now(), "unreadable").await;
    let told = world.outcome("Flush", "Waiting").await["message"].as_str().unwrap().to_owned();
    assert!(told.contains("Secret old-ring, which spec.dataProtection.import names"), "{told}");
    world.provide_ring(files("ring").into_iter().collect::<BTreeMap<_, _>>()).await;
    let told = world.outcome("Flush", "Completed").await;
    assert_eq!((&told["entries"], &told["removed"]), (&json!(4), &json!(0)), "{told}");
    let message = told["message"].as_str().unwrap();
    assert!(message.contains("3 under an unknown application name"), "{message}");
    for key in entries.iter().map(String::as_str).chain(["shop:products"]) {
        assert!(world.has_entry(key).await, "{key}");
    }
}

#[tokio::test]
async fn every_entry_is_removed_where_that_is_asked_for_and_a_request_of_long_ago_removes_none() {
    let (world, _operator) = shop("flush-all").await;
    world.store("shop:plain", PLAIN.as_bytes()).await;
    world.request("flush", Timestamp::now() - SignedDuration::from_hours(2), "all").await;
    let told = world.outcome("Flush", "Ignored").await["message"].as_str().unwrap().to_owned();
    assert!(told.contains("older than the TokenCache"), "{told}");
    world.quiet().await;
    assert!(world.has_entry("shop:plain").await);
    world.request("flush", Timestamp::now(), "everything").await;
    world
        .status(SHOP, "the word is refused", |seen| seen.to_string().contains("not all, unreadable or encrypted"))
        .await;
    world.request("flush", Timestamp::now() + SignedDuration::from_secs(1), "all").await;
    assert_eq!(world.outcome("Flush", "Completed").await["removed"], 1);
    assert!(!world.has_entry("shop:plain").await);
}

#[tokio::test]
async fn a_flush_goes_on_with_another_operator() {
    let (world, operator) = operated("flush-crash").await;
    world.create(SHOP, json!({"redis": {"acl": "Compatible"}})).await;
    world.ready(SHOP).await;
    let script =
        "for i = 1, 20000 do redis.call('HSET', KEYS[1] .. i .. '_AppTokenCache', 'data', '{odd') end return 'OK'";
    assert_eq!(world.app(SHOP, &["EVAL", script, "1", "shop:"]).await, "OK");
    world.request("flush", Timestamp::now(), "unreadable").await;
    world.status(SHOP, "it is begun", |seen| seen["operations"].to_string().contains("Flush")).await;
    operator.kill().await;
    let _heir = operator_of(&world).await;
    world.outcome("Flush", "Completed").await;
    for number in [1, 20000] {
        assert!(!world.has_entry(&format!("shop:{number}_AppTokenCache")).await);
    }
}

#[tokio::test]
async fn a_revoked_key_is_followed_by_another_and_what_it_encrypted_is_counted_and_removed() {
    let (world, _operator) = shop("revoke").await;
    let (id, readable) = world.encrypted().await;
    world.store("shop:readable", &readable).await;
    world.store("shop:plain", PLAIN.as_bytes()).await;
    world.request("revoke-key", Timestamp::now(), &format!("{} remove", id.short())).await;
    let told = world.outcome("RevokeKey", "Completed").await;
    assert_eq!((&told["entries"], &told["affected"], &told["removed"]), (&json!(2), &json!(1), &json!(1)), "{told}");
    assert!(!world.has_entry("shop:readable").await && world.has_entry("shop:plain").await);
    let (next, _) = world.encrypted().await;
    assert_ne!(next, id);
    assert!(world.secret("shop-keys").await.contains_key(&format!("revocation-{id}.xml")));
    let status = world.ready(SHOP).await;
    assert_eq!(condition(&status, "KeyRingReady")["status"], "True", "{status}");
    let keys = status["keyRing"]["keys"].as_array().unwrap();
    let known: Vec<_> = keys.iter().map(|key| (key["id"].clone(), key["state"].clone())).collect();
    assert!(known.contains(&(json!(id.to_string()), json!("Revoked"))), "{known:?}");
    assert!(known.contains(&(json!(next.to_string()), json!("Active"))), "{known:?}");
    world.event(SHOP, "KeyRevoked").await;
    eventually("the numbers are said before the revocation", async || {
        let mut notes = world.events(SHOP).await.into_iter().filter_map(|event| event.note);
        notes.any(|note| note.contains("removed")).then_some(()).ok_or_else(|| "no such event".to_owned())
    })
    .await;
}

#[tokio::test]
async fn what_a_process_stores_that_has_not_read_the_revocation_is_removed_when_it_is_gone() {
    let (world, operator) = shop("overtaken").await;
    let (id, payload) = world.encrypted().await;
    world.store("shop:first", &payload).await;
    let volume = json!([{"name": "keys", "secret": {"secretName": "shop-keys"}}]);
    let mount = json!({"volumeMounts": [{"name": "keys", "mountPath": "/keys"}]});
    world.application("web", mount, &volume).await;
    world.request("revoke-key", Timestamp::now(), &format!("{} remove", id.short())).await;
    let told = world.outcome("RevokeKey", "AwaitingRestart").await;
    assert_eq!(told["removed"], 1, "{told}");
    assert!(told["message"].as_str().unwrap().contains("are waited for: Pod web"), "{told}");
    world.event(SHOP, "AwaitingRestart").await;
    assert!(!world.has_entry("shop:first").await, "what there is goes at once");
    // It goes on with the key, and another operator comes.
    world.store("shop:second", &payload).await;
    operator.kill().await;
    let _heir = operator_of(&world).await;
    world.ready(SHOP).await;
    world.delete("Pod", "web").await;
    let told = world.outcome("RevokeKey", "Completed").await;
    assert_eq!(told["removed"], 2, "{told}");
    assert!(!world.has_entry("shop:second").await);
}

#[tokio::test]
async fn all_keys_are_revoked_where_a_whole_ring_leaked() {
    let (world, _operator) = shop("leaked").await;
    let (first, readable) = world.encrypted().await;
    world.store("shop:readable", &readable).await;
    world.store("shop:plain", PLAIN.as_bytes()).await;
    world.request("rotate-key", Timestamp::now(), "").await;
    world.outcome("RotateKey", "Completed").await;
    let (second, _) = world.encrypted().await;
    world.request("revoke-key", Timestamp::now(), "all remove").await;
    let told = world.outcome("RevokeKey", "Completed").await;
    assert_eq!((&told["entries"], &told["affected"], &told["removed"]), (&json!(2), &json!(1), &json!(1)), "{told}");
    let ring = world.key_ring().await.dates();
    let revoked: Vec<_> = ring.members().iter().filter(|member| member.is_revoked).map(|member| member.id).collect();
    assert!(ring.members().len() == 3 && revoked.len() == 2 && revoked.contains(&first) && revoked.contains(&second));
    assert!(!revoked.contains(&world.encrypted().await.0));
    assert!(!world.has_entry("shop:readable").await && world.has_entry("shop:plain").await);
    world.quiet().await;
}

#[tokio::test]
async fn a_key_is_revoked_also_where_redis_cannot_be_asked() {
    let (world, operator) = shop("revoke-blind").await;
    let (id, _) = world.encrypted().await;
    operator.kill().await;
    world.edit("StatefulSet", "shop-redis", json!({"spec": {"replicas": 0}})).await;
    eventually("the server is gone", async || match world.uid("Pod", POD).await {
        None => Ok(()),
        Some(_) => Err("it is there".to_owned()),
    })
    .await;
    world.kubelet.pod(POD).inject(Fault::Unschedulable);
    let _heir = operator_of(&world).await;
    world.request("revoke-key", Timestamp::now(), &id.to_string()).await;
    let told = world.outcome("RevokeKey", "Completed").await;
    assert_eq!(told["affected"], Value::Null, "{told}");
    assert_ne!(world.encrypted().await.0, id);
}
