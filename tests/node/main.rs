//! Tests on a real node: kubelet, containers, volumes, probes, and the operator as a pod of its own image, installed by
//! the chart.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod clients;
mod cluster;
mod key_ring;
mod rights;
mod truth;
mod volumes;

/// What the tests stand on; not every part of it is used here.
#[allow(dead_code)]
#[path = "../support"]
mod support {
    pub mod eventually;
    pub mod namespace;
}

use std::time::{Duration, Instant};

use cluster::{OPERATOR, OPERATOR_NAMESPACE, PATIENCE, Scene, cluster, repository};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams};
use serde_json::{Value, json};
use support::eventually::{never, within};

/// What the issue allows between a change by hand and its repair and report.
const A_MINUTE: Duration = Duration::from_mins(1);

fn pause(value: &Value) -> Value {
    json!({"metadata": {"annotations": {"tokencache.dev/reconcile": value}}})
}

#[tokio::test]
async fn the_examples_do_what_they_say() {
    let scene = Scene::new("examples").await;
    let example = |name: &str| repository().join("examples").join(name).display().to_string();
    scene.kubectl(&["apply", "--filename", &example("tokencache.yaml")]);
    scene.kubectl(&["wait", "--for=condition=Ready", "--timeout=3m", "tokencache/shop"]);
    let table = scene.kubectl(&["get", "tokencache", "shop"]);
    let endpoint = format!("shop-redis.{}.svc:6380", scene.namespace);
    assert!(table.contains("AllVerified") && table.contains("volatile-lru") && table.contains(&endpoint), "{table}");

    scene.kubectl(&["apply", "--filename", &example("client.yaml")]);
    within(PATIENCE, "the client has written and read an entry", async || {
        let client = scene.pods().get("shop-client").await.map_err(|error| error.to_string())?;
        let status = client.status.unwrap_or_default();
        if status.phase.as_deref() == Some("Succeeded") { Ok(()) } else { Err(format!("{status:?}")) }
    })
    .await;
    let read = scene.kubectl(&["logs", "shop-client"]);
    assert!(read.contains("HMSET shop:") && read.contains(r#"{"AccessToken":{}}"#), "{read}");

    scene.make_doctor("shop-doctor", |_| {}).await;
    within(PATIENCE, "the doctor is done", async || {
        let status = scene.pods().get("shop-doctor").await.map_err(|error| error.to_string())?.status;
        let phase = status.unwrap_or_default().phase.unwrap_or_default();
        if phase == "Succeeded" { Ok(()) } else { Err(phase + " " + &scene.kubectl(&["get", "pods"])) }
    })
    .await;
    let report = scene.kubectl(&["logs", "shop-doctor"]);
    assert!(report.contains(r#"for the application name "/app" is read again"#), "{report}");
}

#[tokio::test]
async fn a_policy_changed_by_hand_is_undone_and_reported_within_a_minute() {
    let scene = Scene::new("drift").await;
    scene.apply(json!({"maxMemory": "32Mi"})).await;
    scene.ready().await;
    assert_eq!(scene.redis_cli("operator", "CONFIG SET maxmemory-policy noeviction").await, "OK");
    scene.event(A_MINUTE, "DriftCorrected", &["noeviction", "shop-redis-0"], 1).await;
    let policy = scene.redis_cli("operator", "CONFIG GET maxmemory-policy").await;
    assert!(policy.ends_with("volatile-lru"), "{policy}");
    scene.condition("EvictionPolicyVerified", "True", "Verified").await;
}

#[tokio::test]
async fn an_application_can_write_and_read_under_its_prefix_and_nowhere_else() {
    let scene = Scene::new("entries").await;
    scene.apply(json!({"maxMemory": "32Mi"})).await;
    scene.ready().await;
    assert_eq!(scene.redis_cli("app", "HMSET shop:a absexp -1 sldexp -1 data x").await, "OK");
    assert_eq!(scene.redis_cli("app", "EXPIRE shop:a 60").await, "1");
    assert_eq!(scene.redis_cli("app", "HMGET shop:a data").await, "x");
    for refused in ["HMGET other:a data", "KEYS '*'", "FLUSHALL", "CONFIG SET maxmemory 0"] {
        let answer = scene.redis_cli("app", refused).await;
        assert!(answer.starts_with("NOPERM"), "{refused}: {answer}");
    }
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled_is_told_and_a_corrected_one_is_rolled_out() {
    let scene = Scene::new("pull").await;
    scene.apply(json!({"image": "localhost/tokencache-nowhere/redis:1", "maxMemory": "32Mi"})).await;
    let message = scene.condition("RedisAvailable", "False", "ImagePullFailed").await;
    assert!(message.contains("localhost/tokencache-nowhere/redis:1"), "{message}");
    scene.change(json!({"spec": {"redis": {"image": "docker.io/library/redis:8.2.9"}}})).await;
    scene.ready().await;
}

#[tokio::test]
async fn a_server_that_no_node_has_room_for_is_told() {
    let scene = Scene::new("room").await;
    scene.apply(json!({"maxMemory": "1Ti"})).await;
    let message = scene.condition("RedisAvailable", "False", "Unschedulable").await;
    assert!(message.contains("memory") && message.contains("maxMemory"), "{message}");
}

#[tokio::test]
async fn an_image_without_a_shell_is_told() {
    let scene = Scene::new("shell").await;
    // The operator's own image holds no shell and no Redis.
    let pod = scene.operator().await.spec.unwrap().template.spec.unwrap();
    scene.apply(json!({"image": pod.containers[0].image, "maxMemory": "32Mi"})).await;
    let message = scene.condition("RedisAvailable", "False", "ContainerNotCreated").await;
    assert!(message.contains("\"sh\": executable file not found"), "{message}");
}

#[tokio::test]
async fn a_server_killed_for_its_memory_is_told_and_comes_back() {
    let scene = Scene::new("memory").await;
    scene.apply(json!({"maxMemory": "16Mi", "acl": "Compatible"})).await;
    scene.ready().await;
    scene.change(pause(&"paused".into())).await;
    scene.condition("Paused", "True", "Paused").await;
    // Now nothing sets it back, and then one entry is larger than the container.
    assert_eq!(scene.redis_cli("operator", "CONFIG SET maxmemory 0").await, "OK");
    scene.condition("EvictionPolicyVerified", "False", "DriftWhilePaused").await;
    let fill = "EVAL 'for i = 1, 200 do redis.call(\"HSET\", KEYS[1], i, string.rep(\"x\", 1048576)) end' 1 shop:big";
    scene.redis_cli("app", fill).await;
    scene.event(PATIENCE, "OutOfMemory", &["maxMemory"], 1).await;
    scene.change(pause(&Value::Null)).await;
    scene.ready().await;
}

#[tokio::test]
async fn a_deleted_pod_comes_back_with_the_same_passwords() {
    let scene = Scene::new("pod").await;
    scene.apply(json!({"maxMemory": "32Mi"})).await;
    scene.ready().await;
    let password = scene.secret("shop-redis", "password").await;
    scene.replace_pod().await;
    assert_eq!(scene.redis_cli("app", "PING").await, "PONG");
    // An event that was told before is counted.
    scene.event(PATIENCE, "AllVerified", &[], 2).await;
    scene.ready().await;
    assert_eq!(scene.secret("shop-redis", "password").await, password);
    // That a server ends when it is told to is no trouble.
    let told = scene.kubectl(&["get", "events.events.k8s.io", "--output", "jsonpath={.items[*].reason}"]);
    assert!(!told.contains("CrashLoop"), "{told}");
}

/// After which time without a change a status is taken to be complete: the looks that follow each other in haste at first are
/// over by then.
const SETTLED: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_restart_of_the_operator_flips_nothing() {
    let scene = Scene::new("restart").await;
    scene.apply(json!({"maxMemory": "32Mi"})).await;
    scene.ready().await;
    // The first looks tell whether it is ready, and later ones all that is to be told.
    let mut seen = (None, Instant::now());
    let before = within(PATIENCE, "all is told", async || {
        let now = scene.caches().get("shop").await.map_err(|error| error.to_string())?.metadata.resource_version;
        if seen.0 != now {
            seen = (now.clone(), Instant::now());
        }
        if seen.1.elapsed() > SETTLED { Ok(now) } else { Err(format!("{now:?}")) }
    })
    .await;
    let operators = Api::<Pod>::namespaced(scene.client.clone(), OPERATOR_NAMESPACE);
    let ours = ListParams::default().labels("app.kubernetes.io/name=tokencache-operator");
    let old: Vec<_> = operators.list(&ours).await.unwrap().iter().map(ResourceExt::uid).collect();
    operators.delete_collection(&DeleteParams::default(), &ours).await.unwrap();
    within(PATIENCE, "another operator is ready", async || {
        let pods = operators.list(&ours).await.map_err(|error| error.to_string())?.items;
        let ready = pods.iter().any(|pod| !old.contains(&pod.uid()) && is_ready(pod));
        if ready { Ok(()) } else { Err(format!("{} pods", pods.len())) }
    })
    .await;
    never(Duration::from_secs(10), "the status stays as it was", async || {
        let after = scene.caches().get("shop").await.unwrap();
        (after.metadata.resource_version != before).then(|| format!("{:?}", after.status))
    })
    .await;
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

#[tokio::test]
async fn no_password_and_no_private_key_is_in_events_logs_pods_or_argv() {
    let scene = Scene::new("secrets").await;
    scene.apply(json!({"maxMemory": "32Mi"})).await;
    scene.ready().await;
    let seen = [
        scene.kubectl(&[
            "get",
            "events,pods,statefulsets,services,configmaps,serviceaccounts,tokencaches,controllerrevisions",
            "--output",
            "yaml",
        ]),
        scene.kubectl(&["logs", "shop-redis-0"]),
        scene.kubectl(&["exec", "shop-redis-0", "--", "sh", "-c", "cat /proc/[0-9]*/cmdline /proc/1/environ"]),
        cluster(&["kubectl", "--namespace", OPERATOR_NAMESPACE, "logs", &format!("deployment/{OPERATOR}")], ""),
    ];
    assert!(seen.iter().all(|text| !text.is_empty()));
    let secrets = [
        ("shop-redis", "password"),
        ("shop-redis-operator", "password"),
        ("shop-redis-users", "probe"),
        ("shop-redis-ca", "tls.key"),
        ("shop-redis-tls", "tls.key"),
    ];
    for (secret, key) in secrets {
        // Of a private key in PEM its first line would do to whoever knows the format.
        let text = scene.secret(secret, key).await;
        let password = text.lines().find(|line| !line.starts_with('-')).unwrap();
        for (place, text) in ["objects", "the server's log", "its processes", "the operator's log"].iter().zip(&seen) {
            assert!(!text.contains(password), "{key} of {secret} is in {place}");
        }
    }
}
