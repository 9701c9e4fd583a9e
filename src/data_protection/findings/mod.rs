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
    objects::COMPONENT,
    ring::{Ring, published::Refused},
    secrets::RingSecrets,
    settings::Settings,
    state::RingState,
};
use crate::{
    api::v1alpha1::Remedy,
    capability::operation,
    condition::{ConditionType::KeyRingReady, Finding, Message, Reason},
    kubernetes::{identity::Owner, name, read::workload},
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
        let (base, fill) = (self.active_and_next(), self.ring.published.fill());
        let holds = |reason: Reason, message: Message| Finding::holds(KeyRingReady, reason, message);
        if !mended.is_empty() {
            return holds(Reason::DriftCorrected, format!("{}; {base}", mended.join("; ")).into());
        }
        if let Some(told) = self.too_frequent() {
            return holds(Reason::KeysTooFrequent, Message { text: format!("{base}; {}", told.text), ..told });
        }
        if fill.is_high() {
            let told =
                format!("Secret {} is {} % full, and no key is ever removed; {base}", self.secret, fill.percent());
            return holds(Reason::RingNearlyFull, keys::another_ring(&told));
        }
        let more = [self.beyond_net_8(), self.encrypts_to(), self.imported()].into_iter().flatten();
        let told = more.fold(Message::from(base), |told, more| told.and(&more.text).remedies(more.remedies));
        let (adopted, of) = (self.adopted(), self.ring.ring.members().len());
        if adopted == 0 {
            return holds(Reason::Published, told);
        }
        let told = told.and(&format!("{adopted} of {of} keys are of an earlier TokenCache of this name"));
        let encrypts = self.ring.ring.active(self.now).is_some_and(|active| self.is_adopted(active));
        holds(if encrypts { Reason::Adopted } else { Reason::Published }, told)
    }
}

/// What gives a Secret back the labels of those that the operator makes.
pub(super) fn put_labels(owner: &Owner, secret: &str) -> Remedy {
    let (namespace, labels) = (&owner.namespace, owner.told_labels(COMPONENT));
    Remedy::free("put the labels on it, if it is this TokenCache's")
        .command(format!("kubectl -n {namespace} label --overwrite secret {secret} {labels}"))
}

/// A cache that has another name is another one.
pub(super) fn another_name() -> Remedy {
    Remedy::costing("all entries (users sign in again)", "give the TokenCache another name")
}

/// What helps where a Secret has the name of one that the operator makes, and may be somebody else's.
pub(super) fn labels_or_another_name(owner: &Owner, secret: &str) -> [Remedy; 3] {
    [put_labels(owner, secret), Remedy::costing("what it holds", format!("delete Secret {secret}")), another_name()]
}

pub(super) fn fails(reason: Reason, message: impl Into<Message>) -> Finding {
    Finding::fails(KeyRingReady, reason, message)
}

/// The first file with why it is told, and the names of the next few.
pub(super) fn listed(refused: &[Refused]) -> String {
    let Some((first, others)) = refused.split_first() else { return String::new() };
    let others: Vec<String> = others.iter().map(|refused| refused.file.clone()).collect();
    let others = if others.is_empty() { String::new() } else { format!(", {}", workload::listed(&others, " and ")) };
    format!("{} ({}){others}", first.file, first.why)
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
