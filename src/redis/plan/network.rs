//! Who reaches a cache's servers over the network: the `NetworkPolicy`, and the finding about `NetworkRestricted`.
//!
//! In: the settings, what was observed, from where applications are connected. Out: the object, a finding. It never takes the
//! way from anybody who has it: where an application is connected from elsewhere than the policy lets through, there is none,
//! unless the spec asks for it by name. One that is there stays.

use std::{collections::BTreeSet, net::IpAddr};

use k8s_openapi::{
    api::networking::v1::{
        NetworkPolicy, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
    },
    apimachinery::pkg::{
        apis::meta::v1::{LabelSelector, ObjectMeta},
        util::intstr::IntOrString,
    },
};

use crate::{
    api::v1alpha1::{NetworkPolicyMode, Remedy},
    capability::operation,
    condition::{ConditionType::NetworkRestricted, Finding, Message, Reason},
    kubernetes::{
        identity::{
            Found,
            labels::{NAMESPACE_LABEL, OPERATOR_LABEL},
        },
        name,
    },
    redis::{
        live::{Callers, Live},
        server::objects::COMPONENT,
        settings::Settings,
    },
};

/// The `NetworkPolicy` of a cache: the pods of its namespace, and those of the operator, reach the servers' port, and nobody
/// reaches another one. What the servers themselves connect to is left alone.
#[must_use]
pub fn network_policy(settings: &Settings, operator_namespace: &str) -> NetworkPolicy {
    let labelled = |(key, value): (&str, &str)| LabelSelector {
        match_labels: Some([(key.to_owned(), value.to_owned())].into()),
        ..LabelSelector::default()
    };
    let of_namespace =
        NetworkPolicyPeer { pod_selector: Some(LabelSelector::default()), ..NetworkPolicyPeer::default() };
    let operator = NetworkPolicyPeer {
        namespace_selector: Some(labelled((NAMESPACE_LABEL, operator_namespace))),
        pod_selector: Some(labelled(OPERATOR_LABEL)),
        ..NetworkPolicyPeer::default()
    };
    let port = NetworkPolicyPort {
        protocol: Some("TCP".to_owned()),
        port: Some(IntOrString::Int(i32::from(settings.port()))),
        ..NetworkPolicyPort::default()
    };
    NetworkPolicy {
        metadata: settings.owner.metadata(name::redis(&settings.owner.name), COMPONENT),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(settings.owner.selector(COMPONENT)),
            policy_types: Some(vec!["Ingress".to_owned()]),
            ingress: Some(vec![NetworkPolicyIngressRule {
                from: Some(vec![of_namespace, operator]),
                ports: Some(vec![port]),
            }]),
            ..NetworkPolicySpec::default()
        }),
    }
}

/// The policy that is to be there; `None` where none is, or none may be made now.
#[must_use]
pub fn wanted(settings: &Settings, observed: &Live) -> Option<NetworkPolicy> {
    let may_be = match (settings.network_policy, &observed.network_policy) {
        (NetworkPolicyMode::None, _) | (_, Found::Foreign(_) | Found::Restored(_) | Found::Leftover) => false,
        (_, Found::Owned(_)) | (NetworkPolicyMode::Namespace, Found::Absent) => true,
        (NetworkPolicyMode::Auto, Found::Absent) => {
            is_new(observed) || observed.was_restricted || observed.callers == Callers::Inside
        }
    };
    may_be.then_some(observed.operator.namespace.as_deref()).flatten().map(|home| network_policy(settings, home))
}

/// Whether it has to be known from where applications are connected.
#[must_use]
pub fn asks_for_callers(settings: &Settings, observed: &Live) -> bool {
    settings.network_policy == NetworkPolicyMode::Auto
        && observed.network_policy == Found::Absent
        && observed.operator.namespace.is_some()
        && !observed.was_restricted
        && !is_new(observed)
}

/// Whether there is no server that anybody could be connected to.
fn is_new(observed: &Live) -> bool {
    observed.stateful_set == Found::Absent && observed.pods.is_empty()
}

/// From where applications are connected, as the latest look at each server saw; `None` where one did not.
#[must_use]
pub fn callers(observed: &Live) -> Option<BTreeSet<IpAddr>> {
    let mut all = BTreeSet::new();
    for sample in &observed.samples {
        all.extend(sample.outcome.as_ref().ok()?.callers.as_ref()?);
    }
    (!observed.samples.is_empty()).then_some(all)
}

/// Whether only those who should reach Redis; `None` where the spec asks for no policy. A spec that is not carried out, because
/// it is refused or the cache is paused, makes none.
#[must_use]
pub fn finding(settings: &Settings, observed: &Live, carried_out: bool) -> Option<Finding> {
    if settings.network_policy == NetworkPolicyMode::None {
        return None;
    }
    let (policy, namespace) = (name::redis(&settings.owner.name), &settings.owner.namespace);
    let fails = |reason, message| Some(Finding::fails(NetworkRestricted, reason, message));
    if let Found::Restored(manager) = &observed.network_policy {
        let message = operation::restored(&settings.owner, "NetworkPolicy", &policy, manager);
        return fails(Reason::NetworkPolicyNameTaken, message);
    }
    if let Found::Foreign(holder) = &observed.network_policy {
        let message = Message::from(format!(
            "NetworkPolicy {policy} already exists and belongs to {holder}. The operator leaves it alone, and makes no other"
        ))
        .remedy(Remedy::free("if it lets the operator through, set spec.redis.networkPolicy: None"))
        .remedy(Remedy::look("otherwise, rename it"));
        return fails(Reason::NetworkPolicyNameTaken, message);
    }
    let Some(home) = &observed.operator.namespace else {
        let message =
            "the operator does not know its own namespace, so it makes no NetworkPolicy that could lock it out";
        let remedy = Remedy::free("set POD_NAMESPACE in the operator's pod, as its chart does");
        let message = Message::from(message).remedy(remedy);
        return Some(Finding::unknown(NetworkRestricted, Reason::OperatorOutside, message));
    };
    if observed.network_policy.owned().is_some() {
        let (_, label) = OPERATOR_LABEL;
        return Some(Finding::holds(
            NetworkRestricted,
            Reason::Restricted,
            format!(
                "NetworkPolicy {policy} lets only the pods of namespace {namespace} and {label} in namespace {home} reach port {}, \
                 if the cluster enforces NetworkPolicies",
                settings.port()
            ),
        ));
    }
    if wanted(settings, observed).is_some() {
        if !carried_out {
            let message = format!(
                "NetworkPolicy {policy} is missing, and not created while the cache is paused or SpecValid is False. Whoever \
                 reaches the port may try passwords"
            );
            return fails(Reason::NetworkPolicyMissing, message.into());
        }
        let message = format!("NetworkPolicy {policy} is being created");
        return Some(Finding::unknown(NetworkRestricted, Reason::NetworkPolicyMissing, message));
    }
    let Callers::Outside(addresses) = &observed.callers else {
        let message = format!(
            "NetworkPolicy {policy} is not created until Redis has run for some minutes, and shown from where applications connect"
        );
        return Some(Finding::unknown(NetworkRestricted, Reason::Sampling, message));
    };
    let message = Message::from(format!(
        "applications connect from {}, outside the pods of namespace {namespace}. NetworkPolicy {policy} would cut them off, so \
         it is not created",
        told(addresses)
    ))
    .remedy(
        Remedy::free("apply the NetworkPolicy in status.remedies, with their namespace for OTHER")
            .manifest(manifest(&letting_others_through(settings, home))),
    )
    .remedy(Remedy::look(format!("or move them into namespace {namespace}")))
    .remedy(Remedy::costing(
        "these connections, unless a NetworkPolicy lets them through",
        "set spec.redis.networkPolicy: Namespace",
    ));
    fails(Reason::ConnectionFromOutside, message)
}

/// A `NetworkPolicy` of the user's own that lets through whom ours does, and the pods of another namespace.
fn letting_others_through(settings: &Settings, operator_namespace: &str) -> NetworkPolicy {
    let mut policy = network_policy(settings, operator_namespace);
    policy.metadata = ObjectMeta {
        name: Some(format!("{}-others", name::redis(&settings.owner.name))),
        namespace: Some(settings.owner.namespace.clone()),
        ..ObjectMeta::default()
    };
    let other = NetworkPolicyPeer {
        namespace_selector: Some(LabelSelector {
            match_labels: Some([(NAMESPACE_LABEL.to_owned(), "OTHER".to_owned())].into()),
            ..LabelSelector::default()
        }),
        ..NetworkPolicyPeer::default()
    };
    let rules = policy.spec.iter_mut().flat_map(|spec| spec.ingress.iter_mut().flatten());
    rules.filter_map(|rule| rule.from.as_mut()).for_each(|from| from.push(other.clone()));
    policy
}

/// The object as users apply it.
fn manifest(policy: &NetworkPolicy) -> String {
    serde_yaml::to_string(policy).unwrap_or_default()
}

/// The first address, and whether there are more.
fn told(addresses: &BTreeSet<IpAddr>) -> String {
    let first = addresses.first().map(ToString::to_string).unwrap_or_default();
    if addresses.len() > 1 { format!("{first} and others") } else { first }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> BTreeSet<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn who_is_no_pod_of_the_namespace_is_outside_but_for_the_servers_own_pod() {
        let pods = addresses(&["10.0.0.7", "10.0.0.8", "fd00::7"]);
        for inside in
            [&["10.0.0.7", "fd00::7"][..], &["127.0.0.1", "::1"], &["::ffff:10.0.0.8", "::ffff:127.0.0.1"], &[]]
        {
            assert_eq!(Callers::of(&addresses(inside), &pods), Callers::Inside, "{inside:?}");
        }
        let seen = addresses(&["10.0.0.7", "10.9.0.1", "fd00::8", "127.0.0.1"]);
        assert_eq!(Callers::of(&seen, &pods), Callers::Outside(addresses(&["10.9.0.1", "fd00::8"])));
    }
}
