//! The stand-in for kubelet, on a `StatefulSet` made by hand.

use std::time::Duration;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, Secret};
use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::scene::{APP, POD, Scene, condition, waiting};
use crate::support::eventually::{eventually, never};
use crate::support::kubelet::Fault;

#[tokio::test]
async fn a_pod_of_a_stateful_set_becomes_ready_and_answers() {
    let scene = Scene::with_redis().await;
    let status = scene.ready(true).await;
    let pod = scene.kubelet.pod(POD);
    assert_eq!(status["podIP"], pod.address().await.to_string());
    assert_eq!(status["phase"], "Running");
    let memory = pod.redis_cli(6379, APP, &["CONFIG", "GET", "maxmemory"]).await;
    assert_eq!(memory, "maxmemory\n67108864", "the ConfigMap is what the server read");
    let policy = pod.redis_cli(6379, APP, &["CONFIG", "GET", "maxmemory-policy"]).await;
    assert_eq!(policy, "maxmemory-policy\nvolatile-lru", "the arguments are what the pod says");
    let stranger = pod.redis_cli(6379, None, &["GET", "key"]).await;
    assert!(stranger.starts_with("NOAUTH"), "{stranger}");

    let stateful_sets: Api<StatefulSet> = Api::namespaced(scene.client.clone(), &scene.namespace);
    eventually("the StatefulSet counts it", async || {
        let status = stateful_sets.get("cache").await.map_err(|error| error.to_string())?.status;
        let ready = status.as_ref().and_then(|status| status.ready_replicas);
        if ready == Some(1) { Ok(()) } else { Err(format!("{status:?}")) }
    })
    .await;
}

#[tokio::test]
async fn a_frozen_server_becomes_unready_and_recovers() {
    let scene = Scene::with_redis().await;
    scene.ready(true).await;
    let pod = scene.kubelet.pod(POD);
    pod.freeze().await;
    let status = scene.ready(false).await;
    assert_eq!(condition(&status, "Ready")["message"], "containers with unready status: [redis]");
    assert!(pod.try_redis_cli(6379, APP, &["PING"]).await.is_err());
    pod.thaw().await;
    let status = scene.ready(true).await;
    assert_eq!(status["containerStatuses"][0]["restartCount"], 0);
}

#[tokio::test]
async fn a_killed_server_is_restarted_and_the_status_tells_how_it_ended() {
    let scene = Scene::with_redis().await;
    scene.ready(true).await;
    let before = scene.kubelet.pod(POD).incarnation().await;
    scene.kubelet.pod(POD).kill_out_of_memory().await;
    let container = scene.container("it runs again", |seen| seen.restart_count == 1 && seen.ready).await;
    let end = container.last_state.unwrap().terminated.unwrap();
    assert_eq!((end.reason.as_deref(), end.exit_code), (Some("OOMKilled"), 137));
    let after = scene.kubelet.pod(POD).incarnation().await;
    assert_eq!(before.0, after.0, "the same pod");
    assert_ne!(before.1, after.1, "another process");
}

#[tokio::test]
async fn a_server_that_refuses_its_configuration_crash_loops_with_its_last_words() {
    let scene = Scene::empty().await;
    scene.make_config("no-such-directive yes").await;
    scene.make_users().await;
    scene.make_stateful_set().await;
    let crashed = |seen: &ContainerStatus| waiting(seen).0 == "CrashLoopBackOff";
    let container = scene.container("the container crash-loops", crashed).await;
    let (_, message) = waiting(&container);
    assert!(message.starts_with("back-off 10s restarting failed container=redis pod=cache-0_kubelet-"), "{message}");
    let end = container.last_state.unwrap().terminated.unwrap();
    assert_eq!(end.reason.as_deref(), Some("Error"));
    assert!(end.message.as_ref().unwrap().contains("no-such-directive"), "{end:?}");

    scene.make_config("maxmemory 64mb").await;
    scene.ready(true).await;
}

#[tokio::test]
async fn a_container_crashes_as_a_test_tells_it_until_it_is_healed() {
    let scene = Scene::with_redis().await;
    scene.ready(true).await;
    scene.kubelet.pod(POD).inject(Fault::crash("I can't go on"));
    let said = |seen: &ContainerStatus| {
        let end = seen.last_state.clone().and_then(|state| state.terminated);
        waiting(seen).0 == "CrashLoopBackOff"
            && end.is_some_and(|end| end.message.as_deref() == Some("I can't go on\n"))
    };
    scene.container("it fails with its last words", said).await;
    scene.kubelet.pod(POD).heal();
    scene.ready(true).await;
}

#[tokio::test]
async fn a_container_that_needs_too_much_memory_is_killed_again_and_again() {
    let scene = Scene::empty().await;
    scene.kubelet.pod(POD).inject(Fault::OutOfMemory);
    scene.make_config("").await;
    scene.make_users().await;
    scene.make_stateful_set().await;
    let killed = |seen: &ContainerStatus| {
        let end = seen.last_state.clone().and_then(|state| state.terminated);
        seen.restart_count > 0 && end.is_some_and(|end| end.reason.as_deref() == Some("OOMKilled"))
    };
    scene.container("it is killed", killed).await;
    scene.kubelet.pod(POD).heal();
    scene.ready(true).await;
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled_is_waited_for_in_kubelets_words() {
    let scene = Scene::empty().await;
    scene.kubelet.pod(POD).inject(Fault::UnpullableImage);
    scene.make_config("").await;
    scene.make_users().await;
    scene.make_stateful_set().await;
    let back_off = |seen: &ContainerStatus| waiting(seen).0 == "ImagePullBackOff";
    let (_, message) = waiting(&scene.container("kubelet backs off", back_off).await);
    assert_eq!(
        message,
        "Back-off pulling image \"docker.io/library/redis:8.2.9\": ErrImagePull: rpc error: code = NotFound desc = failed \
         to pull and unpack image \"docker.io/library/redis:8.2.9\": failed to resolve reference \
         \"docker.io/library/redis:8.2.9\": docker.io/library/redis:8.2.9: not found"
    );
    scene.kubelet.pod(POD).heal();
    scene.ready(true).await;
}

#[tokio::test]
async fn a_pod_without_a_node_is_pending_in_the_schedulers_words() {
    let scene = Scene::empty().await;
    scene.kubelet.pod(POD).inject(Fault::Unschedulable);
    scene.make_config("").await;
    scene.make_users().await;
    scene.make_stateful_set().await;
    let unscheduled = |status: &Value| condition(status, "PodScheduled")["reason"] == "Unschedulable";
    let status = scene.status("no node is found", unscheduled).await;
    assert_eq!(status["phase"], "Pending");
    let message = condition(&status, "PodScheduled")["message"].as_str().unwrap();
    assert!(message.starts_with("0/1 nodes are available: 1 Insufficient memory."), "{message}");
    scene.kubelet.pod(POD).heal();
    scene.ready(true).await;
}

#[tokio::test]
async fn a_missing_secret_is_waited_for() {
    let scene = Scene::empty().await;
    scene.make_config("").await;
    scene.make_stateful_set().await;
    scene.container("the container waits", |seen| waiting(seen).0 == "ContainerCreating").await;
    scene.make_users().await;
    scene.ready(true).await;
}

#[tokio::test]
async fn a_changed_secret_reaches_the_running_pod() {
    let scene = Scene::with_redis().await;
    scene.ready(true).await;
    let secrets: Api<Secret> = Api::namespaced(scene.client.clone(), &scene.namespace);
    let changed = json!({"stringData": {"users.acl": "user default off\nuser app on >changed ~* +@all\n"}});
    secrets.patch("users", &PatchParams::default(), &Patch::Merge(changed)).await.unwrap();
    let pod = scene.kubelet.pod(POD);
    eventually("the server loads the new users", async || {
        pod.try_redis_cli(6379, APP, &["ACL", "LOAD"]).await?;
        let answer = pod.try_redis_cli(6379, Some(("app", "changed")), &["PING"]).await?;
        if answer == "PONG" { Ok(()) } else { Err(answer) }
    })
    .await;
}

#[tokio::test]
async fn a_deleted_pod_ends_and_its_successor_gets_another_address() {
    let scene = Scene::with_redis().await;
    scene.ready(true).await;
    let pod = scene.kubelet.pod(POD);
    let (before, address) = (pod.incarnation().await, pod.address().await);
    scene.delete_pod().await;
    eventually("another pod runs", async || {
        let now = scene.pods().get_opt(POD).await.map_err(|error| error.to_string())?;
        let uid = now.as_ref().and_then(ResourceExt::uid);
        if uid.as_ref().is_some_and(|uid| *uid != before.0) { Ok(()) } else { Err(format!("{uid:?}")) }
    })
    .await;
    scene.ready(true).await;
    assert_ne!(pod.incarnation().await, before);
    assert_ne!(pod.address().await, address);
    assert!(tokio::net::TcpStream::connect((address, 6379)).await.is_err(), "the old server is gone");
}

#[tokio::test]
async fn another_listener_takes_the_servers_place_and_gives_it_back() {
    let scene = Scene::with_redis().await;
    scene.ready(true).await;
    let pod = scene.kubelet.pod(POD);
    let listener = pod.replace(6379).await;
    let mut client = tokio::net::TcpStream::connect((pod.address().await, 6379)).await.unwrap();
    let (mut served, _) = listener.accept().await.unwrap();
    served.write_all(b"220 mail.example.com\r\n").await.unwrap();
    drop(served);
    let mut greeting = String::new();
    client.read_to_string(&mut greeting).await.unwrap();
    assert_eq!(greeting, "220 mail.example.com\r\n");
    drop(listener);
    scene.ready(false).await;
    pod.heal();
    scene.ready(true).await;
    assert_eq!(pod.redis_cli(6379, APP, &["PING"]).await, "PONG");
}

#[tokio::test]
async fn a_stand_in_that_is_dropped_leaves_no_process_behind() {
    let Scene { kubelet, client, namespace } = {
        let scene = Scene::with_redis().await;
        scene.ready(true).await;
        scene
    };
    let address = kubelet.pod(POD).address().await;
    drop(kubelet);
    eventually("nobody listens any more", async || {
        let open = tokio::net::TcpStream::connect((address, 6379)).await;
        if open.is_err() { Ok(()) } else { Err("a server listens".to_owned()) }
    })
    .await;
    let pods: Api<Pod> = Api::namespaced(client, &namespace);
    let version = pods.get(POD).await.unwrap().resource_version();
    never(Duration::from_secs(1), "nobody writes the pod's status", async || {
        let now = pods.get(POD).await.unwrap().resource_version();
        (now != version).then(|| format!("{now:?}"))
    })
    .await;
}
