//! A rotation that is under way, stage by stage.
//!
//! In: what a rotation is read from, and its [`Record`]. Out: a [`PasswordRotation`] with the one step that may be taken now.

use jiff::Timestamp;

use super::{
    Input, Marks, PasswordRotation, in_order, messages,
    record::Record,
    schedule::{self, Unseen},
    term::Term,
};
use crate::{
    api::v1alpha1::{OperationStage, OperationStatus},
    capability::operation::{Request, is},
    condition::Message,
    kubernetes::{
        name,
        write::{Write, upkeep::upkeep_secret},
    },
    redis::access::password::{Password, PasswordHash},
};

impl Input<'_> {
    /// The Secret of the rotation says what cannot be followed.
    pub(super) fn blocked(&self, why: &str) -> PasswordRotation {
        let known = self.app.map(Password::sha256);
        let valid = in_order(self.in_use.iter().cloned().chain(known));
        let before = self.before().filter(|before| !before.stage.is_final());
        let blocked = messages::entry(OperationStage::Blocked, None, messages::unreadable(self.settings, why));
        let OperationStatus { stage, message, remedies, .. } = blocked.clone();
        let entry = before.map_or(blocked, |before| OperationStatus { stage, message, remedies, ..before.clone() });
        PasswordRotation::new(valid, self.marks(), Some(entry))
    }

    pub(super) fn under_way(&self, record: &Record) -> PasswordRotation {
        let both = record.previous.iter().cloned().chain([record.next.sha256()]);
        let mut rotation = match self.app {
            Some(password) => {
                let hash = password.sha256();
                let valid = in_order(both.chain([hash.clone()]));
                if record.previous.contains(&hash) {
                    self.adding(record, &valid)
                } else {
                    self.published(record, valid, password)
                }
            }
            None => self.republished(record, in_order(both)),
        };
        if rotation.write.is_none() && rotation.spent.is_none() {
            rotation.write = self.written(record);
        }
        rotation
    }

    /// The binding is lost, or its password: it gets the new one, which is at hand, and not a third one. A pod that cannot start
    /// without it waits; so nothing else is waited for than that a server that can be asked takes it.
    fn republished(&self, record: &Record, valid: Vec<PasswordHash>) -> PasswordRotation {
        let is_awaited = match schedule::seen(self.settings, self.observed, &valid, None) {
            Ok(()) => self.in_users != valid,
            Err(unseen) => matches!(unseen, Unseen::Due(_)),
        };
        let entry = self.entry(OperationStage::Adding, record, messages::remaking(self.settings));
        let publish = Some(&record.next).filter(|_| !is_awaited).cloned();
        let wake_at = is_awaited.then(|| schedule::after(self.now, schedule::LOOK_AGAIN));
        let marks = Some(self.marks_now(record));
        PasswordRotation { publish, wake_at, ..PasswordRotation::new(valid, marks, Some(entry)) }
    }

    /// The binding has the earlier password still, or again.
    fn adding(&self, record: &Record, valid: &[PasswordHash]) -> PasswordRotation {
        let adding = |what: &str| self.entry(OperationStage::Adding, record, messages::adding(what));
        let waits = |what: &str| PasswordRotation::new(valid.to_vec(), self.marks(), Some(adding(what)));
        if self.in_users != valid {
            return waits(&format!("waiting for Secret {}", name::redis_users(&self.settings.owner.name)));
        }
        // A time that is still to come is of a clock that was wrong.
        let Some(added) = record.added.filter(|added| *added <= self.now) else {
            let record = Record { added: Some(self.now), ..record.clone() };
            let waits = waits(&messages::mounting(schedule::mounted_at(self.now, self.wish().overlap)));
            return PasswordRotation { write: self.written(&record), ..waits };
        };
        let mounted = schedule::mounted_at(added, self.wish().overlap);
        if self.now < mounted {
            return PasswordRotation { wake_at: Some(mounted), ..waits(&messages::mounting(mounted)) };
        }
        match schedule::seen(self.settings, self.observed, valid, Some(mounted)) {
            Err(unseen) => PasswordRotation { wake_at: self.look_again(&unseen), ..waits(&messages::unseen(&unseen)) },
            Ok(()) if self.wish().held => waits("every server takes both"),
            Ok(()) => {
                let waits = waits("every server takes both, and it is being published");
                PasswordRotation { publish: Some(record.next.clone()), marks: Some(self.marks_now(record)), ..waits }
            }
        }
    }

    /// The binding has the new password, or one that somebody put there meanwhile.
    fn published(&self, record: &Record, valid: Vec<PasswordHash>, password: &Password) -> PasswordRotation {
        // Those of an earlier rotation may stand there, which answered the same request.
        let is_of_this = |marks: &Marks| {
            marks.requested == record.requested && record.started.is_none_or(|started| marks.published >= started)
        };
        let marks = self.marks().filter(is_of_this);
        let marks = marks.unwrap_or_else(|| self.marks_now(record));
        let term = self.term(marks.published);
        let entry = |stage, ends_at, message| OperationStatus {
            published: Some(messages::time(marks.published)),
            ends_at: Some(messages::time(ends_at)),
            ..self.entry(stage, record, message)
        };
        // What was removed is not made valid again, whoever is seen to run by then.
        let was_removed = term.is_past() && self.in_users == [password.sha256()];
        if self.wish().held || !(was_removed || term.is_over()) {
            let cause = (*password == record.next).then_some(record.cause);
            let message = messages::published(self.settings, marks, &term, cause, self.now);
            let rotation = PasswordRotation::new(
                valid,
                Some(marks),
                Some(entry(OperationStage::Published, term.ends_at(), message)),
            );
            let wake_at = Some(term.wake_at()).filter(|_| !self.wish().held);
            return PasswordRotation {
                finding: term.finding(),
                looks_since: Some(term.looks_since()),
                wake_at,
                ..rotation
            };
        }
        let valid = vec![password.sha256()];
        let removing = |what: &str| {
            let message = messages::removing(what, term.refused());
            let entry = entry(OperationStage::Removing, self.ended(record, &term), message);
            PasswordRotation {
                looks_since: Some(term.looks_since()),
                ..PasswordRotation::new(valid.clone(), Some(marks), Some(entry))
            }
        };
        if self.in_users != valid {
            return removing(&format!("waiting for Secret {}", name::redis_users(&self.settings.owner.name)));
        }
        if let Err(unseen) = schedule::seen(self.settings, self.observed, &valid, None) {
            return PasswordRotation { wake_at: self.look_again(&unseen), ..removing(&messages::unseen(&unseen)) };
        }
        let spent = self.observed.rotation.owned().map(|secret| secret.metadata.clone());
        PasswordRotation { spent, ..removing("every server has only the new one") }
    }

    /// When the earlier password was seen to be over: later than the overlap where the end had to wait.
    fn ended(&self, record: &Record, term: &Term<'_>) -> Timestamp {
        let before = self.before().filter(|before| is(before, record.requested));
        let told = before.and_then(|before| Some((before.stage, before.ends_at.as_ref()?.0)));
        match told {
            Some((OperationStage::Removing, ended)) => ended,
            Some((_, ends)) if ends > term.ends() => schedule::whole(self.now).min(ends),
            _ => term.ends(),
        }
    }

    /// What the binding says when its password is published now.
    fn marks_now(&self, record: &Record) -> Marks {
        Marks { published: schedule::whole_or_later(self.now), requested: record.requested }
    }

    /// The Secret of the rotation, where the live one is not as this record.
    fn written(&self, record: &Record) -> Option<Write> {
        upkeep_secret(&self.observed.settled, &self.observed.rotation, record.secret(self.settings))
    }

    /// A look that is due is not told of where it finds what the one before found.
    fn look_again(&self, unseen: &Unseen) -> Option<Timestamp> {
        matches!(unseen, Unseen::Due(_)).then(|| schedule::after(self.now, schedule::LOOK_AGAIN))
    }

    /// The entry of a rotation that is under way, with what is said of another request.
    fn entry(&self, stage: OperationStage, record: &Record, message: impl Into<Message>) -> OperationStatus {
        let mut message = message.into();
        let mut queued = None;
        match &self.wish().request {
            // What was asked for before this one is done with it.
            Some(Request::At(time)) if *time <= record.requested => {}
            Some(request) => {
                let refused = match request {
                    Request::At(time) => self.refused(*time),
                    Request::Malformed(_) => None,
                };
                if let Some(said) = messages::meanwhile(request, refused.as_deref()) {
                    message = message.and(&said);
                } else if let Request::At(time) = request {
                    queued = Some(messages::time(*time));
                    message = message.and(&messages::queued(*time));
                }
            }
            None => {}
        }
        if self.wish().held {
            message = message.and(messages::HELD);
        }
        let started = record.started.map(messages::time);
        OperationStatus { started, queued, ..messages::entry(stage, Some(record.requested), message) }
    }
}
