//! What is worth knowing of a server's load, and no failure: the findings about `MemorySufficient` and `LatencyAcceptable`.
//!
//! In: the settings and what the looks at a server add up to. Out: findings. What takes more looks than there were is said
//! to be on its way.

use super::{availability::ONE_MULTIPLEXER, unread};
use crate::{
    api::v1alpha1::{EvictionPolicy, Remedy},
    condition::{
        ConditionType::{self, LatencyAcceptable, MemorySufficient},
        Finding, Message, Reason,
    },
    kubernetes::quantity::format_bytes,
    redis::{
        look::{
            answer::{Answer, Section},
            load::{
                Usage,
                latency::{Cause, Latency, Slow},
                memory::{Memory, Sign},
            },
        },
        restart::Restart,
        settings::{Settings, client_limits::ClientLimits, expiring_only},
    },
};

/// The conditions that go by its load.
const CONDITIONS: [ConditionType; 2] = [MemorySufficient, LatencyAcceptable];

/// Where entries that never expire are told of.
const ENTRIES_EXPIRE: &str = "see EntriesExpire";

/// What makes room without any more memory.
const EARLIER: &str = "let the application set earlier expirations";

/// The findings about a server that answered, whose container has this memory, in bytes.
#[must_use]
pub fn findings(settings: &Settings, pod: &str, answer: &Answer, container: Option<u64>) -> Vec<Finding> {
    let Usage { memory: has_memory, latency: has_latency, entries: _ } = &answer.usage;
    let restart = Restart::of(settings, Some(answer));
    let found = [
        (memory(settings, pod, *has_memory, (restart, container)), Section::Errors),
        (latency(pod, has_latency, restart), Section::Calls),
    ];
    found.map(|(finding, goes_by)| unread::unless_read(settings, pod, answer, finding, goes_by)).into()
}

/// The findings where no server could be asked.
#[must_use]
pub fn unasked(reason: Reason, why: &str) -> Vec<Finding> {
    CONDITIONS.map(|condition| Finding::unknown(condition, reason, why)).into()
}

fn sampling(condition: ConditionType, why: String) -> Finding {
    Finding::unknown(condition, Reason::Sampling, why)
}

fn memory(settings: &Settings, pod: &str, memory: Memory, (restart, container): (Restart, Option<u64>)) -> Finding {
    let (sign, of, proposal) = match memory {
        Memory::NotYetKnown => {
            return sampling(MemorySufficient, format!("{pod} was looked at once; it takes two looks to tell"));
        }
        Memory::Sufficient => {
            let memory = settings.max_memory.quantity();
            let message = format!("{pod} uses less than nine tenths of {memory}, and no entry was evicted or refused");
            return Finding::holds(MemorySufficient, Reason::Sufficient, message);
        }
        Memory::Short { sign, of, proposal } => (sign, format_bytes(of), proposal),
    };
    let policy = settings.eviction_policy;
    let more = proposal.map(|enough| restart.more_memory(settings, container, Some(enough)));
    let (reason, seen, other) = match sign {
        Sign::Refused { is_over } => {
            let (reason, refuses, are, is) = if is_over {
                (Reason::WritesRefusedEarlier, "refused", "were", "was")
            } else {
                (Reason::WritesRefused, "refuses", "are", "is")
            };
            let why = match policy {
                EvictionPolicy::Noeviction => "noeviction evicts nothing".to_owned(),
                _ if expiring_only(policy) => format!("no entry with an expiration {is} left to evict"),
                _ => "evicting entries did not free enough".to_owned(),
            };
            let clears = if is_over { ". Clears after ten looks without a refusal" } else { "" };
            let seen = format!(
                "{pod} {refuses} writes (OOM), so new tokens {are} not kept: maxmemory {of} {is} reached, and {why}{clears}"
            );
            (reason, seen, beside_memory(policy))
        }
        Sign::Evicted { at_least } => {
            let entries = if at_least == 1 { "an entry".to_owned() } else { format!("{at_least} or more entries") };
            let seen = format!(
                "{pod} evicted {entries} at maxmemory {of}: users may have to sign in again. Clears after ten looks without an \
                 eviction"
            );
            (Reason::EntriesEvicted, seen, Remedy::look(EARLIER))
        }
        Sign::NearlyFull => {
            let next = match policy {
                EvictionPolicy::Noeviction => "writes are refused",
                _ => "entries are evicted",
            };
            let seen = format!(
                "{pod} used nine tenths of maxmemory {of} or more at two looks in a row; {next} at the limit. Clears after ten \
                 looks below it"
            );
            (Reason::NearlyFull, seen, Remedy::look(EARLIER))
        }
    };
    let most = if proposal.is_none() { ". maxMemory can be no more than 1Ti" } else { "" };
    let mut remedies: Vec<Remedy> = more.into_iter().flatten().collect();
    // What costs less comes before what loses every entry.
    let is_less = other.step != ENTRIES_EXPIRE && restart.loses_entries();
    let place = remedies.iter().position(|remedy| is_less && remedy.costs == Some(restart.costs()));
    let place = place.unwrap_or(remedies.len());
    remedies.insert(place, other);
    Finding::fails(MemorySufficient, reason, Message::from(format!("{seen}{most}")).remedies(remedies))
}

/// What helps where writes are refused, beside more memory.
fn beside_memory(policy: EvictionPolicy) -> Remedy {
    match policy {
        EvictionPolicy::Noeviction => {
            Remedy::costing("the entries that it evicts", "set spec.redis.evictionPolicy: volatile-lru")
        }
        _ if expiring_only(policy) => Remedy::look(ENTRIES_EXPIRE),
        _ => Remedy::look(EARLIER),
    }
}

/// What is said of a server to which more clients are connected than its memory allows, because it was started before there
/// was a limit.
#[must_use]
pub fn crowded(settings: &Settings, pod: &str, answer: &Answer, container: Option<u64>) -> Finding {
    let ClientLimits { clients, .. } = ClientLimits::of(settings.max_memory);
    let memory = settings.max_memory.quantity();
    Finding::fails(
        MemorySufficient,
        Reason::ClientLimitExceeded,
        Message::from(format!(
            "{clients} clients or more are connected to {pod}; its next start allows {clients}, by maxMemory {memory}, and refuses \
             others"
        ))
        .remedy(Remedy::look(ONE_MULTIPLEXER))
        .remedies(Restart::of(settings, Some(answer)).more_memory(settings, container, None)),
    )
}

fn latency(pod: &str, latency: &Latency, restart: Restart) -> Finding {
    let (what, at_least, cause) = match latency {
        Latency::NotYetKnown => {
            let message = format!("{pod} was looked at once; it takes two looks to tell");
            return sampling(LatencyAcceptable, message);
        }
        Latency::Acceptable => {
            let message = format!("{pod} answers PING, and reads and writes entries, within 30 ms");
            return Finding::holds(LatencyAcceptable, Reason::Acceptable, message);
        }
        Latency::Slow { what, at_least, cause } => (what, at_least, cause),
    };
    let (seen, measured) = match what {
        Slow::RoundTrip => ("answer PING", ""),
        Slow::Reads => ("read an entry", ", by its own measure"),
        Slow::Writes => ("write an entry", ", by its own measure"),
    };
    let (reason, why, remedies) = match cause {
        Cause::Command(name) => (
            Reason::SlowCommand,
            format!("Its slow log holds {name}"),
            vec![Remedy::look(format!("see with SLOWLOG GET which client sends {name}"))],
        ),
        Cause::BigEntries { at_least } => (
            Reason::BigEntries,
            format!("It holds entries of {} and more", format_bytes(*at_least)),
            vec![Remedy::look("find the application that keeps many users' tokens under one key")],
        ),
        Cause::Processor => (
            Reason::ProcessorBusy,
            "Its CPU is busy or throttled".to_owned(),
            vec![Remedy::costing(restart.costs(), "give it more CPU or no limit in spec.redis.pod.resources")],
        ),
        Cause::Network => (
            Reason::SlowNetwork,
            "It is not busy: the network or a CPU limit delays it".to_owned(),
            vec![
                Remedy::look("see whether its node is overloaded or far away"),
                Remedy::costing(restart.costs(), "choose another node or CPU limit in spec.redis.pod"),
            ],
        ),
    };
    let message = format!(
        "{pod} took {at_least} ms or more to {seen} at two looks in a row{measured}. {why}. Clears after ten fast looks"
    );
    Finding::fails(LatencyAcceptable, reason, Message::from(message).remedies(remedies))
}
