//! Entries that real applications stored, in real servers, told apart exactly.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokencache_operator::{
    api::v1alpha1::Inspect,
    data_protection::{key::id::KeyId, ring::open::KeyRing},
    entries::{
        entry::{
            class::Class::{self, Encrypted, KeyMissing, OtherApplication, Plain, Readable, Strange},
            reader::Reader,
        },
        look::{Inspection, Look},
        look::{
            census::{Keyspace, Prefix, Share},
            payloads::Payloads,
        },
    },
    probe::Probe,
};

use crate::scene::{admin, config, inspection, login, probe, server_of, want};
use crate::servers::each;
use crate::support::redis_server::RedisServer;
use crate::support::stored::{APPLICATION, KEYS, OTHER_KEY, command, ring, stored};

/// How many entries are stored.
const STORED: u64 = 27;
/// How many looks it may take to see them all: on Redis 7.0 ten are looked into each time.
const LOOKS: usize = 4;

/// The key of an entry that nobody can read.
const BAD: &str = "shop:22222222-0000-0000-0000-000000000009.aaaaaaaa-0000-0000-0000-00000000000a";

/// What is counted of each class with each key.
type Expected<'a> = &'a [(Class, Option<&'a str>, u64)];

fn store(redis: &RedisServer, key: &str, data: &[u8]) {
    let command = command(key, data);
    assert_eq!(admin(redis, &command.each_ref().map(String::as_str)), "1", "{key}");
}

/// A server that has every recorded entry.
async fn filled(program: &str) -> RedisServer {
    let redis = RedisServer::start_program(program, &config()).await;
    for entry in stored() {
        store(&redis, &format!("shop:{}", entry.key), &entry.data());
    }
    redis
}

fn reader(ring: KeyRing, names: &[&str]) -> Inspection {
    let names = names.iter().map(|&name| name.to_owned()).collect();
    Inspection { reader: Some(Arc::new(Reader::new(ring, names))), ..inspection() }
}

async fn sampled(probe: &Probe, redis: &RedisServer, inspection: &Inspection) -> Look {
    let (sample, look) = probe.sample(&server_of(redis), &login(), &want(), inspection).await;
    let told = format!("{sample:?} {look:?}");
    assert!(!told.contains("AccessToken") && !told.contains("masterKey"), "{told}");
    look.unwrap()
}

fn payloads(look: &Look) -> &Payloads {
    &look.payloads
}

/// As many looks as it takes to see every entry, and then the last one.
async fn complete(probe: &Probe, redis: &RedisServer, want: &Inspection) -> Look {
    for _ in 0..LOOKS {
        let sample = sampled(probe, redis, want).await;
        if payloads(&sample).is_complete {
            return sample;
        }
    }
    panic!("not every entry had its turn in {LOOKS} looks");
}

fn counted(sample: &Look) -> BTreeMap<(Class, Option<KeyId>), u64> {
    sample.counts.payloads.clone()
}

fn expected(of: Expected<'_>) -> BTreeMap<(Class, Option<KeyId>), u64> {
    of.iter().map(|&(class, key, count)| ((class, key.and_then(KeyId::parse)), count)).collect()
}

#[tokio::test]
async fn every_recorded_entry_is_told_by_class_and_key_whichever_ring_reads_them() {
    let [older, newer] = KEYS.map(Some);
    let other = Some(OTHER_KEY);
    let cases: [(Inspection, Expected<'_>); 4] = [
        (
            reader(ring("ring"), &["/app", APPLICATION]),
            &[
                (Readable, older, 3),
                (Readable, newer, 9),
                (Plain, None, 13),
                (KeyMissing, other, 1),
                (OtherApplication, newer, 1),
            ],
        ),
        (
            reader(ring("ring"), &[APPLICATION, "another-app"]),
            &[(Readable, older, 3), (Readable, newer, 10), (Plain, None, 13), (KeyMissing, other, 1)],
        ),
        (
            reader(ring("ring-other"), &[APPLICATION]),
            // Behind another prefix nothing shows that the hash of an assertion is one.
            &[
                (Readable, other, 1),
                (Plain, None, 13),
                (KeyMissing, older, 2),
                (KeyMissing, newer, 7),
                (Strange, older, 1),
                (Strange, newer, 3),
            ],
        ),
        (
            inspection(),
            &[
                (Plain, None, 13),
                (Encrypted, older, 2),
                (Encrypted, newer, 7),
                (Encrypted, other, 1),
                (Strange, older, 1),
                (Strange, newer, 3),
            ],
        ),
    ];
    for program in each() {
        let redis = filled(&program).await;
        for (want, of) in &cases {
            let sample = complete(&probe(), &redis, want).await;
            assert_eq!((sample.counts.entries, counted(&sample)), (STORED, expected(of)), "{program}");
        }
    }
}

#[tokio::test]
async fn the_names_under_which_entries_are_encrypted_are_found() {
    let redis = filled("redis-server").await;
    let names = |names: &[&str]| reader(ring("ring"), names);
    let probe = probe();
    let sample = complete(&probe, &redis, &names(&["/app", APPLICATION, "shop"])).await;
    assert_eq!(payloads(&sample).names, [APPLICATION.to_owned()].into());
    let sample = complete(&probe, &redis, &names(&["another-app", "/app", APPLICATION])).await;
    assert_eq!(payloads(&sample).names, [APPLICATION.to_owned(), "another-app".to_owned()].into());
    assert_eq!(payloads(&sample).in_use().keys.len(), 3);
}

#[tokio::test]
async fn with_another_ring_everything_is_read_anew_and_with_the_same_one_nothing_that_is_said_moves() {
    for program in each() {
        let redis = filled(&program).await;
        let probe = probe();
        let lacking = complete(&probe, &redis, &reader(ring("ring-other"), &[APPLICATION])).await;
        assert_eq!(payloads(&lacking).classes[&KeyMissing].keys.len(), 2);
        let want = reader(ring("ring"), &[APPLICATION]);
        let before = complete(&probe, &redis, &want).await;
        assert_eq!(payloads(&before).classes[&KeyMissing].keys.len(), 1, "{program}");
        for _ in 0..LOOKS * 2 {
            let sample = sampled(&probe, &redis, &want).await;
            assert_eq!(payloads(&sample), payloads(&before), "{program}");
        }
    }
}

#[tokio::test]
async fn a_trouble_is_told_at_the_look_that_sees_it_and_no_more_once_the_entry_is_gone() {
    let redis = RedisServer::start(&config()).await;
    let (probe, want) = (probe(), reader(ring("ring"), &[APPLICATION]));
    let nothing = sampled(&probe, &redis, &want).await;
    assert_eq!(payloads(&nothing), &Payloads { is_complete: true, ..Payloads::default() });
    let entries = stored();
    let of = |prefix: &str| entries.iter().find(|entry| entry.is_of(prefix)).unwrap();
    store(&redis, "shop:good", &of("fx-encB:").data());
    store(&redis, BAD, &of("fx-otherring:").data());
    store(&redis, "shop:session", b"\x02\x00\x00binary");
    let seen = sampled(&probe, &redis, &want).await;
    let portion = &payloads(&seen).classes[&KeyMissing];
    assert_eq!((portion.share, portion.keys.len()), (Share::Some, 1));
    assert!(payloads(&seen).has(Strange) && payloads(&seen).has(Readable));
    admin(&redis, &["DEL", BAD]);
    let after = sampled(&probe, &redis, &want).await;
    assert!(!payloads(&after).has(KeyMissing) && payloads(&after).has(Readable));
}

#[tokio::test]
async fn in_a_database_of_hundreds_every_entry_has_its_turn_and_one_that_is_too_big_is_passed_over() {
    for program in each() {
        let redis = RedisServer::start_program(&program, &config()).await;
        let script = "for i = 1, 700 do redis.call('HSET', 'shop:' .. i, 'data', '{\"AccessToken\":{}}') end \
                      redis.call('HSET', 'shop:big', 'data', string.rep('x', 200000)) return 'done'";
        assert_eq!(admin(&redis, &["EVAL", script, "0"]), "done");
        let entries = stored();
        let bad = entries.iter().find(|entry| entry.is_of("fx-otherring:")).unwrap().data();
        store(&redis, BAD, &bad);
        let (probe, want) = (probe(), reader(ring("ring"), &[APPLICATION]));
        let mut looks = 0;
        let sample = loop {
            let sample = sampled(&probe, &redis, &want).await;
            looks += 1;
            if payloads(&sample).is_complete {
                break sample;
            }
            assert!(looks < 200, "{program}: the window does not end");
        };
        assert!(payloads(&sample).has(KeyMissing), "{program}: one of hundreds was missed in {looks} looks");
        assert_eq!((sample.counts.entries, sample.counts.passed_over >= 1), (702, true), "{program}");
    }
}

/// What a server was asked for since it was started, by its own count.
fn asked(redis: &RedisServer) -> BTreeSet<String> {
    let stats = admin(redis, &["INFO", "commandstats"]);
    stats.lines().filter_map(|line| Some(line.strip_prefix("cmdstat_")?.split_once(':')?.0.to_owned())).collect()
}

/// Commands that tell of an entry what it holds, or the beginning of it.
const TELLING: [&str; 8] = ["hget", "hmget", "hgetall", "hvals", "hscan", "dump", "slowlog|get", "monitor"];

#[tokio::test]
async fn where_metadata_is_all_that_is_wanted_no_payload_is_read_and_everything_else_is_told() {
    for program in each() {
        let redis = filled(&program).await;
        admin(&redis, &["SET", "shop:text", "text"]);
        let metadata = Inspection { inspect: Inspect::Metadata, ..inspection() };
        let probe = probe();
        admin(&redis, &["CONFIG", "RESETSTAT"]);
        for _ in 0..LOOKS {
            let sample = sampled(&probe, &redis, &metadata).await;
            assert_eq!(sample.payloads, Payloads::default(), "{program}");
            assert!(matches!(&sample.entries, Keyspace::Seen(seen) if seen.prefix == Prefix::Used), "{program}");
            assert_eq!((sample.counts.looked_into(), sample.counts.is_inspected), (0, false), "{program}");
        }
        let counted = sampled(&probe, &redis, &metadata).await.counts.entries;
        assert_eq!(counted, STORED, "{program}: they are counted");
        let asked_for = asked(&redis);
        let telling: Vec<_> = TELLING.into_iter().filter(|command| asked_for.contains(*command)).collect();
        assert_eq!(telling, [""; 0], "{program}: {asked_for:?}");
        assert!(asked_for.contains("hstrlen") && asked_for.contains("pttl"), "{program}: {asked_for:?}");
        // The same with payloads shows that the count would tell.
        let payloads = reader(ring("ring"), &[APPLICATION]);
        complete(&probe, &redis, &payloads).await;
        assert!(asked(&redis).contains("hget"), "{program}");
        let after = sampled(&probe, &redis, &metadata).await;
        assert_eq!(after.payloads, Payloads::default(), "{program}: what was seen is forgotten");
    }
}

/// In a large cache the next way through the keys takes its time.
#[tokio::test]
async fn what_was_counted_before_entries_were_removed_on_request_is_told_no_more() {
    let redis = RedisServer::start(&config()).await;
    let script = "for i = 1, 3000 do redis.call('HSET', KEYS[1] .. i, 'data', ARGV[1]) end return 'OK'";
    let fill = |payload: &str| admin(&redis, &["EVAL", script, "1", "shop:", payload]);
    fill("odd");
    let (probe, want) = (probe(), reader(ring("ring"), &[APPLICATION]));
    assert!(payloads(&sampled(&probe, &redis, &want).await).has(Strange));
    fill("{\"AccessToken\":{}}");
    assert!(payloads(&sampled(&probe, &redis, &want).await).has(Strange), "of this window");
    let swept = Inspection { swept: Some(crate::scene::now()), ..want };
    assert!(!payloads(&sampled(&probe, &redis, &swept).await).has(Strange));
    assert!(payloads(&sampled(&probe, &redis, &swept).await).has(Plain));
}
