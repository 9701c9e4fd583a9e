//! Whether applications can read what is stored: the finding about `EntriesReadable`.
//!
//! In: the settings, what the looks at a server add up to, who uses the cache. Out: a finding. Of several troubles the one
//! that harms most gives the reason, and the others are told beside it. Nothing is removed here: what to do is said.

mod messages;

use crate::{
    api::v1alpha1::Inspect,
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
    redis::settings as redis,
};

/// How many things of one kind a message names.
const NAMED: usize = 3;

/// What goes for every trouble here.
const GOES: &str = "This is said until every entry, or of very many a thousand, was looked into again without it";

/// The finding about a server that answered. `tried` are the application names under which entries were read.
#[must_use]
pub fn finding(settings: &Settings, of_redis: &redis::Settings, look: &Look, consumers: &Consumers) -> Finding {
    let pod = look.server.pod.as_str();
    let unknown = |reason, why: Message| Finding::unknown(EntriesReadable, reason, why);
    if settings.inspect == Inspect::Metadata {
        let why = "the operator does not look into entries, so that it cannot tell whether applications can read them: \
                   spec.entries.inspect is Metadata, as it is by default where spec.dataProtection.mode is None. Costs nothing: \
                   spec.entries.inspect: Payloads";
        return unknown(Reason::NotInspected, why.into());
    }
    match &look.entries {
        Keyspace::NotYetKnown => {
            unknown(Reason::Sampling, format!("the entries on {pod} have not been looked into yet").into())
        }
        Keyspace::Refused(words) => {
            unknown(Reason::NotRead, crate::redis::findings::unread::unseen(of_redis, pod, words))
        }
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
        let (worst, others) = troubles.split_first()?;
        let (reason, message) = match worst {
            Trouble::KeyMissing => (Reason::KeyMissing, self.key_missing()),
            Trouble::KeyRevoked => (Reason::RevokedKeyInUse, self.key_revoked()),
            Trouble::Names => (Reason::ApplicationNameMismatch, self.names()),
            Trouble::OtherApplication => (Reason::OtherApplication, self.other_application()),
            Trouble::Undeserializable => (Reason::Undeserializable, self.undeserializable()),
            Trouble::Encrypted => (Reason::EncryptedEntries, self.encrypted()),
            Trouble::KeyClosed => (Reason::KeyClosed, self.key_closed()),
            Trouble::Plain => (Reason::PlainEntries, self.plain()),
        };
        let named: Vec<String> = others.iter().take(NAMED).map(|&other| self.beside(other)).collect();
        let beside = match others.len().checked_sub(NAMED) {
            _ if others.is_empty() => String::new(),
            None | Some(0) => format!(". Beside these {}", named.join("; ")),
            Some(more) => format!(". Beside these {}; and {more} kinds more", named.join("; ")),
        };
        Some(Finding::fails(EntriesReadable, reason, format!("{message}{beside}. {GOES}")))
    }

    /// Nothing is wrong, as far as is known.
    fn rest(&self) -> Finding {
        let (prefix, pod) = (self.of_redis.instance_name.as_str(), self.pod);
        let has = |class| self.payloads.has(class);
        if !self.payloads.is_complete {
            let message = format!("every entry that was looked into on {pod} can be read, and not all were");
            return Finding::unknown(EntriesReadable, Reason::Sampling, message);
        }
        if has(Class::Encrypted) {
            let message = format!(
                "entries with the prefix {prefix:?} on {pod} are encrypted, and the operator has no key to try them with: \
                 whether applications can read them is not known"
            );
            return Finding::unknown(EntriesReadable, Reason::NoKeyRing, message);
        }
        let strange = match self.payloads.classes.get(&Class::Strange) {
            None => "",
            Some(Portion { keys, .. }) if keys.is_empty() => {
                ". Others there are of another kind than Microsoft.Identity.Web writes, such as the sessions of an application \
                 that keeps them in the same IDistributedCache"
            }
            Some(_) => {
                ". Of others nothing shows that Microsoft.Identity.Web wrote them: some are encrypted, under keys that MSAL does \
                 not give, and are what an application protects itself, or tokens of long-running processes (under a session \
                 key of the application's own) that the published keys do not read"
            }
        };
        let all = |how: &str| format!("the entries with the prefix {prefix:?} on {pod} {how}{strange}");
        match (has(Class::Readable), has(Class::Plain)) {
            (false, false) if self.payloads.has_passed_over && !has(Class::Strange) => Finding::unknown(
                EntriesReadable,
                Reason::BigEntries,
                format!("the entries with the prefix {prefix:?} on {pod} are too big to be looked into"),
            ),
            (false, false) => Finding::holds(
                EntriesReadable,
                Reason::NothingStored,
                format!("no token is stored with the prefix {prefix:?} on {pod}{strange}"),
            ),
            (true, _) => Finding::holds(
                EntriesReadable,
                Reason::AllReadable,
                all("are encrypted, and can be read with the published keys"),
            ),
            (false, true) => Finding::holds(
                EntriesReadable,
                Reason::AllReadable,
                all("can be read, and are not encrypted, as spec.entries.encrypt: false says"),
            ),
        }
    }
}
