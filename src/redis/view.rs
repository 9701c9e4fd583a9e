//! What a round of a pass saw of a cache's Redis, out of all that it saw.
//!
//! In: the settings, what was observed, the looks at the servers. Out: [`Live`], in which it is told whose each object is.

use std::{collections::BTreeSet, net::IpAddr, sync::Arc};

use jiff::Timestamp;
use k8s_openapi::{
    api::{
        apps::v1::StatefulSet,
        core::v1::{Pod, Secret, Service},
    },
    apimachinery::pkg::apis::meta::v1::Condition,
};
use kube::ResourceExt;

use super::{
    credentials::{binding, rotation, tls},
    live::{Callers, Live, abroad},
    look::Sample,
    plan::network,
    server::{fit, objects, pods::serves},
    settings::{Settings, TlsSource},
    tls::verified::Verified,
};
use crate::{
    api::v1alpha1::{NetworkPolicyMode, OperationStatus, TokenCacheStatus},
    capability::{
        Claim, Names,
        ask::{Ask, Volume},
        observed::Observed,
    },
    condition::{ConditionStatus, ConditionType},
    kubernetes::{
        identity::{Found, Wanted},
        name,
        object::{Kind, OfKind},
        read::workload::Source,
    },
};

/// What is known by name.
#[must_use]
pub fn names(settings: &Settings, operations: &[OperationStatus]) -> Names {
    let owner = &settings.owner.name;
    let main = name::redis(owner);
    let secret = |name: String| (Kind::Secret, name);
    let always = [
        (Kind::ServiceAccount, main.clone()),
        (Kind::Service, main.clone()),
        (Kind::Service, name::redis_headless(owner)),
        (Kind::ConfigMap, name::redis_config(owner)),
        (Kind::ConfigMap, name::settings(owner)),
        (Kind::StatefulSet, main.clone()),
        secret(name::redis_operator(owner)),
        secret(name::redis_users(owner)),
        secret(main.clone()),
    ];
    let authority = (settings.tls == TlsSource::Managed).then(|| secret(name::redis_ca(owner)));
    let certificate = settings.has_tls().then(|| secret(name::redis_tls(owner)));
    // There seldom is one, and somebody else's stands in the way of nothing but a rotation.
    let rotation = rotation::is_expected(settings, operations).then(|| secret(name::redis_rotation(owner)));
    // Where none is wanted, none is asked for: the right to them may be lacking.
    let is_restricted = settings.network_policy != NetworkPolicyMode::None;
    let policy = is_restricted.then(|| (Kind::NetworkPolicy, main.clone()));
    // By the names that the `StatefulSet` controller gives them: nothing is searched among all pods of a cluster.
    let pods: Vec<String> = (0..objects::REPLICAS).map(|ordinal| format!("{main}-{ordinal}")).collect();
    let claim = |pod: &String| Claim { name: name::data_claim(pod), pod: pod.clone(), component: objects::COMPONENT };
    let claims = pods.iter().take(1).filter(|_| settings.persistence.is_some()).map(claim).collect();
    let provided = match &settings.tls {
        TlsSource::Secret(name) => Some(name.clone()),
        TlsSource::Managed | TlsSource::Disabled => None,
    };
    Names {
        objects: always.into_iter().chain(authority).chain(certificate).chain(rotation).chain(policy).collect(),
        pods,
        claims,
        secrets: provided.into_iter().collect(),
        reads_lasting: false,
    }
}

/// What was seen.
#[must_use]
pub fn live(settings: &Settings, observed: &Observed<'_>, samples: &[Sample], verified: &Arc<Verified>) -> Live {
    let owner = &settings.owner.name;
    let main = name::redis(owner);
    let opaque = |name: String| secret(settings, observed, &name, objects::SECRET_TYPE);
    let tls_secret = |name: String| secret(settings, observed, &name, tls::SECRET_TYPE);
    let service = |name: &str, is_headless: bool| {
        found(settings, observed, name, &|live: &Service| fit::service(live, is_headless))
    };
    let mut live = Live {
        service_account: found(settings, observed, &main, &fit::service_account),
        service: service(&main, false),
        headless_service: service(&name::redis_headless(owner), true),
        config_map: found(settings, observed, &name::redis_config(owner), &fit::config_map),
        application_settings: found(settings, observed, &name::settings(owner), &fit::config_map),
        stateful_set: found(settings, observed, &main, &|live: &StatefulSet| fit::stateful_set(live, settings)),
        operator_login: opaque(name::redis_operator(owner)),
        users: opaque(name::redis_users(owner)),
        connection: secret(settings, observed, &main, binding::SECRET_TYPE),
        rotation: opaque(name::redis_rotation(owner)),
        network_policy: found(settings, observed, &main, &fit::network_policy),
        was_restricted: is_restricted(observed.previous),
        callers: Callers::Unknown,
        operator: observed.operator.clone(),
        admitted: observed.admitted.clone(),
        certificate_authority: match settings.tls {
            TlsSource::Managed => tls_secret(name::redis_ca(owner)),
            TlsSource::Secret(_) | TlsSource::Disabled => Found::Absent,
        },
        server_certificate: match settings.tls {
            TlsSource::Managed | TlsSource::Secret(_) => tls_secret(name::redis_tls(owner)),
            TlsSource::Disabled => Found::Absent,
        },
        provided_certificate: match &settings.tls {
            TlsSource::Secret(name) => observed.provided.get(name).cloned(),
            TlsSource::Managed | TlsSource::Disabled => None,
        },
        verified: Arc::clone(verified),
        settled: Arc::clone(&observed.settled),
        claim: observed.claims.first().cloned(),
        volume: observed.answers.volumes.get(&name::data_claim(&pod_of(settings))).copied().unwrap_or(observed.volume),
        pods: pods(observed, &main),
        strangers: strangers(settings, observed, &main),
        samples: samples.to_vec(),
        consumers: observed.answers.consumers(&connection(owner)),
        processes: observed.answers.processes(&connection(owner)),
        operations: observed.previous.operations.clone(),
    };
    live.callers = callers(settings, &live, observed);
    live
}

/// What is to be known better of who uses the connection, and from where.
#[must_use]
pub fn asks(settings: &Settings, live: &Live, looks_since: Option<Timestamp>) -> Vec<Ask> {
    let since = looks_since.or_else(|| rotation::refused_since(settings, live));
    let processes = since.map(|since| Ask::Processes(connection(&settings.owner.name), since));
    let abroad = connected(settings, live).map(|callers| abroad(&callers)).filter(|abroad| !abroad.is_empty());
    // Of one that is large enough, the size that it had when it was read last will do.
    let is_small = settings.persistence.as_ref().is_some_and(|persistence| {
        let size = match live.volume {
            Volume::Holds(size) => size.min(persistence.size),
            Volume::Unknown | Volume::Absent => persistence.size,
        };
        size < settings.max_memory.volume()
    });
    let volume = is_small.then(|| Ask::Volume(name::data_claim(&pod_of(settings))));
    processes.into_iter().chain(abroad.map(Ask::Addresses)).chain(volume).collect()
}

/// The name of the first server's pod.
fn pod_of(settings: &Settings) -> String {
    format!("{}-0", name::redis(&settings.owner.name))
}

/// What applications connect with.
#[must_use]
pub fn connection(owner: &str) -> Vec<Source> {
    vec![Source::Secret(name::redis(owner))]
}

/// From where applications are connected, where that has to be known, and was seen.
fn connected(settings: &Settings, live: &Live) -> Option<BTreeSet<IpAddr>> {
    network::asks_for_callers(settings, live).then(|| network::callers(live)).flatten()
}

fn callers(settings: &Settings, live: &Live, observed: &Observed<'_>) -> Callers {
    match connected(settings, live) {
        None => Callers::Unknown,
        Some(callers) if abroad(&callers).is_empty() => Callers::Inside,
        Some(callers) => observed.answers.addresses().map_or(Callers::Unknown, |pods| Callers::of(&callers, pods)),
    }
}

fn found<K: OfKind>(
    settings: &Settings,
    observed: &Observed<'_>,
    name: &str,
    fits: &(dyn Fn(&K) -> bool + Sync),
) -> Found<Arc<K>> {
    let wanted = Wanted { component: objects::COMPONENT, fits, is_restored: settings.is_restored };
    settings.owner.found(observed.objects.get::<K>(name), &wanted)
}

fn secret(settings: &Settings, observed: &Observed<'_>, name: &str, type_: &str) -> Found<Arc<Secret>> {
    found(settings, observed, name, &|live: &Secret| fit::secret(live, type_))
}

/// Whether a status says that a `NetworkPolicy` is there.
fn is_restricted(status: &TokenCacheStatus) -> bool {
    let of_it = |condition: &&Condition| condition.type_ == ConditionType::NetworkRestricted.as_str();
    status.conditions.iter().find(of_it).is_some_and(|condition| condition.status == ConditionStatus::True.as_str())
}

/// The pods that the `StatefulSet` made.
fn pods(observed: &Observed<'_>, set: &str) -> Vec<Arc<Pod>> {
    observed.pods.iter().filter(|pod| is_made_by(pod, set)).cloned().collect()
}

/// Not by its UID: while it is made anew, the pods of the earlier one stay.
fn is_made_by(pod: &Pod, set: &str) -> bool {
    pod.owner_references().iter().any(|reference| reference.kind == "StatefulSet" && reference.name == set)
}

/// The pods that somebody gave the labels of a server, and a port of its name, so that the Service takes them for one.
fn strangers(settings: &Settings, observed: &Observed<'_>, set: &str) -> Vec<String> {
    let wanted = settings.owner.selector_labels(objects::COMPONENT);
    let is_stranger = |pod: &&Arc<Pod>| {
        let has = |label: (&String, &String)| pod.labels().get(label.0) == Some(label.1);
        !is_made_by(pod, set) && wanted.iter().all(has) && serves(pod)
    };
    observed.pods.iter().filter(is_stranger).map(|pod| pod.name_any()).collect()
}
