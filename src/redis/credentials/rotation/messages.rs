//! What is said of a rotation: the entry of `status.operations`, and the events.
//!
//! In: how far it is. Out: values and sentences, in which nothing moves that does not change the matter. No password and no
//! hash is told.

use jiff::Timestamp;

use super::{
    record::{Cause, Marks},
    schedule::{Unseen, after, whole},
    term::Term,
};
pub use crate::capability::operation::{paused, time};
use crate::{
    api::v1alpha1::{OperationStage, OperationStatus, OperationType, ROTATE_PASSWORD_ANNOTATION},
    capability::operation::{self, Again, CLOCKS_DIFFER_BY, Request},
    condition::{Message, Reason},
    kubernetes::name,
    redis::settings::Settings,
};

/// The entry of a stage, and nothing else said yet.
#[must_use]
pub fn entry(stage: OperationStage, requested: Option<Timestamp>, message: impl Into<Message>) -> OperationStatus {
    operation::entry(OperationType::RotatePassword, stage, requested, message)
}

/// The event about a stage that was reached; `None` where nothing was.
#[must_use]
pub fn reason(stage: OperationStage) -> Option<Reason> {
    match stage {
        OperationStage::Waiting
        | OperationStage::Counting
        | OperationStage::AwaitingRestart
        | OperationStage::Unknown => None,
        OperationStage::Ignored => Some(Reason::RequestIgnored),
        OperationStage::Adding => Some(Reason::PasswordRotationStarted),
        OperationStage::Published => Some(Reason::PasswordPublished),
        OperationStage::Removing => Some(Reason::PasswordOverlapOver),
        OperationStage::Completed => Some(Reason::PasswordRotated),
        OperationStage::Blocked => Some(Reason::PasswordRotationBlocked),
    }
}

/// What nobody can read as a time.
#[must_use]
pub fn malformed(settings: &Settings, value: &str) -> Message {
    operation::malformed(&settings.owner, ROTATE_PASSWORD_ANNOTATION, value, Some(&Again::default()))
}

/// A request that is not followed.
#[must_use]
pub fn ignored(settings: &Settings, why: &str) -> Message {
    operation::ignored(&settings.owner, ROTATE_PASSWORD_ANNOTATION, why, Some(&Again::default()))
}

/// A request that cannot be begun yet.
#[must_use]
pub fn waiting(why: impl Into<Message>) -> Message {
    let Message { text, remedies } = why.into();
    Message { text: format!("the new password is not made yet: {text}"), remedies }
}

/// What is said while a cache is paused.
#[must_use]
pub fn held(message: &str) -> String {
    format!("{message}. Held: {}", paused())
}

/// What is said of another request, which is begun later.
#[must_use]
pub fn queued(message: Message, requested: Timestamp) -> Message {
    message.and(&format!("Another request ({requested}) is begun when this one is complete"))
}

/// The new password is made valid beside the earlier one.
#[must_use]
pub fn adding(what: &str) -> String {
    format!("the new password is being made valid beside the earlier one, and nothing is published yet: {what}")
}

/// The binding is lost, or its password.
#[must_use]
pub fn remaking(settings: &Settings) -> String {
    let secret = name::redis(&settings.owner.name);
    format!("Secret {secret} was lost: it is made again as soon as Redis takes its new password beside the earlier one")
}

/// The users' Secret is on its way to the pods.
#[must_use]
pub fn mounting(at: Timestamp) -> String {
    format!(
        "from {} on, when a server that restarts finds both in its users' file, it is published as soon as every server has \
         been seen to take both",
        whole(at)
    )
}

/// A server that has not been seen to take what it should.
#[must_use]
pub fn unseen(unseen: &Unseen) -> String {
    match unseen {
        Unseen::NoPod => "waiting for a pod, see RedisAvailable".to_owned(),
        Unseen::NotRunning(pod) => format!("waiting for pod {pod} to run, see RedisAvailable"),
        Unseen::Due(pod) => format!("waiting for the next look at {pod}"),
        Unseen::Silent(pod) => format!("waiting for {pod}, which gave no answer, see RedisAvailable"),
        Unseen::Differs(pod) => {
            format!("waiting for {pod}, where the passwords of the user app could not be set, see RedisAvailable")
        }
    }
}

/// The new password is published, and the earlier one is valid still.
#[must_use]
pub fn published(settings: &Settings, marks: Marks, term: &Term<'_>, cause: Option<Cause>, now: Timestamp) -> String {
    let secret = name::redis(&settings.owner.name);
    let what = match cause {
        Some(Cause::Request) => format!("Secret {secret} has the new password"),
        Some(Cause::Lost) => format!("Secret {secret} was lost, and has a new password"),
        Some(Cause::Replaced) => format!("somebody put a new password into Secret {secret}; Redis takes it"),
        None => {
            format!("Secret {secret} was given another password by somebody meanwhile, which is valid too and stays")
        }
    };
    let odd = if marks.published > after(now, CLOCKS_DIFFER_BY) {
        format!(
            ". By its annotation it was published in the future, so a clock was wrong: remove the annotation {} from Secret \
             {secret} to count from now",
            crate::redis::credentials::rotation::record::PUBLISHED_ANNOTATION
        )
    } else {
        String::new()
    };
    [what, term.told(), odd].concat()
}

/// The earlier password is being removed.
#[must_use]
pub fn removing(what: &str, refused: Option<&str>) -> String {
    let refused = refused.map(|refused| format!(". {refused}")).unwrap_or_default();
    format!("the overlap is over, and the earlier password is being removed: {what}{refused}")
}

/// All is done.
#[must_use]
pub fn completed(settings: &Settings) -> String {
    format!(
        "the earlier password is removed. Connections that are open stay; whoever connects with it from now on is refused \
         (WRONGPASS): restart applications that have not read Secret {} since",
        name::redis(&settings.owner.name)
    )
}

/// The Secret of the rotation cannot be read.
#[must_use]
pub fn unreadable(settings: &Settings, why: &str) -> String {
    let secret = name::redis_rotation(&settings.owner.name);
    format!(
        "Secret {secret} was changed: {why}. Every password that was valid stays valid, and nothing goes on. Delete Secret \
         {secret}: what is published stays so, else another password is made"
    )
}

/// What is said of another request, made while one is under way; `None` where it is begun later.
#[must_use]
pub fn meanwhile(request: &Request, refused: Option<&str>) -> Option<String> {
    match (request, refused) {
        (Request::Malformed(value), _) => Some(format!(
            "The annotation {ROTATE_PASSWORD_ANNOTATION} ({value:?}) does not begin with a time, and asks for nothing"
        )),
        (Request::At(time), Some(why)) => Some(format!("The request of {time} is not followed: {why}")),
        (Request::At(_), None) => None,
    }
}
