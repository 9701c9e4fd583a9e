//! The status that kubelet writes for a pod. Pure.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::{ContainerStatus, HostIP, PodCondition, PodIP, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

use super::messages::UNSCHEDULABLE;

/// Of a pod that found no node.
pub fn unschedulable(before: &PodStatus) -> PodStatus {
    let condition = PodCondition {
        reason: Some("Unschedulable".into()),
        message: Some(UNSCHEDULABLE.into()),
        ..condition("PodScheduled", false)
    };
    PodStatus {
        phase: Some("Pending".into()),
        conditions: Some(dated(vec![condition], before)),
        ..PodStatus::default()
    }
}

/// Of a pod on its node; `over` where no container will run again.
pub fn on_node(before: &PodStatus, address: IpAddr, containers: Vec<ContainerStatus>, over: bool) -> PodStatus {
    let unready: Vec<&str> = containers.iter().filter(|each| !each.ready).map(|each| each.name.as_str()).collect();
    let ready = |kind: &str| {
        let mut condition = condition(kind, unready.is_empty());
        if !unready.is_empty() {
            condition.reason = Some("ContainersNotReady".into());
            condition.message = Some(format!("containers with unready status: [{}]", unready.join(" ")));
        }
        condition
    };
    let conditions = vec![
        condition("PodReadyToStartContainers", true),
        condition("Initialized", true),
        ready("Ready"),
        ready("ContainersReady"),
        condition("PodScheduled", true),
    ];
    let address = address.to_string();
    PodStatus {
        phase: Some(phase(&containers, over).into()),
        conditions: Some(dated(conditions, before)),
        host_ip: Some("127.0.0.1".into()),
        host_ips: Some(vec![HostIP { ip: "127.0.0.1".into() }]),
        pod_ip: Some(address.clone()),
        pod_ips: Some(vec![PodIP { ip: address }]),
        start_time: before.start_time.clone().or_else(|| Some(Time(Timestamp::now()))),
        container_statuses: Some(containers),
        ..PodStatus::default()
    }
}

/// Pending until every container has run; over when all have ended for good.
fn phase(containers: &[ContainerStatus], over: bool) -> &'static str {
    let code = |each: &ContainerStatus| each.state.as_ref()?.terminated.as_ref().map(|end| end.exit_code);
    if over {
        return if containers.iter().all(|each| code(each) == Some(0)) { "Succeeded" } else { "Failed" };
    }
    if containers.iter().all(|each| each.container_id.is_some()) { "Running" } else { "Pending" }
}

fn condition(kind: &str, holds: bool) -> PodCondition {
    let status = if holds { "True" } else { "False" };
    PodCondition { type_: kind.into(), status: status.into(), ..PodCondition::default() }
}

/// The time of a transition stays until there is another one.
fn dated(mut conditions: Vec<PodCondition>, before: &PodStatus) -> Vec<PodCondition> {
    for condition in &mut conditions {
        let same = before
            .conditions
            .iter()
            .flatten()
            .find(|old| old.type_ == condition.type_ && old.status == condition.status);
        let since = same.and_then(|old| old.last_transition_time.clone());
        condition.last_transition_time = since.or_else(|| Some(Time(Timestamp::now())));
    }
    conditions
}
