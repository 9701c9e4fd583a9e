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

/// What goes for a trouble that comes and goes.
const GOES: &str = "Clears after ten looks without it";

/// The findings about a server that answered, whose container has this memory, in bytes.
#[must_use]
pub fn findings(settings: &Settings, pod: &str, answer: &Answer, container: Option<u64>) -> Vec<Finding> {
    let Usage { memory: has_memory, latency: has_latency, entries: _ } = &answer.usage;
    let restart = Restart::of(settings, Some(answer));
    let more = |enough: Option<u64>| match enough {
        Some(_) => restart.more_memory(settings, container, enough),
        None => Vec::new(),
    };
    let found = [
        (memory(settings, pod, *has_memory, &more), Section::Errors),
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

fn memory(settings: &Settings, pod: &str, memory: Memory, more: &dyn Fn(Option<u64>) -> Vec<Remedy>) -> Finding {
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
    let most = if proposal.is_none() { ". maxMemory cannot exceed 1Ti" } else { "" };
    let shorter = Remedy::look("let entries expire earlier, in the application");
    let (reason, seen, others) = match sign {
        Sign::Refused { is_over } => {
            let (refuses, is, are) = if is_over { ("refused", "was", "were") } else { ("refuses", "is", "are") };
            let why = match policy {
                EvictionPolicy::Noeviction => "noeviction evicts nothing",
                _ if expiring_only(policy) => "no entry with an expiration was left to evict",
                _ => "evicting entries did not free enough",
            };
            let other = match policy {
                EvictionPolicy::Noeviction => {
                    Some(Remedy::costing("the entries that it evicts", "set spec.redis.evictionPolicy: volatile-lru"))
                }
                _ if expiring_only(policy) => Some(Remedy::look("see EntriesExpire")),
                _ => None,
            };
            let seen = format!("{pod} {refuses} writes (OOM), so new tokens {are} not kept: {of} {is} full, and {why}");
            (if is_over { Reason::WritesRefusedEarlier } else { Reason::WritesRefused }, seen, other)
        }
        Sign::Evicted { at_least } => {
            let entries = if at_least == 1 { "an entry".to_owned() } else { format!("{at_least} or more entries") };
            let seen = format!("{pod} evicted {entries}, because {of} is full: users may have to sign in again");
            (Reason::EntriesEvicted, seen, Some(shorter))
        }
        Sign::NearlyFull => {
            let soon = match policy {
                EvictionPolicy::Noeviction => "writes are refused",
                _ => "entries are evicted",
            };
            let seen = format!("{pod} used nine tenths of {of} or more at two looks in a row: soon {soon}");
            (Reason::NearlyFull, seen, Some(shorter))
        }
    };
    let message = Message::from(format!("{seen}{most}. {GOES}")).remedies(more(proposal)).remedies(others);
    Finding::fails(MemorySufficient, reason, message)
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
            "{clients} clients or more are connected to {pod}. Its next start allows {clients} (maxMemory {memory}), and refuses \
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
    let seen = match what {
        Slow::RoundTrip => format!("a PING to {pod} took {at_least} ms or more"),
        Slow::Reads => format!("reading an entry took {pod} {at_least} ms or more on average, by its own measure"),
        Slow::Writes => format!("writing an entry took {pod} {at_least} ms or more on average, by its own measure"),
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
            "Its processor is busy, or it does not get enough of one".to_owned(),
            vec![Remedy::costing(restart.costs(), "raise or remove the CPU limit in spec.redis.pod.resources")],
        ),
        Cause::Network => (
            Reason::SlowNetwork,
            "The server is not busy: the network or a CPU limit holds it back".to_owned(),
            vec![
                Remedy::look("see whether its node is overloaded or far away"),
                Remedy::costing(restart.costs(), "choose another node or CPU limit in spec.redis.pod"),
            ],
        ),
    };
    let message = format!("{seen} at two looks in a row, and every token waits as long. {why}. {GOES}");
    Finding::fails(LatencyAcceptable, reason, Message::from(message).remedies(remedies))
}
