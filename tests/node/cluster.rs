//! The cluster with a node: brought up once, the chart installed once, a namespace for each test.
//!
//! Which cluster it is, `tests/cluster/node` decides: one of its own, kind's, or the one of KUBECONFIG.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, Secret};
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config, ResourceExt};
use serde_json::{Value, json};
use tokencache_operator::api::v1alpha1::{TokenCache, TokenCacheSpec};

use crate::support::eventually::within;
use crate::support::namespace::fresh_namespace;

/// Longer than anything here takes on a busy machine: an image is unpacked, a node is under load.
pub const PATIENCE: Duration = Duration::from_mins(3);
/// Where the chart is installed.
pub const OPERATOR_NAMESPACE: &str = "tokencache-system";
/// What the chart's release, its Deployment and its roles are called.
pub const OPERATOR: &str = "tokencache-operator";

/// The root of the repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Brings the cluster up and installs the operator, once a process; the administrator's kubeconfig.
fn kubeconfig() -> &'static Path {
    static KUBECONFIG: OnceLock<PathBuf> = OnceLock::new();
    KUBECONFIG.get_or_init(|| {
        let _provider = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let status = Command::new(repository().join("tests/demo")).arg("install").status().expect("tests/demo runs");
        assert!(status.success(), "the cluster did not come up, or the chart was not installed: see above");
        PathBuf::from(cluster(&["kubeconfig"], "").trim())
    })
}

/// A command of `tests/cluster/node`, such as kubectl or helm; its standard output. Panics where it fails.
pub fn cluster(arguments: &[&str], input: &str) -> String {
    let output = run(arguments, input);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// As [`cluster`], with how it ended.
pub fn run(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(repository().join("tests/cluster/node"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("tests/cluster/node starts");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).ok();
    child.wait_with_output().expect("it ends")
}

/// A namespace on the node's cluster. It goes, with all that is in it, when this is dropped.
pub struct Scene {
    pub client: Client,
    pub namespace: String,
}

impl Scene {
    pub async fn new(prefix: &str) -> Self {
        let client = client().await;
        let namespace = fresh_namespace(&client, prefix).await;
        Self { client, namespace }
    }

    /// Applies a `TokenCache` named `shop`.
    pub async fn apply(&self, redis: Value) {
        let spec: TokenCacheSpec = serde_json::from_value(json!({ "redis": redis })).expect("a spec");
        let cache = TokenCache::new("shop", spec);
        self.caches().create(&PostParams::default(), &cache).await.expect("the TokenCache is accepted");
    }

    pub fn caches(&self) -> Api<TokenCache> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Changes `shop`.
    pub async fn change(&self, patch: Value) {
        self.caches().patch("shop", &PatchParams::default(), &Patch::Merge(patch)).await.expect("the change is taken");
    }

    pub fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Deletes the pod of `shop`, and waits until another one is ready.
    pub async fn replace_pod(&self) {
        let before = self.pods().get("shop-redis-0").await.unwrap().uid();
        self.pods().delete("shop-redis-0", &DeleteParams::default()).await.unwrap();
        within(PATIENCE, "another pod is ready", async || {
            let pod = self.pods().get("shop-redis-0").await.map_err(|error| error.to_string())?;
            if pod.uid() != before && crate::is_ready(&pod) { Ok(()) } else { Err(format!("{:?}", pod.status)) }
        })
        .await;
    }

    /// Waits for an event with this reason and these words that was seen so many times.
    pub async fn event(&self, limit: Duration, reason: &str, words: &[&str], times: i32) {
        let events = Api::<Event>::namespaced(self.client.clone(), &self.namespace);
        within(limit, &format!("{reason} is told {times} times"), async || {
            let params = ListParams::default().fields(&format!("reason={reason}"));
            let seen = events.list(&params).await.map_err(|error| error.to_string())?.items;
            let told = seen.iter().any(|event| {
                let note = event.note.as_deref().unwrap_or_default();
                let count = event.series.as_ref().map_or(1, |series| series.count);
                count >= times && words.iter().all(|word| note.contains(word))
            });
            if told { Ok(()) } else { Err(format!("{seen:?}")) }
        })
        .await;
    }

    /// A key of a Secret.
    pub async fn secret(&self, name: &str, key: &str) -> String {
        let secret =
            Api::<Secret>::namespaced(self.client.clone(), &self.namespace).get(name).await.expect("the Secret");
        let data = secret.data.expect("data");
        String::from_utf8(data.get(key).unwrap_or_else(|| panic!("{name} has no {key}")).0.clone()).expect("text")
    }

    /// Waits until a condition of `shop` has this status and reason; returns its message.
    pub async fn condition(&self, kind: &str, status: &str, reason: &str) -> String {
        within(PATIENCE, &format!("{kind} is {status} for {reason}"), async || {
            let cache = self.caches().get("shop").await.map_err(|error| error.to_string())?;
            let conditions = cache.status.map(|status| status.conditions.clone()).unwrap_or_default();
            let found = conditions.iter().find(|condition| condition.type_ == kind);
            match found {
                Some(found) if found.status == status && found.reason == reason => Ok(found.message.clone()),
                other => Err(format!("{other:?}")),
            }
        })
        .await
    }

    pub async fn ready(&self) {
        self.condition("Ready", "True", "AllVerified").await;
    }

    /// kubectl in this namespace; its standard output.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        cluster(&[&["kubectl", "--namespace", &self.namespace], arguments].concat(), "")
    }

    /// redis-cli in the pod of `shop`, as a user whose password it reads from standard input. Its output, also where it
    /// fails.
    pub async fn redis_cli(&self, user: &str, command: &str) -> String {
        let secret = if user == "operator" { "shop-redis-operator" } else { "shop-redis" };
        let password = self.secret(secret, "password").await;
        let script =
            format!("REDISCLI_AUTH=$(cat) redis-cli --tls --insecure -h \"$POD_IP\" -p 6380 --user {user} {command}");
        let exec = ["kubectl", "--namespace", &self.namespace, "exec", "-i", "shop-redis-0", "--"];
        let output = run(&[exec.as_slice(), &["sh", "-c", &script]].concat(), &password);
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// The operator's Deployment.
    pub async fn operator(&self) -> Deployment {
        let deployments = Api::<Deployment>::namespaced(self.client.clone(), OPERATOR_NAMESPACE);
        deployments.get(OPERATOR).await.expect("the operator's Deployment")
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        run(&["kubectl", "delete", "namespace", &self.namespace, "--wait=false"], "");
    }
}

async fn client() -> Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig()).expect("a kubeconfig");
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.expect("a cluster");
    Client::try_from(config).expect("a client")
}
