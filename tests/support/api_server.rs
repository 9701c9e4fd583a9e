//! A real Kubernetes API (etcd, kube-apiserver, kube-controller-manager) on loopback: one for each test process, started
//! by the first test that asks for it, gone when the process ends in whatever way.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use http::HeaderValue;
use http::header::USER_AGENT;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::client::ClientBuilder;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde::Deserialize;

use super::audit::AuditLog;
use super::faults::Writes;
use super::witness::Witness;

/// What the API tier says of itself when it is ready.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ready {
    kubeconfig: PathBuf,
    audit_log: PathBuf,
    dir: PathBuf,
}

/// The cluster of this test process.
pub struct ApiServer {
    ready: Ready,
    binary: PathBuf,
    /// The end of its stdin is the sign to stop. A static is never dropped, so it ends with this process.
    _control_plane: Child,
}

const CLIENT: &str = "a client for the API server";

static API_SERVER: OnceLock<ApiServer> = OnceLock::new();

/// The cluster of this test process, which has the CRD of this repository; the first call starts it.
pub fn api_server() -> &'static ApiServer {
    API_SERVER.get_or_init(|| ApiServer::start(&crd_file()))
}

/// The root of the repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

impl ApiServer {
    /// A cluster beside that one with a CRD of its own, for tests that would crowd it or need it to be another; gone when
    /// it is dropped.
    pub fn another(crd: &CustomResourceDefinition) -> Self {
        let mut file = tempfile::NamedTempFile::with_suffix(".json").expect("a file");
        serde_json::to_writer(&mut file, crd).expect("the CRD is written");
        Self::start(file.path())
    }

    fn start(crd: &Path) -> Self {
        // Only the first may install one; that another was quicker does not matter.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let script = repository().join("tests/cluster/binary");
        let built = Command::new(&script).stderr(Stdio::inherit()).output().expect("tests/cluster/binary can be run");
        assert!(built.status.success(), "{} failed: {}", script.display(), built.status);
        let binary = PathBuf::from(String::from_utf8(built.stdout).expect("a path in UTF-8").trim_end());

        let mut child = Command::new(&binary)
            .args(["api", "--crds"])
            .arg(crd)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", binary.display()));
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("stdout is a pipe")).read_line(&mut line).expect("a line of text");
        let ready =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("the API tier did not start: {error}: {line:?}"));
        Self { ready, binary, _control_plane: child }
    }

    /// A client of the administrator that calls itself `user_agent`, as the audit log shows it. It belongs to the runtime
    /// that it is made in, so make one in each test.
    pub async fn client(&self, user_agent: &'static str) -> Client {
        ClientBuilder::try_from(self.config(user_agent).await)
            .expect(CLIENT)
            .with_layer(&Witness::of(user_agent))
            .build()
    }

    /// As [`Self::client`], of another user.
    pub async fn client_as(&self, user: &str, user_agent: &'static str) -> Client {
        let mut config = self.config(user_agent).await;
        config.auth_info.impersonate = Some(user.to_owned());
        ClientBuilder::try_from(config).expect(CLIENT).with_layer(&Witness::of(user_agent)).build()
    }

    /// As [`Self::client`], with every write seen, and perhaps failed, by `writes`.
    pub async fn client_through(&self, user_agent: &'static str, writes: &Writes) -> Client {
        let builder = ClientBuilder::try_from(self.config(user_agent).await).expect(CLIENT);
        builder.with_layer(writes).with_layer(&Witness::of(user_agent)).build()
    }

    async fn config(&self, user_agent: &'static str) -> Config {
        let kubeconfig = Kubeconfig::read_from(&self.ready.kubeconfig).expect("a kubeconfig");
        let mut config =
            Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.expect("a config");
        config.headers.push((USER_AGENT, HeaderValue::from_static(user_agent)));
        config
    }

    /// A folder that goes with the cluster, even where this process is killed.
    pub fn folder(&self) -> &Path {
        &self.ready.dir
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> &Path {
        &self.ready.kubeconfig
    }

    /// The log of every request that the API server answered.
    pub fn audit_log(&self) -> AuditLog {
        AuditLog::new(&self.ready.audit_log)
    }

    /// Runs kubectl as the administrator and returns its standard output; panics with what it said if it fails.
    pub async fn kubectl(&self, arguments: &[&str]) -> String {
        let output = tokio::process::Command::new(&self.binary)
            .arg("kubectl")
            .args(arguments)
            .env("KUBECONFIG", &self.ready.kubeconfig)
            .kill_on_drop(true)
            .output()
            .await
            .expect("kubectl can be run");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "kubectl {arguments:?}: {}: {stderr}", output.status);
        String::from_utf8(output.stdout).expect("UTF-8")
    }
}

impl ApiServer {
    /// Runs a line as somebody does who pastes it into a shell in this folder: as the administrator, and with an editor that
    /// changes nothing.
    pub async fn shell(&self, line: &str, folder: &Path) -> std::process::Output {
        let program = |name: &str| format!("{name}() {{ '{}' {name} \"$@\"; }}\n", self.binary.display());
        let programs = ["kubectl", "helm"].map(program).concat();
        tokio::process::Command::new("bash")
            .args(["-euo", "pipefail", "-c", &format!("{programs}{line}")])
            .current_dir(folder)
            .env("KUBECONFIG", &self.ready.kubeconfig)
            .env("KUBE_EDITOR", "true")
            .kill_on_drop(true)
            .output()
            .await
            .expect("bash can be run")
    }
}

/// The CRD of `crds/tokencaches.yaml`.
pub fn the_crd() -> CustomResourceDefinition {
    let path = crd_file();
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_yaml::from_str(&text).expect("a CustomResourceDefinition")
}

fn crd_file() -> PathBuf {
    repository().join("crds/tokencaches.yaml")
}
