//! What is said of entries: whether they expire, whether there are any, whether applications can read them.
//!
//! In: the settings, which server answered, what the looks at it add up to. Out: findings.

pub(crate) mod expiry;
pub(crate) mod in_use;
pub(crate) mod readability;

use super::{
    look::{Look, census::Keyspace},
    settings::Settings,
};
use crate::{
    api::v1alpha1::Remedy,
    condition::{
        ConditionType::{self, EntriesExpire, EntriesReadable, InUse},
        Finding, Message, Reason,
    },
    kubernetes::{
        identity::Owner,
        name,
        read::workload::{Consumers, Source},
        words,
    },
    redis::{
        findings::{Answered, unread},
        live::Live,
        look::answer::Section,
        settings as redis,
    },
};

/// The conditions that go by what stands in a server.
pub(super) const CONDITIONS: [ConditionType; 3] = [EntriesExpire, InUse, EntriesReadable];

/// How much of the prefix a message shows, in characters.
const LONGEST_PREFIX: usize = 40;

/// What is said of the entries.
#[must_use]
pub fn findings(
    settings: &Settings,
    of_redis: &redis::Settings,
    (observed, looks): (&Live, &[Look]),
    answered: &Answered,
) -> Vec<Finding> {
    let pod = match answered {
        Answered::Nobody { reason, why } => return unasked(*reason, why),
        Answered::By(pod) => pod,
    };
    let sample = observed.samples.iter().find(|sample| sample.server.pod == *pod);
    let look = looks.iter().find(|look| look.server.pod == *pod);
    let (Some(answer), Some(look)) = (sample.and_then(|sample| sample.outcome.as_ref().ok()), look) else {
        return Vec::new();
    };
    let keys = of_keys(of_redis, pod, &look.entries)
        .map(|finding| unread::unless_read(of_redis, pod, answer, finding, Section::Keys));
    let goes_by = [Section::Use, Section::Keys, Section::Payloads];
    let readable = unread::finding(of_redis, pod, answer, EntriesReadable, &goes_by)
        .unwrap_or_else(|| readability::finding(settings, of_redis, look, &observed.consumers));
    keys.into_iter().chain([readable]).collect()
}

/// What is said where no server could be asked.
#[must_use]
pub fn unasked(reason: Reason, why: &str) -> Vec<Finding> {
    CONDITIONS.map(|condition| Finding::unknown(condition, reason, why)).into()
}

pub(crate) fn sampling(condition: ConditionType, why: String) -> Finding {
    Finding::unknown(condition, Reason::Sampling, why)
}

fn of_keys(of_redis: &redis::Settings, pod: &str, entries: &Keyspace) -> [Finding; 2] {
    let both =
        |reason, why: Message| [EntriesExpire, InUse].map(|condition| Finding::unknown(condition, reason, why.clone()));
    match entries {
        Keyspace::NotYetKnown => both(Reason::Sampling, format!("the keys on {pod} were not seen yet").into()),
        Keyspace::Refused(words) => both(Reason::NotRead, unread::unseen(of_redis, pod, words)),
        Keyspace::Seen(population) => {
            [expiry::expiry(of_redis, pod, population), in_use::in_use(of_redis, pod, population)]
        }
    }
}

/// Whether what is to be said wants to know who uses the cache.
#[must_use]
pub fn names_consumers(settings: &Settings, looks: &[Look]) -> bool {
    looks.iter().any(|look| readability::names_consumers(settings, look))
}

/// The prefix of the cache's entries, as messages show it.
pub(crate) fn prefix(of_redis: &redis::Settings) -> String {
    format!("{:?}", words::cut(of_redis.instance_name.as_str(), LONGEST_PREFIX))
}

/// How applications lose the entries that they keep in memory. The step begins with this.
pub(crate) fn restart(consumers: &Consumers, owner: &Owner, step: &str) -> Remedy {
    let remedy = Remedy::free(format!("{step} {}", consumers.named(&Source::Secret(name::redis(&owner.name)))));
    let command = consumers.restart(&owner.namespace);
    Remedy { command, ..remedy }
}

/// What is said where all that is known is of other keys.
pub(crate) fn unnamed(condition: ConditionType, pod: &str) -> Finding {
    let message = format!(
        "{pod} has keys with names of 2 KiB and more. They are not read, so it is unknown whether they are entries"
    );
    let remedy = Remedy::look("give what writes these keys a Redis of its own");
    Finding::unknown(condition, Reason::NotRead, Message::from(message).remedy(remedy))
}
