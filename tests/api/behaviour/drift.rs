//! Settings that somebody changes on a server by hand.

use futures::future::join_all;
use serde_json::json;

use super::scene::{POD, SHOP, World, condition, has_been, operated, shop, warns_of};
use crate::support::eventually::eventually;

#[tokio::test]
async fn an_eviction_policy_that_was_changed_by_hand_is_undone_and_told() {
    let (world, _operator) = shop("policy").await;
    let history = world.watch(SHOP).await;
    assert_eq!(world.intruder(SHOP, &["CONFIG", "SET", "maxmemory-policy", "noeviction"]).await, "OK");
    world.setting(SHOP, "maxmemory-policy", "volatile-lru").await;
    let note = world.event(SHOP, "DriftCorrected").await;
    let found = "maxmemory-policy was \"noeviction\" (want volatile-lru) on shop-redis-0; corrected and verified";
    assert!(note.starts_with(found) && note.contains("CONFIG SET"), "{note}");
    has_been(&history, "EvictionPolicyVerified", "True", "DriftCorrected").await;
    world.condition(SHOP, "EvictionPolicyVerified", "True", "Verified").await;
    world.ready(SHOP).await;
}

#[tokio::test]
async fn a_memory_limit_that_was_changed_by_hand_is_undone_and_told() {
    let (world, _operator) = shop("memory").await;
    let history = world.watch(SHOP).await;
    assert_eq!(world.intruder(SHOP, &["CONFIG", "SET", "maxmemory", "0"]).await, "OK");
    world.setting(SHOP, "maxmemory", "268435456").await;
    let note = world.event(SHOP, "DriftCorrected").await;
    assert!(note.starts_with("maxmemory was 0 (want 256Mi) on shop-redis-0"), "{note}");
    has_been(&history, "EvictionPolicyVerified", "True", "DriftCorrected").await;
    world.condition(SHOP, "EvictionPolicyVerified", "True", "Verified").await;
}

#[tokio::test]
async fn the_same_drift_twice_is_one_event_that_counts() {
    let (world, _operator) = shop("twice").await;
    for times in [None, Some(2)] {
        assert_eq!(world.intruder(SHOP, &["CONFIG", "SET", "maxmemory-policy", "noeviction"]).await, "OK");
        eventually("the event counts", async || {
            let events = world.events(SHOP).await;
            let drifts: Vec<_> =
                events.iter().filter(|event| event.reason.as_deref() == Some("DriftCorrected")).collect();
            let counts: Vec<_> = drifts.iter().map(|event| event.series.as_ref().map(|series| series.count)).collect();
            if counts == [times] { Ok(()) } else { Err(format!("{counts:?}")) }
        })
        .await;
        world.condition(SHOP, "EvictionPolicyVerified", "True", "Verified").await;
    }
}

#[tokio::test]
async fn several_caches_are_each_set_right_and_each_told_of() {
    let (world, _operator) = operated("several").await;
    let caches = [("one", "noeviction"), ("two", "allkeys-lru"), ("three", "volatile-ttl")];
    join_all(caches.map(async |(name, policy)| {
        world.create(name, json!({})).await;
        world.ready(name).await;
        assert_eq!(world.intruder(name, &["CONFIG", "SET", "maxmemory-policy", policy]).await, "OK");
    }))
    .await;
    join_all(caches.map(async |(name, policy)| {
        world.setting(name, "maxmemory-policy", "volatile-lru").await;
        let note = world.event(name, "DriftCorrected").await;
        assert!(note.contains(policy) && note.contains(&format!("{name}-redis-0")), "{name}: {note}");
        world.ready(name).await;
    }))
    .await;
}

#[tokio::test]
async fn a_password_that_was_changed_on_the_server_is_set_back() {
    let (world, _operator) = shop("app-password").await;
    let history = world.watch(SHOP).await;
    assert_eq!(world.intruder(SHOP, &["ACL", "SETUSER", "app", "resetpass", ">mine"]).await, "OK");
    let published = world.secret("shop-redis").await["password"].clone();
    eventually("the published password is the one", async || world.ping(&published).await).await;
    let answer = world.kubelet.pod(POD).redis_cli(6380, None, &["AUTH", "app", "mine"]).await;
    assert!(answer.starts_with("WRONGPASS"), "{answer}");
    let note = world.event(SHOP, "DriftCorrected").await;
    assert!(note.starts_with("shop-redis-0 had another password for user app"), "{note}");
    has_been(&history, "RedisAvailable", "True", "DriftCorrected").await;
    world.condition(SHOP, "RedisAvailable", "True", "Available").await;
}

#[tokio::test]
async fn a_second_password_of_the_applications_user_is_taken_away() {
    let (world, _operator) = shop("second-password").await;
    assert_eq!(world.intruder(SHOP, &["ACL", "SETUSER", "app", ">mine-too"]).await, "OK");
    let note = world.event(SHOP, "DriftCorrected").await;
    assert!(note.starts_with("shop-redis-0 had 2 passwords for user app"), "{note}");
    let answer = world.kubelet.pod(POD).redis_cli(6380, None, &["AUTH", "app", "mine-too"]).await;
    assert!(answer.starts_with("WRONGPASS"), "{answer}");
}

#[tokio::test]
async fn users_that_were_changed_by_hand_are_set_right_and_told() {
    let (world, _operator) = shop("users").await;
    let history = world.watch(SHOP).await;
    let changes: [(&[&str], &str); 3] = [
        (&["SETUSER", "app", "+flushall"], "user app also has +flushall"),
        (&["SETUSER", "default", "on", "nopass"], "the login of user default is not as wanted (switched on)"),
        (&["SETUSER", "mallory", "on", "nopass", "~*", "+@all"], "there are unexpected users (mallory)"),
    ];
    for (change, told) in changes {
        assert_eq!(world.intruder(SHOP, &[&["ACL"], change].concat()).await, "OK");
        eventually(&format!("an event tells: {told}"), async || {
            let notes: Vec<_> = world.events(SHOP).await.into_iter().filter_map(|event| event.note).collect();
            if notes.iter().any(|note| note.contains(told)) { Ok(()) } else { Err(format!("{notes:?}")) }
        })
        .await;
        world.condition(SHOP, "UsersVerified", "True", "Verified").await;
    }
    has_been(&history, "UsersVerified", "True", "DriftCorrected").await;
    let users = world.intruder(SHOP, &["ACL", "LIST"]).await;
    assert!(users.contains("user probe on ") && !users.contains("mallory"), "{users}");
    world.ready(SHOP).await;
}

#[tokio::test]
async fn another_list_of_commands_reaches_the_server_without_a_restart_and_is_no_drift() {
    let (world, _operator) = shop("acl").await;
    let before = world.kubelet.pod(POD).incarnation().await;
    let answer = world.app(SHOP, &["EVAL", "return 1", "0"]).await;
    assert!(answer.starts_with("NOPERM"), "{answer}");
    let message = world.condition(SHOP, "AccessAllowed", "False", "CommandRefused").await;
    assert!(
        message.contains("Microsoft.Extensions.Caching.StackExchangeRedis 8.0.x writes no entry without them"),
        "{message}"
    );
    assert!(message.ends_with("Costs nothing: set spec.redis.acl: Compatible"), "{message}");
    world.edit("TokenCache", SHOP, json!({"spec": {"redis": {"acl": "Compatible"}}})).await;
    eventually("the server runs scripts", async || {
        let answer = world.app(SHOP, &["EVAL", "return 1", "0"]).await;
        if answer == "1" { Ok(()) } else { Err(answer) }
    })
    .await;
    world.edit("TokenCache", SHOP, json!({"spec": {"redis": {"acl": "Strict"}}})).await;
    eventually("the server refuses scripts", async || {
        let answer = world.app(SHOP, &["EVAL", "return 1", "0"]).await;
        if answer.starts_with("NOPERM") { Ok(()) } else { Err(answer) }
    })
    .await;
    let status = world.get("TokenCache", SHOP).await["status"].clone();
    assert!(warns_of(&status, "AccessAllowed") && condition(&status, "Ready")["status"] == "True", "{status}");
    let reasons: Vec<_> = world.events(SHOP).await.into_iter().filter_map(|event| event.reason).collect();
    assert!(!reasons.contains(&"DriftCorrected".to_owned()), "{reasons:?}");
    assert_eq!(world.kubelet.pod(POD).incarnation().await, before);
    world.quiet().await;
}

/// Pauses the cache, and waits until it says so.
async fn paused(world: &World) {
    let pause = json!({"metadata": {"annotations": {"tokencache.dev/reconcile": "paused"}}});
    world.edit("TokenCache", SHOP, pause).await;
    world.condition(SHOP, "Paused", "True", "Paused").await;
}

#[tokio::test]
async fn a_correction_that_is_refused_is_told_with_its_remedy_and_a_restart_heals_it() {
    let (world, _operator) = shop("right").await;
    // In one go: a look between the two would set the policy right, or give the right back.
    let script = ["SETUSER", "operator", "-config|set", "-acl|setuser", "-acl|deluser"];
    paused(&world).await;
    assert_eq!(world.intruder(SHOP, &["CONFIG", "SET", "maxmemory-policy", "noeviction"]).await, "OK");
    assert_eq!(world.intruder(SHOP, &[&["ACL"], &script[..]].concat()).await, "OK");
    world.edit("TokenCache", SHOP, json!({"metadata": {"annotations": {"tokencache.dev/reconcile": null}}})).await;
    let message = world.condition(SHOP, "EvictionPolicyVerified", "False", "CorrectionRefused").await;
    for part in ["\"noeviction\" (want volatile-lru) on shop-redis-0", "writes fail once 256Mi is full", "NOPERM"] {
        assert!(message.contains(part), "{part:?} is not in {message}");
    }
    assert!(world.remedies(SHOP, "EvictionPolicyVerified").await.contains("delete pod shop-redis-0"));
    let status = world.get("TokenCache", SHOP).await["status"].clone();
    assert_eq!(condition(&status, "Ready")["reason"], "CorrectionRefused");
    assert_eq!(status["redis"]["servers"][0]["evictionPolicy"], "noeviction", "the status shows what was read back");
    eventually("an event tells the same", async || {
        let notes: Vec<_> = world.events(SHOP).await.into_iter().filter_map(|event| event.note).collect();
        if notes.contains(&message) { Ok(()) } else { Err(format!("{notes:?}")) }
    })
    .await;

    world.delete("Pod", POD).await;
    world.ready(SHOP).await;
    world.setting(SHOP, "maxmemory-policy", "volatile-lru").await;
}

#[tokio::test]
async fn a_paused_cache_is_only_looked_at() {
    let (world, _operator) = shop("paused").await;
    paused(&world).await;
    assert_eq!(world.intruder(SHOP, &["CONFIG", "SET", "maxmemory-policy", "noeviction"]).await, "OK");
    world.condition(SHOP, "EvictionPolicyVerified", "False", "DriftWhilePaused").await;
    world.setting(SHOP, "maxmemory-policy", "noeviction").await;

    world.edit("TokenCache", SHOP, json!({"metadata": {"annotations": {"tokencache.dev/reconcile": null}}})).await;
    world.setting(SHOP, "maxmemory-policy", "volatile-lru").await;
    world.ready(SHOP).await;
}
