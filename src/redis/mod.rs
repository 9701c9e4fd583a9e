//! Everything that is about Redis: what a cache wants, the objects that make it, and how its health is read. Pure.
//!
//! In: settings and what was observed. Out: what is to be written, what the servers should be, and [`findings`].
//!
//! | part | what |
//! |---|---|
//! | [`settings`] | what a cache wants |
//! | [`access`] | users, their rules, their passwords |
//! | [`tls`] | certificates: reading, verifying, making them |
//! | [`look`] | what a server says of itself, as values |
//! | [`server`] | the objects that make a server, and what its pod tells |
//! | [`live`] | what a pass saw |
//! | [`credentials`] | which passwords and which certificate hold, and what is to be made for them |
//! | [`plan`] | what is to be written |
//! | [`desired`] | what the servers should be |
//! | [`findings`] | what is said of it |

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
