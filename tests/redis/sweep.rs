//! Sweeps of real servers: what is counted, what is removed, and what is left alone.

use std::sync::Arc;
use std::time::Duration;

use tokencache_operator::{
    api::v1alpha1::OperationType,
    capability::progress::{Step, SweepId, Tally},
    data_protection::{
        key::{Key, KeyDates, id::KeyId},
        payload::Purposes,
        ring::open::KeyRing,
    },
    entries::{
        entry::reader::Reader,
        sweep::{Selection, Sweep},
    },
    probe::sweep::sweep,
    redis::look::fault::Fault,
};

use crate::scene::{admin, config, config_without, login, now, server_of};
use crate::servers::each;
use crate::support::eventually::eventually;
use crate::support::redis_server::RedisServer;

const PLAIN: &str = r#"{"AccessToken":{}}"#;
const UNREADABLE: Selection = Selection::Unreadable;

/// A key, made from this byte.
pub fn key(dice: u8) -> Key {
    KeyDates { created: now(), activates: now(), expires: now() }.make(None, &[dice; 128]).unwrap()
}

pub fn ring(keys: &[Key]) -> KeyRing {
    KeyRing::open(keys, &[], &[], &KeyRing::default())
}

/// What an application of this name stores when it encrypts with this key.
pub fn protected(key: &Key, application: &str, text: &str) -> Vec<u8> {
    let ring = ring(std::slice::from_ref(key));
    ring.protector(key.id).unwrap().protect(&Purposes::token_cache(application), text.as_bytes(), &[7; 32]).unwrap()
}

/// Stores an entry as `RedisCache` does.
pub fn store(redis: &RedisServer, name: &str, payload: &[u8]) {
    let script = "local data = ARGV[1]:gsub('..', function(pair) return string.char(tonumber(pair, 16)) end) \
                  redis.call('HMSET', KEYS[1], 'absexp', '-1', 'sldexp', '-1', 'data', data)";
    admin(redis, &["EVAL", script, "1", name, &hex::encode(payload)]);
}

pub fn wanted(step: Step, selection: Selection, reader: Option<Reader>) -> Sweep {
    let id = SweepId { operation: OperationType::Flush, requested: now(), step };
    Sweep { id, selection, reader: reader.map(Arc::new), removed_before: 0 }
}

pub async fn swept(redis: &RedisServer, sweep_: &Sweep) -> Result<Tally, Fault> {
    sweep(&server_of(redis), &login(), None, "shop:", sweep_, |_| {}).await
}

pub fn names(redis: &RedisServer) -> Vec<String> {
    let mut names: Vec<String> = admin(redis, &["KEYS", "*"]).lines().map(str::to_owned).collect();
    names.sort();
    names
}

/// A key that MSAL gives to the tokens of an account.
pub fn account(number: u32) -> String {
    format!("shop:22222222-0000-0000-0000-{number:012}.aaaaaaaa-0000-0000-0000-00000000000a")
}

/// What other users of the same `IDistributedCache` store: products, a response of `FusionCache`, a session, a compressed
/// response, claims that were looked up for a token, what an application has about an account, and an antiforgery token.
const OTHERS: [(&str, &[u8]); 7] = [
    ("shop:products", br#"[{"sku":"a1","price":9}]"#),
    ("shop:v2:product:a1", br#"{"v":{"sku":"a1"},"m":{"e":639309141241510457},"t":1}"#),
    ("shop:2b1e4d7c-5a3f-4c1e-9b7d-000000000001", b"\x02\x00\x00\x01session"),
    ("shop:page:/index", b"\x1f\x8b\x08\x00\x00\x00\x00\x00"),
    ("shop:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", br#"[{"type":"sub","value":"1"}]"#),
    ("shop:roles:22222222-0000-0000-0000-000000000001.aaaaaaaa-0000-0000-0000-00000000000a", br#"["admin"]"#),
    ("shop:antiforgery", b"CfDJ8AAAAAAAAAAAAAAAAAAAAA"),
];

/// One entry of each kind under the prefix, and what stands beside it.
fn fill(redis: &RedisServer) -> Reader {
    let (known, gone) = (key(1), key(2));
    store(redis, &account(1), &protected(&known, "/app", PLAIN));
    store(redis, &account(2), &protected(&known, "elsewhere", PLAIN));
    store(redis, &account(3), &protected(&gone, "/app", PLAIN));
    store(redis, &account(4), &protected(&known, "/app", "text"));
    store(redis, &account(5), b"text");
    store(redis, "shop:no-json", &protected(&known, "/app", "text"));
    store(redis, "shop:plain", PLAIN.as_bytes());
    store(redis, "shop:session", &protected(&gone, "/app", "a ticket, for all that anybody can tell"));
    store(redis, "shopping:strange", b"text");
    for (name, payload) in OTHERS {
        store(redis, name, payload);
    }
    admin(redis, &["SET", "shop:text", "text"]);
    admin(redis, &["HSET", "shop:other-hash", "field", "value"]);
    Reader::new(ring(&[known]), vec!["/app".to_owned()])
}

#[tokio::test]
async fn of_unreadable_entries_only_those_go_that_are_shown_to_be_unreadable() {
    for program in each() {
        let redis = RedisServer::start_program(&program, &config()).await;
        let reader = fill(&redis);
        let before = names(&redis);
        let tally = swept(&redis, &wanted(Step::Count, UNREADABLE, Some(reader.clone()))).await.unwrap();
        let counted = Tally { keys: 15, meant: 4, readable: 1, foreign: 1, unidentified: 1, too_big: 0, removed: 0 };
        assert_eq!(tally, counted, "{program}");
        assert_eq!(names(&redis), before, "{program}: counting removes nothing");
        let tally = swept(&redis, &wanted(Step::Remove, UNREADABLE, Some(reader))).await.unwrap();
        assert_eq!(tally, Tally { removed: 4, ..counted }, "{program}");
        let gone = [account(3), account(4), account(5), "shop:no-json".to_owned()];
        let left: Vec<String> = before.into_iter().filter(|name| !gone.contains(name)).collect();
        assert_eq!(names(&redis), left, "{program}");
    }
}

/// The name that the spec tells, and one that a left-over entry shows, say nothing of an application of another one.
#[tokio::test]
async fn entries_of_an_application_whose_name_is_not_known_stay_whatever_names_are_tried() {
    for tried in [&["wrong"][..], &["wrong", "/app"], &["/app", "/app/", "shop"], &[]] {
        let redis = RedisServer::start(&config()).await;
        let known = key(1);
        store(&redis, &account(1), &protected(&known, "/app", PLAIN));
        for number in 2..12 {
            store(&redis, &account(number), &protected(&known, "the real one", PLAIN));
            store(&redis, &account(number + 10), &protected(&known, "of another application", PLAIN));
        }
        let reader = Reader::new(ring(&[known]), tried.iter().map(|&name| name.to_owned()).collect());
        let tally = swept(&redis, &wanted(Step::Remove, UNREADABLE, Some(reader))).await.unwrap();
        let opened = u64::from(tried.contains(&"/app"));
        assert_eq!((tally.readable, tally.foreign, tally.removed), (opened, 21 - opened, 0), "{tried:?}");
        assert_eq!(names(&redis).len(), 21);
    }
}

#[tokio::test]
async fn encrypted_entries_go_where_they_are_meant_and_what_is_no_token_entry_stays() {
    let redis = RedisServer::start(&config()).await;
    let reader = fill(&redis);
    let before = names(&redis);
    let tally = swept(&redis, &wanted(Step::Remove, Selection::Encrypted, Some(reader))).await.unwrap();
    assert_eq!((tally.keys, tally.removed), (15, 5));
    let gone = [account(1), account(2), account(3), account(4), "shop:no-json".to_owned()];
    let left: Vec<String> = before.into_iter().filter(|name| !gone.contains(name)).collect();
    assert_eq!(names(&redis), left);
}

/// Whoever asks for it has to say with what: without that nothing is told to be unreadable.
#[tokio::test]
async fn without_anything_that_reads_entries_none_is_meant_but_by_who_means_all() {
    let redis = RedisServer::start(&config()).await;
    fill(&redis);
    let before = names(&redis);
    for selection in [UNREADABLE, Selection::Encrypted, Selection::OfKeys([key(1).id].into())] {
        assert_eq!(swept(&redis, &wanted(Step::Remove, selection, None)).await.unwrap(), Tally::default());
    }
    assert_eq!(names(&redis), before);
}

#[tokio::test]
async fn all_that_is_under_the_prefix_goes_and_nothing_beside_it() {
    let redis = RedisServer::start(&config()).await;
    fill(&redis);
    let tally = swept(&redis, &wanted(Step::Remove, Selection::All, None)).await.unwrap();
    assert_eq!(tally, Tally { keys: 17, meant: 17, removed: 17, ..Tally::default() });
    assert_eq!(names(&redis), ["shopping:strange"]);
    let asked = admin(&redis, &["INFO", "commandstats"]);
    assert!(asked.contains("cmdstat_unlink:") && !asked.contains("cmdstat_hget:"), "it takes no look into entries");
}

#[tokio::test]
async fn what_one_key_encrypted_is_told_without_that_key() {
    let redis = RedisServer::start(&config()).await;
    fill(&redis);
    let of_key =
        |step, id: KeyId| wanted(step, Selection::OfKeys([id].into()), Some(Reader::new(KeyRing::default(), vec![])));
    assert_eq!(swept(&redis, &of_key(Step::Count, key(1).id)).await.unwrap().meant, 4);
    assert_eq!(swept(&redis, &of_key(Step::Remove, key(2).id)).await.unwrap().removed, 2);
    assert!(!names(&redis).iter().any(|name| *name == account(3) || name == "shop:session"));
    let both = Selection::OfKeys([key(1).id, key(2).id].into());
    let both = wanted(Step::RemoveLast, both, Some(Reader::new(KeyRing::default(), vec![])));
    assert_eq!(swept(&redis, &both).await.unwrap().removed, 4, "the rest of what one of them encrypted");
}

#[tokio::test]
async fn thousands_of_entries_are_swept_in_batches_and_told_as_they_go() {
    let redis = RedisServer::start(&config()).await;
    let script = "for i = 1, 5000 do redis.call('HSET', KEYS[1] .. i .. '_AppTokenCache', 'data', i % 5 == 0 and '{odd' or ARGV[1]) end";
    admin(&redis, &["EVAL", script, "1", "shop:", PLAIN]);
    let reader = Reader::new(KeyRing::default(), vec!["/app".to_owned()]);
    let sweep_ = wanted(Step::Remove, UNREADABLE, Some(reader));
    let mut told = Vec::new();
    let tally =
        sweep(&server_of(&redis), &login(), None, "shop:", &sweep_, |tally| told.push(tally.removed)).await.unwrap();
    assert_eq!((tally.keys, tally.removed), (5000, 1000));
    assert!(told.len() > 5 && told.is_sorted(), "{told:?}");
    assert_eq!(names(&redis).len(), 4000);
}

/// An application may write an entry anew between the look at it and its removal.
#[tokio::test]
async fn an_entry_that_is_written_anew_meanwhile_is_not_lost() {
    const ENTRIES: usize = 300;
    let redis = RedisServer::start(&config()).await;
    let script =
        "for i = 1, tonumber(ARGV[2]) do redis.call('HSET', KEYS[1] .. i .. '_AppTokenCache', 'data', ARGV[1]) end";
    let all = |payload: &str| admin(&redis, &["EVAL", script, "1", "shop:", payload, &ENTRIES.to_string()]);
    let reader = Reader::new(KeyRing::default(), vec!["/app".to_owned()]);
    let sweep_ = wanted(Step::Remove, UNREADABLE, Some(reader));
    for _ in 0..20 {
        all("{odd");
        let mut writer = redis.client("admin", crate::scene::ADMIN_PASSWORD).await;
        let writing = async {
            for number in 1..=ENTRIES {
                let line = format!("HSET shop:{number}_AppTokenCache data \"{}\"", PLAIN.replace('"', "\\\""));
                crate::support::redis_server::say(&mut writer, &line).await;
            }
        };
        let (tally, ()) = tokio::join!(swept(&redis, &sweep_), writing);
        tally.unwrap();
        let left = names(&redis).len();
        assert_eq!(left, ENTRIES, "an entry that was written last was removed");
    }
}

#[tokio::test]
async fn what_keeps_a_sweep_from_its_end_is_told() {
    let redis = RedisServer::start(&config_without(&["unlink"])).await;
    fill(&redis);
    let refused = swept(&redis, &wanted(Step::Remove, Selection::All, None)).await.unwrap_err();
    assert!(matches!(&refused, Fault::NoPermission { command, .. } if command == "unlink"), "{refused:?}");
    let server = server_of(&redis);
    drop(redis);
    let gone = sweep(&server, &login(), None, "shop:", &wanted(Step::Remove, Selection::All, None), |_| {}).await;
    assert!(matches!(gone, Err(Fault::Unreachable(_))), "{gone:?}");
}

/// Entries are found over one connection and read over others: none waits for one that has failed.
#[tokio::test]
async fn what_keeps_any_part_of_a_sweep_from_its_end_is_told() {
    for command in ["scan", "hstrlen", "watch", "hget", "unlink"] {
        let redis = RedisServer::start(&config()).await;
        admin(&redis, &["ACL", "SETUSER", "operator", &format!("-{command}")]);
        let script = "for i = 1, 2000 do redis.call('HSET', KEYS[1] .. i .. '_AppTokenCache', 'data', '{odd') end";
        admin(&redis, &["EVAL", script, "1", "shop:"]);
        let sweep_ = wanted(Step::Remove, UNREADABLE, Some(Reader::new(KeyRing::default(), vec![])));
        let refused = tokio::time::timeout(Duration::from_secs(30), swept(&redis, &sweep_)).await.unwrap().unwrap_err();
        assert!(matches!(&refused, Fault::NoPermission { command: told, .. } if told == command), "{refused:?}");
        assert_eq!(names(&redis).len(), 2000, "{command}: nothing is removed");
    }
}

/// Stores so many entries that their sweep takes a while. Every second one of them goes.
fn long_sweep(redis: &RedisServer) -> Sweep {
    let script = "for i = 1, 20000 do redis.call('HSET', KEYS[1] .. i .. '_AppTokenCache', 'data', i % 2 == 0 and '{odd' or ARGV[1]) end";
    admin(redis, &["EVAL", script, "1", "shop:", PLAIN]);
    wanted(Step::Remove, UNREADABLE, Some(Reader::new(KeyRing::default(), vec![])))
}

#[tokio::test]
async fn a_sweep_that_is_given_up_leaves_no_connection_and_another_one_ends_it() {
    let redis = RedisServer::start(&config()).await;
    let sweep_ = long_sweep(&redis);
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let server = server_of(&redis);
    let given_up = async { sweep(&server, &login(), None, "shop:", &sweep_, |tally| told.send(tally).unwrap()).await };
    let has_begun = async { while heard.recv().await.unwrap().removed == 0 {} };
    tokio::select! {
        biased;
        () = has_begun => {}
        ended = given_up => panic!("it has ended: {ended:?}"),
    }
    eventually("its connections are closed", async || {
        let clients = admin(&redis, &["CLIENT", "LIST"]);
        if clients.contains("user=operator") { Err(clients) } else { Ok(()) }
    })
    .await;
    let left = names(&redis).len();
    assert!((10_001..20_000).contains(&left), "{left}");
    assert_eq!(swept(&redis, &sweep_).await.unwrap().removed, u64::try_from(left).unwrap() - 10_000);
    assert_eq!(names(&redis).len(), 10_000);
}

#[tokio::test]
async fn others_are_served_while_a_sweep_is_under_way() {
    let redis = RedisServer::start(&config()).await;
    let sweep_ = long_sweep(&redis);
    let mut other = redis.client("admin", crate::scene::ADMIN_PASSWORD).await;
    let (mut pongs, server, login) = (0, server_of(&redis), login());
    let told = std::cell::Cell::new(0);
    let swept = sweep(&server, &login, None, "shop:", &sweep_, |_| told.set(told.get() + 1));
    let asking = async {
        loop {
            assert_eq!(crate::support::redis_server::say(&mut other, "PING").await.trim(), "+PONG");
            pongs += 1;
        }
    };
    tokio::select! {
        biased;
        tally = swept => assert_eq!(tally.unwrap().removed, 10_000),
        () = asking => {}
    }
    // In between of some, wherever the two have to wait for a processor.
    assert!(pongs >= told.get() / 10, "{pongs} answers while {} parts were read", told.get());
}

/// Payloads of megabytes are read too, and one that is bigger than anything that could be read is left alone.
#[tokio::test]
async fn big_entries_are_read_in_parts_and_the_biggest_are_left_alone() {
    let redis = RedisServer::start(&config()).await;
    for (name, mebibytes) in [("a", 3), ("b", 3), ("c", 5), ("d", 17)] {
        let script = "redis.call('HSET', KEYS[1], 'data', string.rep('[', tonumber(ARGV[1])))";
        admin(&redis, &["EVAL", script, "1", &format!("shop:{name}_AppTokenCache"), &(mebibytes << 20).to_string()]);
    }
    let reader = Reader::new(KeyRing::default(), vec!["/app".to_owned()]);
    let sweep_ = wanted(Step::Remove, UNREADABLE, Some(reader));
    let tally = tokio::time::timeout(Duration::from_secs(30), swept(&redis, &sweep_)).await.unwrap().unwrap();
    assert_eq!((tally.keys, tally.too_big, tally.removed), (4, 1, 3));
    assert_eq!(names(&redis), ["shop:d_AppTokenCache"]);
}
