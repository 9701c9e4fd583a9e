//! Whether the pod is the one that the spec asks for, and what is said of one that is on its way.
//!
//! In: the settings, what was observed, which passwords hold. Out: sentences.

use k8s_openapi::api::{apps::v1::StatefulSet, core::v1::Pod};

use super::{
    credentials::Credentials,
    login_mark,
    objects::{self, COMPONENT, OPERATOR_LOGIN_ANNOTATION},
    observed::Observed,
    settings::Settings,
};
use crate::kubernetes::{name, quantity, subset};

/// The label with which the `StatefulSet` controller says which revision of the template a pod was made from.
const REVISION_LABEL: &str = "controller-revision-hash";

/// Why the pod is not the one that the spec asks for; `None` where it is. A spec that is not carried out, because it is
/// refused or the cache is paused, asks for nothing.
#[must_use]
pub fn pending(
    settings: &Settings,
    observed: &Observed,
    pod: &Pod,
    credentials: &Credentials,
    carried_out: bool,
) -> Option<String> {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let set = observed.stateful_set.ours();
    let rolled_out = set.is_some_and(|set| is_rolled_out(set, pod));
    let as_wanted = !carried_out || set.is_some_and(|set| has_wanted_template(settings, set, credentials));
    (!rolled_out || !as_wanted).then(|| {
        format!(
            "pod {name} is about to be replaced{}, and every entry that it holds only in memory is lost; if this lasts, \
             `kubectl describe statefulset {}` tells why",
            because(settings, pod),
            name::redis(&settings.owner.name)
        )
    })
}

fn has_wanted_template(settings: &Settings, set: &StatefulSet, credentials: &Credentials) -> bool {
    let Some(operator) = credentials.operator_password() else { return true };
    let wanted = objects::stateful_set(settings, Some(&login_mark(&operator.sha256())));
    let template = |set: &StatefulSet| set.spec.as_ref().map(|spec| spec.template.clone());
    subset::holds(&template(set), &template(&wanted))
}

fn is_rolled_out(set: &StatefulSet, pod: &Pod) -> bool {
    let Some(status) = &set.status else { return false };
    let made_from = pod.metadata.labels.as_ref().and_then(|labels| labels.get(REVISION_LABEL));
    status.observed_generation >= set.metadata.generation && status.update_revision.as_ref() == made_from
}

/// What is said of a pod that has no address yet, or that is going.
#[must_use]
pub fn on_its_way(settings: &Settings, pod: &Pod) -> String {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).unwrap_or("none");
    if let Some(since) = &pod.metadata.deletion_timestamp {
        return format!(
            "pod {name} is being replaced{}, and every entry that it holds only in memory is lost. It has until {} to end; \
             if its node ({node}) is gone, it cannot: once you know that the node is down, `kubectl delete pod {name} \
             --force` lets the StatefulSet go on",
            because(settings, pod),
            since.0
        );
    }
    let status = pod.status.as_ref();
    let ended = status.and_then(|status| status.reason.as_deref().zip(status.message.as_deref()));
    let why = ended.map_or_else(String::new, |(reason, message)| format!(" ({reason}: {message})"));
    format!("pod {name} is being started{why}; if this lasts, `kubectl describe pod {name}` tells why")
}

fn because(settings: &Settings, pod: &Pod) -> String {
    cause(settings, pod).map_or_else(String::new, |field| format!(", because {field} changed"))
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

/// What is said while a pod restarts because the operator has another password than it was started with.
#[must_use]
pub fn new_password(pod: &Pod) -> String {
    format!(
        "the operator's password is a new one (its Secret was lost or changed), and {} is being restarted to load it; \
         every entry that it holds only in memory is lost",
        pod.metadata.name.as_deref().unwrap_or_default()
    )
}

/// Whether the pod was started with another operator password than the one that holds now.
#[must_use]
pub fn restarts_for_password(pod: &Pod, credentials: &Credentials) -> bool {
    let started_with = pod.metadata.annotations.as_ref().and_then(|marks| marks.get(OPERATOR_LOGIN_ANNOTATION));
    credentials.operator_password().is_some_and(|password| started_with != Some(&login_mark(&password.sha256())))
}
