//! Everything that is about Redis: what a cache wants, the objects that make it, and how its health is read.
//!
//! In: settings and what was observed. Out: a [`Plan`] and, from [`health`], findings. Only [`probe`] talks to a server,
//! and nothing here talks to Kubernetes.

pub mod acl;
pub mod advice;
pub mod binding;
pub mod config;
pub mod credentials;
mod drift;
mod fault;
pub mod health;
pub mod objects;
pub mod observed;
pub mod password;
mod pod;
mod pod_health;
pub mod probe;
pub mod rollout;
pub mod sample;
pub mod settings;
pub mod usage;

use std::fmt;

use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{ConfigMap, Pod, Secret, Service, ServiceAccount},
};
use kube::Resource;
use serde::Serialize;

use crate::kubernetes::{identity::Found, subset};
use acl::{Hashes, OPERATOR};
use credentials::{Credentials, Standing};
use observed::Observed;
use password::{Password, PasswordHash};
use sample::{Login, Server, Want};
use settings::{PORT, Settings};

/// What is to be written. Objects that already are as wanted are not in it.
#[derive(Clone, Default, PartialEq)]
pub struct Plan {
    /// Secrets whose bytes are drawn when they are created.
    pub mints: Vec<Mint>,
    /// The account of the pods.
    pub service_account: Option<ServiceAccount>,
    /// redis.conf, and the applications' settings.
    pub config_maps: Vec<ConfigMap>,
    /// The users, and what the binding lacks.
    pub secrets: Vec<Secret>,
    /// The Service for applications, and the one that governs the pods.
    pub services: Vec<Service>,
    /// The `StatefulSet`.
    pub stateful_set: Option<StatefulSet>,
}

/// A Secret whose bytes are drawn when it is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mint {
    /// The operator's own login.
    OperatorLogin,
    /// The binding, with the applications' password.
    Connection,
}

impl Mint {
    /// The Secret, from random bytes; `None` where they do not suffice.
    #[must_use]
    pub fn secret(self, settings: &Settings, random: &[u8]) -> Option<Secret> {
        let password = Password::from_random(random)?;
        Some(match self {
            Self::OperatorLogin => objects::operator_login(settings, &password),
            Self::Connection => binding::connection(settings, &password),
        })
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
            .field("config_maps", &self.config_maps)
            .field("secrets", &secrets)
            .field("services", &self.services)
            .field("stateful_set", &self.stateful_set)
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

/// What is to be written so that Redis is as the settings want it. Passwords come first: while one is to be made, what
/// depends on it waits for the next pass.
#[must_use]
pub fn plan(settings: &Settings, observed: &Observed, credentials: &Credentials) -> Plan {
    let mut plan = Plan {
        service_account: missing(&observed.service_account, objects::service_account(settings)),
        config_maps: [
            missing(&observed.config_map, objects::config_map(settings)),
            missing(&observed.application_settings, binding::application_settings(settings)),
        ]
        .into_iter()
        .flatten()
        .collect(),
        services: [
            missing(&observed.headless_service, objects::headless_service(settings)),
            missing(&observed.service, objects::service(settings)),
        ]
        .into_iter()
        .flatten()
        .collect(),
        ..Plan::default()
    };
    match &credentials.operator {
        Standing::Missing => plan.mints.push(Mint::OperatorLogin),
        Standing::Known(password) => {
            plan.secrets.extend(missing(&observed.operator_login, objects::operator_login(settings, password)));
        }
        Standing::Refused(_) => {}
    }
    match &credentials.app {
        Standing::Missing => plan.mints.push(Mint::Connection),
        Standing::Known(password) => {
            plan.secrets.extend(missing(&observed.connection, binding::connection(settings, password)));
        }
        Standing::Refused(_) => {}
    }
    if let (Some(operator), Some(app)) = (credentials.operator_password(), credentials.app_hash()) {
        let probe = objects::probe_password(operator);
        let hashes = Hashes { app, operator: operator.sha256(), probe: probe.sha256() };
        plan.secrets.extend(missing(&observed.users, objects::users(settings, &hashes, &probe)));
        let wanted = objects::stateful_set(settings, Some(&login_mark(&operator.sha256())));
        plan.stateful_set = missing(&observed.stateful_set, wanted);
    }
    plan
}

/// The object, unless the live one already is like it. With the UID of the live one, so that another that takes its place
/// meanwhile is left alone.
fn missing<T: Serialize + Resource>(live: &Found<std::sync::Arc<T>>, mut wanted: T) -> Option<T> {
    if live.ours().is_some_and(|live| subset::holds(live.as_ref(), &wanted)) {
        return None;
    }
    wanted.meta_mut().uid = live.ours().and_then(|live| live.meta().uid.clone());
    Some(wanted)
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

/// How the servers are to be looked at; `None` while the operator's password is not known.
#[must_use]
pub fn aim(settings: &Settings, observed: &Observed, credentials: &Credentials, carried_out: bool) -> Option<Aim> {
    let password = credentials.operator_password()?.clone();
    Some(Aim {
        servers: observed.pods.iter().filter_map(|pod| server(pod)).collect(),
        ready: observed
            .pods
            .iter()
            .filter(|pod| pod_health::is_ready(pod))
            .filter_map(|pod| pod.metadata.name.clone())
            .collect(),
        login: Login { username: OPERATOR.to_owned(), password },
        want: Want { correct: carried_out, ..want(settings, observed, credentials) },
    })
}

/// What the servers should be.
#[must_use]
pub fn want(settings: &Settings, observed: &Observed, credentials: &Credentials) -> Want {
    let needed = settings.max_memory.container();
    Want {
        max_memory: settings.max_memory.bytes(),
        has_room: observed.pods.iter().all(|pod| pod_health::memory_limit(pod).is_none_or(|limit| limit >= needed)),
        eviction_policy: settings.eviction_policy.as_str().to_owned(),
        instance_name: settings.instance_name.as_str().to_owned(),
        app_password: credentials.app_password().map(Password::sha256),
        correct: true,
    }
}

/// The server in a pod; `None` while it has no address, or when it is on its way out.
#[must_use]
pub fn server(pod: &Pod) -> Option<Server> {
    let status = pod.status.as_ref()?;
    if rollout::is_over(pod) {
        return None;
    }
    Some(Server {
        pod: pod.metadata.name.clone()?,
        uid: pod.metadata.uid.clone()?,
        address: status.pod_ip.as_ref()?.parse().ok()?,
        port: PORT,
    })
}
