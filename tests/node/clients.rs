//! Applications go on while what they depend on is changed under them: passwords, certificates, authorities, settings.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Node, Secret};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use tokencache_operator::api::v1alpha1::{OperationStage, OperationStatus};

use crate::cluster::{PATIENCE, Scene, repository};
use crate::support::eventually::within;

/// The clients of `clients.yaml`, at work.
struct Clients<'scene>(&'scene Scene);

impl<'scene> Clients<'scene> {
    async fn start(scene: &'scene Scene) -> Self {
        let manifest = repository().join("tests/node/clients.yaml").display().to_string();
        scene.kubectl(&["apply", "--filename", &manifest]);
        let clients = Self(scene);
        for client in ["reconnects", "stays", "idles"] {
            within(PATIENCE, &format!("the client that {client} has written"), async || {
                let read = scene.redis_cli("app", &format!("HMGET shop:{client} absexp")).await;
                if read == "-1" { Ok(()) } else { Err(clients.phase().await + " " + &read) }
            })
            .await;
        }
        clients
    }

    async fn phase(&self) -> String {
        let pod = self.0.pods().get("clients").await.unwrap();
        pod.status.and_then(|status| status.phase).unwrap_or_default()
    }

    /// Waits until a good many more connections were made.
    async fn go_on(&self) {
        let written = async || {
            let data = self.0.redis_cli("app", "HMGET shop:reconnects data").await;
            data.parse::<u32>().map_err(|_| data)
        };
        let before = written().await.unwrap();
        within(PATIENCE, "the clients go on", async || match written().await? {
            now if now >= before + 10 => Ok(()),
            now => Err(format!("{before} and then {now} were written")),
        })
        .await;
    }

    /// What a client sees of the published connection.
    fn sees(&self, key: &str) -> String {
        self.0.kubectl(&["exec", "clients", "--container", "reconnects", "--", "cat", &format!("/bindings/shop/{key}")])
    }

    /// Ends them, and makes sure that not one operation failed.
    async fn end(self) {
        self.0.kubectl(&["exec", "clients", "--container", "reconnects", "--", "touch", "/flags/stop"]);
        let phase = within(PATIENCE, "the clients have ended", async || match self.phase().await.as_str() {
            ended @ ("Succeeded" | "Failed") => Ok(ended.to_owned()),
            other => Err(other.to_owned()),
        })
        .await;
        let logs = self.0.kubectl(&["logs", "clients", "--all-containers", "--prefix"]);
        assert_eq!(phase, "Succeeded", "{logs}");
    }
}

/// Waits until a condition says so; returns its message.
async fn another_certificate(scene: &Scene, before: &str) -> String {
    within(PATIENCE, "another certificate is served", async || {
        let now = scene.condition("TlsReady", "True", "CertificateServed").await;
        if now == before { Err(now) } else { Ok(now) }
    })
    .await
}

/// How long both passwords are valid, and how long the new one is given to reach a mounted file, where the client that
/// connects anew reads it: longer than the node's kubelet takes for that.
async fn overlap(scene: &Scene) -> Duration {
    let node = Api::<Node>::all(scene.client.clone()).list(&ListParams::default()).await.unwrap().items.remove(0);
    let config = scene.kubectl(&["get", "--raw", &format!("/api/v1/nodes/{}/proxy/configz", node.name_any())]);
    let config: Value = serde_json::from_str(&config).unwrap();
    let period = config["kubeletconfig"]["syncFrequency"].as_str().unwrap();
    let period: SignedDuration = period.parse().unwrap();
    Duration::try_from(period).unwrap() * 2 + Duration::from_secs(10)
}

/// Asks for another password of the applications.
async fn ask_for_another_password(scene: &Scene) {
    let second = Timestamp::from_second(Timestamp::now().as_second()).unwrap().to_string();
    scene.change(json!({"metadata": {"annotations": {"tokencache.dev/rotate-password-requested": second}}})).await;
}

/// Waits until the earlier password is removed.
async fn another_password(scene: &Scene, overlap: Duration) {
    within(PATIENCE + overlap * 2, "the password is changed", async || {
        let status = scene.caches().get("shop").await.map_err(|error| error.to_string())?.status.unwrap_or_default();
        let is_over = |operation: &&OperationStatus| operation.stage == OperationStage::Completed;
        status.operations.iter().find(is_over).map(drop).ok_or_else(|| format!("{:?}", status.operations))
    })
    .await;
}

#[tokio::test]
async fn no_operation_fails_while_passwords_certificates_authorities_and_settings_change() {
    let scene = Scene::new("clients").await;
    let overlap = overlap(&scene).await;
    let rotation = json!({"overlap": format!("{}s", overlap.as_secs())});
    scene.apply(json!({"maxMemory": "48Mi", "passwordRotation": rotation})).await;
    scene.ready().await;
    let clients = Clients::start(&scene).await;
    let password = clients.sees("password");
    ask_for_another_password(&scene).await;
    let secrets = Api::<Secret>::namespaced(scene.client.clone(), &scene.namespace);

    scene.change(json!({"spec": {"redis": {"maxMemory": "32Mi", "evictionPolicy": "allkeys-lru"}}})).await;
    within(PATIENCE, "the settings are read back", async || {
        let read = scene.condition("EvictionPolicyVerified", "True", "Verified").await;
        if read.contains("allkeys-lru and maxmemory 32Mi") { Ok(()) } else { Err(read) }
    })
    .await;

    clients.go_on().await;

    let first = scene.condition("TlsReady", "True", "CertificateServed").await;
    secrets.delete("shop-redis-tls", &DeleteParams::default()).await.unwrap();
    let second = another_certificate(&scene, &first).await;

    clients.go_on().await;
    let authority = clients.sees("ca.crt");
    secrets.delete("shop-redis-ca", &DeleteParams::default()).await.unwrap();
    within(PATIENCE, "the clients see both authorities", async || {
        let now = clients.sees("ca.crt");
        if now != authority && now.contains(authority.trim()) { Ok(()) } else { Err(now) }
    })
    .await;
    within(PATIENCE, "it is noted since when", async || {
        let authority = secrets.get("shop-redis-ca").await.map_err(|error| error.to_string())?;
        if authority.data.unwrap().contains_key("published") { Ok(()) } else { Err("it is not".to_owned()) }
    })
    .await;
    // The time that clients have to see it, without waiting for a day.
    let yesterday = Timestamp::now() - SignedDuration::from_hours(25);
    let patch = Patch::Merge(json!({"stringData": {"published": yesterday.to_string()}}));
    secrets.patch("shop-redis-ca", &PatchParams::default(), &patch).await.unwrap();
    another_certificate(&scene, &second).await;
    clients.go_on().await;

    another_password(&scene, overlap).await;
    assert_ne!(clients.sees("password"), password);
    clients.go_on().await;
    clients.end().await;
}
