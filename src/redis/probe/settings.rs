//! The settings of a server: read, compared with what is wanted, set where asked for, and read back.

use super::connection::{self, Connection};
use super::reply;
use crate::redis::config;
use crate::redis::sample::{Correction, Drift, Fault, Parameter, Want};

/// What a server has.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) max_memory: u64,
    pub(super) eviction_policy: String,
    append_only: String,
    append_fsync: String,
    /// The port for plain text; `None` where it was not asked, since the server speaks nothing else.
    plain_port: Option<String>,
}

/// One setting that is not as wanted, and what the server has instead.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) parameter: Parameter,
    pub(super) found: String,
}

/// What became of one difference, before anything is read back.
pub(super) enum Attempt {
    Withheld,
    NoRoom,
    Refused(String),
    Accepted,
}

/// Reads the settings; where they differ from what is wanted, corrects them if that is asked for, and reads them
/// again. The settings are those that were read last.
pub(super) async fn bring_in_line(connection: &mut Connection, want: &Want) -> Result<(Settings, Vec<Drift>), Fault> {
    let mut settings = read(connection, want).await?;
    let mut attempts = Vec::new();
    for difference in differences(&settings, want) {
        let attempt = attempt(connection, want, difference.parameter).await?;
        attempts.push((difference, attempt));
    }
    if attempts.iter().any(|(_, attempt)| !matches!(attempt, Attempt::Withheld | Attempt::NoRoom)) {
        settings = read(connection, want).await?;
    }
    let left = differences(&settings, want);
    let drift = attempts.into_iter().map(|(difference, attempt)| drift(difference, attempt, &left)).collect();
    Ok((settings, drift))
}

async fn read(connection: &mut Connection, want: &Want) -> Result<Settings, Fault> {
    let answer = connection.ask("config|get", &connection::memory_settings()).await?;
    let (max_memory, eviction_policy) = reply::memory_settings(answer)?;
    let answer = connection.ask("config|get", &connection::append_settings()).await?;
    let (append_only, append_fsync) = reply::append_settings(answer)?;
    let plain_port = match want.trust {
        Some(_) => Some(reply::plain_port(connection.ask("config|get", &connection::plain_port()).await?)?),
        None => None,
    };
    Ok(Settings { max_memory, eviction_policy, append_only, append_fsync, plain_port })
}

/// The policy comes first: less memory under a policy that evicts nothing would refuse writes.
fn differences(settings: &Settings, want: &Want) -> Vec<Difference> {
    let policy = (settings.eviction_policy != want.eviction_policy)
        .then(|| Difference { parameter: Parameter::EvictionPolicy, found: settings.eviction_policy.clone() });
    let memory = (settings.max_memory != want.max_memory)
        .then(|| Difference { parameter: Parameter::MaxMemory, found: settings.max_memory.to_string() });
    let append_only = (settings.append_only != config::append_only(want.append_only))
        .then(|| Difference { parameter: Parameter::AppendOnly, found: settings.append_only.clone() });
    let append_fsync = (want.append_only && settings.append_fsync != config::APPEND_FSYNC)
        .then(|| Difference { parameter: Parameter::AppendFsync, found: settings.append_fsync.clone() });
    let plain_port = settings.plain_port.as_ref().filter(|port| *port != config::NO_PORT);
    let plain_port = plain_port.map(|port| Difference { parameter: Parameter::PlainPort, found: port.clone() });
    [policy, memory, append_only, append_fsync, plain_port].into_iter().flatten().collect()
}

async fn attempt(connection: &mut Connection, want: &Want, parameter: Parameter) -> Result<Attempt, Fault> {
    if !want.correct {
        return Ok(Attempt::Withheld);
    }
    if parameter == Parameter::MaxMemory && !want.has_room {
        return Ok(Attempt::NoRoom);
    }
    let command = match parameter {
        Parameter::EvictionPolicy => connection::set("maxmemory-policy", &want.eviction_policy),
        Parameter::AppendOnly => connection::set("appendonly", config::append_only(want.append_only)),
        Parameter::AppendFsync => connection::set("appendfsync", config::APPEND_FSYNC),
        Parameter::PlainPort => connection::set("port", config::NO_PORT),
        _ => connection::set("maxmemory", &want.max_memory.to_string()),
    };
    Ok(match connection.change("config|set", &command).await? {
        Ok(()) => Attempt::Accepted,
        Err(words) => Attempt::Refused(words),
    })
}

/// What came of a difference, where these are left.
pub(super) fn drift(difference: Difference, attempt: Attempt, left: &[Difference]) -> Drift {
    let Difference { parameter, found } = difference;
    let correction = match attempt {
        Attempt::Withheld => Correction::Withheld,
        Attempt::NoRoom => Correction::NoRoom,
        Attempt::Refused(words) => Correction::Refused(words),
        Attempt::Accepted => match left.iter().find(|left| left.parameter == parameter) {
            None => Correction::Corrected,
            Some(left) => Correction::Ineffective(left.found.clone()),
        },
    };
    Drift { parameter, found, correction }
}
