//! What a pass sees: values only.
//!
//! In: nothing. Out: a [`Snapshot`] for each round, with what was observed, and what prober and the pass before have left.

use std::sync::Arc;

use jiff::SignedDuration;

use crate::{
    capability::observed::Observed, controller::brake::Brake, data_protection, kubernetes::object::Reference,
    probe::prober::Looks, redis,
};

/// What a round of a pass sees.
pub struct Snapshot<'pass> {
    /// What was observed, for every capability.
    pub observed: Observed<'pass>,
    /// What the latest looks at servers show.
    pub looks: Looks,
    /// The time between two looks at a server.
    pub period: SignedDuration,
    /// What was verified of certificates before.
    pub verified: Arc<redis::Verified>,
    /// The keys that were opened before.
    pub opened: Arc<data_protection::KeyRing>,
    /// What has the cache's labels and owner beside what it needs in any case.
    pub children: Vec<Reference>,
    /// What others fight over.
    pub brake: Brake,
}
