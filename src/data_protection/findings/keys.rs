//! What is said of the keys of a ring: whether there is one that encrypts, which follows, and whether there is room for more.
//!
//! In: the ring, the settings, when the Secrets were made, the time. Out: findings, and sentences. No key is told, but its id.

use super::{Evidence, fails};
use crate::{
    api::v1alpha1::{ROTATE_KEY_ANNOTATION, Remedy},
    capability::operation::{self, Again},
    condition::{Finding, Message, Reason},
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
            "has room for one more key, which is kept for an emergency: none is made when rotation is due"
        } else {
            "has no room for another key"
        };
        Some(fails(
            Reason::RingFull,
            another_ring(&format!(
                "Secret {} {what} ({} of {} bytes). Its keys work until the last one expires",
                self.secret,
                self.ring.published.fill().bytes,
                crate::data_protection::ring::published::CAPACITY
            )),
        ))
    }

    pub(super) fn put_off(&self) -> Option<Finding> {
        let has_active = self.ring.ring.active(self.now).is_some();
        self.too_frequent().filter(|_| !has_active).map(|told| fails(Reason::KeysTooFrequent, told))
    }

    /// That a key is due, and has to wait, since another one was made a moment ago.
    pub(super) fn too_frequent(&self) -> Option<Message> {
        let (why, until) = self.ring.put_off?;
        let told = format!(
            "another key is due because {why}, but the last one was made less than an hour ago. The next is made at {until}"
        );
        let cause = "see in status.keyRing what became of the last keys, and check the clocks of the nodes";
        Some(Message::from(told).remedy(self.request_key()).remedy(Remedy::look(cause)))
    }

    /// A request of another key.
    fn request_key(&self) -> Remedy {
        Remedy::free("request a key now").command(Again::default().command(&self.settings.owner, ROTATE_KEY_ANNOTATION))
    }

    pub(super) fn missing(&self) -> Option<Finding> {
        if !self.ring.ring.members().is_empty() {
            return None;
        }
        Some(fails(
            Reason::Provisioning,
            if self.settings.held {
                format!("no key exists, and none is made: {}", operation::paused())
            } else {
                "the first key is being made".to_owned()
            },
        ))
    }

    pub(super) fn inactive(&self) -> Option<Finding> {
        let what = match self.ring.ring.choice(self.now) {
            DefaultKey::Default(_) => return None,
            DefaultKey::Fallback(key) => format!("Applications make do with {}", key.id.short()),
            DefaultKey::Nothing => "Applications fail".to_owned(),
        };
        let next = match self.ring.ring.next(self.now) {
            Some(next) => format!("{} takes over at {}", next.id.short(), next.activates),
            None if self.settings.held => format!("Another one is not made: {}", operation::paused()),
            None => "Another one is being made".to_owned(),
        };
        Some(fails(
            Reason::NoActiveKey,
            format!("no key is active: each is expired, revoked, unreadable or pending. {what}. {next}"),
        ))
    }

    pub(super) fn active_and_next(&self) -> String {
        let ring = &self.ring.ring;
        let active = ring.active(self.now).map(|active| active.id.short()).unwrap_or_default();
        let next = match (ring.next(self.now), self.ring.due) {
            (Some(next), _) => format!("{} takes over at {}", next.id.short(), next.activates),
            (None, Some(due)) => format!("the next key is published at {due}"),
            (None, None) => "no other follows".to_owned(),
        };
        format!("key {active} encrypts; {next}")
    }

    /// What applications on .NET 8 cannot do with the key that encrypts.
    pub(super) fn beyond_net_8(&self) -> Option<Message> {
        let active = self.ring.ring.active(self.now)?;
        let key = self.ring.published.keys().iter().find(|key| key.id == active.id)?;
        key.expires.is_beyond_net_8().then(|| {
            let told = "It expires in the last minutes of the year 9999: applications on .NET 8 cannot encrypt with it";
            Message::from(told).remedy(self.request_key())
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

/// That a ring is full, or soon will be, with what helps.
pub(super) fn another_ring(told: &str) -> Message {
    let step = "move applications to a second TokenCache with a longer spec.dataProtection.rotation.every";
    Message::from(told).remedy(Remedy::costing("all entries (users sign in again)", step))
}
