//! Whether applications can read what is stored: the finding about `EntriesReadable`.
//!
//! In: the settings, what the looks at a server add up to, who uses the cache. Out: a finding. Of several troubles the one
//! that harms most gives the reason, and the others are told beside it. Nothing is removed here: what to do is said.

use std::collections::BTreeSet;

use crate::{
    api::v1alpha1::{FLUSH_ANNOTATION, Inspect},
    condition::{ConditionType::EntriesReadable, Finding, Reason},
    entries::{
        entry::class::Class,
        look::{
            Look,
            census::{Keyspace, Share},
            payloads::{Payloads, Portion},
        },
        settings::Settings,
    },
    kubernetes::{
        name,
        read::workload::{Consumers, Source},
    },
    redis::settings as redis,
};

/// How many things of one kind a message names.
const NAMED: usize = 3;

/// What an application does with an entry that it cannot read.
const FAILS: &str = "fail with IDW10802 (json_parse_failed) whenever one of their users needs a token, until the entry \
                     expires or is removed";

/// What goes for every trouble here.
const GOES: &str = "This is said until every entry, or of very many a thousand, was looked into again without it";

/// What an application needs to encrypt what it stores.
const ENCRYPTS: &str = "services.Configure<MsalDistributedTokenCacheAdapterOptions>(configuration.GetSection(\"TokenCache\")), \
                        and TokenCache__Encrypt=true in its environment; a worker needs services.AddDataProtection() as well, \
                        without which it goes on storing plain text and says nothing";

/// The finding about a server that answered. `tried` are the application names under which entries were read.
#[must_use]
pub fn finding(settings: &Settings, of_redis: &redis::Settings, look: &Look, consumers: &Consumers) -> Finding {
    let pod = look.server.pod.as_str();
    let unknown = |reason, why: String| Finding::unknown(EntriesReadable, reason, why);
    if settings.inspect == Inspect::Metadata {
        let why = "the operator does not look into entries, so that it cannot tell whether applications can read them: \
                   spec.entries.inspect is Metadata, or left out with spec.dataProtection.mode: None. To be told, set it to \
                   Payloads";
        return unknown(Reason::NotInspected, why.to_owned());
    }
    match &look.entries {
        Keyspace::NotYetKnown => {
            unknown(Reason::Sampling, format!("the entries on {pod} have not been looked into yet"))
        }
        Keyspace::Refused(words) => {
            unknown(Reason::PermissionDenied, crate::redis::findings::unread::unseen(of_redis, pod, words))
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
            Trouble::KeyRevoked => (Reason::KeyRevoked, self.key_revoked()),
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

    /// How many of the entries a class has.
    fn share(&self, class: Class) -> String {
        let share = match self.payloads.classes.get(&class).map(|portion| portion.share) {
            Some(Share::Most | Share::All) => "half or more",
            Some(Share::Some) => "one in ten or more",
            Some(Share::Few) | None => "some, fewer than one in ten,",
        };
        format!("{share} of the entries with the prefix {:?} on {}", self.of_redis.instance_name.as_str(), self.pod)
    }

    /// The first few keys of a class, and what is so about them.
    fn keys(&self, class: Class, what: &str) -> String {
        let none = BTreeSet::new();
        let keys = self.payloads.classes.get(&class).map_or(&none, |Portion { keys, .. }| keys);
        let named: Vec<String> = keys.iter().take(NAMED).map(|key| key.short()).collect();
        let named = named.join(", ");
        match keys.len().saturating_sub(NAMED) {
            0 if keys.len() == 1 => format!("key {named}, which is {what}"),
            0 => format!("keys {named}, which are {what}"),
            more => format!("keys {named} and {more} more, which are {what}"),
        }
    }

    /// Where the ring is, or would be.
    fn missing(&self) -> String {
        format!("not in Secret {}", name::keys(&self.of_redis.owner.name))
    }

    /// The request that removes entries.
    fn flush(&self, which: &str) -> String {
        let owner = &self.of_redis.owner;
        format!(
            "`kubectl -n {} annotate --overwrite tokencache {} {FLUSH_ANNOTATION}=\"$(date -u +%FT%TZ) {which}\"`",
            owner.namespace, owner.name
        )
    }

    fn workloads(&self) -> String {
        self.consumers.named(&Source::Secret(name::redis(&self.of_redis.owner.name)))
    }

    /// How entries that nobody can read are removed from everywhere.
    fn removal(&self) -> String {
        format!(
            "{} removes the entries that cannot be read, and no others. {}",
            self.flush("unreadable"),
            self.restart()
        )
    }

    fn restart(&self) -> String {
        format!("After that restart {}: each pod keeps what it read in its own memory (L1) too", self.workloads())
    }

    fn key_missing(&self) -> String {
        format!(
            "{} are encrypted with {}: applications cannot read them, and {FAILS}. If an earlier ring or a backup has the key, \
             put its Secret back or name it in spec.dataProtection.import, and they can be read again. Otherwise {}",
            self.share(Class::KeyMissing),
            self.keys(Class::KeyMissing, &self.missing()),
            self.removal()
        )
    }

    fn key_revoked(&self) -> String {
        format!(
            "{} are encrypted with {}: applications refuse to read them, and {FAILS}. {}",
            self.share(Class::KeyRevoked),
            self.keys(Class::KeyRevoked, "revoked"),
            self.removal()
        )
    }

    fn key_closed(&self) -> String {
        format!(
            "{} are encrypted with {} (see KeyRingReady), so that the operator cannot tell whether they can be read: \
             applications that have the certificate read them, and those that have not {FAILS}. Give the operator the \
             certificate too",
            self.share(Class::KeyClosed),
            self.keys(Class::KeyClosed, "closed to the operator")
        )
    }

    fn names(&self) -> String {
        let names: Vec<String> = self.payloads.names.iter().map(|name| format!("{name:?}")).collect();
        let (found, told) = (names.join(" and "), self.settings.application_name.as_ref());
        let entries = format!(
            "entries with the prefix {:?} on {} are encrypted under the application name",
            self.of_redis.instance_name.as_str(),
            self.pod
        );
        let (seen, decide, name) = match (told, names.as_slice()) {
            (Some(told), [only]) => (
                format!(
                    "{entries} {only}, and spec.dataProtection.applicationName is {told:?}: applications with the one cannot \
                     read what those with the other write, and {FAILS}"
                ),
                format!("If {only} is right, set spec.dataProtection.applicationName to it. Otherwise"),
                format!("{told:?}"),
            ),
            _ => (
                format!(
                    "{entries}s {found}: applications with one of them cannot read what those with another write, and {FAILS}. \
                     Where no name is set it is the folder that an application runs in"
                ),
                match told {
                    Some(_) => "As spec.dataProtection.applicationName has it,".to_owned(),
                    None => "Decide for one name,".to_owned(),
                },
                told.map_or_else(|| "\"…\"".to_owned(), |told| format!("{told:?}")),
            ),
        };
        format!(
            "{seen}. {decide} call services.AddDataProtection().SetApplicationName({name}) in all that use the cache ({}); \
             {} then removes every entry, since those of another name stay unreadable",
            self.workloads(),
            self.flush("all")
        )
    }

    fn other_application(&self) -> String {
        let tried: Vec<String> = self.tried.iter().map(|name| format!("{name:?}")).collect();
        format!(
            "{} are encrypted with {}, and under none of the application names {}: applications use another name, or something \
             else than Microsoft.Identity.Web encrypted them, or they were changed since. Set \
             spec.dataProtection.applicationName to what applications give to SetApplicationName, or to the folder that they \
             run in. Applications of different names cannot read each other's entries, and {FAILS}. While no name is known that reads \
             these, they are not removed as unreadable. Those that use the cache: {}",
            self.share(Class::OtherApplication),
            self.keys(Class::OtherApplication, "in the ring"),
            tried.join(", "),
            self.workloads()
        )
    }

    fn undeserializable(&self) -> String {
        format!(
            "{} have keys that MSAL gives, or can be decrypted, and are no token cache as MSAL writes it: another version of an \
             application wrote them, before an upgrade or after it, or something else with this prefix that has such keys. \
             Applications that take one for their own {FAILS}. {}",
            self.share(Class::Undeserializable),
            self.removal()
        )
    }

    fn encrypted(&self) -> String {
        format!(
            "entries with the prefix {:?} on {} are encrypted, and spec.entries.encrypt is false: applications that have \
             Encrypt off cannot read them, and {FAILS}. If applications do encrypt, set spec.entries.encrypt: true. If they did \
             once, {} removes the encrypted entries, and no others. {}",
            self.of_redis.instance_name.as_str(),
            self.pod,
            self.flush("encrypted"),
            self.restart()
        )
    }

    fn plain(&self) -> String {
        format!(
            "{} are not encrypted, and spec.entries.encrypt is true: whoever can read the cache, its volume or a copy of it \
             has the tokens in them. To encrypt, an application has {ENCRYPTS}. Entries are encrypted when they are written next, \
             and those that use the cache are: {}. Or set spec.entries.encrypt: false",
            self.share(Class::Plain),
            self.workloads()
        )
    }

    /// A trouble beside a worse one.
    fn beside(&self, trouble: Trouble) -> String {
        match trouble {
            Trouble::KeyMissing => format!("some are encrypted with {}", self.keys(Class::KeyMissing, &self.missing())),
            Trouble::KeyRevoked => format!("some are encrypted with {}", self.keys(Class::KeyRevoked, "revoked")),
            Trouble::KeyClosed => {
                format!("some are encrypted with {}", self.keys(Class::KeyClosed, "closed to the operator"))
            }
            Trouble::Names => "application names differ".to_owned(),
            Trouble::OtherApplication => "some are of an application name that is not known".to_owned(),
            Trouble::Undeserializable => "some are no token cache as MSAL writes it".to_owned(),
            Trouble::Encrypted => "some are encrypted, which spec.entries.encrypt: false denies".to_owned(),
            Trouble::Plain => "some are not encrypted, which spec.entries.encrypt: true denies".to_owned(),
        }
    }
}
