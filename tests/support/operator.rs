//! The operator itself, in this process: on a client that a test made, in one namespace, as quick as the test wants it.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use kube::Client;
use tokencache_operator::{
    capability::observed::OperatorPlace,
    controller::{self, Options, Scope, memory},
    telemetry::metrics::Metrics,
};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::api_server::api_server;
use super::eventually::eventually;
use super::{log, plain};

/// What the operator calls itself, in the audit log and in events.
pub const USER_AGENT: &str = "tokencache-operator";
/// The namespace in which it says that it runs.
pub const OPERATOR_NAMESPACE: &str = "tokencache-system";
/// Short enough that a test need not wait, long enough that two cores keep up.
pub const PROBE_PERIOD: Duration = Duration::from_secs(1);
/// The least time between two writes of a status, as much shorter than in a cluster as the time between two looks.
const STATUS_PAUSE: Duration = Duration::from_millis(100);

/// A running operator. When it is dropped, it stops in the midst of what it does.
pub struct Operator {
    metrics: Arc<Metrics>,
    task: JoinHandle<()>,
    synced: watch::Receiver<bool>,
}

impl Operator {
    /// Starts one on a client of its own, for the objects of one namespace.
    pub async fn start(namespace: &str) -> Self {
        Self::start_with(api_server().client(USER_AGENT).await, namespace, PROBE_PERIOD)
    }

    /// As [`Self::start`], on this client and with this time between two looks at a server.
    pub fn start_with(client: Client, namespace: &str, probe_period: Duration) -> Self {
        Self::start_in(client, Scope::Namespace(namespace.to_owned()), probe_period)
    }

    /// As [`Self::start`], with the time between two writes of a status that it has in a cluster.
    pub async fn start_unhurried(namespace: &str) -> Self {
        let client = api_server().client(USER_AGENT).await;
        Self::start_as(client, Scope::Namespace(namespace.to_owned()), PROBE_PERIOD, memory::PAUSE)
    }

    /// As [`Self::start_with`], in any scope.
    pub fn start_in(client: Client, scope: Scope, probe_period: Duration) -> Self {
        Self::start_as(client, scope, probe_period, STATUS_PAUSE)
    }

    fn start_as(client: Client, scope: Scope, probe_period: Duration, status_pause: Duration) -> Self {
        // A test is in no pod.
        let operator = OperatorPlace { namespace: Some(OPERATOR_NAMESPACE.to_owned()), reaches_services: false };
        let reporter = USER_AGENT.to_owned();
        log::read();
        let options = Options { scope, probe_period, status_pause, reporter, operator };
        let (sender, synced) = watch::channel(false);
        let metrics = Arc::new(Metrics::default());
        let task = tokio::spawn(controller::run(client, options, Arc::clone(&metrics), sender, pending()));
        Self { metrics, task, synced }
    }

    /// What it tells Prometheus.
    pub async fn metrics(&self) -> String {
        let answer = self.metrics.answer("/metrics");
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    }

    /// Waits until its watches are in step.
    pub async fn synced(&self) {
        eventually("the operator's watches are in step", async || {
            if *self.synced.borrow() { Ok(()) } else { Err("they are not".to_owned()) }
        })
        .await;
    }

    /// Stops it in the midst of what it does, and returns when nothing of it runs any more.
    pub async fn kill(mut self) {
        self.task.abort();
        // That it was cancelled is what was asked for; a panic of its own is not.
        if let Err(end) = (&mut self.task).await {
            assert!(end.is_cancelled(), "the operator panicked: {end}");
        }
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.task.abort();
        // A test that has failed says why already.
        if !std::thread::panicking() {
            plain::assert_nothing_found();
        }
    }
}
