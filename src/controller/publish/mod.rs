//! Publishes what a pass has to say: the status, and events about what is news in it.
//!
//! In: a report, and the status that stands. Out: at most one write of the status, and the events. It does not decide what
//! they say.

pub mod objects;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client, Resource, ResourceExt,
    api::{Patch, PatchParams},
    core::{Request, Status},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    brake::{Change, HeldUntil, Subject},
    context::Context,
    journal,
    memory::Overlay,
    report::{Report, contest},
    watch::GuardedRef,
};
use crate::{
    api::v1alpha1::{LONGEST_MESSAGE, StoredStatus, TokenCache, TokenCacheStatus},
    kubernetes::{
        event::{self, Event},
        identity::{STATUS_FIELD_MANAGER, managed_fields},
        words,
        write::subset::differences,
    },
};

/// Why a report did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The status was not written.
    #[error("write the status: {}", words::of(.0.as_ref()))]
    Status(#[source] Box<kube::Error>),
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// The status says all of it already, or nothing is to be said.
    Unchanged,
    /// It was written.
    Written,
    /// The status was written a moment ago. Only the events of this one are published, and the pass has to come again for the
    /// rest: see [`Written::sooner`](crate::controller::memory::Written::sooner).
    Held,
}

/// The status that stands: the watch's, or the one that was written a moment ago and has not come back yet.
#[must_use]
pub fn previous(context: &Context, key: &GuardedRef, cache: &TokenCache) -> StoredStatus {
    let watched = cache.metadata.resource_version.as_deref();
    context.written.unseen(key, watched).or_else(|| cache.status.clone()).unwrap_or_default()
}

/// Writes a report, if there is one, and it says anything new, and the last one was long enough ago.
///
/// # Errors
/// What the API server or the way to it answered.
pub async fn deliver(
    context: &Context,
    key: &GuardedRef,
    cache: &TokenCache,
    previous: &StoredStatus,
    report: Option<Report>,
) -> Result<Delivery, ReportError> {
    let Some(Report { status, events }) = report else { return Ok(Delivery::Unchanged) };
    let status = previous.followed_by(fitting(status));
    if status == *previous {
        context.written.rest(key);
        return Ok(Delivery::Unchanged);
    }
    let publish = async |events: Vec<Event>| {
        let news = context.written.tell(key, events);
        publish(&context.client, cache, &news, &context.reporter, Context::now()).await;
    };
    let uid = cache.uid();
    if context.written.is_too_early(key, uid.as_deref(), Context::now()) {
        publish(events).await;
        return Ok(Delivery::Held);
    }
    let is_undone = context.written.is_undone(key, uid.as_deref(), previous);
    if let (true, Err(HeldUntil(until))) = (is_undone, context.brake(key, |brake| brake.allow_status(Context::now()))) {
        context.written.hold(key, until);
        publish(events).await;
        publish_fights(context, key, cache, (previous, &status)).await;
        return Ok(Delivery::Held);
    }
    let moves = status.operations != previous.operations;
    let under_way = (!moves).then(|| context.written.begin(key, &cache.metadata, &status));
    let written = write_status(&context.client, cache, &status).await;
    let version = written.as_ref().ok().cloned().flatten();
    let overlay = version.map(|version| Overlay { over: cache.resource_version(), version, status, moves });
    // Also of one that failed: it may have been carried out.
    context.written.note(key, uid, overlay, Context::now());
    drop(under_way);
    written?;
    if is_undone {
        context.brake(key, |brake| brake.wrote_status(Context::now()));
    }
    publish(events).await;
    context.written.rest(key);
    Ok(Delivery::Written)
}

/// Tells who changes the status back, once.
async fn publish_fights(
    context: &Context,
    key: &GuardedRef,
    cache: &TokenCache,
    (live, wanted): (&StoredStatus, &StoredStatus),
) {
    let fields = differences(live, wanted).into_iter().map(|field| format!("status.{field}")).collect();
    let manager = managed_fields::changer_of_status(&cache.metadata).map(str::to_owned);
    let begun = context.brake(key, |brake| {
        brake.blame(&Subject::Status, Change::Fields(fields), manager);
        brake.begun(Context::now())
    });
    let told = contest::events(&begun, &key.name);
    publish_once(&context.client, cache, &told, &context.reporter, Context::now()).await;
}

/// The status with every message as long as it may be. Those that an earlier version wrote may be longer.
fn fitting(mut status: TokenCacheStatus) -> TokenCacheStatus {
    let messages = status.conditions.iter_mut().map(|condition| &mut condition.message);
    for message in messages.chain(status.operations.iter_mut().map(|operation| &mut operation.message)) {
        *message = words::cut(message, LONGEST_MESSAGE.into());
    }
    status
}

/// Writes a status. That the object is gone, or is another one of the same name by now, is fine.
///
/// Returns the version of the object that has it; `None` where there is no such object.
///
/// # Errors
/// What the API server or the way to it answered.
async fn write_status(
    client: &Client,
    cache: &TokenCache,
    status: &StoredStatus,
) -> Result<Option<String>, ReportError> {
    let regarding = reference(cache);
    let name = regarding.name.as_deref().unwrap_or_default();
    let body = json!({
        "apiVersion": regarding.api_version,
        "kind": regarding.kind,
        "metadata": {"name": name, "uid": regarding.uid},
        "status": status,
    });
    let requests = Request::new(TokenCache::url_path(&(), regarding.namespace.as_deref()));
    let patch = async |patch: Patch<&Value>, params: &PatchParams| {
        let request = requests.patch_subresource("status", name, params, &patch).map_err(kube::Error::BuildRequest)?;
        client.request::<Stored>(request).await
    };
    let params = PatchParams::apply(STATUS_FIELD_MANAGER).force();
    let applied = match patch(Patch::Apply(&body), &params).await {
        Err(kube::Error::Api(answer)) if is_of_another_schema(&answer) => {
            patch(Patch::Merge(&body), &PatchParams { force: false, ..params }).await
        }
        applied => applied,
    };
    match applied {
        Err(kube::Error::Api(answer)) if matches!(answer.code, 404 | 409) => Ok(None),
        answer => {
            answer.map(|stored| stored.metadata.resource_version).map_err(|error| ReportError::Status(Box::new(error)))
        }
    }
}

/// What is read of the answer to a write: a status is written also where the spec cannot be read.
#[derive(Deserialize)]
struct Stored {
    metadata: StoredMetadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredMetadata {
    resource_version: Option<String>,
}

/// Whether a status holds a value of another type than the schema has, as another version's schema may have had it. Then the
/// API server takes no server-side apply, whatever is applied.
fn is_of_another_schema(answer: &Status) -> bool {
    answer.code == 500
        && ["failed to create typed ", " to smd typed"].iter().any(|words| answer.message.contains(words))
}

/// Publishes events. One that does not arrive is logged: the condition says the same.
pub async fn publish(client: &Client, cache: &TokenCache, events: &[Event], reporter: &str, now: Timestamp) {
    let regarding = reference(cache);
    for event in events {
        journal::event(&regarding, event);
        if let Err(error) = event::publish(client, &regarding, event, reporter, now).await {
            tracing::warn!(why = words::of(&error), reason = event.reason, "an event was not published");
        }
    }
}

/// Publishes events about a state that lasts, each unless it is there already.
pub async fn publish_once(client: &Client, cache: &TokenCache, events: &[Event], reporter: &str, now: Timestamp) {
    let regarding = reference(cache);
    for event in events {
        journal::event(&regarding, event);
        if let Err(error) = event::publish_once(client, &regarding, event, reporter, now).await {
            tracing::warn!(why = words::of(&error), reason = event.reason, "an event was not published");
        }
    }
}

fn reference(cache: &TokenCache) -> ObjectReference {
    cache.object_ref(&())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::v1alpha1::{OperationStage, OperationStatus, OperationType},
        capability::operation,
    };

    #[test]
    fn messages_are_written_as_long_as_they_may_be() {
        let operation = operation::entry(OperationType::Flush, OperationStage::Completed, None, "it is done");
        let operation = OperationStatus { message: "ü".repeat(3000), ..operation };
        let status = fitting(TokenCacheStatus { operations: vec![operation], ..TokenCacheStatus::default() });
        assert_eq!(status.operations[0].message.chars().count(), usize::from(LONGEST_MESSAGE));
        assert_eq!(fitting(status.clone()), status);
    }
}
