//! What is said of a ring that is taken over, in `KeyRingReady`.
//!
//! In: what a sentence is made from. Out: a finding, or a part of one.

use super::{Evidence, NAMED, fails, listed};
use crate::{
    capability::cost::NOTHING,
    condition::{Finding, Reason},
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
                format!(
                    "Secret {}, which spec.dataProtection.import names, holds no key{}",
                    import.secret,
                    passed_over(import).map(|told| format!(" ({told})")).unwrap_or_default()
                )
            } else {
                format!(
                    "there is no Secret {} in namespace {}, which spec.dataProtection.import names",
                    import.secret, self.settings.owner.namespace
                )
            };
            let leads_to = if has_keys {
                "and no key was taken over from it: what only its keys can read cannot be read"
            } else {
                "and no first key is made, since that would begin another ring"
            };
            let otherwise = if has_keys { "go on without it" } else { "begin a new ring" };
            fails(
                Reason::ImportMissing,
                format!(
                    "{what}, {leads_to}. Put the key files of the ring (*.xml), or the file of its Azure blob, into the Secret. Costs \
                     what only its keys can read: remove spec.dataProtection.import, to {otherwise}"
                ),
            )
        })
    }

    fn refused(&self, import: &Import) -> Finding {
        let count = import.refused.len();
        fails(
            Reason::ImportRefused,
            format!(
                "of Secret {}, which spec.dataProtection.import names, {count} {} be taken over: {}. {}. Put one in its place that \
                 can be read. Costs what only its keys can read: take it out of the Secret, or remove \
                 spec.dataProtection.import",
                import.secret,
                if count == 1 { "file cannot" } else { "files cannot" },
                each(&import.refused),
                self.nothing_is_taken_over(import)
            ),
        )
    }

    fn overflows(&self, import: &Import, overflow: Overflow) -> Finding {
        let Overflow { with, without, kept } = overflow;
        let secret = &self.secret;
        fails(
            Reason::ImportRefused,
            format!(
                "there is no room for the ring in Secret {}, which spec.dataProtection.import names: Secret {secret} would hold {} \
                 bytes with it ({} without), with the revocations that it leads to, and {} with what Kubernetes stores beside them; \
                 {kept} bytes are kept for an emergency, and a Secret holds {CAPACITY} bytes ({LARGEST_OBJECT} as it is stored). {}. \
                 Take keys out of the Secret that no stored entry and no cookie needs any more, such as those that expired long ago",
                import.secret,
                with.bytes,
                without.bytes,
                with.bytes + with.beside,
                self.nothing_is_taken_over(import)
            ),
        )
    }

    /// What follows where not all can be taken over.
    fn nothing_is_taken_over(&self, import: &Import) -> &'static str {
        if import.taken_over > 0 {
            "Nothing else is taken over from it, since half a ring is none; what was taken over before stays"
        } else if self.ring.ring.members().is_empty() {
            "Nothing of it is taken over, since half a ring is none, and no first key is made, since that would begin another ring"
        } else {
            "Nothing of it is taken over, since half a ring is none"
        }
    }

    /// It is taken over, as a sentence for a ring that is well.
    pub(crate) fn imported(&self) -> Option<String> {
        let import = self.provided.import.as_ref().filter(|import| import.taken_over > 0)?;
        let (count, secret) = (import.taken_over, &import.secret);
        Some(if import.is_there {
            let but = passed_over(import).map(|told| format!("; {told}")).unwrap_or_default();
            format!(
                "Secret {secret} is taken over ({count} files{but}). {NOTHING}: delete it, and remove spec.dataProtection.import"
            )
        } else {
            format!(
                "{count} files were taken over from Secret {secret}, which is gone. {NOTHING}: remove spec.dataProtection.import"
            )
        })
    }
}

/// The most files of a kind whose names a message has.
const MOST_NAMES: usize = 100;

/// Every file by its name, and of the first few why.
fn each(refused: &[Refused]) -> String {
    let told = refused.len().min(NAMED);
    let names: Vec<&str> = refused.iter().skip(told).take(MOST_NAMES).map(|refused| refused.file.as_str()).collect();
    let more = refused.len() - told - names.len();
    let first = listed(refused.get(..told).unwrap_or_default());
    match (names.is_empty(), more) {
        (true, _) => first,
        (false, 0) => format!("{first}; and {}", names.join(", ")),
        (false, more) => format!("{first}; and {}, and {more} more", names.join(", ")),
    }
}

/// What is not taken over, as applications pass it over too, and why.
fn passed_over(import: &Import) -> Option<String> {
    let count = import.passed_over.len();
    (count > 0).then(|| format!("{count} passed over, as by ASP.NET Core: {}", listed(&import.passed_over)))
}
