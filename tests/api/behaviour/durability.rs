//! What outlasts the server, its pod and the cache, and what is said of it.

use serde_json::{Value, json};

use super::scene::{POD, SHOP, World, condition, has_been, operated, shop, warns_of};
use crate::support::eventually::eventually;
use crate::support::operator::Operator;

const CLAIM: &str = "data-shop-redis-0";

/// A namespace with a cache `shop` that keeps its entries and is ready, and the operator that made it.
async fn kept(prefix: &str) -> (World, Operator) {
    let (world, operator) = operated(prefix).await;
    world.create(SHOP, json!({"redis": {"persistence": {"size": "2Gi"}}})).await;
    world.ready(SHOP).await;
    (world, operator)
}

/// Writes an entry as an application does.
async fn write(world: &World, entry: &str) {
    assert_eq!(world.app(SHOP, &["HMSET", entry, "absexp", "-1", "sldexp", "-1", "data", "x"]).await, "OK");
}

/// Waits until the server has an entry.
async fn has_entry(world: &World, entry: &str) {
    let password = world.secret("shop-redis").await["password"].clone();
    eventually(&format!("{entry} is there"), async || {
        let app = Some(("app", password.as_str()));
        let read = world.kubelet.pod(POD).try_redis_cli(6380, app, &["HMGET", entry, "data"]).await?;
        if read == "x" { Ok(()) } else { Err(format!("{read:?}")) }
    })
    .await;
}

async fn gone(world: &World, kind: &str, name: &str) {
    eventually(&format!("{kind} {name} is gone"), async || match world.uid(kind, name).await {
        None => Ok(()),
        Some(uid) => Err(uid),
    })
    .await;
}

/// Deletes the cache, and waits until everything of it but its claim is gone.
async fn delete(world: &World) {
    world.delete("TokenCache", SHOP).await;
    for (kind, name) in [("TokenCache", SHOP), ("StatefulSet", "shop-redis"), ("Secret", "shop-redis"), ("Pod", POD)] {
        gone(world, kind, name).await;
    }
}

#[tokio::test]
async fn entries_on_a_volume_outlast_the_pod() {
    let (world, _operator) = kept("volume").await;
    let status = world.ready(SHOP).await;
    let durable = condition(&status, "Durable");
    assert_eq!((&durable["status"], &durable["reason"]), (&json!("True"), &json!("Persisted")), "{durable}");
    assert!(!warns_of(&status, "Durable"), "{status}");
    let claim = world.get("PersistentVolumeClaim", CLAIM).await;
    assert_eq!(claim["spec"]["resources"]["requests"]["storage"], "2Gi");
    assert_eq!(claim["metadata"]["ownerReferences"], Value::Null, "nobody takes the claim along");
    write(&world, "shop:a").await;
    world.replace_pod(POD).await;
    has_entry(&world, "shop:a").await;
    world.ready(SHOP).await;
    world.condition(SHOP, "Durable", "True", "Persisted").await;
    world.quiet().await;
}

#[tokio::test]
async fn the_claim_outlasts_the_cache_and_one_of_the_same_name_takes_it_up_again() {
    let (world, _operator) = kept("claim").await;
    write(&world, "shop:a").await;
    let (claim, password) = (world.uid("PersistentVolumeClaim", CLAIM).await, world.passwords().await);
    delete(&world).await;
    assert_eq!(world.uid("PersistentVolumeClaim", CLAIM).await, claim);
    world.create(SHOP, json!({"redis": {"persistence": {"size": "4Gi"}}})).await;
    world.ready(SHOP).await;
    assert_ne!(world.passwords().await, password, "the passwords are new");
    has_entry(&world, "shop:a").await;
    assert_eq!(world.uid("PersistentVolumeClaim", CLAIM).await, claim);
}

#[tokio::test]
async fn a_claim_that_is_to_go_with_the_cache_goes() {
    let (world, _operator) = kept("no-claim").await;
    let pod = world.uid("Pod", POD).await;
    let when_deleted = json!({"spec": {"redis": {"persistence": {"whenDeleted": "Delete"}}}});
    world.edit("TokenCache", SHOP, when_deleted).await;
    eventually("the claim goes with its StatefulSet", async || {
        let owners = world.get("PersistentVolumeClaim", CLAIM).await["metadata"]["ownerReferences"].clone();
        if owners[0]["kind"] == "StatefulSet" { Ok(()) } else { Err(owners.to_string()) }
    })
    .await;
    world.condition_says(SHOP, "Durable", "deletes the claim and every entry").await;
    assert_eq!(world.uid("Pod", POD).await, pod, "no restart");
    delete(&world).await;
    gone(&world, "PersistentVolumeClaim", CLAIM).await;
}

#[tokio::test]
async fn a_cache_in_memory_says_so_and_does_not_warn_of_it() {
    let (world, _operator) = shop("in-memory").await;
    let message = world.condition(SHOP, "Durable", "False", "InMemory").await;
    assert!(message.contains("spec.redis.persistence"), "{message}");
    world.quiet().await;
    assert!(!warns_of(&world.get("TokenCache", SHOP).await["status"], "Durable"));
    let events = world.events(SHOP).await;
    assert!(events.iter().all(|event| event.reason.as_deref() != Some("InMemory")), "{events:?}");
}

#[tokio::test]
async fn a_file_that_was_switched_off_by_hand_is_switched_on_and_told() {
    let (world, _operator) = kept("append").await;
    let history = world.watch(SHOP).await;
    assert_eq!(world.intruder(SHOP, &["CONFIG", "SET", "appendonly", "no"]).await, "OK");
    world.setting(SHOP, "appendonly", "yes").await;
    let note = world.event(SHOP, "DriftCorrected").await;
    assert!(note.starts_with("appendonly was no (want yes) on shop-redis-0; corrected and verified"), "{note}");
    has_been(&history, "Durable", "True", "DriftCorrected").await;
    world.condition(SHOP, "Durable", "True", "Persisted").await;
    world.condition(SHOP, "EvictionPolicyVerified", "True", "Verified").await;
}

#[tokio::test]
async fn a_volume_that_cannot_be_written_to_is_told_in_the_servers_last_words() {
    let (world, _operator) = operated("read-only").await;
    // A file stands where the folder should.
    let volume = world.kubelet.volume(CLAIM);
    std::fs::write(volume.join("appendonlydir"), "").unwrap();
    world.create(SHOP, json!({"redis": {"persistence": {"size": "2Gi"}}})).await;
    world.condition(SHOP, "RedisAvailable", "False", "CrashLoop").await;
    world.condition_says(SHOP, "RedisAvailable", "appendonlydir").await;
    std::fs::remove_file(volume.join("appendonlydir")).unwrap();
    world.ready(SHOP).await;
}

#[tokio::test]
async fn a_volume_that_is_full_is_told_as_a_failure_and_as_a_warning() {
    let (world, _operator) = kept("full").await;
    // Where the next file would be is a device that is always full.
    let next = world.kubelet.volume(CLAIM).join("appendonlydir/appendonly.aof.2.incr.aof");
    std::os::unix::fs::symlink("/dev/full", next).unwrap();
    world.as_anybody(SHOP, &["BGREWRITEAOF"]).await;
    eventually("writes are refused", async || {
        let answer = world.app(SHOP, &["HMSET", "shop:x", "data", "y"]).await;
        if answer.starts_with("MISCONF") { Ok(()) } else { Err(answer) }
    })
    .await;
    let message = world.condition(SHOP, "RedisAvailable", "False", "ReadOnly").await;
    for part in ["No space left on device", "but not reads"] {
        assert!(message.contains(part), "{part:?} is not in {message}");
    }
    assert!(world.remedies(SHOP, "RedisAvailable").await.contains("edit pvc data-shop-redis-0"));
    let status = world.status(SHOP, "the warning counts", |status| warns_of(status, "Durable")).await;
    assert_eq!(condition(&status, "Durable")["reason"], "SaveFailed");
}

#[tokio::test]
async fn a_claim_that_is_there_is_taken_whatever_its_size_and_one_that_is_not_is_not_made_too_small() {
    let (world, _operator) = operated("small").await;
    let small = json!({"redis": {"persistence": {"size": "512Mi"}}});
    world.create(SHOP, small.clone()).await;
    let message = world.condition(SHOP, "SpecValid", "False", "Invalid").await;
    assert!(message.contains("set spec.redis.maxMemory: 170Mi"), "{message}");
    assert!(world.remedies(SHOP, "SpecValid").await.contains("size: 768Mi"));
    world.quiet().await;
    assert_eq!(world.uid("StatefulSet", "shop-redis").await, None);
    world.edit("TokenCache", SHOP, json!({"spec": {"redis": {"maxMemory": "170Mi"}}})).await;
    world.ready(SHOP).await;
    write(&world, "shop:a").await;
    // More than the volume was made for: it is taken, and told.
    world.edit("TokenCache", SHOP, json!({"spec": {"redis": {"maxMemory": "256Mi"}}})).await;
    let message = world.condition(SHOP, "Durable", "False", "VolumeTooSmall").await;
    assert!(message.contains("768Mi"), "{message}");
    assert!(world.remedies(SHOP, "Durable").await.contains("edit pvc data-shop-redis-0"));
    assert!(warns_of(&world.ready(SHOP).await, "Durable"));
    delete(&world).await;
    world.create(SHOP, small).await;
    world.ready(SHOP).await;
    has_entry(&world, "shop:a").await;
    world.condition(SHOP, "Durable", "False", "VolumeTooSmall").await;
    // What the claim has counts, and not what was asked for.
    delete(&world).await;
    world.create(SHOP, json!({"redis": {"persistence": {"size": "2Gi"}}})).await;
    world.ready(SHOP).await;
    let message = world.condition(SHOP, "Durable", "False", "VolumeTooSmall").await;
    assert!(message.starts_with("PersistentVolumeClaim data-shop-redis-0 has 512Mi"), "{message}");
}

/// The API server's words of refusal to a change of the spec.
async fn refused(world: &World, persistence: Value) -> String {
    use kube::api::{Patch, PatchParams};
    let patch = Patch::Merge(json!({"spec": {"redis": {"persistence": persistence}}}));
    match world.api("TokenCache").patch(SHOP, &PatchParams::default(), &patch).await {
        Err(kube::Error::Api(status)) if status.code == 422 => status.message,
        other => panic!("{persistence}: {other:?}"),
    }
}

#[tokio::test]
async fn what_a_stateful_set_cannot_change_is_refused_with_the_way_round_it() {
    let world = World::new("fixed").await;
    let size = json!({"size": "2Gi", "storageClassName": "fast"});
    world.create(SHOP, json!({"redis": {"persistence": size}})).await;
    let said = refused(&world, json!({"size": "4Gi"})).await;
    assert!(
        said.contains("size cannot change") && said.contains("PersistentVolumeClaim data-<name>-redis-0"),
        "{said}"
    );
    for class in [json!("slow"), Value::Null] {
        let said = refused(&world, json!({"storageClassName": class})).await;
        assert!(said.contains("storageClassName cannot change") && said.contains("second TokenCache"), "{said}");
    }
    let said = refused(&world, Value::Null).await;
    assert!(said.contains("neither be added nor removed") && said.contains("second TokenCache"), "{said}");
    // The same size, as it may be written too; and more entries than the volume was made for, which may be larger by now.
    world.edit("TokenCache", SHOP, json!({"spec": {"redis": {"persistence": {"size": "2048Mi"}}}})).await;
    world.edit("TokenCache", SHOP, json!({"spec": {"redis": {"maxMemory": "1Gi"}}})).await;

    world.delete("TokenCache", SHOP).await;
    world.create(SHOP, json!({})).await;
    let said = refused(&world, json!({"size": "2Gi"})).await;
    assert!(said.contains("neither be added nor removed"), "{said}");
}

#[tokio::test]
async fn a_volume_that_cannot_be_is_refused_with_the_field_and_the_remedy() {
    let world = World::new("no-volume").await;
    let cases: [(Value, &[&str]); 5] = [
        (json!({}), &["spec.redis.persistence.size", "Required"]),
        (json!({"size": "lots"}), &["spec.redis.persistence.size", "such as 2Gi"]),
        (json!({"size": "255Mi"}), &["spec.redis.persistence.size", "from 256Mi to 16Ti"]),
        (json!({"size": "2Gi", "storageClassName": "Fast one"}), &["spec.redis.persistence.storageClassName"]),
        (json!({"size": "2Gi", "whenDeleted": "Perhaps"}), &["spec.redis.persistence.whenDeleted", "Retain"]),
    ];
    for (persistence, words) in cases {
        match world.try_create(SHOP, json!({"redis": {"persistence": persistence}})).await {
            Err(kube::Error::Api(status)) => {
                assert!(words.iter().all(|word| status.message.contains(word)), "{persistence}: {}", status.message);
            }
            other => panic!("{persistence}: {other:?}"),
        }
    }
}
