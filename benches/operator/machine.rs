//! On what it was measured.

use std::process::Command;

use jiff::Timestamp;

use crate::world::World;

/// The machine and the versions, a line each.
pub async fn told() -> String {
    let cores = std::thread::available_parallelism().unwrap();
    let lines = [
        format!("{}, {cores} cores, {} of memory", field("/proc/cpuinfo", "model name"), memory()),
        format!("Linux {}", first_line("uname", &["-r"])),
        first_line("rustc", &["--version"]),
        format!("Kubernetes {} with etcd on the same machine", World::empty().await.version().await),
        first_line("redis-server", &["--version"]),
        format!("tokencache-operator {}, {}", env!("CARGO_PKG_VERSION"), Timestamp::now().strftime("%F")),
    ];
    format!("- {}\n", lines.join("\n- "))
}

fn memory() -> String {
    let kilobytes = field("/proc/meminfo", "MemTotal");
    let kilobytes: f64 = kilobytes.trim_end_matches(" kB").parse().unwrap();
    format!("{:.0} GiB", kilobytes / 1024.0 / 1024.0)
}

fn field(file: &str, name: &str) -> String {
    let text = std::fs::read_to_string(file).unwrap();
    let line = text.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.split_once(':')).map_or("unknown", |(_, value)| value.trim()).to_owned()
}

fn first_line(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned()
}
