//! Somebody changes what the operator makes back as soon as it has put it right, and does so without end.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams};
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::scene::{SHOP, World, condition, operated};
use crate::support::api_server::api_server;
use crate::support::audit::Mark;
use crate::support::eventually::{eventually, never};
use crate::support::operator::USER_AGENT;
use crate::survival::world::{PARTS, POLICY, RING};

/// Who fights, as a field manager.
const VANDAL: &str = "vandal";
/// How many writes of one object there may be in the first third of a minute: what is put right at once, and after 5 and 10
/// seconds more, that is 8; twice as many where the object has to be found first, since it lacks the label that shows it.
const MOST: usize = 16;
const WHILE: Duration = Duration::from_secs(20);

/// What is done to an object.
#[derive(Clone)]
enum Harm {
    Patch(Value),
    Status(Value),
    Delete,
}

impl Harm {
    /// Whether an object has not been harmed yet.
    fn is_to_come(&self, object: &DynamicObject) -> bool {
        match self {
            Self::Delete => object.metadata.deletion_timestamp.is_none(),
            Self::Patch(patch) | Self::Status(patch) => {
                let mut harmed = serde_json::to_value(object).unwrap();
                let before = harmed.clone();
                merge(&mut harmed, patch);
                harmed != before
            }
        }
    }
}

/// A merge patch.
fn merge(value: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else { return *value = patch.clone() };
    if !value.is_object() {
        *value = json!({});
    }
    let members = value.as_object_mut().unwrap();
    for (key, patch) in patch {
        if patch.is_null() {
            members.remove(key);
        } else {
            merge(members.entry(key).or_insert(Value::Null), patch);
        }
    }
}

impl World {
    /// Does this to an object whenever it is otherwise, until the tasks go.
    fn harm(&self, tasks: &mut JoinSet<()>, (kind, name): (&'static str, &str), harm: Harm) {
        let (api, name) = (self.api(kind), name.to_owned());
        let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
        let events = watcher(api.clone(), config).default_backoff().touched_objects();
        tasks.spawn(async move {
            let mut events = events.boxed();
            while let Some(event) = events.next().await {
                if event.is_ok_and(|object| harm.is_to_come(&object)) {
                    // It may be another one by now: then there is another event.
                    let params = PatchParams { field_manager: Some(VANDAL.to_owned()), ..PatchParams::default() };
                    let _ = match &harm {
                        Harm::Patch(patch) => api.patch(&name, &params, &Patch::Merge(patch)).await.map(drop),
                        Harm::Status(patch) => api.patch_status(&name, &params, &Patch::Merge(patch)).await.map(drop),
                        Harm::Delete => api.delete(&name, &DeleteParams::background()).await.map(drop),
                    };
                }
            }
        });
    }

    /// How often the operator has written each object since then.
    fn written(&self, mark: Mark) -> BTreeMap<(String, String), usize> {
        let mut written = BTreeMap::new();
        for write in api_server().audit_log().writes_since(mark, &self.namespace, USER_AGENT) {
            let object = write.object_ref;
            if object.subresource.is_empty() && object.resource != "events" {
                *written.entry((object.resource, object.name)).or_default() += 1;
            }
        }
        written
    }

    /// Watches for a while that no object is written without end.
    async fn written_within_bounds(&self, mark: Mark) {
        never(WHILE, "no object is written without end", async || {
            let written = self.written(mark);
            written.values().any(|times| *times > MOST).then(|| format!("{written:?}"))
        })
        .await;
    }

    /// An edit of the spec is followed at once, with all that was held back.
    async fn is_calm_after_an_edit(&self) {
        self.edit("TokenCache", SHOP, json!({"spec": {"redis": {"maxMemory": "200Mi"}}})).await;
        self.ready(SHOP).await;
        self.setting(SHOP, "maxmemory", &(200 << 20).to_string()).await;
    }

    /// The notes of the events about fights.
    async fn told(&self) -> Vec<String> {
        let events = self.events(SHOP).await;
        let fights = events.into_iter().filter(|event| event.reason.as_deref() == Some("Contested"));
        fights.filter_map(|event| event.note).collect()
    }

    /// Waits until a fight over each of these was told, and returns the notes.
    async fn all_told(&self, objects: &[(&str, &str)]) -> Vec<String> {
        eventually("each fight is told", async || {
            let told = self.told().await;
            let is_told = |(kind, name): &&(&str, &str)| told.iter().any(|note| is_of(note, kind, name));
            let untold: Vec<_> = objects.iter().filter(|object| !is_told(object)).collect();
            if untold.is_empty() { Ok(told) } else { Err(format!("{untold:?} {:?}", self.written(Mark::default()))) }
        })
        .await
    }
}

/// Whether an event is about a fight over this object.
fn is_of(note: &str, kind: &str, name: &str) -> bool {
    let [ends, goes_on] = [". ", ", "].map(|after| format!(" {kind} {name}{after}"));
    note.contains("keeps ") && (note.contains(&ends) || note.contains(&goes_on))
}

fn objects() -> Vec<(&'static str, &'static str)> {
    PARTS.into_iter().chain([RING, POLICY]).collect()
}

/// What is done to an object of each kind, and how the field is told.
fn harm(kind: &str, name: &str) -> (Value, &'static str) {
    let label = |value: Value| json!({"metadata": {"labels": {"tokencache.dev/component": value}}});
    match (kind, name) {
        ("ServiceAccount", _) => (
            json!({"metadata": {"annotations": {"tokencache.dev/applied": "mine"}}}),
            "metadata.annotations[tokencache.dev/applied]",
        ),
        ("Service", "shop-redis") => (json!({"spec": {"selector": {"mine": "too"}}}), "spec.selector"),
        ("Service", _) => (json!({"metadata": {"ownerReferences": null}}), "metadata.ownerReferences"),
        ("ConfigMap", "shop-redis-config") => {
            let unseen = json!({"metadata": {"labels": {"tokencache.dev/cache": null}}});
            (unseen, "its label tokencache.dev/cache. ")
        }
        ("ConfigMap", "shop-settings") => {
            (json!({"data": {"Redis__InstanceName": "mine:"}}), "data[Redis__InstanceName]")
        }
        ("Secret", "shop-redis") => (json!({"data": {"host": "bWluZQ=="}}), "data.host"),
        ("Secret", "shop-redis-users") => (json!({"data": {"users.acl": "bWluZQ=="}}), "data[users.acl]"),
        ("Secret", "shop-redis-ca") => (label(Value::Null), "metadata.labels[tokencache.dev/component]"),
        ("Secret", "shop-keys") => (json!({"data": {"mine.xml": "bWluZQ=="}}), "data[mine.xml]"),
        ("NetworkPolicy", _) => (json!({"spec": {"ingress": [{}]}}), "spec.ingress"),
        _ => (label("mine".into()), "metadata.labels[tokencache.dev/component]"),
    }
}

#[tokio::test]
async fn whoever_changes_an_object_back_at_once_is_named_and_makes_no_loop_whichever_the_kind() {
    let (world, _operator) = operated("fights").await;
    world.create(SHOP, json!({})).await;
    world.ready(SHOP).await;
    let (mark, mut vandals) = (api_server().audit_log().mark(), JoinSet::new());
    let names = world.names().await;
    let key = names.iter().find_map(|name| name.strip_prefix("Secret ").filter(|name| name.starts_with("shop-key-")));
    let objects: Vec<(&str, &str)> = objects().into_iter().chain([("Secret", key.unwrap())]).collect();
    for (kind, name) in objects.iter().copied() {
        world.harm(&mut vandals, (kind, name), Harm::Patch(harm(kind, name).0));
    }
    world.written_within_bounds(mark).await;
    let told = world.all_told(&objects).await;
    assert_eq!(told.len(), objects.len(), "{told:#?}");
    for (kind, name) in objects {
        let (patch, field) = harm(kind, name);
        let note = told.iter().find(|note| is_of(note, kind, name)).unwrap();
        assert!(note.contains(field), "{field}: {note}");
        let is_removal = patch.to_string().contains("null");
        assert!(note.contains("field manager vandal") != is_removal, "{note}");
    }
    let status =
        world.status(SHOP, "the fights are told", |seen| condition(seen, "Ready")["reason"] == "Contested").await;
    assert!(condition(&status, "KeyRingReady")["message"].as_str().unwrap().contains(" of Secret shop-keys. "));
    vandals.shutdown().await;
    world.is_calm_after_an_edit().await;
}

#[tokio::test]
async fn whoever_changes_the_status_back_at_once_is_named_and_makes_no_loop() {
    let (world, _operator) = operated("statuses").await;
    world.create(SHOP, json!({})).await;
    world.ready(SHOP).await;
    let (mark, mut vandals) = (api_server().audit_log().mark(), JoinSet::new());
    world.harm(&mut vandals, ("TokenCache", SHOP), Harm::Status(json!({"status": {"warnings": 77}})));
    let statuses = || {
        let writes = api_server().audit_log().writes_since(mark, &world.namespace, USER_AGENT);
        writes.iter().filter(|write| write.what() == "tokencaches/status").count()
    };
    never(WHILE, "the status is not written without end", async || {
        let written = statuses();
        (written > MOST).then(|| written.to_string())
    })
    .await;
    let note = world.event(SHOP, "Contested").await;
    let wanted = "the field manager vandal keeps changing status.warnings of TokenCache shop. ";
    assert!(note.starts_with(wanted), "{note}");
    assert_eq!(world.told().await.len(), 1);
    vandals.shutdown().await;
    world.is_calm_after_an_edit().await;
}

/// Secrets whose content is drawn: without them nothing that needs them is made.
const DRAWN: [(&str, &str); 4] = [
    ("Secret", "shop-redis-operator"),
    ("Secret", "shop-redis"),
    ("Secret", "shop-redis-ca"),
    ("Secret", "shop-redis-tls"),
];

/// Deletes these without end, and waits until that is told of some.
async fn delete(prefix: &str, objects: &[(&'static str, &'static str)], told: &[(&str, &str)]) {
    let (world, _operator) = operated(prefix).await;
    world.create(SHOP, json!({})).await;
    world.ready(SHOP).await;
    let (mark, mut vandals) = (api_server().audit_log().mark(), JoinSet::new());
    for object in objects {
        world.harm(&mut vandals, *object, Harm::Delete);
    }
    world.written_within_bounds(mark).await;
    let told = world.all_told(told).await;
    assert!(told.iter().all(|note| note.starts_with("somebody keeps deleting ")), "{told:#?}");
    vandals.shutdown().await;
    world.is_calm_after_an_edit().await;
}

#[tokio::test]
async fn whoever_deletes_an_object_at_once_makes_no_loop_whichever_the_kind() {
    let mut objects = objects();
    objects.retain(|object| !DRAWN.contains(object));
    delete("deletions", &objects, &objects).await;
}

#[tokio::test]
async fn whoever_deletes_passwords_and_certificates_at_once_makes_no_loop_of_new_ones() {
    delete("drawn", &DRAWN, &[DRAWN[0], DRAWN[2]]).await;
}
