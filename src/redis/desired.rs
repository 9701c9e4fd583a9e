//! What the servers should be, and how they are looked at.
//!
//! In: the settings, what was observed, the passwords and the certificate. Out: an [`ProbeTarget`] for the prober.

use std::net::SocketAddr;

use super::{
    access::acl::{self, OPERATOR},
    credentials::{self, Credentials},
    live::Live,
    look::{Address, Desired, DesiredCertificate, Login, Question, Server, Trust},
    plan::network,
    server::config,
    server::pods::server_in,
    settings::{Settings, client_limits::ClientLimits},
};

/// How the servers are to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeTarget {
    /// The servers that can be reached.
    pub servers: Vec<Server>,
    /// Whom to log in as.
    pub login: Login,
    /// What they should be.
    pub want: Desired,
    /// The pods that kubelet calls ready: one that has just become so is worth a look at once.
    pub ready: Vec<String>,
}

/// How the servers are to be looked at; `None` while the operator's password is not known, or whom to trust.
#[must_use]
pub fn aim(settings: &Settings, observed: &Live, credentials: &Credentials, carried_out: bool) -> Option<ProbeTarget> {
    let password = credentials.operator_password()?.clone();
    if settings.has_tls() && credentials.tls.authorities().is_none() {
        return None;
    }
    Some(ProbeTarget {
        servers: observed.pods.iter().filter_map(|pod| server_in(settings, pod)).collect(),
        ready: observed
            .pods
            .iter()
            .filter(|pod| crate::redis::server::pods::is_ready(pod))
            .filter_map(|pod| pod.metadata.name.clone())
            .collect(),
        login: Login { username: OPERATOR.to_owned(), password },
        want: Desired { correct: carried_out, ..want(settings, observed, credentials) },
    })
}

/// What the servers should be.
#[must_use]
pub fn want(settings: &Settings, observed: &Live, credentials: &Credentials) -> Desired {
    let limits =
        observed.pods.iter().filter_map(|pod| pod.spec.as_ref().and_then(crate::redis::server::pods::memory_limit));
    Desired {
        max_memory: settings.max_memory.bytes(),
        has_room: limits.into_iter().all(|limit| settings.fits(limit)),
        clients: ClientLimits::of(settings.max_memory),
        eviction_policy: settings.eviction_policy.as_str().to_owned(),
        instance_name: settings.instance_name.as_str().to_owned(),
        append_only: settings.persistence.is_some(),
        trust: trust(settings, observed, credentials),
        users: users(settings, credentials),
        address: address(settings, observed),
        question: network::asks_for_callers(settings, observed).then_some(Question::Callers),
        correct: true,
    }
}

/// The address that the Service gives applications; `None` where there is none, or nothing reaches it from here.
fn address(settings: &Settings, observed: &Live) -> Option<Address> {
    let service = observed.service.owned().filter(|_| observed.operator.reaches_services)?;
    let address = service.spec.as_ref()?.cluster_ip.as_deref()?.parse().ok()?;
    Some(Address { host: settings.host(), at: SocketAddr::new(address, settings.port()) })
}

/// By what the servers prove who they are; `None` where they need not, or where that is not known.
pub(crate) fn trust(settings: &Settings, observed: &Live, credentials: &Credentials) -> Option<Trust> {
    let certificate = credentials.tls.identity().map(|identity| {
        let place = credentials::tls::mounted::place(settings, observed, &identity.certificate);
        DesiredCertificate { fingerprint: identity.certificate.clone(), files: config::certificate_files(&place) }
    });
    let authorities = credentials.tls.authorities()?.clone();
    Some(Trust { name: settings.host(), authorities, certificate })
}

/// The users that the servers should have; none while the operator's own password is not known.
pub(crate) fn users(settings: &Settings, credentials: &Credentials) -> Vec<acl::User> {
    let hashes = credentials.hashes();
    hashes.map(|hashes| acl::users(settings.acl, &settings.instance_name, &hashes)).unwrap_or_default()
}

/// Why no server can be asked for anything now, in words; `None` where one can.
#[must_use]
pub fn obstacle(settings: &Settings, observed: &Live, credentials: &Credentials) -> Option<String> {
    let is_known =
        credentials.operator_password().is_some() && (!settings.has_tls() || credentials.tls.authorities().is_some());
    let is_there = observed.pods.iter().any(|pod| server_in(settings, pod).is_some());
    (!is_known || !is_there).then(|| "there is no Redis server that could be asked, see RedisAvailable".to_owned())
}
