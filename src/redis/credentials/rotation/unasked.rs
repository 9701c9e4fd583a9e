//! A rotation that nobody asked for: the binding was lost, or somebody put another password into it.
//!
//! In: what a rotation is read from. Out: a [`PasswordRotation`] that begins one; nothing where no server has another password
//! than the binding, or the cache is paused.

use jiff::Timestamp;

use super::{
    Cause, Input, NextPassword, PasswordRotation, in_order, messages,
    record::Record,
    schedule::{self, whole},
};
use crate::{api::v1alpha1::OperationStage, capability::operation::Request};

impl Input<'_> {
    /// The rotation that begins without a request, if one does.
    pub(super) fn unasked(&self) -> Option<PasswordRotation> {
        if self.in_use.is_empty() || self.wish().held {
            return None;
        }
        let previous = in_order(self.in_use.iter().cloned());
        let (requested, started) = (self.answered(), whole(self.now));
        match self.app {
            Some(password) if self.in_use.contains(&password.sha256()) => None,
            Some(password) => {
                let (next, started) = (password.clone(), Some(started));
                let record = Record { next, previous, requested, started, added: None, cause: Cause::Replaced };
                Some(self.under_way(&record))
            }
            None => {
                let order = NextPassword { previous, requested, started, cause: Cause::Lost };
                let message = messages::remaking(self.settings);
                let entry = messages::entry(OperationStage::Waiting, Some(requested), message);
                let rotation = PasswordRotation::new(self.valid_at_rest(), None, Some(entry));
                // Not before its Secret was seen can anybody say that it was begun.
                let wake_at = Some(schedule::after(self.now, schedule::LOOK_AGAIN));
                Some(PasswordRotation { mint: Some(order), wake_at, ..rotation })
            }
        }
    }

    /// The request that it answers as well: whoever asked for another password gets one.
    fn answered(&self) -> Timestamp {
        match &self.wish().request {
            Some(Request::At(requested)) if *requested <= self.now => *requested,
            _ => whole(self.now),
        }
    }
}
