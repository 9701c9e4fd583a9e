//! What is said of a cache's key ring: `KeyRingReady`, and each key in the status. Of what the user provides
//! for it `certificate_health` and `import_health` speak.
//!
//! In: the settings, what was observed, how far the ring is, the time. Out: a finding and values, in which nothing moves that
//! does not change the matter.

pub(crate) mod certificates;
pub mod changes;
pub(crate) mod import;
pub mod status;

use jiff::Timestamp;

use super::{
    import::provided::Provided,
    objects::COMPONENT,
    ring::{
        Ring,
        default_key::{DatedKey, DefaultKey},
        published::Refused,
    },
    secrets::{RingSecrets, created},
    settings::Settings,
    state::RingState,
};
use crate::{
    capability::operation,
    condition::{ConditionType::KeyRingReady, Finding, Reason},
    kubernetes::{
        identity::{Found, ORPHANED},
        name,
    },
};
use changes::has_owner;

/// How many things of one kind a message names.
pub(super) const NAMED: usize = 3;

/// What is said of the ring; `None` where the operator makes none.
#[must_use]
pub fn finding(
    settings: &Settings,
    observed: &RingSecrets,
    state: &RingState,
    mended: &[String],
    now: Timestamp,
) -> Option<Finding> {
    let ring = state.ring.as_ref()?;
    let (secret, provided) = (name::keys(&settings.owner.name), &state.provided);
    let told = Evidence { settings, observed, ring, provided, secret, now };
    let found = [
        Evidence::taken,
        Evidence::certificates_taken,
        Evidence::certificates_immutable,
        Evidence::held_by_another,
        Evidence::collected,
        Evidence::malformed,
        Evidence::full,
        Evidence::certificate_unusable,
        Evidence::import_incomplete,
        Evidence::sealed,
        Evidence::damaged,
        Evidence::missing,
        Evidence::owned,
        Evidence::unpublished,
        Evidence::certificates_unpublished,
        Evidence::put_off,
        Evidence::inactive,
    ]
    .into_iter()
    .find_map(|check| check(&told));
    Some(found.unwrap_or_else(|| told.well(mended)))
}

/// What a sentence is made from.
pub(super) struct Evidence<'seen> {
    pub settings: &'seen Settings,
    pub observed: &'seen RingSecrets,
    pub ring: &'seen Ring,
    pub provided: &'seen Provided,
    pub secret: String,
    pub now: Timestamp,
}

impl Evidence<'_> {
    fn taken(&self) -> Option<Finding> {
        let holder = match &self.observed.ring {
            Found::Foreign(holder) => holder,
            Found::Restored(manager) => {
                let message = operation::restored(&self.settings.owner, "Secret", &self.secret, manager);
                return Some(fails(Reason::NameTaken, format!("{message}, and no key is made")));
            }
            Found::Nothing | Found::Ours(_) | Found::Earlier => return None,
        };
        let remedy = if holder == ORPHANED {
            "Put back the labels that the other objects have, and it is taken up again; if it has them all, it differs in something \
                     that nobody can change, and has to be deleted"
        } else {
            "Delete or rename it, give this TokenCache another name, or set spec.dataProtection.mode to None"
        };
        Some(fails(
            Reason::NameTaken,
            format!(
                "Secret {} exists already and belongs to {holder}; it is left as it is, and no key is made. {remedy}",
                self.secret
            ),
        ))
    }

    fn held_by_another(&self) -> Option<Finding> {
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

    fn collected(&self) -> Option<Finding> {
        let message = format!("waiting until Secret {} of an earlier TokenCache has been collected", self.secret);
        (self.observed.ring == Found::Earlier).then(|| fails(Reason::Provisioning, message))
    }

    fn malformed(&self) -> Option<Finding> {
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

    fn full(&self) -> Option<Finding> {
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
                 expires. Create a second TokenCache with a longer spec.dataProtection.rotation.every, and move the applications \
                 to it",
                self.secret,
                self.ring.published.fill().bytes,
                crate::data_protection::ring::published::CAPACITY
            ),
        ))
    }

    fn put_off(&self) -> Option<Finding> {
        let has_active = self.ring.ring.active(self.now).is_some();
        self.too_frequent().filter(|_| !has_active).map(|told| fails(Reason::KeysTooFrequent, told))
    }

    /// That a key is due, and has to wait, since another one was made a moment ago.
    fn too_frequent(&self) -> Option<String> {
        let (why, until) = self.ring.put_off?;
        Some(format!(
            "another key is due, since {why}, and the last one was made less than an hour ago: it is made at {until}. No key is \
                 ever removed, so there is one an hour at most that nobody asks for. Find out what takes the keys away as soon as \
                 they are made: status.keyRing says what became of each. A clock that steps does it too. Who needs one now, asks \
                 for it with the annotation {}",
            crate::api::v1alpha1::ROTATE_KEY_ANNOTATION
        ))
    }

    fn missing(&self) -> Option<Finding> {
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

    fn owned(&self) -> Option<Finding> {
        let secret = self.observed.owned().next()?;
        Some(
            self.drifts(
                &format!("{}, and would be deleted with that", has_owner(secret)),
                "the owner is being taken away",
            ),
        )
    }

    /// What is not as it should be, and is being put right, or left alone.
    pub fn drifts(&self, what: &str, repair: &str) -> Finding {
        if self.settings.held {
            fails(Reason::DriftWhilePaused, format!("{what}. It is left alone: {}", operation::paused()))
        } else {
            fails(Reason::Provisioning, format!("{what}; {repair}"))
        }
    }

    fn unpublished(&self) -> Option<Finding> {
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

    fn inactive(&self) -> Option<Finding> {
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

    /// The ring is as it should be.
    fn well(&self, mended: &[String]) -> Finding {
        let fill = self.ring.published.fill();
        let mut base = self.active_and_next();
        for more in [self.beyond_net_8(), self.encrypts_to(), self.imported()].into_iter().flatten() {
            base = format!("{base}. {more}");
        }
        if !mended.is_empty() {
            return Finding::holds(KeyRingReady, Reason::DriftCorrected, format!("{}. {base}", mended.join(". ")));
        }
        if let Some(told) = self.too_frequent() {
            return Finding::holds(KeyRingReady, Reason::KeysTooFrequent, format!("{base}; {told}"));
        }
        if fill.is_high() {
            let told = format!(
                "{base}. Secret {} is {} % full, and no key is ever removed: create a second TokenCache with a longer \
                 spec.dataProtection.rotation.every in good time, and move the applications to it",
                self.secret,
                fill.percent()
            );
            return Finding::holds(KeyRingReady, Reason::RingNearlyFull, told);
        }
        let adopted = self.adopted();
        if adopted == 0 {
            return Finding::holds(KeyRingReady, Reason::Published, base);
        }
        let of = self.ring.ring.members().len();
        let told = format!(
            "{base}. {adopted} of {of} were made for an earlier TokenCache of this name, and are adopted: what they encrypted \
             stays readable"
        );
        let encrypts = self.ring.ring.active(self.now).is_some_and(|active| self.is_adopted(active));
        Finding::holds(KeyRingReady, if encrypts { Reason::Adopted } else { Reason::Published }, told)
    }

    fn active_and_next(&self) -> String {
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
    fn beyond_net_8(&self) -> Option<String> {
        let active = self.ring.ring.active(self.now)?;
        let key = self.ring.published.keys().iter().find(|key| key.id == active.id)?;
        key.expires.is_beyond_net_8().then(|| {
            format!(
                "{} expires in the last minutes of the year 9999, and applications on .NET 8 cannot encrypt with it: for them, ask \
                 for another key with the annotation {}",
                active.id.short(),
                crate::api::v1alpha1::ROTATE_KEY_ANNOTATION
            )
        })
    }

    /// How many keys are older than the `TokenCache`.
    fn adopted(&self) -> usize {
        self.ring.ring.members().iter().filter(|member| self.is_adopted(member)).count()
    }

    fn is_adopted(&self, member: &DatedKey) -> bool {
        let file = member.id.file_name();
        let made = self.observed.holders(&file).filter_map(created).min();
        made.is_some_and(|made| self.settings.created.is_some_and(|since| made < since))
    }
}

pub(super) fn fails(reason: Reason, message: impl Into<String>) -> Finding {
    Finding::fails(KeyRingReady, reason, message)
}

/// The first few files, and why they are told.
pub(super) fn listed(refused: &[Refused]) -> String {
    some_of(refused.iter().map(|refused| format!("{}: {}", refused.file, refused.why)))
}

/// The first few, and how many more there are.
pub(super) fn some_of(all: impl IntoIterator<Item = String>) -> String {
    let mut all = all.into_iter();
    let named: Vec<String> = all.by_ref().take(NAMED).collect();
    let more = match all.count() {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    named.join("; ") + &more
}
