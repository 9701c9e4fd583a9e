//! What this process remembers of one cache from pass to pass. It may forget it at any time: then something is asked for, opened,
//! verified or told once more.

use std::{collections::HashSet, sync::Arc};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;

use crate::{
    capability::{ask::Volume, observed::Marked},
    controller::{brake::Brake, journal::Stage},
    data_protection::KeyRing,
    kubernetes::{
        object::Reference,
        write::{admitted::Admitted, settled::Settled},
    },
    redis::Verified,
};

/// What is remembered of a cache.
#[derive(Default)]
pub struct Remembered {
    /// How many passes in a row have failed.
    pub failures: u32,
    /// What the API server made of its `StatefulSet` when this process applied it last.
    pub admitted: Option<Admitted>,
    /// What the last pass has opened of its key ring.
    pub opened: Arc<KeyRing>,
    /// What was verified of its certificates.
    pub verified: Arc<Verified>,
    /// Which of its objects were found to be as they are wanted.
    pub settled: Arc<Settled>,
    /// The brake of its objects.
    pub brake: Brake,
    /// The objects that were labelled.
    pub marked: Marked,
    /// The stages of operations that were logged.
    pub logged: Vec<Stage>,
    /// The objects that are left alone of which this process has told, by their UID.
    left: HashSet<String>,
    /// The UID of the pod of which the claim is known to need nothing.
    claimed: Option<String>,
    /// The volume of its claim, as it was read last.
    pub volume: Volume,
}

impl Remembered {
    /// What a round of a pass goes by, which begins now for this generation of the `TokenCache` with this UID.
    #[must_use]
    pub fn at_begin(&mut self, uid: &str, generation: i64, now: Timestamp) -> Self {
        Self {
            failures: self.failures,
            admitted: self.admitted.clone(),
            opened: Arc::clone(&self.opened),
            verified: Arc::clone(&self.verified),
            settled: Arc::clone(&self.settled),
            brake: self.brake.begin(uid, generation, now).pulled(),
            marked: self.marked.clone(),
            volume: self.volume,
            ..Self::default()
        }
    }

    /// Counts one more failure in a row. Returns how many there were before.
    pub fn failed(&mut self) -> u32 {
        let before = self.failures;
        self.failures = before.saturating_add(1);
        before
    }

    /// Remembers what a pass has opened of the key ring; nothing, where there is none.
    pub fn open(&mut self, opened: Option<&KeyRing>) {
        let is_known = match opened {
            None => *self.opened == KeyRing::default(),
            Some(opened) => *self.opened == *opened,
        };
        if !is_known {
            self.opened = Arc::new(opened.cloned().unwrap_or_default());
        }
    }

    /// Those of the objects that are left alone of which this process has not told yet; from now on it has.
    pub fn not_told_of<'seen>(&mut self, left: &'seen [Reference]) -> Vec<&'seen Reference> {
        let uids = left.iter().filter_map(|child| child.metadata.uid.clone()).collect();
        let before = std::mem::replace(&mut self.left, uids);
        left.iter().filter(|child| child.metadata.uid.as_ref().is_none_or(|uid| !before.contains(uid))).collect()
    }

    /// Whether the claim of this pod is known to need nothing.
    #[must_use]
    pub fn is_claim_seen(&self, pod: &Pod) -> bool {
        pod.metadata.uid.is_some() && self.claimed == pod.metadata.uid
    }

    /// Remembers that the claim of this pod needs nothing.
    pub fn saw_claim(&mut self, pod: &Pod) {
        self.claimed = Some(pod.metadata.uid.clone().unwrap_or_default());
    }

    /// Of a cache that is gone, what outlasts it: fights over what it has left.
    #[must_use]
    pub fn into_fights(mut self, now: Timestamp) -> Option<Self> {
        (!self.brake.is_at_rest(now)).then(|| Self { brake: self.brake, ..Self::default() })
    }
}
