//! What is worth knowing of a server's use, and no failure: the findings about `MemorySufficient`, `LatencyAcceptable`,
//! `EntriesExpire` and `InUse`. What is said of `EntriesReadable` is in `entries::findings::readability`.
//!
//! In: the settings and what the looks at a server add up to. Out: findings. What takes more looks than there were is said
//! to be on its way.

use super::{drift, unread};
use crate::{
    api::v1alpha1::EvictionPolicy,
    condition::{
        ConditionType::{self, EntriesExpire, EntriesReadable, InUse, LatencyAcceptable, MemorySufficient},
        Finding, Reason, Verdict,
    },
    entries::look::census::{Entries, Expiry, Population, Prefix, Share},
    kubernetes::quantity::format_bytes,
    redis::{
        look::{
            Answer, Part,
            load::{
                Usage,
                latency::{Cause, Latency, Slow},
                memory::{Memory, Sign},
            },
        },
        settings::{Settings, client_limits::ClientLimits},
    },
};

/// The conditions that go by how a server is used.
const CONDITIONS: [ConditionType; 5] = [MemorySufficient, LatencyAcceptable, EntriesExpire, InUse, EntriesReadable];

/// What goes for a trouble that comes and goes.
const GOES: &str = "This is said until ten looks running have not seen it";

/// The findings about a server that answered.
#[must_use]
pub fn findings(settings: &Settings, pod: &str, answer: &Answer) -> Vec<Finding> {
    let Usage { memory: has_memory, latency: has_latency, entries: holds, payloads: _ } = &answer.usage;
    let [expire, in_use] = entries(settings, pod, holds);
    let found = [
        (memory(settings, pod, *has_memory), Part::Errors),
        (latency(pod, has_latency), Part::Calls),
        (expire, Part::Keys),
        (in_use, Part::Keys),
    ];
    // A trouble that was seen is told, whatever else could not be read.
    let found = found.map(|(finding, goes_by)| {
        match unread::finding(settings, pod, answer, finding.condition, &[Part::Use, goes_by]) {
            Some(unknown) if finding.verdict != Verdict::False || answer.unread.contains_key(&Part::Use) => unknown,
            _ => finding,
        }
    });
    found.into()
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
        Sign::Refused => (
            Reason::WritesRefused,
            format!(
                "{pod} refused writes because {of} are full (OOM command not allowed when used memory > 'maxmemory'), and \
                 {}: new tokens are not kept, and applications ask the identity provider for them each time. {remedy}{}",
                match policy {
                    EvictionPolicy::Noeviction => "noeviction evicts nothing",
                    _ if expiring_only(policy) => "no entry that has an expiration was left to evict",
                    _ => "what could be evicted was not enough",
                },
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
        Reason::TooManyClients,
        format!(
            "{clients} clients or more are connected to {pod}, which is what maxMemory {memory} allows (512, and 2 for each \
             Mi, since each takes memory beside the entries): no limit is set while they are, but its next start sets \
             maxclients {clients}, and then others are refused. Have each application use one ConnectionMultiplexer for \
             all requests, or raise spec.redis.maxMemory"
        ),
    )
}

fn expiring_only(policy: EvictionPolicy) -> bool {
    match policy {
        EvictionPolicy::VolatileLru | EvictionPolicy::VolatileLfu | EvictionPolicy::VolatileTtl => true,
        EvictionPolicy::AllkeysLru | EvictionPolicy::AllkeysLfu | EvictionPolicy::Noeviction => false,
    }
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

fn entries(settings: &Settings, pod: &str, entries: &Entries) -> [Finding; 2] {
    let both =
        |reason, why: String| [EntriesExpire, InUse].map(|condition| Finding::unknown(condition, reason, why.clone()));
    match entries {
        Entries::NotYetKnown => both(Reason::Sampling, format!("the keys on {pod} have not been looked at yet")),
        Entries::Refused(words) => both(Reason::PermissionDenied, unseen(settings, pod, words)),
        Entries::Seen(population) => [expiry(settings, pod, population), in_use(settings, pod, population)],
    }
}

/// What is said where the server does not let the operator look at keys, in these words of its own.
#[must_use]
pub fn unseen(settings: &Settings, pod: &str, words: &str) -> String {
    format!(
        "{pod} does not let the operator look at its keys ({words}). {}",
        drift::restart(settings, pod, "the users from its Secret")
    )
}

fn expiry(settings: &Settings, pod: &str, population: &Population) -> Finding {
    let (prefix, policy) = (settings.instance_name.as_str(), settings.eviction_policy);
    if matches!(policy, EvictionPolicy::AllkeysLru | EvictionPolicy::AllkeysLfu) {
        let message = format!("{} evicts entries whether or not they have an expiration", policy.as_str());
        return Finding::holds(EntriesExpire, Reason::AnyCanBeEvicted, message);
    }
    let share = match population.expiry {
        Expiry::NotYetKnown if population.unnamed => return unnamed(EntriesExpire, pod),
        Expiry::NotYetKnown => {
            let message = format!(
                "every entry that was seen on {pod} expires, and not all were: some hundred are looked at each time"
            );
            return sampling(EntriesExpire, message);
        }
        Expiry::All => {
            let message = format!("no entry with the prefix {prefix:?} on {pod} is without an expiration");
            return Finding::holds(EntriesExpire, Reason::AllExpire, message);
        }
        Expiry::Never(Share::All) => "the entries",
        Expiry::Never(Share::Most) => "half of the entries or more",
        Expiry::Never(Share::Some) => "one in ten entries or more",
        Expiry::Never(Share::Few) => "some entries, fewer than one in ten,",
    };
    let policy = if expiring_only(policy) {
        format!(
            "{} never evicts them, so that they fill the memory in time, and then writes are refused",
            policy.as_str()
        )
    } else {
        format!(
            "under {} nothing else removes them, so that they fill the memory in time, and then writes are refused",
            policy.as_str()
        )
    };
    let message = format!(
        "{share} with the prefix {prefix:?} on {pod} have no expiration: {policy}. Entries of users who sign in, and of \
         long-running on-behalf-of sessions, have none unless the application sets one. Set SlidingExpiration or \
         AbsoluteExpirationRelativeToNow of MsalDistributedTokenCacheAdapterOptions, and make sure that the application binds \
         them, since nothing does so by itself: services.Configure<MsalDistributedTokenCacheAdapterOptions>(\
         configuration.GetSection(\"TokenCache\")). Entries get it when they are written next. Or set \
         spec.redis.evictionPolicy: allkeys-lru"
    );
    Finding::fails(EntriesExpire, Reason::NeverExpire, message)
}

/// What is said where all that is known is of other keys.
fn unnamed(condition: ConditionType, pod: &str) -> Finding {
    let message = format!(
        "there are keys on {pod} with names of 2 KiB and more, which are not looked at: whether they are entries, and expire, \
         is not known. Nothing of Microsoft.Identity.Web writes such; what does needs a Redis of its own"
    );
    Finding::unknown(condition, Reason::AnswerTooLong, message)
}

fn in_use(settings: &Settings, pod: &str, population: &Population) -> Finding {
    let prefix = settings.instance_name.as_str();
    let beside = match (population.others, population.other_database) {
        (_, Some(database)) => format!(
            ". Database {database} holds keys too, which are not looked at: an application whose connection has \
             defaultDatabase={database} writes there"
        ),
        (true, None) => ". There are keys without that prefix as well".to_owned(),
        (false, None) => String::new(),
    };
    match population.prefix {
        Prefix::Unused | Prefix::NotYetKnown if population.unnamed => unnamed(InUse, pod),
        Prefix::NotYetKnown => {
            let message =
                format!("no entry with the prefix {prefix:?} was seen on {pod} so far, and not all keys were");
            sampling(InUse, message)
        }
        Prefix::Used => {
            let message = format!("applications write entries with the prefix {prefix:?} to {pod}{beside}");
            Finding::holds(InUse, Reason::Used, message)
        }
        Prefix::Unused => Finding::fails(
            InUse,
            Reason::NeverWritten,
            format!(
                "nothing with the prefix {prefix:?} was written to {pod} since it was started: tokens stay in the memory of \
                 each application's pod, where the others do not find them and a restart loses them. If users have signed \
                 in since, the usual causes are AddInMemoryTokenCaches in place of AddDistributedTokenCaches; \
                 AddDistributedMemoryCache registered after AddStackExchangeRedisCache; another InstanceName than \
                 {prefix:?}; a configuration section that nothing binds, such as Redis__Configuration without \
                 Configuration.Bind(\"Redis\", options){beside}"
            ),
        ),
    }
}
