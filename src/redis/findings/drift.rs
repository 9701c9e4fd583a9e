//! What is said of settings that differed from the wanted ones, and of what came of setting them again.
//!
//! In: the settings and a server's answer. Out: findings and sentences.

use super::{unread, users};
use crate::{
    api::v1alpha1::Remedy,
    condition::{
        ConditionType::{self, Durable, EvictionPolicyVerified, RedisAvailable, TlsReady, UsersVerified},
        Finding, Message, Reason,
    },
    kubernetes::quantity::{self, format_bytes},
    redis::{
        access::rules::{SOME_PASSWORDS, SWITCHED_OFF},
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

/// How many settings are told in one message.
const MOST: usize = 2;

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
        let fact = format!("{} on {pod}: {}", describe_all(settings, &left, "is"), consequence(settings, first));
        return Some(Finding::fails(
            by,
            if by == Durable { Reason::SaveSettingDiffers } else { reason(&first.correction) },
            uncorrected(settings, Restart::of(settings, Some(answer)), pod, &fact, &first.correction),
        ));
    }
    if drifts.is_empty() {
        return None;
    }
    let fact = format!("{} on {pod}; corrected and verified", describe_all(settings, &drifts, "was"));
    let look = Remedy::look("find out what sends CONFIG SET, unless the spec has just changed");
    Some(Finding::holds(by, Reason::DriftCorrected, Message::from(fact).remedy(look)))
}

/// The settings that differ; of many, the first ones.
fn describe_all(settings: &Settings, drifts: &[&Drift], is: &str) -> String {
    let told: Vec<String> = drifts.iter().take(MOST).map(|drift| describe(settings, drift, is)).collect();
    let more = drifts.len() - told.len();
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{}{more}", told.join(" and "))
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
        Parameter::CertificateFiles => format!("the certificate {is} read from {}", drift.found),
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
        (Parameter::EvictionPolicy, "noeviction") => format!("writes fail once {memory} is full"),
        (Parameter::EvictionPolicy, found) if found.starts_with("allkeys") => {
            "entries without an expiration may be evicted too".to_owned()
        }
        (Parameter::EvictionPolicy, _) => format!("it evicts other entries than wanted once {memory} is full"),
        (Parameter::MaxMemory, "0") => "Redis grows until its container is killed".to_owned(),
        (Parameter::MaxMemory, found) if quantity::bytes(found) < Some(settings.max_memory.bytes()) => {
            "entries are evicted earlier than wanted".to_owned()
        }
        (Parameter::MaxMemory, _) => "Redis may outgrow its container and be killed".to_owned(),
        (Parameter::Clients(setting), found) => of_clients(settings, setting, found).to_owned(),
        (Parameter::AppendOnly, "no") => "new writes are lost at the next restart".to_owned(),
        (Parameter::AppendOnly, _) => "its file fills the node's disk, and is lost with the pod".to_owned(),
        (Parameter::AppendFsync, "always") => "every write waits for the disk".to_owned(),
        (Parameter::AppendFsync, _) => "a failure of the node loses half a minute of writes or more".to_owned(),
        (Parameter::PlainPort, _) => "passwords and tokens that are sent there are not encrypted".to_owned(),
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
            "applications are refused too early"
        }
        MAX_CLIENTS => "so many connections may need more memory than the container has",
        "timeout" => "idle connections are closed too early or too late",
        _ => "clients may push entries out without a password, or are cut off too early",
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

/// What is so of a setting that differs, what came of setting it again, and what helps.
#[must_use]
pub fn uncorrected(settings: &Settings, cost: Restart, pod: &str, fact: &str, correction: &Correction) -> Message {
    let message = Message::from(fact);
    match correction {
        Correction::Corrected | Correction::Followed => message.and("It was corrected and verified"),
        Correction::Refused(words) => {
            message.and(&format!("Correcting it was refused: {words}")).remedy(cost.remedy(settings, pod))
        }
        Correction::Ineffective(still) => message
            .and(&format!("Redis accepted the change, and still has {}", amount(still)))
            .remedy(cost.remedy(settings, pod)),
        Correction::Withheld => message.and("It is left alone while the cache is paused or SpecValid is False"),
        Correction::NoRoom => {
            message.and("It is left alone until the pod is replaced, since its container has no room: see SpecValid")
        }
    }
}

/// What is wrong with the user `app`, and what it leads to.
#[must_use]
pub fn of_app(pod: &str, secret: &str, found: &str) -> String {
    match found {
        "no such user" => format!("{pod} has no user app: applications are refused (WRONGPASS)"),
        "no password needed" => {
            format!("{pod} lets user app in without a password: whoever reaches it can read and write entries")
        }
        SOME_PASSWORDS => format!(
            "{pod} takes only some of the passwords of user app during a rotation: applications with another are refused \
             (WRONGPASS)"
        ),
        several if several.ends_with("passwords") => format!(
            "{pod} accepts {several} for user app: one that is not in Secret {secret} gives access to the entries too"
        ),
        SWITCHED_OFF => format!("user app is switched off on {pod}: applications are refused (WRONGPASS)"),
        found => format!(
            "{pod} has {found} for user app, not the one in Secret {secret}: applications are refused (WRONGPASS)"
        ),
    }
}
