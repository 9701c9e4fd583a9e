//! Stored entries that are to go, step by step, on values.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokencache_operator::api::v1alpha1::{OperationStage as Stage, OperationStatus};
use tokencache_operator::data_protection::key_ring::KeyRing;
use tokencache_operator::data_protection::reader::Reader;
use tokencache_operator::redis::flush::{Flush, Input, What, Wish, read};
use tokencache_operator::request::Request;
use tokencache_operator::sweep::{AGAIN_AFTER, Progress, Selection, State, Step, Tally};

use super::world::{START, World, shop};

const ASKED: &str = "2026-01-01T12:00:00Z";

/// A cache of which entries are to go.
struct Asked {
    wish: Wish,
    encrypt: bool,
    is_named: bool,
    reader: Option<Arc<Reader>>,
    before: Option<OperationStatus>,
    progress: Option<Progress>,
    obstacle: Option<&'static str>,
    now: Timestamp,
}

impl Asked {
    fn of(value: &str) -> Self {
        let wish =
            Wish { request: Some(Request::parse(value)), what: What::parse(value), created: Some(START), held: false };
        let reader = Some(Arc::new(Reader::new(KeyRing::default(), vec!["/app".to_owned()])));
        let now = ASKED.parse::<Timestamp>().unwrap() + SignedDuration::from_secs(5);
        Self { wish, encrypt: true, is_named: false, reader, before: None, progress: None, obstacle: None, now }
    }

    fn read(&self) -> Flush {
        let owner = World::new(shop("{}")).settings().owner;
        let operations: Vec<OperationStatus> = self.before.clone().into_iter().collect();
        read(&Input {
            owner: &owner,
            prefix: "shop:",
            wish: &self.wish,
            encrypt: self.encrypt,
            reader: self.reader.as_ref(),
            is_named: self.is_named,
            operations: &operations,
            progress: self.progress.as_ref(),
            obstacle: self.obstacle,
            consumers: "Deployment web",
            now: self.now,
        })
    }

    /// Reports, and begins the sweep that is wanted, unless it is under way.
    fn pass(&mut self) -> (Stage, String) {
        let Flush { operation, sweep, .. } = self.read();
        let begun =
            self.progress.take().filter(|progress| sweep.as_ref().is_some_and(|sweep| sweep.id == progress.sweep.id));
        self.progress = begun.or_else(|| {
            let sweep = sweep?;
            let tally = Tally { removed: sweep.removed_before, ..Tally::default() };
            Some(Progress { sweep, tally, state: State::Running })
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
        let sweep = &self.progress.as_ref().unwrap().sweep;
        (sweep.id.step, sweep.selection.clone())
    }
}

#[test]
fn unreadable_entries_are_counted_and_then_removed() {
    let mut asked = Asked::of(&format!("{ASKED} unreadable"));
    assert_eq!(asked.stage(), Stage::Counting);
    assert_eq!(asked.swept(), (Step::Count, Selection::Unreadable { encrypt: true, foreign: false }));
    assert_eq!(asked.stage(), Stage::Counting, "it is under way");
    asked.done(Tally { keys: 50, meant: 3, opened: 40, ..Tally::default() });
    let (stage, message) = asked.pass();
    assert_eq!(stage, Stage::Removing, "{message}");
    assert_eq!(
        asked.swept(),
        (Step::Remove, Selection::Unreadable { encrypt: true, foreign: true }),
        "a name is known"
    );
    assert_eq!(asked.pass().1, "3 of 50 entries under \"shop:\" are being removed");
    asked.done(Tally { keys: 50, meant: 3, removed: 3, opened: 40, ..Tally::default() });
    let (stage, message) = asked.pass();
    assert_eq!(stage, Stage::Completed);
    assert!(message.starts_with("3 of 50 entries under \"shop:\" were removed"), "{message}");
    assert!(message.contains("restart Deployment web"), "{message}");
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
    assert_eq!(all.stage(), Stage::Removing);
    assert_eq!(all.swept(), (Step::Remove, Selection::All));
    all.done(Tally { keys: 9, meant: 9, removed: 9, ..Tally::default() });
    assert!(all.pass().1.starts_with("9 of 9 entries"));
}

#[test]
fn where_nothing_is_unreadable_nothing_is_removed() {
    let mut asked = Asked::of(ASKED);
    asked.pass();
    asked.done(Tally { keys: 50, opened: 50, ..Tally::default() });
    assert_eq!(asked.pass(), (Stage::Completed, "none of 50 entries under \"shop:\" was to be removed".to_owned()));
}

#[test]
fn entries_of_another_name_are_left_alone_while_no_name_is_known_to_be_right() {
    let mut asked = Asked::of(ASKED);
    asked.pass();
    asked.done(Tally { keys: 50, foreign: 50, ..Tally::default() });
    let (stage, message) = asked.pass();
    assert_eq!(stage, Stage::Completed);
    assert!(
        message.contains("50 were left alone") && message.contains("spec.dataProtection.applicationName"),
        "{message}"
    );
    let mut named = Asked { is_named: true, ..Asked::of(ASKED) };
    named.pass();
    assert_eq!(named.swept().1, Selection::Unreadable { encrypt: true, foreign: true });
}

#[test]
fn an_operator_that_ends_meanwhile_begins_again_and_what_was_removed_is_told() {
    let mut asked = Asked::of(&format!("{ASKED} all"));
    asked.pass();
    asked.progress.as_mut().unwrap().tally = Tally { keys: 400, removed: 400, ..Tally::default() };
    assert!(asked.pass().1.contains("400 so far"));
    asked.progress = None;
    asked.pass();
    assert_eq!(asked.progress.as_ref().unwrap().sweep.removed_before, 400);
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
    assert!(flush.operation.unwrap().message.ends_with("begun again soon, since Redis did not answer in time"));
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
    assert!(told(&mut Asked::of(&format!("{ASKED} everything"))).contains("neither `all` nor `unreadable`"));
    assert!(told(&mut Asked { reader: None, ..Asked::of(ASKED) }).contains("ask for `all`"));
    let mut late = Asked::of(ASKED);
    late.now += SignedDuration::from_hours(2);
    assert!(told(&mut late).contains("more than an hour old"));
}
