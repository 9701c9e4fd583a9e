//! What is said of what could not be read of a server that answers: what goes by it is not known, and nothing else.
//!
//! In: a server's answer, and what a condition goes by. Out: a finding that is Unknown, or none where all of it was read.

use super::drift;
use crate::{
    condition::{
        ConditionStatus,
        ConditionType::{self, RedisAvailable, UsersVerified},
        Finding, Reason,
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
    let (fault, message) = match why {
        Unread::TooLong => (
            Reason::AnswerTooLong,
            format!(
                "{pod} answers {asked} at such length that it is not read to its end: {what} is not known. {}",
                remedy(*part)
            ),
        ),
        Unread::Refused(words) => (
            Reason::PermissionDenied,
            format!(
                "{pod} refuses {asked} to the operator ({words}): {what} is not known. {}",
                drift::restart(settings, Restart::of(settings, Some(answer)), pod, "the users from its Secret")
            ),
        ),
        Unread::Odd(words) => (
            Reason::UnexpectedAnswer,
            format!(
                "{pod} answers {asked} as Redis does not ({words}): {what} is not known. See `kubectl -n {} logs {pod}`",
                settings.owner.namespace
            ),
        ),
        Unread::Late => (
            Reason::NoRecentAnswer,
            format!(
                "{pod} answers so slowly that several looks running had no time for {asked}: {what} is not known. Its node or \
                 the operator's is overloaded, or slow commands keep it busy"
            ),
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
        Section::Use => "how it is used",
        Section::Errors => "whether it refused writes for want of memory",
        Section::Calls => "how long it takes to read and write entries",
        Section::MemorySettings => "how much memory it may use, and what it does when that is full,",
        Section::AppendSettings => "how it saves what is written",
        Section::PlainPort => "whether it listens for plain text too",
        Section::ClientLimits => "how many connections it takes, and how much memory they may use,",
        Section::Users => "who may do what there",
        Section::Refusals => "whether anything was refused to the user app of late",
        Section::Keys => "what stands in it",
        Section::Payloads => "what its entries hold",
    }
}

fn remedy(part: Section) -> &'static str {
    match part {
        Section::Refusals => {
            "An entry of that log holds what was asked for, such as a key of some megabytes, or somebody tries many logins. \
             Costs nothing: `ACL LOG RESET` empties it"
        }
        Section::Errors => {
            "Redis counts each kind of error, and a script can make up as many as it likes. Costs nothing: CONFIG RESETSTAT"
        }
        Section::Keys => {
            "Most often there are keys whose names are very long: what writes them needs a Redis of its own"
        }
        Section::Users => "Somebody made very many users or rules. Costs nothing: ACL DELUSER removes them",
        _ => {
            "No Redis does that by itself: see what spec.redis.image names, and what stands between the operator and the pod"
        }
    }
}

/// What is said where the server does not let the operator look at keys, in these words of its own.
#[must_use]
pub fn unseen(settings: &Settings, pod: &str, words: &str) -> String {
    format!(
        "{pod} does not let the operator look at its keys ({words}). {}",
        drift::restart(settings, Restart::of(settings, None), pod, "the users from its Secret")
    )
}
