//! What `Ready` says, as somebody who watches it sees it.

use std::sync::{Arc, Mutex, PoisonError};

use futures::{TryStreamExt, pin_mut};
use jiff::Timestamp;
use kube::runtime::{WatchStreamExt, watcher};
use tokencache_operator::api::v1alpha1::TokenCache;
use tokio::task::AbortHandle;

use crate::cluster::Scene;

/// What `Ready` said from a time on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub seen: Timestamp,
    pub status: String,
    pub reason: String,
}

/// A watch of `Ready`.
pub struct Readiness {
    said: Arc<Mutex<Vec<Said>>>,
    watch: AbortHandle,
}

impl Readiness {
    pub fn watch(scene: &Scene) -> Self {
        let said = Arc::<Mutex<Vec<Said>>>::default();
        let heard = Arc::clone(&said);
        let caches = scene.caches();
        let watch = tokio::spawn(async move {
            let shop = watcher(caches, watcher::Config::default().fields("metadata.name=shop"));
            let shop = shop.default_backoff().applied_objects();
            pin_mut!(shop);
            while let Some(cache) = shop.try_next().await.expect("the TokenCache can be watched") {
                note(&mut heard.lock().unwrap_or_else(PoisonError::into_inner), &cache);
            }
        });
        Self { said, watch: watch.abort_handle() }
    }

    /// All that it has said so far, in its order.
    pub fn said(&self) -> Vec<Said> {
        assert!(!self.watch.is_finished(), "the watch has ended");
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn is(&self, status: &str) -> bool {
        self.said().last().is_some_and(|last| last.status == status)
    }
}

impl Drop for Readiness {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

fn note(said: &mut Vec<Said>, cache: &TokenCache) {
    let conditions = cache.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let Some(ready) = conditions.iter().find(|condition| condition.type_ == "Ready") else { return };
    let same = |last: &Said| last.status == ready.status && last.reason == ready.reason;
    if !said.last().is_some_and(same) {
        said.push(Said { seen: Timestamp::now(), status: ready.status.clone(), reason: ready.reason.clone() });
    }
}
