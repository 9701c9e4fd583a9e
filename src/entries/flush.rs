//! Stored entries that are to go, because an annotation asks for it: all of them, those that nobody can read, or those that are
//! encrypted.
//!
//! In: what is asked for, what the status said of it, how far the sweep is, the time. Out: what is said, and the sweep that is
//! to be made. What is to be removed is counted first, and removed under the cache's prefix only: never by FLUSHDB, which
//! would take what others have there. An operator that ends meanwhile begins the sweep again, and what was removed stays so.
//! What is unreadable is shown by the ring as it is at each attempt, and by the entries, never by what the spec says of them.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    entry::reader::Reader,
    settings::{FlushRequest, What},
    sweep::{Selection, Sweep},
};
use crate::{
    api::v1alpha1::{FLUSH_ANNOTATION, OperationStage, OperationStatus, OperationType, Remedy},
    capability::{
        operation::{self, Again, Request, is},
        part::Operation,
        progress::{AGAIN_AFTER, Progress, State, Step, SweepId, Tally, number},
    },
    condition::{Message, Reason},
    kubernetes::identity::Owner,
};

/// What entries are read with.
#[derive(Debug, Clone)]
pub enum Reads<'seen> {
    /// The ring, as it is now.
    With(&'seen Arc<Reader>),
    /// The ring is not there as a whole, why in words: what one of its keys reads would count as unreadable.
    NotYet(String),
    /// There is no ring: the operator has none to keep.
    NoRing,
    /// They are not to be looked into.
    NotAtAll,
}

/// What a flush is read from.
#[derive(Clone)]
pub struct Input<'seen> {
    /// Whose entries.
    pub owner: &'seen Owner,
    /// What they begin with.
    pub prefix: &'seen str,
    /// What is asked for.
    pub wish: &'seen FlushRequest,
    /// Whether applications encrypt.
    pub encrypt: bool,
    /// What reads entries.
    pub reads: Reads<'seen>,
    /// What the status says of requests.
    pub operations: &'seen [OperationStatus],
    /// How far the latest sweep is.
    pub progress: Option<&'seen Progress>,
    /// Why no sweep can be made now.
    pub obstacle: Option<&'seen str>,
    /// How applications lose the entries that they keep in memory.
    pub restart: Remedy,
    /// The time.
    pub now: Timestamp,
}

/// How far a flush is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Flush {
    /// What is said of it.
    pub operation: Option<OperationStatus>,
    /// The sweep that is to be made.
    pub sweep: Option<Sweep>,
    /// When it is to be looked at again.
    pub wake_at: Option<Timestamp>,
}

/// When entries were removed last, whatever it was asked for.
#[must_use]
pub fn last(operations: &[OperationStatus]) -> Option<Timestamp> {
    let removed = operations.iter().filter(|operation| operation.removed.is_some_and(|removed| removed > 0));
    removed.filter_map(|operation| operation.finished.as_ref()).map(|finished| finished.0).max()
}

/// What is said of it, with the reason of the Event about its stage.
#[must_use]
pub fn told(entry: OperationStatus) -> Operation {
    let event = match entry.stage {
        OperationStage::Ignored => Some(Reason::RequestIgnored),
        OperationStage::Removing => Some(Reason::RemovingEntries),
        OperationStage::Completed => Some(Reason::EntriesRemoved),
        _ => None,
    };
    Operation { entry, event }
}

fn said(operation: Option<OperationStatus>) -> Flush {
    Flush { operation, ..Flush::default() }
}

fn entry(stage: OperationStage, requested: Option<Timestamp>, message: impl Into<Message>) -> OperationStatus {
    operation::entry(OperationType::Flush, stage, requested, message)
}

/// Reads how far it is.
#[must_use]
pub fn read(input: &Input<'_>) -> Flush {
    let before = operation::entry_in(input.operations, OperationType::Flush);
    let requested = match &input.wish.request {
        None => return said(before.filter(|before| before.stage.outlasts_request()).cloned()),
        Some(Request::Malformed(value)) => {
            let message =
                operation::malformed(input.owner, FLUSH_ANNOTATION, value, Some(&again(&What::named_in(value))));
            return said(Some(entry(OperationStage::Ignored, None, message)));
        }
        Some(Request::At(time)) => *time,
    };
    // Only the status tells that it was done. What a later version says of it is no reason to do it again.
    let is_done = |entry: &&OperationStatus| entry.stage.is_final() || entry.stage == OperationStage::Unknown;
    let done = before.filter(is_done);
    let before = before.filter(|before| is(before, requested));
    if let Some(before) = before.filter(is_done) {
        return said(Some(before.clone()));
    }
    if let Some(Refusal { why, before, again }) = input.refused(requested, before, done) {
        let message = operation::ignored(input.owner, FLUSH_ANNOTATION, &why, Some(&again));
        let message = before.into_iter().fold(message, Message::first);
        return said(Some(entry(OperationStage::Ignored, Some(requested), message)));
    }
    if input.wish.held {
        let message = format!("nothing is removed yet: {}", operation::paused());
        return said(Some(kept(before, OperationStage::Waiting, requested, message.into())));
    }
    if let Some(obstacle) = input.obstacle() {
        let stage = before.map_or(OperationStage::Waiting, |before| before.stage);
        return said(Some(kept(
            before,
            stage,
            requested,
            format!("nothing is removed at the moment: {obstacle}").into(),
        )));
    }
    input.under_way(requested, before)
}

impl Input<'_> {
    /// Why a request is not followed. One that was seen in time is, however long it had to wait.
    fn refused(
        &self,
        requested: Timestamp,
        before: Option<&OperationStatus>,
        done: Option<&OperationStatus>,
    ) -> Option<Refusal> {
        let is_told_by_payloads = self.wish.what.is_told_by_payloads();
        match (&self.wish.what, &self.reads) {
            (What::Other(word), _) => {
                let why = format!("after the time it says {word:?}, not all, unreadable or encrypted");
                return Some(Refusal::of(why, &What::Unreadable));
            }
            (_, Reads::NotAtAll) if is_told_by_payloads => {
                let why = format!(
                    "spec.entries.inspect is Metadata, so the operator cannot tell which entries are {}",
                    self.wish.what.named()
                );
                let before = Some(Remedy::free("set spec.entries.inspect: Payloads, and request it as before"));
                return Some(Refusal { before, ..Refusal::of(why, &What::All) });
            }
            (_, Reads::NoRing) if is_told_by_payloads => {
                let why = format!(
                    "spec.dataProtection.mode is None, so the operator has no keys to tell which entries are {}",
                    self.wish.what.named()
                );
                return Some(Refusal::of(why, &What::All));
            }
            _ => {}
        }
        if before.is_some() {
            return None;
        }
        let done = done.filter(|done| done.stage.outlasts_request());
        // Where the status does not say when it was requested, it was before it was finished.
        let is_over = done.is_some_and(|done| match (&done.requested, &done.finished) {
            (Some(latest), _) => requested < latest.0,
            (None, Some(finished)) => requested <= finished.0,
            (None, None) => false,
        });
        let why = if is_over {
            Some("a later request was carried out already".to_owned())
        } else {
            operation::refused(requested, self.wish.created, self.now)
        };
        why.map(|why| Refusal::of(why, &self.wish.what))
    }

    /// It is followed, and can be.
    fn under_way(&self, requested: Timestamp, before: Option<&OperationStatus>) -> Flush {
        let progress = self
            .progress
            .filter(|progress| progress.id.operation == OperationType::Flush && progress.id.requested == requested);
        let (step, tally) = match progress {
            None if self.wish.what.is_told_by_payloads() => (Step::Count, Tally::default()),
            None => (Step::Remove, Tally::default()),
            Some(Progress { id, tally, state: State::Done }) => match id.step {
                Step::Remove | Step::RemoveLast => return said(Some(self.completed(requested, before, *tally))),
                Step::Count if tally.meant == 0 => return said(Some(self.completed(requested, before, *tally))),
                Step::Count => (Step::Remove, Tally::default()),
            },
            Some(progress) => (progress.id.step, progress.tally),
        };
        // Anew at every pass, with the ring as it is now: what a key that was added meanwhile reads is not to go.
        let sweep = self.sweep(requested, step, before);
        let failure = progress.and_then(|progress| match &progress.state {
            State::Failing { why, at } => Some((why, *at)),
            State::Running | State::Done => None,
        });
        let stage = match step {
            Step::Count => OperationStage::Counting,
            Step::Remove | Step::RemoveLast => OperationStage::Removing,
        };
        let again = failure.map(|(why, _)| format!(". It starts again soon: {why}")).unwrap_or_default();
        let mut entry = kept(before, stage, requested, Message::default());
        entry.started = entry.started.or_else(|| Some(operation::time(self.now)));
        if let Some(Progress { id, tally, state: State::Done }) = progress
            && id.step == Step::Count
        {
            (entry.entries, entry.affected) = (Some(number(tally.keys)), Some(number(tally.meant)));
        }
        if step.removes() {
            let before = sweep.as_ref().map_or(0, |sweep| sweep.removed_before);
            entry.removed = Some(number(tally.removed.max(before)));
        }
        entry.message = Message::from(self.goes_on(&entry) + &again).told();
        let wake_at = failure.and_then(|(_, at)| at.checked_add(AGAIN_AFTER).ok());
        Flush { operation: Some(entry), sweep, wake_at }
    }

    /// Why nothing can be removed now.
    fn obstacle(&self) -> Option<&str> {
        self.obstacle.or(match &self.reads {
            Reads::NotYet(why) if self.wish.what.is_told_by_payloads() => Some(why),
            Reads::NotYet(_) | Reads::With(_) | Reads::NoRing | Reads::NotAtAll => None,
        })
    }

    /// The sweep; `None` where nothing reads entries that have to be read.
    fn sweep(&self, requested: Timestamp, step: Step, before: Option<&OperationStatus>) -> Option<Sweep> {
        let removed = before.and_then(|before| before.removed).and_then(|removed| u64::try_from(removed).ok());
        let selection = match self.wish.what {
            What::All => Selection::All,
            What::Encrypted => Selection::Encrypted,
            What::Unreadable | What::Other(_) => Selection::Unreadable,
        };
        let reader = match self.reads {
            _ if !selection.reads() => None,
            Reads::With(reader) => Some(Arc::clone(reader)),
            Reads::NotYet(_) | Reads::NoRing | Reads::NotAtAll => return None,
        };
        Some(Sweep {
            id: SweepId { operation: OperationType::Flush, requested, step },
            reader,
            selection,
            removed_before: removed.unwrap_or_default(),
        })
    }

    fn goes_on(&self, entry: &OperationStatus) -> String {
        let prefix = self.prefix;
        let Some(removed) = entry.removed.filter(|_| entry.stage == OperationStage::Removing) else {
            return format!("counting {} entries under {prefix:?}", self.wish.what.named());
        };
        let only = if self.wish.what == What::All { "" } else { " only" };
        let of = entry.affected.map(|affected| format!(" of {affected}")).unwrap_or_default();
        format!("removing {} entries{only} under {prefix:?}; {removed}{of} so far", self.wish.what.named())
    }

    fn completed(&self, requested: Timestamp, before: Option<&OperationStatus>, tally: Tally) -> OperationStatus {
        let mut entry = kept(before, OperationStage::Completed, requested, Message::default());
        let finished = operation::time(self.now);
        let started = entry.started.get_or_insert_with(|| finished.clone()).0;
        let seconds = finished.0.duration_since(started).as_secs().max(0);
        let removed = before.and_then(|before| before.removed).unwrap_or_default().max(number(tally.removed));
        entry.entries = entry.entries.or(Some(number(tally.keys)));
        entry.removed = Some(removed);
        entry.seconds = Some(seconds);
        entry.finished = Some(finished);
        let outcome = self.outcome(removed, entry.entries.unwrap_or_default(), tally);
        (entry.message, entry.remedies) = (outcome.told(), outcome.remedies);
        entry
    }

    fn outcome(&self, removed: i64, entries: i64, tally: Tally) -> Message {
        let prefix = self.prefix;
        let is_unreadable = self.wish.what == What::Unreadable;
        let is_foreign = is_unreadable && tally.foreign > 0;
        let is_encrypted = is_unreadable && !self.encrypt && tally.readable > 0;
        let left: Vec<String> = [
            (is_foreign, tally.foreign, "under an unknown application name"),
            (is_encrypted, tally.readable, "encrypted"),
            (is_unreadable, tally.unidentified, "not known as MSAL's"),
            (true, tally.too_big, "too big to read"),
        ]
        .into_iter()
        .filter(|(is_told, count, _)| *is_told && *count > 0)
        .map(|(_, count, what)| format!("{count} {what}"))
        .collect();
        let left = if left.is_empty() { String::new() } else { format!(". Left alone: {}", left.join("; ")) };
        let (memory, restart) = if removed > 0 {
            (". Applications still have copies in memory", Some(self.restart.clone()))
        } else {
            ("", None)
        };
        let name = is_foreign
            .then(|| Remedy::free("set spec.dataProtection.applicationName to their name, and request it again"));
        let off = is_encrypted.then(|| {
            let command = again(&What::Encrypted).command(self.owner, FLUSH_ANNOTATION);
            Remedy::costing(What::Encrypted.costs(), "if applications do not encrypt, remove these too")
                .command(command)
        });
        Message::from(format!("removed {removed} of {entries} entries under {prefix:?}{left}{memory}"))
            .remedies(restart)
            .remedies(name)
            .remedies(off)
    }
}

/// Why a request is not followed, and what helps.
struct Refusal {
    why: String,
    /// Before another request.
    before: Option<Remedy>,
    /// A request that would be followed.
    again: Again,
}

impl Refusal {
    fn of(why: String, what: &What) -> Self {
        Self { why, before: None, again: again(what) }
    }
}

/// A request to remove these.
fn again(what: &What) -> Again {
    Again { costs: Some(what.costs().to_owned()), rest: what.as_str().to_owned() }
}

/// The entry of a stage, with the numbers that were told before.
fn kept(
    before: Option<&OperationStatus>,
    stage: OperationStage,
    requested: Timestamp,
    message: Message,
) -> OperationStatus {
    let fresh = entry(stage, Some(requested), message);
    match before {
        None => fresh,
        Some(before) => {
            OperationStatus { stage: fresh.stage, message: fresh.message, remedies: fresh.remedies, ..before.clone() }
        }
    }
}
