//! What is said of keys that are revoked.
//!
//! In: the keys, and how far it is. Out: parts of sentences. No key is told, but its id.

use super::Input;
use crate::{
    api::v1alpha1::{FLUSH_ANNOTATION, Inspect, Remedy},
    capability::operation::Again,
    condition::Message,
    data_protection::{operations::readers, ring::Ring},
    kubernetes::read::workload::listed,
};

impl Input<'_> {
    /// The keys, in words.
    pub(super) fn named(&self) -> String {
        match self.keys.as_slice() {
            [only] => format!("key {}", only.short()),
            keys => {
                let short: Vec<String> = keys.iter().map(|key| key.short()).collect();
                format!("keys {}", listed(&short, " and "))
            }
        }
    }

    /// The keys, in words, with the verb.
    pub(super) fn are(&self) -> String {
        format!("{} {}", self.named(), if self.keys.len() == 1 { "is" } else { "are" })
    }

    /// The keys, as a pronoun.
    pub(super) fn them(&self) -> &'static str {
        if self.keys.len() == 1 { "it" } else { "them" }
    }

    pub(super) fn they(&self) -> &'static str {
        if self.keys.len() == 1 { "it" } else { "they" }
    }

    /// That they are revoked, and which one encrypts.
    pub(super) fn told(&self, ring: &Ring) -> String {
        let active = ring.ring.active(self.now);
        let active = active.map_or_else(String::new, |active| format!("; {} encrypts", active.id.short()));
        format!("{} revoked{active}", self.are())
    }

    /// Who goes on with them, and how that ends.
    pub(super) fn go_on(&self, message: Message) -> Message {
        let published =
            self.before.and_then(|before| before.published.as_ref()).map_or(self.now, |published| published.0);
        let when = readers::when(readers::readable_from(published), self.now);
        let beside = &self.observed.beside;
        let restart = Remedy::free(format!("restart {}{when}", beside.consumers));
        message
            .and(&format!("Pods that read the ring before use {} for up to a day", self.them()))
            .remedy(Remedy { command: beside.restart.clone(), ..restart })
    }

    /// What became of the entries.
    pub(super) fn outcome(&self, message: Message, removed: Option<i64>) -> Message {
        let counted = self.before.and_then(|before| Some((before.affected?, before.entries?)));
        let flush = match self.settings.inspect {
            Inspect::Payloads => "flush unreadable entries",
            Inspect::Metadata => "set spec.entries.inspect: Payloads, and flush unreadable entries",
        };
        let told = match (counted, removed) {
            (_, Some(removed)) => return message.and(&format!("{removed} stored entries were removed")),
            (Some((0, entries)), None) => {
                return message.and(&format!("None of {entries} stored entries needs {}", self.them()));
            }
            (Some((affected, entries)), None) => format!("{affected} of {entries} stored entries"),
            (None, None) => format!("Stored entries that {} encrypted", self.they()),
        };
        message.and(&format!("{told} cannot be read any more (IDW10802)")).remedy(
            Remedy::costing("entries that nobody can read", flush)
                .command(Again::saying("unreadable").command(&self.settings.owner, FLUSH_ANNOTATION)),
        )
    }
}
