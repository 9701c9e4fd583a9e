//! Decides what is to be done: the one list of capabilities. Pure: the same settings and the same snapshot, the same decision.
//!
//! In: the settings, and what a round of a pass sees. Out: a [`Decision`]: what is to be written, what is said, and what would have
//! to be known better. It reads nothing itself: what it asks for is read, and then it decides again. Values flow downwards only:
//! what one capability offers, the next is given.

pub mod plan;
pub mod snapshot;

use jiff::Timestamp;

use super::settings::Settings;
use crate::{
    capability::{Capability, part::Part},
    data_protection, entries,
    kubernetes::{
        object::{Kind, Reference},
        write::Write,
    },
    probe::prober::Target,
    redis,
};
use plan::{Plan, Stands};
use snapshot::Snapshot;

/// What is to be done, and what is said.
pub struct Decision {
    /// The time that it was decided at.
    pub now: Timestamp,
    /// What is to be written.
    pub plan: Plan,
    /// What looks like the cache's own and was made by somebody else.
    pub left: Vec<Reference>,
    /// What the capabilities have decided on, but for the writes that became the plan.
    pub part: Part,
    /// What is to be looked at.
    pub target: Option<Target>,
    /// Whether what is wanted reaches the servers.
    pub is_carried_out: bool,
    /// The latest look at each server.
    pub samples: Vec<redis::Sample>,
    /// Whether it is said of every correction that they hold.
    pub tells_of_samples: bool,
    /// The sweep of entries that is to be made.
    pub sweep: Option<entries::Sweep>,
    /// The keys that were opened.
    pub opened: Option<data_protection::KeyRing>,
}

/// Decides on what was seen.
#[must_use]
pub fn decide(settings: &Settings, snapshot: &Snapshot<'_>) -> Decision {
    // Without `..`: a capability that is not asked does not compile.
    let Settings { owner, redis, data_protection, entries } = settings;
    let (observed, looks) = (&snapshot.observed, &snapshot.looks);
    let given = redis::Given { samples: &looks.samples, period: snapshot.period, verified: &snapshot.verified };
    let (of_redis, server) = redis.decide(observed, given);
    let given = data_protection::Given {
        obstacle: server.obstacle.as_deref(),
        opened: &snapshot.opened,
        in_use: entries.in_use(&looks.entries),
    };
    let (of_ring, ring) = data_protection.decide(observed, given);
    let data_protection::Offer { opened, has_keys, names, gap, revoking } = ring;
    let ring = entries::GivenRing { keys: opened.clone(), has_keys, names, gap, revoking };
    let given = entries::Given { redis, server: &server, looks: &looks.entries, ring };
    let (of_entries, entries::Offer { inspection, sweep }) = entries.decide(observed, given);

    let mut part = of_redis.and(of_ring).and(of_entries);
    part.asks.retain(|ask| !observed.answers.has(ask));
    let groups = std::mem::take(&mut part.groups);
    let unneeded: Vec<(Kind, String)> = groups.iter().flat_map(|group| group.unneeded.clone()).collect();
    let left = plan::left(owner, &unneeded, &snapshot.children);
    let waits = |write: &Write| snapshot.brake.allow(write, observed.now).is_err();
    let stands = Stands { is_paused: observed.is_paused, is_blocked: part.is_blocked || part.refusal.is_some() };
    let plan = plan::plan((owner, &observed.objects), groups, stands, &waits);
    let redis::Offer { live, aim, is_carried_out, answered: _, obstacle: _, tells_of_samples } = server;
    let target = aim.map(|aim| Target { aim, inspection });
    Decision {
        now: observed.now,
        plan,
        left,
        part,
        target,
        is_carried_out,
        samples: live.samples,
        tells_of_samples,
        sweep,
        opened,
    }
}
