//! Whether a server that answers serves applications: the finding about `RedisAvailable`.
//!
//! In: the settings, its pod, its answer. Out: a finding.

use jiff::SignedDuration;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;

use super::{drift, durability, unanswered, unread};
use crate::{
    api::v1alpha1::Remedy,
    condition::{ConditionType::RedisAvailable, Finding, Message, Reason},
    kubernetes::name,
    redis::{
        access::rules::SWITCHED_OFF,
        credentials::rotation::PasswordRotation,
        look::{
            Sample,
            answer::{Answer, Impediment, Role, Section},
            drift::{Correction, Drift, Parameter},
        },
        restart::Restart,
        server::pods::{is_ready, memory_limit, was_started_after},
        settings::Settings,
    },
};

/// What keeps a server that answers from serving applications.
pub(crate) fn impediment(settings: &Settings, pod: &Pod, answer: &Answer, now: Timestamp) -> Option<Finding> {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let cost = Restart::of(settings, Some(answer));
    if let Some(unknown) = unread::finding(settings, name, answer, RedisAvailable, &[Section::Server]) {
        return Some(unknown);
    }
    let (reason, message) = match (&answer.impediment, answer.role) {
        (_, Some(Role::Replica)) => (
            Reason::ReadOnly,
            Message::from(format!(
                "{name} is a replica of another server and refuses writes. Somebody sent it REPLICAOF"
            ))
            .remedy(cost.remedy(settings, name)),
        ),
        (Some(Impediment::LacksReplicas), _) => (
            Reason::ReadOnly,
            Message::from(format!(
                "{name} refuses writes because it has no replicas. Somebody set min-replicas-to-write"
            ))
            .remedy(cost.remedy(settings, name)),
        ),
        (Some(Impediment::CannotSave(words)), _) => (
            Reason::ReadOnly,
            Message::from(format!("{name} cannot save its data and refuses writes, but not reads: {words}"))
                .remedy(unanswered::log(settings, name))
                .remedies(settings.persistence.as_ref().map(|_| durability::larger(&settings.owner.namespace, name))),
        ),
        (Some(Impediment::Full { clients }), _) => {
            (Reason::TooManyClients, full(settings, (name, pod), &format!(" {clients}"), cost))
        }
        // Between the server's first answer and kubelet's next look at it there always is a moment.
        (None, _) if !is_ready(pod) => {
            let is_new = was_started_after(pod, now - FIRST_PROBES);
            (
                if is_new { Reason::Provisioning } else { Reason::PodNotReady },
                Message::from(format!(
                    "{name} answers the operator, but its readiness probe has not passed, so the Service sends it no traffic"
                ))
                .remedy(Remedy::look("if this lasts, see the events")
                        .command(format!("kubectl -n {} describe pod {name}", settings.owner.namespace))),
            )
        }
        (None, _) => match answer.detour.as_ref().filter(|detour| detour.is_confirmed) {
            Some(detour) => (Reason::AddressUnusable, unreached(settings, name, &detour.why)),
            None => return None,
        },
    };
    Some(Finding::fails(RedisAvailable, reason, message))
}

/// What is said of a server to which the address that applications are given does not lead.
fn unreached(settings: &Settings, pod: &str, why: &str) -> Message {
    let (namespace, service) = (&settings.owner.namespace, name::redis(&settings.owner.name));
    Message::from(format!(
        "{pod} answers at its own address, but not at {}, where applications connect: {why}",
        settings.endpoint()
    ))
    .remedy(
        Remedy::look("check the Service's EndpointSlices, the cluster's DNS and kube-proxy")
            .command(format!("kubectl -n {namespace} get endpointslices -l kubernetes.io/service-name={service}")),
    )
}

/// What is said of a server that refuses connections, because it has as many as it may.
pub(crate) fn full(settings: &Settings, (name, pod): (&str, &Pod), maxclients: &str, cost: Restart) -> Message {
    Message::from(format!("{name} has reached maxclients{maxclients} and refuses further connections"))
        .remedy(Remedy::free("restart the application that opens too many connections"))
        .remedy(Remedy::look(ONE_MULTIPLEXER))
        .remedies(cost.more_memory(settings, pod.spec.as_ref().and_then(memory_limit), None))
}

/// What differed of the applications' password, and not because one follows another.
pub(crate) fn meddled<'answer>(
    sample: &Sample,
    answer: &'answer Answer,
    rotation: &PasswordRotation,
) -> Option<&'answer Drift> {
    let mut drifts = answer.drift.iter().filter(|drift| drift.parameter == Parameter::AppPassword);
    drifts.find(|drift| !rotation.explains(drift, sample.taken))
}

/// What is said of a script that was ended.
pub(crate) fn script_ended(settings: &Settings, name: &str, found: &str) -> Message {
    Message::from(format!(
        "{name} ran {found} (BUSY). The operator ended it; it had written nothing, and no entry is lost"
    ))
    .remedy(unanswered::who_runs_scripts(settings))
}

/// Whether applications that have the published password can use a server that serves.
pub(crate) fn availability(settings: &Settings, pod: &Pod, answer: &Answer, password: Option<&Drift>) -> Finding {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let secret = name::redis(&settings.owner.name);
    match password.map(|drift| (drift, &drift.correction)) {
        None if let Some(script) = answer.drift.iter().find(|drift| drift.parameter == Parameter::Script) => {
            Finding::holds(RedisAvailable, Reason::ScriptEnded, script_ended(settings, name, &script.found))
        }
        None => Finding::holds(
            RedisAvailable,
            Reason::Available,
            format!("{name} answers as primary at {} (version {})", settings.endpoint(), answer.version),
        ),
        Some((drift, Correction::Corrected)) => Finding::holds(
            RedisAvailable,
            Reason::DriftCorrected,
            Message::from(match drift.found.as_str() {
                "no such user" => format!("{name} had no user app; corrected and verified"),
                SWITCHED_OFF => format!("user app was switched off on {name}; corrected and verified"),
                found => format!("{name} had {found} for user app, not the one in Secret {secret}; corrected and verified"),
            })
            .remedy(Remedy::look("find out what sends ACL SETUSER, unless that Secret is new")),
        ),
        Some((_, Correction::Followed)) => Finding::holds(
            RedisAvailable,
            Reason::NewPassword,
            Message::from(format!(
                "the applications' password is new: Secret {secret} was made anew or replaced, and {name} uses it. Applications \
                 with the earlier one are refused (WRONGPASS) when they connect next"
            ))
            .remedy(Remedy::free(format!("restart the applications that read Secret {secret}"))),
        ),
        Some((drift, correction)) => Finding::fails(
            RedisAvailable,
            drift::reason(correction),
            drift::uncorrected(
                settings,
                Restart::of(settings, Some(answer)),
                name,
                &drift::of_app(name, &secret, &drift.found),
                correction,
            ),
        ),
    }
}

/// What keeps the number of connections low.
pub(crate) const ONE_MULTIPLEXER: &str = "have each application process share one ConnectionMultiplexer";

/// How long a server may answer before kubelet's readiness probe has to have passed.
pub(crate) const FIRST_PROBES: SignedDuration = SignedDuration::from_secs(20);
