//! What is said of each trouble with entries: what is wrong, and what to do.
//!
//! In: what the looks at a server add up to, the settings, who uses the cache. Out: sentences, in which nothing moves that does
//! not change the matter. No entry is told, nor what is in it.

use std::collections::BTreeSet;

use super::{Evidence, NAMED, Trouble};
use crate::{
    api::v1alpha1::FLUSH_ANNOTATION,
    capability::{cost::NOTHING, operation::Again},
    entries::{
        entry::class::Class,
        look::{census::Share, payloads::Portion},
    },
    kubernetes::{name, read::workload::Source},
};

/// What an application does with an entry that it cannot read.
const FAILS: &str = "fail with IDW10802 (json_parse_failed) whenever one of their users needs a token, until the entry \
                     expires or is removed";

/// What an application needs to encrypt what it stores.
const ENCRYPTS: &str = "services.Configure<MsalDistributedTokenCacheAdapterOptions>(configuration.GetSection(\"TokenCache\")), \
                        and TokenCache__Encrypt=true in its environment; a worker needs services.AddDataProtection() as well, \
                        without which it goes on storing plain text and says nothing";

impl Evidence<'_> {
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
        Again::saying(which).command(&self.of_redis.owner, FLUSH_ANNOTATION)
    }

    fn workloads(&self) -> String {
        self.consumers.named(&Source::Secret(name::redis(&self.of_redis.owner.name)))
    }

    /// How entries that nobody can read are removed from everywhere.
    fn removal(&self) -> String {
        format!("Costs entries that nobody can read, and no others: {}. {}", self.flush("unreadable"), self.restart())
    }

    fn restart(&self) -> String {
        format!("After that restart {}: each pod keeps what it read in its own memory (L1) too", self.workloads())
    }

    pub(super) fn key_missing(&self) -> String {
        format!(
            "{} are encrypted with {}: applications cannot read them, and {FAILS}. {NOTHING}, if an earlier ring or a \
             backup has the key: put its Secret back, or name it in spec.dataProtection.import. {}",
            self.share(Class::KeyMissing),
            self.keys(Class::KeyMissing, &self.missing()),
            self.removal()
        )
    }

    pub(super) fn key_revoked(&self) -> String {
        format!(
            "{} are encrypted with {}: applications refuse to read them, and {FAILS}. {}",
            self.share(Class::KeyRevoked),
            self.keys(Class::KeyRevoked, "revoked"),
            self.removal()
        )
    }

    pub(super) fn key_closed(&self) -> String {
        format!(
            "{} are encrypted with {} (see KeyRingReady), so that the operator cannot tell whether they can be read: \
             applications that have the certificate read them, and those that have not {FAILS}. Give the operator the \
             certificate too",
            self.share(Class::KeyClosed),
            self.keys(Class::KeyClosed, "closed to the operator")
        )
    }

    pub(super) fn names(&self) -> String {
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
                format!("{NOTHING}, if {only} is right: set spec.dataProtection.applicationName to it. Otherwise"),
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
             those of another name stay unreadable. Costs all entries (users sign in again): {}",
            self.workloads(),
            self.flush("all")
        )
    }

    pub(super) fn other_application(&self) -> String {
        let tried: Vec<String> = self.tried.iter().map(|name| format!("{name:?}")).collect();
        format!(
            "{} are encrypted with {}, and under none of the application names {}: applications use another name, or something \
             else than Microsoft.Identity.Web encrypted them, or they were changed since. {NOTHING}: set \
             spec.dataProtection.applicationName to what applications give to SetApplicationName, or to the folder that they \
             run in. Applications of different names cannot read each other's entries, and {FAILS}. While no name is known that reads \
             these, they are not removed as unreadable. Those that use the cache: {}",
            self.share(Class::OtherApplication),
            self.keys(Class::OtherApplication, "in the ring"),
            tried.join(", "),
            self.workloads()
        )
    }

    pub(super) fn undeserializable(&self) -> String {
        format!(
            "{} have keys that MSAL gives, or can be decrypted, and are no token cache as MSAL writes it: another version of an \
             application wrote them, before an upgrade or after it, or something else with this prefix that has such keys. \
             Applications that take one for their own {FAILS}. {}",
            self.share(Class::Undeserializable),
            self.removal()
        )
    }

    pub(super) fn encrypted(&self) -> String {
        format!(
            "entries with the prefix {:?} on {} are encrypted, and spec.entries.encrypt is false: applications that have \
             Encrypt off cannot read them, and {FAILS}. {NOTHING}, if they do encrypt: spec.entries.encrypt: true. Costs the \
             encrypted entries, and no others: {}. {}",
            self.of_redis.instance_name.as_str(),
            self.pod,
            self.flush("encrypted"),
            self.restart()
        )
    }

    pub(super) fn plain(&self) -> String {
        format!(
            "{} are not encrypted, and spec.entries.encrypt is true: whoever can read the cache, its volume or a copy of it \
             has the tokens in them. To encrypt, an application has {ENCRYPTS}. Entries are encrypted when they are written next, \
             and those that use the cache are: {}. {NOTHING}, and leaves them so: spec.entries.encrypt: false",
            self.share(Class::Plain),
            self.workloads()
        )
    }

    /// A trouble beside a worse one.
    pub(super) fn beside(&self, trouble: Trouble) -> String {
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
