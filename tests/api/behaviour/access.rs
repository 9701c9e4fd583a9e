//! What the published user may do in Redis, and what it may not.

use serde_json::json;

use super::scene::{POD, SHOP, operated, shop};

const DATA: &str = "{\"AccessToken\":{}}";

#[tokio::test]
async fn an_application_writes_and_reads_entries_under_its_prefix() {
    let (world, _operator) = shop("entries").await;
    let key = "shop:app1_tenant_AppTokenCache";
    let entry = ["HMSET", key, "absexp", "638900000000000000", "sldexp", "-1", "data", DATA];
    assert_eq!(world.app(SHOP, &entry).await, "OK");
    assert_eq!(world.app(SHOP, &["EXPIRE", key, "3599"]).await, "1");
    let read = world.app(SHOP, &["HMGET", key, "absexp", "sldexp", "data"]).await;
    assert_eq!(read, format!("638900000000000000\n-1\n{DATA}"));
    assert_eq!(world.app(SHOP, &["UNLINK", key]).await, "1");
}

#[tokio::test]
async fn an_application_is_refused_everything_else() {
    let (world, _operator) = shop("refused").await;
    let refused: [&[&str]; 10] = [
        &["HMSET", "other:key", "data", "x"],
        &["HMGET", "other:key", "data"],
        &["UNLINK", "other:key"],
        &["KEYS", "*"],
        &["SCAN", "0"],
        &["FLUSHALL"],
        &["FLUSHDB"],
        &["CONFIG", "SET", "maxmemory", "0"],
        &["ACL", "LIST"],
        &["PUBLISH", "anything", "x"],
    ];
    for words in refused {
        let answer = world.app(SHOP, words).await;
        assert!(answer.starts_with("NOPERM"), "{words:?}: {answer}");
    }
}

#[tokio::test]
async fn nobody_comes_in_without_a_login() {
    let (world, _operator) = shop("login").await;
    let pod = world.kubelet.pod(POD);
    let answer = pod.redis_cli(6380, None, &["HMGET", "shop:key", "data"]).await;
    assert!(answer.starts_with("NOAUTH"), "{answer}");
    let password = world.secret("shop-redis").await["password"].clone();
    for (user, password) in [("default", password.as_str()), ("default", ""), ("app", "guess"), ("operator", &password)]
    {
        let answer = pod.redis_cli(6380, None, &["AUTH", user, password]).await;
        assert!(answer.starts_with("WRONGPASS"), "{user}: {answer}");
    }
}

#[tokio::test]
async fn a_prefix_with_the_characters_of_a_pattern_matches_to_the_letter() {
    let (world, _operator) = operated("pattern").await;
    world.create(SHOP, json!({"entries": {"instanceName": "a*b[cd]?\\e:"}})).await;
    world.ready(SHOP).await;
    assert_eq!(world.config_map("shop-settings").await["Redis__InstanceName"], "a*b[cd]?\\e:");
    assert_eq!(world.app(SHOP, &["HMSET", "a*b[cd]?\\e:key", "data", "x"]).await, "OK");
    for key in ["aXb[cd]?\\e:key", "a*bc?\\e:key", "a*b[cd]X\\e:key", "a*b[cd]?e:key", "shop:key"] {
        let answer = world.app(SHOP, &["HMSET", key, "data", "x"]).await;
        assert!(answer.starts_with("NOPERM"), "{key}: {answer}");
    }
}

#[tokio::test]
async fn the_commands_of_the_client_leave_no_trace_of_a_refusal() {
    let (world, _operator) = shop("handshake").await;
    let handshake: [&[&str]; 7] = [
        &["CLIENT", "SETNAME", "web(SE.Redis-v2.13.23.1338)"],
        &["CLIENT", "ID"],
        &["INFO", "replication"],
        &["INFO", "server"],
        &["ECHO", "tie"],
        &["PING"],
        &["SELECT", "0"],
    ];
    for words in handshake {
        let answer = world.app(SHOP, words).await;
        assert!(!answer.starts_with("NOPERM"), "{words:?}: {answer}");
    }
    let log = world.intruder(SHOP, &["ACL", "LOG"]).await;
    assert_eq!(log, "", "the server logged refusals");
}
