//! The stages of a revocation: keys that are still in use, that are revoked, and whose entries are removed.
//!
//! In: the keys that are meant, what is to be made for them, how far sweeps are, the time. Out: [`Revoke`]. Nothing is
//! remembered beyond what the status says.

use jiff::SignedDuration;

use super::{
    Input, Revocations, Revoke, entry,
    removal::{Next, Removal},
    said,
};
use crate::{
    api::v1alpha1::{Inspect, OperationStage, OperationStatus, OperationType},
    capability::{
        operation,
        progress::{AGAIN_AFTER, Progress, State, Step, SweepId, number},
        time::{after, whole_or_later},
    },
    condition::Message,
    data_protection::{
        key::{id::KeyId, revocation::Revocation},
        ring::{Ring, in_use::EntriesOfKeys},
    },
};

/// How long a revocation waits for the count.
const COUNT_LIMIT: SignedDuration = SignedDuration::from_mins(2);
/// Why no entry is counted or removed.
const NOT_INSPECTED: &str = "spec.entries.inspect is Metadata";

impl Input<'_> {
    /// The keys are still in use: what they encrypted is counted, said, and then they are revoked.
    pub(super) fn count(&self, order: Revocations) -> Revoke {
        let counted = self.before.and_then(|before| Some((before.affected?, before.entries?)));
        let progress = self.progress(Step::Count);
        let begun = self.before.and_then(|before| before.started.as_ref()).map_or(self.now, |started| started.0);
        let given_up = match (progress, &self.observed.beside.obstacle) {
            _ if counted.is_some() => None,
            _ if self.settings.inspect == Inspect::Metadata => Some(NOT_INSPECTED.to_owned()),
            (_, Some(obstacle)) => Some(obstacle.clone()),
            (Some(Progress { state: State::Failing { why, .. }, .. }), None) => Some(why.clone()),
            (Some(Progress { state: State::Running, .. }) | None, None) if self.now >= after(begun, COUNT_LIMIT) => {
                Some("it took more than two minutes".to_owned())
            }
            _ => None,
        };
        let are = self.are();
        if counted.is_some() || given_up.is_some() || self.is_begun {
            let what = match (counted, given_up) {
                (Some((affected, entries)), _) => {
                    format!("; {affected} of {entries} stored entries become unreadable")
                }
                (None, Some(why)) => format!("; entries that become unreadable could not be counted: {why}"),
                (None, None) => String::new(),
            };
            let mut revoke = self.kept(OperationStage::Counting, format!("{are} being revoked{what}"));
            revoke.order = Some(order);
            return revoke;
        }
        let mut revoke = self.kept(
            OperationStage::Counting,
            format!("counting the stored entries that become unreadable before {are} revoked"),
        );
        if let (Some(Progress { tally, state: State::Done, .. }), Some(entry)) = (progress, &mut revoke.operation) {
            (entry.affected, entry.entries) = (Some(number(tally.meant)), Some(number(tally.keys)));
            entry.message =
                format!("{} of {} stored entries become unreadable: {are} being revoked", tally.meant, tally.keys);
        }
        revoke.sweep = Some(self.sweep(Step::Count));
        revoke.wake_at = Some(after(begun, COUNT_LIMIT));
        revoke
    }

    /// The keys are revoked: what they encrypted is removed, where that is asked for.
    pub(super) fn revoked(&self, ring: &Ring) -> Revoke {
        let live = self.observed.live();
        let is_live = |key: &KeyId| {
            let file = Revocation::of(*key, self.requested, "").file_name();
            live.iter().any(|(name, _)| *name == file)
        };
        if !self.keys.iter().all(is_live) {
            return self.kept(OperationStage::Counting, "the revocation is made, and is being published");
        }
        let revoked = self.told(ring);
        let mut revoke = if self.wish.removes && self.settings.held {
            let stage = self.before.map_or(OperationStage::Published, |before| before.stage);
            self.kept(
                stage,
                format!("{revoked}. What {} encrypted is not removed yet: {}", self.they(), operation::paused()),
            )
        } else if self.wish.removes {
            self.remove(&revoked)
        } else {
            self.completed(self.go_on(revoked.into()), None)
        };
        if let Some(entry) = &mut revoke.operation {
            entry.published = entry.published.clone().or_else(|| Some(operation::time(whole_or_later(self.now))));
        }
        revoke
    }

    fn remove(&self, revoked: &str) -> Revoke {
        let (beside, progress) = (&self.observed.beside, self.removal());
        let obstacle = match self.settings.inspect {
            Inspect::Payloads => beside.obstacle.as_deref(),
            Inspect::Metadata => Some(NOT_INSPECTED),
        };
        let removal = Removal {
            before: self.before,
            progress,
            processes: &beside.processes,
            namespace: &self.settings.owner.namespace,
            now: self.now,
        };
        let removed = progress.map(|progress| number(progress.tally.removed));
        let removed = removed.max(self.before.and_then(|before| before.removed));
        let mut revoke = match removal.next() {
            Next::Done => return self.completed(revoked.into(), removed),
            Next::Published => {
                let mut revoke = self.kept(OperationStage::Published, self.go_on(revoked.into()));
                revoke.wake_at = Some(after(self.now, AGAIN_AFTER));
                revoke
            }
            Next::Wait { what, wake_at } => {
                let message = Message::from(format!("{revoked}. What {} encrypted was removed", self.they()));
                let message = message.and(&what.text).remedies(what.remedies);
                let mut revoke = self.kept(OperationStage::AwaitingRestart, message);
                revoke.wake_at = Some(wake_at);
                revoke
            }
            Next::Sweep(step) => {
                let why = match (progress.map(|progress| &progress.state), obstacle) {
                    (Some(State::Failing { why, .. }), None) => format!(" (again soon: {why})"),
                    (_, Some(obstacle)) => format!(" (not yet: {obstacle})"),
                    _ => String::new(),
                };
                let again = if step == Step::RemoveLast { " for the last time" } else { "" };
                let message = format!("{revoked}. What {} encrypted is being removed{again}{why}", self.they());
                let mut revoke = self.kept(OperationStage::Removing, message);
                if obstacle.is_none() {
                    revoke.sweep = Some(self.sweep(step));
                }
                revoke.wake_at = Some(after(self.now, AGAIN_AFTER));
                revoke
            }
        };
        if let Some(entry) = &mut revoke.operation {
            entry.removed = removed;
        }
        revoke
    }

    fn completed(&self, told: Message, removed: Option<i64>) -> Revoke {
        let mut revoke = self.kept(OperationStage::Completed, self.outcome(told, removed));
        if let Some(entry) = &mut revoke.operation {
            let finished = operation::time(self.now);
            let started = entry.started.as_ref().map_or(self.now, |started| started.0);
            entry.seconds = Some(finished.0.duration_since(started).as_secs().max(0));
            entry.removed = removed.or(entry.removed);
            entry.finished = Some(finished);
        }
        revoke
    }

    fn progress(&self, step: Step) -> Option<&Progress> {
        let id = self.id(step);
        self.observed.beside.sweep.as_ref().filter(|progress| progress.id == id)
    }

    /// How far the latest sweep is that removes.
    fn removal(&self) -> Option<&Progress> {
        self.progress(Step::Remove).or_else(|| self.progress(Step::RemoveLast))
    }

    fn id(&self, step: Step) -> SweepId {
        SweepId { operation: OperationType::RevokeKey, requested: self.requested, step }
    }

    fn sweep(&self, step: Step) -> EntriesOfKeys {
        let removed = self.before.and_then(|before| before.removed).and_then(|removed| u64::try_from(removed).ok());
        // The sweep before this one may not have been told of to its end.
        let removed = removed.max(self.removal().map(|progress| progress.tally.removed));
        EntriesOfKeys {
            id: self.id(step),
            keys: self.keys.iter().copied().collect(),
            removed_before: removed.unwrap_or_default(),
        }
    }

    /// The entry of a stage, with what was told before.
    pub(super) fn kept(&self, stage: OperationStage, message: impl Into<Message>) -> Revoke {
        let fresh = entry(stage, Some(self.requested), message);
        let mut entry = match self.before {
            None => fresh,
            Some(before) => {
                let OperationStatus { stage, message, remedies, .. } = fresh;
                OperationStatus { stage, message, remedies, ..before.clone() }
            }
        };
        if stage != OperationStage::Waiting {
            entry.started = entry.started.or_else(|| Some(operation::time(self.now)));
        }
        said(Some(entry))
    }
}
