//! What is worth knowing of a server's load, and no failure: the findings about `MemorySufficient` and `LatencyAcceptable`.
//!
//! In: the settings and what the looks at a server add up to. Out: findings. What takes more looks than there were is said
//! to be on its way.

use super::unread;
use crate::{
    api::v1alpha1::EvictionPolicy,
    capability::cost::NOTHING,
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
    let found = [
        (memory(settings, pod, *has_memory, &|proposal| more(settings, restart, container, proposal)), Section::Errors),
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

/// What makes room, first what costs nothing.
fn more(settings: &Settings, restart: Restart, container: Option<u64>, proposal: Option<u64>) -> String {
    let Some(proposal) = proposal else { return "There is no more to be had than 1Ti".to_owned() };
    let most =
        container.map(|container| settings.most_in(container)).filter(|most| *most > settings.max_memory.bytes());
    let size = settings.persistence.as_ref().map(|persistence| persistence.size);
    let volume = match size.filter(|size| *size < 3 * proposal) {
        Some(_) => format!(", with a volume of {}", format_bytes(3 * proposal)),
        None => String::new(),
    };
    let set = |bytes| format!("spec.redis.maxMemory: {}", format_bytes(bytes));
    match most {
        Some(most) if most >= proposal => format!("{NOTHING}: {} (suffices){volume}", set(proposal)),
        Some(most) => format!(
            "{NOTHING}: {} (may not suffice). {}: {} (suffices){volume}",
            set(most),
            restart.costs(),
            format_bytes(proposal)
        ),
        None => format!("{}: {} (suffices){volume}", restart.costs(), set(proposal)),
    }
}

fn memory(settings: &Settings, pod: &str, memory: Memory, more: &dyn Fn(Option<u64>) -> String) -> Finding {
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
    let remedy = more(proposal);
    let (reason, seen) = match sign {
        Sign::Refused { is_over } => (
            if is_over { Reason::WritesRefusedEarlier } else { Reason::WritesRefused },
            format!(
                "{pod} {} writes (OOM): {of} {} full, and {}. New tokens {} kept. {remedy}{}",
                if is_over { "refused" } else { "refuses" },
                if is_over { "were" } else { "are" },
                match policy {
                    EvictionPolicy::Noeviction => "noeviction evicts nothing",
                    _ if expiring_only(policy) => "no entry with an expiration was left to evict",
                    _ => "what could be evicted was not enough",
                },
                if is_over { "were not" } else { "are not" },
                match policy {
                    EvictionPolicy::Noeviction => {
                        ". Costs the entries that it evicts: spec.redis.evictionPolicy: volatile-lru"
                    }
                    _ if expiring_only(policy) => ". See also EntriesExpire",
                    _ => "",
                }
            ),
        ),
        Sign::Evicted { at_least } => (
            Reason::EntriesEvicted,
            format!(
                "{pod} evicted {at_least} or more entries, since {of} were full: users may have to sign in again. {remedy}. A \
                 shorter expiration in the application makes room too"
            ),
        ),
        Sign::NearlyFull => (
            Reason::NearlyFull,
            format!(
                "{pod} used nine tenths of {of} or more at two looks running: soon {}. {remedy}. A shorter expiration in the \
                 application makes room too",
                if policy == EvictionPolicy::Noeviction { "writes are refused" } else { "entries are evicted" }
            ),
        ),
    };
    Finding::fails(MemorySufficient, reason, format!("{seen}. {GOES}"))
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
        format!(
            "{clients} clients or more are connected to {pod}, which is what maxMemory {memory} allows: its next start sets \
             maxclients {clients}, and others are refused then. Have each application use one ConnectionMultiplexer for all \
             requests. {}: a higher spec.redis.maxMemory",
            Restart::of(settings, Some(answer)).costs_of_more_memory(settings, container)
        ),
    )
}

fn latency(pod: &str, latency: &Latency, restart: Restart) -> Finding {
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
                "Its slow log holds {name}, which every other command waits for: SLOWLOG GET tells which client sends it"
            ),
        ),
        Cause::BigEntries { at_least } => (
            Reason::BigEntries,
            format!(
                "It holds entries of {} and more: most often an application keeps the tokens of many users under one key",
                format_bytes(*at_least)
            ),
        ),
        Cause::Processor => (
            Reason::ProcessorBusy,
            format!(
                "Its processor is busy, or it does not get enough of one. {}: more CPU, or no limit, in spec.redis.pod.resources",
                restart.costs()
            ),
        ),
        Cause::Network => (
            Reason::SlowNetwork,
            format!(
                "The server is not busy: it is the way to it that takes long, or a CPU limit that holds it back. See whether its \
                 node is overloaded or far away. {}: another node or limit, in spec.redis.pod",
                restart.costs()
            ),
        ),
    };
    let message = format!("{seen}, twice running, and requests for a token wait as long. {why}. {GOES}");
    Finding::fails(LatencyAcceptable, reason, message)
}
