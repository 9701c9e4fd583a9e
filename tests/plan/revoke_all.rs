//! Every key of a ring is revoked on request, on values.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::SignedDuration;
use k8s_openapi::ByteString;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use tokencache_operator::{
    api::v1alpha1::{KeyState, OperationStage as Stage, OperationStatus},
    capability::progress::{Step, Tally},
    data_protection::{
        key::{
            KeyDates,
            id::KeyId,
            read::{self, Element},
            revocation::Revoked,
        },
        objects::file_secret,
        plan::plan,
    },
    kubernetes::read::process::Processes,
};

use super::key_ring::Keys;
use super::key_ring_inputs::vectors;
use super::world::START;

const ANNOTATION: &str = "tokencache.dev/revoke-key-requested";
const MINUTE: SignedDuration = SignedDuration::from_mins(1);
const COUNTED: Tally = Tally { keys: 50, meant: 40, readable: 0, foreign: 0, unidentified: 0, too_big: 0, removed: 0 };

impl Keys {
    /// A ring with three keys, one of which encrypts and one of which is revoked already.
    fn grown() -> Self {
        let mut ring = Self::begun();
        ring.until(200);
        assert_eq!(ring.status().keys.len(), 3);
        let first = ring.status().keys[0].id.clone();
        let value = format!("{} {first}", ring.now);
        ring.annotate(ANNOTATION, &value);
        ring.beside.obstacle = Some("there is no Redis server".to_owned());
        ring.step();
        ring.step();
        ring.beside.obstacle = None;
        ring.now += MINUTE;
        assert_eq!((ring.revoked().len(), ring.ids().len()), (1, 3));
        ring
    }

    fn revoke_all(&mut self, words: &str) {
        let value = format!("{} all{words}", self.now);
        self.annotate(ANNOTATION, &value);
    }

    /// Up to the pass that revokes them.
    fn counted(&mut self) {
        assert_eq!(self.step(), (vec![], Stage::Counting));
        self.swept(COUNTED);
        assert_eq!(self.step(), (vec![], Stage::Counting));
    }

    fn ids(&self) -> BTreeSet<String> {
        self.status().keys.into_iter().map(|key| key.id).collect()
    }

    fn of_state(&self, state: KeyState) -> BTreeSet<String> {
        self.status().keys.into_iter().filter(|key| key.state == state).map(|key| key.id).collect()
    }

    fn revoked(&self) -> BTreeSet<String> {
        self.of_state(KeyState::Revoked)
    }

    /// Every key of before is revoked, each by a file and a Secret of its own, and one other encrypts.
    fn is_revoked(&self, before: &BTreeSet<String>) {
        assert_eq!(&self.revoked(), before);
        let active = self.of_state(KeyState::Active);
        assert_eq!((active.len(), active.intersection(before).count()), (1, 0));
        let published = self.published();
        for id in before {
            assert!(published.contains_key(&format!("revocation-{id}.xml")), "{id}");
            assert!(self.files.contains_key(&format!("shop-revocation-{id}")), "{id}");
        }
        for (name, content) in published {
            if let Element::Revocation(revocation) = read::read(&content.0).unwrap() {
                assert!(matches!(revocation.revoked, Revoked::Key(_)), "{name} is spelled out");
            }
        }
    }
}

#[test]
fn every_key_that_there_is_is_revoked_by_itself_and_one_new_key_encrypts_in_the_same_publication() {
    let mut ring = Keys::grown();
    let (before, was_revoked) = (ring.ids(), ring.revoked());
    ring.revoke_all("");
    ring.step();
    let meant: BTreeSet<KeyId> = before.difference(&was_revoked).map(|id| KeyId::parse(id).unwrap()).collect();
    let sweep = ring.before.revoke.sweep.clone().unwrap();
    assert_eq!((sweep.id.step, sweep.keys), (Step::Count, meant), "what is revoked is left");
    ring.swept(COUNTED);
    ring.step();
    assert!(ring.message().starts_with("40 of 50 stored entries become unreadable"), "{}", ring.message());
    assert_eq!(ring.revoked(), was_revoked, "it is said first");
    assert_eq!(ring.step().0, ["mint", "create", "create", "Secret shop-keys"], "all in one publication");
    ring.is_revoked(&before);
    let active = ring.status().keys.into_iter().find(|key| key.state == KeyState::Active).unwrap();
    assert!(
        ring.now.duration_since(active.creation_date.clone().unwrap().0) > SignedDuration::from_hours(48),
        "for .NET 9"
    );
    assert_eq!(ring.step(), (vec![], Stage::Completed));
    let told = ring.message();
    assert!(told.starts_with("keys ") && told.contains(" are revoked; "), "{told}");
    assert!(told.contains("40 of 50 stored entries cannot be read any more"), "{told}");
    assert_eq!(ring.step(), (vec![], Stage::Completed));
}

#[test]
fn at_no_time_afterwards_is_there_no_key_that_encrypts() {
    let mut ring = Keys::begun();
    // With a key on its way.
    ring.until(88);
    assert_eq!(ring.of_state(KeyState::Pending).len(), 1);
    let before = ring.ids();
    ring.revoke_all("");
    ring.counted();
    ring.step();
    ring.is_revoked(&before);
    let end = ring.now + SignedDuration::from_hours(24 * 400);
    while ring.now < end {
        ring.now += SignedDuration::from_hours(6);
        ring.pass();
        assert_eq!(ring.of_state(KeyState::Active).len(), 1, "{}", ring.now);
    }
    assert_eq!(ring.revoked(), before, "no later key is revoked");
}

/// The operator ends after any write.
#[test]
fn half_of_it_is_completed_with_the_same_key_and_for_the_same_keys() {
    for half in 0..3 {
        for forgets in [false, true] {
            let mut ring = Keys::grown();
            let before = ring.ids();
            ring.revoke_all(" remove");
            ring.counted();
            ring.mint_only();
            for secret in ring.files().into_iter().take(half) {
                ring.store(secret);
            }
            let made: BTreeSet<String> = ring.files.keys().cloned().collect();
            if forgets {
                ring.before.revoke.operation = None;
                ring.now += MINUTE * 90;
            }
            let creates = vec!["create".to_owned(); 2 - half];
            let (written, stage) = ring.step();
            assert_eq!(written, [creates, vec!["Secret shop-keys".to_owned()]].concat(), "{half} {forgets}");
            assert_eq!(stage, Stage::Counting, "nothing half-done is told as done");
            ring.is_revoked(&before);
            assert_eq!(ring.ids().len(), before.len() + 1, "one new key");
            assert!(made.iter().all(|name| ring.files.contains_key(name)));
            ring.beside.processes = Processes::Known(Vec::new());
            assert_eq!(ring.step(), (vec![], Stage::Published));
            assert_eq!(ring.step(), (vec![], Stage::Removing));
            ring.swept(Tally { removed: 40, ..COUNTED });
            assert_eq!(ring.step(), (vec![], Stage::Completed));
        }
    }
}

#[test]
fn a_key_that_was_made_since_is_not_revoked_whatever_the_status_says() {
    let mut ring = Keys::grown();
    let before = ring.ids();
    ring.revoke_all("");
    ring.counted();
    ring.mint_only();
    // Somebody asks for one more key before the operator goes on.
    ring.now += MINUTE;
    ring.ask();
    ring.step();
    ring.step();
    ring.is_revoked(&before);
    assert_eq!(ring.ids().len(), before.len() + 2);
    assert_eq!(ring.step(), (vec![], Stage::Completed));
    // The same request again, long after.
    ring.until(600);
    ring.before.revoke.operation = None;
    assert_eq!(ring.step(), (vec![], Stage::Completed));
    assert_eq!(ring.revoked(), before);
}

#[test]
fn the_key_that_took_their_place_stays_also_where_its_secret_is_lost_and_made_again() {
    for keeps_revocations in [true, false] {
        let mut ring = Keys::grown();
        let before = ring.ids();
        ring.revoke_all("");
        ring.counted();
        ring.step();
        ring.is_revoked(&before);
        let operation = ring.before.revoke.operation.clone().unwrap();
        // It is not over yet, and the Secrets have lost what they said of it.
        ring.before.revoke.operation = Some(OperationStatus {
            stage: Stage::AwaitingRestart,
            published: operation.published.or(Some(Time(ring.now))),
            ..operation
        });
        for (name, secret) in &mut ring.files {
            if !keeps_revocations || name.contains("-key-") {
                Arc::make_mut(secret).metadata.annotations = None;
            }
        }
        ring.now += MINUTE * 90;
        ring.step();
        ring.step();
        ring.is_revoked(&before);
        assert_eq!(ring.ids().len(), before.len() + 1, "no key is made, and none is revoked");
    }
}

#[test]
fn what_was_done_before_a_restore_is_not_asked_for_again() {
    let mut ring = Keys::grown();
    ring.revoke_all("");
    ring.counted();
    ring.step();
    ring.step();
    let revoked = ring.revoked();
    // The TokenCache comes back without its status, after the Secrets that tell of the request.
    ring.now += MINUTE * 5;
    ring.cache.metadata.creation_timestamp = Some(Time(ring.now));
    ring.before.revoke.operation = None;
    assert_eq!(ring.step(), (vec![], Stage::Ignored));
    assert!(ring.revocation().message.contains("older than the TokenCache"), "{}", ring.revocation().message);
    assert_eq!(ring.revoked(), revoked);
}

#[test]
fn a_request_for_another_key_at_the_same_time_is_answered_by_the_same_key() {
    let mut ring = Keys::grown();
    let before = ring.ids();
    ring.annotate("tokencache.dev/reconcile", "paused");
    ring.revoke_all("");
    ring.ask();
    assert_eq!(ring.step(), (vec![], Stage::Waiting));
    ring.annotate("tokencache.dev/reconcile", "no");
    ring.beside.obstacle = Some("there is no Redis server".to_owned());
    assert_eq!(ring.step().0, ["mint", "create", "create", "Secret shop-keys"]);
    ring.is_revoked(&before);
    assert_eq!(ring.step(), (vec![], Stage::Completed));
    ring.is_revoked(&before);
}

#[test]
fn imported_keys_and_those_of_certificates_are_revoked_too() {
    for ring in ["cbc-hmac", "gcm"] {
        let mut keys = Keys::importing();
        keys.provide("old-ring", vectors(ring));
        keys.cache.metadata.creation_timestamp = None;
        keys.beside.obstacle = Some("there is no Redis server".to_owned());
        // Before its keys have Secrets of their own.
        keys.revoke_all("");
        let mut written = Vec::new();
        while keys.step().1 != Stage::Completed {
            assert_eq!(keys.of_state(KeyState::Active).len(), 1);
            written.extend(keys.pass());
            assert!(written.len() < 20, "{written:?}");
        }
        let imported: BTreeSet<String> = vectors(ring)
            .keys()
            .map(|name| name.trim_start_matches("key-").trim_end_matches(".xml").to_owned())
            .collect();
        assert_eq!(imported.len(), 3);
        keys.is_revoked(&imported);
    }
    let mut keys = Keys::certified();
    keys.now += MINUTE;
    let before = keys.ids();
    keys.beside.obstacle = Some("there is no Redis server".to_owned());
    keys.revoke_all("");
    assert_eq!(keys.step().0, ["mint", "create", "Secret shop-keys"]);
    keys.is_revoked(&before);
}

#[test]
fn no_key_is_revoked_in_a_pass_that_does_not_make_the_one_that_takes_its_place() {
    for words in ["all".to_owned(), Keys::begun().status().keys[0].id.clone()] {
        let mut ring = Keys::begun();
        ring.now += MINUTE;
        ring.beside.obstacle = Some("there is no Redis server".to_owned());
        let value = format!("{} {words}", ring.now);
        ring.annotate(ANNOTATION, &value);
        let mut standing = ring.standing();
        assert!(standing.mint.is_some() && standing.revoke.order.is_some());
        standing.mint = None;
        let plan = plan(&ring.settings(), &ring.observed(), &standing, vec![]);
        assert!(plan.is_empty(), "{plan:?}");
    }
}

#[test]
fn where_no_key_can_take_their_place_none_is_revoked() {
    let mut keys = Keys::certified();
    keys.now += MINUTE;
    keys.inputs.provided.clear();
    keys.beside.obstacle = Some("there is no Redis server".to_owned());
    keys.revoke_all("");
    assert_eq!(keys.step(), (vec![], Stage::Waiting));
    assert!(keys.message().contains("no key can be made to take its place"), "{}", keys.message());
    assert!(keys.revoked().is_empty());
    keys.certify("mine", "previous", "previous");
    assert_eq!(keys.step().0, ["mint", "create", "Secret shop-keys"]);
}

#[test]
fn a_ring_that_has_no_room_for_all_of_it_is_left_as_it_is_and_the_numbers_are_told() {
    let mut ring = Keys::begun();
    let size = ring.published().pop_first().unwrap().1.0.len();
    let count = u32::try_from((1 << 20) * 85 / 100 / size).unwrap();
    let file = |index: u32| {
        let order = KeyDates { created: START, activates: START, expires: START + MINUTE * 300_000 };
        let random: Vec<u8> = index.to_be_bytes().into_iter().cycle().take(128).collect();
        order.make(None, &random).unwrap().file().unwrap()
    };
    let files: Vec<_> = (1..count).map(file).collect();
    for file in &files {
        ring.store(file_secret(&ring.settings().owner, file).unwrap());
    }
    ring.in_ring(|live| live.extend(files.into_iter().map(|file| (file.name, ByteString(file.content.to_vec())))));
    ring.now += MINUTE;
    ring.revoke_all("");
    assert_eq!(ring.step(), (vec![], Stage::Ignored));
    let told = ring.message();
    assert!(told.contains(&format!("{count} revocations and a new key need")), "{told}");
    assert!(told.contains(" of 1048576 already"), "{told}");
    assert!(ring.plan().is_empty() && ring.revoked().is_empty());
}

#[test]
fn where_there_is_nothing_to_revoke_that_is_told() {
    let mut ring = Keys::of("{}");
    ring.revoke_all("");
    let told = ring.standing().revoke.operation.unwrap();
    assert_eq!((told.stage, told.message.contains("there is no key")), (Stage::Ignored, true), "{}", told.message);
    let mut ring = Keys::grown();
    ring.revoke_all(" purge");
    assert_eq!(ring.step(), (vec![], Stage::Ignored));
    assert!(ring.message().contains("only `remove` may stand"), "{}", ring.message());
}
