//! What is said of settings that differed from the wanted ones, and of what came of setting them again.
//!
//! In: the settings and a server's answer. Out: findings and sentences.

use super::{unread, users};
use crate::{
    condition::{
        ConditionType::{self, Durable, EvictionPolicyVerified, RedisAvailable, TlsReady, UsersVerified},
        Finding, Reason,
    },
    kubernetes::quantity::{self, format_bytes},
    redis::{
        access::rules::SOME_PASSWORDS,
        look::{
            answer::{Answer, Section},
            drift::{Correction, Drift, Parameter},
        },
        restart::Restart,
        server::config,
        settings::{
            Settings,
            client_limits::{ClientLimits, MAX_CLIENTS},
        },
    },
};

/// Whether `maxmemory` and its policy are as wanted.
#[must_use]
pub fn verification(settings: &Settings, pod: &str, answer: &Answer) -> Finding {
    let policy = settings.eviction_policy.as_str();
    if let Some(unknown) = unread::finding(
        settings,
        pod,
        answer,
        EvictionPolicyVerified,
        &[Section::MemorySettings, Section::ClientLimits],
    ) {
        return unknown;
    }
    told(settings, pod, answer, EvictionPolicyVerified).unwrap_or_else(|| {
        Finding::holds(
            EvictionPolicyVerified,
            Reason::Verified,
            format!("maxmemory-policy {policy} and maxmemory {} read back from {pod}", settings.max_memory.quantity()),
        )
    })
}

/// What a condition says of the parameters that are its own; `None` where none of them differed.
#[must_use]
pub fn told(settings: &Settings, pod: &str, answer: &Answer, by: ConditionType) -> Option<Finding> {
    let drifts: Vec<&Drift> = answer.drift.iter().filter(|drift| told_by(drift.parameter) == by).collect();
    let left: Vec<&Drift> = drifts.iter().copied().filter(|drift| !drift.correction.is_done()).collect();
    if let Some(first) = left.first() {
        let found: Vec<String> = left.iter().map(|drift| describe(settings, drift, "is")).collect();
        let leads_to: Vec<String> = left.iter().map(|drift| consequence(settings, drift)).collect();
        return Some(Finding::fails(
            by,
            if by == Durable { Reason::SaveSettingDiffers } else { reason(&first.correction) },
            format!(
                "{} on {pod}: {}; {}",
                found.join(" and "),
                leads_to.join(", and "),
                remedy(settings, Restart::of(settings, Some(answer)), pod, &first.correction)
            ),
        ));
    }
    if drifts.is_empty() {
        return None;
    }
    let found: Vec<String> = drifts.iter().map(|drift| describe(settings, drift, "was")).collect();
    Some(Finding::holds(
        by,
        Reason::DriftCorrected,
        format!(
            "{} on {pod}: set again and read back. Unless the spec was changed meanwhile, somebody or something uses CONFIG SET",
            found.join(" and ")
        ),
    ))
}

fn told_by(parameter: Parameter) -> ConditionType {
    match parameter {
        Parameter::MaxMemory | Parameter::EvictionPolicy | Parameter::Clients(_) => EvictionPolicyVerified,
        Parameter::AppendOnly | Parameter::AppendFsync => Durable,
        Parameter::PlainPort | Parameter::CertificateFiles => TlsReady,
        Parameter::AppPassword | Parameter::Script => RedisAvailable,
        Parameter::Login(_) | Parameter::Rights(_) | Parameter::Strangers => UsersVerified,
    }
}

fn describe(settings: &Settings, drift: &Drift, is: &str) -> String {
    match drift.parameter {
        Parameter::MaxMemory => {
            format!("maxmemory {is} {} (want {})", amount(&drift.found), settings.max_memory.quantity())
        }
        Parameter::EvictionPolicy => {
            format!("maxmemory-policy {is} {:?} (want {})", drift.found, settings.eviction_policy.as_str())
        }
        Parameter::Clients(setting) => {
            let wanted =
                ClientLimits::of(settings.max_memory).settings().into_iter().find(|(known, _)| *known == setting);
            let wanted = wanted.map_or_else(String::new, |(_, wanted)| format!(" (want {wanted})"));
            format!("{setting} {is} {}{wanted}", drift.found)
        }
        Parameter::AppendOnly => {
            let wanted = config::append_only(settings.persistence.is_some());
            format!("appendonly {is} {} (want {wanted})", drift.found)
        }
        Parameter::AppendFsync => format!("appendfsync {is} {} (want {})", drift.found, config::APPEND_FSYNC),
        Parameter::PlainPort => format!("port {is} {} (want {})", drift.found, config::NO_PORT),
        Parameter::CertificateFiles => format!("its certificate {is} read from {}", drift.found),
        Parameter::AppPassword => format!("the password of the user app {is} {}", drift.found),
        Parameter::Script => format!("there {is} {}", drift.found),
        Parameter::Login(_) | Parameter::Rights(_) | Parameter::Strangers => users::describe(drift),
    }
}

/// A number of bytes as a quantity; whatever else as it is.
fn amount(found: &str) -> String {
    quantity::bytes(found).map_or_else(|| found.to_owned(), format_bytes)
}

fn consequence(settings: &Settings, drift: &Drift) -> String {
    let memory = settings.max_memory.quantity();
    match (drift.parameter, drift.found.as_str()) {
        (Parameter::EvictionPolicy, "noeviction") => format!("writes fail when {memory} are full"),
        (Parameter::EvictionPolicy, found) if found.starts_with("allkeys") => {
            "entries without an expiration may be removed too".to_owned()
        }
        (Parameter::EvictionPolicy, _) => {
            format!("other entries are removed than you asked for when {memory} are full")
        }
        (Parameter::MaxMemory, "0") => "nothing keeps Redis from growing until its container is killed".to_owned(),
        (Parameter::MaxMemory, found) if quantity::bytes(found) < Some(settings.max_memory.bytes()) => {
            "entries are removed earlier than you asked for".to_owned()
        }
        (Parameter::MaxMemory, _) => "Redis may outgrow its container and be killed".to_owned(),
        (Parameter::Clients(setting), found) => of_clients(settings, setting, found).to_owned(),
        (Parameter::AppendOnly, "no") => "what is written from now on is lost at the next restart".to_owned(),
        (Parameter::AppendOnly, _) => {
            "it fills its node's disk with a file that goes with the pod and keeps nothing".to_owned()
        }
        (Parameter::AppendFsync, "always") => "every write waits for the disk".to_owned(),
        (Parameter::AppendFsync, _) => {
            "what the node's kernel has not brought to the disk, half a minute of writes or more, is lost with the node"
                .to_owned()
        }
        (Parameter::PlainPort, _) => {
            "who connects there sends passwords and tokens in plain text, for everybody on the way to read".to_owned()
        }
        (Parameter::CertificateFiles, _) => "it serves another certificate than it should".to_owned(),
        (Parameter::AppPassword, _) => "applications are refused".to_owned(),
        (Parameter::Script, _) => "everybody waits for it".to_owned(),
        (Parameter::Login(_) | Parameter::Rights(_) | Parameter::Strangers, _) => users::consequence(drift).to_owned(),
    }
}

/// What another limit for clients leads to.
fn of_clients(settings: &Settings, setting: &str, found: &str) -> &'static str {
    match setting {
        MAX_CLIENTS if quantity::bytes(found) < Some(ClientLimits::of(settings.max_memory).clients) => {
            "applications are refused sooner than they should be"
        }
        MAX_CLIENTS => "so many connections may take more memory than the container has beside the entries",
        "timeout" => "connections on which nothing is said stay for another time than they should",
        _ => "whoever reaches Redis may push entries out without a password, or applications are cut off too soon",
    }
}

/// The reason for a setting that differs.
#[must_use]
pub fn reason(correction: &Correction) -> Reason {
    match correction {
        Correction::Corrected => Reason::DriftCorrected,
        Correction::Followed => Reason::NewPassword,
        Correction::Refused(_) => Reason::CorrectionRefused,
        Correction::Ineffective(_) => Reason::CorrectionIneffective,
        Correction::Withheld | Correction::NoRoom => Reason::DriftWhilePaused,
    }
}

/// What came of setting it again, and what else to do.
#[must_use]
pub fn remedy(settings: &Settings, cost: Restart, pod: &str, correction: &Correction) -> String {
    let restart = || restart(settings, cost, pod, "its own configuration and users");
    match correction {
        Correction::Corrected | Correction::Followed => "it was set again and read back".to_owned(),
        Correction::Refused(words) => format!("it could not be changed ({words}). {}", restart()),
        Correction::Ineffective(still) => {
            format!("the server accepted the change and still has {}. {}", amount(still), restart())
        }
        Correction::Withheld => {
            "it is left alone while the annotation tokencache.dev/reconcile says paused, and while SpecValid is False"
                .to_owned()
        }
        Correction::NoRoom => {
            "the container has no room for it, so it is left alone until the pod has been replaced: see SpecValid"
                .to_owned()
        }
    }
}

/// What a restart costs, and what it mends.
#[must_use]
pub fn restart(settings: &Settings, cost: Restart, pod: &str, with: &str) -> String {
    format!("{}: `kubectl -n {} delete pod {pod}` restarts it with {with}", cost.costs(), settings.owner.namespace)
}

/// What is wrong with the user `app`, and what it leads to.
#[must_use]
pub fn of_app(pod: &str, secret: &str, found: &str) -> String {
    match found {
        "no such user" => format!("{pod} has no user app: applications are refused (WRONGPASS)"),
        "no password needed" => {
            format!("{pod} lets the user app in without a password: whoever reaches it reads and writes the entries")
        }
        SOME_PASSWORDS => format!(
            "{pod} takes only some of the passwords of the user app while one follows another: applications that have the \
             other one are refused (WRONGPASS)"
        ),
        several if several.ends_with("passwords") => format!(
            "{pod} accepts {several} for the user app: whoever has one that is not in Secret {secret} reads and writes the \
             entries too"
        ),
        found => format!(
            "{pod} has {found} for the user app, not the one in Secret {secret}: applications are refused (WRONGPASS)"
        ),
    }
}
