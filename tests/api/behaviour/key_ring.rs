//! The key ring of ASP.NET Core Data Protection: made, published, kept, and what is said of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::api::{DeleteParams, PropagationPolicy};
use serde_json::{Value, json};
use tokencache_operator::data_protection::{
    key::{
        date::Date,
        read::{self, Element},
    },
    ring::directory::Directory,
};

use super::scene::{PERIOD, SHOP, World, condition, has_been, operated, shop};
use crate::support::api_server::api_server;
use crate::support::eventually::{eventually, never};

/// The Secret that applications mount.
const RING: &str = "shop-keys";

impl World {
    /// Waits until the ring has this many keys, as the status tells them, each in a Secret of its own and published; and
    /// returns the files.
    pub async fn ring(&self, count: usize) -> BTreeMap<String, String> {
        let wanted = |status: &Value| {
            let reason = &condition(status, "KeyRingReady")["reason"];
            let keys = status["keyRing"]["keys"].as_array().map(Vec::len);
            keys == Some(count) && (reason == "Published" || reason == "Adopted")
        };
        self.status(SHOP, &format!("{count} keys are told"), wanted).await;
        let ring = self.secret(RING).await;
        assert_eq!(ring, self.keys().await.into_values().flatten().collect());
        assert_eq!(ring.len(), count);
        ring
    }

    /// Asks for another key, with this value of the annotation.
    pub async fn ask_for_key(&self, value: &str) {
        let annotations = json!({"tokencache.dev/rotate-key-requested": value});
        self.edit("TokenCache", SHOP, json!({"metadata": {"annotations": annotations}})).await;
    }

    /// Waits until the request for a key has this stage and says this, and returns it.
    pub async fn key_operation(&self, stage: &str, words: &str) -> Value {
        let of_key = |seen: &Value| {
            let operations = seen["operations"].as_array().cloned().unwrap_or_default();
            operations.into_iter().find(|operation| operation["type"] == "RotateKey").unwrap_or_default()
        };
        let wanted = |seen: &Value| {
            let operation = of_key(seen);
            operation["stage"] == stage && operation["message"].as_str().is_some_and(|message| message.contains(words))
        };
        of_key(&self.status(SHOP, &format!("the request for a key is {stage} and says {words:?}"), wanted).await)
    }

    /// Waits until the published ring is this again.
    async fn ring_is(&self, wanted: &BTreeMap<String, String>) {
        eventually("the ring is published again", async || {
            if self.uid("Secret", RING).await.is_none() {
                return Err("there is none".to_owned());
            }
            let now = self.secret(RING).await;
            if now == *wanted { Ok(()) } else { Err(format!("{:?}", now.keys())) }
        })
        .await;
    }
}

fn paused(yes: bool) -> Value {
    let value = yes.then_some("paused");
    json!({"metadata": {"annotations": {"tokencache.dev/reconcile": value}}})
}

#[tokio::test]
async fn the_first_key_is_made_at_once_and_published_and_told() {
    let (world, _operator) = shop("first-key").await;
    let ring = world.ring(1).await;
    let files = ring.iter().map(|(name, text)| (name.as_str(), text.as_bytes()));
    let read = Directory::read(files, &[]).unwrap();
    assert!(read.report(Timestamp::now()).last().unwrap().contains("encrypts with"), "{:?}", read.passed_over);
    let (name, text) = ring.iter().next().unwrap();
    let Ok(Element::Key(key)) = read::read(text.as_bytes()) else { panic!("{name} is no key") };
    let secret = world.get("Secret", &format!("shop-key-{}", key.id)).await;
    assert_eq!((&secret["immutable"], &secret["metadata"]["ownerReferences"]), (&json!(true), &Value::Null));
    let looked = |seen: &Value| seen["keyRing"]["keys"][0]["inUse"].is_boolean();
    let status = world.status(SHOP, "what is stored was looked at", looked).await;
    let told = |date: Date| json!(date.to_string());
    assert_eq!(
        status["keyRing"]["keys"],
        json!([{
            "id": key.id.to_string(), "state": "Active", "created": secret["metadata"]["creationTimestamp"],
            "creationDate": told(key.created), "activates": told(key.activates), "expires": told(key.expires), "inUse": false,
        }])
    );
    assert_eq!(status["keyRing"]["active"], key.id.short());
    let message = condition(&status, "KeyRingReady")["message"].as_str().unwrap();
    assert!(
        message.starts_with(&format!("key {} encrypts; the next key is published at ", key.id.short())),
        "{message}"
    );
    let table = api_server().kubectl(&["get", "tcache", "--namespace", &world.namespace]).await;
    assert!(table.contains(&key.id.short()), "{table}");
    world.event(SHOP, "KeyMinted").await;
    world.quiet().await;
}

#[tokio::test]
async fn a_ring_that_is_edited_or_deleted_is_published_again_and_what_does_not_belong_into_it_is_told() {
    let (world, _operator) = shop("edited-ring").await;
    let ring = world.ring(1).await;
    let file = ring.keys().next().unwrap().clone();
    world.delete("Secret", RING).await;
    world.ring_is(&ring).await;
    world.edit("Secret", RING, json!({"data": {&file: null}})).await;
    world.ring_is(&ring).await;
    world.edit("Secret", RING, json!({"stringData": {&file: "<key"}})).await;
    world.ring_is(&ring).await;
    let strays = json!({"stringData": {"broken.xml": "<oops", "notes.txt": "mine"}});
    world.edit("Secret", RING, strays).await;
    world.ring_is(&ring).await;
    eventually("what was removed is told", async || {
        let notes: Vec<_> = world.events(SHOP).await.into_iter().filter_map(|event| event.note).collect();
        let all = notes.join("\n");
        if all.contains("broken.xml (it is no XML that ASP.NET Core reads")
            && all.contains("notes.txt")
            && all.contains("edited")
        {
            Ok(())
        } else {
            Err(all)
        }
    })
    .await;
    assert_eq!(world.ring(1).await, ring);
    world.quiet().await;
}

#[tokio::test]
async fn a_key_that_was_put_into_the_ring_under_another_name_is_never_there_twice_and_stays() {
    let (world, _operator) = shop("renamed").await;
    let ring = world.ring(1).await;
    let (name, text) = ring.iter().next().unwrap();
    // Another key, from the text of this one.
    let other = text.replace(&name[4..40], "80732141-ec8f-4b80-af9c-c4d2d1ff8901");
    world.edit("Secret", RING, json!({"stringData": {"somewhere.xml": other}})).await;
    let ring = world.ring(2).await;
    assert_eq!(ring["key-80732141-ec8f-4b80-af9c-c4d2d1ff8901.xml"], other);
}

#[tokio::test]
async fn a_secret_of_a_key_that_is_deleted_comes_back_from_what_is_published() {
    let (world, _operator) = shop("lost-key").await;
    let ring = world.ring(1).await;
    let keys = world.keys().await;
    let name = keys.keys().next().unwrap();
    let before = world.uid("Secret", name).await;
    world.delete("Secret", name).await;
    eventually("it is there again", async || {
        let now = world.uid("Secret", name).await;
        if now.is_some() && now != before { Ok(()) } else { Err(format!("{now:?}")) }
    })
    .await;
    assert_eq!(world.ring(1).await, ring);
    assert_eq!(world.keys().await, keys);
    world.quiet().await;
}

#[tokio::test]
async fn keys_outlive_the_cache_and_one_of_the_same_name_adopts_them() {
    let (world, _operator) = shop("adopted").await;
    let ring = world.ring(1).await;
    let keys = world.keys().await;
    let params = DeleteParams { propagation_policy: Some(PropagationPolicy::Foreground), ..DeleteParams::default() };
    world.api("TokenCache").delete(SHOP, &params).await.unwrap();
    eventually("what the cache owned is collected", async || {
        let names = world.names().await;
        let kept = keys.keys().map(|name| format!("Secret {name}")).collect::<Vec<_>>();
        if names == kept && world.uid("TokenCache", SHOP).await.is_none() { Ok(()) } else { Err(format!("{names:?}")) }
    })
    .await;
    // So that the time of the new one, in whole seconds, is a later one.
    let second = Timestamp::now().as_second();
    eventually("a second is over", async || {
        if Timestamp::now().as_second() > second { Ok(()) } else { Err("not yet".to_owned()) }
    })
    .await;
    world.create(SHOP, json!({})).await;
    world.ready(SHOP).await;
    assert_eq!(world.ring(1).await, ring);
    assert_eq!(world.keys().await, keys);
    world.condition(SHOP, "KeyRingReady", "True", "Adopted").await;
    let note = world.event(SHOP, "Adopted").await;
    assert!(note.contains("1 of 1 keys are of an earlier TokenCache of this name"), "{note}");
    world.quiet().await;
}

#[tokio::test]
async fn another_key_is_made_on_request_encrypts_at_once_and_the_earlier_one_stays() {
    let (world, _operator) = shop("rotate-key").await;
    let before = world.ring(1).await;
    let requested = Timestamp::now().to_string();
    world.ask_for_key(&requested).await;
    let operation = world.key_operation("Completed", "every server has read it").await;
    let table = api_server().kubectl(&["get", "tcache", "-o", "wide", "--namespace", &world.namespace]).await;
    assert!(table.contains("OPERATION") && table.contains("RotateKey Completed"), "{table}");
    let ring = world.ring(2).await;
    assert!(before.iter().all(|(name, text)| ring.get(name) == Some(text)));
    let status = world.get("TokenCache", SHOP).await["status"].clone();
    let good_for: Vec<_> =
        status["keyRing"]["keys"].as_array().unwrap().iter().map(|key| key["state"].clone()).collect();
    assert_eq!(good_for, ["Superseded", "Active"]);
    let active = status["keyRing"]["active"].as_str().unwrap();
    assert!(operation["message"].as_str().unwrap().starts_with(&format!("key {active} encrypts")), "{operation}");
    assert!(before.keys().all(|name| !name.contains(active)));
    world.event(SHOP, "KeyRotated").await;
    world.quiet().await;
    // The same request again, and those that are none, make no other.
    world.ask_for_key(&format!("{requested} again")).await;
    for (value, why) in [
        ("2020-01-01T00:00:00Z", "a later request was carried out already"),
        ("2999-01-01T00:00:00Z", "in the future"),
        ("now", "does not begin with a time"),
    ] {
        world.ask_for_key(value).await;
        world.key_operation("Ignored", why).await;
    }
    assert_eq!(world.ring(2).await, ring);
}

#[tokio::test]
async fn another_key_is_complete_when_the_pods_are_gone_that_have_read_the_ring_before() {
    let (world, _operator) = shop("rotate-key-pods").await;
    let volume = json!([{"name": "keys", "secret": {"secretName": RING}}]);
    world.application("web", json!({"volumeMounts": [{"name": "keys", "mountPath": "/keys"}]}), &volume).await;
    world.ask_for_key(&Timestamp::now().to_string()).await;
    let operation = world.key_operation("Published", "until they reload the ring").await;
    assert!(operation["message"].as_str().unwrap().contains("Pod web"), "{operation}");
    let [published, until] = ["published", "endsAt"].map(|field| operation[field].as_str().unwrap().to_owned());
    assert!(published < until, "{operation}");
    let note = world.event(SHOP, "KeyRotated").await;
    assert_eq!(note, operation["message"].as_str().unwrap());
    let table = api_server().kubectl(&["get", "tcache", "-o", "wide", "--namespace", &world.namespace]).await;
    assert!(table.contains("RotateKey Published"), "{table}");
    world.delete("Pod", "web").await;
    let operation = world.key_operation("Completed", "every server has read it").await;
    assert_eq!(operation["published"], published);
}

#[tokio::test]
async fn a_stranger_under_the_rings_name_is_told_and_no_key_is_made_until_it_is_gone() {
    let (world, _operator) = operated("ring-stranger").await;
    let stranger = json!({"metadata": {"name": RING}, "stringData": {"theirs": "yes"}});
    world.make("Secret", stranger).await.unwrap();
    world.create(SHOP, json!({})).await;
    let message = world.condition(SHOP, "KeyRingReady", "False", "NameTaken").await;
    assert!(message.contains("Secret shop-keys exists already"), "{message}");
    world.condition(SHOP, "RedisAvailable", "True", "Available").await;
    never(2 * PERIOD, "it is left alone, and no key is made", async || {
        let (theirs, keys) = (world.secret(RING).await, world.keys().await);
        (theirs.len() != 1 || !keys.is_empty()).then(|| format!("{:?} {:?}", theirs.keys(), keys.keys()))
    })
    .await;
    world.delete("Secret", RING).await;
    world.ready(SHOP).await;
    world.ring(1).await;
}

#[tokio::test]
async fn while_the_cache_is_paused_the_ring_is_looked_at_only() {
    let (world, _operator) = shop("paused-ring").await;
    let ring = world.ring(1).await;
    world.edit("TokenCache", SHOP, paused(true)).await;
    world.condition(SHOP, "Paused", "True", "Paused").await;
    world.edit("Secret", RING, json!({"stringData": {"notes.txt": "mine"}})).await;
    let message = world.condition(SHOP, "KeyRingReady", "False", "DriftWhilePaused").await;
    assert!(message.contains("notes.txt"), "{message}");
    world.ask_for_key(&Timestamp::now().to_string()).await;
    world.key_operation("Waiting", "says paused").await;
    world.quiet().await;
    assert_eq!(world.secret(RING).await.len(), 2);
    let history = world.watch(SHOP).await;
    world.edit("TokenCache", SHOP, paused(false)).await;
    world.key_operation("Completed", "").await;
    let now = world.ring(2).await;
    assert!(ring.iter().all(|(name, text)| now.get(name) == Some(text)));
    has_been(&history, "KeyRingReady", "True", "DriftCorrected").await;
}

#[tokio::test]
async fn with_mode_none_nothing_is_made_or_told_and_what_there_is_stays() {
    let (world, _operator) = operated("no-ring").await;
    world.create(SHOP, json!({"dataProtection": {"mode": "None"}})).await;
    let status = world.ready(SHOP).await;
    assert_eq!((condition(&status, "KeyRingReady"), &status["keyRing"]), (&Value::Null, &Value::Null));
    assert!(world.keys().await.is_empty() && world.uid("Secret", RING).await.is_none());
    world.ask_for_key(&Timestamp::now().to_string()).await;
    world.key_operation("Ignored", "spec.dataProtection.mode is None").await;
    world.edit("TokenCache", SHOP, json!({"spec": {"dataProtection": {"mode": "Managed"}}})).await;
    let ring = world.ring(1).await;
    world.edit("TokenCache", SHOP, json!({"spec": {"dataProtection": {"mode": "None"}}})).await;
    world.status(SHOP, "nothing is told", |seen| condition(seen, "KeyRingReady").is_null()).await;
    world.quiet().await;
    assert_eq!(world.secret(RING).await, ring);
    assert_eq!(world.keys().await.len(), 1);
}

#[tokio::test]
async fn a_rotation_that_would_leave_applications_without_a_key_is_refused_with_its_field() {
    let world = World::new("key-rules").await;
    for (rotation, words) in [
        (json!({"every": "6d"}), "rotation.every must be a whole number"),
        (json!({"every": "3651d"}), "from 7d to 3650d"),
        (json!({"every": "often"}), "rotation.every must be a whole number"),
        (json!({"publishAhead": "47h"}), "at least 48h"),
        (json!({"publishAhead": ""}), "rotation.publishAhead must be a whole number"),
        (json!({"every": "7d", "publishAhead": "169h"}), "must not be longer than rotation.every"),
    ] {
        let refused = world.try_create(SHOP, json!({"dataProtection": {"rotation": rotation}})).await.unwrap_err();
        assert!(refused.to_string().contains(words), "{refused}");
    }
    world.create(SHOP, json!({"dataProtection": {"rotation": {"every": "7d", "publishAhead": "168h"}}})).await;
}
