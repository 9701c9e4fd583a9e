//! One password of the applications follows another: pass by pass, on values, with hands in everything.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use serde_json::json;
use tokencache_operator::{
    api::v1alpha1::{OperationStage as Stage, OperationStatus},
    kubernetes::{identity::Found, read::process::Processes},
    redis::{
        access::{
            acl::{APP, Passwords, password_hashes},
            password::{Password, PasswordHash},
        },
        credentials::{
            binding,
            rotation::record::{PUBLISHED_ANNOTATION, REQUESTED_ANNOTATION},
        },
        desired::want,
        look::{
            Sample,
            answer::Answer,
            drift::{Correction, Drift, Parameter},
            fault::Fault,
        },
        server::pods::server_in,
    },
};

use super::passwords::with;
use super::pods::{marked, running};
use super::seen::{Seen, well};
use super::world::{START, World, shop};
use crate::support::told::{assert_short, lines};

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const MINUTE: SignedDuration = SignedDuration::from_mins(1);
const ANNOTATION: &str = "tokencache.dev/rotate-password-requested";

/// A settled cache with a server that takes what the operator sets, and has what it was told last.
#[derive(Clone)]
pub struct Shop {
    pub world: World,
    /// The hashes that the server takes for the user app.
    live: Vec<PasswordHash>,
    pub answers: bool,
}

impl Shop {
    pub fn settled() -> Self {
        Self::with_spec("{}")
    }

    pub fn with_spec(spec: &str) -> Self {
        let mut world = World::settled(shop(spec));
        world.cache.metadata.creation_timestamp = Some(Time(START - HOUR * 48));
        world.observed.pods = vec![marked(&running(true), "unknown")];
        world.observed.processes = Processes::Known(Vec::new());
        let mut shop = Self { world, live: Vec::new(), answers: true };
        shop.look();
        shop
    }

    /// Somebody asks for a rotation, now, or as they please.
    pub fn ask(&mut self, value: &str) {
        let annotations = self.world.cache.metadata.annotations.get_or_insert_default();
        annotations.insert(ANNOTATION.to_owned(), value.to_owned());
    }

    pub fn asked() -> Self {
        let mut shop = Self::settled();
        shop.ask(&shop.world.now.to_string());
        shop
    }

    /// A rotation that is under way, with nothing published.
    fn adding() -> Self {
        let mut shop = Self::asked();
        shop.passes();
        assert_eq!(shop.stage(), Some(Stage::Adding));
        shop
    }

    /// A rotation of which the new password has just been published.
    pub fn published() -> Self {
        let mut shop = Self::adding();
        shop.later(MINUTE * 3);
        assert_eq!(shop.stage(), Some(Stage::Published));
        shop
    }

    pub fn later(&mut self, by: SignedDuration) -> Vec<String> {
        self.world.now += by;
        self.look();
        self.passes()
    }

    /// The server is looked at: it takes what is wanted of it.
    pub fn look(&mut self) {
        let (settings, credentials) = (self.world.settings(), self.world.credentials());
        let want = want(&settings, &self.world.observed, &credentials);
        let app = want.users.iter().find(|user| user.name == APP).map(|user| user.passwords.clone());
        let server = server_in(&settings, &self.world.observed.pods[0]).unwrap();
        let outcome = if self.answers { Ok(well()) } else { Err(Fault::Frozen) };
        if let (Some(Passwords::These(hashes)), true) = (app, self.answers) {
            self.live = hashes;
        }
        self.world.observed.samples = vec![Sample { server, taken: self.world.now, want, outcome }];
    }

    /// One pass of the controller, and the look after it.
    fn pass(&mut self) -> Vec<String> {
        let rotation = self.world.credentials().rotation;
        let held = self.world.settings().rotation.held;
        let mut written = if held { Vec::new() } else { self.world.pass() };
        if let Some(spent) = rotation.spent {
            assert_eq!(self.world.observed.rotation.owned().unwrap().metadata, spent);
            self.world.observed.rotation = Found::Absent;
            written.push("retire Secret shop-redis-rotation".to_owned());
        }
        self.world.observed.operations = rotation.operation.into_iter().collect();
        for entry in &self.world.observed.operations {
            assert_short(&entry.message, &entry.remedies);
            assert!(!entry.message.contains('…'), "{}", entry.message);
        }
        if !held {
            self.look();
        }
        written
    }

    /// Passes until nothing changes. In a world that stands still, that is soon.
    pub fn passes(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        for _ in 0..12 {
            let said = self.world.observed.operations.clone();
            let written = self.pass();
            if written.is_empty() && said == self.world.observed.operations {
                return all;
            }
            all.extend(written);
        }
        panic!("it never ends: {all:?}");
    }

    pub fn entry(&self) -> Option<&OperationStatus> {
        self.world.observed.operations.first()
    }

    pub fn stage(&self) -> Option<Stage> {
        self.entry().map(|entry| entry.stage)
    }

    pub fn message(&self) -> &str {
        &self.entry().unwrap().message
    }

    /// The password in the binding.
    pub fn binding(&self) -> Password {
        Password::parse(World::text(&self.world.observed.connection, "password").as_bytes()).unwrap()
    }

    pub fn is_valid(&self, password: &Password) -> bool {
        let users = World::text(&self.world.observed.users, "users.acl");
        let in_users = password_hashes(&users, APP).contains(&password.sha256());
        let on_server = self.live.contains(&password.sha256());
        assert_eq!(in_users, on_server, "the users' file and the server differ");
        on_server
    }

    /// Somebody puts a whole binding with this password in place of the published one, without annotations.
    fn overwrite(&mut self, password: &Password) {
        let authorities = self.world.credentials().tls.authorities().cloned();
        let secret = binding::connection(&self.world.settings(), password, authorities.as_ref(), None);
        self.world.observed.connection = Found::Owned(Arc::new(secret));
    }

    fn annotate(&mut self, key: &str, value: Option<&str>) {
        let mut secret = Secret::clone(self.world.observed.connection.owned().unwrap());
        let annotations = secret.annotations_mut();
        match value {
            Some(value) => drop(annotations.insert(key.to_owned(), value.to_owned())),
            None => drop(annotations.remove(key)),
        }
        self.world.observed.connection = Found::Owned(Arc::new(secret));
    }
}

fn third() -> Password {
    Password::parse(&[b'T'; 40]).unwrap()
}

/// A status entry as `kubectl` shows it.
fn told(entry: Option<&OperationStatus>) -> String {
    let Some(entry) = entry else { return "(nothing)\n".to_owned() };
    assert_short(&entry.message, &entry.remedies);
    let alone = OperationStatus { remedies: Vec::new(), ..entry.clone() };
    serde_yaml::to_string(&alone).unwrap() + &lines(&entry.remedies)
}

#[test]
fn the_stages_of_a_rotation_and_what_is_said_of_each() {
    let mut shop = Shop::settled();
    shop.ask(&format!("{START} because Ann left"));
    let (old, mut story) = (shop.binding(), Vec::new());
    let mut step = |shop: &mut Shop, when: &str, by: SignedDuration| {
        let mut written = shop.later(by).join(", ");
        if written.is_empty() {
            written = "nothing".to_owned();
        }
        let (now, new) = (shop.binding(), World::text(&shop.world.observed.users, "users.acl"));
        let in_file = password_hashes(&new, APP);
        let on = |hashes: &[PasswordHash]| {
            let has = |password: &Password, name| hashes.contains(&password.sha256()).then_some(name);
            let words =
                [has(&old, "old"), has(&now, "published").filter(|_| now != old), (hashes.len() > 1).then_some("(2)")];
            words.into_iter().flatten().collect::<Vec<_>>().join(" ")
        };
        let published = if now == old { "old" } else { "new" };
        let both = format!("published: {published}; in the file: {}; on the server: {}", on(&in_file), on(&shop.live));
        story.push(format!("--- {when}\nwrites {written}\n{both}\n{}", told(shop.entry())));
    };
    step(&mut shop, "asked", SignedDuration::ZERO);
    step(&mut shop, "a minute later", MINUTE);
    shop.answers = false;
    step(&mut shop, "two minutes later, the server is frozen", MINUTE);
    shop.answers = true;
    step(&mut shop, "it answers again", MINUTE);
    step(&mut shop, "23 hours later", HOUR * 23);
    shop.answers = false;
    step(&mut shop, "a day later, the server is frozen", HOUR);
    shop.answers = true;
    step(&mut shop, "it answers again", MINUTE);
    step(&mut shop, "and nothing follows", HOUR * 100);
    insta::assert_snapshot!(story.join("\n"));
}

#[test]
fn a_request_that_is_not_followed_is_told_with_its_reason_and_changes_nothing() {
    let mut cases = Vec::new();
    for (what, value) in [
        ("malformed", "please".to_owned()),
        ("older than the TokenCache", (START - HOUR * 49).to_string()),
        ("an hour old", (START - HOUR - SignedDuration::from_secs(1)).to_string()),
        ("in the future", (START + MINUTE * 6).to_string()),
    ] {
        let mut shop = Shop::settled();
        shop.ask(&value);
        assert_eq!(shop.passes(), [""; 0], "{what}");
        cases.push(format!("--- {what}\n{}", told(shop.entry())));
        shop.later(MINUTE * 10);
        assert_eq!(shop.stage(), Some(Stage::Ignored), "{what}: it stays so, whatever time it is");
        shop.world.cache.metadata.annotations = None;
        shop.passes();
        assert_eq!(shop.entry(), None, "{what}");
    }
    insta::assert_snapshot!(cases.join("\n"));
}

#[test]
fn what_was_done_is_not_done_again_also_where_the_status_is_lost() {
    let mut shop = Shop::published();
    shop.later(HOUR * 25);
    assert_eq!(shop.stage(), Some(Stage::Completed));
    let (entry, new) = (shop.entry().cloned(), shop.binding());
    shop.world.observed.operations.clear();
    assert_eq!(shop.passes(), [""; 0]);
    assert_eq!(shop.stage(), Some(Stage::Completed));
    assert_eq!(shop.entry().unwrap().published, entry.unwrap().published);
    // A backup's annotation, of before that.
    shop.ask(&(START - MINUTE).to_string());
    shop.world.observed.operations.clear();
    shop.world.now = START + MINUTE;
    assert_eq!(shop.passes(), [""; 0]);
    assert!(shop.message().contains("a later one was carried out already"), "{}", shop.message());
    assert_eq!(shop.binding(), new);
}

#[test]
fn the_status_is_needed_for_no_step() {
    let mut shop = Shop::asked();
    let mut written = Vec::new();
    for _ in 0..40 {
        shop.world.observed.operations.clear();
        written.extend(shop.pass());
        shop.world.now += HOUR;
        shop.look();
    }
    let wanted = [
        "mint Secret shop-redis-rotation",
        "Secret shop-redis-users",
        "Secret shop-redis-rotation",
        "Secret shop-redis",
        "Secret shop-redis-users",
        "retire Secret shop-redis-rotation",
    ];
    assert_eq!(written, wanted);
}

#[test]
fn a_second_rotation_follows_the_first() {
    let mut shop = Shop::published();
    shop.later(HOUR * 25);
    let first = shop.binding();
    shop.ask(&shop.world.now.to_string());
    shop.passes();
    shop.later(MINUTE * 3);
    assert_eq!(shop.stage(), Some(Stage::Published));
    assert!(shop.binding() != first && shop.is_valid(&first));
    shop.later(HOUR * 25);
    assert!(shop.stage() == Some(Stage::Completed) && !shop.is_valid(&first));
}

#[test]
fn a_request_made_meanwhile_is_told_and_begun_when_the_first_is_complete() {
    let mut shop = Shop::published();
    let first = shop.binding();
    shop.ask(&(START + HOUR).to_string());
    shop.later(HOUR);
    let said = shop.message().to_owned();
    assert!(said.ends_with("Another request (2026-01-01T01:00:00Z) follows"), "{said}");
    shop.later(HOUR * 10);
    assert_eq!(shop.message(), said, "it stays so, however old the request gets");
    let written = shop.later(HOUR * 14);
    assert!(written.contains(&"mint Secret shop-redis-rotation".to_owned()), "{written:?}");
    shop.later(MINUTE * 3);
    assert_eq!(shop.entry().unwrap().requested, Some(Time(START + HOUR)));
    assert!(shop.binding() != first && shop.is_valid(&first));
    // One that asks for nothing is told too, and begins nothing.
    for (value, part) in [("soon", "is ignored"), ("2026-01-05T00:00:00Z", "in the future")] {
        shop.ask(value);
        shop.passes();
        assert!(shop.message().contains(part) && shop.entry().unwrap().queued.is_none(), "{}", shop.message());
    }
}

#[test]
fn a_paused_cache_is_left_where_it_is() {
    let pause = |shop: &mut Shop, value: Option<&str>| {
        let annotations = shop.world.cache.metadata.annotations.get_or_insert_default();
        match value {
            Some(value) => drop(annotations.insert("tokencache.dev/reconcile".to_owned(), value.to_owned())),
            None => drop(annotations.remove("tokencache.dev/reconcile")),
        }
    };
    let mut shop = Shop::asked();
    pause(&mut shop, Some("paused"));
    assert_eq!(shop.passes(), [""; 0]);
    assert_eq!(shop.stage(), Some(Stage::Waiting));
    assert!(shop.message().contains("paused"), "{}", shop.message());
    shop.later(HOUR * 5);
    pause(&mut shop, None);
    assert_eq!(shop.passes()[0], "mint Secret shop-redis-rotation", "it was seen in time");

    let (mut shop, old) = (Shop::published(), Shop::settled().binding());
    pause(&mut shop, Some("paused"));
    assert_eq!(shop.later(HOUR * 30), [""; 0]);
    assert!(shop.is_valid(&old) && shop.stage() == Some(Stage::Published) && shop.message().contains("Held"));
    pause(&mut shop, None);
    shop.passes();
    assert!(!shop.is_valid(&old) && shop.stage() == Some(Stage::Completed));
}

#[test]
fn a_secret_that_is_lost_before_anything_was_published_is_made_anew() {
    let mut shop = Shop::adding();
    let old = shop.binding();
    shop.world.observed.rotation = Found::Absent;
    shop.world.now += HOUR * 2;
    assert_eq!(shop.passes()[0], "mint Secret shop-redis-rotation");
    assert_eq!(shop.live.len(), 2, "what was never published is not valid any more");
    shop.later(MINUTE * 3);
    assert!(shop.stage() == Some(Stage::Published) && shop.is_valid(&old) && shop.is_valid(&shop.binding()));

    // Nor is it where nobody asks any more.
    let mut shop = Shop::adding();
    shop.world.observed.rotation = Found::Absent;
    shop.world.cache.metadata.annotations = None;
    assert_eq!(shop.passes(), ["Secret shop-redis-users"]);
    assert_eq!((shop.live.len(), shop.entry()), (1, None));
}

#[test]
fn a_secret_that_is_lost_is_not_taken_for_that_of_the_rotation_before() {
    let mut shop = Shop::published();
    shop.later(HOUR * 25);
    let first = shop.binding();
    // As if the first were within its overlap still.
    shop.world.cache.spec.redis.password_rotation.overlap = "30d".to_owned();
    shop.ask(&shop.world.now.to_string());
    shop.passes();
    assert_eq!((shop.stage(), shop.live.len()), (Some(Stage::Adding), 2));
    shop.world.observed.rotation = Found::Absent;
    assert_eq!(shop.passes()[0], "mint Secret shop-redis-rotation");
    shop.later(MINUTE * 3);
    assert!(shop.stage() == Some(Stage::Published) && shop.binding() != first && shop.is_valid(&first));
}

#[test]
fn a_secret_that_is_lost_within_the_overlap_is_made_again_from_the_users() {
    for (marks, status) in [(true, true), (true, false), (false, true)] {
        let (mut shop, old) = (Shop::published(), Shop::settled().binding());
        let (new, ends) = (shop.binding(), shop.entry().unwrap().ends_at.clone());
        shop.world.observed.rotation = Found::Absent;
        if !marks {
            shop.annotate(PUBLISHED_ANNOTATION, None);
        }
        if !status {
            shop.world.observed.operations.clear();
        }
        shop.later(HOUR * 23);
        assert!(shop.is_valid(&old) && shop.is_valid(&new) && shop.binding() == new);
        assert!(marks == (shop.entry().unwrap().ends_at == ends), "without the annotation, now counts");
        shop.later(HOUR * 25);
        assert!(!shop.is_valid(&old) && shop.is_valid(&new) && shop.stage() == Some(Stage::Completed));
        assert_eq!(shop.world.observed.rotation, Found::Absent);
    }
}

#[test]
fn a_secret_that_is_lost_after_the_overlap_is_not_missed() {
    let (mut shop, old) = (Shop::published(), Shop::settled().binding());
    shop.world.observed.rotation = Found::Absent;
    let written = shop.later(HOUR * 25);
    assert_eq!(written, ["Secret shop-redis-users"]);
    assert!(!shop.is_valid(&old) && shop.stage() == Some(Stage::Completed));
}

#[test]
fn users_that_are_lost_or_edited_come_back_with_both() {
    for shop in [Shop::adding(), Shop::published()] {
        let before = shop.world.observed.users.clone();
        for users in [Found::Absent, with(&before, "users.acl", "user app on nopass"), with(&before, "users.acl", "")] {
            let mut shop = shop.clone();
            shop.world.observed.users = users;
            assert_eq!(shop.passes(), ["Secret shop-redis-users"]);
            assert_eq!(shop.world.observed.users, before);
            assert_eq!(shop.live.len(), 2);
        }
    }
}

#[test]
fn a_binding_that_is_restored_as_it_was_gets_the_new_password_again() {
    let (mut shop, old) = (Shop::published(), Shop::settled().binding());
    let new = shop.binding();
    shop.world.now += HOUR * 10;
    shop.look();
    shop.overwrite(&old);
    assert_eq!(shop.passes(), ["Secret shop-redis"]);
    assert!(shop.binding() == new && shop.is_valid(&old) && shop.is_valid(&new));
    assert_eq!(shop.entry().unwrap().published, Some(Time(shop.world.now)), "the overlap counts from then on");
    // Also where only the key is overwritten, and at the last moment.
    shop.world.now += HOUR * 23;
    shop.look();
    shop.world.observed.connection = with(&shop.world.observed.connection, "password", old.reveal());
    assert_eq!(shop.passes(), ["Secret shop-redis"]);
    assert!(shop.binding() == new && shop.is_valid(&old));
}

#[test]
fn a_third_password_that_replaces_the_whole_binding_is_adopted_and_all_three_are_valid_until_the_end() {
    for mut shop in [Shop::adding(), Shop::published()] {
        let (was, old) = (shop.stage(), Shop::settled().binding());
        let new = World::text(&shop.world.observed.rotation, "password");
        let new = Password::parse(new.as_bytes()).unwrap();
        shop.overwrite(&third());
        shop.passes();
        assert_eq!((shop.stage(), shop.binding()), (Some(Stage::Published), third()), "{was:?}");
        for password in [&old, &new, &third()] {
            assert!(shop.is_valid(password), "{was:?}");
        }
        assert!(shop.message().contains("somebody put another password into Secret shop-redis"), "{}", shop.message());
        shop.later(HOUR * 25);
        assert_eq!((shop.stage(), shop.binding()), (Some(Stage::Completed), third()));
        assert!(shop.is_valid(&third()) && !shop.is_valid(&old) && !shop.is_valid(&new));
    }
}

#[test]
fn a_third_password_of_which_only_the_key_was_written_is_adopted_too_and_one_that_cannot_be_used_is_undone() {
    for mut shop in [Shop::adding(), Shop::published()] {
        let published = shop.binding();
        for wrong in ["sho,rt", ""] {
            shop.world.observed.connection = with(&shop.world.observed.connection, "password", wrong);
            assert_eq!(shop.passes(), ["Secret shop-redis"], "{wrong:?}");
            assert_eq!(shop.binding(), published, "{wrong:?}");
        }
        let before = shop.live.clone();
        shop.world.observed.connection = with(&shop.world.observed.connection, "password", third().reveal());
        shop.passes();
        assert_eq!((shop.stage(), shop.binding()), (Some(Stage::Published), third()));
        assert!(shop.is_valid(&third()) && before.iter().all(|hash| shop.live.contains(hash)));
        let connection = World::text(&shop.world.observed.connection, "connectionString");
        assert!(connection.contains(third().reveal()), "what stands beside it follows");
    }
}

#[test]
fn a_password_that_is_lost_or_replaced_after_a_rotation_begins_another_one_whatever_was_asked_for_before() {
    for lost in [true, false] {
        let mut shop = Shop::published();
        shop.later(HOUR * 25);
        assert_eq!(shop.stage(), Some(Stage::Completed));
        let (old, requested) = (shop.binding(), shop.entry().unwrap().requested.clone());
        shop.later(HOUR * 48);
        if lost {
            shop.world.observed.connection = Found::Absent;
        } else {
            shop.world.observed.connection = with(&shop.world.observed.connection, "password", third().reveal());
        }
        shop.passes();
        shop.later(MINUTE);
        assert_eq!(shop.stage(), Some(Stage::Published), "{}", shop.message());
        assert!(shop.is_valid(&old) && shop.is_valid(&shop.binding()) && shop.binding() != old);
        shop.later(HOUR * 23);
        assert!(shop.is_valid(&old), "the overlap counts from then on");
        shop.later(HOUR * 2);
        assert!(!shop.is_valid(&old) && shop.is_valid(&shop.binding()));
        // The annotation stands there still, and asks for nothing more.
        assert_eq!((shop.stage(), &shop.entry().unwrap().requested), (Some(Stage::Completed), &requested));
        assert_eq!(shop.later(HOUR * 24), [""; 0]);
    }
}

#[test]
fn a_paused_cache_follows_nothing_that_somebody_puts_into_the_binding() {
    let mut shop = Shop::settled();
    let (old, third) = (shop.binding(), third());
    shop.world
        .cache
        .metadata
        .annotations
        .get_or_insert_default()
        .insert("tokencache.dev/reconcile".into(), "paused".into());
    shop.world.observed.connection = with(&shop.world.observed.connection, "password", third.reveal());
    assert_eq!(shop.world.credentials().rotation.valid, [old.sha256()]);
    assert_eq!(shop.world.credentials().rotation.operation, None);
}

#[test]
fn a_binding_that_is_lost_is_made_again_with_the_new_password() {
    for mut shop in [Shop::adding(), Shop::published()] {
        let old = Shop::settled().binding();
        let new = World::text(&shop.world.observed.rotation, "password");
        shop.world.observed.connection = Found::Absent;
        assert_eq!(shop.passes(), ["Secret shop-redis"]);
        assert_eq!((shop.binding().reveal(), shop.stage()), (new.as_str(), Some(Stage::Published)));
        assert!(shop.is_valid(&old) && shop.is_valid(&shop.binding()));
    }
}

#[test]
fn a_secret_of_the_rotation_that_was_changed_is_told_and_everything_stays_valid() {
    let (mut cases, long) = (Vec::new(), "X".repeat(40));
    for (key, value) in [("password", ""), ("previous", ""), ("previous", "none"), ("requested", "yesterday")] {
        for mut shop in [Shop::adding(), Shop::published()] {
            let (live, published, was) = (shop.live.clone(), shop.binding(), shop.stage());
            shop.world.observed.rotation = with(&shop.world.observed.rotation, key, value);
            assert_eq!(shop.later(HOUR * 30), [""; 0], "{key}");
            assert_eq!((&shop.live, &shop.binding(), shop.stage()), (&live, &published, Some(Stage::Blocked)));
            let entry = shop.entry().unwrap();
            assert_short(&entry.message, &entry.remedies);
            cases.push(format!("{:?}, {key}: {}\n{}", was.unwrap(), entry.message, lines(&entry.remedies).trim_end()));
            // As the message says.
            shop.world.observed.rotation = Found::Absent;
            shop.passes();
            assert!(shop.is_valid(&shop.binding()) && shop.stage() != Some(Stage::Blocked), "{key}");
        }
    }
    cases.dedup();
    insta::assert_snapshot!(cases.join("\n"));
    // Another password that could be one is one.
    let mut shop = Shop::adding();
    shop.world.observed.rotation = with(&shop.world.observed.rotation, "password", &long);
    shop.passes();
    shop.later(MINUTE * 3);
    assert_eq!(shop.binding().reveal(), long);
}

#[test]
fn nothing_is_published_before_every_server_was_seen_with_both_since_its_files_are_new() {
    let mut shop = Shop::adding();
    shop.world.now += MINUTE * 3;
    let rotation = shop.world.credentials().rotation;
    let message = rotation.operation.unwrap().message;
    assert!(rotation.publish.is_none() && message.ends_with("waiting for the next look at shop-redis-0"), "{message}");
    assert_eq!(rotation.wake_at, Some(shop.world.now + SignedDuration::from_secs(2)));
    let mut keeps = |correction, part: &str| {
        let drift = Drift {
            parameter: Parameter::AppPassword,
            found: "another password".to_owned(),
            correction,
            corrected_at: None,
        };
        shop.look();
        shop.world.observed.samples[0].outcome = Ok(Answer { drift: vec![drift], ..well() });
        let rotation = shop.world.credentials().rotation;
        assert!(rotation.publish.is_some() == part.is_empty());
        let message = rotation.operation.unwrap().message;
        assert!(message.contains(part), "{message}");
    };
    keeps(Correction::Refused("NOPERM".to_owned()), "cannot be set");
    keeps(Correction::Corrected, "");
    let mut shop = Shop::adding();
    shop.world.now += MINUTE * 3;
    shop.look();
    let started = json!({"running": {"startedAt": shop.world.now + MINUTE}});
    let status = super::pods::on_node(true, &started, &json!({}));
    for (pods, part) in [
        (vec![], "waiting for a pod"),
        (vec![marked(&json!({"phase": "Pending"}), "unknown")], "to run"),
        (vec![marked(&status, "unknown")], "the next look"),
    ] {
        shop.world.observed.pods = pods;
        let rotation = shop.world.credentials().rotation;
        let message = rotation.operation.unwrap().message;
        assert!(rotation.publish.is_none() && message.contains(part), "{message}");
    }
}

#[test]
fn the_overlap_is_the_specs_and_may_change_meanwhile() {
    let mut shop = Shop::with_spec("{redis: {passwordRotation: {overlap: 10s}}}");
    let old = shop.binding();
    shop.ask(&START.to_string());
    shop.passes();
    shop.later(SignedDuration::from_secs(10));
    assert_eq!(shop.stage(), Some(Stage::Published), "a short overlap is a short wait for the files as well");
    assert_eq!(shop.world.credentials().rotation.wake_at, Some(START + SignedDuration::from_secs(20)));
    shop.world.cache.spec.redis.password_rotation.overlap = "2h".to_owned();
    shop.later(HOUR);
    assert!(shop.is_valid(&old));
    shop.world.cache.spec.redis.password_rotation.overlap = "30m".to_owned();
    shop.passes();
    assert!(!shop.is_valid(&old) && shop.stage() == Some(Stage::Completed));
}

#[test]
fn a_clock_that_steps_removes_nothing_early_but_what_it_says_is_over() {
    let (mut shop, old) = (Shop::published(), Shop::settled().binding());
    shop.world.now = START - HOUR * 1000;
    shop.look();
    assert_eq!(shop.passes(), [""; 0]);
    assert!(shop.is_valid(&old) && shop.message().contains("a clock was wrong"), "{}", shop.message());
    shop.annotate(PUBLISHED_ANNOTATION, None);
    shop.passes();
    let ends = shop.world.now + HOUR * 24;
    assert_eq!(shop.entry().unwrap().ends_at, Some(Time(ends)), "as the message says");
    // One that steps back while both are being added waits no longer than from then on.
    let mut shop = Shop::adding();
    shop.world.now -= HOUR;
    shop.look();
    shop.passes();
    shop.later(MINUTE * 2);
    assert_eq!(shop.stage(), Some(Stage::Published));
    // A time that no clock shows.
    shop.annotate(PUBLISHED_ANNOTATION, Some("9999-12-30T22:00:00Z"));
    shop.passes();
    assert_eq!(shop.stage(), Some(Stage::Published));
}

#[test]
fn what_the_binding_says_of_its_password_outlasts_whatever_else_is_written_there() {
    let mut shop = Shop::published();
    shop.later(HOUR * 25);
    let marks = |shop: &Shop| shop.world.observed.connection.owned().unwrap().annotations().clone();
    let before = marks(&shop);
    assert_eq!(before.keys().collect::<Vec<_>>(), [PUBLISHED_ANNOTATION, REQUESTED_ANNOTATION]);
    shop.world.observed.connection = with(&shop.world.observed.connection, "uri", "edited");
    assert_eq!(shop.passes(), ["Secret shop-redis"]);
    assert_eq!(marks(&shop), before);
    shop.annotate(PUBLISHED_ANNOTATION, None);
    shop.passes();
    assert!(shop.stage() == Some(Stage::Completed), "the status remembers");
}

#[test]
fn somebody_elses_secret_of_that_name_stands_in_the_way_of_nothing_else() {
    let mut shop = Shop::settled();
    shop.world.observed.rotation = Found::Foreign("Deployment web".to_owned());
    assert!(shop.world.observed.taken("shop").is_none() && shop.passes().is_empty() && shop.entry().is_none());
    shop.ask(&START.to_string());
    assert_eq!(shop.passes(), [""; 0]);
    assert_eq!(shop.stage(), Some(Stage::Waiting));
    assert!(shop.message().contains("belongs to Deployment web"), "{}", shop.message());
    shop.world.observed.rotation = Found::Absent;
    assert_eq!(shop.passes()[0], "mint Secret shop-redis-rotation");
}

#[test]
fn a_server_that_lacks_or_still_has_a_password_of_the_rotation_was_not_meddled_with() {
    use Correction::{Corrected, Refused, Withheld};
    let explains = |shop: &Shop, found: &str, correction| {
        let drift =
            Drift { parameter: Parameter::AppPassword, found: found.to_owned(), correction, corrected_at: None };
        shop.world.credentials().rotation.explains(&drift, shop.world.observed.samples[0].taken)
    };
    let some = "only some of its passwords";
    for shop in [Shop::adding(), Shop::published()] {
        assert!(explains(&shop, some, Corrected) && explains(&shop, some, Withheld));
        assert!(!explains(&shop, some, Refused("NOPERM".to_owned())));
        for found in ["another password", "no such user", "3 passwords", "no password needed"] {
            assert!(!explains(&shop, found, Corrected), "{found}");
        }
    }
    let mut shop = Shop::published();
    shop.world.now += HOUR * 24;
    assert!(explains(&shop, "2 passwords", Corrected) && !explains(&shop, "another password", Corrected));
    shop.look();
    shop.passes();
    assert!(
        shop.stage() == Some(Stage::Completed) && explains(&shop, "2 passwords", Corrected),
        "the last look is of before"
    );
    let before = shop.world.observed.samples[0].taken;
    shop.later(MINUTE);
    assert!(!explains(&shop, "2 passwords", Corrected));
    let kept = Drift {
        parameter: Parameter::AppPassword,
        found: "2 passwords".to_owned(),
        correction: Corrected,
        corrected_at: Some(before),
    };
    let taken = shop.world.observed.samples[0].taken;
    assert!(shop.world.credentials().rotation.explains(&kept, taken), "it was kept since the last look of before");
    assert!(!explains(&Shop::settled(), "2 passwords", Corrected));
}

#[test]
fn what_is_said_of_a_server_that_does_not_take_both() {
    let drift = |correction| {
        let found = "only some of its passwords".to_owned();
        vec![Drift { parameter: Parameter::AppPassword, found, correction, corrected_at: None }]
    };
    let noperm =
        Correction::Refused("NOPERM User operator has no permissions to run the 'acl|setuser' command".to_owned());
    insta::assert_snapshot!(Seen::answer(drift(noperm)).told("adding the second password was refused"));
}

#[test]
fn no_password_and_no_hash_is_printed_or_told() {
    let mut shop = Shop::asked();
    let mut printed = Vec::new();
    let mut secret = vec![shop.binding()];
    for _ in 0..30 {
        let credentials = shop.world.credentials();
        printed.push(format!("{credentials:?} {:?} {:?}", credentials.rotation, shop.world.plan()));
        shop.pass();
        let binding = Secret::clone(shop.world.observed.connection.owned().unwrap());
        printed.push(format!("{:?} {}", binding.metadata, told(shop.entry())));
        shop.world.now += HOUR;
        shop.look();
    }
    secret.push(shop.binding());
    let printed = printed.concat();
    for secret in secret {
        assert!(!printed.contains(secret.reveal()) && !printed.contains(secret.sha256().as_hex()));
    }
}

#[test]
fn bytes_that_do_not_suffice_make_no_secret() {
    let shop = Shop::asked();
    let order = shop.world.credentials().rotation.mint.unwrap();
    assert!(order.secret(&shop.world.settings(), &[255; 128]).is_none());
    let secret = order.secret(&shop.world.settings(), &[7; 128]).unwrap();
    assert_eq!(secret.data.unwrap()["password"], ByteString(vec![b'H'; 40]));
    let _: Timestamp = order.started;
}
