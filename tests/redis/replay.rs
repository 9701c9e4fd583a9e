//! What the clients of a cache send, as their user: nothing of it is refused. And what others would send is.
//!
//! Handshake and commands are those seen of StackExchange.Redis 2.7 to 3.1 and `RedisCache` 10, and for packages up to 8.x
//! their script in our own words.

use tokencache_operator::{
    api::v1alpha1::Acl,
    redis::look::{Desired, answer::Refusal},
};

use crate::scene::{admin, app_password, config_with, login, look, probe, server_of, users, want};
use crate::servers::each;
use crate::support::redis_server::{RedisServer, say};

const KEY: &str = "shop:22222222-2222-2222-2222-000000000001.aaaaaaaa";

/// With any connection string. Beside these the client sends SENTINEL MASTERS, which a data node does not know.
const HANDSHAKE: &[&[&str]] = &[
    &["CONFIG", "GET", "timeout"],
    &["CONFIG", "GET", "databases"],
    &["CLUSTER", "NODES"],
    &["GET", "__Booksleeve_TieBreak"],
];

/// With the published connection string too.
const SHORT_HANDSHAKE: &[&[&str]] = &[
    &["HELLO", "3"],
    &["CLIENT", "SETNAME", "web(SE.Redis-v2.13.23.1338)"],
    &["CLIENT", "SETINFO", "lib-name", "SE.Redis"],
    &["CLIENT", "SETINFO", "lib-ver", "2.13.23"],
    &["CLIENT", "ID"],
    &["INFO", "replication"],
    &["INFO", "server"],
    &["ECHO", "tie"],
    &["PING"],
    &["SELECT", "0"],
    &["SELECT", "3"],
];

const ENTRY: &[&[&str]] = &[
    &["HMGET", KEY, "absexp", "sldexp", "data"],
    &["HMSET", KEY, "absexp", "-1", "sldexp", "6000000000", "data", "{}"],
    &["EXPIRE", KEY, "600"],
    &["PEXPIRE", KEY, "599999"],
    &["HMGET", KEY, "absexp", "sldexp"],
    &["UNLINK", KEY],
    &["QUIT"],
];

const SCRIPT: &str = "redis.call('HSET', KEYS[1], 'absexp', ARGV[1], 'sldexp', ARGV[2], 'data', ARGV[4]) \
    if ARGV[3] ~= '-1' then redis.call('EXPIRE', KEYS[1], ARGV[3]) end return 1";

/// What nobody who only has the applications' login may do.
const FORBIDDEN: &[&[&str]] = &[
    &["HMSET", "other:1", "data", "x"],
    &["HMGET", "other:1", "data"],
    &["UNLINK", "other:1"],
    &["KEYS", "*"],
    &["SCAN", "0"],
    &["FLUSHALL"],
    &["CONFIG", "SET", "maxmemory", "0"],
    &["ACL", "LIST"],
    &["SHUTDOWN", "NOSAVE"],
    &["REPLICAOF", "NO", "ONE"],
];

/// A server as a look leaves it.
async fn settled(program: &str, acl: Acl) -> RedisServer {
    let redis = RedisServer::start_program(program, &config_with(&users(acl, "shop:"))).await;
    let wanted = Desired { users: users(acl, "shop:"), ..want() };
    let answer = look(&probe(), &server_of(&redis), &login(), &wanted).await.unwrap();
    assert_eq!(answer.drift, []);
    redis
}

fn app(redis: &RedisServer, command: &[&str]) -> String {
    redis.cli_as("app", app_password().reveal(), command)
}

/// Sends what must not be refused. A server may not know a command, such as CLIENT SETINFO on 7.0.
fn replay(redis: &RedisServer, program: &str, commands: &[&[&str]]) {
    for command in commands {
        let answer = app(redis, command);
        assert!(!answer.contains("NOPERM"), "{program}: {command:?}: {answer}");
        assert_eq!(admin(redis, &["ACL", "LOG"]), "", "{program}: {command:?}");
    }
}

#[tokio::test]
async fn any_client_is_refused_nothing_by_the_standard_list_nor_by_the_compatible_one() {
    for program in each() {
        for acl in [Acl::default(), Acl::Compatible] {
            let redis = settled(&program, acl).await;
            replay(&redis, &program, HANDSHAKE);
            replay(&redis, &program, SHORT_HANDSHAKE);
            let mut client = redis.client("app", app_password().reveal()).await;
            let answer = say(&mut client, "SUBSCRIBE __Booksleeve_MasterChanged").await;
            assert!(answer.starts_with("*3"), "{program}: {answer}");
            assert_eq!(admin(&redis, &["ACL", "LOG"]), "", "{program}");
            replay(&redis, &program, ENTRY);
        }
    }
}

#[tokio::test]
async fn a_client_with_the_published_connection_string_is_refused_nothing_by_the_strict_list() {
    for program in each() {
        let redis = settled(&program, Acl::Strict).await;
        replay(&redis, &program, SHORT_HANDSHAKE);
        replay(&redis, &program, ENTRY);
    }
}

#[tokio::test]
async fn the_scripts_of_package_8_run_under_the_compatible_list_only_and_are_told_under_the_others() {
    for program in each() {
        let redis = settled(&program, Acl::Compatible).await;
        let arguments = ["1", KEY, "-1", "6000000000", "600", "{}"];
        assert_eq!(app(&redis, &[&["EVAL", SCRIPT], &arguments[..]].concat()), "1", "{program}");
        assert_eq!(app(&redis, &["HMGET", KEY, "data"]), "{}");
        let sha = app(&redis, &["SCRIPT", "LOAD", SCRIPT]);
        assert_eq!(app(&redis, &[&["EVALSHA", &sha], &arguments[..]].concat()), "1", "{program}");
        assert_eq!(admin(&redis, &["TTL", KEY]), "600", "{program}");
        assert_eq!(admin(&redis, &["ACL", "LOG"]), "", "{program}");

        let outside = app(&redis, &["EVAL", SCRIPT, "1", "other:1", "-1", "-1", "-1", "{}"]);
        assert!(outside.contains("NOPERM"), "{program}: a script reaches no other keys: {outside}");
        for acl in [Acl::Standard, Acl::Strict] {
            let redis = settled(&program, acl).await;
            assert!(app(&redis, &[&["EVAL", SCRIPT], &arguments[..]].concat()).starts_with("NOPERM"), "{program}");
            assert!(app(&redis, &[&["EVALSHA", &sha], &arguments[..]].concat()).starts_with("NOPERM"), "{program}");
            assert!(app(&redis, &["SCRIPT", "LOAD", SCRIPT]).starts_with("NOPERM"), "{program}");
            let wanted = Desired { users: users(acl, "shop:"), ..want() };
            let answer = look(&probe(), &server_of(&redis), &login(), &wanted).await.unwrap();
            let told = ["eval", "evalsha", "script|load"].map(|command| Refusal::Command(command.to_owned()));
            assert_eq!(answer.refusals, told, "{program}: {acl:?}");
        }
    }
}

#[tokio::test]
async fn whatever_else_the_applications_login_could_be_used_for_is_refused() {
    for program in each() {
        for acl in [Acl::Standard, Acl::Compatible, Acl::Strict] {
            let redis = settled(&program, acl).await;
            for command in FORBIDDEN {
                let answer = app(&redis, command);
                assert!(answer.starts_with("NOPERM"), "{program}: {acl:?}: {command:?}: {answer}");
            }
        }
    }
}

#[tokio::test]
async fn a_wrong_login_does_not_go_on_as_somebody_else() {
    for program in each() {
        let redis = settled(&program, Acl::Compatible).await;
        let answer = redis.cli(&["PING"]);
        assert!(answer.starts_with("NOAUTH"), "{program}: {answer}");
        let probing = crate::scene::operator_password().derive("probe");
        assert_eq!(redis.cli_as("probe", probing.reveal(), &["PING"]), "PONG");
        assert!(redis.cli_as("probe", probing.reveal(), &["INFO"]).starts_with("NOPERM"));
    }
}
