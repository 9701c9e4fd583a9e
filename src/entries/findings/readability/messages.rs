//! What is said of each trouble with entries: what is wrong, and what to do.
//!
//! In: what the looks at a server add up to, the settings, who uses the cache. Out: messages, in which nothing moves that does
//! not change the matter. No entry is told, nor what is in it.

use std::collections::BTreeSet;

use super::{Evidence, Trouble};
use crate::{
    api::v1alpha1::{FLUSH_ANNOTATION, Remedy},
    capability::operation::Again,
    condition::{Message, Reason},
    entries::{
        entry::class::Class,
        findings::restart,
        look::{census::Share, payloads::Portion},
        settings::What,
    },
    kubernetes::{name, read::workload::Source, words},
};

/// How many keys a message names.
const NAMED: usize = 2;

/// How much of an application name a message shows, in characters.
const LONGEST_NAME: usize = 30;

/// What applications do with entries that they cannot read.
const FAILS: &str = "Applications fail on them with IDW10802";

impl Evidence<'_> {
    /// How many of the entries a class has.
    fn share(&self, class: Class) -> String {
        let share = match self.payloads.classes.get(&class).map(|portion| portion.share) {
            Some(Share::Most | Share::All) => "50% or more",
            Some(Share::Some) => "10% or more",
            Some(Share::Few) | None => "fewer than 10%",
        };
        format!("{share} of the entries on {}", self.pod)
    }

    /// The first few keys of a class.
    fn keys(&self, class: Class) -> String {
        let none = BTreeSet::new();
        let keys = self.payloads.classes.get(&class).map_or(&none, |Portion { keys, .. }| keys);
        let named: Vec<String> = keys.iter().take(NAMED).map(|key| key.short()).collect();
        let named = named.join(", ");
        match keys.len().saturating_sub(NAMED) {
            0 if keys.len() == 1 => format!("key {named}"),
            0 => format!("keys {named}"),
            more => format!("keys {named} and {more} more"),
        }
    }

    /// The request that removes entries.
    fn flush(&self, what: &What, step: &str) -> Remedy {
        let command = Again::saying(what.as_str()).command(&self.of_redis.owner, FLUSH_ANNOTATION);
        Remedy::costing(what.costs(), step).command(command)
    }

    fn workloads(&self) -> String {
        self.consumers.named(&Source::Secret(name::redis(&self.of_redis.owner.name)))
    }

    /// How entries that nobody can read are removed from everywhere.
    fn removal(&self) -> [Remedy; 2] {
        [self.flush(&What::Unreadable, "remove the unreadable entries"), self.restart()]
    }

    /// Pods keep what they have read.
    fn restart(&self) -> Remedy {
        restart(self.consumers, &self.of_redis.owner, "after that, restart")
    }

    /// The trouble, with what helps.
    pub(super) fn told(&self, trouble: Trouble) -> (Reason, Message) {
        match trouble {
            Trouble::KeyMissing => (Reason::KeyMissing, self.key_missing()),
            Trouble::KeyRevoked => (Reason::RevokedKeyInUse, self.key_revoked()),
            Trouble::Names => (Reason::ApplicationNameMismatch, self.names()),
            Trouble::OtherApplication => (Reason::OtherApplication, self.other_application()),
            Trouble::Undeserializable => (Reason::Undeserializable, self.undeserializable()),
            Trouble::Encrypted => (Reason::EncryptedEntries, self.encrypted()),
            Trouble::KeyClosed => (Reason::KeyClosed, self.key_closed()),
            Trouble::Plain => (Reason::PlainEntries, self.plain()),
        }
    }

    fn key_missing(&self) -> Message {
        let (share, keys) = (self.share(Class::KeyMissing), self.keys(Class::KeyMissing));
        let ring = name::keys(&self.of_redis.owner.name);
        Message::from(format!("{share} need {keys}, missing in Secret {ring}. {FAILS}"))
            .remedy(Remedy::free("restore the key's Secret, or name its ring in spec.dataProtection.import"))
            .remedies(self.removal())
    }

    fn key_revoked(&self) -> Message {
        let (share, keys) = (self.share(Class::KeyRevoked), self.keys(Class::KeyRevoked));
        Message::from(format!("{share} need revoked {keys}. {FAILS}")).remedies(self.removal())
    }

    fn key_closed(&self) -> Message {
        let (share, keys) = (self.share(Class::KeyClosed), self.keys(Class::KeyClosed));
        Message::from(format!(
            "{share} need {keys}, which the operator cannot open (see KeyRingReady). Applications without the \
             certificate fail with IDW10802"
        ))
        .remedy(Remedy::free("name the keys' certificate in spec.dataProtection.previous"))
    }

    fn names(&self) -> Message {
        let cut = |name: &str| format!("{:?}", words::cut(name, LONGEST_NAME));
        let names: Vec<String> = self.payloads.names.iter().map(|name| cut(name)).collect();
        let (pod, found) = (self.pod, names.join(" and "));
        let told = self.settings.application_name.as_ref();
        let call = |name: &str| {
            let workloads = self.workloads();
            Remedy::look(format!("call services.AddDataProtection().SetApplicationName({name}) in {workloads}"))
        };
        let fails = "Applications with another name fail with IDW10802";
        let message = match (told, names.as_slice()) {
            (Some(told), [only]) => Message::from(format!(
                "entries on {pod} have the application name {only}, but spec.dataProtection.applicationName is {}. {fails}",
                cut(told)
            ))
            .remedy(Remedy::free(format!("if {only} is right, set spec.dataProtection.applicationName to it"))),
            _ => Message::from(format!("entries on {pod} have the application names {found}. {fails}")),
        };
        let one_name = told.map_or_else(|| call("\"…\""), |told| call(&format!("{told:?}")));
        let removal = self.flush(&What::All, "after that, remove the entries of all names");
        message.remedy(one_name).remedy(removal)
    }

    fn other_application(&self) -> Message {
        let (share, keys) = (self.share(Class::OtherApplication), self.keys(Class::OtherApplication));
        let tried: Vec<String> =
            self.tried.iter().map(|name| format!("{:?}", words::cut(name, LONGEST_NAME))).collect();
        Message::from(format!(
            "{share} need another application name than {} ({keys}). Applications with one of these fail with IDW10802",
            tried.join(", ")
        ))
        .remedy(Remedy::free(format!(
            "set spec.dataProtection.applicationName to the name set in {}",
            self.workloads()
        )))
    }

    fn undeserializable(&self) -> Message {
        let share = self.share(Class::Undeserializable);
        Message::from(format!("{share} are readable, but are not MSAL token caches. {FAILS}")).remedies(self.removal())
    }

    fn encrypted(&self) -> Message {
        Message::from(format!(
            "entries on {} are encrypted, but spec.entries.encrypt is false. Applications with Encrypt off fail with IDW10802",
            self.pod
        ))
        .remedy(Remedy::free("if applications encrypt, set spec.entries.encrypt: true"))
        .remedy(self.flush(&What::Encrypted, "if they do not, remove the encrypted entries"))
        .remedy(self.restart())
    }

    fn plain(&self) -> Message {
        Message::from(format!(
            "{} are not encrypted, but spec.entries.encrypt is true. Whoever reads Redis or its volume has the tokens",
            self.share(Class::Plain)
        ))
        .remedy(Remedy::look(format!(
            "bind section TokenCache and set TokenCache__Encrypt=true in {}",
            self.workloads()
        )))
        .remedy(Remedy::free("if plain text is intended, set spec.entries.encrypt: false"))
    }
}
