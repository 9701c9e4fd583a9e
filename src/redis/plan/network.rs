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
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};

use crate::{
    api::v1alpha1::{ADOPT_ANNOTATION, NetworkPolicyMode, RESTORED},
    capability::cost::NOTHING,
    condition::{ConditionType::NetworkRestricted, Finding, Reason},
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
    if let Found::Restored(manager) = &observed.network_policy {
        return Some(Finding::fails(
            NetworkRestricted,
            Reason::NetworkPolicyNameTaken,
            format!(
                "NetworkPolicy {policy} has all labels of this TokenCache and no owner, and was written by the field manager \
                 {manager}; it is left as it is. {NOTHING}, if it was restored from a backup: `kubectl -n {namespace} annotate --overwrite tokencache \
                 {} {ADOPT_ANNOTATION}={RESTORED}`",
                settings.owner.name
            ),
        ));
    }
    if let Found::Foreign(holder) = &observed.network_policy {
        return Some(Finding::fails(
            NetworkRestricted,
            Reason::NetworkPolicyNameTaken,
            format!(
                "NetworkPolicy {policy} exists already and belongs to {holder}; it is left as it is, and no other is made. \
                 {NOTHING}: spec.redis.networkPolicy: None, where yours lets the operator through; or rename yours"
            ),
        ));
    }
    let Some(home) = &observed.operator.namespace else {
        return Some(Finding::unknown(
            NetworkRestricted,
            Reason::OperatorOutside,
            "no NetworkPolicy is made or changed, since it would keep the operator out: it does not know in which namespace its \
             pod runs. The chart tells it by POD_NAMESPACE",
        ));
    };
    if observed.network_policy.owned().is_some() {
        let (_, label) = OPERATOR_LABEL;
        return Some(Finding::holds(
            NetworkRestricted,
            Reason::Restricted,
            format!(
                "NetworkPolicy {policy} lets the pods of namespace {namespace} and the operator ({label} in namespace {home}) \
                 reach port {}, and nobody else, where the cluster's network enforces NetworkPolicies",
                settings.port()
            ),
        ));
    }
    if wanted(settings, observed).is_some() {
        return Some(if carried_out {
            let message = format!("NetworkPolicy {policy} is being made");
            Finding::unknown(NetworkRestricted, Reason::NetworkPolicyMissing, message)
        } else {
            let message = format!(
                "there is no NetworkPolicy {policy}, and none is made while the annotation tokencache.dev/reconcile says \
                 paused, and while SpecValid is False: whoever reaches the port may try passwords and use up connections"
            );
            Finding::fails(NetworkRestricted, Reason::NetworkPolicyMissing, message)
        });
    }
    let Callers::Outside(addresses) = &observed.callers else {
        return Some(Finding::unknown(
            NetworkRestricted,
            Reason::Sampling,
            format!(
                "NetworkPolicy {policy} is made once it was seen from where applications are connected, which takes a server \
                 that has run for some minutes"
            ),
        ));
    };
    Some(Finding::fails(
        NetworkRestricted,
        Reason::ConnectionFromOutside,
        format!(
            "applications are connected from {}, where no pod of namespace {namespace} is that NetworkPolicy {policy} could let \
             through: from another namespace, from a node, or from a pod with hostNetwork. It would cut them off, so none is \
             made while they are connected, and whoever reaches the port may try passwords. Move them into the namespace, or let \
             them through by a NetworkPolicy of yours. Costs these connections, where yours does not: spec.redis.networkPolicy: \
             Namespace",
            told(addresses)
        ),
    ))
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
