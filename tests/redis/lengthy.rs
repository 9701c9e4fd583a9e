//! What a server says at too great a length is not known, and everything else is: whoever can make one answer long blinds
//! the operator to nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokencache_operator::{
    api::v1alpha1::Amount,
    capability::progress::Step,
    entries::{
        look::census::{Expiry, Keyspace, Population, Prefix},
        sweep::Selection,
    },
    probe::Probe,
    redis::{
        look::{
            Desired,
            answer::{Answer, Refusal, Section, Unread},
            drift::{Correction, Parameter},
            load::{latency::Latency, memory::Memory},
        },
        settings::{MaxMemory, client_limits::ClientLimits},
    },
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::fake::Fake;
use crate::scene;
use crate::scene::{ADMIN_PASSWORD, Looked, admin, app_password, inspection, limits, login, looked, probe, server_of};
use crate::servers::each;
use crate::support::eventually::eventually;
use crate::support::redis_server::{RedisServer, say};
use crate::sweep::{swept, wanted};

/// Limits of clients that none of these commands reaches: those of a cache with more memory.
fn wide() -> ClientLimits {
    ClientLimits::of(MaxMemory::parse(&Amount::Text("16Gi".to_owned())).unwrap())
}

fn config() -> String {
    scene::config().replace(&limits().lines(), &wide().lines())
}

fn want() -> Desired {
    Desired { clients: wide(), ..scene::want() }
}

async fn look_with(probe: &Probe, redis: &RedisServer) -> Looked {
    looked(probe, &server_of(redis), &login(), &want(), &inspection()).await.unwrap()
}

/// Sends a command whose words may be longer than a command line takes, and reads the beginning of its answer.
async fn tell(stream: &mut TcpStream, words: &[&str]) -> String {
    let words = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
    let command: String = [format!("*{}\r\n", words.len())].into_iter().chain(words).collect();
    stream.write_all(command.as_bytes()).await.unwrap();
    let mut answer = [0; 200];
    let length = stream.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

async fn app(redis: &RedisServer) -> TcpStream {
    redis.client("app", app_password().reveal()).await
}

async fn administrator(redis: &RedisServer) -> TcpStream {
    redis.client("admin", ADMIN_PASSWORD).await
}

/// A key of so many kilobytes, another one for each number.
fn key(prefix: &str, number: usize, kilobytes: usize) -> String {
    format!("{prefix}{number}{}", "y".repeat(kilobytes << 10))
}

fn unread(parts: &[Section]) -> Vec<(Section, Unread)> {
    parts.iter().map(|&part| (part, Unread::TooLong)).collect()
}

fn unread_of(answer: &Answer) -> Vec<(Section, Unread)> {
    answer.unread.clone().into_iter().collect()
}

/// Nothing of a server's use stands still: a second look tells what takes two.
fn assert_goes_on(answer: &Answer, context: &str) {
    assert_eq!((answer.usage.memory, &answer.usage.latency), (Memory::Sufficient, &Latency::Acceptable), "{context}");
}

fn population(answer: &Looked) -> Population {
    match &answer.entries.entries {
        Keyspace::Seen(population) => *population,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn refusals_are_told_whatever_the_length_of_the_keys_and_of_the_clients_names() {
    for program in each() {
        for (kilobytes, keys) in [(300, 1), (300, 40), (1024, 40), (10 << 10, 3)] {
            let redis = RedisServer::start_program(&program, &config()).await;
            let probe = probe();
            for number in 0..keys {
                // Another one each time: the buffers of one that goes on add up to more than clients may take together.
                let mut client = app(&redis).await;
                let answer = tell(&mut client, &["HMGET", &key("other:", number, kilobytes), "data"]).await;
                assert!(answer.starts_with("-NOPERM"), "{answer}");
            }
            for _ in 0..2 {
                let told = look_with(&probe, &redis).await.answer.refusals;
                assert_eq!(told, [Refusal::Key("hmget".to_owned())], "{program}: {keys} of {kilobytes}");
            }
            let answer = look_with(&probe, &redis).await;
            assert!(!format!("{answer:?}").contains("other:"), "no key is told");
            assert_goes_on(&answer, &program);
            assert_eq!(population(&answer).prefix, Prefix::Unused);
        }
        let redis = RedisServer::start_program(&program, &config()).await;
        let mut client = app(&redis).await;
        assert_eq!(tell(&mut client, &["CLIENT", "SETNAME", &key("", 0, 300)]).await, "+OK\r\n");
        tell(&mut client, &["FLUSHALL"]).await;
        tell(&mut client, &["HMGET", "other:1", "data"]).await;
        let answer = look_with(&probe(), &redis).await;
        let expected = [Refusal::Command("flushall".to_owned()), Refusal::Key("unknown".to_owned())];
        assert_eq!((&answer.refusals[..], answer.unread.len()), (&expected[..], 0), "{program}");
    }
}

#[tokio::test]
async fn a_log_whose_latest_entry_is_too_long_makes_refusals_unknown_and_nothing_else() {
    for program in each() {
        let redis = RedisServer::start_program(&program, &config()).await;
        let (mut client, probe) = (app(&redis).await, probe());
        tell(&mut client, &["HMGET", &key("other:", 0, 20 << 10), "data"]).await;
        for _ in 0..3 {
            let answer = look_with(&probe, &redis).await;
            assert_eq!((answer.refusals.len(), unread_of(&answer)), (0, unread(&[Section::Refusals])), "{program}");
        }
        assert_goes_on(&look_with(&probe, &redis).await.answer, &program);
        admin(&redis, &["ACL", "LOG", "RESET"]);
        tell(&mut client, &["FLUSHALL"]).await;
        eventually("the log is read again", async || {
            let answer = look_with(&probe, &redis).await;
            if answer.unread.is_empty() { Ok(answer.answer.refusals) } else { Err(format!("{answer:?}")) }
        })
        .await;
        assert_eq!(look_with(&probe, &redis).await.refusals, [Refusal::Command("flushall".to_owned())], "{program}");
    }
}

#[tokio::test]
async fn a_log_that_is_full_of_what_others_were_refused_says_nothing_of_the_application() {
    let redis = RedisServer::start(&config()).await;
    let mut client = TcpStream::connect((redis.address(), redis.port())).await.unwrap();
    let mut other = app(&redis).await;
    say(&mut other, "FLUSHALL").await;
    for number in 0..130 {
        say(&mut client, &format!("AUTH nobody{number} wrong")).await;
    }
    let answer = look_with(&probe(), &redis).await;
    assert_eq!((answer.refusals.len(), unread_of(&answer)), (0, unread(&[Section::Refusals])));
}

#[tokio::test]
async fn kinds_of_errors_that_a_script_makes_up_hide_nothing_but_the_errors() {
    for program in each() {
        let redis = RedisServer::start_program(&program, &config()).await;
        let probe = probe();
        let mut client = app(&redis).await;
        for number in 0..6000 {
            let kind = format!("KIND{number} {}", "x".repeat(20));
            let answer = tell(&mut client, &["EVAL", "return redis.error_reply(ARGV[1])", "1", "shop:a", &kind]).await;
            assert!(answer.starts_with('-'), "{answer}");
        }
        for _ in 0..2 {
            look_with(&probe, &redis).await;
        }
        let answer = look_with(&probe, &redis).await;
        assert_goes_on(&answer, &program);
        // Later servers count no more than some kinds.
        let expected = if answer.version.starts_with("7.0") { unread(&[Section::Errors]) } else { vec![] };
        assert_eq!(unread_of(&answer), expected, "{program}");
    }
}

#[tokio::test]
async fn keys_with_long_names_are_passed_over_and_everything_else_is_seen() {
    for program in each() {
        let redis = RedisServer::start_program(&program, &config()).await;
        let (mut client, probe) = (app(&redis).await, probe());
        for number in 0..80 {
            let written = tell(&mut client, &["HMSET", &key("shop:", number, 300), "data", "x"]).await;
            assert_eq!(written, "+OK\r\n");
        }
        let seen = population(&look_with(&probe, &redis).await);
        assert_eq!((seen.unnamed, seen.expiry), (true, Expiry::NotYetKnown), "{program}");
        tell(&mut client, &["HMSET", "shop:entry", "data", "{\"AccessToken\":{}}"]).await;
        let answer = eventually("every key was seen", async || {
            let answer = look_with(&probe, &redis).await;
            let is_seen = matches!(population(&answer).expiry, Expiry::Never(_));
            if is_seen { Ok(answer) } else { Err(format!("{answer:?}")) }
        })
        .await;
        assert_eq!(population(&answer).prefix, Prefix::Used, "{program}");
        assert_goes_on(&answer, &program);
        assert!(answer.unread.is_empty(), "{program}: {answer:?}");
    }
}

#[tokio::test]
async fn a_key_that_is_longer_than_an_answer_may_be_is_passed_over_too() {
    let redis = RedisServer::start(&config()).await;
    let (mut client, probe) = (app(&redis).await, probe());
    tell(&mut client, &["HMSET", &key("shop:", 0, 20 << 10), "data", "y"]).await;
    tell(&mut client, &["HMSET", "shop:entry", "data", "{\"AccessToken\":{}}"]).await;
    let answer = eventually("every key was seen", async || {
        let answer = look_with(&probe, &redis).await;
        let is_seen = matches!(&answer.entries.entries, Keyspace::Seen(seen) if seen.expiry != Expiry::NotYetKnown);
        if is_seen { Ok(answer) } else { Err(format!("{answer:?}")) }
    })
    .await;
    assert_eq!((population(&answer).prefix, population(&answer).unnamed), (Prefix::Used, true));
    assert_eq!(look_with(&probe, &redis).await.usage.memory, Memory::Sufficient);
}

#[tokio::test]
async fn a_sweep_comes_to_its_end_whatever_the_length_of_the_keys() {
    let redis = RedisServer::start(&config()).await;
    let mut client = app(&redis).await;
    for number in 0..100 {
        tell(&mut client, &["HMSET", &key("shop:", number, 300), "data", "y"]).await;
    }
    tell(&mut client, &["HMSET", "shop:entry", "data", "{}"]).await;
    let tally = swept(&redis, &wanted(Step::Remove, Selection::All, None)).await.unwrap();
    assert_eq!((tally.keys, tally.removed), (101, 101));
    assert_eq!(admin(&redis, &["DBSIZE"]), "0");
}

#[tokio::test]
async fn users_with_very_long_rules_are_set_right_or_removed() {
    for program in each() {
        let redis = RedisServer::start_program(&program, &config()).await;
        look_with(&probe(), &redis).await;
        let mut admin = administrator(&redis).await;
        for number in 0..20 {
            let pattern = format!("~{}", key("", number, 300));
            let answer =
                tell(&mut admin, &["ACL", "SETUSER", &format!("mallory{number}"), "on", "nopass", &pattern]).await;
            assert_eq!(answer, "+OK\r\n");
        }
        tell(&mut admin, &["ACL", "SETUSER", "app", &format!("~{}", key("", 0, 300))]).await;
        let answer = look_with(&probe(), &redis).await;
        let told: Vec<_> = answer.drift.iter().map(|drift| (drift.parameter, &drift.correction)).collect();
        let expected =
            [(Parameter::Rights("app"), &Correction::Corrected), (Parameter::Strangers, &Correction::Corrected)];
        assert_eq!(told, expected, "{program}");
        assert!(format!("{answer:?}").len() < 10_000, "it is told in a few words");
        let answer = look_with(&probe(), &redis).await;
        assert_eq!((&answer.drift[..], answer.unread.len()), (&[][..], 0), "{program}");
    }
}

/// What a server answers at too great a length, and what is not known then.
const COMMANDS: &[(&str, &[Section])] = &[
    ("INFO server clients", &[Section::Server]),
    ("INFO server memory", &[Section::Use]),
    ("INFO commandstats", &[Section::Calls]),
    ("INFO errorstats", &[Section::Errors]),
    ("CONFIG GET maxmemory", &[Section::MemorySettings]),
    ("CONFIG GET appendonly", &[Section::AppendSettings]),
    ("ACL LIST", &[Section::Users]),
    ("ACL LOG", &[Section::Refusals]),
    ("SCAN", &[Section::Keys]),
    ("TYPE", &[Section::Keys]),
    ("PTTL", &[Section::Keys]),
    ("HSTRLEN", &[Section::Payloads]),
    ("HGET", &[]),
    ("CONFIG SET", &[]),
];

/// An answer of so many bytes: its beginning is that of a good one.
fn long(command: &str, bytes: usize) -> Vec<u8> {
    let beginning = if command.starts_with("INFO server") { "redis_version:7.0.15\r\nrun_id:1\r\n" } else { "" };
    let text = beginning.to_owned() + &"x".repeat(bytes);
    format!("${}\r\n{text}\r\n", text.len()).into_bytes()
}

fn many(bytes: usize) -> Vec<u8> {
    [&b"*1000000\r\n"[..], &b"$5\r\nuser \r\n".repeat(bytes / 11)].concat()
}

#[tokio::test]
async fn whichever_answer_is_too_long_only_what_goes_by_it_is_unknown_and_the_next_look_knows_all() {
    for (command, parts) in COMMANDS {
        for shape in ["string", "endless string", "list"] {
            if shape == "list" && command.starts_with("INFO server clients") {
                continue; // That is no INFO, whatever its length.
            }
            let is_long = Arc::new(AtomicBool::new(true));
            let still = Arc::clone(&is_long);
            let fake = Fake::redis_but(move |asked| {
                let is_asked = asked.starts_with(command) && still.load(Ordering::Relaxed);
                is_asked.then(|| match shape {
                    "string" => long(command, 300 << 10),
                    "endless string" => {
                        [&b"$9999999999\r\n"[..], &long(command, 20 << 20)[b"$20971555\r\n".len()..]].concat()
                    }
                    _ => many(20 << 20),
                })
            })
            .await;
            let probe = probe();
            let look = async || looked(&probe, &fake.server, &login(), &want(), &inspection()).await;
            let answer = look().await.unwrap_or_else(|fault| panic!("{command}: {shape}: {fault:?}"));
            let told: Vec<_> = answer.unread.keys().copied().collect();
            // A payload that is too long is one of those that are passed over.
            let parts = if (*command, shape) == ("HGET", "list") { &[Section::Payloads] } else { *parts };
            assert_eq!(told, parts, "{command}: {shape}");
            is_long.store(false, Ordering::Relaxed);
            let answer = eventually("all is known again", async || {
                let answer = look().await.map_err(|fault| format!("{command}: {shape}: {fault:?}"))?;
                if answer.unread.is_empty() { Ok(answer) } else { Err(format!("{command}: {shape}: {answer:?}")) }
            })
            .await;
            assert!(matches!(answer.entries.entries, Keyspace::Seen(_)), "{command}: {shape}: {answer:?}");
        }
    }
}
