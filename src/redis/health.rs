//! How a cache's Redis is doing: the findings about `RedisAvailable` and `EvictionPolicyVerified`.
//!
//! In: the settings, what was observed, when, and the plan's view of the passwords. Out: findings, and what the servers
//! answered. Nothing is remembered from one pass to the next.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;

use super::{
    credentials::Credentials,
    drift, fault,
    observed::Observed,
    pod_health::{is_ready, trouble, was_started_after},
    rollout,
    sample::{Answer, Correction, Parameter, Role, Sample},
    server,
    settings::Settings,
    want,
};
use crate::{
    api::v1alpha1::ServerStatus,
    condition::{
        ConditionType::{EvictionPolicyVerified, RedisAvailable},
        Finding, Reason,
    },
    kubernetes::{identity::ORPHANED, name, quantity::format_bytes},
};

/// How many probe periods an answer stays good.
const GOOD_FOR: i32 = 3;
/// How long a server may answer before kubelet's readiness probe has to have passed.
pub(super) const FIRST_PROBES: SignedDuration = SignedDuration::from_secs(20);

const NO_LOGIN: &str = "the operator cannot look at Redis without its own password";

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

/// What a pass knows beside what it saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The time of this pass.
    pub now: Timestamp,
    /// The time between two looks at a server.
    pub period: SignedDuration,
    /// Whether what the spec asks for is being carried out: it is not where it is refused, or the cache is paused.
    pub carried_out: bool,
}

/// Reads the health of a cache's Redis. A password that is not followed comes before whatever else is wrong: it is what
/// only the user can mend.
#[must_use]
pub fn health(settings: &Settings, observed: &Observed, credentials: &Credentials, moment: Moment) -> Health {
    let health = of_cluster(settings, observed, credentials, moment);
    let Some(why) = credentials.refused() else { return health };
    let mismatch = Finding::fails(RedisAvailable, Reason::PasswordMismatch, why);
    match health {
        Health::Known { findings: [_, verified], servers } => Health::Known { findings: [mismatch, verified], servers },
        Health::AwaitingFirstLook if credentials.operator_password().is_some() => Health::AwaitingFirstLook,
        Health::AwaitingFirstLook => Health::Known {
            findings: [mismatch, Finding::unknown(EvictionPolicyVerified, Reason::NoRecentAnswer, NO_LOGIN)],
            servers: Vec::new(),
        },
    }
}

fn of_cluster(settings: &Settings, observed: &Observed, credentials: &Credentials, moment: Moment) -> Health {
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
                "{kind} {name} exists already and belongs to {}; it is left as it is, and nothing else is made. {}",
                taken.holder,
                if taken.holder == ORPHANED {
                    "Put its owner reference back, as the other objects have it"
                } else {
                    "Delete or rename it, or give this TokenCache another name"
                }
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
        if pod.metadata.deletion_timestamp.is_some() && rollout::restarts_for_password(pod, credentials) {
            return unavailable(Reason::RestartingForPassword, rollout::new_password(pod));
        }
        return unavailable(Reason::Provisioning, rollout::on_its_way(settings, pod));
    };
    if let Some(why) = rollout::pending(settings, observed, pod, credentials, moment.carried_out) {
        return if rollout::restarts_for_password(pod, credentials) {
            unavailable(Reason::RestartingForPassword, rollout::new_password(pod))
        } else {
            unavailable(Reason::Provisioning, why)
        };
    }
    of_sample(settings, pod, observed.samples.iter().find(|sample| sample.server == server), credentials, moment)
}

fn of_sample(
    settings: &Settings,
    pod: &Pod,
    sample: Option<&Sample>,
    credentials: &Credentials,
    moment: Moment,
) -> Health {
    let Some(sample) = sample else {
        return if credentials.operator_password().is_some() {
            Health::AwaitingFirstLook
        } else {
            Health::Known {
                findings: [
                    Finding::unknown(RedisAvailable, Reason::NoRecentAnswer, NO_LOGIN),
                    Finding::unknown(EvictionPolicyVerified, Reason::NoRecentAnswer, NO_LOGIN),
                ],
                servers: Vec::new(),
            }
        };
    };
    if moment.now.duration_since(sample.taken) > moment.period * GOOD_FOR {
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
                fault::finding(settings, pod, sample, fault, credentials, moment.now),
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
                availability(settings, pod, answer, moment.now),
                drift::verification(settings, &sample.server.pod, answer),
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

fn availability(settings: &Settings, pod: &Pod, answer: &Answer, now: Timestamp) -> Finding {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    if answer.role == Role::Replica {
        return Finding::fails(
            RedisAvailable,
            Reason::ReadOnly,
            format!(
                "{name} is a replica of another server and refuses writes: somebody sent it REPLICAOF. {}",
                drift::restart(name, "its role as a primary")
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
            drift::reason(correction),
            format!("{}; {}", drift::of_app(name, &secret, &drift.found), drift::remedy(name, correction)),
        ),
    }
}
