//! Between two rotations: whether one is to be begun, or was complete, or lost its Secret.
//!
//! In: what a rotation is read from. Out: a [`PasswordRotation`] that perhaps begins one, or the [`Record`] of one that goes on.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{Cause, Input, Marks, NextPassword, PasswordRotation, in_order, messages, record::Record, schedule};
use crate::{
    api::v1alpha1::{OperationStage, OperationStatus},
    capability::operation::{self, Request, is},
    condition::Message,
    kubernetes::name,
};

impl Input<'_> {
    /// No rotation is under way. Perhaps one is to be begun.
    pub(super) fn at_rest(&self, obstacle: Option<Message>) -> PasswordRotation {
        let (before, done) = (self.before(), self.marks());
        let rest = |operation| PasswordRotation::new(self.valid_at_rest(), self.marks(), operation);
        // Said before anything else is begun, so that it is said at all.
        if let (Some(before), Some(done)) = (before, done)
            && !before.stage.is_final()
            && is(before, done.requested)
        {
            return rest(Some(self.completed(done)));
        }
        let requested = match &self.wish().request {
            None => return rest(before.filter(|before| before.stage.outlasts_request()).cloned()),
            Some(Request::Malformed(value)) => {
                let message = messages::malformed(self.settings, value);
                return rest(Some(messages::entry(OperationStage::Ignored, None, message)));
            }
            Some(Request::At(time)) => *time,
        };
        if let Some(before) = before.filter(|before| before.stage.is_final() && is(before, requested)) {
            return rest(Some(before.clone()));
        }
        if let Some(done) = done.filter(|done| done.requested == requested) {
            return rest(Some(self.completed(done)));
        }
        if let Some(why) = self.refused(requested) {
            let message = messages::ignored(self.settings, &why);
            return rest(Some(messages::entry(OperationStage::Ignored, Some(requested), message)));
        }
        if let Some(why) = self.obstacle(obstacle) {
            return rest(Some(messages::entry(OperationStage::Waiting, Some(requested), messages::waiting(why))));
        }
        // Not before its Secret was seen can anybody say that it was begun.
        let entry = messages::entry(OperationStage::Waiting, Some(requested), "the new password is about to be made");
        let previous = self.valid_at_rest();
        let order = NextPassword { previous, requested, started: schedule::whole(self.now), cause: Cause::Request };
        PasswordRotation { mint: Some(order), ..rest(Some(entry)) }
    }

    /// Why a request is not followed. One that was seen in time is, however long it had to wait.
    pub(super) fn refused(&self, requested: Timestamp) -> Option<String> {
        let queued = |before: &OperationStatus| before.queued == Some(messages::time(requested));
        if self.before().is_some_and(|before| is(before, requested) || queued(before)) {
            return None;
        }
        if self.marks().is_some_and(|done| requested < done.requested) {
            return Some("a later one was carried out already".to_owned());
        }
        operation::refused(requested, self.wish().created, self.now)
    }

    /// Why a rotation cannot be begun.
    fn obstacle(&self, name: Option<Message>) -> Option<Message> {
        let binding = name::redis(&self.settings.owner.name);
        if self.wish().held {
            return Some(messages::PAUSED.into());
        }
        name.or_else(|| match self.app {
            None => Some(format!("there is no Secret {binding} yet").into()),
            Some(password) if !self.in_users.contains(&password.sha256()) => {
                Some(format!("Redis does not have the password in Secret {binding} yet").into())
            }
            Some(_) => None,
        })
    }

    /// The rotation whose Secret is gone although its password is published: what was valid before is valid until the overlap
    /// is over, and the users' Secret tells what that was.
    pub(super) fn lost(&self) -> Option<Record> {
        let password = self.app?;
        let before = self.before();
        let said = before.filter(|before| matches!(before.stage, OperationStage::Published | OperationStage::Removing));
        let said = said.and_then(|said| {
            let (published, requested) = (said.published.as_ref()?.0, said.requested.as_ref()?.0);
            Some(Marks { published, requested })
        });
        let marks = self.marks().or(said)?;
        // What was complete, or was followed by another since, is not missed.
        let is_over = |before: &OperationStatus| {
            before.stage == OperationStage::Completed || before.requested.is_some() && !is(before, marks.requested)
        };
        if before.is_some_and(is_over) {
            return None;
        }
        if self.term(marks.published).is_over() {
            return None;
        }
        let hash = password.sha256();
        let previous = in_order(self.in_use.iter().filter(|other| **other != hash).cloned());
        (!previous.is_empty()).then(|| Record {
            next: password.clone(),
            previous,
            requested: marks.requested,
            started: before.and_then(|before| before.started.as_ref()).map(|started| started.0),
            added: Some(marks.published),
            cause: Cause::Request,
        })
    }

    /// The entry of a rotation that is complete.
    fn completed(&self, done: Marks) -> OperationStatus {
        let before = self.before().filter(|before| is(before, done.requested));
        let entry = messages::entry(OperationStage::Completed, Some(done.requested), messages::COMPLETED);
        let kept = |pick: fn(&OperationStatus) -> Option<&Time>| before.and_then(pick).cloned();
        OperationStatus {
            started: kept(|before| before.started.as_ref()),
            published: Some(messages::time(done.published)),
            finished: Some(kept(|before| before.finished.as_ref()).unwrap_or_else(|| messages::time(self.now))),
            queued: kept(|before| before.queued.as_ref()),
            ..entry
        }
    }
}
