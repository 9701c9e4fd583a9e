//! What pods of servers tell of themselves.
//!
//! In: a pod as the watch has it. Out: whether it is ready, running or over, since when, with how much memory, and how its server is
//! reached. It judges nothing.

use jiff::SignedDuration;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Container;
use k8s_openapi::api::core::v1::ContainerStateRunning;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::core::v1::PodCondition;
use k8s_openapi::api::core::v1::PodSpec;

use super::objects::{COMPONENT, PORT_NAME};
use crate::{
    kubernetes::quantity,
    redis::{look::Server, settings::Settings},
};

/// The server in a pod; `None` while it has no address, or when it is on its way out.
#[must_use]
pub fn server_in(settings: &Settings, pod: &Pod) -> Option<Server> {
    let status = pod.status.as_ref()?;
    if crate::redis::server::pods::is_over(pod) {
        return None;
    }
    Some(Server {
        pod: pod.metadata.name.clone()?,
        uid: pod.metadata.uid.clone()?,
        address: status.pod_ip.as_ref()?.parse().ok()?,
        port: settings.port(),
    })
}

/// Whether kubelet calls the pod ready, so that Services send it traffic.
#[must_use]
pub fn is_ready(pod: &Pod) -> bool {
    readiness(pod).is_some_and(|condition| condition.status == "True")
}

/// Whether a Service of Redis sends connections to the pod, where it selects it.
#[must_use]
pub(crate) fn serves(pod: &Pod) -> bool {
    let mut containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let has_port = containers
        .any(|container| container.ports.iter().flatten().any(|port| port.name.as_deref() == Some(PORT_NAME)));
    has_port && is_ready(pod) && pod.metadata.deletion_timestamp.is_none()
}

pub(crate) fn readiness(pod: &Pod) -> Option<&PodCondition> {
    pod.status.as_ref()?.conditions.as_ref()?.iter().find(|condition| condition.type_ == "Ready")
}

/// Whether kubelet has called the pod ready since this time, give or take the second that it counts in: what was seen of
/// the server before then is out of date.
#[must_use]
pub fn became_ready_after(pod: &Pod, time: Timestamp) -> bool {
    is_ready(pod) && readiness_changed_after(pod, time - SignedDuration::from_secs(1))
}

/// Whether kubelet has begun or ceased to call the pod ready since this time.
#[must_use]
pub fn readiness_changed_after(pod: &Pod, time: Timestamp) -> bool {
    let since = readiness(pod).and_then(|condition| condition.last_transition_time.as_ref());
    since.is_some_and(|since| since.0 > time)
}

/// Whether the server's container runs, and was started after a time.
#[must_use]
pub fn was_started_after(pod: &Pod, time: Timestamp) -> bool {
    running(pod).and_then(|running| running.started_at.as_ref()).is_some_and(|started| started.0 > time)
}

pub(crate) fn running(pod: &Pod) -> Option<&ContainerStateRunning> {
    let containers = pod.status.as_ref()?.container_statuses.as_ref()?;
    let server = containers.iter().find(|container| container.name == COMPONENT)?;
    server.state.as_ref()?.running.as_ref()
}

/// Whether the server's container runs, by kubelet's last word.
#[must_use]
pub fn is_running(pod: &Pod) -> bool {
    running(pod).is_some()
}

/// Whether kubelet ends the server where a script keeps it from everything else.
#[must_use]
pub fn ends_where_busy(pod: &Pod) -> bool {
    let server = pod.spec.as_ref().and_then(container);
    let probe = server.and_then(|server| server.liveness_probe.as_ref()?.exec.as_ref()?.command.as_ref());
    probe.is_some_and(|command| command.iter().any(|word| word.contains("BUSY")))
}

/// The server's container, as a pod was asked to run it.
#[must_use]
pub fn container(pod: &PodSpec) -> Option<&Container> {
    pod.containers.iter().find(|container| container.name == COMPONENT)
}

/// The memory that the server's container may take, in bytes.
#[must_use]
pub fn memory_limit(pod: &PodSpec) -> Option<u64> {
    quantity::bytes(&container(pod)?.resources.as_ref()?.limits.as_ref()?.get("memory")?.0)
}

/// Whether a pod is on its way out, or has come to its end.
#[must_use]
pub fn is_over(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_some() || has_ended(pod)
}

pub(crate) fn has_ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Failed" | "Succeeded"))
}
