//! The settings of a server: read, compared with what is wanted, set where asked for, and read back.

use super::connection::{self, Connection};
use super::reply::{self, Passwords};
use crate::redis::acl::APP;
use crate::redis::config;
use crate::redis::sample::{Correction, Drift, Fault, Parameter, Want};

/// What a server has.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) max_memory: u64,
    pub(super) eviction_policy: String,
    append_only: String,
    append_fsync: String,
    /// `None` where it was not asked for.
    app: Option<Passwords>,
}

/// One setting that is not as wanted, and what the server has instead.
#[derive(Debug, PartialEq, Eq)]
struct Difference {
    parameter: Parameter,
    found: String,
}

/// What became of one difference, before anything is read back.
enum Attempt {
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
        let attempt = attempt(connection, &settings, want, difference.parameter).await?;
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
    let app = match want.app_password {
        None => None,
        Some(_) => Some(reply::passwords(connection.ask("acl|getuser", &connection::user(APP)).await?)?),
    };
    Ok(Settings { max_memory, eviction_policy, append_only, append_fsync, app })
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
    let password = password_found(settings, want).map(|found| Difference { parameter: Parameter::AppPassword, found });
    [policy, memory, append_only, append_fsync, password].into_iter().flatten().collect()
}

/// What the user `app` accepts in place of the one password that it should, in words.
fn password_found(settings: &Settings, want: &Want) -> Option<String> {
    let wanted = want.app_password.as_ref()?.as_hex();
    match settings.app.as_ref()? {
        Passwords::NoUser => Some("no such user".to_owned()),
        Passwords::Off => Some("a user that is switched off".to_owned()),
        Passwords::Any => Some("no password needed".to_owned()),
        Passwords::These(hashes) => match hashes.as_slice() {
            [] => Some("no password".to_owned()),
            [hash] if hash == wanted => None,
            [_] => Some("another password".to_owned()),
            several => Some(format!("{} passwords", several.len())),
        },
    }
}

async fn attempt(
    connection: &mut Connection,
    settings: &Settings,
    want: &Want,
    parameter: Parameter,
) -> Result<Attempt, Fault> {
    if !want.correct {
        return Ok(Attempt::Withheld);
    }
    if parameter == Parameter::MaxMemory && !want.has_room {
        return Ok(Attempt::NoRoom);
    }
    let (name, command) = match (parameter, &want.app_password) {
        (Parameter::EvictionPolicy, _) => ("config|set", connection::set("maxmemory-policy", &want.eviction_policy)),
        (Parameter::MaxMemory, _) => ("config|set", connection::set("maxmemory", &want.max_memory.to_string())),
        (Parameter::AppendOnly, _) => {
            ("config|set", connection::set("appendonly", config::append_only(want.append_only)))
        }
        (Parameter::AppendFsync, _) => ("config|set", connection::set("appendfsync", config::APPEND_FSYNC)),
        (Parameter::AppPassword, Some(hash)) if settings.app != Some(Passwords::NoUser) => {
            ("acl|setuser", connection::set_password(APP, hash.as_hex()))
        }
        (Parameter::AppPassword, _) => return Ok(Attempt::Refused(NO_USER.to_owned())),
    };
    Ok(match connection.change(name, &command).await? {
        Ok(()) => Attempt::Accepted,
        Err(words) => Attempt::Refused(words),
    })
}

/// `ACL SETUSER` with a password would make the user, but one that may do nothing.
const NO_USER: &str = "a password alone does not make a user that can be used";

fn drift(difference: Difference, attempt: Attempt, left: &[Difference]) -> Drift {
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
