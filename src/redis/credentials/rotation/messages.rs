//! What is said of a rotation: the entry of `status.operations`, and the events.
//!
//! In: how far it is. Out: values and sentences, in which nothing moves that does not change the matter. No password and no
//! hash is told.

use jiff::Timestamp;

use super::{
    record::{Cause, Marks, PUBLISHED_ANNOTATION},
    schedule::{Unseen, after, whole},
    term::Term,
};
pub use crate::capability::operation::time;
use crate::{
    api::v1alpha1::{OperationStage, OperationStatus, OperationType, ROTATE_PASSWORD_ANNOTATION, Remedy},
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
pub const HELD: &str = "Held while the cache is paused";

/// Why nothing is begun while a cache is paused.
pub const PAUSED: &str = "the cache is paused";

/// What is said of another request, which is begun later.
#[must_use]
pub fn queued(requested: Timestamp) -> String {
    format!("Another request ({requested}) follows")
}

/// The new password is made valid beside the earlier one.
#[must_use]
pub fn adding(what: &str) -> String {
    format!("adding the new password beside the earlier one; {what}")
}

/// The binding is lost, or its password.
#[must_use]
pub fn remaking(settings: &Settings) -> String {
    let secret = name::redis(&settings.owner.name);
    format!("Secret {secret} was lost; it comes back once Redis takes its new password beside the earlier one")
}

/// The users' Secret is on its way to the pods.
#[must_use]
pub fn mounting(at: Timestamp) -> String {
    format!("it is published after {}, once every server takes both", whole(at))
}

/// A server that has not been seen to take what it should.
#[must_use]
pub fn unseen(unseen: &Unseen) -> String {
    match unseen {
        Unseen::NoPod => "waiting for a pod: see RedisAvailable".to_owned(),
        Unseen::NotRunning(pod) => format!("waiting for {pod} to run: see RedisAvailable"),
        Unseen::Due(pod) => format!("waiting for the next look at {pod}"),
        Unseen::Silent(pod) => format!("waiting for {pod}, which does not answer: see RedisAvailable"),
        Unseen::Differs(pod) => {
            format!("waiting for {pod}, where the passwords of user app cannot be set: see RedisAvailable")
        }
    }
}

/// The new password is published, and the earlier one is valid still.
#[must_use]
pub fn published(settings: &Settings, marks: Marks, term: &Term<'_>, cause: Option<Cause>, now: Timestamp) -> Message {
    let secret = name::redis(&settings.owner.name);
    let what = match cause {
        Some(Cause::Request) => format!("Secret {secret} has the new password"),
        Some(Cause::Lost) => format!("Secret {secret} was lost, and has a new password"),
        Some(Cause::Replaced) => format!("somebody put a new password into Secret {secret}, and Redis takes it"),
        None => format!("somebody put another password into Secret {secret}, which is valid too and stays"),
    };
    let Message { text, remedies } = term.told();
    if marks.published <= after(now, CLOCKS_DIFFER_BY) {
        return Message { text: format!("{what}; {text}"), remedies };
    }
    let recount = Remedy::free(format!("remove annotation {PUBLISHED_ANNOTATION} from Secret {secret}"));
    Message::from(format!("{what}, published in the future by its annotation (a clock was wrong); {text}"))
        .remedy(recount)
        .remedies(remedies)
}

/// The earlier password is being removed.
#[must_use]
pub fn removing(what: &str, refused: Option<Message>) -> Message {
    let message = Message::from(format!("removing the earlier password, since the overlap is over; {what}"));
    match refused {
        Some(Message { text, remedies }) => message.and(&text).remedies(remedies),
        None => message,
    }
}

/// All is done.
pub const COMPLETED: &str =
    "the earlier password is removed: new connections with it are refused (WRONGPASS), open ones stay";

/// The Secret of the rotation cannot be read.
#[must_use]
pub fn unreadable(settings: &Settings, why: &str) -> Message {
    let (secret, namespace) = (name::redis_rotation(&settings.owner.name), &settings.owner.namespace);
    Message::from(format!(
        "Secret {secret} was changed and cannot be used: {why}. The rotation stops, and every earlier password stays valid"
    ))
    .remedy(
        Remedy::free(format!("delete Secret {secret}")).command(format!("kubectl -n {namespace} delete secret {secret}")),
    )
}

/// What is said of another request, made while one is under way; `None` where it is begun later.
#[must_use]
pub fn meanwhile(request: &Request, refused: Option<&str>) -> Option<String> {
    match (request, refused) {
        (Request::Malformed(_), _) => {
            Some(format!("Annotation {ROTATE_PASSWORD_ANNOTATION} does not begin with a time, and is ignored"))
        }
        (Request::At(time), Some(why)) => Some(format!("Request {time} is ignored: {why}")),
        (Request::At(_), None) => None,
    }
}
