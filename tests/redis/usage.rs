//! What many looks at a real server add up to: memory, latency, and what stands in it.

use std::time::Duration;

use tokencache_operator::{
    api::v1alpha1::Inspect,
    entries::{
        entry::class::Class,
        look::census::{Expiry, Keyspace, Population, Prefix, Share},
        look::{Inspection, Look, payloads::Payloads},
    },
    probe::Probe,
    redis::look::load::{
        TOLD_FOR, Usage,
        latency::{Cause, Latency, Slow},
        memory::{Memory, Sign},
    },
};

use crate::scene::{
    ADMIN_PASSWORD, Looked, admin, config, config_without, inspection, login, look, looked, probe, server_of, want,
};
use crate::support::eventually::eventually;
use crate::support::process::Process;
use crate::support::redis_server::RedisServer;

/// One look, and what all of them add up to.
async fn used(probe: &Probe, redis: &RedisServer) -> Used {
    used_with(probe, redis, 256, "volatile-lru").await
}

async fn used_with(probe: &Probe, redis: &RedisServer, mebibytes: u64, policy: &str) -> Used {
    let mut want = want();
    (want.max_memory, want.eviction_policy) = (mebibytes << 20, policy.to_owned());
    of(looked(probe, &server_of(redis), &login(), &want, &inspection()).await.unwrap())
}

/// What a look showed of a server's use.
#[derive(Debug)]
struct Used {
    memory: Memory,
    latency: Latency,
    entries: Keyspace,
    payloads: Payloads,
}

fn of(Looked { answer, entries: Look { entries, payloads, .. } }: Looked) -> Used {
    let Usage { memory, latency, entries: _ } = answer.usage;
    Used { memory, latency, entries, payloads }
}

fn population(usage: &Used) -> Population {
    match &usage.entries {
        Keyspace::Seen(population) => *population,
        other => panic!("{other:?}"),
    }
}

/// Writes keys with a script of the server's own: so many entries of so many bytes, with an expiration or without.
fn write(redis: &RedisServer, prefix: &str, count: usize, payload: &str, seconds: u64) -> String {
    let script = "for i = 1, tonumber(ARGV[1]) do \
                    local key = KEYS[1] .. i \
                    redis.call('HMSET', key, 'absexp', '-1', 'sldexp', '-1', 'data', ARGV[2]) \
                    if ARGV[3] ~= '0' then redis.call('EXPIRE', key, ARGV[3]) end \
                  end";
    let (count, seconds) = (count.to_string(), seconds.to_string());
    admin(redis, &["EVAL", script, "1", prefix, &count, payload, &seconds])
}

const PLAIN: &str = "{\"AccessToken\":{}}";

#[tokio::test]
async fn evictions_are_told_with_more_memory_than_there_is_and_no_more_when_they_end() {
    let redis = RedisServer::start(&config()).await;
    let probe = probe();
    assert_eq!(used_with(&probe, &redis, 16, "volatile-lru").await.memory, Memory::NotYetKnown);
    write(&redis, "shop:", 6000, &"x".repeat(4000), 3600);
    let Memory::Short { sign, of, proposal } = used_with(&probe, &redis, 16, "volatile-lru").await.memory else {
        panic!("nothing is told")
    };
    assert!(matches!(sign, Sign::Evicted { at_least } if at_least >= 1000), "{sign:?}");
    assert_eq!(of, 16 << 20);
    assert!(proposal.is_some_and(|proposal| (24 << 20..=64 << 20).contains(&proposal)), "{proposal:?}");
    admin(&redis, &["FLUSHALL"]);
    // What was over the limit may have been evicted after that look.
    let mut looks = 0;
    while used_with(&probe, &redis, 16, "volatile-lru").await.memory != Memory::Sufficient {
        looks += 1;
        assert!(looks <= TOLD_FOR, "it does not end");
    }
    assert!(looks >= TOLD_FOR - 1, "it was told for {looks} looks only");
}

#[tokio::test]
async fn about_how_many_entries_a_restart_would_lose_is_told_by_the_latest_look() {
    let redis = RedisServer::start(&config()).await;
    let probe = probe();
    let (server, want) = (server_of(&redis), want());
    let mut told = Vec::new();
    for count in [0, 1214, 1300] {
        write(&redis, "shop:", count, PLAIN, 3600);
        told.push(looked(&probe, &server, &login(), &want, &inspection()).await.unwrap().answer.usage.entries);
    }
    assert_eq!(told, [Some(0), Some(1200), Some(1200)]);
}

#[tokio::test]
async fn refused_writes_are_told() {
    let redis = RedisServer::start(&config()).await;
    let probe = probe();
    used_with(&probe, &redis, 16, "noeviction").await;
    for number in 0..6 {
        write(&redis, &format!("shop:{number}-"), 1000, &"x".repeat(4000), 3600);
    }
    assert!(admin(&redis, &["SET", "x", "y"]).starts_with("OOM"));
    let memory = used_with(&probe, &redis, 16, "noeviction").await.memory;
    assert!(matches!(memory, Memory::Short { sign: Sign::Refused { is_over: false }, .. }), "{memory:?}");
    admin(&redis, &["FLUSHALL"]);
    let memory = used_with(&probe, &redis, 16, "noeviction").await.memory;
    assert!(matches!(memory, Memory::Short { sign: Sign::Refused { is_over: true }, .. }), "{memory:?}");
}

#[tokio::test]
async fn a_server_that_nobody_has_written_to_is_unused_after_one_look() {
    let redis = RedisServer::start(&config()).await;
    let seen = population(&used(&probe(), &redis).await);
    assert_eq!(
        seen,
        Population { prefix: Prefix::Unused, expiry: Expiry::All, others: false, other_database: None, unnamed: false }
    );
}

#[tokio::test]
async fn entries_are_told_from_other_keys() {
    let mut redis = RedisServer::start(&config()).await;
    let probe = probe();
    admin(&redis, &["SET", "shop:text", "x"]);
    admin(&redis, &["SET", "else", "x"]);
    let seen = population(&used(&probe, &redis).await);
    assert_eq!((seen.prefix, seen.others, seen.expiry), (Prefix::Unused, true, Expiry::All));
    write(&redis, "shop:plain", 2, PLAIN, 60);
    let seen = population(&used(&probe, &redis).await);
    assert_eq!((seen.prefix, seen.expiry), (Prefix::Used, Expiry::All));
    write(&redis, "shop:endless", 2, PLAIN, 0);
    assert_eq!(population(&used(&probe, &redis).await).expiry, Expiry::Never(Share::Most));
    admin(&redis, &["FLUSHALL"]);
    assert_eq!(population(&used(&probe, &redis).await).prefix, Prefix::Used, "it was written to");
    redis.restart().await;
    let anew = used(&probe, &redis).await;
    assert_eq!((population(&anew).prefix, anew.memory), (Prefix::Unused, Memory::NotYetKnown), "nothing is kept");
    assert_eq!(admin(&redis, &["ACL", "LOG"]), "");
}

#[tokio::test]
async fn an_operator_without_the_right_to_look_at_keys_still_gets_every_other_answer() {
    let redis = RedisServer::start(&config_without(&["scan"])).await;
    let probe = probe();
    let mut want = want();
    // Otherwise it would give itself the right.
    want.correct = false;
    look(&probe, &server_of(&redis), &login(), &want).await.unwrap();
    let usage = of(looked(&probe, &server_of(&redis), &login(), &want, &inspection()).await.unwrap());
    assert!(matches!(&usage.entries, Keyspace::Refused(words) if words.starts_with("NOPERM ")), "{usage:?}");
    assert_eq!((usage.memory, usage.latency), (Memory::Sufficient, Latency::Acceptable));
}

/// What is told of a server that sleeps again and again.
async fn slow(redis: &RedisServer, inspection: &Inspection) -> Latency {
    let probe = probe();
    looked(&probe, &server_of(redis), &login(), &want(), inspection).await.unwrap();
    let command = "exec redis-cli -h $0 -p $1 --user admin --pass $2 -r 1000 DEBUG SLEEP 0.15";
    let (address, port) = (redis.address().to_string(), redis.port().to_string());
    let log = redis.folder().join("sleeper.log");
    let args = ["-c".to_owned(), command.to_owned(), address, port, ADMIN_PASSWORD.to_owned()];
    let _sleeper = Process::start("sh", &args, redis.folder(), &log);
    eventually("slow answers are told", async || {
        match of(looked(&probe, &server_of(redis), &login(), &want(), inspection).await.unwrap()).latency {
            slow @ Latency::Slow { .. } => Ok(slow),
            other => Err(format!("{other:?}")),
        }
    })
    .await
}

#[tokio::test]
async fn a_slow_command_is_named_without_its_arguments() {
    let redis = RedisServer::start(&(config() + "enable-debug-command yes\n")).await;
    match slow(&redis, &inspection()).await {
        Latency::Slow { what: Slow::RoundTrip, cause: Cause::Command(name), .. } => assert_eq!(name, "DEBUG"),
        other => panic!("{other:?}"),
    }
}

/// The log of slow commands has the beginnings of what was written.
#[tokio::test]
async fn where_no_payload_is_to_be_read_slow_commands_are_not_asked_for() {
    let redis = RedisServer::start(&(config() + "enable-debug-command yes\n")).await;
    let metadata = Inspection { inspect: Inspect::Metadata, ..inspection() };
    let told = slow(&redis, &metadata).await;
    assert!(matches!(told, Latency::Slow { cause: Cause::Processor | Cause::Network, .. }), "{told:?}");
    assert!(!admin(&redis, &["INFO", "commandstats"]).contains("slowlog"));
}

/// The server's time for everything that it was asked, in microseconds.
fn spent(redis: &RedisServer) -> u64 {
    let stats = admin(redis, &["INFO", "commandstats"]);
    let spent = |line: &str| line.split("usec=").nth(1)?.split(',').next()?.parse::<u64>().ok();
    stats.lines().filter_map(spent).sum()
}

#[tokio::test]
async fn looks_at_a_hundred_thousand_entries_cost_less_than_a_hundredth_of_the_servers_time() {
    const LOOKS: u32 = 20;
    const PERIOD: Duration = Duration::from_secs(30);
    let redis = RedisServer::start(&config()).await;
    for number in 0..10 {
        write(&redis, &format!("shop:{number}-"), 10_000, PLAIN, 3600);
    }
    let probe = probe();
    used(&probe, &redis).await;
    let before = spent(&redis);
    for _ in 0..LOOKS {
        used(&probe, &redis).await;
    }
    let spent = Duration::from_micros(spent(&redis) - before);
    assert!(spent * 100 < PERIOD * LOOKS, "{spent:?} for {LOOKS} looks");
    let seen = used(&probe, &redis).await;
    assert_eq!((population(&seen).prefix, seen.payloads.has(Class::Plain)), (Prefix::Used, true));
}

#[tokio::test]
async fn every_key_is_seen_in_as_many_looks_as_it_takes() {
    let redis = RedisServer::start(&config()).await;
    for number in 0..3 {
        write(&redis, &format!("else:{number}-"), 1000, PLAIN, 0);
    }
    admin(&redis, &["CONFIG", "RESETSTAT"]);
    let probe = probe();
    let mut looks = 1;
    while population(&used(&probe, &redis).await).prefix == Prefix::NotYetKnown {
        looks += 1;
        assert!(looks < 20, "the way through the keys does not end");
    }
    assert!(looks >= 6, "at most 500 keys are looked at each time, and these were {looks} looks");
    assert_eq!(population(&used(&probe, &redis).await).prefix, Prefix::Unused);
}
