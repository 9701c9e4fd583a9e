//! Decides what is to be done. Pure: the same settings and the same snapshot, the same decision.
//!
//! In: the settings, and what a round of a pass sees. Out: a [`Decision`]: what is to be written, how far requests are, and what it
//! would have to know better. It reads nothing itself: what it asks for is read, and then it decides again.

use std::{collections::BTreeSet, sync::Arc};

use jiff::Timestamp;

use super::{
    plan::{self, Plan, Surplus},
    settings::Settings,
    snapshot::{Ask, Snapshot},
};
use crate::{
    api::v1alpha1::{Inspect, OperationStatus, OperationType},
    capability::operation,
    data_protection::{
        self,
        findings::changes::{self, Corrected},
        operations::revoke_key,
        plan::plan as ring_plan,
        ring::open::KeyRing,
        state::Standing,
    },
    entries,
    entries::look::Inspection,
    entries::{
        entry::reader::Reader,
        flush::{self, Flush, Reads},
        sweep::Sweep,
    },
    kubernetes::{identity::Found, object::Reference, write::Write},
    redis::{
        self,
        credentials::{Credentials, rotation},
        desired::Aim,
        plan::network,
    },
};

/// What is to be done, and what becomes of it.
pub struct Decision {
    /// What it would know better. Then nothing is written yet.
    pub asks: Vec<Ask>,
    /// What is to be written.
    pub plan: Plan,
    /// What carrying the plan out puts right in the key ring.
    pub corrects: Corrected,
    /// What looks like the cache's own and was made by somebody else.
    pub left: Vec<Reference>,
    /// The passwords and the certificate.
    pub credentials: Credentials,
    /// What was observed of the key ring, with all that it depends on.
    pub ring: data_protection::secrets::Observed,
    /// How far the key ring is.
    pub standing: Standing,
    /// What reads stored entries; `None` where there is no key.
    pub reader: Option<Arc<Reader>>,
    /// How far the removal of entries is.
    pub flush: Flush,
}

/// Decides on what was seen.
#[must_use]
pub fn decide(settings: &Settings, snapshot: &Snapshot<'_>) -> Decision {
    let (of_redis, of_ring) = (&settings.redis, &settings.data_protection);
    let (observed, now) = (&snapshot.redis, snapshot.now);
    let credentials = Credentials::read(of_redis, observed, now);
    let mut ring = snapshot.ring.clone();
    ring.beside.obstacle = redis::desired::obstacle(of_redis, observed, &credentials);
    let standing = Standing::read(of_ring, &ring, &snapshot.opened, now);
    let reader = reader(settings, &standing);
    let flush = flush(settings, &ring, &standing, reader.as_ref(), now);
    let Surplus { retirees, left } = plan::surplus(of_redis, &credentials, snapshot.children.clone());
    let planned = ring_plan(of_ring, &ring, &standing, snapshot.unmarked.clone());
    let waits = |write: &Write| snapshot.brake.allow(write, now).is_err();
    let plan = plan::plan(snapshot.cache, of_redis, observed, &credentials, planned, retirees, &waits);
    // What waits is not put right.
    let corrects = if plan.groups.iter().any(|group| group.is_chain) {
        changes::corrected(of_ring, &ring, &standing)
    } else {
        Corrected::default()
    };
    Decision {
        asks: asks(settings, snapshot, &credentials, &ring, &standing),
        plan,
        corrects,
        left,
        credentials,
        ring,
        standing,
        reader,
        flush,
    }
}

impl Decision {
    /// What became of requests.
    #[must_use]
    pub fn operations(&self) -> Vec<OperationStatus> {
        let told = [
            &self.credentials.rotation.operation,
            &self.standing.operation,
            &self.standing.revoke.operation,
            &self.flush.operation,
        ];
        told.into_iter().flatten().cloned().collect()
    }

    /// The keys that were opened.
    #[must_use]
    pub fn opened(&self) -> Option<&KeyRing> {
        self.standing.ring.as_ref().map(|ring| &ring.key_ring)
    }

    /// How the servers are to be looked at.
    #[must_use]
    pub fn aim(&self, settings: &Settings, snapshot: &Snapshot<'_>, is_carried_out: bool) -> Option<Aim> {
        redis::desired::aim(&settings.redis, &snapshot.redis, &self.credentials, is_carried_out)
    }

    /// How entries are to be looked at.
    #[must_use]
    pub fn inspection(&self, settings: &Settings, snapshot: &Snapshot<'_>) -> Inspection {
        let inspect = settings.entries.inspect;
        Inspection {
            inspect,
            reader: self.reader.clone().filter(|_| inspect == Inspect::Payloads),
            swept: flush::last(&snapshot.redis.operations),
        }
    }

    /// The sweep of entries that is to be made.
    #[must_use]
    pub fn sweep(&self) -> Option<Sweep> {
        self.standing.revoke.sweep.clone().map(Sweep::from).or_else(|| self.flush.sweep.clone())
    }

    /// When something changes by itself.
    #[must_use]
    pub fn wake_at(&self) -> Option<Timestamp> {
        let of_ring = self.standing.ring.as_ref().and_then(|ring| ring.wake_at);
        let Credentials { tls, rotation, .. } = &self.credentials;
        let all = [tls.wake_at(), rotation.wake_at, of_ring, self.standing.revoke.wake_at, self.flush.wake_at];
        all.into_iter().flatten().min()
    }
}

/// What would have to be known better, and was not asked for in this pass.
fn asks(
    settings: &Settings,
    snapshot: &Snapshot<'_>,
    credentials: &Credentials,
    ring: &data_protection::secrets::Observed,
    standing: &Standing,
) -> Vec<Ask> {
    let (of_redis, of_ring) = (&settings.redis, &settings.data_protection);
    let (observed, answers) = (&snapshot.redis, &snapshot.answers);
    let mut asks = Vec::new();
    let since = credentials.rotation.looks_since.or_else(|| rotation::refused_since(of_redis, observed));
    asks.extend(since.filter(|_| answers.connection_processes.is_none()).map(Ask::ConnectionProcesses));
    if answers.callers.is_none() && network::asks_for_callers(of_redis, observed) {
        asks.extend(network::callers(observed).map(|addresses| Ask::Callers(crate::redis::live::abroad(&addresses))));
    }
    if answers.connection_consumers.is_none()
        && entries::findings::names_consumers(&settings.entries, &snapshot.entries)
    {
        asks.push(Ask::ConnectionConsumers);
    }
    let operations = &observed.operations;
    let since = revoke_key::looks_since(of_ring, operations, snapshot.now);
    asks.extend(since.filter(|_| answers.ring_processes.is_none()).map(Ask::RingProcesses));
    let revoked = of_ring.revoke.as_ref().map(|wish| &wish.request);
    let is_requested = operation::is_open(settings.entries.flush.request.as_ref(), operations, OperationType::Flush)
        || operation::is_open(revoked, operations, OperationType::RevokeKey);
    if is_requested && answers.consumers.is_none() {
        asks.push(Ask::Consumers);
    }
    let depends_on_processes = standing.ring.as_ref().is_some_and(|ring| ring.depends_on_processes);
    if depends_on_processes && !answers.is_oldest_process_known {
        asks.push(Ask::OldestRingProcess);
    }
    // Before a key is made, or the ring is made again from its keys, whatever is there by its name counts, whichever labels it has
    // lost.
    let begins = standing.mint.is_some() || of_ring.rotation.is_some() && ring.ring == Found::Nothing;
    if begins && answers.listed.is_none() {
        asks.push(Ask::RingSecrets);
    }
    let lacking: BTreeSet<String> = standing.lacking(of_ring).collect();
    if !lacking.is_subset(&answers.lacking) {
        asks.push(Ask::LackingSecrets(lacking));
    }
    let is_sealed = standing.ring.as_ref().is_some_and(|ring| ring.sealed().next().is_some());
    if is_sealed && ring.inputs().certificates == Found::Nothing && !answers.are_certificates_lacking {
        asks.push(Ask::LackingCertificates);
    }
    asks
}

fn reader(settings: &Settings, standing: &Standing) -> Option<Arc<Reader>> {
    let ring = standing.ring.as_ref().filter(|ring| !ring.ring.members().is_empty())?;
    Some(Arc::new(Reader::new(ring.key_ring.clone(), settings.data_protection.names())))
}

/// How far the removal of entries is, which the ring tells apart.
fn flush(
    settings: &Settings,
    ring: &data_protection::secrets::Observed,
    standing: &Standing,
    reader: Option<&Arc<Reader>>,
    now: Timestamp,
) -> Flush {
    let Settings { redis, data_protection, entries } = settings;
    let is_revoking = standing.revoke.sweep.is_some();
    let obstacle = is_revoking.then_some("a key is being revoked first");
    let reads = || {
        if data_protection.rotation.is_none() {
            return Reads::NoRing;
        }
        if entries.inspect == Inspect::Metadata {
            return Reads::NotAtAll;
        }
        match (standing.gap(data_protection, ring), reader) {
            (None, Some(reader)) => Reads::With(reader),
            (gap, _) => {
                let why = gap.unwrap_or_else(|| "there is no key yet".to_owned());
                Reads::NotYet(format!(
                    "the key ring may lack keys that entries were encrypted with, see KeyRingReady: {why}"
                ))
            }
        }
    };
    flush::read(&flush::Input {
        owner: &redis.owner,
        prefix: redis.instance_name.as_str(),
        wish: &entries.flush,
        encrypt: entries.encrypt,
        reads: reads(),
        operations: &ring.beside.operations,
        progress: ring.beside.sweep.as_ref(),
        obstacle: obstacle.or(ring.beside.obstacle.as_deref()),
        consumers: &ring.beside.consumers,
        now,
    })
}
