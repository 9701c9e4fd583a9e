//! `tokencache-operator run`.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use clap::Args;
use http::{HeaderValue, header::USER_AGENT};
use kube::{Client, Config, config::InferConfigError};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use crate::{
    capability::observed::OperatorPlace,
    controller::{self, Options, Scope, memory},
    kubernetes::words,
    telemetry::{
        health,
        logs::{self, LogFormat},
        metrics::Metrics,
        server,
    },
};

/// How long the API server may say nothing on a connection: longer than a watch lasts.
const LONGEST_SILENCE: Duration = Duration::from_mins(5);

#[derive(Debug, Args)]
pub struct RunArguments {
    /// Watch this namespace only. Without it, every namespace.
    #[arg(long, env = "WATCH_NAMESPACE")]
    watch_namespace: Option<String>,
    /// The time between two looks at a Redis server, such as 30s or 1m.
    #[arg(long, env = "PROBE_PERIOD", default_value = "30s", value_parser = period)]
    probe_period: Duration,
    /// Where kubelet asks /livez and /readyz.
    #[arg(long, env = "HEALTH_ADDRESS", default_value = "[::]:8080")]
    health_address: SocketAddr,
    /// Where Prometheus asks /metrics.
    #[arg(long, env = "METRICS_ADDRESS", default_value = "[::]:9402")]
    metrics_address: SocketAddr,
    /// How a line of the log looks.
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value = "json")]
    log_format: LogFormat,
    /// What is logged, such as info, debug or info,kube=debug.
    #[arg(long, env = "LOG_FILTER", default_value = "info")]
    log_filter: String,
    /// The name of the operator's pod, for events.
    #[arg(long, env = "POD_NAME", default_value = "tokencache-operator")]
    pod_name: String,
    /// The namespace of the operator's pod, which `NetworkPolicies` let through to Redis. Without it, none is made.
    #[arg(long, env = "POD_NAMESPACE")]
    pod_namespace: Option<String>,
    /// The address of the API server's Service, which every pod is given: where there is one, Services are reached from here.
    #[arg(long, env = "KUBERNETES_SERVICE_HOST", hide = true)]
    service_host: Option<String>,
}

/// Why the operator did not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The log's filter cannot be read.
    #[error("--log-filter: {0}")]
    LogFilter(#[from] tracing_subscriber::filter::ParseError),
    /// There is no way to a cluster.
    #[error(
        "no way to a cluster: this is no pod with a service account, and the kubeconfig (the one that KUBECONFIG names, or else \
         ~/.kube/config) cannot be used: {}",
        words::of(.0)
    )]
    Config(#[from] InferConfigError),
    /// The client cannot be made.
    #[error("the client for the API server: {}", words::of(.0.as_ref()))]
    Client(#[source] Box<kube::Error>),
    /// The health port cannot be opened.
    #[error("--health-address {address}: {}", words::of(source))]
    HealthAddress {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The port for metrics cannot be opened.
    #[error("--metrics-address {address}: {}", words::of(source))]
    MetricsAddress {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The system refused something.
    #[error("the system: {}", words::of(.0))]
    System(#[from] std::io::Error),
}

pub fn main(arguments: &RunArguments) -> Result<(), RunError> {
    logs::start(arguments.log_format, &arguments.log_filter)?;
    raise_file_limit();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run(arguments))
}

/// Lets the process hold as many connections as the system grants, one to each Redis server: containers often begin with
/// a limit of 1024 and leave it to the program to raise it.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::warn!(why = words::of(&error), limit = limit.current, "the limit of open files cannot be raised");
    }
}

async fn run(arguments: &RunArguments) -> Result<(), RunError> {
    let mut config = Config::infer().await?;
    // A watch hears something at least every five minutes. Without these a connection that was cut in silence would be
    // waited on for as long as the kernel holds it.
    config.read_timeout = Some(LONGEST_SILENCE);
    config.reset_reader_on_write = true;
    config.headers.push((USER_AGENT, HeaderValue::from_static("tokencache-operator")));
    let client = Client::try_from(config).map_err(|error| RunError::Client(Box::new(error)))?;
    let address = arguments.health_address;
    let listener = server::listen(address).map_err(|source| RunError::HealthAddress { address, source })?;
    let address = arguments.metrics_address;
    let for_metrics = server::listen(address).map_err(|source| RunError::MetricsAddress { address, source })?;
    let metrics = Arc::new(Metrics::default());
    let (synced, is_synced) = watch::channel(false);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: passes under way are finished first");
    };
    let options = Options {
        // An empty variable names no namespace.
        scope: arguments
            .watch_namespace
            .clone()
            .filter(|namespace| !namespace.is_empty())
            .map_or(Scope::Cluster, Scope::Namespace),
        probe_period: arguments.probe_period,
        status_pause: memory::PAUSE,
        reporter: arguments.pod_name.clone(),
        operator: OperatorPlace {
            namespace: arguments.pod_namespace.clone().filter(|namespace| !namespace.is_empty()),
            reaches_services: arguments.service_host.as_ref().is_some_and(|host| !host.is_empty()),
        },
    };
    tracing::info!(version = env!("CARGO_PKG_VERSION"), scope = %options.scope, "starting");
    let health = move |path: &str| health::answer(path, *is_synced.borrow());
    let measured = Arc::clone(&metrics);
    tokio::select! {
        () = controller::run(client, options, metrics, synced, shutdown) => Ok(()),
        () = server::serve(listener, health) => Ok(()),
        () = server::serve(for_metrics, move |path: &str| measured.answer(path)) => Ok(()),
    }
}

/// Reads a period in the form of the API's durations, from one second to one hour.
fn period(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no period from 1s to 1h, such as 30s or 1m");
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(wrong()),
    };
    let total = number.parse::<u64>().ok().and_then(|number| number.checked_mul(seconds)).ok_or_else(wrong)?;
    (1..=3600).contains(&total).then(|| Duration::from_secs(total)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_from_one_second_to_one_hour() {
        assert_eq!(period("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(period("2m"), Ok(Duration::from_mins(2)));
        for text in ["", "s", "0s", "2h", "30", "-1s", "1d", "ä"] {
            assert!(period(text).is_err(), "{text}");
        }
    }
}
