//! Events (`events.k8s.io/v1`) of an object: one for each reason and note, counted when it repeats.
//!
//! In: what happened to which object. Out: an Event. A note that changed is a new Event, which is why this is not left
//! to a recorder that keys by reason alone.

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use k8s_openapi::{
    api::{core::v1::ObjectReference, events::v1},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;

/// The longest note that the API server takes, in bytes.
const NOTE_LIMIT: usize = 1024;

/// Whether an event is good news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventType {
    /// As it should be.
    Normal,
    /// Somebody should look.
    Warning,
}

impl EventType {
    fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// Something that happened to an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Whether it is good news.
    pub event_type: EventType,
    /// One word in camel case.
    pub reason: &'static str,
    /// What was seen and what to do. Never a secret.
    pub note: String,
}

/// Publishes an Event about a state that lasts: where there is such an Event already, it is told.
///
/// # Errors
/// What the API server or the way to it answered.
pub async fn publish_once(
    client: &Client,
    regarding: &ObjectReference,
    event: &Event,
    reporter: &str,
    now: Timestamp,
) -> Result<(), kube::Error> {
    let event = object(regarding, event, reporter, now);
    match of(client, regarding).create(&PostParams::default(), &event).await {
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
        answer => answer.map(drop),
    }
}

fn of(client: &Client, regarding: &ObjectReference) -> Api<v1::Event> {
    Api::namespaced(client.clone(), regarding.namespace.as_deref().unwrap_or("default"))
}

/// Publishes an Event: a new Event, or one more occurrence of the same.
///
/// # Errors
/// What the API server or the way to it answered.
pub async fn publish(
    client: &Client,
    regarding: &ObjectReference,
    event: &Event,
    reporter: &str,
    now: Timestamp,
) -> Result<(), kube::Error> {
    let event = object(regarding, event, reporter, now);
    let name = event.metadata.name.clone().unwrap_or_default();
    let api = of(client, regarding);
    match api.create(&PostParams::default(), &event).await {
        Err(kube::Error::Api(status)) if status.is_already_exists() => {
            let seen = api.get(&name).await?.series.map_or(1, |series| series.count);
            let series = v1::EventSeries { count: seen.saturating_add(1), last_observed_time: MicroTime(now) };
            api.patch(&name, &PatchParams::default(), &Patch::Merge(json!({ "series": series }))).await.map(drop)
        }
        answer => answer.map(drop),
    }
}

fn object(regarding: &ObjectReference, event: &Event, reporter: &str, now: Timestamp) -> v1::Event {
    let object = regarding.name.as_deref().unwrap_or_default();
    let identity = format!(
        "{} {} {} {}",
        regarding.uid.as_deref().unwrap_or_default(),
        event.event_type.as_str(),
        event.reason,
        event.note
    );
    let fingerprint = hex::encode(&digest(&SHA256, identity.as_bytes()).as_ref()[..8]);
    v1::Event {
        metadata: ObjectMeta {
            name: Some(format!("{object}.{fingerprint}")),
            namespace: regarding.namespace.clone(),
            ..ObjectMeta::default()
        },
        event_time: Some(MicroTime(now)),
        type_: Some(event.event_type.as_str().to_owned()),
        reason: Some(event.reason.to_owned()),
        note: Some(cut(&event.note, NOTE_LIMIT).to_owned()),
        action: Some("Reconcile".to_owned()),
        regarding: Some(regarding.clone()),
        reporting_controller: Some("tokencache.dev/operator".to_owned()),
        reporting_instance: Some(cut(reporter, 128).to_owned()),
        ..v1::Event::default()
    }
}

/// The longest beginning of at most `limit` bytes that ends between two characters.
fn cut(text: &str, limit: usize) -> &str {
    let end = (0..=limit.min(text.len())).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(note: &str) -> String {
        let regarding = ObjectReference { name: Some("shop".to_owned()), ..ObjectReference::default() };
        let event = Event { event_type: EventType::Warning, reason: "Frozen", note: note.to_owned() };
        object(&regarding, &event, "pod", Timestamp::UNIX_EPOCH).metadata.name.unwrap()
    }

    #[test]
    fn a_note_that_changed_is_another_event() {
        assert_eq!(named("a"), named("a"));
        assert_ne!(named("a"), named("b"));
    }

    #[test]
    fn a_long_note_is_cut_between_characters() {
        assert_eq!(cut("aä", 2), "a");
        assert_eq!(cut("aä", 3), "aä");
        assert_eq!(cut(&"x".repeat(2000), NOTE_LIMIT).len(), NOTE_LIMIT);
    }
}
