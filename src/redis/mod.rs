//! Everything that is about Redis: what a cache wants, the objects that make it, and how its health is read.
//!
//! In: settings and what was observed. Out: a [`Plan`] and, from [`health`], findings. Only [`probe`] talks to a server,
//! and nothing here talks to Kubernetes.

mod access;
pub mod acl;
pub mod advice;
pub mod binding;
pub mod client_limits;
pub mod config;
pub mod credentials;
mod drift;
mod durability;
pub mod fault;
pub mod fit;
pub mod flush;
pub mod health;
pub mod network;
pub mod objects;
pub mod observed;
pub mod password;
pub mod pod;
mod pod_health;
pub mod probe;
mod readability;
pub mod release;
pub mod rollout;
pub mod rotation;
pub mod sample;
pub mod settings;
pub mod tls;
pub mod unread;
pub mod usage;

use std::{fmt, sync::Arc};

use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{ConfigMap, Pod, Secret, Service, ServiceAccount},
    networking::v1::NetworkPolicy,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::Serialize;

use crate::{
    api::v1alpha1::Inspect,
    data_protection::{in_use::InUse, reader::Reader},
    kubernetes::{
        identity::{Found, Lacking},
        name, subset,
    },
};
use acl::{Hashes, OPERATOR};
use client_limits::ClientLimits;
use credentials::{Credentials, Standing};
use observed::Observed;
use password::{Password, PasswordHash};
use sample::{Login, Question, Server, Trust, Want, Wanted};
use settings::Settings;
use tls::{AuthorityOrder, CertificateOrder, certificate::Authorities};

/// What is to be written. Objects that already are as wanted are not in it.
#[derive(Clone, Default, PartialEq)]
pub struct Plan {
    /// Secrets whose bytes are drawn when they are created.
    pub mints: Vec<Mint>,
    /// The account of the pods.
    pub service_account: Option<ServiceAccount>,
    /// Who reaches the servers.
    pub network_policy: Option<NetworkPolicy>,
    /// redis.conf, and the applications' settings.
    pub config_maps: Vec<ConfigMap>,
    /// The users, and what the binding lacks.
    pub secrets: Vec<Secret>,
    /// What Secrets have and should not have any more.
    pub clearances: Vec<Clearance>,
    /// The Service for applications, and the one that governs the pods.
    pub services: Vec<Service>,
    /// The `StatefulSet`.
    pub stateful_set: Option<StatefulSet>,
    /// The claim that it made, as it was seen, and what it lacks.
    pub claim: Option<(ObjectMeta, Lacking)>,
}

/// Keys of an owned Secret that are to go.
#[derive(Debug, Clone, PartialEq)]
pub struct Clearance {
    /// Its name and UID.
    pub secret: ObjectMeta,
    /// The keys.
    pub keys: Vec<String>,
}

/// A Secret whose bytes are drawn when it is written.
#[derive(Debug, Clone, PartialEq)]
pub enum Mint {
    /// The operator's own login.
    OperatorLogin,
    /// The binding, with the applications' password, and whom they trust.
    Connection(Option<Authorities>),
    /// The applications' next password, in a Secret of its own.
    NextPassword(rotation::Order),
    /// The operator's own authority.
    CertificateAuthority(Box<AuthorityOrder>),
    /// The servers' certificate, signed by it.
    ServerCertificate(Box<CertificateOrder>),
}

impl Mint {
    /// The Secret's name.
    #[must_use]
    pub fn name(&self, settings: &Settings) -> String {
        let owner = &settings.owner.name;
        match self {
            Self::OperatorLogin => name::redis_operator(owner),
            Self::NextPassword(_) => name::redis_rotation(&settings.owner.name),
            Self::Connection(_) => name::redis(owner),
            Self::CertificateAuthority(_) => name::redis_ca(owner),
            Self::ServerCertificate(_) => name::redis_tls(owner),
        }
    }

    /// The Secret, from random bytes; `None` where they do not suffice.
    #[must_use]
    pub fn secret(&self, settings: &Settings, random: &[u8]) -> Option<Secret> {
        let password = || Password::from_random(random);
        match self {
            Self::OperatorLogin => Some(objects::operator_login(settings, &password()?)),
            Self::Connection(authorities) => {
                Some(binding::connection(settings, &password()?, authorities.as_ref(), None))
            }
            Self::NextPassword(order) => order.secret(settings, random),
            Self::CertificateAuthority(order) => order.secret(settings, random),
            Self::ServerCertificate(order) => order.secret(settings, random),
        }
    }
}

// By hand: derived, it would print the content of Secrets.
impl fmt::Debug for Plan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secrets: Vec<_> = self.secrets.iter().map(|secret| secret.metadata.name.as_deref()).collect();
        formatter
            .debug_struct("Plan")
            .field("mints", &self.mints)
            .field("service_account", &self.service_account)
            .field("network_policy", &self.network_policy)
            .field("config_maps", &self.config_maps)
            .field("secrets", &secrets)
            .field("clearances", &self.clearances)
            .field("services", &self.services)
            .field("stateful_set", &self.stateful_set)
            .field("claim", &self.claim)
            .finish()
    }
}

impl Plan {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What is to be written so that Redis is as the settings want it. Passwords and certificates come first: while one is to be
/// made, what depends on it waits for the next pass.
#[must_use]
pub fn plan(settings: &Settings, observed: &Observed, credentials: &Credentials) -> Plan {
    let mut plan = Plan {
        mints: credentials.tls.mints.clone(),
        secrets: credentials.tls.secrets.clone(),
        clearances: credentials.tls.clearance.iter().cloned().collect(),
        service_account: missing(&observed.service_account, objects::service_account(settings)),
        network_policy: network::wanted(settings, observed)
            .and_then(|wanted| missing(&observed.network_policy, wanted)),
        config_maps: missing(&observed.application_settings, binding::application_settings(settings))
            .into_iter()
            .collect(),
        claim: observed.claim.clone().and_then(|claim| {
            let lacking = settings.owner.lacking(objects::COMPONENT, &claim)?;
            Some((claim, lacking))
        }),
        ..Plan::default()
    };
    match &credentials.operator {
        Standing::Missing => plan.mints.push(Mint::OperatorLogin),
        Standing::Known(password) => {
            plan.secrets.extend(missing(&observed.operator_login, objects::operator_login(settings, password)));
        }
        Standing::Refused(_) => {}
    }
    let authorities = credentials.tls.authorities();
    let can_publish = !settings.has_tls() || authorities.is_some();
    let rotation = &credentials.rotation;
    plan.mints.extend(rotation.mint.clone().map(Mint::NextPassword));
    plan.secrets.extend(rotation.secret.clone());
    if credentials.to_publish().is_none() && credentials.app == Standing::Missing && can_publish {
        plan.mints.push(Mint::Connection(authorities.cloned()));
    }
    // Where there is no certificate to start with, nothing that asks for one is written; what runs already is kept up.
    if !credentials.tls.lets_start() && !rollout::is_written(settings, observed, credentials) {
        return plan;
    }
    let certificate = tls::mounted::at_start(settings, observed, &credentials.tls);
    plan.config_maps.extend(missing(&observed.config_map, objects::config_map(settings, &certificate)));
    plan.services.extend(missing(&observed.headless_service, objects::headless_service(settings)));
    plan.services.extend(missing(&observed.service, objects::service(settings)));
    if let (Some(password), true) = (credentials.to_publish(), can_publish) {
        let wanted = binding::connection(settings, password, authorities, rotation.marks);
        plan.clearances.extend(observed.connection.ours().and_then(|live| clearance(live, &wanted)));
        plan.secrets.extend(missing(&observed.connection, wanted));
    }
    if let (Some(operator), false) = (credentials.operator_password(), rotation.valid.is_empty()) {
        let probe = objects::probe_password(operator);
        let hashes = Hashes { app: rotation.valid.clone(), operator: operator.sha256(), probe: probe.sha256() };
        plan.secrets.extend(missing(&observed.users, objects::users(settings, &hashes, &probe)));
        let wanted = rollout::wanted(settings, observed, Some(credentials));
        plan.stateful_set = missing(&observed.stateful_set, wanted).filter(|wanted| !is_settled(observed, wanted));
    }
    plan
}

/// Whether the live `StatefulSet` is what the API server made of this one.
fn is_settled(observed: &Observed, wanted: &StatefulSet) -> bool {
    let (Some(live), Some(settled)) = (observed.stateful_set.ours(), &observed.settled) else { return false };
    let identity = |object: &StatefulSet| {
        let ObjectMeta { labels, annotations, owner_references, .. } = object.metadata.clone();
        StatefulSet {
            metadata: ObjectMeta { labels, annotations, owner_references, ..ObjectMeta::default() },
            ..StatefulSet::default()
        }
    };
    settled.holds(&live.metadata, &wanted.spec) && subset::holds(&identity(live), &identity(wanted))
}

/// The object, unless the live one already is like it. With the UID of the live one, so that another that takes its place
/// meanwhile is left alone.
fn missing<T: Serialize + Resource>(live: &Found<Arc<T>>, mut wanted: T) -> Option<T> {
    if live.ours().is_some_and(|live| subset::holds(live.as_ref(), &wanted)) {
        return None;
    }
    wanted.meta_mut().uid = live.ours().and_then(|live| live.meta().uid.clone());
    Some(wanted)
}

fn clearance(live: &Secret, wanted: &Secret) -> Option<Clearance> {
    let keys = subset::left_behind(live, wanted);
    (!keys.is_empty()).then(|| Clearance { secret: live.metadata.clone(), keys })
}

/// Tells one operator password from another without giving it away: 32 bits of the hash of 238 random ones.
#[must_use]
pub fn login_mark(hash: &PasswordHash) -> String {
    hash.as_hex().chars().take(8).collect()
}

/// How the servers are to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aim {
    /// The servers that can be reached.
    pub servers: Vec<Server>,
    /// Whom to log in as.
    pub login: Login,
    /// What they should be.
    pub want: Want,
    /// The pods that kubelet calls ready: one that has just become so is worth a look at once.
    pub ready: Vec<String>,
}

/// How the servers are to be looked at; `None` while the operator's password is not known, or whom to
/// trust. `reader` reads what entries hold.
#[must_use]
pub fn aim(
    settings: &Settings,
    observed: &Observed,
    credentials: &Credentials,
    reader: Option<Arc<Reader>>,
    carried_out: bool,
) -> Option<Aim> {
    let password = credentials.operator_password()?.clone();
    if settings.has_tls() && credentials.tls.authorities().is_none() {
        return None;
    }
    Some(Aim {
        servers: observed.pods.iter().filter_map(|pod| server(settings, pod)).collect(),
        ready: observed
            .pods
            .iter()
            .filter(|pod| pod_health::is_ready(pod))
            .filter_map(|pod| pod.metadata.name.clone())
            .collect(),
        login: Login { username: OPERATOR.to_owned(), password },
        want: Want {
            reader: reader.filter(|_| settings.inspect == Inspect::Payloads),
            correct: carried_out,
            ..want(settings, observed, credentials)
        },
    })
}

/// Whether what is to be said wants to know who uses the cache.
#[must_use]
pub fn names_consumers(settings: &Settings, observed: &Observed) -> bool {
    let answers = observed.samples.iter().flat_map(|sample| &sample.outcome);
    answers.into_iter().any(|answer| readability::names_consumers(settings, &answer.usage))
}

/// What stored entries show to be in use; `None` where no server could be asked, or they are not looked into.
#[must_use]
pub fn in_use(settings: &Settings, observed: &Observed) -> Option<InUse> {
    if settings.inspect == Inspect::Metadata {
        return None;
    }
    let answers: Vec<InUse> = observed
        .samples
        .iter()
        .flat_map(|sample| &sample.outcome)
        .map(|answer| answer.usage.payloads.in_use())
        .collect();
    let first = answers.first().cloned()?;
    Some(answers.into_iter().skip(1).fold(first, InUse::and))
}

/// Why no server can be asked for anything now, in words; `None` where one can.
#[must_use]
pub fn obstacle(settings: &Settings, observed: &Observed, credentials: &Credentials) -> Option<String> {
    let is_known =
        credentials.operator_password().is_some() && (!settings.has_tls() || credentials.tls.authorities().is_some());
    let is_there = observed.pods.iter().any(|pod| server(settings, pod).is_some());
    (!is_known || !is_there).then(|| "there is no Redis server that could be asked, see RedisAvailable".to_owned())
}

/// What the servers should be.
#[must_use]
pub fn want(settings: &Settings, observed: &Observed, credentials: &Credentials) -> Want {
    let limits = observed.pods.iter().filter_map(|pod| pod.spec.as_ref().and_then(pod_health::memory_limit));
    Want {
        max_memory: settings.max_memory.bytes(),
        has_room: limits.into_iter().all(|limit| settings.fits(limit)),
        clients: ClientLimits::of(settings.max_memory),
        eviction_policy: settings.eviction_policy.as_str().to_owned(),
        instance_name: settings.instance_name.as_str().to_owned(),
        append_only: settings.persistence.is_some(),
        trust: trust(settings, observed, credentials),
        users: users(settings, credentials),
        inspect: settings.inspect,
        reader: None,
        question: network::asks_for_callers(settings, observed).then_some(Question::Callers),
        swept: flush::last(&observed.operations),
        correct: true,
    }
}

/// By what the servers prove who they are; `None` where they need not, or where that is not known.
fn trust(settings: &Settings, observed: &Observed, credentials: &Credentials) -> Option<Trust> {
    let certificate = credentials.tls.identity().map(|identity| {
        let place = tls::mounted::place(settings, observed, &identity.certificate);
        Wanted { fingerprint: identity.certificate.clone(), files: config::certificate_files(&place) }
    });
    let authorities = credentials.tls.authorities()?.clone();
    Some(Trust { name: settings.host(), authorities, certificate })
}

/// The users that the servers should have; none while the operator's own password is not known.
fn users(settings: &Settings, credentials: &Credentials) -> Vec<acl::User> {
    let Some(operator) = credentials.operator_password() else { return Vec::new() };
    let hashes = Hashes {
        app: credentials.app_hashes(),
        operator: operator.sha256(),
        probe: objects::probe_password(operator).sha256(),
    };
    acl::users(settings.acl, &settings.instance_name, &hashes)
}

/// The server in a pod; `None` while it has no address, or when it is on its way out.
#[must_use]
pub fn server(settings: &Settings, pod: &Pod) -> Option<Server> {
    let status = pod.status.as_ref()?;
    if rollout::is_over(pod) {
        return None;
    }
    Some(Server {
        pod: pod.metadata.name.clone()?,
        uid: pod.metadata.uid.clone()?,
        address: status.pod_ip.as_ref()?.parse().ok()?,
        port: settings.port(),
    })
}
