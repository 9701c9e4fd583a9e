//! What is said of keys that are revoked.
//!
//! In: the keys, and how far it is. Out: parts of sentences. No key is told, but its id.

use super::Input;
use crate::{
    api::v1alpha1::{FLUSH_ANNOTATION, Inspect},
    capability::operation::Again,
    data_protection::ring::Ring,
    kubernetes::{name, read::workload::listed},
};

impl Input<'_> {
    /// The keys, in words.
    pub(super) fn named(&self) -> String {
        match self.keys.as_slice() {
            [only] => format!("key {}", only.short()),
            keys => {
                let short: Vec<String> = keys.iter().map(|key| key.short()).collect();
                format!("the {} keys {}", keys.len(), listed(&short, " and "))
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

    pub(super) fn told(&self, ring: &Ring) -> String {
        let active = ring
            .ring
            .active(self.now)
            .map_or_else(String::new, |active| format!(", and {} encrypts", active.id.short()));
        format!("{} revoked{active}: Secret {} says so", self.are(), name::keys(&self.settings.owner.name))
    }

    pub(super) fn restart(&self) -> String {
        format!(
            "Processes that have read the ring before go on with {} for up to a day: restart {} a minute or two from now, when \
             kubelet has brought the Secret to their pods",
            self.them(),
            self.observed.beside.consumers
        )
    }

    /// What became of the entries.
    pub(super) fn outcome(&self, removed: Option<i64>) -> String {
        let counted = self.before.and_then(|before| Some((before.affected?, before.entries?)));
        match (counted, removed) {
            (_, Some(removed)) => format!("{removed} stored entries that {} encrypted were removed", self.they()),
            (Some((0, entries)), None) => {
                format!("None of {entries} stored entries was encrypted with {}", self.them())
            }
            (counted, None) => format!(
                "{} cannot be read any more, and applications fail on them (IDW10802) until they expire or are removed. \
                 Costs entries that nobody can read, and no others: {}{}",
                counted.map_or_else(
                    || format!("Stored entries that {} encrypted", self.they()),
                    |(affected, entries)| format!("{affected} of {entries} stored entries")
                ),
                Again::saying("unreadable").command(&self.settings.owner, FLUSH_ANNOTATION),
                match self.settings.inspect {
                    Inspect::Payloads => "",
                    Inspect::Metadata => ", once spec.entries.inspect is Payloads",
                }
            ),
        }
    }
}
