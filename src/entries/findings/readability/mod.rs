//! Whether applications can read what is stored: the finding about `EntriesReadable`.
//!
//! In: the settings, what the looks at a server add up to, who uses the cache. Out: a finding. Of several troubles the one
//! that harms most gives the reason, and the others are told beside it. Nothing is removed here: what to do is said.

mod messages;

use super::prefix;
use crate::{
    api::v1alpha1::{Inspect, Remedy},
    condition::{ConditionType::EntriesReadable, Finding, Message, Reason},
    entries::{
        entry::class::Class,
        look::{
            Look,
            census::Keyspace,
            payloads::{Payloads, Portion},
        },
        settings::Settings,
    },
    kubernetes::read::workload::Consumers,
    redis::{findings::unread, settings as redis},
};

/// The finding about a server that answered. `tried` are the application names under which entries were read.
#[must_use]
pub fn finding(settings: &Settings, of_redis: &redis::Settings, look: &Look, consumers: &Consumers) -> Finding {
    let pod = look.server.pod.as_str();
    let unknown = |reason, why: Message| Finding::unknown(EntriesReadable, reason, why);
    if settings.inspect == Inspect::Metadata {
        let why = "spec.entries.inspect is Metadata, so it is unknown whether applications can read the entries";
        let remedy = Remedy::free("set spec.entries.inspect: Payloads");
        return unknown(Reason::NotInspected, Message::from(why).remedy(remedy));
    }
    match &look.entries {
        Keyspace::NotYetKnown => unknown(Reason::Sampling, format!("the entries on {pod} were not read yet").into()),
        Keyspace::Refused(words) => unknown(Reason::NotRead, unread::unseen(of_redis, pod, words)),
        Keyspace::Seen(_) => {
            let told = Evidence { settings, of_redis, pod, payloads: &look.payloads, tried: &look.names, consumers };
            told.trouble().unwrap_or_else(|| told.rest())
        }
    }
}

/// Whether the finding would tell whom to restart, and so wants to know who uses the cache.
#[must_use]
pub fn names_consumers(settings: &Settings, look: &Look) -> bool {
    !troubles(settings, &look.payloads).is_empty()
}

/// What is wrong with entries, in the order of the harm that it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    KeyMissing,
    KeyRevoked,
    Names,
    OtherApplication,
    Undeserializable,
    Encrypted,
    KeyClosed,
    Plain,
}

fn troubles(settings: &Settings, payloads: &Payloads) -> Vec<Trouble> {
    let other_name = settings.application_name.iter().any(|told| payloads.names.iter().any(|name| name != told));
    let present = [
        (Trouble::KeyMissing, payloads.has(Class::KeyMissing)),
        (Trouble::KeyRevoked, payloads.has(Class::KeyRevoked)),
        (Trouble::Names, payloads.names.len() > 1 || other_name),
        (Trouble::OtherApplication, payloads.has(Class::OtherApplication)),
        (Trouble::Undeserializable, payloads.has(Class::Undeserializable)),
        (Trouble::Encrypted, !settings.encrypt && payloads.classes.keys().any(|class| class.is_encrypted())),
        (Trouble::KeyClosed, payloads.has(Class::KeyClosed)),
        (Trouble::Plain, settings.encrypt && payloads.has(Class::Plain)),
    ];
    present.into_iter().filter(|(_, is_there)| *is_there).map(|(trouble, _)| trouble).collect()
}

/// What a sentence is made from.
struct Evidence<'seen> {
    settings: &'seen Settings,
    of_redis: &'seen redis::Settings,
    pod: &'seen str,
    payloads: &'seen Payloads,
    tried: &'seen [String],
    consumers: &'seen Consumers,
}

impl Evidence<'_> {
    fn trouble(&self) -> Option<Finding> {
        let troubles = troubles(self.settings, self.payloads);
        let (&worst, others) = troubles.split_first()?;
        let (reason, message) = self.told(worst);
        let message = match others {
            [] => message,
            [next] => message.and(&format!("Also {}", self.told(*next).0.as_str())),
            [next, more @ ..] => message.and(&format!("Also {} and {} more", self.told(*next).0.as_str(), more.len())),
        };
        Some(Finding::fails(EntriesReadable, reason, message))
    }

    /// Nothing is wrong, as far as is known.
    fn rest(&self) -> Finding {
        let (prefix, pod) = (prefix(self.of_redis), self.pod);
        let has = |class| self.payloads.has(class);
        if !self.payloads.is_complete {
            let message = format!("every entry read on {pod} so far is readable; not all were read yet");
            return Finding::unknown(EntriesReadable, Reason::Sampling, message);
        }
        if has(Class::Encrypted) {
            let message = format!(
                "the entries on {pod} are encrypted, and the operator has no key: whether applications can read them is unknown"
            );
            return Finding::unknown(EntriesReadable, Reason::NoKeyRing, message);
        }
        let strange = match self.payloads.classes.get(&Class::Strange) {
            None => "",
            Some(Portion { keys, .. }) if keys.is_empty() => {
                ". Other entries are not Microsoft.Identity.Web's, such as sessions"
            }
            Some(_) => ". Other entries are encrypted, and not known to be Microsoft.Identity.Web's",
        };
        let all = |how: &str| format!("the entries with the prefix {prefix} on {pod} are {how}{strange}");
        match (has(Class::Readable), has(Class::Plain)) {
            (false, false) if self.payloads.has_passed_over && !has(Class::Strange) => Finding::unknown(
                EntriesReadable,
                Reason::BigEntries,
                format!("the entries with the prefix {prefix} on {pod} are too big to be read by the operator"),
            ),
            (false, false) => Finding::holds(
                EntriesReadable,
                Reason::NothingStored,
                format!("no token is stored with the prefix {prefix} on {pod}{strange}"),
            ),
            (true, _) => Finding::holds(
                EntriesReadable,
                Reason::AllReadable,
                all("encrypted, and the published keys decrypt them"),
            ),
            (false, true) => Finding::holds(
                EntriesReadable,
                Reason::AllReadable,
                all("readable and not encrypted, as spec.entries.encrypt: false says"),
            ),
        }
    }
}
