//! Tests on a real node: kubelet, containers, volumes, probes, and the operator as a pod of its own image, installed by
//! the chart.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod cluster;

/// What the tests stand on; not every part of it is used here.
#[allow(dead_code)]
#[path = "../support"]
mod support {
    pub mod eventually;
    pub mod namespace;
}

use std::time::Duration;

use cluster::{OPERATOR_NAMESPACE, PATIENCE, Scene, kubectl};
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;
use support::eventually::{never, within};

/// What the issue allows between a change by hand and its repair and report.
const A_MINUTE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_cache_becomes_ready_and_kubectl_wait_sees_it() {
    let scene = Scene::new("ready").await;
    scene.apply(json!({"maxMemory": "32Mi"})).await;
    scene.kubectl(&["wait", "--for=condition=Ready", "--timeout=3m", "tokencache/shop"]);
    let table = scene.kubectl(&["get", "tokencache", "shop"]);
    let endpoint = format!("shop-redis.{}.svc:6379", scene.namespace);
    assert!(table.contains("AllVerified") && table.contains("volatile-lru") && table.contains(&endpoint), "{table}");
}

#[tokio::test]
async fn a_policy_changed_by_hand_is_undone_and_reported_within_a_minute() {
    let scene = Scene::new("drift").await;
    scene.apply(json!({"maxMemory": "32Mi"})).await;
    scene.ready().await;
    assert_eq!(scene.redis_cli("operator", "CONFIG SET maxmemory-policy noeviction").await, "OK");
    within(A_MINUTE, "the policy is undone", async || {
        let policy = scene.redis_cli("operator", "CONFIG GET maxmemory-policy").await;
        if policy.ends_with("volatile-lru") { Ok(()) } else { Err(policy) }
    })
    .await;
    within(A_MINUTE, "an event reports it", async || {
        let events = scene.kubectl(&["get", "events", "--field-selector", "reason=DriftCorrected"]);
        let told = events.contains("noeviction") && events.contains("shop-redis-0");
        if told { Ok(()) } else { Err(events) }
    })
    .await;
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
    let corrected = json!({"spec": {"redis": {"image": "docker.io/library/redis:8.2"}}});
    scene.caches().patch("shop", &PatchParams::default(), &Patch::Merge(corrected)).await.unwrap();
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
    let operator = kubectl(
        &[
            "--namespace",
            OPERATOR_NAMESPACE,
            "get",
            "deployment",
            "tokencache-operator",
            "--output",
            "jsonpath={.spec.template.spec.containers[0].image}",
        ],
        "",
    );
    let image = String::from_utf8(operator.stdout).unwrap();
    scene.apply(json!({"image": image, "maxMemory": "32Mi"})).await;
    let message = scene.condition("RedisAvailable", "False", "ContainerNotCreated").await;
    assert!(message.contains("shell"), "{message}");
}

#[tokio::test]
async fn a_server_killed_for_its_memory_is_told_and_comes_back() {
    let scene = Scene::new("memory").await;
    scene.apply(json!({"maxMemory": "16Mi"})).await;
    scene.ready().await;
    scene.kubectl(&["annotate", "tokencache", "shop", "tokencache.dev/reconcile=paused"]);
    // While paused nothing sets it back, and then one entry is larger than the container.
    within(A_MINUTE, "maxmemory stays off", async || {
        let set = scene.redis_cli("operator", "CONFIG SET maxmemory 0").await;
        let status = scene.caches().get("shop").await.unwrap().status.unwrap();
        let drifted = status.conditions.iter().any(|condition| condition.reason == "DriftWhilePaused");
        if drifted { Ok(()) } else { Err(set) }
    })
    .await;
    let fill = "EVAL 'for i = 1, 200 do redis.call(\"HSET\", KEYS[1], i, string.rep(\"x\", 1048576)) end' 1 shop:big";
    scene.redis_cli("app", fill).await;
    within(PATIENCE, "an event tells it", async || {
        let events = scene.kubectl(&["get", "events", "--field-selector", "reason=OutOfMemory"]);
        if events.contains("maxMemory") { Ok(()) } else { Err(events) }
    })
    .await;
    scene.kubectl(&["annotate", "tokencache", "shop", "tokencache.dev/reconcile-"]);
    scene.ready().await;
}

#[tokio::test]
async fn a_deleted_pod_comes_back_with_the_same_passwords() {
    let scene = Scene::new("pod").await;
    scene.apply(json!({"maxMemory": "32Mi"})).await;
    scene.ready().await;
    let password = scene.secret("shop-redis", "password").await;
    let before = scene.pods().get("shop-redis-0").await.unwrap().metadata.uid;
    scene.pods().delete("shop-redis-0", &DeleteParams::default()).await.unwrap();
    within(PATIENCE, "another pod answers", async || {
        let after = scene.pods().get("shop-redis-0").await.map_err(|error| error.to_string())?.metadata.uid;
        if after == before {
            return Err("the same pod".to_owned());
        }
        let answer = scene.redis_cli("app", "PING").await;
        if answer == "PONG" { Ok(()) } else { Err(answer) }
    })
    .await;
    scene.ready().await;
    assert_eq!(scene.secret("shop-redis", "password").await, password);
}

#[tokio::test]
async fn a_restart_of_the_operator_flips_nothing() {
    let scene = Scene::new("restart").await;
    scene.apply(json!({"maxMemory": "32Mi"})).await;
    scene.ready().await;
    let before = scene.caches().get("shop").await.unwrap().metadata.resource_version;
    let restarted = kubectl(
        &[
            "--namespace",
            OPERATOR_NAMESPACE,
            "delete",
            "pod",
            "--selector",
            "app.kubernetes.io/name=tokencache-operator",
        ],
        "",
    );
    assert!(restarted.status.success());
    kubectl(
        &["--namespace", OPERATOR_NAMESPACE, "rollout", "status", "deployment", "tokencache-operator", "--timeout=3m"],
        "",
    );
    never(Duration::from_secs(10), "the status stays as it was", async || {
        let after = scene.caches().get("shop").await.unwrap();
        (after.metadata.resource_version != before).then(|| format!("{:?}", after.status))
    })
    .await;
}

#[tokio::test]
async fn no_password_is_in_events_logs_pods_or_argv() {
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
        String::from_utf8(
            kubectl(&["--namespace", OPERATOR_NAMESPACE, "logs", "deployment/tokencache-operator"], "").stdout,
        )
        .unwrap(),
    ];
    assert!(seen.iter().all(|text| !text.is_empty()));
    for (secret, key) in
        [("shop-redis", "password"), ("shop-redis-operator", "password"), ("shop-redis-users", "probe")]
    {
        let password = scene.secret(secret, key).await;
        for (place, text) in ["objects", "the server's log", "its processes", "the operator's log"].iter().zip(&seen) {
            assert!(!text.contains(&password), "the password of {secret} is in {place}");
        }
    }
}

#[tokio::test]
async fn the_operator_may_do_what_it_does_and_no_more() {
    let _scene = Scene::new("rights").await;
    let user = format!("system:serviceaccount:{OPERATOR_NAMESPACE}:tokencache-operator");
    let may = |verb: &str, resource: &str| {
        let asked = kubectl(&["auth", "can-i", verb, resource, "--all-namespaces", "--as", &user], "");
        String::from_utf8(asked.stdout).unwrap().trim() == "yes"
    };
    for (verb, resource) in
        [("create", "statefulsets.apps"), ("patch", "tokencaches.tokencache.dev/status"), ("watch", "pods")]
    {
        assert!(may(verb, resource), "{verb} {resource}");
    }
    for (verb, resource) in [
        ("*", "*"),
        ("get", "nodes"),
        ("create", "pods"),
        ("delete", "pods"),
        ("create", "pods/exec"),
        ("patch", "deployments.apps"),
        ("delete", "tokencaches.tokencache.dev"),
        ("create", "clusterroles.rbac.authorization.k8s.io"),
        ("deletecollection", "secrets"),
    ] {
        assert!(!may(verb, resource), "{verb} {resource}");
    }
}
