//! The operator in a process of its own, and what the kernel says that it costs.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::process::{Process, own_address};

/// What it calls itself in the audit log.
pub const USER_AGENT: &str = "tokencache-operator";
/// In which unit `/proc/<pid>/stat` counts, on every Linux.
const TICK: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_mins(10);

/// A running operator.
pub struct Operator {
    process: Process,
    started: Instant,
    health: String,
}

/// What a process holds, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Now.
    pub resident: u64,
    /// At most, since it began.
    pub peak: u64,
}

/// How to start one.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The program.
    pub program: PathBuf,
    /// The administrator's kubeconfig.
    pub kubeconfig: PathBuf,
    /// Where its log goes.
    pub log: PathBuf,
}

impl Operator {
    /// Starts one for all namespaces, as the chart does.
    pub fn start(setup: &Setup) -> Self {
        let health = format!("{}:8080", own_address(8080));
        let metrics = format!("{}:9402", own_address(9402));
        let mut arguments = vec![
            format!("KUBECONFIG={}", setup.kubeconfig.display()),
            format!("HEALTH_ADDRESS={health}"),
            format!("METRICS_ADDRESS={metrics}"),
            "POD_NAMESPACE=tokencache-system".to_owned(),
        ];
        arguments.extend([setup.program.display().to_string(), "run".to_owned()]);
        let process = Process::start("env", &arguments, Path::new("/"), &setup.log);
        Self { process, started: Instant::now(), health }
    }

    /// Waits until it is ready, and returns how long that took from its start.
    pub async fn ready(&self) -> Duration {
        loop {
            self.check();
            if self.says_ready().await {
                return self.started.elapsed();
            }
            assert!(self.started.elapsed() < PATIENCE, "the operator is not ready: {}", self.process.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Asks it to end, and waits until it has.
    pub async fn end(&self) {
        self.process.terminate().await;
    }

    /// Fails where it has ended.
    pub fn check(&self) {
        if let Some(status) = self.process.ended() {
            panic!("the operator ended: {status}: {}", self.process.log());
        }
    }

    /// The processor time that it has used so far.
    pub fn cpu(&self) -> Duration {
        cpu_of(self.process.pid())
    }

    /// What it holds.
    pub fn memory(&self) -> Memory {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.pid())).unwrap();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
        };
        Memory { resident: field("VmRSS:"), peak: field("VmHWM:") }
    }

    async fn says_ready(&self) -> bool {
        let ask = async {
            let mut stream = TcpStream::connect(&self.health).await?;
            stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: operator\r\nConnection: close\r\n\r\n").await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            std::io::Result::Ok(answer)
        };
        ask.await.is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
    }
}

/// The processor time of a process, all its threads together.
pub fn cpu_of(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // After the name, which may hold anything: the state is the third field, user and system time the 14th and 15th.
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks: u32 = fields[11..13].iter().map(|field| field.parse::<u32>().unwrap()).sum();
    TICK * ticks
}
