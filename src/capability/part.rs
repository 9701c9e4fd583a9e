//! What a capability has decided on: its part of a pass.
//!
//! In: nothing. Out: a [`Part`], of which those of all capabilities become one. What spans capabilities is decided by whoever puts
//! them together.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::ask::Ask;
use crate::{
    api::v1alpha1::{BindingStatus, KeyRingStatus, OperationStatus, RedisStatus},
    condition::{Finding, Message, Reason},
    kubernetes::{
        object::{Kind, Object},
        write::Write,
    },
};

/// What a capability has decided on. By default, nothing.
#[derive(Debug, Default)]
pub struct Part {
    /// What it would know better. Then nothing is written yet.
    pub asks: Vec<Ask>,
    /// What is to be written. Groups do not wait for each other.
    pub groups: Vec<Group>,
    /// Whether nothing is to begin: a name is somebody else's, or still an earlier cache's, so that the cache may be in the wrong
    /// place.
    pub is_blocked: bool,
    /// Why the spec cannot be carried out, by what there is: the sentence that goes into `SpecValid`. Then nothing is to begin either.
    pub refusal: Option<Message>,
    /// What is said of its conditions. Which of them the cache cannot do without, and in which order they stand, their type says.
    pub findings: Vec<Finding>,
    /// What it waits for that no watch shows.
    pub awaits: BTreeSet<Awaited>,
    /// How far requests are.
    pub operations: Vec<Operation>,
    /// What else is told in Events: why, and a sentence.
    pub events: Vec<(Reason, String)>,
    /// Its share of the status.
    pub status: StatusShare,
    /// When something changes by itself.
    pub wake_at: Option<Timestamp>,
}

/// Writes that wait for each other, in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// What they are about.
    pub name: &'static str,
    /// What must hold before any of them.
    pub needs: Needs,
    /// Whether each of them needs those before it.
    pub is_chain: bool,
    /// What is shown to the API server before the first of them.
    pub rehearsal: Option<Rehearsal>,
    /// The writes.
    pub writes: Vec<Write>,
    /// Names under which nothing is needed any more. What was made by the operator there is deleted at the end.
    pub unneeded: Vec<(Kind, String)>,
    /// What carrying it out puts right, in sentences.
    pub mends: Vec<String>,
}

/// What must hold before a group of writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: what is there already is kept up also where the rest of the spec is refused.
    Nothing,
    /// The API server does not refuse what the spec leads to, and nothing is blocked.
    AcceptedSpec,
}

/// What is shown to the API server, so that a spec that it refuses is never carried out by half.
#[derive(Debug, Clone, PartialEq)]
pub struct Rehearsal {
    /// What is wanted.
    pub object: Object,
    /// What stands there now.
    pub live: Option<ObjectMeta>,
}

/// What is waited for that no watch shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Awaited {
    /// A look at a server is on its way, and nothing is said until it is over.
    Look,
    /// The garbage collector.
    Collection,
    /// The next pass: what was said holds for this one only.
    NextPass,
    /// A server that runs, and is not as it should be yet.
    Server,
}

/// How far a request is.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// What the status says of it.
    pub entry: OperationStatus,
    /// The reason of the Event about its stage; `None` where it has none.
    pub event: Option<Reason>,
}

/// A share of the status.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StatusShare {
    /// The servers.
    pub redis: Option<RedisStatus>,
    /// What applications connect with.
    pub binding: Option<BindingStatus>,
    /// The key ring.
    pub key_ring: Option<KeyRingStatus>,
}

impl StatusShare {
    fn and(self, other: Self) -> Self {
        // Without `..`: a field that is lost here does not compile.
        let Self { redis, binding, key_ring } = other;
        Self { redis: self.redis.or(redis), binding: self.binding.or(binding), key_ring: self.key_ring.or(key_ring) }
    }
}

impl Part {
    /// Both.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        // Without `..`: something that is decided and lost here does not compile.
        let Self { asks, groups, is_blocked, refusal, findings, awaits, operations, events, status, wake_at } = other;
        self.asks.extend(asks);
        self.groups.extend(groups);
        self.is_blocked |= is_blocked;
        self.refusal = self.refusal.or(refusal);
        self.findings.extend(findings);
        self.awaits.extend(awaits);
        self.operations.extend(operations);
        self.events.extend(events);
        self.status = self.status.and(status);
        self.wake_at = self.wake_at.into_iter().chain(wake_at).min();
        self
    }
}
