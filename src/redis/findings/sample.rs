//! What the latest look at a server comes to: nothing where it is on its way, why there is no answer, or what the answer says.
//!
//! In: the settings, what was observed, the server's pod and its address, the passwords, when. Out: [`Health`].

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;

use super::{
    availability::{self, impediment, meddled},
    drift, durability,
    known::{Answered, Health, Moment, NO_LOGIN, unavailable, without_answer},
    load, published, release, unanswered, users,
};
use crate::{
    api::v1alpha1::{Remedy, ServerStatus},
    capability::time::whole,
    condition::{
        ConditionStatus,
        ConditionType::{MemorySufficient, RedisAvailable},
        Finding, Message, Reason,
    },
    kubernetes::quantity::format_bytes,
    redis::{
        credentials::{
            Credentials,
            rotation::{self},
        },
        desired::want,
        live::Live,
        look::{
            LONGEST_LOOK, Server,
            answer::{Answer, Role},
            drift::{Drift, Parameter},
        },
        server::pods::{memory_limit, readiness_changed_after},
        settings::Settings,
    },
};

/// How many probe periods an answer stays good.
const GOOD_FOR: i32 = 3;
/// What stands in the status in place of what could not be read.
const UNKNOWN: &str = "unknown";

pub(super) fn of_sample(
    settings: &Settings,
    observed: &Live,
    pod: &Pod,
    server: &Server,
    credentials: &Credentials,
    moment: Moment,
) -> Health {
    let Some(sample) = observed.samples.iter().find(|sample| sample.server == *server) else {
        let can_look = !settings.has_tls() || credentials.tls.authorities().is_some();
        return if !can_look {
            unavailable(Finding::unknown(
                RedisAvailable,
                Reason::TlsNotReady,
                "Redis is not asked before it is known which authority to trust: see TlsReady",
            ))
        } else if credentials.operator_password().is_some() {
            Health::AwaitingFirstLook
        } else {
            without_answer(
                Finding::unknown(RedisAvailable, Reason::NoRecentAnswer, NO_LOGIN),
                Reason::NoRecentAnswer,
                NO_LOGIN,
            )
        };
    };
    let longest_look = SignedDuration::try_from(LONGEST_LOOK).unwrap_or(SignedDuration::MAX);
    if moment.now.duration_since(sample.taken) > moment.period * GOOD_FOR + longest_look {
        let why = format!(
            "{} was last looked at {}, more than {GOOD_FOR} probe periods ago",
            sample.server.pod,
            whole(sample.taken)
        );
        let message = Message::from(why.as_str()).remedy(Remedy::look("see the operator's log"));
        let unknown = Finding::unknown(RedisAvailable, Reason::NoRecentAnswer, message);
        return without_answer(unknown, Reason::NoRecentAnswer, &why);
    }
    // kubelet has seen a change since; a look that sees it too is on its way.
    if readiness_changed_after(pod, sample.taken) {
        return Health::AwaitingFirstLook;
    }
    match &sample.outcome {
        Err(fault) => unavailable(unanswered::finding(settings, pod, sample, fault, credentials, moment.now)),
        // What was read back then proves nothing of what is wanted now.
        Ok(_) if !sample.want.asks_the_same_as(&want(settings, observed, credentials)) => Health::AwaitingFirstLook,
        Ok(answer) => {
            let impeded = impediment(settings, pod, answer, moment.now)
                .or_else(|| published::finding(settings, observed, credentials, moment.carried_out));
            let is_of_availability =
                |drift: &Drift| matches!(drift.parameter, Parameter::AppPassword | Parameter::Script);
            let tells_of_password = !answer.drift.iter().any(is_of_availability);
            Health::Known {
                answered: Answered::By(sample.server.pod.clone()),
                tells_of_samples: impeded.is_none() || tells_of_password,
                findings: [
                    impeded.unwrap_or_else(|| {
                        availability::availability(
                            settings,
                            pod,
                            answer,
                            meddled(sample, answer, &credentials.rotation),
                        )
                    }),
                    drift::verification(settings, &sample.server.pod, answer),
                    users::verification(settings, &sample.server.pod, answer),
                    refusals(settings, observed, &sample.server.pod, answer, moment.now),
                    release::finding(settings, &sample.server.pod, &sample.want, answer),
                    durability::finding(settings, &sample.server.pod, answer, observed.volume),
                ]
                .into_iter()
                .chain(advised(settings, pod, answer))
                .collect(),
                servers: vec![ServerStatus {
                    pod: sample.server.pod.clone(),
                    role: answer.role.map_or(UNKNOWN, role).to_owned(),
                    version: answer.version.clone(),
                    max_memory: answer.memory.as_ref().map_or(UNKNOWN.to_owned(), |is| format_bytes(is.max_memory)),
                    eviction_policy: answer.memory.as_ref().map_or(UNKNOWN, |is| &is.eviction_policy).to_owned(),
                    memory_limit: pod.spec.as_ref().and_then(memory_limit).map_or_else(String::new, format_bytes),
                }],
            }
        }
    }
}

/// What was refused, with those who have a password that is refused by now.
fn refusals(settings: &Settings, observed: &Live, pod: &str, answer: &Answer, now: Timestamp) -> Finding {
    users::refusals(settings, pod, answer, rotation::who_has_the_earlier_one(settings, observed, now))
}

/// What the looks add up to; of memory first what this one saw of its clients.
fn advised(settings: &Settings, pod: &Pod, answer: &Answer) -> Vec<Finding> {
    let (name, container) =
        (pod.metadata.name.as_deref().unwrap_or_default(), pod.spec.as_ref().and_then(memory_limit));
    let mut findings = load::findings(settings, name, answer, container);
    for finding in &mut findings {
        if answer.is_crowded && finding.condition == MemorySufficient && finding.status != ConditionStatus::False {
            *finding = load::crowded(settings, name, answer, container);
        }
    }
    findings
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Primary => "primary",
        Role::Replica => "replica",
    }
}
