//! A script that never ends keeps a server from everything else: it is ended where that loses nothing.

use std::time::Duration;

use tokencache_operator::{
    api::v1alpha1::Acl,
    probe::{Probe, wire::Limits},
    redis::look::{
        drift::{Correction, Parameter},
        fault::{Fault, Kill},
    },
};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::scene::{
    ADMIN_PASSWORD, admin, app_password, config_with, config_without, login, look, now, server_of, users, want,
};
use crate::servers::each;
use crate::support::eventually::eventually;
use crate::support::redis_server::{RedisServer, say};

const LOOP: &str = "EVAL \"while true do end\" 0";
const WRITING_LOOP: &str = "EVAL \"redis.call('HSET', KEYS[1], 'data', 'x') while true do end\" 1 shop:written";
const STUBBORN_LOOP: &str = "EVAL \"while true do pcall(function() while true do end end) end\" 0";
/// So soon a server says BUSY here, in milliseconds.
const SOON: &str = "busy-reply-threshold 100\n";

/// A probe that has as little patience.
fn probe() -> Probe {
    Probe::new(Limits { script: Duration::from_millis(200), ..Limits::default() }, now)
}

async fn start(program: &str) -> RedisServer {
    let redis = RedisServer::start_program(program, &(config_with(&users(Acl::Compatible, "shop:")) + SOON)).await;
    admin(&redis, &["HSET", "shop:kept", "data", "{}"]);
    redis
}

/// Has a user run this from now on.
async fn run(redis: &RedisServer, user: &str, password: &str, script: &str) -> TcpStream {
    let mut client = redis.client(user, password).await;
    client.write_all(format!("{script}\r\n").as_bytes()).await.unwrap();
    eventually("the server is busy", async || {
        let answer = admin(redis, &["PING"]);
        if answer.starts_with("BUSY") { Ok(()) } else { Err(answer) }
    })
    .await;
    client
}

async fn run_as_app(redis: &RedisServer, script: &str) -> TcpStream {
    run(redis, "app", app_password().reveal(), script).await
}

/// Looks until something else is said than that the script may end by itself.
async fn outcome(probe: &Probe, redis: &RedisServer) -> Result<Vec<(Parameter, Correction)>, Fault> {
    eventually("something comes of it", async || match look(probe, &server_of(redis), &login(), &want()).await {
        Err(Fault::Busy(Kill::NotYet)) => Err("not yet".to_owned()),
        Err(Fault::Frozen) => Err("frozen".to_owned()),
        outcome => {
            Ok(outcome
                .map(|answer| answer.drift.into_iter().map(|drift| (drift.parameter, drift.correction)).collect()))
        }
    })
    .await
}

#[tokio::test]
async fn a_loop_that_has_written_nothing_is_ended_at_the_second_look_and_every_entry_is_kept() {
    for program in each() {
        for script in [LOOP, "EVAL \"while true do redis.call('HMGET', KEYS[1], 'data') end\" 1 shop:kept"] {
            let redis = start(&program).await;
            let (probe, server) = (probe(), server_of(&redis));
            let mut client = run_as_app(&redis, script).await;
            let first = look(&probe, &server, &login(), &want()).await;
            assert_eq!(first, Err(Fault::Busy(Kill::NotYet)), "{program}: it may end by itself");
            let told = outcome(&probe, &redis).await;
            assert_eq!(told, Ok(vec![(Parameter::Script, Correction::Corrected)]), "{program}: {script}");
            assert_eq!(admin(&redis, &["HGET", "shop:kept", "data"]), "{}", "{program}");
            assert_eq!(outcome(&probe, &redis).await, Ok(vec![]), "{program}: told once");
            assert!(say(&mut client, "PING").await.contains("killed by user"), "{program}");
        }
    }
}

#[tokio::test]
async fn a_script_that_ends_by_itself_is_left_alone() {
    let redis = start("redis-server").await;
    let probe = probe();
    let script = "EVAL \"local calls = 0 while calls < 30000000 do calls = calls + 1 end return calls\" 0";
    let mut client = run_as_app(&redis, script).await;
    look(&probe, &server_of(&redis), &login(), &want()).await.ok();
    eventually("it has ended", async || {
        let answer = admin(&redis, &["PING"]);
        if answer == "PONG" { Ok(()) } else { Err(answer) }
    })
    .await;
    assert_eq!(outcome(&probe, &redis).await, Ok(vec![]));
    assert!(say(&mut client, "PING").await.starts_with(":30000000\r\n"), "it was not ended");
}

#[tokio::test]
async fn a_loop_that_has_written_cannot_be_ended_and_is_told_so() {
    for program in each() {
        let redis = start(&program).await;
        let probe = probe();
        let _client = run_as_app(&redis, WRITING_LOOP).await;
        for _ in 0..2 {
            assert_eq!(outcome(&probe, &redis).await, Err(Fault::Busy(Kill::Unkillable)), "{program}");
        }
    }
}

#[tokio::test]
async fn a_function_that_never_ends_is_ended_too() {
    const LIBRARY: &str = "#!lua name=endless\nredis.register_function('endless', function() while true do end end)";
    for program in each() {
        let redis = start(&program).await;
        assert_eq!(admin(&redis, &["FUNCTION", "LOAD", LIBRARY]), "endless", "{program}");
        let _client = run(&redis, "admin", ADMIN_PASSWORD, "FCALL endless 0").await;
        let told = outcome(&probe(), &redis).await;
        assert_eq!(told, Ok(vec![(Parameter::Script, Correction::Corrected)]), "{program}");
    }
}

#[tokio::test]
async fn a_loop_that_catches_its_own_end_does_not_blind_the_operator() {
    for program in each() {
        let redis = start(&program).await;
        let _client = run_as_app(&redis, STUBBORN_LOOP).await;
        let told = outcome(&probe(), &redis).await;
        let ended = Ok(vec![(Parameter::Script, Correction::Corrected)]);
        assert!(told == ended || told == Err(Fault::Busy(Kill::Ineffective)), "{program}: {told:?}");
    }
}

#[tokio::test]
async fn while_paused_or_where_the_operator_may_not_a_loop_goes_on() {
    let redis = start("redis-server").await;
    let _client = run_as_app(&redis, LOOP).await;
    let mut paused = want();
    paused.correct = false;
    let probe = probe();
    for _ in 0..2 {
        let told = look(&probe, &server_of(&redis), &login(), &paused).await;
        assert_eq!(told, Err(Fault::Busy(Kill::Withheld)));
    }
    assert!(admin(&redis, &["PING"]).starts_with("BUSY"));

    let redis = RedisServer::start(&(config_without(&["script|kill"]) + SOON)).await;
    let _client = run_as_app(&redis, LOOP).await;
    match outcome(&self::probe(), &redis).await {
        Err(Fault::Busy(Kill::Refused(words))) => assert!(words.starts_with("NOPERM"), "{words}"),
        other => panic!("{other:?}"),
    }
}
