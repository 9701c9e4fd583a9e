//! The cluster with a node: brought up once, the chart installed once, a namespace for each test.
//!
//! Which cluster it is, `tests/cluster/node` decides: one of its own, kind's, or the one of KUBECONFIG.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{Api, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::json;
use tokencache_operator::api::v1alpha1::{TokenCache, TokenCacheSpec};

use crate::support::eventually::within;
use crate::support::namespace::fresh_namespace;

/// Longer than anything here takes on a busy machine: an image is unpacked, a node is under load.
pub const PATIENCE: Duration = Duration::from_mins(3);
/// Where the chart is installed.
pub const OPERATOR_NAMESPACE: &str = "tokencache-system";

struct Installed {
    kubeconfig: PathBuf,
    binary: PathBuf,
}

/// Brings the cluster up and installs the operator, once a process.
fn installed() -> &'static Installed {
    static INSTALLED: OnceLock<Installed> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let _provider = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
        let status = Command::new(tests.join("demo")).arg("install").status().expect("tests/demo runs");
        assert!(status.success(), "the cluster did not come up, or the chart was not installed: see above");
        let path = |script: &str, arguments: &[&str]| {
            let output = Command::new(tests.join(script)).args(arguments).output().expect("the script runs");
            PathBuf::from(String::from_utf8(output.stdout).expect("a path").trim())
        };
        Installed { kubeconfig: path("cluster/node", &["kubeconfig"]), binary: path("cluster/binary", &[]) }
    })
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
    pub async fn apply(&self, redis: serde_json::Value) {
        let spec: TokenCacheSpec = serde_json::from_value(json!({ "redis": redis })).expect("a spec");
        let cache = TokenCache::new("shop", spec);
        self.caches().create(&PostParams::default(), &cache).await.expect("the TokenCache is accepted");
    }

    pub fn caches(&self) -> Api<TokenCache> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &self.namespace)
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
            let conditions = cache.status.map(|status| status.conditions).unwrap_or_default();
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
        let output = self.kubectl_with(arguments, "");
        assert!(output.status.success(), "kubectl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// redis-cli in the pod of `shop`, as a user whose password it reads from standard input.
    pub async fn redis_cli(&self, user: &str, command: &str) -> String {
        let secret = if user == "operator" { "shop-redis-operator" } else { "shop-redis" };
        let password = self.secret(secret, "password").await;
        let script = format!("REDISCLI_AUTH=$(cat) redis-cli -h \"$POD_IP\" --user {user} {command}");
        let output = self.kubectl_with(&["exec", "-i", "shop-redis-0", "--", "sh", "-c", &script], &password);
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn kubectl_with(&self, arguments: &[&str], input: &str) -> Output {
        kubectl(&[&["--namespace", self.namespace.as_str()], arguments].concat(), input)
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        kubectl(&["delete", "namespace", &self.namespace, "--wait=false"], "");
    }
}

/// kubectl as the administrator.
pub fn kubectl(arguments: &[&str], input: &str) -> Output {
    let installed = installed();
    let mut child = Command::new(&installed.binary)
        .arg("kubectl")
        .args(arguments)
        .env("KUBECONFIG", &installed.kubeconfig)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("kubectl starts");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).ok();
    child.wait_with_output().expect("kubectl ends")
}

async fn client() -> Client {
    let kubeconfig = Kubeconfig::read_from(&installed().kubeconfig).expect("a kubeconfig");
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.expect("a cluster");
    Client::try_from(config).expect("a client")
}
