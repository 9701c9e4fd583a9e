//! A key that is revoked on request, step by step, on values.

use jiff::SignedDuration;
use tokencache_operator::api::v1alpha1::{Inspect, KeyState, OperationStage as Stage, OperationStatus};
use tokencache_operator::sweep::{Progress, Selection, State, Step, Tally};

use super::key_ring::Keys;

const ANNOTATION: &str = "tokencache.dev/revoke-key-requested";
const MINUTE: SignedDuration = SignedDuration::from_mins(1);

impl Keys {
    /// Asks for the key that encrypts to be revoked. Returns its id.
    fn revoke(&mut self, words: &str) -> String {
        let id = self.status().keys.into_iter().find(|key| key.state == KeyState::Active).unwrap().id;
        let value = format!("{} {}{words}", self.now, &id[..8]);
        self.annotate(ANNOTATION, &value);
        id
    }

    fn revocation(&self) -> OperationStatus {
        self.before.revoke.operation.clone().unwrap()
    }

    /// Passes, and begins the sweep that is wanted, unless it is under way.
    fn step(&mut self) -> (Vec<String>, Stage) {
        let written = self.pass();
        let wanted = self.before.revoke.sweep.clone();
        let begun = self.beside.sweep.take();
        let begun = begun.filter(|begun| wanted.as_ref().is_some_and(|wanted| wanted.id == begun.sweep.id));
        let at_first = |sweep| Progress { sweep, tally: Tally::default(), state: State::Running };
        self.beside.sweep = begun.or_else(|| wanted.map(at_first));
        (written, self.revocation().stage)
    }

    fn swept(&mut self, tally: Tally) {
        let progress = self.beside.sweep.as_mut().unwrap();
        (progress.tally, progress.state) = (tally, State::Done);
    }

    fn state(&self, id: &str) -> KeyState {
        self.status().keys.into_iter().find(|key| key.id == id).unwrap().state
    }
}

#[test]
fn what_becomes_unreadable_is_counted_and_said_before_the_key_is_revoked() {
    let mut ring = Keys::begun();
    ring.now += MINUTE;
    let id = ring.revoke("");
    assert_eq!(ring.step(), (vec![], Stage::Counting));
    let progress = ring.beside.sweep.clone().unwrap();
    assert_eq!(progress.sweep.id.step, Step::Count);
    assert!(matches!(progress.sweep.selection, Selection::OfKey(key) if key.to_string() == id));
    assert_eq!(ring.step(), (vec![], Stage::Counting), "it is under way");
    ring.swept(Tally { keys: 50, meant: 30, ..Tally::default() });
    assert_eq!(ring.step(), (vec![], Stage::Counting), "it is said first");
    assert!(ring.revocation().message.starts_with("30 of 50 stored entries become unreadable"));
    assert_eq!((ring.revocation().affected, ring.revocation().entries), (Some(30), Some(50)));
    assert_eq!(ring.state(&id), KeyState::Active);
    assert_eq!(
        ring.step().0,
        ["mint", "create", "Secret shop-keys"],
        "another key, then the revocation, then both published"
    );
    assert_eq!((ring.state(&id), ring.status().keys.len()), (KeyState::Revoked, 2));
    assert_eq!(ring.step(), (vec![], Stage::Completed));
    let told = ring.revocation().message;
    assert!(
        told.contains("restart Deployment web") && told.contains("30 of 50 stored entries cannot be read"),
        "{told}"
    );
    assert!(told.contains("tokencache.dev/flush-requested"), "{told}");
    assert_eq!(ring.step(), (vec![], Stage::Completed));
}

#[test]
fn the_new_key_encrypts_at_once_and_is_no_younger_than_net_9_wants() {
    let mut ring = Keys::begun();
    ring.now += MINUTE;
    let id = ring.revoke("");
    ring.beside.obstacle = Some("there is no Redis server".to_owned());
    assert_eq!(ring.step().0, ["mint", "create", "Secret shop-keys"], "whoever revokes a key does not wait for Redis");
    let new = ring.status().keys.into_iter().find(|key| key.id != id).unwrap();
    assert_eq!(new.state, KeyState::Active);
    assert!(ring.now.duration_since(new.created.0) > SignedDuration::from_hours(48));
}

#[test]
fn a_count_that_does_not_end_delays_a_revocation_by_two_minutes_and_one_that_fails_not_at_all() {
    let mut ring = Keys::begun();
    ring.revoke("");
    ring.step();
    ring.now += MINUTE;
    assert_eq!(ring.step(), (vec![], Stage::Counting));
    let mut failing = ring.clone();
    ring.now += MINUTE;
    assert_eq!(ring.step().0.len(), 3);
    assert!(ring.revocation().message.contains("could not be counted: it took more than two minutes"));
    let at = failing.now;
    failing.beside.sweep.as_mut().unwrap().state = State::Failing { why: "Redis is loading its data".to_owned(), at };
    assert_eq!(failing.step().0.len(), 3);
    assert!(failing.revocation().message.contains("could not be counted: Redis is loading its data"));
}

#[test]
fn what_it_encrypted_is_removed_where_that_is_asked_for() {
    let mut ring = Keys::begun();
    ring.revoke(" remove");
    ring.step();
    ring.swept(Tally { keys: 50, meant: 30, ..Tally::default() });
    ring.step();
    ring.step();
    assert_eq!(ring.step(), (vec![], Stage::Published));
    assert_eq!(ring.beside.sweep.as_ref().unwrap().sweep.id.step, Step::Remove);
    assert_eq!(ring.step(), (vec![], Stage::Removing));
    ring.swept(Tally { keys: 50, meant: 30, removed: 30, ..Tally::default() });
    assert_eq!(ring.step(), (vec![], Stage::Completed));
    assert!(ring.revocation().message.contains("30 stored entries that it encrypted were removed"));
    assert_eq!(ring.revocation().removed, Some(30));
    assert_eq!(ring.step(), (vec![], Stage::Completed));
}

/// The operator ends after any write.
#[test]
fn half_a_revocation_is_completed_with_the_same_key() {
    let mut ring = Keys::begun();
    let id = ring.revoke("");
    ring.step();
    ring.swept(Tally { keys: 50, meant: 30, ..Tally::default() });
    ring.step();
    let published = ring.published();
    ring.step();
    let (keys, both) = (ring.status().keys, ring.published());
    // The ring that was published is lost again; and whatever the status said.
    ring.in_ring(|files| *files = published.clone());
    ring.before.revoke.operation = None;
    assert_eq!(ring.step(), (vec!["Secret shop-keys".to_owned()], Stage::Counting));
    assert_eq!((ring.published(), ring.status().keys), (both, keys));
    // The new key was made, and nothing else.
    let mut minted = Keys::begun();
    minted.now += MINUTE;
    let id_of_other = minted.revoke("");
    assert_ne!(minted.step().1, Stage::Completed);
    minted.swept(Tally { keys: 50, meant: 30, ..Tally::default() });
    minted.step();
    minted.mint_only();
    assert_eq!(minted.step().0, ["create", "Secret shop-keys"]);
    assert_eq!((minted.state(&id_of_other), minted.status().keys.len()), (KeyState::Revoked, 2));
    assert_eq!(ring.state(&id), KeyState::Revoked);
}

#[test]
fn a_key_that_does_not_encrypt_is_revoked_without_another_one() {
    let mut ring = Keys::begun();
    let first = ring.revoke("");
    ring.annotate(ANNOTATION, "");
    ring.until(100);
    assert_eq!(ring.state(&first), KeyState::Superseded);
    let value = format!("{} {first}", ring.now);
    ring.annotate(ANNOTATION, &value);
    ring.beside.obstacle = Some("there is no Redis server".to_owned());
    assert_eq!(ring.step().0, ["create", "Secret shop-keys"]);
    assert_eq!(ring.state(&first), KeyState::Revoked);
}

#[test]
fn a_request_that_cannot_be_understood_changes_nothing_and_says_why() {
    let mut ring = Keys::begun();
    ring.now += MINUTE;
    let told = |ring: &mut Keys, words: &str| {
        ring.now += MINUTE;
        let value = words.replace("NOW", &ring.now.to_string());
        ring.annotate(ANNOTATION, &value);
        assert_eq!(ring.step(), (vec![], Stage::Ignored));
        ring.revocation().message
    };
    assert!(told(&mut ring, "now").contains("does not begin with a time"));
    assert!(told(&mut ring, "NOW").contains("it names no key"));
    assert!(told(&mut ring, "NOW 0000").contains("too short"));
    assert!(told(&mut ring, "NOW 00000000").contains("not in the ring"));
    ring.now += MINUTE;
    let id = ring.revoke(" purge");
    assert_eq!(ring.step(), (vec![], Stage::Ignored));
    assert!(ring.revocation().message.contains("only `remove` may stand there"));
    let late = format!("{} {id}", ring.now - MINUTE * 90);
    assert!(told(&mut ring, &late).contains("older than the TokenCache"));
}

#[test]
fn where_entries_are_not_looked_into_a_key_is_revoked_without_a_count_and_nothing_is_removed() {
    let metadata = |ring: &mut Keys| ring.cache.spec.entries.inspect = Some(Inspect::Metadata);
    let mut ring = Keys::begun();
    metadata(&mut ring);
    ring.now += MINUTE;
    let id = ring.revoke(" remove");
    assert_eq!(ring.step(), (vec![], Stage::Ignored));
    let told = ring.revocation().message;
    assert!(told.contains("spec.entries.inspect is Metadata") && told.contains("leave out `remove`"), "{told}");
    assert_eq!(ring.state(&id), KeyState::Active);
    ring.now += MINUTE;
    ring.revoke("");
    assert_eq!(ring.step().0, ["mint", "create", "Secret shop-keys"], "it is not waited for");
    let told = ring.revocation().message;
    assert!(told.contains("could not be counted: spec.entries.inspect is Metadata"), "{told}");
    assert!(ring.beside.sweep.is_none(), "nothing is read");
    assert_eq!(ring.step(), (vec![], Stage::Completed));
    assert!(ring.revocation().message.contains("once spec.entries.inspect is Payloads"));
    // Set while entries are being removed: that ends.
    let mut ring = Keys::begun();
    ring.revoke(" remove");
    ring.step();
    ring.swept(Tally { keys: 50, meant: 30, ..Tally::default() });
    ring.step();
    ring.step();
    ring.step();
    assert!(ring.beside.sweep.is_some());
    metadata(&mut ring);
    ring.step();
    assert!(ring.beside.sweep.is_none() && ring.revocation().message.contains("spec.entries.inspect is Metadata"));
}

#[test]
fn a_paused_cache_keeps_its_key_until_it_goes_on() {
    let mut ring = Keys::begun();
    ring.revoke("");
    ring.annotate("tokencache.dev/reconcile", "paused");
    assert_eq!(ring.step(), (vec![], Stage::Waiting));
    assert!(ring.beside.sweep.is_none());
    ring.annotate("tokencache.dev/reconcile", "no");
    assert_eq!(ring.step(), (vec![], Stage::Counting));
}
