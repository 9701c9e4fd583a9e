//! Whether applications can read what is stored: really decrypted, with the keys that the operator made.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokencache_operator::data_protection::payload::Purposes;

use super::scene::{PERIOD, SHOP, World, condition, operator_of, shop, warns_of};
use crate::support::api_server::api_server;
use crate::support::eventually::{eventually, never};
use crate::support::stored::stored;

const CONDITION: &str = "EntriesReadable";
/// The key that MSAL gives to the tokens of an account.
const ACCOUNT: &str = "22222222-0000-0000-0000-000000000001.aaaaaaaa-0000-0000-0000-00000000000a";
const PLAIN: &[u8] = b"{\"AccessToken\":{}}";

impl World {
    /// Stores an entry as an application of this name does, which has the published key.
    async fn store_encrypted(&self, key: &str, application: &str) {
        let ring = self.key_ring().await;
        let id = ring.dates().active(Timestamp::now()).unwrap().id;
        let purposes = Purposes::token_cache(application);
        self.store(key, &ring.protector(id).unwrap().protect(&purposes, PLAIN, &[7; 32]).unwrap()).await;
    }

    async fn remove(&self, key: &str) {
        assert_eq!(self.app(SHOP, &["UNLINK", key]).await, "1");
    }

    /// Watches that looks at the same entries write nothing.
    async fn nothing_is_written(&self) {
        self.quiet().await;
        let mark = api_server().audit_log().mark();
        never(PERIOD * 2, "looks at the same entries write nothing", async || {
            let seen = self.writes_since(mark);
            (!seen.is_empty()).then(|| format!("{seen:?}"))
        })
        .await;
    }
}

fn key(status: &Value) -> &Value {
    &status["keyRing"]["keys"][0]
}

#[tokio::test]
async fn an_entry_whose_key_is_missing_is_told_with_the_remedy_until_it_is_gone() {
    let (world, _operator) = shop("key-missing").await;
    world.condition(SHOP, CONDITION, "True", "NothingStored").await;
    let lost = stored().into_iter().find(|entry| entry.is_of("fx-encA:")).unwrap();
    world.store(&format!("shop:{ACCOUNT}"), &lost.data()).await;
    let message = world.condition(SHOP, CONDITION, "False", "KeyMissing").await;
    for words in ["key 89c124f1, missing in Secret shop-keys", "IDW10802", "spec.dataProtection.import"] {
        assert!(message.contains(words), "{words:?} is not in {message}");
    }
    let remedies = world.remedies(SHOP, CONDITION).await;
    for words in [
        r#"annotate --overwrite tokencache shop tokencache.dev/flush-requested=\"$(date -u +%FT%TZ) unreadable\""#,
        "restart the workloads that use Secret shop-redis",
    ] {
        assert!(remedies.contains(words), "{words:?} is not in {remedies}");
    }
    assert_eq!(world.event(SHOP, "KeyMissing").await, message);
    let status = world.ready(SHOP).await;
    assert!(warns_of(&status, CONDITION) && key(&status)["inUse"] == false, "{status}");
    world.nothing_is_written().await;
    world.remove(&format!("shop:{ACCOUNT}")).await;
    world.condition(SHOP, CONDITION, "True", "NothingStored").await;
}

#[tokio::test]
async fn what_is_stored_is_compared_with_whether_applications_are_said_to_encrypt() {
    let (world, operator) = shop("encrypt").await;
    world.store("shop:plain", PLAIN).await;
    let message = world.condition(SHOP, CONDITION, "False", "PlainEntries").await;
    assert!(message.contains("TokenCache__Encrypt=true"), "{message}");
    assert!(world.remedies(SHOP, CONDITION).await.contains("spec.entries.encrypt: false"));
    let encrypt =
        async |yes: bool| world.edit("TokenCache", SHOP, json!({"spec": {"entries": {"encrypt": yes}}})).await;
    encrypt(false).await;
    world.condition(SHOP, CONDITION, "True", "AllReadable").await;
    world.store_encrypted("shop:good", "/app").await;
    let message = world.condition(SHOP, CONDITION, "False", "EncryptedEntries").await;
    assert!(message.contains("spec.entries.encrypt: true"), "{message}");
    encrypt(true).await;
    world.condition(SHOP, CONDITION, "False", "PlainEntries").await;
    world.remove("shop:plain").await;
    world.condition(SHOP, CONDITION, "True", "AllReadable").await;
    let is_found = |seen: &Value| seen["keyRing"]["applicationName"] == "/app" && key(seen)["inUse"] == true;
    let before = world.status(SHOP, "the application's name is found, and the key is in use", is_found).await;

    // Another operator has not looked at anything yet, and takes nothing back.
    world.nothing_is_written().await;
    let mark = api_server().audit_log().mark();
    operator.kill().await;
    let operator = operator_of(&world).await;
    operator.synced().await;
    never(PERIOD * 2, "a restart changes nothing that is told", async || {
        let seen = world.writes_since(mark);
        (!seen.is_empty()).then(|| format!("{seen:?}"))
    })
    .await;
    assert_eq!(world.get("TokenCache", SHOP).await["status"], before);
}

#[tokio::test]
async fn entries_under_other_application_names_are_told() {
    let (world, _operator) = shop("names").await;
    world.store_encrypted("shop:one", "/app").await;
    world.condition(SHOP, CONDITION, "True", "AllReadable").await;
    world.store_encrypted("shop:two", "/app/").await;
    let message = world.condition(SHOP, CONDITION, "False", "ApplicationNameMismatch").await;
    assert!(message.contains("application names \"/app\" and \"/app/\""), "{message}");
    world.status(SHOP, "no name is the right one", |seen| seen["keyRing"]["applicationName"].is_null()).await;
    world.remove("shop:two").await;
    world.condition(SHOP, CONDITION, "True", "AllReadable").await;

    let name = async |name: Value| {
        world.edit("TokenCache", SHOP, json!({"spec": {"dataProtection": {"applicationName": name}}})).await;
    };
    name(json!("shop-web")).await;
    let message = world.condition(SHOP, CONDITION, "False", "ApplicationNameMismatch").await;
    assert!(message.contains("spec.dataProtection.applicationName is \"shop-web\""), "{message}");
    world.status(SHOP, "the spec's name is told", |seen| seen["keyRing"]["applicationName"] == "shop-web").await;
    world.remove("shop:one").await;
    world.store_encrypted(&format!("shop:{ACCOUNT}"), "elsewhere").await;
    let message = world.condition(SHOP, CONDITION, "False", "OtherApplication").await;
    assert!(message.contains("\"shop-web\", \"/app\", \"/app/\", \"shop\""), "{message}");
    name(json!("elsewhere")).await;
    world.condition(SHOP, CONDITION, "True", "AllReadable").await;
    name(Value::Null).await;
    let status = world.status(SHOP, "nothing reads it", |seen| condition(seen, CONDITION)["status"] == "False").await;
    assert_eq!(condition(&status, CONDITION)["reason"], "OtherApplication");
    let refused = world.try_create("empty", json!({"dataProtection": {"applicationName": ""}})).await.unwrap_err();
    assert!(refused.to_string().contains("applicationName is empty"), "{refused}");
}

#[tokio::test]
async fn what_was_counted_is_in_metrics_as_long_as_the_cache_is_there() {
    let (world, operator) = shop("metrics").await;
    world.store_encrypted("shop:one", "/app").await;
    world.store_encrypted("shop:two", "/app").await;
    world.store("shop:plain", PLAIN).await;
    let key = world.get("TokenCache", SHOP).await["status"]["keyRing"]["active"].as_str().unwrap().to_owned();
    let labels = format!("namespace=\"{}\",name=\"shop\"", world.namespace);
    let lines = [
        format!("tokencache_entries{{{labels}}} 3"),
        format!("tokencache_entries_sampled{{{labels},class=\"readable\",key=\"{key}\"}} 2"),
        format!("tokencache_entries_sampled{{{labels},class=\"plain\",key=\"\"}} 1"),
    ];
    eventually("every entry is counted", async || {
        let text = operator.metrics().await;
        if lines.iter().all(|line| text.lines().any(|told| told == line)) { Ok(()) } else { Err(text) }
    })
    .await;
    world.delete("TokenCache", SHOP).await;
    eventually("the cache's series are gone with it", async || {
        let text = operator.metrics().await;
        if text.contains("name=\"shop\"") { Err(text) } else { Ok(()) }
    })
    .await;
}

#[tokio::test]
async fn where_entries_are_not_to_be_looked_into_that_is_said_and_what_takes_a_look_is_refused() {
    let (world, operator) = shop("metadata").await;
    let inspect =
        async |what: Value| world.edit("TokenCache", SHOP, json!({"spec": {"entries": {"inspect": what}}})).await;
    let lost = format!("shop:{ACCOUNT}");
    world.store(&lost, &stored().into_iter().find(|entry| entry.is_of("fx-encA:")).unwrap().data()).await;
    world.store("shop:plain", PLAIN).await;
    world.condition(SHOP, CONDITION, "False", "KeyMissing").await;
    inspect(json!("Metadata")).await;
    let message = world.condition(SHOP, CONDITION, "Unknown", "NotInspected").await;
    assert!(message.contains("spec.entries.inspect is Metadata"), "{message}");
    let status = world.ready(SHOP).await;
    assert!(!warns_of(&status, CONDITION) && key(&status)["inUse"].is_null(), "{status}");
    let labels = format!("{{namespace=\"{}\",name=\"shop\"", world.namespace);
    eventually("only the number of entries is told", async || {
        let text = operator.metrics().await;
        let told: Vec<&str> = text.lines().filter(|line| line.contains(&labels)).collect();
        if told == [format!("tokencache_entries{labels}}} 2")] { Ok(()) } else { Err(text) }
    })
    .await;

    let refused = async |annotation: &str, of: &str, words: &str| {
        world.request(annotation, Timestamp::now(), words).await;
        let told = world.outcome(of, "Ignored").await["message"].as_str().unwrap().to_owned();
        assert!(told.contains("spec.entries.inspect is Metadata"), "{told}");
    };
    refused("flush", "Flush", "unreadable").await;
    let active = status["keyRing"]["active"].as_str().unwrap();
    refused("revoke-key", "RevokeKey", &format!("{active} remove")).await;
    assert!(world.has_entry(&lost).await && world.has_entry("shop:plain").await);
    world.nothing_is_written().await;
    world.request("flush", Timestamp::now() + SignedDuration::from_secs(1), "all").await;
    assert_eq!(world.outcome("Flush", "Completed").await["removed"], 2);

    world.store("shop:plain", PLAIN).await;
    inspect(json!("Payloads")).await;
    world.condition(SHOP, CONDITION, "False", "PlainEntries").await;
    // Nobody asked for it where the operator keeps no keys.
    world.edit("TokenCache", SHOP, json!({"spec": {"dataProtection": {"mode": "None"}}})).await;
    world.condition(SHOP, CONDITION, "False", "PlainEntries").await;
    inspect(Value::Null).await;
    world.condition(SHOP, CONDITION, "Unknown", "NotInspected").await;
    let refused = world.try_create("odd", json!({"entries": {"inspect": "Nothing"}})).await.unwrap_err();
    assert!(refused.to_string().contains("inspect"), "{refused}");
}
