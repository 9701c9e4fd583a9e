//! What is wrong with the Secrets of a key ring: somebody else's, an earlier cache's, malformed, owned, or not as published.
//!
//! In: the Secrets as observed, and what is published. Out: findings. What certificates are published is told in `certificates`.

use super::{Evidence, changes::has_owner, fails, listed};
use crate::{
    capability::operation,
    condition::{Finding, Reason},
    data_protection::objects::COMPONENT,
    kubernetes::identity::{Found, ORPHANED},
};

impl Evidence<'_> {
    pub(super) fn taken(&self) -> Option<Finding> {
        let holder = match &self.observed.ring {
            Found::Foreign(holder) => holder,
            Found::Restored(manager) => {
                let message = operation::restored(&self.settings.owner, "Secret", &self.secret, manager);
                return Some(fails(Reason::NameTaken, message));
            }
            Found::Absent | Found::Owned(_) | Found::Leftover => return None,
        };
        let remedy = if holder == ORPHANED {
            "Put back the labels that the other objects have, and it is taken up again; if it has them all, it differs in something \
                     that nobody can change, and has to be deleted"
        } else {
            "Rename it, or give this TokenCache another name. Costs the key ring, which is not published: spec.dataProtection.mode: None"
        };
        Some(fails(
            Reason::NameTaken,
            format!(
                "Secret {} exists already and belongs to {holder}; it is left as it is, and no key is made. {remedy}",
                self.secret
            ),
        ))
    }

    pub(super) fn held_by_another(&self) -> Option<Finding> {
        let (name, holder) = self.observed.taken.iter().next()?;
        Some(fails(
            Reason::NameTaken,
            format!(
                "Secret {name} exists without the labels that Secrets of keys have, and belongs to {holder}; it is left as it \
                 is. The key is still published in Secret {}, and is nowhere else. Put the labels on it ({}), or delete it: \
                 it is made again from what is published",
                self.secret,
                self.settings.owner.told_labels(COMPONENT)
            ),
        ))
    }

    pub(super) fn collected(&self) -> Option<Finding> {
        let message = format!("waiting until Secret {} of an earlier TokenCache has been collected", self.secret);
        (self.observed.ring == Found::Leftover).then(|| fails(Reason::Provisioning, message))
    }

    pub(super) fn malformed(&self) -> Option<Finding> {
        let refused = &self.ring.published.refused;
        let first = refused.first()?;
        let told = format!(
            "{} not published: {}. What was encrypted with a key that is lost in this way cannot be read. Put the Secret of \
             the key back from a backup; or delete Secret {}, which is then made again where its key is published still",
            if refused.len() == 1 {
                "a Secret of a key is".to_owned()
            } else {
                format!("{} Secrets of keys are", refused.len())
            },
            listed(refused),
            first.file
        );
        Some(fails(Reason::KeyMalformed, told))
    }

    pub(super) fn owned(&self) -> Option<Finding> {
        let secret = self.observed.owned().next()?;
        Some(
            self.drifts(
                &format!("{}, and would be deleted with that", has_owner(secret)),
                "the owner is being taken away",
            ),
        )
    }

    pub(super) fn unpublished(&self) -> Option<Finding> {
        let live = self.observed.live();
        let wanted = self.ring.published.files();
        let is_as_wanted =
            |(name, bytes): &(&str, &[u8])| wanted.get(*name).is_some_and(|file| file.as_slice() == *bytes);
        if live.len() == wanted.len() && live.iter().all(is_as_wanted) {
            return None;
        }
        let strays = &self.ring.published.strays;
        let what = if strays.is_empty() {
            format!("Secret {} lacks keys that there are", self.secret)
        } else {
            format!("Secret {} is not as it should be: {}", self.secret, listed(strays))
        };
        Some(self.drifts(&what, "it is being written"))
    }
}
