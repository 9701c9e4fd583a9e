//! Whether a server that answers serves applications: the finding about `RedisAvailable`.
//!
//! In: the settings, its pod, its answer. Out: a finding.

use jiff::SignedDuration;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;

use super::{drift, durability, unanswered, unread};
use crate::{
    condition::{ConditionType::RedisAvailable, Finding, Reason},
    kubernetes::name,
    redis::{
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
    let namespace = &settings.owner.namespace;
    let cost = Restart::of(settings, Some(answer));
    let restart = |with: &str| drift::restart(settings, cost, name, with);
    if let Some(unknown) = unread::finding(settings, name, answer, RedisAvailable, &[Section::Server]) {
        return Some(unknown);
    }
    let (reason, message) = match (&answer.impediment, answer.role) {
        (_, Some(Role::Replica)) => (
            Reason::ReadOnly,
            format!(
                "{name} is a replica of another server and refuses writes: somebody sent it REPLICAOF. {}",
                restart("its role as a primary")
            ),
        ),
        (Some(Impediment::LacksReplicas), _) => (
            Reason::ReadOnly,
            format!(
                "{name} refuses writes because it has no replicas: somebody set min-replicas-to-write. {}",
                restart("its own configuration")
            ),
        ),
        (Some(Impediment::CannotSave(words)), _) => (
            Reason::ReadOnly,
            format!(
                "{name} refuses writes because it could not save its data ({words}); reads go on. `kubectl -n {namespace} \
                 logs {name}` tells why: most often {}, or somebody changed where it saves{}",
                if settings.persistence.is_some() { "its volume is full" } else { "its node's disk is full" },
                settings
                    .persistence
                    .as_ref()
                    .map_or_else(String::new, |_| format!(". {}", durability::larger(namespace, name)))
            ),
        ),
        (Some(Impediment::Full { clients }), _) => {
            (Reason::TooManyClients, full(settings, (name, pod), &format!(", {clients}"), cost))
        }
        // Between the server's first answer and kubelet's next look at it there always is a moment.
        (None, _) if !is_ready(pod) => (
            if was_started_after(pod, now - FIRST_PROBES) { Reason::Provisioning } else { Reason::PodNotReady },
            format!(
                "{name} answers the operator, but its readiness probe has not passed, so that the Service sends it no \
                 traffic; if this lasts, `kubectl -n {namespace} describe pod {name}` tells why"
            ),
        ),
        (None, _) => match answer.detour.as_ref().filter(|detour| detour.is_confirmed) {
            Some(detour) => (Reason::AddressUnusable, unreached(settings, name, &detour.why)),
            None => return None,
        },
    };
    Some(Finding::fails(RedisAvailable, reason, message))
}

/// What is said of a server to which the address that applications are given does not lead.
fn unreached(settings: &Settings, pod: &str, why: &str) -> String {
    let (namespace, service) = (&settings.owner.namespace, name::redis(&settings.owner.name));
    format!(
        "applications do not reach Redis at {}: {why}. {pod} answers at its own address. Check the cluster's DNS and kube-proxy, and \
         `kubectl -n {namespace} get endpointslices -l kubernetes.io/service-name={service}`",
        settings.endpoint()
    )
}

/// What is said of a server that refuses connections, because it has as many as it may.
pub(crate) fn full(settings: &Settings, (name, pod): (&str, &Pod), maxclients: &str, cost: Restart) -> String {
    format!(
        "{name} has as many clients as it may (maxclients{maxclients}), and refuses others. Most often an application opens a \
         connection for every request, where one ConnectionMultiplexer should serve all: restart it. {}: a higher \
         spec.redis.maxMemory, where so many are right",
        cost.costs_of_more_memory(settings, pod.spec.as_ref().and_then(memory_limit))
    )
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
pub(crate) fn script_ended(settings: &Settings, name: &str, found: &str) -> String {
    format!(
        "{name} ran {found} (BUSY). It had written nothing, and was ended; every entry is there. {}",
        unanswered::who_runs_scripts(settings)
    )
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
            format!(
                "{name} had {} for the user app; it was set to the one in Secret {secret}, and read back. Unless that \
                 Secret is a new one, somebody or something uses ACL SETUSER",
                drift.found
            ),
        ),
        Some((_, Correction::Followed)) => Finding::holds(
            RedisAvailable,
            Reason::NewPassword,
            format!(
                "the applications' password is a new one, since Secret {secret} was made anew or replaced as a whole, and \
                 {name} has it: applications that read the earlier one are refused (WRONGPASS) when they connect next. \
                 Restart them"
            ),
        ),
        Some((drift, correction)) => Finding::fails(
            RedisAvailable,
            drift::reason(correction),
            format!(
                "{}; {}",
                drift::of_app(name, &secret, &drift.found),
                drift::remedy(settings, Restart::of(settings, Some(answer)), name, correction)
            ),
        ),
    }
}

/// How long a server may answer before kubelet's readiness probe has to have passed.
pub(crate) const FIRST_PROBES: SignedDuration = SignedDuration::from_secs(20);
