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

use k8s_openapi::api::{apps::v1::StatefulSet, core::v1::Pod};

/// Whether a pod's server runs, by kubelet's last word.
#[must_use]
pub fn is_running(pod: &Pod) -> bool {
    server::pods::is_running(pod)
}

/// Whether two states of a `StatefulSet` tell the same: what else its controller counts in its status, the pods tell.
#[must_use]
pub fn tells_the_same(one: &StatefulSet, other: &StatefulSet) -> bool {
    plan::rollout::tells_the_same(one, other)
}
