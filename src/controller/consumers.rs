//! Who uses what is published for a cache: looked up at the moment at which somebody wants to know.
//!
//! In: a cache, and what is asked about. Out: the workloads; or which addresses the pods have. It lists the pods of the
//! namespace, page by page, and keeps of them for a minute who uses what, so that a pass in trouble does not list at every
//! turn. Without an answer, or the right to list, nothing is known, and no pass fails for it.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, api::ListParams};
use tokio::time::timeout;

use super::Key;
use crate::kubernetes::{
    name,
    process::Processes,
    workload::{self, Consumers, Source, Uses},
};

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

/// Who uses what is published for each cache.
pub struct ConsumerLookup {
    client: Client,
    looked: Mutex<HashMap<Key, Look>>,
}

/// What was found, and when; `None` where it could not be found out.
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

/// What applications take from a cache.
#[must_use]
pub fn published(cache: &str) -> [Source; 4] {
    [
        Source::Secret(name::redis(cache)),
        Source::Secret(name::keys(cache)),
        Source::Secret(name::key_certificates(cache)),
        Source::ConfigMap(name::settings(cache)),
    ]
}

impl ConsumerLookup {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client, looked: Mutex::default() }
    }

    /// Who uses any of these, which are among what is [`published`].
    pub async fn consumers(&self, key: &Key, of: &[Source], now: Timestamp) -> Consumers {
        let found = self.found(key, Timestamp::MIN, now).await;
        found.map_or(Consumers::Unknown, |found| Consumers::Known(found.uses.consumers(of)))
    }

    /// The pods that use any of these. By a look that is no older than `since`: one of before does not have those that started
    /// in between.
    pub async fn processes(&self, key: &Key, of: &[Source], since: Timestamp, now: Timestamp) -> Processes {
        let found = self.found(key, since, now).await;
        found.map_or(Processes::Unknown, |found| Processes::Known(found.uses.processes(of)))
    }

    /// What the pods show, by the latest look; `None` where it could not be found out.
    async fn found(&self, key: &Key, since: Timestamp, now: Timestamp) -> Option<Arc<Namespace>> {
        // By a clock that may have been set back.
        let is_young = |look: &&Look| now.duration_since(look.at).abs() < KEPT && look.at >= since;
        if let Some(look) = self.looked().get(key).filter(is_young) {
            return look.found.clone();
        }
        self.look_now(key, now).await
    }

    async fn look_now(&self, key: &Key, now: Timestamp) -> Option<Arc<Namespace>> {
        let found = self.look(key).await.map(Arc::new);
        self.looked().insert(key.clone(), Look { at: now, found: found.clone() });
        found
    }

    /// The addresses of the pods of a cache's namespace, among which these may be; `None` where they cannot be found out. A
    /// kept answer that lacks one of them is asked anew, since a pod may have come since; but not at every turn.
    pub async fn addresses(&self, key: &Key, of: &BTreeSet<IpAddr>, now: Timestamp) -> Option<BTreeSet<IpAddr>> {
        let kept = self.looked().get(key).and_then(|look| {
            let age = now.duration_since(look.at).abs();
            let addresses = look.found.as_ref().map(|found| found.addresses.clone());
            let suffices = addresses.as_ref().is_some_and(|addresses| of.is_subset(addresses));
            (age < KEPT_IN_DOUBT || age < KEPT && suffices).then_some(addresses)
        });
        if let Some(addresses) = kept {
            return addresses;
        }
        self.look_now(key, now).await.map(|found| found.addresses.clone())
    }

    /// Forgets a cache that is gone.
    pub fn forget(&self, key: &Key) {
        self.looked().remove(key);
    }

    fn looked(&self) -> MutexGuard<'_, HashMap<Key, Look>> {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn look(&self, key: &Key) -> Option<Namespace> {
        let why = match timeout(LIMIT, self.list(key)).await {
            Ok(Ok(found)) => return Some(found),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("not done within {} s", LIMIT.as_secs()),
        };
        tracing::warn!(
            cache = key.name,
            namespace = key.namespace,
            why,
            "the pods cannot be listed: no workload is named"
        );
        None
    }

    async fn list(&self, key: &Key) -> Result<Namespace, kube::Error> {
        let pods = Api::<Pod>::namespaced(self.client.clone(), key.namespace.as_deref().unwrap_or_default());
        let sources = published(&key.name);
        let mut found = Namespace::default();
        let mut params = ListParams::default().fields(NOT_ENDED).limit(PAGE);
        loop {
            let page = pods.list(&params).await?;
            for pod in &page.items {
                found.uses.add(pod, &sources);
                found.addresses.extend(workload::addresses(pod));
            }
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => return Ok(found),
            }
        }
    }
}
