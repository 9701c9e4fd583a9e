//! The servers that a cache may run: the machine's own redis-server (7.0 on Debian 12), Redis 8, Valkey 8 and Valkey 9.

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
    let (trixie, forky) = (unpacked("trixie"), unpacked("forky"));
    let valkeys = [format!("{trixie}/valkey-server"), format!("{forky}/valkey-server")];
    ["redis-server".to_owned(), format!("{trixie}/redis-server")].into_iter().chain(valkeys).collect()
}

/// The folder with the programs of this Debian.
fn unpacked(suite: &str) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers");
    let made = Command::new(script).arg(suite).output().unwrap_or_else(|error| panic!("{script}: {error}"));
    let said = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "{script} failed (or name the programs with {INSTEAD}): {said}");
    String::from_utf8_lossy(&made.stdout).trim().to_owned()
}
