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
    api::v1alpha1::{FLUSH_ANNOTATION, OperationStage, OperationStatus, OperationType},
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
    /// The workloads that hold entries in their memory, in words.
    pub consumers: &'seen str,
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
                operation::malformed(input.owner, FLUSH_ANNOTATION, value, Some(&Again::saying(What::named_in(value))));
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
    if let Some((why, again)) = input.refused(requested, before, done) {
        let message = operation::ignored(input.owner, FLUSH_ANNOTATION, &why, again.as_ref());
        return said(Some(entry(OperationStage::Ignored, Some(requested), message)));
    }
    if input.wish.held {
        let message = format!("nothing is removed yet: {}", operation::paused());
        return said(Some(kept(before, OperationStage::Waiting, requested, message)));
    }
    if let Some(obstacle) = input.obstacle() {
        let stage = before.map_or(OperationStage::Waiting, |before| before.stage);
        return said(Some(kept(before, stage, requested, format!("nothing is removed at the moment: {obstacle}"))));
    }
    input.under_way(requested, before)
}

impl Input<'_> {
    /// Why a request is not followed, and one that would be. One that was seen in time is, however long it had to wait.
    fn refused(
        &self,
        requested: Timestamp,
        before: Option<&OperationStatus>,
        done: Option<&OperationStatus>,
    ) -> Option<(String, Option<Again>)> {
        let is_told_by_payloads = self.wish.what.is_told_by_payloads();
        match (&self.wish.what, &self.reads) {
            (What::Other(word), _) => {
                let why =
                    format!("after the time it says {word:?}, which is none of `all`, `unreadable` and `encrypted`");
                return Some((why, Some(Again::saying(What::Unreadable.as_str()))));
            }
            (_, Reads::NotAtAll) if is_told_by_payloads => {
                let why = "spec.entries.inspect is Metadata, so the operator does not look into entries, and cannot tell which \
                           these are: set it to Payloads, or ask for `all`";
                return Some((why.to_owned(), None));
            }
            (_, Reads::NoRing) if is_told_by_payloads => {
                let why = "spec.dataProtection.mode is None, so the operator has no keys to tell by which entries these are, \
                           and by default (spec.entries.inspect) does not look into any: ask for `all`";
                return Some((why.to_owned(), None));
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
        why.map(|why| (why, Some(Again::saying(self.wish.what.as_str()))))
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
        let again = failure.map(|(why, _)| format!(". It is begun again soon, since {why}")).unwrap_or_default();
        let mut entry = kept(before, stage, requested, String::new());
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
        entry.message = self.goes_on(&entry) + &again;
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
            let meant = if self.wish.what == What::Encrypted { "are encrypted" } else { "no application can read" };
            return format!("entries under {prefix:?} are being read, to count those that {meant}");
        };
        let which = match self.wish.what {
            What::All => "every entry",
            What::Encrypted => "encrypted entries only,",
            What::Unreadable | What::Other(_) => "unreadable entries only,",
        };
        let of = entry.affected.map(|affected| format!(" of {affected}")).unwrap_or_default();
        format!("removing {which} under {prefix:?}; {removed}{of} so far")
    }

    fn completed(&self, requested: Timestamp, before: Option<&OperationStatus>, tally: Tally) -> OperationStatus {
        let mut entry = kept(before, OperationStage::Completed, requested, String::new());
        let finished = operation::time(self.now);
        let started = entry.started.get_or_insert_with(|| finished.clone()).0;
        let seconds = finished.0.duration_since(started).as_secs().max(0);
        let removed = before.and_then(|before| before.removed).unwrap_or_default().max(number(tally.removed));
        entry.entries = entry.entries.or(Some(number(tally.keys)));
        entry.removed = Some(removed);
        entry.seconds = Some(seconds);
        entry.finished = Some(finished);
        entry.message = self.outcome(removed, entry.entries.unwrap_or_default(), tally);
        entry
    }

    fn outcome(&self, removed: i64, entries: i64, tally: Tally) -> String {
        let prefix = self.prefix;
        let outcome = if removed > 0 {
            format!(
                "{removed} of {entries} entries under {prefix:?} were removed. Applications hold entries in their memory too: \
                 restart {} now, or users go on failing there until those expire",
                self.consumers
            )
        } else {
            format!("none of {entries} entries under {prefix:?} was to be removed")
        };
        let is_unreadable = self.wish.what == What::Unreadable;
        let left: Vec<String> = [
            (is_unreadable, tally.foreign, FOREIGN),
            (is_unreadable && !self.encrypt, tally.readable, READABLE),
            (is_unreadable, tally.unidentified, UNIDENTIFIED),
            (true, tally.too_big, "too big to be looked into"),
        ]
        .into_iter()
        .filter(|(is_told, count, _)| *is_told && *count > 0)
        .map(|(_, count, what)| format!("{count} {what}"))
        .collect();
        let left = if left.is_empty() { String::new() } else { format!(". Left alone: {}", left.join("; ")) };
        outcome + &left
    }
}

/// What is said of entries that stay. Of an application whose name is not known.
const FOREIGN: &str = "encrypted with a key of the ring under an application name that is not known (applications of that \
                       name read them: set spec.dataProtection.applicationName to it)";
/// Encrypted, where the spec says that applications do not encrypt.
const READABLE: &str = "encrypted, which applications with Encrypt on can read (where it is off, as spec.entries.encrypt: \
                        false says, ask for `encrypted`)";
/// Encrypted as Data Protection does it, and not shown to be tokens.
const UNIDENTIFIED: &str =
    "encrypted under keys that are not of MSAL's forms, so that nothing shows whether they are tokens";

/// The entry of a stage, with the numbers that were told before.
fn kept(
    before: Option<&OperationStatus>,
    stage: OperationStage,
    requested: Timestamp,
    message: String,
) -> OperationStatus {
    let fresh = entry(stage, Some(requested), message);
    match before {
        None => fresh,
        Some(before) => OperationStatus { stage: fresh.stage, message: fresh.message, ..before.clone() },
    }
}
