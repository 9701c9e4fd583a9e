//! What is said of a ring that is taken over, in `KeyRingReady`.
//!
//! In: what a sentence is made from. Out: a finding, or a part of one.

use super::{Evidence, fails, listed};
use crate::{
    api::v1alpha1::Remedy,
    condition::{Finding, Message, Reason},
    data_protection::{
        import::provided::Import,
        ring::{
            capacity::Overflow,
            published::{CAPACITY, LARGEST_OBJECT, Refused},
        },
    },
};

impl Evidence<'_> {
    /// It is not there, or not all of it can be taken over.
    pub(crate) fn import_incomplete(&self) -> Option<Finding> {
        let import = self.provided.import.as_ref()?;
        if import.is_there && !import.refused.is_empty() {
            return Some(self.refused(import));
        }
        if let Some(overflow) = import.overflow {
            return Some(self.overflows(import, overflow));
        }
        let has_keys = !self.ring.ring.members().is_empty();
        let is_wanting = if import.is_there { !has_keys } else { import.taken_over == 0 };
        is_wanting.then(|| {
            let what = if import.is_there {
                let passed_over = passed_over(import).map(|told| format!(" ({told})")).unwrap_or_default();
                format!("{} holds no key{passed_over}", named(import))
            } else {
                format!("{} does not exist", named(import))
            };
            let leads_to =
                if has_keys { "What only its keys encrypted cannot be read" } else { "No first key is made" };
            let otherwise = if has_keys { "to go on without it" } else { "to begin a new ring" };
            fails(
                Reason::ImportMissing,
                Message::from(what)
                    .and(leads_to)
                    .remedy(Remedy::free(
                        "put the ring's key files (*.xml), or the file of its Azure blob, into the Secret",
                    ))
                    .remedy(Remedy::costing(KEYS, format!("remove spec.dataProtection.import, {otherwise}"))),
            )
        })
    }

    fn refused(&self, import: &Import) -> Finding {
        let told =
            format!("{} {}, because of {}", named(import), self.is_not_taken_over(import), each(&import.refused));
        fails(
            Reason::ImportRefused,
            Message::from(told)
                .remedy(Remedy::free("put a readable file in its place"))
                .remedy(Remedy::costing(KEYS, "take the file out of the Secret"))
                .remedy(Remedy::costing(KEYS, "remove spec.dataProtection.import")),
        )
    }

    fn overflows(&self, import: &Import, overflow: Overflow) -> Finding {
        let Overflow { with, without, kept } = overflow;
        let told = format!(
            "{} {}: Secret {} would hold {} bytes (now {}) of {CAPACITY}, or {} as stored of {LARGEST_OBJECT}; {kept} stay free",
            named(import),
            self.is_not_taken_over(import),
            self.secret,
            with.bytes,
            without.bytes,
            with.bytes + with.beside
        );
        let step = "take keys out of it that no entry and no cookie needs, such as long expired ones";
        fails(Reason::ImportRefused, Message::from(told).remedy(Remedy::free(step)))
    }

    /// That not all can be taken over, so nothing is.
    fn is_not_taken_over(&self, import: &Import) -> &'static str {
        if import.taken_over > 0 {
            "is not taken over further"
        } else if self.ring.ring.members().is_empty() {
            "is not taken over, and no first key is made"
        } else {
            "is not taken over"
        }
    }

    /// It is taken over, of a ring that is well.
    pub(crate) fn imported(&self) -> Option<Message> {
        let import = self.provided.import.as_ref().filter(|import| import.taken_over > 0)?;
        let (count, secret) = (import.taken_over, &import.secret);
        Some(if import.is_there {
            let but = passed_over(import).map(|told| format!("; {told}")).unwrap_or_default();
            Message::from(format!("{count} files of Secret {secret} are taken over{but}"))
                .remedy(Remedy::free(format!("delete Secret {secret}, and remove spec.dataProtection.import")))
        } else {
            Message::from(format!("{count} files of Secret {secret}, which is gone, were taken over"))
                .remedy(Remedy::free("remove spec.dataProtection.import"))
        })
    }
}

/// What it costs to go on without the keys of a ring.
const KEYS: &str = "what only its keys can read";

/// The most files whose names a message has.
const MOST_NAMES: usize = 9;

fn named(import: &Import) -> String {
    format!("Secret {}, which spec.dataProtection.import names,", import.secret)
}

/// The first files by their names, and why one of them is told.
fn each(refused: &[Refused]) -> String {
    let Some((first, others)) = refused.split_first() else { return String::new() };
    let files = others.iter().take(MOST_NAMES - 1).map(|other| other.file.as_str());
    let names: String = files.flat_map(|file| [", ", file]).collect();
    let more = refused.len().saturating_sub(MOST_NAMES);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{} ({}){names}{more}", first.file, first.why)
}

/// What is not taken over, as applications pass it over too, and why.
fn passed_over(import: &Import) -> Option<String> {
    let count = import.passed_over.len();
    (count > 0).then(|| format!("{count} passed over, as by ASP.NET Core: {}", listed(&import.passed_over)))
}
