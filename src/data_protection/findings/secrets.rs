//! What is wrong with the Secrets of a key ring: somebody else's, an earlier cache's, malformed, owned, or not as published.
//!
//! In: the Secrets as observed, and what is published. Out: findings. What certificates are published is told in `certificates`.

use super::{Evidence, another_name, changes::has_owner, fails, listed, put_labels};
use crate::{
    api::v1alpha1::Remedy,
    capability::operation,
    condition::{Finding, Message, Reason},
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
        let (owner, secret) = (&self.settings.owner, &self.secret);
        let told = Message::from(format!("Secret {secret} exists already and belongs to {holder}. No key is made"));
        Some(fails(
            Reason::NameTaken,
            if holder == ORPHANED {
                told.remedy(put_labels(owner, secret)).remedy(Remedy::costing(
                    "keys that only it holds",
                    "delete it, if it has all labels; it is made again",
                ))
            } else {
                told.remedy(Remedy::costing("what reads it there", "move it to another name"))
                    .remedy(another_name())
                    .remedy(Remedy::costing("the shared key ring", "set spec.dataProtection.mode: None"))
            },
        ))
    }

    pub(super) fn held_by_another(&self) -> Option<Finding> {
        let (name, holder) = self.observed.taken.iter().next()?;
        let told = format!(
            "Secret {name} lacks this TokenCache's labels and belongs to {holder}. Only Secret {} still holds its key",
            self.secret
        );
        Some(fails(
            Reason::NameTaken,
            Message::from(told).remedy(put_labels(&self.settings.owner, name)).remedy(Remedy::costing(
                "what else it holds",
                format!("delete it; it is made again from Secret {}", self.secret),
            )),
        ))
    }

    pub(super) fn collected(&self) -> Option<Finding> {
        let message = format!("waiting until Secret {} of an earlier TokenCache is deleted", self.secret);
        (self.observed.ring == Found::Leftover).then(|| fails(Reason::Provisioning, message))
    }

    pub(super) fn malformed(&self) -> Option<Finding> {
        let refused = &self.ring.published.refused;
        let first = refused.first()?;
        let told = match refused.len() {
            1 => {
                format!("Secret {} is not published: {}. What its key encrypted cannot be read", first.file, first.why)
            }
            count => format!(
                "{count} Secrets of keys are not published: {}. What their keys encrypted cannot be read",
                listed(refused)
            ),
        };
        let delete = format!("delete Secret {}; it is made again from Secret {}", first.file, self.secret);
        Some(fails(
            Reason::KeyMalformed,
            Message::from(told)
                .remedy(Remedy::free("restore it from a backup"))
                .remedy(Remedy::costing(format!("its key, unless Secret {} still holds it", self.secret), delete)),
        ))
    }

    pub(super) fn owned(&self) -> Option<Finding> {
        let secret = self.observed.owned().next()?;
        Some(self.drifts(&format!("{}, and would be deleted with it", has_owner(secret)), "the owner is being removed"))
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
            format!("Secret {} lacks keys", self.secret)
        } else {
            format!("Secret {} was changed in {}", self.secret, listed(strays))
        };
        Some(self.drifts(&what, "it is being corrected"))
    }
}
