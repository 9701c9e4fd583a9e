//! Publishes what a pass has to say: the status, and events about what is news in it.
//!
//! In: a report, and the status that stands. Out: at most one write of the status, and the events. It does not decide what
//! they say.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Api, Client, ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::json;

use super::{Context, Guarded, Key, report::Report};
use crate::{
    api::v1alpha1::{LONGEST_MESSAGE, TokenCache, TokenCacheStatus},
    kubernetes::{
        event::{self, Happening},
        identity::STATUS_FIELD_MANAGER,
        words,
    },
};

/// Why a report did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The status was not written.
    #[error("write the status: {}", words::of(.0))]
    Status(#[source] Box<kube::Error>),
}

/// The least time between two writes of one object's status, whatever differs: each makes another pass come.
pub const PAUSE: Duration = Duration::from_secs(2);

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// The status says all of it already, or nothing is to be said.
    Unchanged,
    /// It was written.
    Written,
    /// The status was written a moment ago. Only the events of this one are published, and the pass has to come again for the
    /// rest: see [`Written::sooner`].
    Held,
}

/// The statuses that were written last.
pub struct Written {
    pause: SignedDuration,
    last: Mutex<HashMap<Key, Last>>,
}

/// The last write of an object's status.
struct Last {
    /// Of which object of this name.
    uid: Option<String>,
    /// When it was made.
    at: Timestamp,
    /// Whether another one waits for its time.
    holds: bool,
    /// What was published of those that waited: what they tell may be over when there is time for a write.
    told: Vec<Happening>,
    /// What was written, until the watch shows it.
    overlay: Option<Overlay>,
}

/// A status that was written.
struct Overlay {
    /// The version of the object that the watch had then.
    over: Option<String>,
    /// The version that the write made of it.
    version: String,
    status: TokenCacheStatus,
}

impl Overlay {
    /// Whether the watch, which has this version of the object, shows what was written, or what came after it. An annotation
    /// may have come between the version that a pass has seen and the one that it wrote. Versions of one object are whole
    /// numbers that grow, as the API server guarantees from 1.35 on and has always kept it; should one be none, what was
    /// written stands until anything changes.
    fn is_shown_by(&self, watched: Option<&str>) -> bool {
        let number = |version: &str| version.parse::<u64>().ok();
        match (watched.and_then(number), number(&self.version)) {
            (Some(watched), Some(written)) => watched >= written,
            _ => watched != self.over.as_deref(),
        }
    }
}

impl Written {
    /// Nothing was written yet. Between two writes of one status is to be this time, which is [`PAUSE`] but in tests.
    #[must_use]
    pub fn new(pause: Duration) -> Self {
        Self { pause: SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX), last: Mutex::default() }
    }

    /// Takes note of a write.
    fn note(&self, key: &Key, uid: Option<String>, overlay: Option<Overlay>, now: Timestamp) {
        let mut written = self.lock();
        let told = written.remove(key).filter(|last| last.uid == uid).map(|last| last.told).unwrap_or_default();
        written.insert(key.clone(), Last { uid, at: now, holds: false, told, overlay });
    }

    /// Takes note of what is published of a report that waits. Returns what was not before.
    fn tell(&self, key: &Key, happenings: Vec<Happening>) -> Vec<Happening> {
        let mut written = self.lock();
        let Some(last) = written.get_mut(key) else { return happenings };
        let news: Vec<Happening> = happenings.into_iter().filter(|happening| !last.told.contains(happening)).collect();
        last.told.extend_from_slice(&news);
        news
    }

    /// Takes note that nothing waits any more.
    fn rest(&self, key: &Key) {
        if let Some(last) = self.lock().get_mut(key) {
            last.told = Vec::new();
        }
    }

    /// The status that was written last, while the watch has an earlier version of the object.
    fn unseen(&self, key: &Key, watched: Option<&str>) -> Option<TokenCacheStatus> {
        let mut written = self.lock();
        let last = written.get_mut(key)?;
        last.overlay = last.overlay.take().filter(|overlay| !overlay.is_shown_by(watched));
        last.overlay.as_ref().map(|overlay| overlay.status.clone())
    }

    /// Whether it is too early for another write; if so, one waits from now on.
    fn is_too_early(&self, key: &Key, uid: Option<&str>, now: Timestamp) -> bool {
        let mut written = self.lock();
        let last = written.get_mut(key).filter(|last| last.uid.as_deref() == uid);
        let last = last.filter(|last| last.waits(self.pause, now).is_some());
        last.is_some_and(|last| {
            last.holds = true;
            true
        })
    }

    /// When the pass that ends now comes again: after this, or as soon as the status may be written that it held.
    pub fn sooner(&self, key: &Key, wake: Duration, now: Timestamp) -> Duration {
        let mut written = self.lock();
        let Some(last) = written.get_mut(key) else { return wake };
        if std::mem::take(&mut last.holds) { last.waits(self.pause, now).unwrap_or_default().min(wake) } else { wake }
    }

    /// Forgets a cache that is gone.
    pub fn forget(&self, key: &Key) {
        self.lock().remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Last>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Last {
    /// How long the next write has to wait. By a clock that was set back it need not.
    fn waits(&self, pause: SignedDuration, now: Timestamp) -> Option<Duration> {
        let since = now.duration_since(self.at);
        let is_early = !since.is_negative() && since < pause;
        Duration::try_from(pause - since).ok().filter(|_| is_early)
    }
}

/// The status that stands: the watch's, or the one that was written a moment ago and has not come back yet.
#[must_use]
pub fn previous(context: &Context, key: &Key, cache: &TokenCache) -> TokenCacheStatus {
    let watched = cache.metadata.resource_version.as_deref();
    context.written.unseen(key, watched).or_else(|| cache.status.clone()).unwrap_or_default()
}

/// Writes a report, if there is one, and it says anything new, and the last one was long enough ago.
///
/// # Errors
/// What the API server or the way to it answered.
pub async fn deliver(
    context: &Context,
    key: &Key,
    cache: &TokenCache,
    previous: &TokenCacheStatus,
    report: Option<Report>,
) -> Result<Delivery, ReportError> {
    let Some(Report { status, happenings }) = report else { return Ok(Delivery::Unchanged) };
    let status = fitting(status);
    if status == *previous {
        context.written.rest(key);
        return Ok(Delivery::Unchanged);
    }
    let publish = async |happenings: Vec<Happening>| {
        let news = context.written.tell(key, happenings);
        publish(&context.client, cache, &news, &context.reporter, Context::now()).await;
    };
    let uid = cache.uid();
    if context.written.is_too_early(key, uid.as_deref(), Context::now()) {
        publish(happenings).await;
        return Ok(Delivery::Held);
    }
    let written = write_status(&context.client, cache, &status).await;
    let version = written.as_ref().ok().cloned().flatten();
    let overlay = version.map(|version| Overlay { over: cache.resource_version(), version, status });
    // Also of one that failed: it may have been carried out.
    context.written.note(key, uid, overlay, Context::now());
    written?;
    publish(happenings).await;
    context.written.rest(key);
    Ok(Delivery::Written)
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
    status: &TokenCacheStatus,
) -> Result<Option<String>, ReportError> {
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
        Err(kube::Error::Api(answer)) if matches!(answer.code, 404 | 409) => Ok(None),
        answer => {
            answer.map(|written| written.resource_version()).map_err(|error| ReportError::Status(Box::new(error)))
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::v1alpha1::{OperationStage, OperationType},
        kubernetes::event::EventType,
        request,
    };

    const UID: Option<&str> = Some("uid-of-shop");

    fn key() -> Key {
        Key::new("shop").within("web")
    }

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(1_000_000 + milliseconds).unwrap()
    }

    /// A status was written at 0, over one version of the object, and made another one of it.
    fn written(over: &str, version: &str) -> Written {
        let written = Written::new(PAUSE);
        let status = TokenCacheStatus { warnings: 7, ..TokenCacheStatus::default() };
        let overlay = Overlay { over: Some(over.to_owned()), version: version.to_owned(), status };
        written.note(&key(), UID.map(str::to_owned), Some(overlay), at(0));
        written
    }

    #[test]
    fn the_first_write_is_made_at_once_and_the_next_one_after_a_while() {
        assert!(!Written::new(PAUSE).is_too_early(&key(), UID, at(0)));
        let written = written("1", "2");
        assert!(written.is_too_early(&key(), UID, at(0)) && written.is_too_early(&key(), UID, at(1999)));
        assert!(!written.is_too_early(&key(), UID, at(2000)));
        assert!(!written.is_too_early(&key(), Some("another object of that name"), at(1)));
        assert!(!written.is_too_early(&key(), UID, at(-1)), "the clock was set back");
    }

    #[test]
    fn a_pass_whose_status_waits_comes_again_for_it_and_no_other_does() {
        let (written, minute) = (written("1", "2"), Duration::from_mins(1));
        assert_eq!(written.sooner(&key(), minute, at(500)), minute, "nothing waits");
        assert!(written.is_too_early(&key(), UID, at(500)));
        assert_eq!(written.sooner(&key(), minute, at(600)), Duration::from_millis(1400));
        assert_eq!(written.sooner(&key(), minute, at(700)), minute, "the next pass holds none");
        assert!(written.is_too_early(&key(), UID, at(1900)));
        assert_eq!(written.sooner(&key(), minute, at(2100)), Duration::ZERO);
        assert!(written.is_too_early(&key(), UID, at(1900)));
        assert_eq!(written.sooner(&key(), Duration::from_millis(10), at(1900)), Duration::from_millis(10));
    }

    #[test]
    fn what_waits_is_told_at_once_and_not_again_when_it_is_written() {
        let happening =
            |reason| Happening { event_type: EventType::Normal, reason, note: "it was put right".to_owned() };
        let (one, other) = (happening("One"), happening("Other"));
        let written = written("1", "2");
        assert_eq!(written.tell(&key(), vec![one.clone()]), std::slice::from_ref(&one));
        written.note(&key(), UID.map(str::to_owned), None, at(2000));
        assert_eq!(written.tell(&key(), vec![one.clone(), other.clone()]), [other]);
        written.rest(&key());
        assert_eq!(written.tell(&key(), vec![one.clone()]), [one], "it happens again");
    }

    #[test]
    fn what_was_written_stands_until_the_watch_shows_it() {
        let unseen = |written: &Written, watched: &str| written.unseen(&key(), Some(watched)).is_some();
        let written = written("100", "102");
        assert!(unseen(&written, "100"));
        assert!(unseen(&written, "101"), "an annotation came before the write");
        assert!(!unseen(&written, "102"));
        assert!(!unseen(&written, "100"), "what was seen once is not forgotten");
    }

    #[test]
    fn what_came_after_a_write_shows_it_too_and_versions_are_compared_as_numbers() {
        assert!(written("9", "10").unseen(&key(), Some("9")).is_some());
        assert!(written("9", "10").unseen(&key(), Some("11")).is_none());
        assert!(written("a", "b").unseen(&key(), Some("a")).is_some());
        assert!(written("a", "b").unseen(&key(), Some("c")).is_none());
    }

    #[test]
    fn messages_are_written_as_long_as_they_may_be() {
        let operation = request::entry(OperationType::Flush, OperationStage::Completed, None, "ü".repeat(3000));
        let status = fitting(TokenCacheStatus { operations: vec![operation], ..TokenCacheStatus::default() });
        assert_eq!(status.operations[0].message.chars().count(), usize::from(LONGEST_MESSAGE));
        assert_eq!(fitting(status.clone()), status);
    }
}
