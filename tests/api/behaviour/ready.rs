//! A cache becomes ready, and publishes what applications need.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::json;

use super::scene::{POD, SHOP, World, condition, shop, warns_of};
use crate::support::api_server::api_server;
use crate::support::operator::Operator;

#[tokio::test]
async fn the_binding_holds_exactly_what_connects() {
    let (world, _operator) = shop("binding").await;
    let secret = world.secret("shop-redis").await;
    let (host, password) = (format!("shop-redis.{}.svc", world.namespace), secret["password"].clone());
    assert!(password.len() == 40 && password.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let connection_string = format!(
        "{host}:6380,user=app,password={password},ssl=True,abortConnect=False,connectTimeout=1000,syncTimeout=1000,\
         connectRetry=1,$CONFIG=,$SENTINEL=,$CLUSTER=,tiebreaker=,configChannel="
    );
    let wanted = [
        ("type", "redis"),
        ("provider", "tokencache-operator"),
        ("host", &host),
        ("port", "6380"),
        ("username", "app"),
        ("password", &password),
        ("ssl", "true"),
        ("uri", &format!("rediss://app:{password}@{host}:6380")),
        ("connectionString", &connection_string),
        ("ca.crt", &secret["ca.crt"]),
    ];
    let wanted: BTreeMap<String, String> =
        wanted.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    assert_eq!(secret, wanted);
    assert_eq!(world.get("Secret", "shop-redis").await["type"], "servicebinding.io/redis");
    let settings = world.config_map("shop-settings").await;
    assert_eq!(settings, BTreeMap::from([("Redis__InstanceName".to_owned(), "shop:".to_owned())]));
}

/// As StackExchange.Redis reads it: split at commas, then at the first `=`, without any quoting.
fn parsed(connection_string: &str) -> (Vec<&str>, BTreeMap<&str, &str>) {
    let (options, endpoints): (Vec<_>, Vec<_>) = connection_string.split(',').partition(|part| part.contains('='));
    let options = options.iter().filter_map(|option| option.split_once('='));
    (endpoints, options.map(|(key, value)| (key.trim(), value.trim())).collect())
}

#[tokio::test]
async fn the_connection_string_means_the_same_as_the_other_keys() {
    let (world, _operator) = shop("connection-string").await;
    let secret = world.secret("shop-redis").await;
    let (endpoints, options) = parsed(&secret["connectionString"]);
    assert_eq!(endpoints, [format!("{}:{}", secret["host"], secret["port"])]);
    assert_eq!((options["user"], options["password"]), (secret["username"].as_str(), secret["password"].as_str()));
    assert_eq!(options["ssl"].to_lowercase(), secret["ssl"]);
    assert_eq!(options["abortConnect"], "False");
    for silenced in ["$CONFIG", "$SENTINEL", "$CLUSTER", "tiebreaker", "configChannel"] {
        assert_eq!(options[silenced], "", "{silenced}");
    }
    let answer = world.kubelet.pod(POD).redis_cli(6380, Some((options["user"], options["password"])), &["PING"]).await;
    assert_eq!(answer, "PONG");
}

#[tokio::test]
async fn the_status_says_where_redis_is_what_it_has_and_of_which_generation() {
    let (world, _operator) = shop("status").await;
    world.condition(SHOP, "MemorySufficient", "True", "Sufficient").await;
    let cache = world.get("TokenCache", SHOP).await;
    let status = &cache["status"];
    let info = world.intruder(SHOP, &["INFO", "server"]).await;
    let version = info.lines().find_map(|line| line.strip_prefix("redis_version:")).unwrap().trim();
    assert_eq!(
        status["redis"],
        json!({
            "endpoint": format!("shop-redis.{}.svc:6380", world.namespace),
            "servers": [{
                "pod": POD, "role": "primary", "version": version, "maxMemory": "256Mi", "evictionPolicy": "volatile-lru",
                "memoryLimit": "448Mi",
            }],
        })
    );
    assert_eq!(status["binding"], json!({"name": "shop-redis"}));
    assert_eq!(status["observedGeneration"], cache["metadata"]["generation"]);
    let conditions = status["conditions"].as_array().unwrap();
    let told: Vec<_> = conditions
        .iter()
        .map(|each| [&each["type"], &each["status"], &each["reason"]].map(|word| word.as_str().unwrap()))
        .collect();
    // Whatever they are: they tell of the machine that runs the tests, and of its redis-server.
    let latency = told.iter().copied().find(|[kind, ..]| *kind == "LatencyAcceptable").unwrap();
    let release = told.iter().copied().find(|[kind, ..]| *kind == "ServerSupported").unwrap();
    assert_eq!(
        told,
        [
            ["Ready", "True", "AllVerified"],
            ["Stalled", "False", "NotStalled"],
            ["SpecValid", "True", "Valid"],
            ["RedisAvailable", "True", "Available"],
            ["TlsReady", "True", "CertificateServed"],
            ["EvictionPolicyVerified", "True", "Verified"],
            ["UsersVerified", "True", "Verified"],
            ["KeyRingReady", "True", "Published"],
            ["AccessAllowed", "True", "NothingRefused"],
            release,
            ["NetworkRestricted", "True", "Restricted"],
            ["MemorySufficient", "True", "Sufficient"],
            latency,
            ["EntriesExpire", "True", "AllExpire"],
            ["InUse", "False", "NeverWritten"],
            ["EntriesReadable", "True", "NothingStored"],
            ["Durable", "False", "InMemory"],
        ]
    );
    assert!(warns_of(status, "InUse"), "nobody uses it yet");
    for each in conditions {
        assert_eq!(each["observedGeneration"], cache["metadata"]["generation"], "{each}");
        assert!(!each["message"].as_str().unwrap().is_empty(), "{each}");
    }
    let verified = condition(status, "EvictionPolicyVerified")["message"].as_str().unwrap();
    assert_eq!(verified, "maxmemory-policy volatile-lru and maxmemory 256Mi read back from shop-redis-0");
}

#[tokio::test]
async fn kubectl_waits_for_ready_and_prints_the_columns() {
    let world = World::new("kubectl").await;
    // The machine's own redis-server may be an old one, of which the status would warn.
    let server = Command::new("redis-server").arg("--version").output().unwrap();
    let server = String::from_utf8(server.stdout).unwrap();
    let version = server.split_whitespace().find_map(|word| word.strip_prefix("v=")).unwrap();
    world.create(SHOP, json!({"redis": {"acceptedVersion": version}})).await;
    let namespace = ["--namespace", &world.namespace];
    let unseen = "-o=jsonpath={.status.observedGeneration}";
    let seen = api_server().kubectl(&[&["get", "tokencache", SHOP, unseen][..], &namespace].concat()).await;
    assert_eq!(seen, "-1", "nobody has seen it yet");
    let wait = [&["wait", "--for=condition=Ready", "--timeout=60s", "tokencache/shop"][..], &namespace].concat();
    let (waited, _operator) = tokio::join!(api_server().kubectl(&wait), Operator::start(&world.namespace));
    assert_eq!(waited.trim(), "tokencache.tokencache.dev/shop condition met");

    let table = api_server().kubectl(&[&["get", "tcache"][..], &namespace].concat()).await;
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["NAME", "READY", "REASON", "REDIS", "POLICY", "KEY", "WARNINGS", "AGE"]);
    let endpoint = format!("shop-redis.{}.svc:6380", world.namespace);
    let key = world.get("TokenCache", SHOP).await["status"]["keyRing"]["active"].as_str().unwrap().to_owned();
    assert_eq!(lines[1][..7], ["shop", "True", "AllVerified", &endpoint, "volatile-lru", &key, "InUse"]);
}

#[tokio::test]
async fn becoming_ready_is_told_once() {
    let (world, _operator) = shop("ready-event").await;
    world.event(SHOP, "AllVerified").await;
    world.quiet().await;
    let warnings = world.events(SHOP).await.into_iter().filter(|event| event.type_.as_deref() != Some("Normal"));
    // Of the release of the machine's own redis-server.
    let is_of_server = |reason: Option<&str>| matches!(reason, Some("Unsupported" | "SecurityUpdate"));
    let warnings: Vec<_> = warnings.filter(|event| !is_of_server(event.reason.as_deref())).collect();
    assert!(warnings.is_empty(), "a cache that comes up without trouble warns of nothing: {warnings:?}");
}
