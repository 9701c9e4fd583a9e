//! How a cache's Redis is doing: whether it is available, and what was verified of it.
//!
//! In: the settings, what was observed, when, and the plan's view of the passwords. Out: findings, and what the servers
//! answered. Nothing is remembered from one pass to the next.

pub(crate) mod availability;
pub mod certificate;
pub(crate) mod drift;
pub(crate) mod durability;
pub mod load;
pub(crate) mod pod;
pub mod release;
pub mod unanswered;
pub mod unread;
pub(crate) mod users;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;

use super::{
    credentials::{
        Credentials,
        rotation::{self},
    },
    desired::want,
    live::Live,
    look::{
        LONGEST_LOOK, Server,
        answer::{Answer, Refusal, Role},
        drift::{Drift, Parameter},
    },
    plan::{network, rollout},
    server::pods::{readiness_changed_after, server_in},
    settings::Settings,
};
use crate::{
    api::v1alpha1::ServerStatus,
    capability::{operation, time::whole},
    condition::{
        ConditionStatus,
        ConditionType::{
            AccessAllowed, Durable, EvictionPolicyVerified, MemorySufficient, RedisAvailable, ServerSupported,
            UsersVerified,
        },
        Finding, Reason,
    },
    kubernetes::{identity::ORPHANED, name, quantity::format_bytes},
};
use availability::{impediment, meddled};
use pod::trouble;

/// How many probe periods an answer stays good.
const GOOD_FOR: i32 = 3;
/// What stands in the status in place of what could not be read.
const UNKNOWN: &str = "unknown";

const NO_LOGIN: &str = "the operator cannot look at Redis without its own password";

/// What is known of the servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// A server has not been looked at yet, or not since something else is wanted of it or kubelet thinks otherwise of it;
    /// a look is on its way, and until then nothing is said.
    AwaitingFirstLook,
    /// What to report.
    Known {
        /// What the cache cannot do its job without: `RedisAvailable`, `TlsReady` unless connections are plain text, then
        /// what was verified.
        required: Vec<Finding>,
        /// What is worth knowing and no failure.
        advisory: Vec<Finding>,
        /// What each server answered.
        servers: Vec<ServerStatus>,
        /// Which server can be said more of.
        answered: Answered,
        /// Whether they tell of every correction that the latest samples hold.
        tells_of_samples: bool,
    },
}

/// Which server answered, so that it is known what stands in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// The one in this pod.
    By(String),
    /// None, and why.
    Nobody {
        /// As one word.
        reason: Reason,
        /// As a sentence.
        why: String,
    },
}

impl Health {
    /// With what another capability found that the cache cannot do its job without.
    #[must_use]
    pub fn and(mut self, finding: Option<Finding>) -> Self {
        if let Self::Known { required, .. } = &mut self {
            required.extend(finding);
        }
        self
    }

    /// With what advises beside it.
    #[must_use]
    pub fn advise(mut self, finding: Option<Finding>) -> Self {
        if let Self::Known { advisory, .. } = &mut self {
            advisory.extend(finding);
        }
        self
    }

    /// With what is said of entries, which stands before what is said of what outlasts the server.
    #[must_use]
    pub fn with_entries(mut self, of_entries: impl FnOnce(&Answered) -> Vec<Finding>) -> Self {
        if let Self::Known { advisory, answered, .. } = &mut self {
            let before = advisory.iter().position(|finding| finding.condition == Durable).unwrap_or(advisory.len());
            advisory.splice(before..before, of_entries(answered));
        }
        self
    }

    /// What was found, to be added to.
    pub fn findings(&mut self) -> impl Iterator<Item = &mut Finding> {
        let (required, advisory) = match self {
            Self::Known { required, advisory, .. } => (required.as_mut_slice(), advisory.as_mut_slice()),
            Self::AwaitingFirstLook => Default::default(),
        };
        required.iter_mut().chain(advisory)
    }

    /// Whether whoever is told this has heard of every correction that the latest samples hold.
    #[must_use]
    pub fn tells_of_samples(&self) -> bool {
        matches!(self, Self::Known { tells_of_samples: true, .. })
    }
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
pub fn health(settings: &Settings, observed: &Live, credentials: &Credentials, moment: Moment) -> Health {
    let mut health = of_redis(settings, observed, credentials, moment);
    if let Health::Known { advisory, .. } = &mut health {
        let after = advisory.iter().position(|finding| finding.condition == ServerSupported).map_or(0, |at| at + 1);
        if let Some(finding) = network::finding(settings, observed, moment.carried_out) {
            advisory.insert(after, finding);
        }
    }
    health
}

fn of_redis(settings: &Settings, observed: &Live, credentials: &Credentials, moment: Moment) -> Health {
    let health = with_tls(settings, observed, credentials, moment, of_cluster(settings, observed, credentials, moment));
    let Some(why) = credentials.refused() else { return health };
    let mismatch = Finding::fails(RedisAvailable, Reason::PasswordMismatch, why);
    match health {
        Health::Known { mut required, advisory, servers, answered, tells_of_samples } => {
            required.retain(|finding| finding.condition != RedisAvailable);
            required.insert(0, mismatch);
            Health::Known { required, advisory, servers, answered, tells_of_samples }
        }
        Health::AwaitingFirstLook if credentials.operator_password().is_some() => Health::AwaitingFirstLook,
        Health::AwaitingFirstLook => {
            let unasked = without_answer(mismatch, Reason::NoRecentAnswer, NO_LOGIN);
            with_tls(settings, observed, credentials, moment, unasked)
        }
    }
}

/// Adds what is to be said of the certificate.
fn with_tls(
    settings: &Settings,
    observed: &Live,
    credentials: &Credentials,
    moment: Moment,
    mut health: Health,
) -> Health {
    let Health::Known { required, servers, .. } = &mut health else { return health };
    let server = observed.pods.first().and_then(|pod| server_in(settings, pod));
    let sample = server.and_then(|server| observed.samples.iter().find(|sample| sample.server == server));
    // What a look showed says something only where the other findings go by it.
    let tells_of_tls = required.iter().any(|finding| finding.reason == Reason::TlsNotReady);
    let sample = sample.filter(|_| tells_of_tls || !servers.is_empty());
    if let Some(finding) = crate::redis::findings::certificate::finding(settings, &credentials.tls, sample, moment.now)
    {
        required.insert(1.min(required.len()), finding);
    }
    health
}

fn of_cluster(settings: &Settings, observed: &Live, credentials: &Credentials, moment: Moment) -> Health {
    let owner = &settings.owner.name;
    let unavailable = |reason: Reason, message: String| unavailable(Finding::fails(RedisAvailable, reason, message));
    if let Some(taken) = observed.taken(owner) {
        let (kind, name) = (taken.kind, taken.name);
        if taken.is_restored {
            let message = operation::restored(&settings.owner, kind, &name, &taken.holder);
            return unavailable(Reason::NameTaken, format!("{message}, and nothing else is made"));
        }
        return unavailable(
            Reason::NameTaken,
            format!(
                "{kind} {name} exists already and belongs to {}; it is left as it is, and nothing else is made. {}",
                taken.holder,
                if taken.holder == ORPHANED {
                    "Put back the labels that the other objects have, and it is taken up again; if it has them all, it differs in something \
                     that nobody can change, and has to be deleted"
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
    if !credentials.tls.lets_start() && !rollout::is_written(settings, observed, credentials) {
        let message = "Redis is not started, or not changed, before there is a certificate: see TlsReady";
        return self::unavailable(Finding::unknown(RedisAvailable, Reason::TlsNotReady, message));
    }
    let Some(pod) = observed.pods.first() else {
        // In the words of a pod that is there: whether the StatefulSet controller has come to it yet is no news.
        let first = [name::redis(owner), "-0".to_owned()].concat();
        return unavailable(Reason::Provisioning, rollout::being_started(settings, &first, ""));
    };
    // How a server ends that was told to is no trouble.
    if let Some(trouble) = trouble(pod, moment.now).filter(|_| !crate::redis::server::pods::is_over(pod)) {
        return unavailable(trouble.reason, trouble.message);
    }
    let Some(server) = server_in(settings, pod) else {
        if pod.metadata.deletion_timestamp.is_some() && rollout::restarts_for_password(pod, credentials) {
            return unavailable(Reason::RestartingForPassword, rollout::new_password(settings, pod));
        }
        return unavailable(Reason::Provisioning, rollout::on_its_way(settings, pod));
    };
    if let Some(why) = rollout::pending(settings, observed, pod, credentials, moment.carried_out) {
        return if rollout::restarts_for_password(pod, credentials) {
            unavailable(Reason::RestartingForPassword, rollout::new_password(settings, pod))
        } else {
            unavailable(Reason::Provisioning, why)
        };
    }
    of_sample(settings, observed, pod, &server, credentials, moment)
}

fn of_sample(
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
                "Redis cannot be asked while it is not known whom to trust: see TlsReady",
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
        let message = format!(
            "{} was last looked at {}, more than {GOOD_FOR} probe periods ago; see the operator's log",
            sample.server.pod,
            whole(sample.taken)
        );
        let unknown = Finding::unknown(RedisAvailable, Reason::NoRecentAnswer, message.clone());
        return without_answer(unknown, Reason::NoRecentAnswer, &message);
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
            let impeded = impediment(settings, pod, answer, moment.now);
            let is_of_availability =
                |drift: &Drift| matches!(drift.parameter, Parameter::AppPassword | Parameter::Script);
            let tells_of_password = !answer.drift.iter().any(is_of_availability);
            Health::Known {
                answered: Answered::By(sample.server.pod.clone()),
                tells_of_samples: impeded.is_none() || tells_of_password,
                required: vec![
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
                ],
                advisory: [refusals(settings, observed, &sample.server.pod, answer, moment.now)]
                    .into_iter()
                    .chain([release::finding(settings, &sample.server.pod, &sample.want, answer)])
                    .chain(advised(settings, &sample.server.pod, answer))
                    .chain([durability::finding(settings, &sample.server.pod, answer)])
                    .collect(),
                servers: vec![ServerStatus {
                    pod: sample.server.pod.clone(),
                    role: answer.role.map_or(UNKNOWN, role).to_owned(),
                    version: answer.version.clone(),
                    max_memory: answer.memory.as_ref().map_or(UNKNOWN.to_owned(), |is| format_bytes(is.max_memory)),
                    eviction_policy: answer.memory.as_ref().map_or(UNKNOWN, |is| &is.eviction_policy).to_owned(),
                }],
            }
        }
    }
}

/// What was refused, with those who have a password that is refused by now.
fn refusals(settings: &Settings, observed: &Live, pod: &str, answer: &Answer, now: Timestamp) -> Finding {
    let mut finding = users::refusals(settings, pod, answer);
    if answer.refusals.contains(&Refusal::Password)
        && let Some(who) = rotation::who_has_the_earlier_one(settings, observed, now)
    {
        finding.message = format!("{}. {who}", finding.message);
    }
    finding
}

/// What the looks add up to; of memory first what this one saw of its clients.
fn advised(settings: &Settings, pod: &str, answer: &Answer) -> Vec<Finding> {
    let mut findings = load::findings(settings, pod, answer);
    for finding in &mut findings {
        if answer.is_crowded && finding.condition == MemorySufficient && finding.status != ConditionStatus::False {
            *finding = load::crowded(settings, pod);
        }
    }
    findings
}

fn unavailable(why: Finding) -> Health {
    without_answer(why, Reason::RedisUnavailable, "the server could not be asked: see RedisAvailable")
}

/// What is said where no server answered: whether it is available, and why nothing else is known.
fn without_answer(available: Finding, reason: Reason, why: &str) -> Health {
    let unknown = |condition| Finding::unknown(condition, reason, why);
    let advisory = [AccessAllowed, ServerSupported]
        .map(unknown)
        .into_iter()
        .chain(load::unasked(reason, why))
        .chain([unknown(Durable)]);
    Health::Known {
        required: vec![available, unknown(EvictionPolicyVerified), unknown(UsersVerified)],
        advisory: advisory.collect(),
        servers: Vec::new(),
        answered: Answered::Nobody { reason, why: why.to_owned() },
        tells_of_samples: false,
    }
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Primary => "primary",
        Role::Replica => "replica",
    }
}
