//! The walls between the rooms of `src/`: who may name what. A failure tells file and line.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fmt;
use std::path::{Path, PathBuf};

/// One line of code: no comment, and not of a test.
struct Line {
    file: String,
    number: usize,
    code: String,
}

impl fmt::Debug for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.file, self.number, self.code.trim())
    }
}

impl Line {
    fn is_in(&self, places: &[&str]) -> bool {
        places.iter().any(|place| self.file == *place || self.file.starts_with(&format!("{place}/")))
    }

    /// Whether the line has this as a whole word, or as whole words with `::` between them.
    fn names(&self, word: &str) -> bool {
        let is_part = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        self.code.match_indices(word).any(|(start, _)| {
            let before = start.checked_sub(1).map(|before| self.code.as_bytes()[before]);
            !is_part(before) && !is_part(self.code.as_bytes().get(start + word.len()).copied())
        })
    }
}

/// The code of `src/`. Test modules stand at the end of their files.
fn code() -> Vec<Line> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut lines = Vec::new();
    for path in sources(&root.join("src")) {
        let text = std::fs::read_to_string(&path).unwrap();
        let file = path.strip_prefix(root).unwrap().display().to_string();
        lines.extend(code_of(&file, &text));
    }
    assert!(lines.len() > 1000, "only {} lines were found", lines.len());
    lines
}

fn code_of(file: &str, text: &str) -> Vec<Line> {
    let untested = text.split("#[cfg(test)]").next().unwrap_or_default();
    let numbered = untested.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
    let line = |(index, code): (usize, &str)| Line { file: file.to_owned(), number: index + 1, code: code.to_owned() };
    numbered.map(line).collect()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Fails where a line outside of `homes` names one of `words`.
fn only(homes: &[&str], words: &[&str], why: &str) {
    let strays = code().into_iter().filter(|line| !line.is_in(homes) && words.iter().any(|word| line.names(word)));
    fail_at(strays, why);
}

/// Fails where a line of `rooms` names one of `words`.
fn never(rooms: &[&str], except: &[&str], words: &[&str], why: &str) {
    let in_room = code().into_iter().filter(|line| line.is_in(rooms) && !line.is_in(except));
    fail_at(in_room.filter(|line| words.iter().any(|word| line.names(word))), why);
}

fn fail_at(strays: impl Iterator<Item = Line>, why: &str) {
    let strays: Vec<Line> = strays.collect();
    assert!(strays.is_empty(), "{why}, but see {strays:#?}");
}

#[test]
fn the_api_knows_nothing_of_this_crate_but_itself() {
    let strays = code().into_iter().filter(|line| {
        let ours = line.names("crate") && !line.code.contains("crate::api");
        let above = line.code.contains("super::super::super");
        line.is_in(&["src/api"]) && (ours || above)
    });
    fail_at(strays, "src/api imports nothing of ours");
}

#[test]
fn kubernetes_knows_no_token_cache() {
    never(
        &["src/kubernetes"],
        &[],
        &[
            "crate::api",
            "crate::redis",
            "crate::data_protection",
            "crate::condition",
            "crate::controller",
            "TokenCache",
        ],
        "src/kubernetes serves any operator",
    );
}

#[test]
fn only_controller_cli_and_kubernetes_hold_a_client_for_the_api_server() {
    only(
        &["src/controller", "src/cli", "src/kubernetes"],
        &["Client", "Api", "kube::client"],
        "whoever holds a client can read and write the cluster",
    );
}

#[test]
fn only_the_probe_names_the_redis_crate() {
    let strays = code().into_iter().filter(|line| {
        let rooted = line.code.match_indices("::redis").any(|(start, _)| {
            let before = line.code[..start].chars().next_back();
            !before.is_some_and(|before| before.is_alphanumeric() || before == '_')
        });
        let imported = line.code.trim_start().starts_with("use redis") || line.code.contains("extern crate redis");
        !line.is_in(&["src/redis/probe"]) && (rooted || imported)
    });
    fail_at(strays, "only src/redis/probe talks to Redis");
    // Without `::` the name is the crate's only where nothing else is called so.
    let borrowed = ["redis::cmd", "redis::Cmd", "redis::Value", "redis::aio", "redis::RedisError", "redis::Client"];
    only(&["src/redis/probe"], &borrowed, "only src/redis/probe talks to Redis");
}

#[test]
fn capabilities_are_given_what_they_know() {
    never(
        &["src/redis", "src/data_protection", "src/condition", "src/api", "src/request.rs", "src/time.rs"],
        &["src/redis/probe"],
        &["tokio", "std::env", "env::var", "rand", "std::fs", "TcpStream", "Instant", "SystemTime", "Timestamp::now"],
        "capabilities have no clock, no environment, no randomness and no IO",
    );
}

#[test]
fn the_probe_has_no_kubernetes_and_is_given_its_clock() {
    never(
        &["src/redis/probe"],
        &[],
        &["kube", "k8s_openapi", "Timestamp::now", "SystemTime", "std::env", "env::var"],
        "the probe talks to Redis and to nothing else",
    );
}

#[test]
fn the_key_ring_knows_nothing_of_redis() {
    never(&["src/data_protection"], &[], &["crate::redis", "kube"], "doctor reads a ring without Redis");
}

#[test]
fn the_clock_is_read_in_one_place() {
    only(&["src/controller/context.rs"], &["Timestamp::now", "SystemTime", "Zoned::now"], "the clock has one home");
}

#[test]
fn the_environment_is_read_on_the_command_line() {
    only(&["src/cli"], &["env::var", "env::var_os", "env::vars", "option_env"], "the environment has one home");
    let strays = code().into_iter().filter(|line| {
        let argument = line.code.contains("#[arg(") && line.names("env");
        argument && !line.is_in(&["src/cli"])
    });
    fail_at(strays, "flags and variables are read in src/cli");
}

#[test]
fn random_bytes_are_drawn_where_secrets_are_minted() {
    only(&["src/kubernetes/write.rs"], &["rand"], "randomness has one home");
}

#[test]
fn nothing_sleeps_but_the_prober_between_two_looks_and_a_port_where_no_connection_can_be_had() {
    only(
        &["src/controller/prober.rs", "src/telemetry/server.rs"],
        &["sleep", "sleep_until", "interval"],
        "waiting is data",
    );
}

#[test]
fn labels_are_named_in_one_place() {
    let strays = code().into_iter().filter(|line| {
        let label = line.code.contains("kubernetes.io/managed-by") || line.code.contains("\"app.kubernetes.io/");
        label && !line.is_in(&["src/kubernetes/identity.rs"])
    });
    fail_at(strays, "label keys live in src/kubernetes/identity.rs");
}

#[test]
fn children_are_named_in_one_place() {
    let strays = code().into_iter().filter(|line| {
        let suffix = ["}-redis", "}-settings", "\"-redis", "\"-settings"].iter().any(|part| line.code.contains(part));
        suffix && !line.is_in(&["src/kubernetes/name.rs"])
    });
    fail_at(strays, "names of children live in src/kubernetes/name.rs");
}

#[test]
fn a_stray_line_is_seen_and_a_comment_or_a_test_is_not() {
    let text = "// tokio\nuse tokio::time;\nlet tokio_like = 1;\n#[cfg(test)]\nuse tokio::time;\n";
    let seen = code_of("src/redis/mod.rs", text);
    let strays: Vec<usize> = seen.iter().filter(|line| line.names("tokio")).map(|line| line.number).collect();
    assert_eq!(strays, [2]);
    assert!(seen[0].is_in(&["src/redis"]) && !seen[0].is_in(&["src/red"]));
}
