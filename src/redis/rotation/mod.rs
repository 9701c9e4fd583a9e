//! One password of the applications follows another, on request, and at no moment is either refused that somebody may
//! rightly have.
//!
//! In: the settings with the request, the Secrets and looks as observed, what the status said of it, the time. Out:
//! [`Rotation`]: which passwords are valid, what is to be made, published or removed, and what is said. Nothing is drawn
//! and nothing is written here.
//!
//! ```text
//! requested ──▶ minted ──▶ Adding ──▶ Published ──▶ Removing ──▶ Completed
//!               a Secret   both are   the binding   only the     the Secret
//!               of its own valid      has the new   new is valid is removed
//! ```
//!
//! Each step is one write, and follows from what is read back, never from the status: the Secret of the rotation has the
//! new password and the hashes of those before it, the binding tells which one applications get, and its annotations when
//! that was published, for which request. So the operator may end between any two steps, and hands may be in any of them:
//! whatever the binding has is valid, and what was valid stays valid until an overlap that is known is over. The status
//! tells only what leaves no other trace: that a request was seen in time.
//!
//! | module | what |
//! |---|---|
//! | [`request`] | what an annotation asks for, and whether it is followed |
//! | [`record`] | what is kept on disk |
//! | [`schedule`] | when the next step may be taken |
//! | [`told`] | what is said of it |

pub mod record;
pub mod request;
pub mod schedule;
pub mod told;

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    api::core::v1::Secret,
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
};

use super::{
    acl::rules::SOME_PASSWORDS,
    credentials::Standing,
    missing,
    observed::Observed,
    password::{Password, PasswordHash},
    sample::{Correction, Drift, Parameter},
    settings::Settings,
};
use crate::{
    api::v1alpha1::{OperationStage, OperationStatus, OperationType},
    kubernetes::{identity::Found, name},
};
use record::Record;
pub use record::{Marks, Order};
use request::Request;
use schedule::Unseen;

/// What a cache wants of rotations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// How long the earlier password stays valid.
    pub overlap: SignedDuration,
    /// What its annotation asks for.
    pub request: Option<Request>,
    /// When the `TokenCache` was made.
    pub created: Option<Timestamp>,
    /// Whether nothing is to be changed: the cache is paused.
    pub held: bool,
}

/// Which of the applications' passwords are valid, and what is to be done.
#[derive(Clone, PartialEq)]
pub struct Rotation {
    /// The hashes of the passwords that are valid, in order; none while they are not known.
    pub valid: Vec<PasswordHash>,
    /// The Secret of a rotation that is to be begun.
    pub mint: Option<Order>,
    /// The Secret of the rotation, where it is to be written again.
    pub secret: Option<Secret>,
    /// The password that the binding is to have in place of the one that it has.
    pub publish: Option<Password>,
    /// What the binding is to say of its password.
    pub marks: Option<Marks>,
    /// The Secret of a rotation that is complete.
    pub spent: Option<ObjectMeta>,
    /// What is said of it.
    pub operation: Option<OperationStatus>,
    /// When it is to be looked at again, whatever else happens.
    pub wake_at: Option<Timestamp>,
}

// By hand: derived, it would print the content of Secrets.
impl fmt::Debug for Rotation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Rotation")
            .field("mint", &self.mint)
            .field("marks", &self.marks)
            .field("operation", &self.operation)
            .field("wake_at", &self.wake_at)
            .finish_non_exhaustive()
    }
}

/// What a rotation is read from.
#[derive(Clone, Copy)]
pub struct Input<'seen> {
    /// The settings.
    pub settings: &'seen Settings,
    /// What was observed.
    pub observed: &'seen Observed,
    /// What the binding says of the applications' password.
    pub app: &'seen Standing,
    /// The hashes that the users' Secret has for the applications.
    pub in_users: &'seen [PasswordHash],
    /// The time.
    pub now: Timestamp,
}

/// Whether there may be a Secret of a rotation that no watch tells of yet.
#[must_use]
pub fn is_expected(settings: &Settings, operations: &[OperationStatus]) -> bool {
    let before = entry_in(operations);
    let is_over = |time: &Timestamp| before.is_some_and(|before| before.stage.is_final() && is(before, *time));
    let asked = matches!(&settings.rotation.request, Some(Request::At(time)) if !is_over(time));
    asked || before.is_some_and(|before| !before.stage.is_final())
}

impl Rotation {
    /// Reads how far it is.
    #[must_use]
    pub fn read(input: &Input<'_>) -> Self {
        let secret = name::redis_rotation(&input.settings.owner.name);
        match &input.observed.rotation {
            Found::Ours(live) => match Record::read(live) {
                Ok(record) => input.under_way(record),
                Err(error) => input.blocked(&error.to_string()),
            },
            Found::Nothing => input.lost().map_or_else(|| input.at_rest(None), |record| input.under_way(record)),
            Found::Earlier => {
                input.at_rest(Some(format!("Secret {secret} of an earlier TokenCache is being collected")))
            }
            Found::Foreign(holder) => input
                .at_rest(Some(format!("Secret {secret} exists already and belongs to {holder}: delete or rename it"))),
        }
    }

    /// Whether what a server was found to have is what it had before a step of the rotation, so that nobody meddled with it.
    #[must_use]
    pub fn explains(&self, drift: &Drift) -> bool {
        let stage = self.operation.as_ref().map(|operation| operation.stage);
        let failed = matches!(drift.correction, Correction::Refused(_) | Correction::Ineffective(_));
        let expected = match stage {
            Some(OperationStage::Removing) => drift.found.ends_with("passwords"),
            Some(OperationStage::Adding | OperationStage::Published) => drift.found == SOME_PASSWORDS,
            _ => false,
        };
        drift.parameter == Parameter::AppPassword && expected && !failed
    }

    fn new(valid: Vec<PasswordHash>, marks: Option<Marks>, operation: Option<OperationStatus>) -> Self {
        Self { valid, mint: None, secret: None, publish: None, marks, spent: None, operation, wake_at: None }
    }
}

fn entry_in(operations: &[OperationStatus]) -> Option<&OperationStatus> {
    operations.iter().find(|operation| operation.type_ == OperationType::RotatePassword)
}

/// Whether an entry is about the request of this time.
fn is(entry: &OperationStatus, requested: Timestamp) -> bool {
    entry.requested == Some(told::time(requested))
}

fn in_order(hashes: impl Iterator<Item = PasswordHash>) -> Vec<PasswordHash> {
    let mut hashes: Vec<PasswordHash> = hashes.collect();
    hashes.sort();
    hashes.dedup();
    hashes
}

impl Input<'_> {
    fn wish(&self) -> &Wish {
        &self.settings.rotation
    }

    /// What the status says.
    fn before(&self) -> Option<&OperationStatus> {
        entry_in(&self.observed.operations)
    }

    /// What the binding says of its password.
    fn marks(&self) -> Option<Marks> {
        self.observed.connection.ours().and_then(|binding| Marks::read(binding))
    }

    /// The hashes that are valid where no rotation is under way.
    fn valid_at_rest(&self) -> Vec<PasswordHash> {
        match self.app {
            Standing::Missing => Vec::new(),
            Standing::Known(password) => vec![password.sha256()],
            Standing::Refused(_) => in_order(self.in_users.iter().cloned()),
        }
    }

    /// No rotation is under way. Perhaps one is to be begun.
    fn at_rest(&self, obstacle: Option<String>) -> Rotation {
        let (before, done) = (self.before(), self.marks());
        let rest = |operation| Rotation::new(self.valid_at_rest(), self.marks(), operation);
        // Said before anything else is begun, so that it is said at all.
        if let (Some(before), Some(done)) = (before, done)
            && !before.stage.is_final()
            && is(before, done.requested)
        {
            return rest(Some(self.completed(done)));
        }
        let requested = match &self.wish().request {
            None => return rest(before.filter(|before| before.stage == OperationStage::Completed).cloned()),
            Some(Request::Malformed(value)) => {
                let message = told::malformed(self.settings, value);
                return rest(Some(told::entry(OperationStage::Ignored, None, message)));
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
            let message = told::ignored(self.settings, &why);
            return rest(Some(told::entry(OperationStage::Ignored, Some(requested), message)));
        }
        if let Some(why) = self.obstacle(obstacle) {
            return rest(Some(told::entry(OperationStage::Waiting, Some(requested), told::waiting(&why))));
        }
        let message = told::adding("it is being made");
        let entry = told::entry(OperationStage::Adding, Some(requested), message);
        let entry = OperationStatus { started: Some(told::time(self.now)), ..entry };
        let order = Order { previous: self.valid_at_rest(), requested, started: schedule::whole(self.now) };
        Rotation { mint: Some(order), ..rest(Some(entry)) }
    }

    /// Why a request is not followed. One that was seen in time is, however long it had to wait.
    fn refused(&self, requested: Timestamp) -> Option<String> {
        let queued = |before: &OperationStatus| before.queued == Some(told::time(requested));
        if self.before().is_some_and(|before| is(before, requested) || queued(before)) {
            return None;
        }
        if self.marks().is_some_and(|done| requested < done.requested) {
            return Some("a later request was carried out already".to_owned());
        }
        request::refused(requested, self.wish().created, self.now)
    }

    /// Why a rotation cannot be begun.
    fn obstacle(&self, name: Option<String>) -> Option<String> {
        let binding = name::redis(&self.settings.owner.name);
        if self.wish().held {
            return Some(told::paused());
        }
        name.or_else(|| match self.app {
            Standing::Missing => Some(format!("there is no Secret {binding} yet")),
            Standing::Refused(_) => {
                Some(format!("the password in Secret {binding} is not followed, see RedisAvailable"))
            }
            Standing::Known(password) if !self.in_users.contains(&password.sha256()) => {
                Some(format!("the password in Secret {binding} is on its way to Redis"))
            }
            Standing::Known(_) => None,
        })
    }

    /// The rotation whose Secret is gone although its password is published: what was valid before is valid until the overlap
    /// is over, and the users' Secret tells what that was.
    fn lost(&self) -> Option<Record> {
        let Standing::Known(password) = self.app else { return None };
        let before = self.before();
        let said = before.filter(|before| matches!(before.stage, OperationStage::Published | OperationStage::Removing));
        let said = said.and_then(|said| {
            let (published, requested) = (said.published.as_ref()?.0, said.requested.as_ref()?.0);
            Some(Marks { published, requested })
        });
        let marks = self.marks().or(said)?;
        let completed = |before: &OperationStatus| before.stage == OperationStage::Completed;
        if before.is_some_and(|before| completed(before) && is(before, marks.requested)) {
            return None;
        }
        if schedule::may_end(schedule::after(marks.published, self.wish().overlap), self.now) {
            return None;
        }
        let hash = password.sha256();
        let previous = in_order(self.in_users.iter().filter(|other| **other != hash).cloned());
        (!previous.is_empty()).then(|| Record {
            next: password.clone(),
            previous,
            requested: marks.requested,
            started: before.and_then(|before| before.started.as_ref()).map(|started| started.0),
            added: Some(marks.published),
        })
    }

    /// The Secret of the rotation says what cannot be followed.
    fn blocked(&self, why: &str) -> Rotation {
        let known = match self.app {
            Standing::Known(password) => Some(password.sha256()),
            Standing::Missing | Standing::Refused(_) => None,
        };
        let valid = in_order(self.in_users.iter().cloned().chain(known));
        let before = self.before().filter(|before| !before.stage.is_final());
        let message = told::unreadable(self.settings, why);
        let entry = before.cloned().unwrap_or_else(|| told::entry(OperationStage::Blocked, None, String::new()));
        let entry = OperationStatus { stage: OperationStage::Blocked, message, ..entry };
        Rotation::new(valid, self.marks(), Some(entry))
    }

    fn under_way(&self, record: Record) -> Rotation {
        let both = record.previous.iter().cloned().chain([record.next.sha256()]);
        let mut rotation = match self.app {
            Standing::Known(password) => {
                let hash = password.sha256();
                let valid = in_order(both.chain([hash.clone()]));
                if record.previous.contains(&hash) {
                    self.adding(&record, valid)
                } else {
                    self.published(&record, valid, password)
                }
            }
            // With the new password, which is at hand, and not with a third one.
            Standing::Missing => {
                let entry = self.entry(OperationStage::Adding, &record, told::adding("its Secret is being made again"));
                let marks = Some(self.marks_now(&record));
                Rotation { publish: Some(record.next.clone()), ..Rotation::new(in_order(both), marks, Some(entry)) }
            }
            Standing::Refused(_) => {
                let valid = in_order(both.chain(self.in_users.iter().cloned()));
                let entry = self.entry(OperationStage::Blocked, &record, told::mismatch());
                Rotation::new(valid, self.marks(), Some(entry))
            }
        };
        if rotation.secret.is_none() && rotation.spent.is_none() {
            rotation.secret = self.written(&record);
        }
        if self.wish().held
            && let Some(entry) = &mut rotation.operation
        {
            entry.message += &format!(". Held: {}", told::paused());
        }
        rotation
    }

    /// The binding has the earlier password still, or again.
    fn adding(&self, record: &Record, valid: Vec<PasswordHash>) -> Rotation {
        let adding = |what: &str| self.entry(OperationStage::Adding, record, told::adding(what));
        let waits = |what: &str| Rotation::new(valid.clone(), self.marks(), Some(adding(what)));
        if self.in_users != valid {
            return waits(&format!("waiting for Secret {}", name::redis_users(&self.settings.owner.name)));
        }
        // A time that is still to come is of a clock that was wrong.
        let Some(added) = record.added.filter(|added| *added <= self.now) else {
            let record = Record { added: Some(self.now), ..record.clone() };
            let waits = waits(&told::mounting(schedule::mounted_at(self.now, self.wish().overlap)));
            return Rotation { secret: self.written(&record), ..waits };
        };
        let mounted = schedule::mounted_at(added, self.wish().overlap);
        if self.now < mounted {
            return Rotation { wake_at: Some(mounted), ..waits(&told::mounting(mounted)) };
        }
        match schedule::seen(self.settings, self.observed, &valid, Some(mounted)) {
            Err(unseen) => Rotation { wake_at: self.look_again(&unseen), ..waits(&told::unseen(&unseen)) },
            Ok(()) if self.wish().held => waits("every server takes both"),
            Ok(()) => {
                let waits = waits("every server takes both, and it is being published");
                Rotation { publish: Some(record.next.clone()), marks: Some(self.marks_now(record)), ..waits }
            }
        }
    }

    /// The binding has the new password, or one that somebody put there meanwhile.
    fn published(&self, record: &Record, valid: Vec<PasswordHash>, password: &Password) -> Rotation {
        let marks = self.marks().filter(|marks| marks.requested == record.requested);
        let marks = marks.unwrap_or_else(|| self.marks_now(record));
        let ends = schedule::after(marks.published, self.wish().overlap);
        let entry = |stage, message| OperationStatus {
            published: Some(told::time(marks.published)),
            ends_at: Some(told::time(ends)),
            ..self.entry(stage, record, message)
        };
        if self.wish().held || !schedule::may_end(ends, self.now) {
            let is_ours = *password == record.next;
            let message = told::published(self.settings, marks, ends, is_ours, self.now);
            let wake_at = Some(ends).filter(|_| !self.wish().held);
            return Rotation {
                wake_at,
                ..Rotation::new(valid, Some(marks), Some(entry(OperationStage::Published, message)))
            };
        }
        let valid = vec![password.sha256()];
        let removing = |what: &str| {
            let entry = entry(OperationStage::Removing, told::removing(what));
            Rotation::new(valid.clone(), Some(marks), Some(entry))
        };
        if self.in_users != valid {
            return removing(&format!("waiting for Secret {}", name::redis_users(&self.settings.owner.name)));
        }
        match schedule::seen(self.settings, self.observed, &valid, None) {
            Err(unseen) => Rotation { wake_at: self.look_again(&unseen), ..removing(&told::unseen(&unseen)) },
            Ok(()) => {
                let spent = self.observed.rotation.ours().map(|secret| secret.metadata.clone());
                Rotation { spent, ..removing("every server has only the new one") }
            }
        }
    }

    /// What the binding says when its password is published now.
    fn marks_now(&self, record: &Record) -> Marks {
        Marks { published: schedule::whole_or_later(self.now), requested: record.requested }
    }

    /// The Secret of the rotation, where the live one is not as this record.
    fn written(&self, record: &Record) -> Option<Secret> {
        match &self.observed.rotation {
            live @ (Found::Nothing | Found::Ours(_)) => missing(live, record.secret(self.settings)),
            Found::Earlier | Found::Foreign(_) => None,
        }
    }

    /// A look that is due is not told of where it finds what the one before found.
    fn look_again(&self, unseen: &Unseen) -> Option<Timestamp> {
        matches!(unseen, Unseen::Due(_)).then(|| schedule::after(self.now, schedule::LOOK_AGAIN))
    }

    /// The entry of a rotation that is under way, with what is said of another request.
    fn entry(&self, stage: OperationStage, record: &Record, mut message: String) -> OperationStatus {
        let mut queued = None;
        match &self.wish().request {
            // What was asked for before this one is done with it.
            Some(Request::At(time)) if *time <= record.requested => {}
            Some(request) => {
                let refused = match request {
                    Request::At(time) => self.refused(*time),
                    Request::Malformed(_) => None,
                };
                if let Some(said) = told::meanwhile(request, refused.as_deref()) {
                    message = [message, said].join(". ");
                } else if let Request::At(time) = request {
                    queued = Some(told::time(*time));
                    message += &format!(". Another request ({time}) is begun when this one is complete");
                }
            }
            None => {}
        }
        let started = record.started.map(told::time);
        OperationStatus { started, queued, ..told::entry(stage, Some(record.requested), message) }
    }

    /// The entry of a rotation that is complete.
    fn completed(&self, done: Marks) -> OperationStatus {
        let before = self.before().filter(|before| is(before, done.requested));
        let entry = told::entry(OperationStage::Completed, Some(done.requested), told::completed(self.settings));
        let kept = |pick: fn(&OperationStatus) -> Option<&Time>| before.and_then(pick).cloned();
        OperationStatus {
            started: kept(|before| before.started.as_ref()),
            published: Some(told::time(done.published)),
            finished: Some(kept(|before| before.finished.as_ref()).unwrap_or_else(|| told::time(self.now))),
            queued: kept(|before| before.queued.as_ref()),
            ..entry
        }
    }
}
