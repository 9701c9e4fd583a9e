//! A server with very many entries: what looks at it cost it, and how fast entries are told apart and removed.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use redis::Value;
use redis::aio::MultiplexedConnection;
use tokencache_operator::{
    api::v1alpha1::Inspect,
    api::v1alpha1::OperationType,
    capability::progress::{Step, SweepId, Tally},
    data_protection::{
        key::{Key, KeyDates},
        payload::Purposes,
        ring::open::KeyRing,
    },
    entries::look::Inspection,
    entries::{
        entry::reader::Reader,
        sweep::{Selection, Sweep},
    },
    probe::{Probe, sweep::sweep, wire::Limits},
    redis::look::Desired,
};

use crate::operator::cpu_of;
use crate::report::{Goal, Report};
use crate::scene::{ADMIN_PASSWORD, admin, config, login, now, server_of, want};
use crate::support::redis_server::RedisServer;

/// Under which the entries of these servers stand.
const PREFIX: &str = "shop:";
const APPLICATION: &str = "/app";
/// Bytes of what is encrypted of an entry: the tokens of an account for one resource.
const PLAINTEXT: usize = 2000;
/// As many looks as there are in an hour, with the pause that is usual.
const LOOKS: u32 = 120;
const PERIOD: Duration = Duration::from_secs(30);
/// Keys that the bare program asks for, and reads, at a time: as the operator does.
const KEYS: usize = 500;
/// Entries that one script writes.
const WRITTEN_AT_ONCE: usize = 50_000;
/// How often each of the two has its turn; what is told is the median.
const TURNS: usize = 3;

/// Looks at a server with so many entries, for what is an hour to the operator.
pub async fn looked_at(entries: usize, report: &mut Report) {
    static SECONDS: AtomicI64 = AtomicI64::new(0);
    fn clock() -> Timestamp {
        Timestamp::from_second(now().as_second() + SECONDS.load(Ordering::Relaxed)).unwrap()
    }
    let (known, gone) = (key(1), key(2));
    let redis = server(entries).await;
    fill(&redis, entries, &known, &gone);
    let server = server_of(&redis);
    let probe = Probe::new(Limits::default(), clock);
    let want = Desired { max_memory: memory_for(entries), ..want() };
    let reader = Some(Arc::new(reader(known)));
    let inspection = Inspection { inspect: Inspect::Payloads, reader, swept: None };
    let (pid, own) = (redis.process().pid(), std::process::id());
    let (before, operator_before) = (cpu_of(pid), cpu_of(own));
    for _ in 0..LOOKS {
        probe.sample(&server, &login(), &want, &inspection).await.0.outcome.unwrap();
        SECONDS.fetch_add(PERIOD.as_secs().cast_signed(), Ordering::Relaxed);
    }
    let of = |whose: &str| format!("looks at a server with {entries} entries: {whose} CPU time");
    let percent = |cpu: Duration| 100.0 * cpu.as_secs_f64() / (PERIOD * LOOKS).as_secs_f64();
    report.figure(of("Redis'"), percent(cpu_of(pid).saturating_sub(before)), "%", Goal::AtMost(1.0));
    report.figure(of("the operator's"), percent(cpu_of(own).saturating_sub(operator_before)), "%", Goal::None);
}

/// Tells so many entries apart and removes every second one, beside a bare program that knows by their names which ones.
pub async fn removed(entries: usize, report: &mut Report) {
    let (known, gone) = (key(1), key(2));
    let redis = server(entries).await;
    let id = SweepId { operation: OperationType::Flush, requested: now(), step: Step::Remove };
    let reader = Some(Arc::new(reader(known.clone())));
    let wanted = Sweep { id, selection: Selection::Unreadable, reader, removed_before: 0 };
    let half = u64::try_from(entries / 2).unwrap();
    let expected = Tally { keys: 2 * half, meant: half, readable: half, removed: half, ..Tally::default() };
    let (mut of_operator, mut of_bare) = (Vec::new(), Vec::new());
    // In turns, since both share the machine with whatever else runs on it.
    for _ in 0..TURNS {
        fill(&redis, entries, &known, &gone);
        let begun = Instant::now();
        let tally = sweep(&server_of(&redis), &login(), None, PREFIX, &wanted, |_| {}).await.unwrap();
        of_operator.push(begun.elapsed());
        assert_eq!(tally, expected);
        fill(&redis, entries, &known, &gone);
        of_bare.push(bare(&redis, entries).await);
    }
    let (taken, bare_taken) = (median(of_operator), median(of_bare));

    let of = |figure: &str| format!("{entries} entries, every second one removed: {figure}");
    let a_second = |taken: Duration| crate::report::each(entries, 1) / taken.as_secs_f64();
    report.figure(of("entries a second"), a_second(taken), "", Goal::None);
    report.figure(of("entries a second by the bare program"), a_second(bare_taken), "", Goal::None);
    let ratio = bare_taken.as_secs_f64() / taken.as_secs_f64();
    report.figure(of("operator to bare program"), ratio, "", Goal::AtLeast(0.7));
}

fn median(mut all: Vec<Duration>) -> Duration {
    all.sort_unstable();
    all[all.len() / 2]
}

/// SCAN, HMGET and UNLINK, and nothing else.
async fn bare(redis: &RedisServer, entries: usize) -> Duration {
    let url = format!("redis://admin:{ADMIN_PASSWORD}@{}:{}/", redis.address(), redis.port());
    let mut connection = redis::Client::open(url).unwrap().get_multiplexed_async_connection().await.unwrap();
    let begun = Instant::now();
    let (mut cursor, mut seen, mut removed) = (0_u64, 0, 0);
    loop {
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(format!("{PREFIX}*")).arg("COUNT").arg(KEYS);
        let (next, names): (u64, Vec<Vec<u8>>) = scan.query_async(&mut connection).await.unwrap();
        seen += read(&mut connection, &names).await;
        let meant: Vec<&Vec<u8>> = names.iter().filter(|name| name.ends_with(ENDS[1].as_bytes())).collect();
        if !meant.is_empty() {
            removed += redis::cmd("UNLINK").arg(meant).query_async::<usize>(&mut connection).await.unwrap();
        }
        cursor = next;
        if cursor == 0 {
            break;
        }
    }
    assert_eq!((seen, removed), (entries, entries / 2));
    begun.elapsed()
}

async fn read(connection: &mut MultiplexedConnection, names: &[Vec<u8>]) -> usize {
    let mut pipe = redis::pipe();
    for name in names {
        pipe.cmd("HMGET").arg(name).arg("data");
    }
    pipe.query_async::<Vec<Value>>(connection).await.unwrap().len()
}

async fn server(entries: usize) -> RedisServer {
    RedisServer::start(&config().replace("256mb", &memory_for(entries).to_string())).await
}

/// More than they take.
fn memory_for(entries: usize) -> u64 {
    u64::try_from(entries).unwrap() * 4096 + (256 << 20)
}

/// How the names of entries end, and of those that the operator has no key for.
const ENDS: [&str; 2] = ["00000000000a", "00000000000b"];

/// Writes entries: every second one was encrypted with a key that the operator does not have. What is there is written anew.
fn fill(redis: &RedisServer, entries: usize, known: &Key, gone: &Key) {
    const SCRIPT: &str = "local data = ARGV[3]:gsub('..', function(pair) return string.char(tonumber(pair, 16)) end) \
                          for i = tonumber(ARGV[1]), tonumber(ARGV[2]) do \
                            local account = string.format('22222222-0000-0000-0000-%012d.aaaaaaaa-0000-0000-0000-', i) \
                            local name = KEYS[1] .. account .. ARGV[4] \
                            redis.call('HSET', name, 'absexp', '-1', 'sldexp', '-1', 'data', data) \
                          end";
    for (key, end) in [known, gone].into_iter().zip(ENDS) {
        let payload = hex::encode(protected(key));
        for first in (0..entries / 2).step_by(WRITTEN_AT_ONCE) {
            let last = (first + WRITTEN_AT_ONCE).min(entries / 2) - 1;
            let answer =
                admin(redis, &["EVAL", SCRIPT, "1", PREFIX, &first.to_string(), &last.to_string(), &payload, end]);
            assert_eq!(answer, "", "the entries are written");
        }
    }
}

/// What an application stores of an account.
fn protected(key: &Key) -> Vec<u8> {
    let tokens = format!(r#"{{"AccessToken":{{"key":{{"secret":"{}"}}}}}}"#, "x".repeat(PLAINTEXT));
    let ring = ring(key.clone());
    ring.protector(key.id).unwrap().protect(&Purposes::token_cache(APPLICATION), tokens.as_bytes(), &[7; 32]).unwrap()
}

fn reader(key: Key) -> Reader {
    Reader::new(ring(key), vec![APPLICATION.to_owned()])
}

fn ring(key: Key) -> KeyRing {
    KeyRing::open(&[key], &[], &[], &KeyRing::default())
}

/// A key, made from this byte.
fn key(dice: u8) -> Key {
    KeyDates { created: now(), activates: now(), expires: now() }.make(None, &[dice; 128]).unwrap()
}
