//! The settings of a server: read, compared with what is wanted, set where asked for, and read back.

use std::collections::BTreeMap;

use super::connection::{self, Connection};
use super::reply;
use crate::redis::config;
use crate::redis::sample::{Correction, Drift, Fault, MemorySettings, Parameter, Part, Unread, Want};

/// What a server has, as far as it was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) memory: Option<MemorySettings>,
    /// `appendonly` and `appendfsync`.
    append: Option<(String, String)>,
    /// The port for plain text; `None` also where it was not asked, since the server speaks nothing else.
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
pub(super) async fn bring_in_line(
    connection: &mut Connection,
    want: &Want,
    unread: &mut BTreeMap<Part, Unread>,
) -> Result<(Settings, Vec<Drift>), Fault> {
    let mut settings = read(connection, want, unread).await?;
    let mut attempts = Vec::new();
    for difference in differences(&settings, want) {
        let attempt = attempt(connection, want, difference.parameter).await?;
        attempts.push((difference, attempt));
    }
    if attempts.iter().any(|(_, attempt)| !matches!(attempt, Attempt::Withheld | Attempt::NoRoom)) {
        settings = read(connection, want, unread).await?;
    }
    let left = differences(&settings, want);
    let drift = attempts.into_iter().map(|(difference, attempt)| drift(difference, attempt, &left)).collect();
    Ok((settings, drift))
}

async fn read(
    connection: &mut Connection,
    want: &Want,
    unread: &mut BTreeMap<Part, Unread>,
) -> Result<Settings, Fault> {
    let answer = connection.ask_for(Part::MemorySettings, &connection::memory_settings(), unread).await?;
    let memory = answer.map(reply::memory_settings).transpose()?;
    let answer = connection.ask_for(Part::AppendSettings, &connection::append_settings(), unread).await?;
    let append = answer.map(reply::append_settings).transpose()?;
    let plain_port = match want.trust {
        Some(_) => connection.ask_for(Part::PlainPort, &connection::plain_port(), unread).await?,
        None => None,
    };
    Ok(Settings { memory, append, plain_port: plain_port.map(reply::plain_port).transpose()? })
}

/// The policy comes first: less memory under a policy that evicts nothing would refuse writes.
fn differences(settings: &Settings, want: &Want) -> Vec<Difference> {
    let differs = |parameter, found: Option<&str>, is_wanted: bool| {
        found.filter(|_| !is_wanted).map(|found| Difference { parameter, found: found.to_owned() })
    };
    let policy = settings.memory.as_ref().map(|memory| memory.eviction_policy.as_str());
    let memory = settings.memory.as_ref().map(|memory| memory.max_memory.to_string());
    let (append_only, append_fsync) = match &settings.append {
        Some((append_only, append_fsync)) => (Some(append_only.as_str()), Some(append_fsync.as_str())),
        None => (None, None),
    };
    let port = settings.plain_port.as_deref();
    let is_saved = append_fsync == Some(config::APPEND_FSYNC);
    let differences = [
        differs(Parameter::EvictionPolicy, policy, policy == Some(&want.eviction_policy)),
        differs(Parameter::MaxMemory, memory.as_deref(), memory == Some(want.max_memory.to_string())),
        differs(Parameter::AppendOnly, append_only, append_only == Some(config::append_only(want.append_only))),
        differs(Parameter::AppendFsync, append_fsync, !want.append_only || is_saved),
        differs(Parameter::PlainPort, port, port == Some(config::NO_PORT)),
    ];
    differences.into_iter().flatten().collect()
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
