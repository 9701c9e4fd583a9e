//! Servers that do not answer as they should, seen through the whole operator.

use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::scene::{POD, SHOP, condition, operated, shop};
use crate::support::eventually::never;

#[tokio::test]
async fn a_frozen_server_is_told_and_delays_no_other_cache() {
    let (world, _operator) = operated("frozen").await;
    join_all([SHOP, "calm"].map(async |name| {
        world.create(name, json!({})).await;
        world.ready(name).await;
    }))
    .await;
    let pod = world.kubelet.pod(POD);
    pod.freeze().await;
    let message = world.condition(SHOP, "RedisAvailable", "False", "Frozen").await;
    assert!(message.starts_with("shop-redis-0 (") && message.contains("does not answer"), "{message}");
    let status = world.get("TokenCache", SHOP).await["status"].clone();
    assert_eq!(condition(&status, "EvictionPolicyVerified")["status"], "Unknown", "what could not be asked is unknown");
    assert_eq!(status["redis"]["servers"], json!(null));

    assert_eq!(world.intruder("calm", &["CONFIG", "SET", "maxmemory-policy", "noeviction"]).await, "OK");
    world.setting("calm", "maxmemory-policy", "volatile-lru").await;
    world.event("calm", "DriftCorrected").await;
    let status = world.get("TokenCache", SHOP).await["status"].clone();
    assert_eq!(condition(&status, "RedisAvailable")["reason"], "Frozen", "the other one is still frozen");
    let status = world.get("TokenCache", "calm").await["status"].clone();
    assert_eq!(condition(&status, "Ready")["status"], "True");

    pod.thaw().await;
    world.ready(SHOP).await;
}

#[tokio::test]
async fn a_script_that_never_ends_is_ended_and_told_in_an_event_and_no_entry_is_lost() {
    let (world, _operator) = operated("busy").await;
    world.create(SHOP, json!({"redis": {"acl": "Compatible"}})).await;
    world.ready(SHOP).await;
    assert_eq!(world.app(SHOP, &["HMSET", "shop:kept", "data", "{}"]).await, "OK");
    let before = world.kubelet.pod(POD).incarnation().await;
    let password = world.secret("shop-redis").await["password"].clone();
    let pod = world.kubelet.pod(POD);
    // It answers only once it is ended, which takes longer than is waited for.
    pod.try_redis_cli(6380, Some(("app", &password)), &["EVAL", "while true do end", "0"]).await.unwrap_err();
    world.event(SHOP, "Busy").await;
    world.event(SHOP, "ScriptEnded").await;
    world.ready(SHOP).await;
    assert_eq!(world.app(SHOP, &["HMGET", "shop:kept", "data"]).await, "{}");
    assert_eq!(world.kubelet.pod(POD).incarnation().await, before, "nothing was restarted");
}

#[tokio::test]
async fn a_key_of_any_length_that_is_refused_is_told_and_hides_nothing() {
    let (world, _operator) = shop("long-keys").await;
    for number in 0..4 {
        let key = format!("{number}{}", "y".repeat(100_000));
        assert!(world.app(SHOP, &["HMGET", &key, "data"]).await.starts_with("NOPERM"));
    }
    world.condition(SHOP, "AccessAllowed", "False", "KeyRefused").await;
    world.condition(SHOP, "MemorySufficient", "True", "Sufficient").await;
    assert_eq!(world.app(SHOP, &["HMSET", "shop:entry", "data", "{}"]).await, "OK");
    world.condition(SHOP, "InUse", "True", "Used").await;
}

#[tokio::test]
async fn a_server_that_lost_the_operators_password_is_told_and_healed_by_a_restart() {
    let (world, _operator) = shop("wrong-password").await;
    assert_eq!(world.intruder(SHOP, &["ACL", "SETUSER", "operator", "resetpass", ">mine"]).await, "OK");
    world.condition(SHOP, "RedisAvailable", "False", "WrongPassword").await;
    assert!(world.remedies(SHOP, "RedisAvailable").await.contains("delete pod shop-redis-0"));
    world.delete("Pod", POD).await;
    world.ready(SHOP).await;
}

#[tokio::test]
async fn a_server_that_took_a_right_away_is_told_with_the_command() {
    let (world, _operator) = shop("no-right").await;
    let rights = ["ACL", "SETUSER", "operator", "-config|get", "-acl|setuser"];
    assert_eq!(world.intruder(SHOP, &rights).await, "OK");
    let message = world.condition(SHOP, "RedisAvailable", "False", "PermissionDenied").await;
    assert!(message.contains("config|get") && message.contains("NOPERM"), "{message}");
}

#[tokio::test]
async fn a_server_that_was_made_a_replica_is_told_until_it_is_a_primary_again() {
    let (world, _operator) = shop("replica").await;
    world.as_anybody(SHOP, &["REPLICAOF", "127.0.0.1", "1"]).await;
    let message = world.condition(SHOP, "RedisAvailable", "False", "ReadOnly").await;
    assert!(message.contains("REPLICAOF"), "{message}");
    let status = world.get("TokenCache", SHOP).await["status"].clone();
    assert_eq!(status["redis"]["servers"][0]["role"], "replica");
    world.as_anybody(SHOP, &["REPLICAOF", "NO", "ONE"]).await;
    world.ready(SHOP).await;
}

/// What stands where the server was.
#[derive(Clone, Copy)]
enum Stranger {
    /// Answers whatever is said with these bytes.
    Says(&'static [u8]),
    /// Reads what is said and closes.
    Closes,
    /// Reads and says nothing.
    IsSilent,
}

/// Listens as the stranger of the moment, until the task is aborted.
async fn listen(listener: TcpListener, stranger: watch::Receiver<Stranger>) {
    loop {
        let Ok((mut stream, _)) = listener.accept().await else { return };
        let stranger = *stranger.borrow();
        tokio::spawn(async move {
            let mut said = [0; 1024];
            while stream.read(&mut said).await.is_ok_and(|count| count > 0) {
                match stranger {
                    Stranger::Says(words) if stream.write_all(words).await.is_ok() => {}
                    Stranger::Says(_) | Stranger::Closes => return,
                    Stranger::IsSilent => {}
                }
            }
        });
    }
}

#[tokio::test]
async fn whatever_else_listens_there_has_its_own_reason() {
    let (world, _operator) = operated("strangers").await;
    world.create(SHOP, serde_json::json!({"redis": {"tls": {"mode": "Disabled"}}})).await;
    world.ready(SHOP).await;
    let pod = world.kubelet.pod(POD);
    let (stand_in, stranger) = watch::channel(Stranger::Closes);
    let listening = tokio::spawn(listen(pod.replace(6379).await, stranger));
    let strangers = [
        (Stranger::Closes, "NotRedis", "closes every connection"),
        (
            Stranger::Says(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"),
            "NotRedis",
            "HTTP/1.1 400 Bad Request",
        ),
        (Stranger::Says(&[0x15, 3, 3, 0, 2, 2, 70]), "TlsPort", "speaks TLS"),
        (Stranger::IsSilent, "Frozen", "does not answer"),
        (Stranger::Says(b"-LOADING Redis is loading the dataset in memory\r\n"), "Loading", "loading"),
        (Stranger::Says(b"-ERR max number of clients reached\r\n"), "TooManyClients", "refuses further connections"),
        (Stranger::Says(b"-ERR out of order\r\n"), "UnexpectedAnswer", "ERR out of order"),
        (Stranger::Says(b"-NOAUTH Authentication required.\r\n"), "WrongPassword", "password"),
    ];
    for (stranger, reason, words) in strangers {
        stand_in.send_replace(stranger);
        let told = |status: &serde_json::Value| {
            let available = condition(status, "RedisAvailable");
            available["reason"] == reason && available["message"].as_str().unwrap().contains(words)
        };
        let status = world.status(SHOP, &format!("{reason} is told: {words}"), told).await;
        assert_eq!(condition(&status, "Ready")["reason"], reason);
        assert_eq!(condition(&status, "EvictionPolicyVerified")["reason"], "RedisUnavailable");
    }
    listening.abort();
    assert!(listening.await.unwrap_err().is_cancelled());
    world.condition(SHOP, "RedisAvailable", "False", "Unreachable").await;
    pod.heal();
    world.ready(SHOP).await;
}

#[tokio::test]
async fn a_server_that_stays_in_trouble_is_written_of_once() {
    let (world, _operator) = shop("steady").await;
    let pod = world.kubelet.pod(POD);
    let (_stand_in, stranger) = watch::channel(Stranger::Closes);
    let listening = tokio::spawn(listen(pod.replace(6380).await, stranger));
    world.condition(SHOP, "RedisAvailable", "False", "NotRedis").await;
    // The pod's readiness goes, and nothing of what is said depends on it.
    world.quiet().await;
    let mark = crate::support::api_server::api_server().audit_log().mark();
    never(Duration::from_secs(6), "nothing is written", async || {
        let writes = world.writes_since(mark);
        (!writes.is_empty()).then(|| format!("{writes:?}"))
    })
    .await;
    listening.abort();
}
