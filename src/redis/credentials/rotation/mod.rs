//! One password of the applications follows another, on request, or because it was lost or replaced, and at no moment is either
//! refused that somebody may rightly have.
//!
//! In: the settings with the request, the Secrets and looks as observed, what the status said of it, the time. Out:
//! [`PasswordRotation`]: which passwords are valid, what is to be made, published or removed, and what is said. Nothing is drawn
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
//! | `idle` | whether a rotation is to be begun |
//! | `unasked` | one that is begun because a password was lost or replaced |
//! | `stages` | the steps of one that is under way |
//! | [`record`] | what is kept on disk |
//! | [`schedule`] | when the next step may be taken |
//! | [`term`] | when the earlier password ends, and who has it still |
//! | [`messages`] | what is said of it |

pub(crate) mod idle;
pub mod messages;
pub mod record;
pub mod schedule;
pub(crate) mod stages;
pub mod term;
pub(crate) mod unasked;

use std::fmt;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::{
    api::v1alpha1::{OperationStage, OperationStatus, OperationType, Remedy},
    capability::operation::{self, Request, is},
    condition::{Finding, Message},
    kubernetes::{identity::Found, name, write::Write},
    redis::{
        access::{
            password::{Password, PasswordHash},
            rules::SOME_PASSWORDS,
        },
        live::Live,
        look::{
            answer::Refusal,
            drift::{Correction, Drift, Parameter},
        },
        settings::{Settings, rotation::RotationRequest},
    },
};
use record::Record;
pub use record::{Cause, Marks, NextPassword};
use term::Term;

/// Which of the applications' passwords are valid, and what is to be done.
#[derive(Clone, PartialEq)]
pub struct PasswordRotation {
    /// The hashes of the passwords that are valid, in order; none while they are not known.
    pub valid: Vec<PasswordHash>,
    /// The Secret of a rotation that is to be begun.
    pub mint: Option<NextPassword>,
    /// The Secret of the rotation, where it is to be written again.
    pub write: Option<Write>,
    /// The password that the binding is to have in place of the one that it has.
    pub publish: Option<Password>,
    /// What the binding is to say of its password.
    pub marks: Option<Marks>,
    /// The Secret of a rotation that is complete.
    pub spent: Option<ObjectMeta>,
    /// What is said of it.
    pub operation: Option<OperationStatus>,
    /// What is said of the pods that have the earlier password, where it is about to end.
    pub finding: Option<Finding>,
    /// How old a look at the pods that use the binding may be, where it depends on them.
    pub looks_since: Option<Timestamp>,
    /// When it is to be looked at again, whatever else happens.
    pub wake_at: Option<Timestamp>,
}

// By hand: derived, it would print the content of Secrets.
impl fmt::Debug for PasswordRotation {
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
    pub observed: &'seen Live,
    /// The applications' password, as the binding has it.
    pub app: Option<&'seen Password>,
    /// The hashes that the users' Secret has for the applications.
    pub in_users: &'seen [PasswordHash],
    /// The hashes that servers have for the applications.
    pub in_use: &'seen [PasswordHash],
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

impl PasswordRotation {
    /// Reads how far it is.
    #[must_use]
    pub fn read(input: &Input<'_>) -> Self {
        let secret = name::redis_rotation(&input.settings.owner.name);
        match &input.observed.rotation {
            Found::Owned(live) => match Record::read(live) {
                Ok(record) => input.under_way(&record),
                Err(error) => input.blocked(&error.to_string()),
            },
            Found::Absent => match input.lost() {
                Some(record) => input.under_way(&record),
                None => input.unasked().unwrap_or_else(|| input.at_rest(None)),
            },
            Found::Leftover => {
                input.at_rest(Some(format!("Secret {secret} of an earlier TokenCache is still being deleted").into()))
            }
            Found::Restored(manager) => {
                input.at_rest(Some(operation::restored(&input.settings.owner, "Secret", &secret, manager)))
            }
            Found::Foreign(holder) => input.at_rest(Some(
                Message::from(format!("Secret {secret} exists already and belongs to {holder}"))
                    .remedy(Remedy::look("delete or rename it")),
            )),
        }
    }

    /// Whether what a look found, of this time, is what the server had before a step of the rotation, so that nobody meddled
    /// with it.
    #[must_use]
    pub fn explains(&self, drift: &Drift, taken: Timestamp) -> bool {
        let Some(operation) = &self.operation else { return false };
        let failed = matches!(drift.correction, Correction::Refused(_) | Correction::Ineffective(_));
        let found = schedule::whole(drift.corrected_at.unwrap_or(taken));
        let is_of_before = || operation.finished.as_ref().is_some_and(|finished| found <= finished.0);
        let expected = match operation.stage {
            OperationStage::Adding | OperationStage::Published => drift.found == SOME_PASSWORDS,
            OperationStage::Removing => drift.found.ends_with("passwords"),
            OperationStage::Completed => drift.found.ends_with("passwords") && is_of_before(),
            OperationStage::Ignored
            | OperationStage::Waiting
            | OperationStage::Counting
            | OperationStage::AwaitingRestart
            | OperationStage::Blocked
            | OperationStage::Unknown => false,
        };
        drift.parameter == Parameter::AppPassword && expected && !failed
    }

    fn new(valid: Vec<PasswordHash>, marks: Option<Marks>, operation: Option<OperationStatus>) -> Self {
        Self {
            valid,
            mint: None,
            write: None,
            publish: None,
            marks,
            spent: None,
            operation,
            finding: None,
            looks_since: None,
            wake_at: None,
        }
    }
}

/// How old a look at the pods that use the binding may be, where a server refuses a password and there was another one.
#[must_use]
pub fn refused_since(settings: &Settings, observed: &Live) -> Option<Timestamp> {
    let answers = observed.samples.iter().flat_map(|sample| &sample.outcome);
    let is_refused = answers.into_iter().any(|answer| answer.refusals.contains(&Refusal::Password));
    let published = Marks::read(observed.connection.owned()?)?.published;
    is_refused.then(|| schedule::mounted_at(published, settings.rotation.overlap))
}

/// Who has the password before the one that was published last, and what helps them; nothing where nobody is known to have it.
#[must_use]
pub fn who_has_the_earlier_one(settings: &Settings, observed: &Live, now: Timestamp) -> Option<Message> {
    let published = Marks::read(observed.connection.owned()?)?.published;
    Term::of(settings, published, &observed.processes, now).who_has_it()
}

fn entry_in(operations: &[OperationStatus]) -> Option<&OperationStatus> {
    operation::entry_in(operations, OperationType::RotatePassword)
}

fn in_order(hashes: impl Iterator<Item = PasswordHash>) -> Vec<PasswordHash> {
    let mut hashes: Vec<PasswordHash> = hashes.collect();
    hashes.sort();
    hashes.dedup();
    hashes
}

impl Input<'_> {
    fn wish(&self) -> &RotationRequest {
        &self.settings.rotation
    }

    /// What the status says.
    fn before(&self) -> Option<&OperationStatus> {
        entry_in(&self.observed.operations)
    }

    /// What the binding says of its password.
    fn marks(&self) -> Option<Marks> {
        self.observed.connection.owned().and_then(|binding| Marks::read(binding))
    }

    /// When the password before the one that was published at this time ends.
    fn term(&self, published: Timestamp) -> Term<'_> {
        Term::of(self.settings, published, &self.observed.processes, self.now)
    }

    /// The hashes that are valid where no rotation is under way.
    fn valid_at_rest(&self) -> Vec<PasswordHash> {
        match self.app {
            Some(password) if self.in_use.is_empty() || self.in_use.contains(&password.sha256()) => {
                vec![password.sha256()]
            }
            // It is not followed yet.
            Some(_) | None => in_order(self.in_use.iter().cloned()),
        }
    }
}
