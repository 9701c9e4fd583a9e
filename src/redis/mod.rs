//! Everything that is about Redis: what a cache wants, the objects that make it, and how its health is read.
//!
//! In: settings and what was observed. Out: what is to be written and, from [`health`], findings. Only [`probe`] talks to a server,
//! and nothing here talks to Kubernetes.

pub mod access;
pub mod credentials;
pub mod desired;
pub mod findings;
pub mod live;
pub mod look;
pub mod plan;
pub mod server;
pub mod settings;
pub mod tls;

use crate::{api::v1alpha1::Inspect, data_protection::ring::in_use::InUse, entries::findings::readability};
use live::Observed;
use settings::Settings;

/// Whether what is to be said wants to know who uses the cache.
#[must_use]
pub fn names_consumers(settings: &Settings, observed: &Observed) -> bool {
    let answers = observed.samples.iter().flat_map(|sample| &sample.outcome);
    answers.into_iter().any(|answer| readability::names_consumers(settings, &answer.usage))
}

/// What stored entries show to be in use; `None` where no server could be asked, or they are not looked into.
#[must_use]
pub fn in_use(settings: &Settings, observed: &Observed) -> Option<InUse> {
    if settings.inspect == Inspect::Metadata {
        return None;
    }
    let answers: Vec<InUse> = observed
        .samples
        .iter()
        .flat_map(|sample| &sample.outcome)
        .map(|answer| answer.usage.payloads.in_use())
        .collect();
    let first = answers.first().cloned()?;
    Some(answers.into_iter().skip(1).fold(first, InUse::and))
}
