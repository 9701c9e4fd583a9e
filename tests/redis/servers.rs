//! The servers that a cache may run: the machine's own redis-server (7.0 on Debian 12), Redis 8 and Valkey 8.

use std::process::Command;
use std::sync::OnceLock;

/// Names programs to run in place of those that `tests/servers` makes, separated by white space.
const INSTEAD: &str = "REDIS_SERVERS";

/// The programs to start.
///
/// # Panics
/// Where they can't be made; what was said then is in the message.
pub fn each() -> Vec<String> {
    static PROGRAMS: OnceLock<Vec<String>> = OnceLock::new();
    PROGRAMS.get_or_init(programs).clone()
}

fn programs() -> Vec<String> {
    if let Ok(instead) = std::env::var(INSTEAD) {
        return instead.split_whitespace().map(str::to_owned).collect();
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers");
    let made = Command::new(script).output().unwrap_or_else(|error| panic!("{script}: {error}"));
    let said = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "{script} failed (or name the programs with {INSTEAD}): {said}");
    let folder = String::from_utf8_lossy(&made.stdout).trim().to_owned();
    ["redis-server".to_owned(), format!("{folder}/redis-server"), format!("{folder}/valkey-server")].into()
}
