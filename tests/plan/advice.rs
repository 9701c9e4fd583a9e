//! Everything that the conditions that only advise can say of a server's use, in one snapshot: read it as somebody would who
//! sees a warning beside a cache that works.

use tokencache_operator::{
    api::v1alpha1::EvictionPolicy as Policy,
    entries::look::census::{Expiry, Keyspace, Population, Prefix, Share},
    redis::look::{
        answer::Answer,
        load::{
            Usage,
            latency::{Cause, Latency, Slow},
            memory::{Memory, Sign},
        },
    },
};

use super::pods::running;
use super::seen::{Seen, made_now, well};

const POPULATION: Population =
    Population { prefix: Prefix::Used, expiry: Expiry::All, others: false, other_database: None, unnamed: false };

fn seen(usage: Usage) -> Seen {
    Seen::pod(&running(true)).outcome(Ok(Answer { usage, ..well() }))
}

fn memory(sign: Sign, proposal: Option<u64>) -> Seen {
    let proposal = proposal.map(|mebibytes| mebibytes << 20);
    seen(Usage { memory: Memory::Short { sign, of: 256 << 20, proposal }, ..Usage::default() })
}

fn latency(what: Slow, at_least: u64, cause: Cause) -> Seen {
    seen(Usage { latency: Latency::Slow { what, at_least, cause }, ..Usage::default() })
}

fn entries(population: Population) -> Seen {
    seen(Usage::default()).holds(Keyspace::Seen(population))
}

fn with(seen: Seen, policy: Policy) -> Seen {
    let (usage, entries) = seen.usage();
    let seen = Seen::pod(&running(true)).with(|world| world.cache.spec.redis.eviction_policy = policy);
    seen.outcome(Ok(Answer { usage, ..well() })).holds(entries)
}

#[test]
fn what_is_said_of_memory() {
    let held = |spec: &str, entries, proposal: u64| {
        let sign = Sign::Refused { is_over: false };
        let memory = Memory::Short { sign, of: 256 << 20, proposal: Some(proposal << 20) };
        let usage = Usage { memory, entries, ..Usage::default() };
        Seen::pod_of(spec, &running(true)).with(made_now).outcome(Ok(Answer { usage, ..well() }))
    };
    let evicted = |at_least| memory(Sign::Evicted { at_least }, Some(384));
    let cases = [
        seen(Usage { memory: Memory::Sufficient, ..Usage::default() }).told("it suffices"),
        evicted(1).told("an entry was evicted"),
        evicted(1000).told("entries were evicted"),
        memory(Sign::NearlyFull, Some(384)).told("it is nearly full"),
        with(memory(Sign::NearlyFull, Some(384)), Policy::Noeviction).told("it is nearly full, and nothing is evicted"),
        memory(Sign::Refused { is_over: false }, Some(512)).told("writes are refused"),
        with(memory(Sign::Refused { is_over: false }, Some(512)), Policy::Noeviction)
            .told("writes are refused, and nothing is evicted"),
        with(memory(Sign::Refused { is_over: false }, None), Policy::AllkeysLru)
            .told("writes are refused, and there is no more"),
        memory(Sign::Refused { is_over: true }, Some(512)).told("writes were refused, and are taken again"),
        held("{}", Some(1_200), 512).told("its container has room for a little more"),
        held("{}", Some(1_200), 288).told("its container has room for enough"),
        held("{}", Some(0), 512).told("nothing is stored"),
        held("{redis: {persistence: {size: 1Gi}}}", Some(1_200), 512)
            .told("the entries are on a volume, which is too small"),
        held("{redis: {maxMemory: 250Mi, persistence: {size: 2Gi}}}", None, 512).told("the entries are on a volume"),
    ];
    insta::assert_snapshot!(cases.join("\n"));
}

#[test]
fn what_is_said_of_latency() {
    let cases = [
        seen(Usage { latency: Latency::Acceptable, ..Usage::default() }).told("it is acceptable"),
        latency(Slow::RoundTrip, 30, Cause::Network).told("the network is slow"),
        latency(Slow::RoundTrip, 100, Cause::Processor).told("the processor is busy"),
        latency(Slow::RoundTrip, 300, Cause::Command("KEYS".to_owned())).told("a command is slow"),
        latency(Slow::Reads, 30, Cause::BigEntries { at_least: 4 << 20 }).told("entries are big"),
        latency(Slow::Writes, 1000, Cause::Processor).told("writes are slow"),
    ];
    insta::assert_snapshot!(cases.join("\n"));
}

#[test]
fn what_is_said_of_entries() {
    let never = |share| entries(Population { expiry: Expiry::Never(share), ..POPULATION });
    let unused = Population { prefix: Prefix::Unused, ..POPULATION };
    let sampling = Population { prefix: Prefix::NotYetKnown, expiry: Expiry::NotYetKnown, ..POPULATION };
    let refused = Keyspace::Refused("NOPERM User operator has no permissions to run the 'scan' command".to_owned());
    let cases = [
        entries(POPULATION).told("they expire"),
        never(Share::All).told("none expires"),
        never(Share::Most).told("most never expire"),
        never(Share::Some).told("some never expire"),
        never(Share::Few).told("a few never expire"),
        with(never(Share::All), Policy::Noeviction).told("none expires, and nothing is evicted"),
        with(never(Share::All), Policy::AllkeysLfu).told("none expires, and any can be evicted"),
        entries(unused).told("there were none"),
        entries(Population { others: true, ..unused }).told("there are other keys only"),
        entries(Population { other_database: Some(3), ..unused }).told("there are keys in another database only"),
        entries(Population { others: true, ..POPULATION }).told("there are other keys too"),
        seen(Usage::default()).holds(refused).told("the operator may not look"),
        entries(sampling).asked("not all were seen"),
        seen(Usage::default()).asked("the server was looked at once"),
    ];
    insta::assert_snapshot!(cases.join("\n"));
}
