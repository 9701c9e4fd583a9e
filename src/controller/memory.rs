//! The statuses that were written last: when, and what the watch does not show of them yet.
//!
//! In: what was written, and what waits. Out: whether there may be another write, when the pass comes again for it, and what
//! stands. It writes nothing, and is given the time.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;

use super::watch::GuardedRef;
use crate::{api::v1alpha1::StoredStatus, kubernetes::event::Event};

/// The least time between two writes of one object's status, whatever differs: each makes another pass come.
pub const PAUSE: Duration = Duration::from_secs(2);

/// The statuses that were written last.
pub struct Written {
    pause: SignedDuration,
    last: Mutex<HashMap<GuardedRef, Last>>,
    under_way: Mutex<HashMap<GuardedRef, u64>>,
}

/// A write of a status, until it is answered.
pub struct UnderWay<'written> {
    written: &'written Written,
    key: &'written GuardedRef,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.written.under_way().remove(self.key);
    }
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
    told: Vec<Event>,
    /// What was written, until the watch shows it.
    overlay: Option<Overlay>,
    /// Tells what was written from what stands there now; `None` where it did not arrive.
    said: Option<u64>,
    /// Until when another one has to wait, since others undo each.
    braked: Option<Timestamp>,
}

/// A status that was written.
pub struct Overlay {
    /// The version of the object that the watch had then.
    pub over: Option<String>,
    /// The version that the write made of it.
    pub version: String,
    /// What it says.
    pub status: StoredStatus,
    /// Whether it tells of a request what was not told before, on which the next step may wait.
    pub moves: bool,
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
        Self {
            pause: SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX),
            last: Mutex::default(),
            under_way: Mutex::default(),
        }
    }

    /// Takes note that this object is about to get this status: the watch may show it before the write is answered.
    #[must_use]
    pub fn begin<'written>(
        &'written self,
        key: &'written GuardedRef,
        object: &ObjectMeta,
        status: &StoredStatus,
    ) -> UnderWay<'written> {
        self.under_way().insert(key.clone(), digest(&(identity(object), status)));
        UnderWay { written: self, key }
    }

    /// Takes note of a write.
    pub fn note(&self, key: &GuardedRef, uid: Option<String>, overlay: Option<Overlay>, now: Timestamp) {
        let mut written = self.lock();
        let told = written.remove(key).filter(|last| last.uid == uid).map(|last| last.told).unwrap_or_default();
        let said = overlay.as_ref().map(|overlay| digest(&overlay.status));
        written.insert(key.clone(), Last { uid, at: now, holds: false, told, overlay, said, braked: None });
    }

    /// Takes note of what is published of a report that waits. Returns what was not before.
    pub fn tell(&self, key: &GuardedRef, events: Vec<Event>) -> Vec<Event> {
        let mut written = self.lock();
        let Some(last) = written.get_mut(key) else { return events };
        let news: Vec<Event> = events.into_iter().filter(|event| !last.told.contains(event)).collect();
        last.told.extend_from_slice(&news);
        news
    }

    /// Takes note that nothing waits any more.
    pub fn rest(&self, key: &GuardedRef) {
        if let Some(last) = self.lock().get_mut(key) {
            last.told = Vec::new();
        }
    }

    /// The status that was written last, while the watch has an earlier version of the object.
    pub fn unseen(&self, key: &GuardedRef, watched: Option<&str>) -> Option<StoredStatus> {
        let mut written = self.lock();
        let last = written.get_mut(key)?;
        last.overlay = last.overlay.take().filter(|overlay| !overlay.is_shown_by(watched));
        last.overlay.as_ref().map(|overlay| overlay.status.clone())
    }

    /// Whether an object of the watch is as the last write has made it, or as the one makes it that is under way, and no step waits
    /// for that.
    pub fn is_echo(&self, key: &GuardedRef, object: &ObjectMeta, status: Option<&StoredStatus>) -> bool {
        let under_way = self.under_way().get(key).copied();
        if under_way
            .is_some_and(|expected| status.is_some_and(|status| expected == digest(&(identity(object), status))))
        {
            return true;
        }
        let overlay = self.lock();
        let overlay = overlay.get(key).and_then(|last| last.overlay.as_ref());
        overlay.is_some_and(|overlay| !overlay.moves && object.resource_version.as_ref() == Some(&overlay.version))
    }

    /// Whether others have changed the status since it was written last, of which this stands now.
    pub fn is_undone(&self, key: &GuardedRef, uid: Option<&str>, status: &StoredStatus) -> bool {
        let written = self.lock();
        let last = written.get(key).filter(|last| last.uid.as_deref() == uid && last.overlay.is_none());
        last.and_then(|last| last.said).is_some_and(|said| said != digest(status))
    }

    /// Takes note that the next write has to wait until then.
    pub fn hold(&self, key: &GuardedRef, until: Timestamp) {
        if let Some(last) = self.lock().get_mut(key) {
            last.braked = Some(until);
        }
    }

    /// Whether it is too early for another write; if so, one waits from now on.
    pub fn is_too_early(&self, key: &GuardedRef, uid: Option<&str>, now: Timestamp) -> bool {
        let mut written = self.lock();
        let last = written.get_mut(key).filter(|last| last.uid.as_deref() == uid);
        let last = last.filter(|last| last.waits(self.pause, now).is_some());
        last.is_some_and(|last| {
            last.holds = true;
            true
        })
    }

    /// When the pass that ends now comes again: after this, or as soon as the status may be written that it held.
    pub fn sooner(&self, key: &GuardedRef, wake: Duration, now: Timestamp) -> Duration {
        let mut written = self.lock();
        let Some(last) = written.get_mut(key) else { return wake };
        let until = |time: Timestamp| Duration::try_from(time.duration_since(now)).unwrap_or_default();
        let wake = last.braked.take().map_or(wake, |braked| until(braked).min(wake));
        if std::mem::take(&mut last.holds) { last.waits(self.pause, now).unwrap_or_default().min(wake) } else { wake }
    }

    /// Forgets a cache that is gone.
    pub fn forget(&self, key: &GuardedRef) {
        self.lock().remove(key);
    }

    fn under_way(&self) -> MutexGuard<'_, HashMap<GuardedRef, u64>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<GuardedRef, Last>> {
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

/// What of an object's metadata anybody may have changed: all but what every write changes.
fn identity(object: &ObjectMeta) -> ObjectMeta {
    ObjectMeta { resource_version: None, managed_fields: None, ..object.clone() }
}

/// Tells one value from another.
fn digest(value: &impl Serialize) -> u64 {
    let mut hasher = DefaultHasher::new();
    serde_json::to_vec(value).unwrap_or_default().hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{api::v1alpha1::TokenCacheStatus, kubernetes::event::EventType};

    const UID: Option<&str> = Some("uid-of-shop");

    fn key() -> GuardedRef {
        GuardedRef::new("shop").within("web")
    }

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(1_000_000 + milliseconds).unwrap()
    }

    /// A status was written at 0, over one version of the object, and made another one of it.
    fn written(over: &str, version: &str) -> Written {
        let written = Written::new(PAUSE);
        let status = StoredStatus::default();
        let overlay = Overlay { over: Some(over.to_owned()), version: version.to_owned(), status, moves: false };
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
        let event = |reason| Event { event_type: EventType::Normal, reason, note: "it was put right".to_owned() };
        let (one, other) = (event("One"), event("Other"));
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
    fn what_is_written_now_is_known_before_the_answer_and_nothing_else_is() {
        let written = Written::new(PAUSE);
        let object = |version: &str, labels: &[&str]| ObjectMeta {
            resource_version: Some(version.to_owned()),
            labels: Some(labels.iter().map(|label| ((*label).to_owned(), String::new())).collect()),
            ..ObjectMeta::default()
        };
        let status = StoredStatus::default();
        let other = status.followed_by(TokenCacheStatus { observed_generation: 1, ..TokenCacheStatus::default() });
        let is_echo = |object: &ObjectMeta, status| written.is_echo(&key(), object, Some(status));
        let (key, before) = (key(), object("1", &["a"]));
        let under_way = written.begin(&key, &before, &status);
        assert!(is_echo(&object("2", &["a"]), &status));
        assert!(!is_echo(&object("2", &["a"]), &other), "somebody has changed the status");
        assert!(!is_echo(&object("2", &["b"]), &status), "somebody has changed the object");
        drop(under_way);
        assert!(!is_echo(&object("2", &["a"]), &status), "it is answered, or was given up");
    }

    #[test]
    fn what_came_after_a_write_shows_it_too_and_versions_are_compared_as_numbers() {
        assert!(written("9", "10").unseen(&key(), Some("9")).is_some());
        assert!(written("9", "10").unseen(&key(), Some("11")).is_none());
        assert!(written("a", "b").unseen(&key(), Some("a")).is_some());
        assert!(written("a", "b").unseen(&key(), Some("c")).is_none());
    }
}
