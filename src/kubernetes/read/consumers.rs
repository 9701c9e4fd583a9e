//! The pods of a namespace, and who of them uses what is published: looked up at the moment at which somebody wants to know.
//!
//! In: a namespace, and what is asked about. Out: the workloads; or which addresses the pods have. It lists the pods page by
//! page, once for all who ask at that time, and keeps of them for a minute who uses what, so that a pass in trouble does not
//! list at every turn. Without an answer, or the right to list, nothing is known, and no pass fails for it.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, api::ListParams};
use tokio::{sync::Mutex as AsyncMutex, time::timeout};

use super::{
    process::Processes,
    workload::{self, Consumers, Source, Uses},
};
use crate::kubernetes::{name, words};

/// How long an answer is kept.
const KEPT: SignedDuration = SignedDuration::from_mins(1);
/// How long an answer is kept that lacks what was asked about.
const KEPT_IN_DOUBT: SignedDuration = SignedDuration::from_secs(10);
/// How long all pages together may take: a fraction of what a pass may.
const LIMIT: Duration = Duration::from_secs(5);
/// How many pods come at once.
const PAGE: u32 = 500;
/// Those that have ended use nothing; a namespace with Jobs has many.
const NOT_ENDED: &str = "status.phase!=Succeeded,status.phase!=Failed";

/// Who uses what is published, in each namespace.
pub struct ConsumerLookup {
    client: Client,
    looks: Mutex<HashMap<String, Slot>>,
}

/// The latest look at a namespace. Who looks holds it, and who asks meanwhile waits for the answer.
type Slot = Arc<AsyncMutex<Option<Look>>>;

/// What was found, and when; `None` where it could not be found out.
#[derive(Clone)]
struct Look {
    at: Timestamp,
    found: Option<Arc<Namespace>>,
}

/// What the pods of a namespace show.
#[derive(Default)]
struct Namespace {
    uses: Uses,
    addresses: BTreeSet<IpAddr>,
}

impl ConsumerLookup {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client, looks: Mutex::default() }
    }

    /// Who uses any of these, which are among what is published for a cache of the namespace.
    pub async fn consumers(&self, namespace: &str, of: &[Source], now: Timestamp) -> Consumers {
        let found = self.found(namespace, now, |_| true).await;
        found.map_or(Consumers::Unknown, |found| Consumers::Known(found.uses.consumers(of)))
    }

    /// The pods that use any of these. By a look that is no older than `since`: one of before does not have those that started
    /// in between.
    pub async fn processes(&self, namespace: &str, of: &[Source], since: Timestamp, now: Timestamp) -> Processes {
        let found = self.found(namespace, now, |look| look.at >= since).await;
        found.map_or(Processes::Unknown, |found| Processes::Known(found.uses.processes(of)))
    }

    /// The addresses of the pods of a namespace, among which these may be; `None` where they cannot be found out. A kept answer
    /// that lacks one of them is asked anew, since a pod may have come since; but not at every turn.
    pub async fn addresses(&self, namespace: &str, of: &BTreeSet<IpAddr>, now: Timestamp) -> Option<BTreeSet<IpAddr>> {
        let suffices = |look: &Look| {
            let has_all = look.found.as_ref().is_some_and(|found| of.is_subset(&found.addresses));
            has_all || look.age(now) < KEPT_IN_DOUBT
        };
        self.found(namespace, now, suffices).await.map(|found| found.addresses.clone())
    }

    /// What the pods show, by a look that is young enough and suffices; `None` where it could not be found out.
    async fn found(&self, namespace: &str, now: Timestamp, suffices: impl Fn(&Look) -> bool) -> Option<Arc<Namespace>> {
        let slot = self.slot(namespace, now);
        let mut kept = slot.lock().await;
        if let Some(look) = kept.as_ref().filter(|look| look.age(now) < KEPT && suffices(look)) {
            return look.found.clone();
        }
        let found = self.look(namespace).await.map(Arc::new);
        *kept = Some(Look { at: now, found: found.clone() });
        found
    }

    /// The latest look at a namespace. Those at others are forgotten once they are old.
    fn slot(&self, namespace: &str, now: Timestamp) -> Slot {
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        let is_old = |slot: &Slot| match slot.try_lock() {
            Ok(look) => Arc::strong_count(slot) == 1 && look.as_ref().is_none_or(|look| look.age(now) >= KEPT),
            Err(_) => false,
        };
        looks.retain(|other, slot| other == namespace || !is_old(slot));
        Arc::clone(looks.entry(namespace.to_owned()).or_default())
    }

    async fn look(&self, namespace: &str) -> Option<Namespace> {
        let why = match timeout(LIMIT, self.list(namespace)).await {
            Ok(Ok(found)) => return Some(found),
            Ok(Err(error)) => words::of(&error),
            Err(_) => format!("not done within {} s", LIMIT.as_secs()),
        };
        tracing::warn!(namespace, why, "the pods cannot be listed: no workload is named");
        None
    }

    async fn list(&self, namespace: &str) -> Result<Namespace, kube::Error> {
        let pods = Api::<Pod>::namespaced(self.client.clone(), namespace);
        let mut found = Namespace::default();
        let mut params = ListParams::default().fields(NOT_ENDED).limit(PAGE);
        loop {
            let page = pods.list(&params).await?;
            for pod in &page.items {
                found.uses.add(pod, may_be_published);
                found.addresses.extend(workload::addresses(pod));
            }
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => return Ok(found),
            }
        }
    }
}

impl Look {
    /// By a clock that may have been set back.
    fn age(&self, now: Timestamp) -> SignedDuration {
        now.duration_since(self.at).abs()
    }
}

/// Whether something may be published for a cache, by its name. Of what else pods use nothing is kept.
fn may_be_published(source: &Source) -> bool {
    match source {
        Source::Secret(secret) => {
            let published = [name::redis(""), name::keys(""), name::key_certificates("")];
            published.iter().any(|suffix| secret.ends_with(suffix.as_str()))
        }
        Source::ConfigMap(config_map) => config_map.ends_with(&name::settings("")),
    }
}
