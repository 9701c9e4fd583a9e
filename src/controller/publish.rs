//! Publishes what a pass has to say: the status, and events about what is news in it.
//!
//! In: a report, and the status that stands. Out: at most one write of the status, and the events. It does not decide what
//! they say.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Api, Client, ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::json;

use super::{Context, Guarded, Key, report::Report};
use crate::{
    api::v1alpha1::{TokenCache, TokenCacheStatus},
    kubernetes::{
        event::{self, Happening},
        identity::STATUS_FIELD_MANAGER,
    },
};

/// Why a report did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The status was not written.
    #[error("write the status: {0}")]
    Status(#[source] Box<kube::Error>),
}

/// The statuses that were written and have not come back from the watch yet.
#[derive(Default)]
pub struct Written(Mutex<HashMap<Key, Overlay>>);

/// A status that was written, and the version of the object that the cache had then.
struct Overlay {
    over: Option<String>,
    status: TokenCacheStatus,
}

impl Written {
    /// Remembers a status that was written while the watch cache had the version `over`.
    fn remember(&self, key: &Key, over: Option<String>, status: TokenCacheStatus) {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        written.insert(key.clone(), Overlay { over, status });
    }

    /// The status that was written last, while the watch cache still has the version from before.
    fn over(&self, key: &Key, cached: Option<&str>) -> Option<TokenCacheStatus> {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = written.get(key)?;
        if last.over.as_deref() == cached {
            return Some(last.status.clone());
        }
        written.remove(key);
        None
    }

    /// Forgets a cache that is gone.
    pub fn forget(&self, key: &Key) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

/// The status that stands: the watch's, or the one that was written a moment ago and has not come back yet.
#[must_use]
pub fn previous(context: &Context, key: &Key, cache: &TokenCache) -> TokenCacheStatus {
    context
        .written
        .over(key, cache.metadata.resource_version.as_deref())
        .or_else(|| cache.status.clone())
        .unwrap_or_default()
}

/// Writes a report, if it says anything new.
///
/// # Errors
/// What the API server or the way to it answered.
pub async fn deliver(
    context: &Context,
    key: &Key,
    cache: &TokenCache,
    previous: &TokenCacheStatus,
    report: Report,
) -> Result<bool, ReportError> {
    let Report { status, happenings } = report;
    if status == *previous {
        return Ok(false);
    }
    write_status(&context.client, cache, &status).await?;
    context.written.remember(key, cache.resource_version(), status);
    publish(&context.client, cache, &happenings, &context.reporter, Context::now()).await;
    Ok(true)
}

/// Writes a status. That the object is gone, or is another one of the same name by now, is fine.
///
/// # Errors
/// What the API server or the way to it answered.
async fn write_status(client: &Client, cache: &TokenCache, status: &TokenCacheStatus) -> Result<(), ReportError> {
    let regarding = reference(cache);
    let name = regarding.name.as_deref().unwrap_or_default();
    // Guarded: the answer holds the spec too, and a status is written also where that cannot be read.
    let api: Api<Guarded> = Api::namespaced(client.clone(), regarding.namespace.as_deref().unwrap_or_default());
    let body = json!({
        "apiVersion": regarding.api_version,
        "kind": regarding.kind,
        "metadata": {"name": name, "uid": regarding.uid},
        "status": status,
    });
    match api.patch_status(name, &PatchParams::apply(STATUS_FIELD_MANAGER).force(), &Patch::Apply(body)).await {
        Err(kube::Error::Api(answer)) if matches!(answer.code, 404 | 409) => Ok(()),
        answer => answer.map(drop).map_err(|error| ReportError::Status(Box::new(error))),
    }
}

/// Publishes events. One that does not arrive is logged: the condition says the same.
pub async fn publish(client: &Client, cache: &TokenCache, happenings: &[Happening], reporter: &str, now: Timestamp) {
    let regarding = reference(cache);
    for happening in happenings {
        if let Err(error) = event::publish(client, &regarding, happening, reporter, now).await {
            tracing::warn!(%error, reason = happening.reason, "an event was not published");
        }
    }
}

/// Publishes events about a state that lasts, each unless it is there already.
pub async fn publish_once(
    client: &Client,
    cache: &TokenCache,
    happenings: &[Happening],
    reporter: &str,
    now: Timestamp,
) {
    let regarding = reference(cache);
    for happening in happenings {
        if let Err(error) = event::publish_once(client, &regarding, happening, reporter, now).await {
            tracing::warn!(%error, reason = happening.reason, "an event was not published");
        }
    }
}

fn reference(cache: &TokenCache) -> ObjectReference {
    kube::Resource::object_ref(cache, &())
}
