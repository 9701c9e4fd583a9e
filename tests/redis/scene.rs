//! A cache's server as the operator sets one up, and a look at it.

use std::{net::IpAddr, ops::Deref};

use jiff::Timestamp;
use tokencache_operator::{
    api::v1alpha1::{Acl, Amount, Inspect},
    entries::look::{Inspection, Look},
    probe::{Probe, wire::Limits},
    redis::{
        access::{
            acl::{self, Hashes, Passwords, User},
            password::{LENGTH, Password, PasswordHash},
        },
        findings::unanswered,
        look::{
            Desired, Login, Sample, Server,
            answer::{Answer, Unread},
            drift::Correction,
            fault::{Fault, Untrusted},
        },
        settings::{InstanceName, MaxMemory, client_limits::ClientLimits},
        tls::certificate::Distrust,
    },
};

use crate::support::plain::assert_plain;
use crate::support::redis_server::RedisServer;

pub const ADMIN_PASSWORD: &str = "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz";

pub fn operator_password() -> Password {
    Password::parse(&[b'o'; LENGTH]).unwrap()
}

pub fn app_password() -> Password {
    Password::parse(&[b'a'; LENGTH]).unwrap()
}

pub fn other_password() -> Password {
    Password::parse(&[b'x'; LENGTH]).unwrap()
}

/// The users of a cache, and one who may do everything: the tests' own.
pub fn users(acl: Acl, instance_name: &str) -> Vec<User> {
    let hashes = Hashes {
        app: vec![app_password().sha256()],
        operator: vec![operator_password().sha256()],
        probe: vec![operator_password().derive("probe").sha256()],
    };
    let mut users = acl::users(acl, &InstanceName::parse(instance_name).unwrap(), &hashes);
    users.push(User {
        name: "admin",
        passwords: Passwords::These(vec![Password::parse(ADMIN_PASSWORD.as_bytes()).unwrap().sha256()]),
        rule: "~* &* +@all".to_owned(),
        since_7_2: "",
    });
    users
}

/// The configuration of a server that is as wanted.
pub fn config() -> String {
    config_with(&users(Acl::Compatible, "shop:"))
}

/// The configuration that earlier versions of the operator made: without limits for clients.
pub fn config_without_limits() -> String {
    config().replace(&limits().lines(), "")
}

/// The configuration of a server that has these users.
pub fn config_with(users: &[User]) -> String {
    format!("maxmemory 256mb\nmaxmemory-policy volatile-lru\n{}{}", limits().lines(), acl::file(users))
}

/// The configuration of a server whose operator may not use these commands.
pub fn config_without(commands: &[&str]) -> String {
    let mut users = users(Acl::Compatible, "shop:");
    let operator = users.iter_mut().find(|user| user.name == "operator").unwrap();
    let words = operator.rule.split(' ').filter(|word| !commands.iter().any(|command| word[1..] == **command));
    operator.rule = words.collect::<Vec<_>>().join(" ");
    config_with(&users)
}

/// Runs a command as somebody who may do everything.
pub fn admin(server: &RedisServer, command: &[&str]) -> String {
    server.cli_as("admin", ADMIN_PASSWORD, command)
}

/// The same over TLS, whatever the certificate.
pub fn admin_over_tls(server: &RedisServer, command: &[&str]) -> String {
    server.cli_as("admin", ADMIN_PASSWORD, &[&["--tls", "--insecure"], command].concat())
}

pub fn want() -> Desired {
    Desired {
        max_memory: 256 << 20,
        has_room: true,
        clients: limits(),
        eviction_policy: "volatile-lru".to_owned(),
        instance_name: "shop:".to_owned(),
        append_only: false,
        trust: None,
        users: users(Acl::Compatible, "shop:"),
        address: None,
        question: None,
        correct: true,
    }
}

/// The limits of a server with 256Mi.
pub fn limits() -> ClientLimits {
    ClientLimits::of(MaxMemory::parse(&Amount::Text("256Mi".to_owned())).unwrap())
}

pub fn login() -> Login {
    Login { username: "operator".to_owned(), password: operator_password() }
}

pub fn probe() -> Probe {
    Probe::new(Limits::default(), now)
}

pub fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap()
}

pub fn server_at(address: IpAddr, port: u16) -> Server {
    Server { pod: "shop-redis-0".to_owned(), uid: "uid-1".to_owned(), address, port }
}

pub fn server_of(redis: &RedisServer) -> Server {
    server_at(redis.address(), redis.port())
}

/// Entries are looked into, and there is no key to read them with.
pub fn inspection() -> Inspection {
    Inspection { inspect: Inspect::Payloads, reader: None, swept: None }
}

/// What a look showed: of the server, and of its entries.
#[derive(Debug)]
pub struct Looked {
    pub answer: Answer,
    pub entries: Look,
}

impl Deref for Looked {
    type Target = Answer;

    fn deref(&self) -> &Answer {
        &self.answer
    }
}

/// One look, by which no secret came out, and nothing but words for people.
pub async fn look(probe: &Probe, server: &Server, login: &Login, want: &Desired) -> Result<Answer, Fault> {
    looked(probe, server, login, want, &inspection()).await.map(|looked| looked.answer)
}

/// The same, with what it showed of entries.
pub async fn looked(
    probe: &Probe,
    server: &Server,
    login: &Login,
    want: &Desired,
    inspection: &Inspection,
) -> Result<Looked, Fault> {
    let (sample, entries) = probe.sample(server, login, want, inspection).await;
    assert_tells_no_secret(&sample, &login.password);
    for words in words(&sample.outcome) {
        assert_plain(&words);
    }
    assert_eq!((&sample.server, sample.taken), (server, now()));
    sample.outcome.map(|answer| Looked { answer, entries: entries.unwrap() })
}

/// One look at a server by a probe that never met it, for the values that it should have.
pub async fn first_look(redis: &RedisServer) -> Result<Answer, Fault> {
    look(&probe(), &server_of(redis), &login(), &want()).await
}

/// What a look has to say that stands in messages.
fn words(outcome: &Result<Answer, Fault>) -> Vec<String> {
    match outcome {
        Err(fault) => {
            let distrust = match fault {
                Fault::Certificate(Untrusted { why: Distrust::Other(words), .. }) => Some(words.clone()),
                _ => None,
            };
            distrust.into_iter().chain([unanswered::in_words(fault)]).collect()
        }
        Ok(answer) => {
            let drift = answer.drift.iter().flat_map(|drift| {
                let answered = match &drift.correction {
                    Correction::Refused(words) | Correction::Ineffective(words) => Some(words.clone()),
                    _ => None,
                };
                [Some(drift.found.clone()), answered].into_iter().flatten()
            });
            let unread = answer.unread.values().filter_map(|why| match why {
                Unread::Refused(words) | Unread::Odd(words) => Some(words.clone()),
                Unread::TooLong | Unread::Late => None,
            });
            drift.chain(unread).collect()
        }
    }
}

fn assert_tells_no_secret(sample: &Sample, used: &Password) {
    let told = format!("{sample:?}");
    let passwords = [used.clone(), operator_password(), app_password(), other_password()];
    let hashes = passwords.iter().map(Password::sha256);
    let mut secrets: Vec<String> = hashes.map(|hash: PasswordHash| hash.as_hex().to_owned()).collect();
    secrets.extend(passwords.iter().map(|password| password.reveal().to_owned()));
    for secret in secrets {
        assert!(!told.contains(&secret[..8]), "{told}");
    }
}
