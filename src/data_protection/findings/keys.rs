//! What is said of the keys of a ring: whether there is one that encrypts, which follows, and whether there is room for more.
//!
//! In: the ring, the settings, when the Secrets were made, the time. Out: findings, and sentences. No key is told, but its id.

use super::{Evidence, fails};
use crate::{
    capability::{cost::NOTHING, operation},
    condition::{Finding, Reason},
    data_protection::{
        ring::default_key::{DatedKey, DefaultKey},
        secrets::created,
    },
};

impl Evidence<'_> {
    pub(super) fn full(&self) -> Option<Finding> {
        let room = crate::data_protection::operations::room(self.ring);
        if room.has_for_rotation() {
            return None;
        }
        let what = if room.has_for_emergency() {
            "has room for one more key only, which is kept for an emergency or for when the last one expires: no key is made \
             when rotation is due"
        } else {
            "has no room for another key"
        };
        Some(fails(
            Reason::RingFull,
            format!(
                "Secret {} {what} ({} of {} bytes), and no key is ever removed: what is there goes on working until the last key \
                 expires. {NOTHING}: a second TokenCache with a longer spec.dataProtection.rotation.every, to which the applications \
                 move",
                self.secret,
                self.ring.published.fill().bytes,
                crate::data_protection::ring::published::CAPACITY
            ),
        ))
    }

    pub(super) fn put_off(&self) -> Option<Finding> {
        let has_active = self.ring.ring.active(self.now).is_some();
        self.too_frequent().filter(|_| !has_active).map(|told| fails(Reason::KeysTooFrequent, told))
    }

    /// That a key is due, and has to wait, since another one was made a moment ago.
    pub(super) fn too_frequent(&self) -> Option<String> {
        let (why, until) = self.ring.put_off?;
        Some(format!(
            "another key is due, since {why}, and the last one was made less than an hour ago: it is made at {until}. No key is \
                 ever removed, so there is one an hour at most that nobody asks for. Find out what takes the keys away as soon as \
                 they are made: status.keyRing says what became of each. A clock that steps does it too. {NOTHING}: the \
                 annotation {} asks for one now",
            crate::api::v1alpha1::ROTATE_KEY_ANNOTATION
        ))
    }

    pub(super) fn missing(&self) -> Option<Finding> {
        if !self.ring.ring.members().is_empty() {
            return None;
        }
        Some(fails(
            Reason::Provisioning,
            if self.settings.held {
                format!("there is no key, and none is made: {}", operation::paused())
            } else {
                "the first key is being made".to_owned()
            },
        ))
    }

    pub(super) fn inactive(&self) -> Option<Finding> {
        let what = match self.ring.ring.choice(self.now) {
            DefaultKey::Default(_) => return None,
            DefaultKey::Fallback(key) => {
                format!(
                    "no key is active, and applications make do with {}, which is not meant to encrypt",
                    key.id.short()
                )
            }
            DefaultKey::Nothing => "no key can encrypt, and applications that should fail".to_owned(),
        };
        let next = match self.ring.ring.next(self.now) {
            Some(next) => format!("{} takes over at {}", next.id.short(), next.activates),
            None if self.settings.held => format!("Another one is not made: {}", operation::paused()),
            None => "Another one is being made".to_owned(),
        };
        Some(fails(
            Reason::NoActiveKey,
            format!("{what}: every key is expired, revoked, unreadable or still to come. {next}"),
        ))
    }

    pub(super) fn active_and_next(&self) -> String {
        let ring = &self.ring.ring;
        let count = ring.members().len();
        let keys = if count == 1 { "1 key".to_owned() } else { format!("{count} keys") };
        let active = ring.active(self.now).map(|active| active.id.short()).unwrap_or_default();
        let next = match (ring.next(self.now), self.ring.due) {
            (Some(next), _) => {
                format!("{}, which is published already, takes over at {}", next.id.short(), next.activates)
            }
            (None, Some(due)) => format!("the next one is published at {due}"),
            (None, None) => "no other follows".to_owned(),
        };
        format!("Secret {} has {keys}: {active} encrypts, and {next}", self.secret)
    }

    /// What applications on .NET 8 cannot do with the key that encrypts.
    pub(super) fn beyond_net_8(&self) -> Option<String> {
        let active = self.ring.ring.active(self.now)?;
        let key = self.ring.published.keys().iter().find(|key| key.id == active.id)?;
        key.expires.is_beyond_net_8().then(|| {
            format!(
                "{} expires in the last minutes of the year 9999, and applications on .NET 8 cannot encrypt with it: {NOTHING}: \
                 the annotation {} asks for another key",
                active.id.short(),
                crate::api::v1alpha1::ROTATE_KEY_ANNOTATION
            )
        })
    }

    /// How many keys are older than the `TokenCache`.
    pub(super) fn adopted(&self) -> usize {
        self.ring.ring.members().iter().filter(|member| self.is_adopted(member)).count()
    }

    pub(super) fn is_adopted(&self, member: &DatedKey) -> bool {
        let file = member.id.file_name();
        let made = self.observed.holders(&file).filter_map(created).min();
        made.is_some_and(|made| self.settings.created.is_some_and(|since| made < since))
    }
}
