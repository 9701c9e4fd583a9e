//! What is said of what could not be read of a server that answers: what goes by it is not known, and nothing else.
//!
//! In: a server's answer, and what a condition goes by. Out: a finding that is Unknown, or none where all of it was read.

use super::unanswered;
use crate::{
    api::v1alpha1::Remedy,
    condition::{
        ConditionStatus,
        ConditionType::{self, RedisAvailable, UsersVerified},
        Finding, Message, Reason,
    },
    redis::{
        look::answer::{Answer, Section, Unread},
        restart::Restart,
        settings::Settings,
    },
};

/// The finding about a condition that goes by these, where one of them was not read.
#[must_use]
pub fn finding(
    settings: &Settings,
    pod: &str,
    answer: &Answer,
    condition: ConditionType,
    goes_by: &[Section],
) -> Option<Finding> {
    let (part, why) = goes_by.iter().find_map(|part| answer.unread.get_key_value(part))?;
    let (asked, what) = (asked(*part), what(*part));
    let so = format!("so it is unknown {what}");
    let (fault, message) = match why {
        Unread::TooLong => (
            Reason::AnswerTooLong,
            Message::from(format!("the answer of {pod} to {asked} is too long, {so}")).remedy(remedy(*part)),
        ),
        Unread::Refused(words) => (
            Reason::PermissionDenied,
            Message::from(format!("{pod} refuses {asked} to the operator, {so}: {words}"))
                .remedy(Restart::of(settings, Some(answer)).remedy(settings, pod)),
        ),
        Unread::Odd(words) => (
            Reason::UnexpectedAnswer,
            Message::from(format!("{pod} gave an unexpected answer to {asked}, {so}: {words}"))
                .remedy(unanswered::log(settings, pod)),
        ),
        Unread::Late => (
            Reason::NoRecentAnswer,
            Message::from(format!("{pod} is too slow: several looks in a row had no time for {asked}, {so}"))
                .remedy(unanswered::slow("its node")),
        ),
    };
    // Without these nobody can say that applications are served.
    let reason = if matches!(condition, RedisAvailable | UsersVerified) { fault } else { Reason::NotRead };
    Some(Finding::unknown(condition, reason, message))
}

/// A finding that goes by this part and by how the server is used, unless one of them was not read. A trouble that was seen is told,
/// whatever else could not be read.
#[must_use]
pub fn unless_read(settings: &Settings, pod: &str, answer: &Answer, finding: Finding, goes_by: Section) -> Finding {
    match self::finding(settings, pod, answer, finding.condition, &[Section::Use, goes_by]) {
        Some(unknown) if finding.status != ConditionStatus::False || answer.unread.contains_key(&Section::Use) => {
            unknown
        }
        _ => finding,
    }
}

fn asked(part: Section) -> &'static str {
    match part {
        Section::Server | Section::Use => "INFO",
        Section::Errors => "INFO errorstats",
        Section::Calls => "INFO commandstats",
        Section::MemorySettings => "CONFIG GET maxmemory",
        Section::AppendSettings => "CONFIG GET appendonly",
        Section::PlainPort => "CONFIG GET port",
        Section::ClientLimits => "CONFIG GET maxclients",
        Section::Users => "ACL LIST",
        Section::Refusals => "ACL LOG",
        Section::Keys => "SCAN",
        Section::Payloads => "HGET",
    }
}

fn what(part: Section) -> &'static str {
    match part {
        Section::Server => "whether it is a primary and takes writes",
        Section::Use => "how much it is used",
        Section::Errors => "whether it refused writes for want of memory",
        Section::Calls => "how fast it reads and writes entries",
        Section::MemorySettings => "how much memory it may use",
        Section::AppendSettings => "how it saves what is written",
        Section::PlainPort => "whether it listens for plain text too",
        Section::ClientLimits => "how many connections it takes",
        Section::Users => "what its users may do",
        Section::Refusals => "whether user app was refused anything",
        Section::Keys => "which keys are stored",
        Section::Payloads => "what its entries hold",
    }
}

fn remedy(part: Section) -> Remedy {
    match part {
        Section::Refusals => Remedy::free("empty the log with ACL LOG RESET"),
        Section::Errors => Remedy::free("reset the counters with CONFIG RESETSTAT"),
        Section::Keys => Remedy::look("move what writes keys with very long names to a Redis of its own"),
        Section::Users => Remedy::free("remove the users that nobody needs with ACL DELUSER"),
        _ => unanswered::is_redis(),
    }
}

/// What is said where the server does not let the operator look at keys, in these words of its own.
#[must_use]
pub fn unseen(settings: &Settings, pod: &str, words: &str) -> Message {
    Message::from(format!("{pod} does not let the operator look at its keys: {words}"))
        .remedy(Restart::of(settings, None).remedy(settings, pod))
}
