//! A key that is revoked on request, step by step, on values.

use jiff::{SignedDuration, Timestamp};
use tokencache_operator::{
    api::v1alpha1::{Inspect, KeyState, OperationStage as Stage, OperationStatus},
    capability::progress::{Progress, State, Step, Tally},
    data_protection::{key::id::KeyId, ring::in_use::EntriesOfKeys},
    kubernetes::read::{
        process::{Process, Processes},
        workload::Workload,
    },
};

use super::key_ring::Keys;
use super::world::START;

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

    pub fn revocation(&self) -> OperationStatus {
        self.before.revoke.operation.clone().unwrap()
    }

    /// Passes, and begins the sweep that is wanted, unless it is under way.
    pub fn step(&mut self) -> (Vec<String>, Stage) {
        let written = self.pass();
        let wanted = self.before.revoke.sweep.clone();
        let begun = self.beside.sweep.take();
        let begun = begun.filter(|begun| wanted.as_ref().is_some_and(|wanted| wanted.id == begun.id));
        let at_first = |sweep: EntriesOfKeys| Progress { id: sweep.id, tally: Tally::default(), state: State::Running };
        self.beside.sweep = begun.or_else(|| wanted.map(at_first));
        (written, self.revocation().stage)
    }

    pub fn swept(&mut self, tally: Tally) {
        let progress = self.beside.sweep.as_mut().unwrap();
        (progress.tally, progress.state) = (tally, State::Done);
    }

    /// A request to revoke and remove, whose revocation has just been seen to be published, with these pods.
    fn revoked_with(processes: Processes) -> Self {
        let mut ring = Self::begun();
        ring.now += MINUTE;
        ring.revoke(" remove");
        ring.step();
        ring.swept(Tally { keys: 50, meant: 30, ..Tally::default() });
        ring.step();
        ring.step();
        assert_eq!(ring.step(), (vec![], Stage::Published));
        ring.beside.processes = processes;
        ring
    }

    pub fn sweeps(&self) -> Option<Step> {
        self.before.revoke.sweep.as_ref().map(|sweep| sweep.id.step)
    }

    pub fn message(&self) -> String {
        self.revocation().message
    }

    pub fn state(&self, id: &str) -> KeyState {
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
    assert_eq!(progress.id.step, Step::Count);
    assert_eq!(ring.before.revoke.sweep.as_ref().unwrap().keys, [KeyId::parse(&id).unwrap()].into());
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
    let flush = ring.revocation().remedies.pop().and_then(|remedy| remedy.command);
    assert!(flush.is_some_and(|command| command.contains("tokencache.dev/flush-requested")), "{told}");
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
    assert!(ring.now.duration_since(new.creation_date.unwrap().0) > SignedDuration::from_hours(48));
    assert_eq!(new.created.0, ring.now, "when it was made is told beside");
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
    let mut ring = Keys::revoked_with(Processes::Known(Vec::new()));
    assert_eq!(ring.step(), (vec![], Stage::Removing));
    assert_eq!(ring.beside.sweep.as_ref().unwrap().id.step, Step::RemoveLast, "nobody uses the ring");
    ring.swept(Tally { keys: 50, meant: 30, removed: 30, ..Tally::default() });
    assert_eq!(ring.step(), (vec![], Stage::Completed));
    assert!(ring.revocation().message.contains("30 stored entries were removed"));
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
    assert!(ring.revocation().message.contains("only `remove` may stand"));
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
    assert!(
        told.contains("spec.entries.inspect is Metadata")
            && ring.revocation().remedies[1].command.as_deref().is_some_and(|command| !command.contains("remove")),
        "{told}"
    );
    assert_eq!(ring.state(&id), KeyState::Active);
    ring.now += MINUTE;
    ring.revoke("");
    assert_eq!(ring.step().0, ["mint", "create", "Secret shop-keys"], "it is not waited for");
    let told = ring.revocation().message;
    assert!(told.contains("could not be counted: spec.entries.inspect is Metadata"), "{told}");
    assert!(ring.beside.sweep.is_none(), "nothing is read");
    assert_eq!(ring.step(), (vec![], Stage::Completed));
    let flush = ring.revocation().remedies.pop().unwrap();
    assert!(flush.step.starts_with("set spec.entries.inspect: Payloads, and flush"), "{}", flush.step);
    // Set while entries are being removed: that ends.
    let mut ring = Keys::begun();
    ring.revoke(" remove");
    ring.step();
    ring.swept(Tally { keys: 50, meant: 30, ..Tally::default() });
    ring.step();
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

/// A pod of Deployment web that runs since then.
fn web(started: Timestamp) -> Processes {
    let workload = Workload { kind: "Deployment".to_owned(), name: "web".to_owned() };
    Processes::Known(vec![Process { workload, pod: "web-1".to_owned(), started: Some(started), deleted: None }])
}

const ALL_OF_30: Tally =
    Tally { keys: 50, meant: 30, readable: 0, foreign: 0, unidentified: 0, too_big: 0, removed: 30 };

#[test]
fn what_older_processes_store_after_a_sweep_is_removed_by_another_when_none_of_them_runs_any_more() {
    let mut ring = Keys::revoked_with(web(START));
    let published = ring.revocation().published.unwrap().0;
    assert_eq!(
        (ring.step(), ring.sweeps()),
        ((vec![], Stage::Removing), Some(Step::Remove)),
        "what there is goes at once"
    );
    ring.swept(ALL_OF_30);
    assert_eq!((ring.step(), ring.sweeps()), ((vec![], Stage::AwaitingRestart), None));
    for part in [
        "are waited for: Deployment web (1 pod: web-1)",
        "Costs nothing: restart Deployment web after 2026-01-01T00:03:00Z",
    ] {
        assert!(ring.message().contains(part), "{}", ring.message());
    }
    let restart = |ring: &Keys| ring.revocation().remedies[0].command.clone().unwrap();
    assert_eq!(restart(&ring), "kubectl -n web rollout restart deployment/web");
    assert_eq!(ring.revocation().removed, Some(30));
    // However long it takes; a restart of the operator makes no difference.
    ring.beside.sweep = None;
    ring.now += MINUTE * 60 * 100;
    assert_eq!((ring.step(), ring.sweeps()), ((vec![], Stage::AwaitingRestart), None));
    assert_eq!(ring.revocation().published.unwrap().0, published);
    assert!(ring.message().ends_with("Costs nothing: restart Deployment web"), "{}", ring.message());
    assert_eq!(restart(&ring), "kubectl -n web rollout restart deployment/web");
    ring.beside.processes = web(published + MINUTE * 3);
    assert_eq!((ring.step(), ring.sweeps()), ((vec![], Stage::Removing), Some(Step::RemoveLast)));
    assert_eq!(ring.before.revoke.sweep.as_ref().unwrap().removed_before, 30);
    ring.swept(Tally { removed: 34, ..ALL_OF_30 });
    assert_eq!(ring.step(), (vec![], Stage::Completed));
    assert!(ring.message().contains("34 stored entries were removed"), "{}", ring.message());
    assert_eq!(ring.revocation().removed, Some(34));
}

#[test]
fn a_process_that_started_before_kubelet_had_the_revocation_is_an_older_one() {
    let published = Keys::revoked_with(web(START)).revocation().published.unwrap().0;
    for (started, waits) in [(-MINUTE, true), (MINUTE, true), (MINUTE * 2, false)] {
        let mut ring = Keys::revoked_with(web(published + started));
        ring.now += MINUTE * 10;
        ring.step();
        assert_eq!(ring.sweeps(), Some(if waits { Step::Remove } else { Step::RemoveLast }), "{started}");
    }
    // A pod that has yet to start may still read the ring of before.
    let mut ring = Keys::revoked_with(web(START));
    if let Processes::Known(processes) = &mut ring.beside.processes {
        processes[0].started = None;
    }
    ring.step();
    ring.swept(ALL_OF_30);
    assert_eq!(ring.step(), (vec![], Stage::AwaitingRestart));
    assert!(ring.message().contains("may store more"), "{}", ring.message());
    ring.now += MINUTE * 2;
    assert_eq!((ring.step(), ring.sweeps()), ((vec![], Stage::Removing), Some(Step::RemoveLast)));
}

#[test]
fn where_pods_cannot_be_listed_it_is_swept_again_when_every_process_has_read_the_ring_by_itself() {
    let mut ring = Keys::revoked_with(Processes::Unknown);
    assert_eq!((ring.step(), ring.sweeps()), ((vec![], Stage::Removing), Some(Step::Remove)));
    ring.swept(ALL_OF_30);
    assert_eq!(ring.step(), (vec![], Stage::AwaitingRestart));
    let told = ring.message();
    assert!(
        told.contains("cannot list the pods of namespace web")
            && told.contains("What older pods store is removed at 2026-01-02T00:03:00Z"),
        "{told}"
    );
    let read = ring.revocation().published.unwrap().0 + MINUTE * (24 * 60 + 2);
    assert_eq!(ring.before.revoke.wake_at, Some(read));
    ring.now = read - MINUTE;
    assert_eq!(ring.step(), (vec![], Stage::AwaitingRestart));
    ring.now = read;
    assert_eq!((ring.step(), ring.sweeps()), ((vec![], Stage::Removing), Some(Step::RemoveLast)));
    ring.swept(ALL_OF_30);
    assert_eq!(ring.step(), (vec![], Stage::Completed));
}

#[test]
fn the_last_sweep_is_one_that_was_begun_when_no_older_process_ran() {
    // One that ends meanwhile is no last one.
    let mut ring = Keys::revoked_with(web(START));
    ring.step();
    ring.beside.processes = Processes::Known(Vec::new());
    assert_eq!((ring.step(), ring.sweeps()), ((vec![], Stage::Removing), Some(Step::Remove)), "it goes on to its end");
    ring.swept(ALL_OF_30);
    assert_eq!((ring.step(), ring.sweeps()), ((vec![], Stage::Removing), Some(Step::RemoveLast)));
    // Nor is it in vain where pods cannot be listed when it is over.
    ring.beside.processes = Processes::Unknown;
    ring.swept(Tally { removed: 31, ..ALL_OF_30 });
    assert_eq!(ring.step(), (vec![], Stage::Completed));
    // It goes on where they cannot be listed in its midst.
    let mut ring = Keys::revoked_with(Processes::Known(Vec::new()));
    ring.step();
    ring.beside.processes = Processes::Unknown;
    assert_eq!((ring.step(), ring.sweeps()), ((vec![], Stage::Removing), Some(Step::RemoveLast)));
    // One that fails is begun again, and the operator may end in its midst.
    let mut ring = Keys::revoked_with(Processes::Known(Vec::new()));
    ring.step();
    let at = ring.now;
    ring.beside.sweep.as_mut().unwrap().state = State::Failing { why: "Redis is loading its data".to_owned(), at };
    assert_eq!((ring.step(), ring.sweeps()), ((vec![], Stage::Removing), Some(Step::RemoveLast)));
    assert!(ring.message().contains("again soon: Redis is loading"), "{}", ring.message());
    ring.beside.sweep = None;
    assert_eq!((ring.step(), ring.sweeps()), ((vec![], Stage::Removing), Some(Step::RemoveLast)));
}

#[test]
fn while_a_restart_is_awaited_another_request_takes_its_place() {
    let mut ring = Keys::revoked_with(web(START));
    ring.step();
    ring.swept(ALL_OF_30);
    assert_eq!(ring.step(), (vec![], Stage::AwaitingRestart));
    ring.now += MINUTE;
    let id = ring.revoke("");
    assert_eq!(ring.step(), (vec![], Stage::Counting));
    let told = ring.revocation();
    assert_eq!((told.published, told.removed), (None, None), "nothing is taken for what the other one did");
    assert_eq!(ring.state(&id), KeyState::Active);
}

#[test]
fn while_a_cache_is_paused_nothing_is_removed() {
    for swept in [false, true] {
        let mut ring = Keys::revoked_with(web(START));
        if swept {
            ring.step();
            ring.swept(ALL_OF_30);
            assert_eq!(ring.step(), (vec![], Stage::AwaitingRestart));
        }
        let stage = ring.revocation().stage;
        ring.annotate("tokencache.dev/reconcile", "paused");
        ring.beside.processes = Processes::Known(Vec::new());
        assert_eq!((ring.step(), ring.sweeps()), ((vec![], stage), None));
        assert!(
            ring.message().contains("is not removed yet: annotation tokencache.dev/reconcile says paused"),
            "{}",
            ring.message()
        );
        ring.annotate("tokencache.dev/reconcile", "no");
        assert_eq!((ring.step(), ring.sweeps()), ((vec![], Stage::Removing), Some(Step::RemoveLast)));
    }
}
