//! What could not be read of a server makes unknown what goes by it, and nothing else.

use std::collections::BTreeMap;

use tokencache_operator::{
    entries::look::{
        census::{Expiry, Keyspace, Population, Prefix},
        payloads::Payloads,
    },
    redis::look::{
        answer::{Answer, Section, Unread},
        load::{
            Usage,
            latency::Latency,
            memory::{Memory, Sign},
        },
    },
};

use super::pods::running;
use super::seen::{Seen, well};

/// Each part, and the conditions that go by it.
const PARTS: [(Section, &[&str]); 11] = [
    (Section::Server, &["RedisAvailable", "Durable"]),
    (Section::MemorySettings, &["EvictionPolicyVerified"]),
    (Section::AppendSettings, &["Durable"]),
    (Section::PlainPort, &["TlsReady"]),
    (Section::Users, &["UsersVerified"]),
    (Section::Refusals, &["AccessAllowed"]),
    (Section::Use, &["MemorySufficient", "LatencyAcceptable", "EntriesExpire", "InUse", "EntriesReadable"]),
    (Section::Errors, &["MemorySufficient"]),
    (Section::Calls, &["LatencyAcceptable"]),
    (Section::Keys, &["EntriesExpire", "InUse", "EntriesReadable"]),
    (Section::Payloads, &["EntriesReadable"]),
];

const ALL_WELL: Population =
    Population { prefix: Prefix::Used, expiry: Expiry::All, others: false, other_database: None, unnamed: false };

fn usage(memory: Memory, population: Population) -> (Usage, Population) {
    (Usage { memory, latency: Latency::Acceptable, entries: None }, population)
}

fn seen(unread: &[(Section, Unread)], (usage, population): (Usage, Population)) -> Seen {
    let mut answer = Answer { usage, unread: unread.iter().cloned().collect(), ..well() };
    if answer.unread.contains_key(&Section::Server) {
        answer.role = None;
    }
    if answer.unread.contains_key(&Section::MemorySettings) {
        answer.memory = None;
    }
    Seen::pod_of("{redis: {persistence: {size: 2Gi}}}", &running(true))
        .outcome(Ok(answer))
        .holds(Keyspace::Seen(population))
        .with(|world| {
            world.looks[0].payloads = Payloads { is_complete: true, ..Payloads::default() };
        })
}

fn verdicts(seen: Seen) -> BTreeMap<String, String> {
    seen.conditions().into_iter().map(|condition| (condition.type_, condition.status)).collect()
}

#[test]
fn each_part_that_is_unread_makes_only_its_own_conditions_unknown() {
    let well = verdicts(seen(&[], usage(Memory::Sufficient, ALL_WELL)));
    for why in [Unread::TooLong, Unread::Refused("NOPERM no".to_owned()), Unread::Odd("odd".to_owned()), Unread::Late] {
        for (part, conditions) in PARTS {
            let told = verdicts(seen(&[(part, why.clone())], usage(Memory::Sufficient, ALL_WELL)));
            let changed: Vec<&str> = told
                .iter()
                .filter(|(name, status)| well[*name] != **status && !matches!(name.as_str(), "Ready" | "Stalled"))
                .map(|(name, status)| {
                    assert_eq!(status, "Unknown", "{part:?}: {name}");
                    name.as_str()
                })
                .collect();
            let mut expected = conditions.to_vec();
            expected.sort_unstable();
            assert_eq!(changed, expected, "{part:?}: {why:?}");
        }
    }
}

#[test]
fn a_trouble_that_was_seen_is_told_whatever_else_was_not_read() {
    let short = Memory::Short { sign: Sign::Evicted { at_least: 10 }, of: 256 << 20, proposal: None };
    let told = verdicts(seen(&[(Section::Errors, Unread::TooLong)], usage(short, ALL_WELL)));
    assert_eq!(told["MemorySufficient"], "False");
    let told = verdicts(seen(&[(Section::Use, Unread::TooLong)], usage(short, ALL_WELL)));
    assert_eq!(told["MemorySufficient"], "Unknown", "it is not known whether it lasts");
}

#[test]
fn keys_that_are_passed_over_for_their_names_are_no_proof_of_anything() {
    let unnamed = |prefix, expiry| {
        let population = Population { prefix, expiry, unnamed: true, ..ALL_WELL };
        let told = verdicts(seen(&[], usage(Memory::Sufficient, population)));
        (told["InUse"].clone(), told["EntriesExpire"].clone())
    };
    let words = |in_use: &str, expire: &str| (in_use.to_owned(), expire.to_owned());
    assert_eq!(unnamed(Prefix::Unused, Expiry::NotYetKnown), words("Unknown", "Unknown"));
    assert_eq!(unnamed(Prefix::Used, Expiry::All), words("True", "True"), "the server counts what expires itself");
}

#[test]
fn what_is_said_of_what_was_not_read() {
    let told = PARTS.map(|(part, conditions)| {
        seen(&[(part, Unread::TooLong)], usage(Memory::Sufficient, ALL_WELL))
            .said_of(conditions[0], &format!("{part:?}"))
    });
    let refused = Unread::Refused("NOPERM User operator has no permissions to run the 'acl|log' command".to_owned());
    let refusals = |why: Unread, what: &str| {
        seen(&[(Section::Refusals, why)], usage(Memory::Sufficient, ALL_WELL)).said_of("AccessAllowed", what)
    };
    let others = [
        refusals(refused, "the log is refused"),
        refusals(Unread::Odd("ACL LOG is not a list".to_owned()), "the log is odd"),
        seen(&[(Section::Use, Unread::Late)], usage(Memory::Sufficient, ALL_WELL))
            .said_of("LatencyAcceptable", "no time"),
        seen(&[], usage(Memory::Sufficient, Population { prefix: Prefix::Unused, unnamed: true, ..ALL_WELL }))
            .said_of("InUse", "long names"),
    ];
    insta::assert_snapshot!(told.into_iter().chain(others).collect::<Vec<_>>().join("\n"));
}
