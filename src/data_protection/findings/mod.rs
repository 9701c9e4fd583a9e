//! What is said of a cache's key ring: `KeyRingReady`, and each key in the status. Of what the user provides
//! for it `certificate_health` and `import_health` speak.
//!
//! In: the settings, what was observed, how far the ring is, the time. Out: a finding and values, in which nothing moves that
//! does not change the matter.

pub(crate) mod certificates;
pub mod changes;
pub(crate) mod import;
mod keys;
mod secrets;
pub mod status;

use jiff::Timestamp;

use super::{
    import::provided::Provided,
    ring::{Ring, published::Refused},
    secrets::RingSecrets,
    settings::Settings,
    state::RingState,
};
use crate::{
    capability::{cost::NOTHING, operation},
    condition::{ConditionType::KeyRingReady, Finding, Message, Reason},
    kubernetes::name,
};

/// How many things of one kind a message names.
pub(super) const NAMED: usize = 3;

/// What is said of the ring; `None` where the operator makes none. `mended` is what this pass has put right in it, `unused` the keys
/// that no stored entry is encrypted with.
#[must_use]
pub fn finding(
    settings: &Settings,
    observed: &RingSecrets,
    state: &RingState,
    (mended, unused): (&[String], &[&str]),
    now: Timestamp,
) -> Option<Finding> {
    let ring = state.ring.as_ref()?;
    let (secret, provided) = (name::keys(&settings.owner.name), &state.provided);
    let told = Evidence { settings, observed, ring, provided, unused, secret, now };
    let checks = [
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
    ];
    let mut found: Vec<Finding> = checks.into_iter().filter_map(|check| check(&told)).collect();
    // What may fail hides nothing that fails.
    found.sort_by_key(|finding| finding.reason.effect());
    Some(found.into_iter().next().unwrap_or_else(|| told.well(mended)))
}

/// What a sentence is made from.
pub(super) struct Evidence<'seen> {
    pub settings: &'seen Settings,
    pub observed: &'seen RingSecrets,
    pub ring: &'seen Ring,
    pub provided: &'seen Provided,
    pub unused: &'seen [&'seen str],
    pub secret: String,
    pub now: Timestamp,
}

impl Evidence<'_> {
    /// What is not as it should be, and is being put right, or left alone.
    pub fn drifts(&self, what: &str, repair: &str) -> Finding {
        if self.settings.held {
            fails(Reason::DriftWhilePaused, format!("{what}. It is left alone: {}", operation::paused()))
        } else {
            fails(Reason::Provisioning, format!("{what}; {repair}"))
        }
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
                "{base}. Secret {} is {} % full, and no key is ever removed. {NOTHING}: a second TokenCache with a longer \
                 spec.dataProtection.rotation.every, to which the applications move in good time",
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
}

pub(super) fn fails(reason: Reason, message: impl Into<Message>) -> Finding {
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
