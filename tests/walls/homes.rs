//! What has one home: the clock, the environment, randomness, waiting, the way to the API server, that to Redis.

use super::{
    LIBRARY, TABLE,
    graph::{Graph, Place, To},
    source::Kind,
};

/// Ways to the API server.
const CLIENTS: &[&str] =
    &["kube::Client", "kube::client", "kube::Api", "kube::api::Api", "kube::discovery", "kube::Discovery"];
/// Ways to learn the time.
const CLOCKS: &[&str] = &[
    "jiff::Timestamp::now",
    "jiff::Zoned::now",
    "std::time::SystemTime",
    "std::time::UNIX_EPOCH",
    "k8s_openapi::jiff::Timestamp::now",
    "k8s_openapi::jiff::Zoned::now",
];
/// Clocks that tell no time of day, and what goes by them.
const STOPWATCHES: &[&str] = &["std::time::Instant", "tokio::time"];
/// Ways to wait for time to pass, and for nothing else.
const PAUSES: &[&str] = &[
    "tokio::time::sleep",
    "tokio::time::sleep_until",
    "tokio::time::Sleep",
    "tokio::time::interval",
    "tokio::time::interval_at",
    "tokio::time::Interval",
    "std::thread::sleep",
    "std::thread::sleep_ms",
    "std::thread::park_timeout",
];
const ENVIRONMENT: &[&str] = &["std::env", "option_env!", "std::option_env!"];
const RANDOMNESS: &[&str] = &[
    "rand",
    "getrandom",
    "aws_lc_rs::rand",
    "rcgen::KeyPair::generate",
    "rcgen::KeyPair::generate_for",
    "rcgen::KeyPair::generate_rsa_for",
    "rcgen::generate_simple_self_signed",
    "uuid::Uuid::new_v4",
];
/// Input and output.
const IO: &[&str] = &[
    "tokio",
    "hyper",
    "hyper_util",
    "std::fs",
    "std::process",
    "std::thread",
    "std::net::TcpStream",
    "std::net::TcpListener",
    "std::net::UdpSocket",
    "std::net::ToSocketAddrs",
    "std::os::unix::net",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "print!",
    "println!",
    "eprint!",
    "eprintln!",
];

fn is_within(module: &str, rooms: &[&str]) -> bool {
    rooms.iter().any(|room| module == *room || module.strip_prefix(room).is_some_and(|rest| rest.starts_with("::")))
}

/// Where one of these is named. A glob names all that is below it.
pub fn named(graph: &Graph, what: &[&str]) -> Vec<(Place, String)> {
    let mut found = Vec::new();
    for reach in graph.reaches() {
        let To::Other { path, kind } = reach.to else { continue };
        let is_named = |what: &str| is_within(&path, &[what]) || (kind == Kind::Glob && is_within(what, &[&path]));
        if what.iter().any(|what| is_named(what)) {
            found.push((reach.place, path));
        }
    }
    found
}

/// Whether a module stands in one of these modules, or places of the table of rooms.
fn stands_in(module: &str, places: &[&str]) -> bool {
    is_within(module, places) || TABLE.place(module).is_some_and(|place| is_within(&place, places))
}

/// Fails where a module outside of `homes` names one of these; and where one of these homes does not, and so is none.
fn only(homes: &[&str], what: &[&str], why: &str) {
    let found = named(&LIBRARY, what);
    for home in homes {
        assert!(found.iter().any(|(place, _)| stands_in(&place.module, &[home])), "{home} names none of {what:?}");
    }
    let strays: Vec<_> = found.into_iter().filter(|(place, _)| !stands_in(&place.module, homes)).collect();
    assert!(strays.is_empty(), "{why}, but see {strays:#?}");
}

/// Fails where a module of which `is_meant` holds, such as there are, names one of these.
fn never(is_meant: impl Fn(&str) -> bool, what: &[&str], why: &str) {
    assert!(LIBRARY.paths().iter().any(|module| is_meant(module)), "{why}: where?");
    let strays: Vec<_> = named(&LIBRARY, what).into_iter().filter(|(place, _)| is_meant(&place.module)).collect();
    assert!(strays.is_empty(), "{why}, but see {strays:#?}");
}

/// Fails where a text outside of a module is such a one, and where none in it is.
fn texts_only(home: &str, why: &str, is_such: impl Fn(&str) -> bool) {
    let (at_home, strays): (Vec<_>, Vec<_>) =
        LIBRARY.texts().filter(|(_, text)| is_such(text)).partition(|(place, _)| is_within(&place.module, &[home]));
    assert!(!at_home.is_empty() && strays.is_empty(), "{why}, but see {strays:#?}");
}

#[test]
fn kubernetes_knows_no_token_cache() {
    let is_in = |place: &Place| is_within(&place.module, &["kubernetes"]);
    let named =
        LIBRARY.mentions().filter(|(_, mention)| mention.path.iter().any(|name| name.starts_with("TokenCache")));
    let named: Vec<_> = named.map(|(place, _)| place).filter(is_in).collect();
    let told = LIBRARY.texts().filter(|(_, text)| text.contains("TokenCache")).map(|(place, _)| place);
    let told: Vec<_> = told.filter(is_in).collect();
    assert!(named.is_empty() && told.is_empty(), "src/kubernetes serves any operator, but see {named:?} {told:?}");
}

#[test]
fn only_controller_cli_and_kubernetes_hold_a_client_for_the_api_server() {
    only(&["controller", "cli", "kubernetes"], CLIENTS, "whoever holds a client can read and write the cluster");
}

#[test]
fn only_the_probe_names_the_redis_crate() {
    only(&["probe"], &["redis"], "only the probe talks to Redis");
}

#[test]
fn what_is_pure_is_given_what_it_knows() {
    let why = "a room that is pure has no clock, no environment, no randomness and no IO";
    for what in [IO, ENVIRONMENT, RANDOMNESS, CLOCKS, STOPWATCHES, CLIENTS] {
        never(|module| TABLE.is_pure(module), what, why);
    }
}

#[test]
fn the_probe_has_no_kubernetes_and_is_given_its_clock() {
    // Those two know a TokenCache as kube names it, until they know a namespace and a name only.
    let is_probe =
        |module: &str| stands_in(module, &["probe"]) && !stands_in(module, &["probe::prober", "probe::sweeper"]);
    never(is_probe, &["kube", "k8s_openapi"], "the probe talks to Redis and to nothing else");
    for what in [CLOCKS, ENVIRONMENT] {
        never(|module| stands_in(module, &["probe"]), what, "the probe is given what it knows");
    }
}

#[test]
fn the_key_ring_knows_nothing_of_the_api_server() {
    never(|module| stands_in(module, &["data_protection"]), &["kube"], "doctor reads a ring without it");
}

#[test]
fn the_clock_is_read_in_one_place() {
    only(&["controller::context"], CLOCKS, "the clock has one home");
}

#[test]
fn the_environment_is_read_on_the_command_line() {
    never(|module| !stands_in(module, &["cli"]), ENVIRONMENT, "the environment has one home");
    let flags = LIBRARY.mentions().filter(|(place, mention)| {
        mention.kind == Kind::Attribute && mention.path == ["env"] && !is_within(&place.module, &["cli"])
    });
    let strays: Vec<_> = flags.map(|(place, _)| place).collect();
    assert!(strays.is_empty(), "flags and variables are read in src/cli, but see {strays:#?}");
}

#[test]
fn random_bytes_are_drawn_where_secrets_are_minted() {
    only(&["kubernetes::write"], RANDOMNESS, "randomness has one home");
}

#[test]
fn nothing_sleeps_but_the_prober_between_two_looks_and_a_port_where_no_connection_can_be_had() {
    only(&["probe::prober", "telemetry::server"], PAUSES, "waiting is data");
}

#[test]
fn labels_are_named_in_one_place() {
    texts_only("kubernetes::identity", "label keys live in src/kubernetes/identity.rs", |text| {
        text.contains("kubernetes.io/managed-by") || text.starts_with("app.kubernetes.io/")
    });
}

#[test]
fn children_are_named_in_one_place() {
    texts_only("kubernetes::name", "names of children live in src/kubernetes/name.rs", |text| {
        ["-redis", "-settings"].iter().any(|suffix| text.starts_with(suffix) || text.contains(&format!("}}{suffix}")))
    });
}
