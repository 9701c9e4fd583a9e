//! What is worth knowing of a server's load, and no failure: the findings about `MemorySufficient` and `LatencyAcceptable`.
//!
//! In: the settings and what the looks at a server add up to. Out: findings. What takes more looks than there were is said
//! to be on its way.

use super::unread;
use crate::{
    api::v1alpha1::EvictionPolicy,
    condition::{
        ConditionType::{self, LatencyAcceptable, MemorySufficient},
        Finding, Reason,
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
        settings::{Settings, client_limits::ClientLimits, expiring_only},
    },
};

/// The conditions that go by its load.
const CONDITIONS: [ConditionType; 2] = [MemorySufficient, LatencyAcceptable];

/// What goes for a trouble that comes and goes.
const GOES: &str = "This is said until ten looks running have not seen it";

/// The findings about a server that answered.
#[must_use]
pub fn findings(settings: &Settings, pod: &str, answer: &Answer) -> Vec<Finding> {
    let Usage { memory: has_memory, latency: has_latency } = &answer.usage;
    let found = [(memory(settings, pod, *has_memory), Section::Errors), (latency(pod, has_latency), Section::Calls)];
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

fn memory(settings: &Settings, pod: &str, memory: Memory) -> Finding {
    let (sign, of, proposal) = match memory {
        Memory::NotYetKnown => {
            return sampling(
                MemorySufficient,
                format!("{pod} was looked at once so far, and it takes two looks to tell"),
            );
        }
        Memory::Sufficient => {
            let memory = settings.max_memory.quantity();
            let message =
                format!("less than nine tenths of {memory} are used on {pod}, and no entry was evicted or refused");
            return Finding::holds(MemorySufficient, Reason::Sufficient, message);
        }
        Memory::Short { sign, of, proposal } => (sign, format_bytes(of), proposal),
    };
    let policy = settings.eviction_policy;
    let remedy = match proposal {
        Some(bytes) => format!("By what was measured, spec.redis.maxMemory: {} suffices", format_bytes(bytes)),
        None => "There is no more to be had than 1Ti".to_owned(),
    };
    let (reason, seen) = match sign {
        Sign::Refused { is_over } => (
            if is_over { Reason::WritesRefusedEarlier } else { Reason::WritesRefused },
            format!(
                "{pod} {} writes because {of} {} full (OOM command not allowed when used memory > 'maxmemory'), and \
                 {}: new tokens {} kept, and applications ask the identity provider for them each time. {remedy}{}",
                if is_over { "refused" } else { "refuses" },
                if is_over { "were" } else { "are" },
                match policy {
                    EvictionPolicy::Noeviction => "noeviction evicts nothing",
                    _ if expiring_only(policy) => "no entry that has an expiration was left to evict",
                    _ => "what could be evicted was not enough",
                },
                if is_over { "were not" } else { "are not" },
                match policy {
                    EvictionPolicy::Noeviction => "; or let spec.redis.evictionPolicy: volatile-lru make room",
                    _ if expiring_only(policy) => "; see also EntriesExpire",
                    _ => "",
                }
            ),
        ),
        Sign::Evicted { at_least } => (
            Reason::EntriesEvicted,
            format!(
                "{pod} evicted {at_least} or more entries because {of} were full: applications ask the identity provider again for \
                 the tokens that were in them, and users may have to sign in again. {remedy}; a shorter expiration in the \
                 application makes room too"
            ),
        ),
        Sign::NearlyFull => (
            Reason::NearlyFull,
            format!(
                "nine tenths of {of} or more were used on {pod} at two looks running: soon {}. {remedy}; a shorter expiration \
                 in the application makes room too",
                if policy == EvictionPolicy::Noeviction { "writes are refused" } else { "entries are evicted" }
            ),
        ),
    };
    Finding::fails(MemorySufficient, reason, format!("{seen}. {GOES}"))
}

/// What is said of a server to which more clients are connected than its memory allows, because it was started before there
/// was a limit.
#[must_use]
pub fn crowded(settings: &Settings, pod: &str) -> Finding {
    let ClientLimits { clients, .. } = ClientLimits::of(settings.max_memory);
    let memory = settings.max_memory.quantity();
    Finding::fails(
        MemorySufficient,
        Reason::ClientLimitExceeded,
        format!(
            "{clients} clients or more are connected to {pod}, which is what maxMemory {memory} allows (512, and 2 for each \
             Mi, since each takes memory beside the entries): no limit is set while they are, but its next start sets \
             maxclients {clients}, and then others are refused. Have each application use one ConnectionMultiplexer for \
             all requests, or raise spec.redis.maxMemory"
        ),
    )
}

fn latency(pod: &str, latency: &Latency) -> Finding {
    let (what, at_least, cause) = match latency {
        Latency::NotYetKnown => {
            let message = format!("{pod} was looked at once so far, and it takes two looks to tell");
            return sampling(LatencyAcceptable, message);
        }
        Latency::Acceptable => {
            let message = format!("{pod} answers PING, and reads and writes entries, within 30 ms");
            return Finding::holds(LatencyAcceptable, Reason::Acceptable, message);
        }
        Latency::Slow { what, at_least, cause } => (what, at_least, cause),
    };
    let seen = match what {
        Slow::RoundTrip => format!("a PING to {pod} and its answer took {at_least} ms or more"),
        Slow::Reads => format!("reading an entry took {pod} {at_least} ms or more on average, by its own measure"),
        Slow::Writes => format!("writing an entry took {pod} {at_least} ms or more on average, by its own measure"),
    };
    let (reason, why) = match cause {
        Cause::Command(name) => (
            Reason::SlowCommand,
            format!(
                "Its slow log holds {name}, which every other command waits for: whatever sends it should not; SLOWLOG GET \
                 tells which client that is"
            ),
        ),
        Cause::BigEntries { at_least } => (
            Reason::BigEntries,
            format!(
                "It holds entries of {} and more, where some kilobytes are usual: most often an application keeps the \
                 tokens of many users under one key",
                format_bytes(*at_least)
            ),
        ),
        Cause::Processor => (
            Reason::ProcessorBusy,
            "Its processor is busy, or it does not get enough of one: give it more CPU, or no limit, in \
             spec.redis.pod.resources"
                .to_owned(),
        ),
        Cause::Network => (
            Reason::SlowNetwork,
            "The server is not busy, and reads and writes entries fast: it is the way to it that takes long, or a CPU limit \
             that holds it back. See whether its node is overloaded or far away, and spec.redis.pod"
                .to_owned(),
        ),
    };
    let message = format!(
        "{seen}, twice running: every request for a token waits as long, also where the application has it in memory, and is \
         given up after a second. {why}. {GOES}"
    );
    Finding::fails(LatencyAcceptable, reason, message)
}
