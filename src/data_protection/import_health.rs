//! What is said of a ring that is taken over, in `KeyRingReady`.
//!
//! In: what a sentence is made from. Out: a finding, or a part of one.

use super::{
    health::{Told, fails, listed},
    provided::Import,
    published::{Refusal, Refused},
};
use crate::condition::{Finding, Reason};

impl Told<'_> {
    /// It is not there, or not all of it can be taken over.
    pub(super) fn import_incomplete(&self) -> Option<Finding> {
        let import = self.provided.import.as_ref()?;
        if import.is_there && !import.refused.is_empty() {
            return Some(self.refused(import));
        }
        let has_keys = !self.ring.ring.members().is_empty();
        let is_wanting = if import.is_there { !has_keys } else { import.taken_over == 0 };
        is_wanting.then(|| {
            let what = if import.is_there {
                format!("Secret {}, which spec.dataProtection.import names, holds no key", import.secret)
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
                    "{what}, {leads_to}. Put the key files of the ring (*.xml), or the file of its Azure blob, into the Secret; or \
                     remove spec.dataProtection.import to {otherwise}"
                ),
            )
        })
    }

    fn refused(&self, import: &Import) -> Finding {
        let is_key = |refused: &Refused| matches!(refused.why, Refusal::Foreign(..) | Refusal::Duplicate(_));
        let mut leads_to = Vec::new();
        if import.refused.iter().any(is_key) {
            leads_to.push("What a key that is not taken over encrypted cannot be read with this ring");
        }
        leads_to.push(if self.ring.ring.members().is_empty() {
            "There is no other key in it, and no first key is made, since that would begin another ring"
        } else if import.pending.is_empty() {
            "Everything else in it is taken over"
        } else {
            "Everything else in it is about to be taken over"
        });
        let count = import.refused.len();
        fails(
            Reason::ImportRefused,
            format!(
                "of Secret {}, which spec.dataProtection.import names, {count} {} not taken over: {}. {}. Put one in its place \
                 that can be read; or, to do without, take it out of the Secret, or remove spec.dataProtection.import",
                import.secret,
                if count == 1 { "file is" } else { "files are" },
                listed(&import.refused),
                leads_to.join(". ")
            ),
        )
    }

    /// It is taken over, as a sentence for a ring that is well.
    pub(super) fn imported(&self) -> Option<String> {
        let import = self.provided.import.as_ref().filter(|import| import.taken_over > 0)?;
        let (count, secret) = (import.taken_over, &import.secret);
        Some(if import.is_there {
            format!(
                "Secret {secret} is taken over ({count} files): it may be deleted, and spec.dataProtection.import removed"
            )
        } else {
            format!(
                "{count} files were taken over from Secret {secret}, which is gone: spec.dataProtection.import may be removed"
            )
        })
    }
}
