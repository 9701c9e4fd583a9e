//! A cache's server as the operator sets one up, and a look at it.

use std::net::IpAddr;

use jiff::Timestamp;
use tokencache_operator::redis::password::{LENGTH, Password, PasswordHash};
use tokencache_operator::redis::probe::{Limits, Probe};
use tokencache_operator::redis::sample::{Answer, Fault, Login, Sample, Server, Want};

use crate::support::redis_server::RedisServer;

/// What the operator's user may do.
pub const OPERATOR_RULES: &str = "%R~* +auth +ping +info +config|get +config|set +acl|getuser +acl|setuser +slowlog|get \
    +scan +type +pttl +hstrlen +hget";

/// What applications may do.
pub const APP_RULES: &str = "~shop:* resetchannels -@all +ping +hmget +hmset +expire +unlink";

pub const ADMIN_PASSWORD: &str = "admin";

pub fn operator_password() -> Password {
    Password::parse(&[b'o'; LENGTH]).unwrap()
}

pub fn app_password() -> Password {
    Password::parse(&[b'a'; LENGTH]).unwrap()
}

pub fn other_password() -> Password {
    Password::parse(&[b'x'; LENGTH]).unwrap()
}

/// The configuration of a server that is as wanted.
pub fn config() -> String {
    config_with(OPERATOR_RULES)
}

/// The configuration of a server whose operator's user has these rules.
pub fn config_with(operator_rules: &str) -> String {
    let (operator, app) = (operator_password().sha256(), app_password().sha256());
    format!(
        "maxmemory 256mb\nmaxmemory-policy volatile-lru\nuser default off\n\
         user admin on >{ADMIN_PASSWORD} ~* &* +@all\n\
         user operator on #{} resetkeys resetchannels -@all {operator_rules}\n\
         user app on #{} {APP_RULES}\n",
        operator.as_hex(),
        app.as_hex()
    )
}

/// Runs a command as somebody who may do everything.
pub fn admin(server: &RedisServer, command: &[&str]) -> String {
    server.cli_as("admin", ADMIN_PASSWORD, command)
}

pub fn want() -> Want {
    Want {
        max_memory: 256 << 20,
        has_room: true,
        eviction_policy: "volatile-lru".to_owned(),
        instance_name: "shop:".to_owned(),
        app_password: Some(app_password().sha256()),
        correct: true,
    }
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

/// One look, by which no secret came out.
pub async fn look(probe: &Probe, server: &Server, login: &Login, want: &Want) -> Result<Answer, Fault> {
    let sample = probe.sample(server, login, want).await;
    assert_tells_no_secret(&sample, &login.password);
    assert_eq!((&sample.server, sample.taken), (server, now()));
    sample.outcome
}

/// One look at a server by a probe that never met it, for the values that it should have.
pub async fn first_look(redis: &RedisServer) -> Result<Answer, Fault> {
    look(&probe(), &server_of(redis), &login(), &want()).await
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
