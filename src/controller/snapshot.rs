//! What a pass sees: values only.
//!
//! In: nothing. Out: a [`Snapshot`] for each round, and what a decision asked for beside it.

use std::{collections::BTreeSet, net::IpAddr, sync::Arc};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::brake::Brake;
use crate::{
    api::v1alpha1::{TokenCache, TokenCacheStatus},
    data_protection::{ring::open::KeyRing, secrets as ring},
    entries::look::Look,
    kubernetes::{
        identity::Lacking,
        object::Reference,
        read::{process::Processes, workload::Consumers},
    },
    redis::live::{Callers, Observed},
};

/// What a round of a pass sees.
pub struct Snapshot<'pass> {
    /// The time, one for the whole round.
    pub now: Timestamp,
    /// The `TokenCache`.
    pub cache: &'pass TokenCache,
    /// The status that stands.
    pub previous: &'pass TokenCacheStatus,
    /// What there is of Redis.
    pub redis: Observed,
    /// What the latest looks show of entries.
    pub entries: Vec<Look>,
    /// What there is of the key ring.
    pub ring: ring::Observed,
    /// The keys that were opened before.
    pub opened: Arc<KeyRing>,
    /// The Secrets that outlive the cache and lack what says so.
    pub unmarked: Vec<(ObjectMeta, Lacking)>,
    /// What has the cache's labels and owner beside what it needs in any case.
    pub children: Vec<Reference>,
    /// What others fight over.
    pub brake: Brake,
    /// What was asked for.
    pub answers: &'pass Answers,
}

/// What was asked for in a pass, and what came of it. What is `None` was not asked for.
#[derive(Default)]
pub struct Answers {
    /// The pods that use the connection.
    pub connection_processes: Option<Processes>,
    /// The pods that use the key ring.
    pub ring_processes: Option<Processes>,
    /// From where applications are connected.
    pub callers: Option<Callers>,
    /// The workloads that use anything of what is published.
    pub consumers: Option<Consumers>,
    /// The workloads that use the connection.
    pub connection_consumers: Option<Consumers>,
    /// Whether the start of the oldest process that uses the key ring was asked for.
    pub is_oldest_process_known: bool,
    /// The start of the oldest process that uses the key ring; `None` where there is no process.
    pub oldest_process: Option<Timestamp>,
    /// The Secrets that would hold a key or a revocation.
    pub listed: Option<BTreeSet<String>>,
    /// The Secrets that keys lack.
    pub lacking: BTreeSet<String>,
    /// Whether keys lack the Secret with the certificates.
    pub are_certificates_lacking: bool,
}

/// What a decision would know better. Each is asked for once in a pass, and what cannot be found out is unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// The pods that use the connection, by a look that is no older than this.
    ConnectionProcesses(Timestamp),
    /// The pods that use the key ring, by a look that is no older than this.
    RingProcesses(Timestamp),
    /// Whether these addresses are those of pods of the namespace.
    Callers(BTreeSet<IpAddr>),
    /// The workloads that use anything of what is published.
    Consumers,
    /// The workloads that use the connection.
    ConnectionConsumers,
    /// The start of the oldest process that uses the key ring.
    OldestRingProcess,
    /// The Secrets that would hold a key or a revocation, as they are at this moment.
    RingSecrets,
    /// Whether Secrets of these names are there, which keys lack.
    LackingSecrets(BTreeSet<String>),
    /// The Secret with the certificates that keys lack.
    LackingCertificates,
}
