//! How a cache's Redis is doing: the findings about `RedisAvailable` and `EvictionPolicyVerified`.
//!
//! In: the settings, what was observed, when, and the plan's view of the passwords. Out: findings, and what the servers
//! answered. Nothing is remembered from one pass to the next.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;

use super::{
    credentials::Credentials,
    login_mark,
    objects::{COMPONENT, OPERATOR_LOGIN_ANNOTATION},
    observed::Observed,
    pod_health::{became_ready_after, is_ready, is_running, trouble, was_started_after},
    sample::{Answer, Correction, Drift, Fault, Parameter, Role, Sample},
    server,
    settings::{PORT, Settings},
    want,
};
use crate::{
    api::v1alpha1::ServerStatus,
    condition::{
        ConditionType::{EvictionPolicyVerified, RedisAvailable},
        Finding, Reason,
    },
    kubernetes::{
        name,
        quantity::{self, format_bytes},
    },
};

/// How many probe periods an answer stays good.
const GOOD_FOR: i32 = 3;
/// How long a server may answer before kubelet's readiness probe has to have passed.
const FIRST_PROBES: SignedDuration = SignedDuration::from_secs(20);

/// What is known of the servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// A server has not been looked at yet, or not since something else is wanted of it; a look is on its way, and until
    /// then nothing is said.
    AwaitingFirstLook,
    /// What to report.
    Known {
        /// `RedisAvailable`, then `EvictionPolicyVerified`.
        findings: [Finding; 2],
        /// What each server answered.
        servers: Vec<ServerStatus>,
    },
}

/// When "now" is, and how often servers are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cadence {
    /// The time of this pass.
    pub now: Timestamp,
    /// The time between two looks at a server.
    pub period: SignedDuration,
}

/// Reads the health of a cache's Redis.
#[must_use]
pub fn health(settings: &Settings, observed: &Observed, credentials: &Credentials, cadence: Cadence) -> Health {
    let owner = &settings.owner.name;
    let unavailable = |reason: Reason, message: String| Health::Known {
        findings: [
            Finding::fails(RedisAvailable, reason, message),
            Finding::unknown(
                EvictionPolicyVerified,
                Reason::RedisUnavailable,
                "the settings could not be read back: see RedisAvailable",
            ),
        ],
        servers: Vec::new(),
    };
    if let Some(taken) = observed.taken(owner) {
        let (kind, name) = (taken.kind, taken.name);
        return unavailable(
            Reason::NameTaken,
            format!(
                "{kind} {name} exists already and belongs to {}; it is left as it is, and nothing else is made. Delete or \
                 rename it, or give this TokenCache another name",
                taken.holder
            ),
        );
    }
    if let Some(leftover) = observed.leftover(owner) {
        let message = format!("waiting until {leftover} of an earlier TokenCache {owner} has been collected");
        return unavailable(Reason::Provisioning, message);
    }
    let Some(pod) = observed.pods.first() else {
        let message = format!(
            "StatefulSet {set} has no pod yet; if this lasts, `kubectl describe statefulset {set}` tells why",
            set = name::redis(owner)
        );
        return unavailable(Reason::Provisioning, message);
    };
    if let Some(trouble) = trouble(pod) {
        return unavailable(trouble.reason, trouble.message);
    }
    let Some(server) = server(pod) else {
        if pod.metadata.deletion_timestamp.is_some() && restarting(pod, credentials) {
            return unavailable(Reason::RestartingForPassword, new_password(pod));
        }
        return unavailable(Reason::Provisioning, on_its_way(settings, pod));
    };
    if let Some(why) = credentials.refused() {
        let mut health = of_sample(
            settings,
            pod,
            observed.samples.iter().find(|sample| sample.server == server),
            credentials,
            cadence,
        );
        if let Health::Known { findings, .. } = &mut health {
            findings[0] = Finding::fails(RedisAvailable, Reason::PasswordMismatch, why);
        }
        return health;
    }
    of_sample(settings, pod, observed.samples.iter().find(|sample| sample.server == server), credentials, cadence)
}

fn of_sample(
    settings: &Settings,
    pod: &Pod,
    sample: Option<&Sample>,
    credentials: &Credentials,
    cadence: Cadence,
) -> Health {
    let Some(sample) = sample else {
        return if credentials.operator_password().is_some() {
            Health::AwaitingFirstLook
        } else {
            let message = "the operator cannot look at Redis without its own password";
            Health::Known {
                findings: [
                    Finding::unknown(RedisAvailable, Reason::NoRecentAnswer, message),
                    Finding::unknown(EvictionPolicyVerified, Reason::NoRecentAnswer, message),
                ],
                servers: Vec::new(),
            }
        };
    };
    if cadence.now.duration_since(sample.taken) > cadence.period * GOOD_FOR {
        let message = format!(
            "{} was last looked at {}, more than {GOOD_FOR} probe periods ago; see the operator's log",
            sample.server.pod, sample.taken
        );
        return Health::Known {
            findings: [
                Finding::unknown(RedisAvailable, Reason::NoRecentAnswer, message.clone()),
                Finding::unknown(EvictionPolicyVerified, Reason::NoRecentAnswer, message),
            ],
            servers: Vec::new(),
        };
    }
    match &sample.outcome {
        Err(fault) => Health::Known {
            findings: [
                of_fault(settings, pod, sample, fault, credentials, cadence.now),
                Finding::unknown(
                    EvictionPolicyVerified,
                    Reason::RedisUnavailable,
                    "the settings could not be read back: see RedisAvailable",
                ),
            ],
            servers: Vec::new(),
        },
        // What was read back then proves nothing of what is wanted now.
        Ok(_) if !sample.want.asks_the_same_as(&want(settings, credentials, false)) => Health::AwaitingFirstLook,
        Ok(answer) => Health::Known {
            findings: [
                availability(settings, pod, answer, cadence.now),
                verification(settings, &sample.server.pod, answer),
            ],
            servers: vec![ServerStatus {
                pod: sample.server.pod.clone(),
                role: role(answer.role).to_owned(),
                version: answer.version.clone(),
                max_memory: format_bytes(answer.max_memory),
                eviction_policy: answer.eviction_policy.clone(),
            }],
        },
    }
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Primary => "primary",
        Role::Replica => "replica",
    }
}

/// What is said of a pod that has no address yet, or that is going.
fn on_its_way(settings: &Settings, pod: &Pod) -> String {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).unwrap_or("none");
    match &pod.metadata.deletion_timestamp {
        Some(since) => format!(
            "pod {name} is being replaced{}, and every entry that it holds only in memory is lost. It has until {} to end; \
             if its node ({node}) is gone, it cannot: once you know that the node is down, `kubectl delete pod {name} \
             --force` lets the StatefulSet go on",
            cause(settings, pod).map_or_else(String::new, |field| format!(", because {field} changed")),
            since.0
        ),
        None => format!("pod {name} is being started; if this lasts, `kubectl describe pod {name}` tells why"),
    }
}

/// The field of the spec that a pod is replaced for, as far as its container tells.
fn cause(settings: &Settings, pod: &Pod) -> Option<&'static str> {
    let server = pod.spec.as_ref()?.containers.iter().find(|container| container.name == COMPONENT)?;
    let memory = server.resources.as_ref()?.limits.as_ref()?.get("memory")?;
    if quantity::bytes(&memory.0) != Some(settings.max_memory.container()) {
        return Some("the memory limit that derives from spec.redis.maxMemory");
    }
    (server.image.as_ref() != Some(&settings.image)).then_some("spec.redis.image")
}

fn of_fault(
    settings: &Settings,
    pod: &Pod,
    sample: &Sample,
    fault: &Fault,
    credentials: &Credentials,
    now: Timestamp,
) -> Finding {
    let name = &sample.server.pod;
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).unwrap_or("unknown");
    let starting = !is_ready(pod) && (!is_running(pod) || was_started_after(pod, now - FIRST_PROBES));
    let place = format!("{name} ({}:{PORT})", sample.server.address);
    let (reason, message) = match fault {
        Fault::Unreachable(_) if starting || became_ready_after(pod, sample.taken) => {
            (Reason::Provisioning, on_its_way(settings, pod))
        }
        Fault::Unreachable(why) => (
            Reason::Unreachable,
            format!(
                "{place} cannot be reached: {why}. Check its node ({node}) and NetworkPolicies that keep the operator \
                 out; if applications cannot connect either, they ask the identity provider for every token"
            ),
        ),
        Fault::Frozen => (
            Reason::Frozen,
            format!(
                "{place} accepts connections and does not answer: the server hangs or its node is overloaded, and \
                 applications wait a second for every token. kubelet restarts it after a minute; \
                 `kubectl delete pod {name}` does so at once. Either empties the cache"
            ),
        ),
        Fault::WrongPassword if restarting(pod, credentials) => (Reason::RestartingForPassword, new_password(pod)),
        Fault::WrongPassword => (
            Reason::WrongPassword,
            format!(
                "{place} refuses the operator's password: somebody changed the user operator on the server, and its \
                 settings cannot be verified. {}",
                restart(name, "the users from its Secret")
            ),
        ),
        Fault::NoPermission { command, message } => (
            Reason::PermissionDenied,
            format!(
                "{place} refuses {command} to the operator ({message}): somebody changed the user operator on the \
                 server, and its settings cannot be verified. {}",
                restart(name, "the users from its Secret")
            ),
        ),
        Fault::Loading => (
            Reason::Loading,
            format!("{place} is loading its data into memory and refuses commands until that is done"),
        ),
        Fault::TlsPort => (
            Reason::TlsPort,
            format!(
                "{place} speaks TLS where plain text was expected, so that applications cannot connect either: something \
                 other than this Redis listens there, such as a service mesh's proxy. Exclude port {PORT} of the pod from it"
            ),
        ),
        Fault::NotRedis(said) => (
            Reason::NotRedis,
            format!(
                "what answers at {place} is not Redis{}. Check spec.redis.image, and whether a service mesh's proxy \
                 stands before the pod",
                if said.is_empty() { ": it closes every connection".to_owned() } else { format!(": it says {said:?}") }
            ),
        ),
        Fault::Unexpected(said) => (
            Reason::UnexpectedAnswer,
            format!("{place} answered what Redis should not: {said}. See `kubectl logs {name}`"),
        ),
    };
    Finding::fails(RedisAvailable, reason, message)
}

/// What is said while a pod restarts because the operator has another password than it was started with.
fn new_password(pod: &Pod) -> String {
    format!(
        "the operator's password is a new one (its Secret was lost or changed), and {} is being restarted to load it; \
         every entry that it holds only in memory is lost",
        pod.metadata.name.as_deref().unwrap_or_default()
    )
}

/// Whether the pod was started with another operator password than the one that holds now.
fn restarting(pod: &Pod, credentials: &Credentials) -> bool {
    let started_with = pod.metadata.annotations.as_ref().and_then(|marks| marks.get(OPERATOR_LOGIN_ANNOTATION));
    credentials.operator_password().is_some_and(|password| started_with != Some(&login_mark(&password.sha256())))
}

fn availability(settings: &Settings, pod: &Pod, answer: &Answer, now: Timestamp) -> Finding {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    if answer.role == Role::Replica {
        return Finding::fails(
            RedisAvailable,
            Reason::ReadOnly,
            format!(
                "{name} is a replica of another server and refuses writes: somebody sent it REPLICAOF. {}",
                restart(name, "its role as a primary")
            ),
        );
    }
    if !is_ready(pod) {
        // Between the server's first answer and kubelet's next look at it there always is a moment.
        let young = was_started_after(pod, now - FIRST_PROBES);
        return Finding::fails(
            RedisAvailable,
            if young { Reason::Provisioning } else { Reason::PodNotReady },
            format!(
                "{name} answers the operator, but its readiness probe has not passed, so that the Service sends it no \
                 traffic; if this lasts, `kubectl describe pod {name}` tells why"
            ),
        );
    }
    let password = answer.drift.iter().find(|drift| drift.parameter == Parameter::AppPassword);
    let secret = name::redis(&settings.owner.name);
    match password.map(|drift| (drift, &drift.correction)) {
        None => Finding::holds(
            RedisAvailable,
            Reason::Available,
            format!("{name} answers as primary at {} (version {})", settings.endpoint(), answer.version),
        ),
        Some((drift, Correction::Corrected)) => Finding::holds(
            RedisAvailable,
            Reason::DriftCorrected,
            format!(
                "{name} had {} for the user app; it was set to the one in Secret {secret}, and read back. Somebody or \
                 something changes it with ACL SETUSER",
                drift.found
            ),
        ),
        Some((drift, correction)) => Finding::fails(
            RedisAvailable,
            drift_reason(correction),
            format!("{}; {}", of_app(name, &secret, &drift.found), remedy(name, correction)),
        ),
    }
}

/// What is wrong with the user `app`, and what it leads to.
fn of_app(pod: &str, secret: &str, found: &str) -> String {
    match found {
        "no such user" => format!("{pod} has no user app: applications are refused (WRONGPASS)"),
        "no password needed" => {
            format!("{pod} lets the user app in without a password: whoever reaches it reads and writes the entries")
        }
        several if several.ends_with("passwords") => format!(
            "{pod} accepts {several} for the user app: whoever has one that is not in Secret {secret} reads and writes the \
             entries too"
        ),
        found => format!(
            "{pod} has {found} for the user app, not the one in Secret {secret}: applications are refused (WRONGPASS)"
        ),
    }
}

fn verification(settings: &Settings, pod: &str, answer: &Answer) -> Finding {
    let policy = settings.eviction_policy.as_str();
    let of_settings = |drift: &&Drift| drift.parameter != Parameter::AppPassword;
    let drifts: Vec<&Drift> = answer.drift.iter().filter(of_settings).collect();
    let left: Vec<&Drift> = drifts.iter().copied().filter(|drift| drift.correction != Correction::Corrected).collect();
    if let Some(first) = left.first() {
        let found: Vec<String> = left.iter().map(|drift| describe(settings, drift, "is")).collect();
        let leads_to: Vec<String> = left.iter().map(|drift| consequence(settings, drift)).collect();
        return Finding::fails(
            EvictionPolicyVerified,
            drift_reason(&first.correction),
            format!(
                "{} on {pod}: {}; {}",
                found.join(" and "),
                leads_to.join(", and "),
                remedy(pod, &first.correction)
            ),
        );
    }
    if drifts.is_empty() {
        return Finding::holds(
            EvictionPolicyVerified,
            Reason::Verified,
            format!("maxmemory-policy {policy} and maxmemory {} read back from {pod}", settings.max_memory.quantity()),
        );
    }
    let found: Vec<String> = drifts.iter().map(|drift| describe(settings, drift, "was")).collect();
    Finding::holds(
        EvictionPolicyVerified,
        Reason::DriftCorrected,
        format!(
            "{} on {pod}: set again and read back. Somebody or something changes it with CONFIG SET",
            found.join(" and ")
        ),
    )
}

fn describe(settings: &Settings, drift: &Drift, is: &str) -> String {
    match drift.parameter {
        Parameter::MaxMemory => {
            format!("maxmemory {is} {} (want {})", amount(&drift.found), settings.max_memory.quantity())
        }
        Parameter::EvictionPolicy => {
            format!("maxmemory-policy {is} {:?} (want {})", drift.found, settings.eviction_policy.as_str())
        }
        Parameter::AppPassword => format!("the password of the user app {is} {}", drift.found),
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
        (Parameter::AppPassword, _) => "applications are refused".to_owned(),
    }
}

fn drift_reason(correction: &Correction) -> Reason {
    match correction {
        Correction::Corrected => Reason::DriftCorrected,
        Correction::Refused(_) => Reason::CorrectionRefused,
        Correction::Ineffective(_) => Reason::CorrectionIneffective,
        Correction::Withheld => Reason::DriftWhilePaused,
    }
}

fn remedy(pod: &str, correction: &Correction) -> String {
    match correction {
        Correction::Corrected => "it was set again and read back".to_owned(),
        Correction::Refused(words) => {
            format!("the server refused to change it ({words}). {}", restart(pod, "its own configuration and users"))
        }
        Correction::Ineffective(still) => format!(
            "the server accepted the change and still has {}. {}",
            amount(still),
            restart(pod, "its own configuration and users")
        ),
        Correction::Withheld => {
            "it is left alone while the annotation tokencache.dev/reconcile says paused, and while SpecValid is False"
                .to_owned()
        }
    }
}

/// What a restart mends, and what it costs.
fn restart(pod: &str, with: &str) -> String {
    format!("`kubectl delete pod {pod}` restarts it with {with}, and empties the cache")
}
