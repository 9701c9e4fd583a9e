//! Probes of a container: run again and again, with a verdict once a threshold is reached.

use std::fs::File;
use std::net::IpAddr;
use std::time::Duration;

use k8s_openapi::api::core::v1::Probe;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::process::{Process, Run};

/// What a probe does.
#[derive(Clone)]
pub enum Check {
    /// Runs a command.
    Exec(Run),
    /// Opens a connection.
    Connect(IpAddr, u16),
}

/// One probe of one running container.
pub struct Prober {
    check: Check,
    period: Duration,
    /// The period once it has succeeded, where that is another one.
    settled: Duration,
    patience: Duration,
    successes_wanted: i32,
    failures_wanted: i32,
    successes: i32,
    failures: i32,
    next: Instant,
    running: JoinSet<bool>,
}

impl Prober {
    /// A readiness or startup probe. Until it succeeds it runs more often than the pod asks for, so that tests are quick.
    /// From then on the pod's period is good enough: each check is three processes and a TLS handshake, and all pods of
    /// all tests together would spend more on them than on what is tested.
    pub fn quick(probe: &Probe, check: Check) -> Self {
        let mut prober = Self::patient(probe, check);
        prober.period = prober.period.min(Duration::from_millis(500));
        prober.next = Instant::now();
        prober
    }

    /// A liveness probe, which runs as often as the pod asks for: a quicker one would kill servers that a real kubelet
    /// would leave alone.
    pub fn patient(probe: &Probe, check: Check) -> Self {
        let seconds = |value: Option<i32>, default: u64| {
            Duration::from_secs(value.and_then(|value| u64::try_from(value).ok()).unwrap_or(default))
        };
        let period = seconds(probe.period_seconds, 10);
        Self {
            check,
            period,
            settled: period,
            // A busy machine must not look like a broken server.
            patience: seconds(probe.timeout_seconds, 1).max(Duration::from_secs(3)),
            successes_wanted: probe.success_threshold.unwrap_or(1),
            failures_wanted: probe.failure_threshold.unwrap_or(3),
            successes: 0,
            failures: 0,
            next: Instant::now() + seconds(probe.initial_delay_seconds, 0),
            running: JoinSet::new(),
        }
    }

    /// Starts a check that is due, and says what is now known: `None` while a threshold is not reached.
    pub fn poll(&mut self, log: &File) -> Option<bool> {
        if let Some(outcome) = self.running.try_join_next() {
            let success = outcome.expect("a check does not panic");
            (self.successes, self.failures) = if success { (self.successes + 1, 0) } else { (0, self.failures + 1) };
        }
        if self.running.is_empty() && Instant::now() >= self.next {
            self.next = Instant::now() + if self.successes > 0 { self.settled } else { self.period };
            let log = log.try_clone().expect("a file can be shared");
            self.running.spawn(run(self.check.clone(), self.patience, log));
        }
        if self.successes >= self.successes_wanted {
            return Some(true);
        }
        (self.failures >= self.failures_wanted).then_some(false)
    }
}

async fn run(check: Check, patience: Duration, log: File) -> bool {
    match check {
        Check::Connect(address, port) => {
            timeout(patience, TcpStream::connect((address, port))).await.is_ok_and(|stream| stream.is_ok())
        }
        Check::Exec(run) => {
            let Ok(mut process) = Process::spawn(&run, &log) else { return false };
            timeout(patience, process.wait()).await.is_ok_and(|code| code == 0)
        }
    }
}

/// A port by its number or by the name that a container gives it.
pub fn port(port: &IntOrString, container: &k8s_openapi::api::core::v1::Container) -> u16 {
    let number = match port {
        IntOrString::Int(number) => Some(*number),
        IntOrString::String(name) => container
            .ports
            .iter()
            .flatten()
            .find(|port| port.name.as_ref() == Some(name))
            .map(|port| port.container_port),
    };
    number.and_then(|number| u16::try_from(number).ok()).expect("the probe's port is one of the container's")
}
