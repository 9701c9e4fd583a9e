//! Stored entries that are to go, step by step, on values.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokencache_operator::{
    api::v1alpha1::{OperationStage as Stage, OperationStatus, Remedy},
    capability::{
        operation::Request,
        progress::{AGAIN_AFTER, Progress, State, Step, Tally},
    },
    data_protection::ring::open::KeyRing,
    entries::{
        entry::reader::Reader,
        flush::{Flush, Input, Reads, read},
        settings::{FlushRequest, What},
        sweep::{Selection, Sweep},
    },
};

use super::world::{START, World, shop};

const ASKED: &str = "2026-01-01T12:00:00Z";

/// What there is to read entries with.
#[derive(Clone)]
enum DatedKeys {
    Whole(Arc<Reader>),
    Lacking,
    None,
    NotInspected,
}

/// A ring, by the names under which it reads.
fn ring(name: &str) -> Arc<Reader> {
    Arc::new(Reader::new(KeyRing::default(), vec![name.to_owned()]))
}

/// A cache of which entries are to go.
struct Asked {
    wish: FlushRequest,
    encrypt: bool,
    ring: DatedKeys,
    before: Option<OperationStatus>,
    progress: Option<Progress>,
    /// The sweep that is wanted.
    begun: Option<Sweep>,
    obstacle: Option<&'static str>,
    now: Timestamp,
}

impl Asked {
    fn of(value: &str) -> Self {
        let wish = FlushRequest {
            request: Some(Request::parse(value)),
            what: What::parse(value),
            created: Some(START),
            held: false,
        };
        let now = ASKED.parse::<Timestamp>().unwrap() + SignedDuration::from_secs(5);
        let ring = DatedKeys::Whole(ring("/app"));
        Self { wish, encrypt: true, ring, before: None, progress: None, begun: None, obstacle: None, now }
    }

    fn read(&self) -> Flush {
        let owner = World::new(shop("{}")).settings().owner;
        let operations: Vec<OperationStatus> = self.before.clone().into_iter().collect();
        read(&Input {
            owner: &owner,
            prefix: "shop:",
            wish: &self.wish,
            encrypt: self.encrypt,
            reads: match &self.ring {
                DatedKeys::Whole(reader) => Reads::With(reader),
                DatedKeys::Lacking => Reads::NotYet("the key ring may lack keys".to_owned()),
                DatedKeys::None => Reads::NoRing,
                DatedKeys::NotInspected => Reads::NotAtAll,
            },
            operations: &operations,
            progress: self.progress.as_ref(),
            obstacle: self.obstacle,
            restart: Remedy::free("restart Deployment web"),
            now: self.now,
        })
    }

    /// Reports, and begins the sweep that is wanted, unless it is under way.
    fn pass(&mut self) -> (Stage, String) {
        let Flush { operation, sweep, .. } = self.read();
        self.begun.clone_from(&sweep);
        let begun = self.progress.take().filter(|progress| sweep.as_ref().is_some_and(|sweep| sweep.id == progress.id));
        self.progress = begun.or_else(|| {
            let sweep = sweep?;
            let tally = Tally { removed: sweep.removed_before, ..Tally::default() };
            Some(Progress { id: sweep.id, tally, state: State::Running })
        });
        self.before = operation;
        let before = self.before.as_ref().unwrap();
        (before.stage, before.message.clone())
    }

    fn stage(&mut self) -> Stage {
        self.pass().0
    }

    /// The sweep came to its end.
    fn done(&mut self, tally: Tally) {
        let progress = self.progress.as_mut().unwrap();
        (progress.tally, progress.state) = (tally, State::Done);
        self.now += SignedDuration::from_secs(7);
    }

    fn swept(&self) -> (Step, Selection) {
        let sweep = self.begun.as_ref().unwrap();
        assert_eq!(sweep.id, self.progress.as_ref().unwrap().id);
        (sweep.id.step, sweep.selection.clone())
    }
}

#[test]
fn unreadable_entries_are_counted_and_then_removed() {
    let mut asked = Asked::of(&format!("{ASKED} unreadable"));
    assert_eq!(asked.stage(), Stage::Counting);
    assert_eq!(asked.swept(), (Step::Count, Selection::Unreadable));
    assert_eq!(asked.stage(), Stage::Counting, "it is under way");
    asked.done(Tally { keys: 50, meant: 3, readable: 40, ..Tally::default() });
    // An Event has this, which nobody corrects.
    let removing = "removing unreadable entries only under \"shop:\"; 0 of 3 so far";
    assert_eq!(asked.pass(), (Stage::Removing, removing.to_owned()));
    assert_eq!(asked.swept(), (Step::Remove, Selection::Unreadable));
    asked.progress.as_mut().unwrap().tally.removed = 2;
    assert_eq!(asked.pass().1, "removing unreadable entries only under \"shop:\"; 2 of 3 so far");
    asked.done(Tally { keys: 50, meant: 3, removed: 3, readable: 40, ..Tally::default() });
    let (stage, message) = asked.pass();
    assert_eq!(stage, Stage::Completed);
    assert!(message.starts_with("removed 3 of 50 entries under \"shop:\". "), "{message}");
    assert!(message.ends_with(". Costs nothing: restart Deployment web"), "{message}");
    let told = asked.before.clone().unwrap();
    assert_eq!((told.entries, told.affected, told.removed, told.seconds), (Some(50), Some(3), Some(3), Some(14)));
    asked.now += SignedDuration::from_hours(48);
    asked.pass();
    assert_eq!(asked.before, Some(told), "what was done stays as it was told");
    assert_eq!(asked.progress, None);
}

#[test]
fn without_a_word_what_removes_least_is_meant() {
    let mut asked = Asked::of(ASKED);
    asked.pass();
    assert_eq!(asked.swept().0, Step::Count);
    let mut all = Asked::of(&format!("{ASKED} all"));
    assert_eq!(all.pass(), (Stage::Removing, "removing all entries under \"shop:\"; 0 so far".to_owned()));
    assert_eq!(all.swept(), (Step::Remove, Selection::All));
    all.done(Tally { keys: 9, meant: 9, removed: 9, ..Tally::default() });
    assert!(all.pass().1.starts_with("removed 9 of 9 entries"));
}

#[test]
fn where_nothing_is_unreadable_nothing_is_removed() {
    let mut asked = Asked::of(ASKED);
    asked.pass();
    asked.done(Tally { keys: 50, readable: 50, ..Tally::default() });
    assert_eq!(asked.pass(), (Stage::Completed, "removed 0 of 50 entries under \"shop:\"".to_owned()));
}

#[test]
fn what_is_left_alone_is_told_with_what_to_do() {
    let outcome = |asked: &mut Asked, tally: Tally| {
        asked.pass();
        asked.done(tally);
        let (stage, message) = asked.pass();
        assert_eq!(stage, Stage::Completed);
        (message, asked.before.as_ref().unwrap().remedies.clone())
    };
    let tally = Tally { keys: 60, readable: 30, foreign: 20, unidentified: 7, too_big: 3, ..Tally::default() };
    let (told, remedies) = outcome(&mut Asked::of(ASKED), tally);
    for words in ["20 under an unknown application name", "7 not known as MSAL's", "3 too big"] {
        assert!(told.contains(words), "{words:?} is not in {told}");
    }
    assert!(!told.contains("30 encrypted"), "{told}");
    let steps = |remedies: &[Remedy]| remedies.iter().map(Remedy::sentence).collect::<Vec<_>>().join(". ");
    assert!(steps(&remedies).starts_with("Costs nothing: set spec.dataProtection.applicationName"), "{remedies:?}");
    assert_eq!(remedies.len(), 1);
    let (told, remedies) = outcome(&mut Asked { encrypt: false, ..Asked::of(ASKED) }, tally);
    assert!(told.contains("30 encrypted"), "{told}");
    assert!(steps(&remedies).contains("Costs encrypted entries only: if applications do not encrypt"));
    assert!(remedies[1].command.as_ref().unwrap().ends_with(" encrypted\""), "{remedies:?}");
}

#[test]
fn encrypted_entries_go_where_they_are_asked_for_by_that_word() {
    let mut asked = Asked::of(&format!("{ASKED} encrypted"));
    assert_eq!(asked.pass(), (Stage::Counting, "counting encrypted entries under \"shop:\"".to_owned()));
    assert_eq!(asked.swept(), (Step::Count, Selection::Encrypted));
    asked.done(Tally { keys: 50, meant: 40, readable: 40, ..Tally::default() });
    assert_eq!(asked.stage(), Stage::Removing);
    assert_eq!(asked.swept(), (Step::Remove, Selection::Encrypted));
    asked.done(Tally { keys: 50, meant: 40, readable: 40, removed: 40, ..Tally::default() });
    assert!(!asked.pass().1.contains("Left alone"));
}

#[test]
fn each_attempt_reads_with_the_ring_as_it_is_then() {
    let reads = |asked: &Asked| asked.read().sweep.unwrap().reader.unwrap().names().to_vec();
    let mut asked = Asked::of(ASKED);
    asked.pass();
    let failing = |asked: &mut Asked| {
        let at = asked.now;
        asked.progress.as_mut().unwrap().state = State::Failing { why: "Redis is loading its data".to_owned(), at };
    };
    failing(&mut asked);
    asked.ring = DatedKeys::Whole(ring("imported"));
    assert_eq!(reads(&asked), ["imported"], "of an attempt that failed");
    asked.progress = None;
    asked.pass();
    asked.done(Tally { keys: 50, meant: 3, ..Tally::default() });
    asked.ring = DatedKeys::Whole(ring("certified"));
    assert_eq!(reads(&asked), ["certified"], "between the count and the removal");
    asked.pass();
    assert_eq!(asked.swept().0, Step::Remove);
    failing(&mut asked);
    asked.ring = DatedKeys::Whole(ring("restored"));
    assert_eq!(reads(&asked), ["restored"], "of a removal that failed");
    asked.progress.as_mut().unwrap().state = State::Running;
    assert_eq!(reads(&asked), ["restored"], "of one that is under way");
}

#[test]
fn while_the_ring_may_lack_keys_nothing_counts_as_unreadable() {
    let mut asked = Asked { ring: DatedKeys::Lacking, ..Asked::of(ASKED) };
    let waits = (Stage::Waiting, "nothing is removed at the moment: the key ring may lack keys".to_owned());
    assert_eq!(asked.pass(), waits);
    assert_eq!(asked.progress, None);
    asked.ring = DatedKeys::Whole(ring("/app"));
    assert_eq!(asked.stage(), Stage::Counting);
    asked.ring = DatedKeys::Lacking;
    asked.pass();
    assert_eq!(asked.progress, None, "one that is under way is ended");
    let mut all = Asked { ring: DatedKeys::Lacking, ..Asked::of(&format!("{ASKED} all")) };
    assert_eq!(all.stage(), Stage::Removing, "that takes no ring");
}

#[test]
fn an_operator_that_ends_meanwhile_begins_again_and_what_was_removed_is_told() {
    let mut asked = Asked::of(&format!("{ASKED} all"));
    asked.pass();
    asked.progress.as_mut().unwrap().tally = Tally { keys: 400, removed: 400, ..Tally::default() };
    assert!(asked.pass().1.contains("400 so far"));
    asked.progress = None;
    asked.pass();
    assert_eq!(asked.begun.as_ref().unwrap().removed_before, 400);
    asked.done(Tally { keys: 600, removed: 1000, ..Tally::default() });
    asked.pass();
    assert_eq!(asked.before.unwrap().removed, Some(1000));
}

#[test]
fn a_sweep_that_failed_is_begun_again_a_while_later_and_why_is_told() {
    let mut asked = Asked::of(ASKED);
    asked.pass();
    let at = asked.now;
    asked.progress.as_mut().unwrap().state = State::Failing { why: "Redis did not answer in time".to_owned(), at };
    let flush = asked.read();
    assert!(flush.operation.unwrap().message.ends_with(". It starts again soon: Redis did not answer in time"));
    assert_eq!((flush.wake_at, flush.sweep.unwrap().id.step), (Some(at + AGAIN_AFTER), Step::Count));
}

#[test]
fn what_is_held_or_cannot_be_is_waited_for() {
    let mut asked = Asked { obstacle: Some("there is no Redis server"), ..Asked::of(ASKED) };
    let (stage, message) = asked.pass();
    assert_eq!(
        (stage, message.as_str()),
        (Stage::Waiting, "nothing is removed at the moment: there is no Redis server")
    );
    assert_eq!(asked.progress, None);
    asked.obstacle = None;
    asked.now += SignedDuration::from_hours(3);
    assert_eq!(asked.stage(), Stage::Counting, "it was seen in time");
    asked.wish.held = true;
    assert_eq!(asked.stage(), Stage::Waiting);
    assert_eq!(asked.progress, None, "a paused cache is not swept");
}

#[test]
fn a_request_that_is_not_followed_says_why() {
    let told = |asked: &mut Asked| {
        let (stage, message) = asked.pass();
        assert_eq!((stage, &asked.progress), (Stage::Ignored, &None), "{message}");
        message
    };
    assert!(told(&mut Asked::of("yes")).contains("does not begin with a time"));
    assert!(
        told(&mut Asked::of(&format!("{ASKED} everything")))
            .contains("\"everything\", not all, unreadable or encrypted")
    );
    for words in ["", " unreadable", " encrypted"] {
        let of = |ring: DatedKeys| Asked { ring, ..Asked::of(&format!("{ASKED}{words}")) };
        assert!(told(&mut of(DatedKeys::None)).contains("spec.dataProtection.mode is None"), "{words}");
        let not_inspected = told(&mut of(DatedKeys::NotInspected));
        assert!(not_inspected.contains("spec.entries.inspect is Metadata"), "{not_inspected}");
    }
    for ring in [DatedKeys::None, DatedKeys::NotInspected] {
        assert_eq!(Asked { ring, ..Asked::of(&format!("{ASKED} all")) }.stage(), Stage::Removing, "that takes no look");
    }
    let mut late = Asked::of(ASKED);
    late.now += SignedDuration::from_hours(2);
    assert!(told(&mut late).contains("more than an hour old"));
}
