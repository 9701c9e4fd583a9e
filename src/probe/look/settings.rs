//! The settings of a server: read, compared with what is wanted, set where asked for, and read back.

use std::collections::BTreeMap;

use crate::{
    probe::wire::{connection::Connection, reply},
    redis::{
        look::{
            Desired,
            answer::{MemorySettings, Section, Unread},
            drift::{Correction, Drift, Parameter},
            fault::Fault,
        },
        server::config,
        settings::client_limits::{MAX_CLIENTS, MOST_CLIENTS, UNSET},
    },
};

/// What a server has, as far as it was read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) memory: Option<MemorySettings>,
    /// `appendonly` and `appendfsync`.
    append: Option<(String, String)>,
    /// What clients may take, as far as the server knows such limits.
    clients: Vec<(String, String)>,
    /// Whether more clients are connected than may be.
    pub(crate) is_crowded: bool,
    /// The port for plain text; `None` also where it was not asked, since the server speaks nothing else.
    plain_port: Option<String>,
}

/// One setting that is not as wanted, and what the server has instead.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) parameter: Parameter,
    pub(crate) found: String,
}

/// What became of one difference, before anything is read back.
pub(crate) enum Attempt {
    Withheld,
    NoRoom,
    Refused(String),
    Accepted,
}

/// Reads the settings; where they differ from what is wanted, corrects them if that is asked for, and reads them
/// again. The settings are those that were read last. So many clients are connected.
pub(crate) async fn bring_in_line(
    connection: &mut Connection,
    want: &Desired,
    clients: u64,
    unread: &mut BTreeMap<Section, Unread>,
) -> Result<(Settings, Vec<Drift>), Fault> {
    let mut settings = read(connection, want, clients, unread).await?;
    let is_unlimited = settings.is_unlimited();
    let mut attempts = Vec::new();
    for difference in differences(&settings, want) {
        let attempt = attempt(connection, want, difference.parameter).await?;
        attempts.push((difference, attempt));
    }
    if attempts.iter().any(|(_, attempt)| !matches!(attempt, Attempt::Withheld | Attempt::NoRoom)) {
        settings = read(connection, want, clients, unread).await?;
    }
    let left = differences(&settings, want);
    let drifts = attempts.into_iter().map(|(difference, attempt)| drift(difference, attempt, &left));
    let drifts = drifts.filter(|drift| !is_of_no_one(drift, want, is_unlimited)).collect();
    Ok((settings, drifts))
}

/// Whether nobody changed a limit of clients: the server was started with a configuration that had none, or it has lowered
/// its number of clients by itself, since its process may not open more files.
fn is_of_no_one(drift: &Drift, want: &Desired, is_unlimited: bool) -> bool {
    let Parameter::Clients(setting) = drift.parameter else { return false };
    let is_lowered = setting == MAX_CLIENTS && number(&drift.found).is_some_and(|found| found < want.clients.clients);
    match drift.correction {
        // As many as Redis allows by itself: a limit that had to wait until fewer were connected.
        Correction::Corrected | Correction::Withheld => {
            is_unlimited || setting == MAX_CLIENTS && number(&drift.found) == Some(MOST_CLIENTS)
        }
        Correction::Refused(_) | Correction::Ineffective(_) => is_lowered,
        Correction::Followed | Correction::NoRoom => false,
    }
}

impl Settings {
    /// Whether no limit of clients was set, as in the configuration of earlier versions.
    fn is_unlimited(&self) -> bool {
        let known: Vec<&str> = self
            .clients
            .iter()
            .filter(|(setting, _)| setting != MAX_CLIENTS)
            .map(|(_, value)| value.as_str())
            .collect();
        known.iter().all(|value| UNSET.contains(value))
    }
}

async fn read(
    connection: &mut Connection,
    want: &Desired,
    clients: u64,
    unread: &mut BTreeMap<Section, Unread>,
) -> Result<Settings, Fault> {
    let answer =
        connection.ask_for(Section::MemorySettings, &crate::probe::wire::commands::memory_settings(), unread).await?;
    let memory = answer.map(reply::memory_settings).transpose()?;
    let answer =
        connection.ask_for(Section::AppendSettings, &crate::probe::wire::commands::append_settings(), unread).await?;
    let append = answer.map(reply::append_settings).transpose()?;
    let plain_port = match want.trust {
        Some(_) => connection.ask_for(Section::PlainPort, &crate::probe::wire::commands::plain_port(), unread).await?,
        None => None,
    };
    let limits = want.clients.settings().map(|(setting, _)| setting);
    let limits = connection
        .ask_for(Section::ClientLimits, &crate::probe::wire::commands::client_limits(&limits), unread)
        .await?;
    let limits = limits.map(reply::numbers).transpose()?.unwrap_or_default();
    let most = limits.iter().find(|(setting, _)| setting == MAX_CLIENTS).and_then(|(_, most)| number(most));
    let is_crowded = clients >= want.clients.clients && most.is_some_and(|most| most > want.clients.clients);
    let plain_port = plain_port.map(reply::plain_port).transpose()?;
    Ok(Settings { memory, append, clients: limits, is_crowded, plain_port })
}

/// The policy comes first: less memory under a policy that evicts nothing would refuse writes.
fn differences(settings: &Settings, want: &Desired) -> Vec<Difference> {
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
    differences.into_iter().flatten().chain(client_limits(settings, want)).collect()
}

/// They go with `maxmemory`, and wait for room as it does. Fewer clients than are connected would lock out those that come
/// again, so that limit waits until there are fewer.
fn client_limits(settings: &Settings, want: &Desired) -> Vec<Difference> {
    let found = |setting: &str| settings.clients.iter().find(|(known, _)| known == setting).map(|(_, value)| value);
    let limits = want.clients.settings().into_iter();
    let limits = limits.filter(|(setting, _)| want.has_room && !(settings.is_crowded && *setting == MAX_CLIENTS));
    let differing = limits.filter_map(|(setting, wanted)| {
        let found = found(setting).filter(|found| **found != wanted.to_string())?;
        Some(Difference { parameter: Parameter::Clients(setting), found: found.clone() })
    });
    differing.collect()
}

fn number(value: &str) -> Option<u64> {
    value.parse().ok()
}

async fn attempt(connection: &mut Connection, want: &Desired, parameter: Parameter) -> Result<Attempt, Fault> {
    if !want.correct {
        return Ok(Attempt::Withheld);
    }
    if parameter == Parameter::MaxMemory && !want.has_room {
        return Ok(Attempt::NoRoom);
    }
    let command = match parameter {
        Parameter::EvictionPolicy => crate::probe::wire::commands::set("maxmemory-policy", &want.eviction_policy),
        Parameter::AppendOnly => crate::probe::wire::commands::set("appendonly", config::append_only(want.append_only)),
        Parameter::AppendFsync => crate::probe::wire::commands::set("appendfsync", config::APPEND_FSYNC),
        Parameter::PlainPort => crate::probe::wire::commands::set("port", config::NO_PORT),
        Parameter::Clients(setting) => {
            let wanted = want.clients.settings().into_iter().find(|(known, _)| *known == setting);
            crate::probe::wire::commands::set(setting, &wanted.map_or_else(String::new, |(_, value)| value.to_string()))
        }
        _ => crate::probe::wire::commands::set("maxmemory", &want.max_memory.to_string()),
    };
    Ok(match connection.change("config|set", &command).await? {
        Ok(()) => Attempt::Accepted,
        Err(words) => Attempt::Refused(words),
    })
}

/// What came of a difference, where these are left.
pub(crate) fn drift(difference: Difference, attempt: Attempt, left: &[Difference]) -> Drift {
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
    Drift { parameter, found, correction, corrected_at: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::settings::client_limits::ClientLimits;

    fn want() -> Desired {
        Desired {
            max_memory: 0,
            has_room: true,
            clients: ClientLimits { clients: 1024, memory: 10, query_buffer: 10 },
            eviction_policy: String::new(),
            instance_name: String::new(),
            append_only: false,
            trust: None,
            users: Vec::new(),
            address: None,
            question: None,
            correct: true,
        }
    }

    fn settings(clients: [(&str, &str); 4]) -> Settings {
        Settings {
            memory: None,
            append: None,
            clients: clients.map(|(setting, value)| (setting.to_owned(), value.to_owned())).into(),
            is_crowded: false,
            plain_port: None,
        }
    }

    #[test]
    fn a_server_that_may_not_open_more_files_is_left_with_fewer_clients() {
        let drift = |found: &str, correction| Drift {
            parameter: Parameter::Clients(MAX_CLIENTS),
            found: found.to_owned(),
            correction,
            corrected_at: None,
        };
        let refused = || Correction::Refused("ERR Unable to set".to_owned());
        assert!(is_of_no_one(&drift("992", refused()), &want(), false));
        assert!(is_of_no_one(&drift("992", Correction::Ineffective("992".to_owned())), &want(), false));
        assert!(!is_of_no_one(&drift("5000", refused()), &want(), false), "more than it should allow");
        assert!(!is_of_no_one(&drift("992", Correction::Corrected), &want(), false), "somebody lowered it");
    }

    #[test]
    fn limits_wait_for_room_and_what_a_server_does_not_know_is_no_difference() {
        let unset = settings([
            ("timeout", "0"),
            ("maxmemory-clients", "0"),
            ("client-query-buffer-limit", "1073741824"),
            (MAX_CLIENTS, "10000"),
        ]);
        assert_eq!((client_limits(&unset, &want()).len(), unset.is_unlimited()), (4, true));
        assert!(client_limits(&unset, &Desired { has_room: false, ..want() }).is_empty());
        let crowded =
            Settings { is_crowded: true, ..settings([("timeout", "0"), ("a", ""), ("b", ""), (MAX_CLIENTS, "9")]) };
        let parameters: Vec<_> = client_limits(&crowded, &want()).into_iter().map(|found| found.parameter).collect();
        assert_eq!(parameters, [Parameter::Clients("timeout")]);
        assert!(!settings([("timeout", "600"), ("maxmemory-clients", "0"), ("a", "0"), ("b", "0")]).is_unlimited());
    }
}
