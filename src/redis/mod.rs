//! Everything that is about Redis: what a cache wants, the objects that make it, and how its health is read.
//!
//! In: settings and what was observed. Out: what is to be written and, from [`health`], findings. Only [`probe`] talks to a server,
//! and nothing here talks to Kubernetes.

pub mod access;
pub mod credentials;
pub mod findings;
pub mod live;
pub mod look;
pub mod plan;
pub mod server;
pub mod settings;
pub mod tls;

use std::sync::Arc;

use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{Pod, Secret},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::{
    api::v1alpha1::Inspect,
    data_protection::ring::in_use::InUse,
    entries::{entry::reader::Reader, findings::readability, flush},
    kubernetes::{
        name,
        object::{Kind, Reference},
        write::{
            Draft, Write, subset,
            upkeep::{is_written_for, upkeep, upkeep_secret},
        },
    },
};
use access::{
    acl::{self, Hashes, OPERATOR},
    password::{Password, PasswordHash},
};
use credentials::{
    Credentials, Standing, binding, rotation,
    tls::{AuthorityOrder, CertificateOrder},
};
use findings::pod;
use live::Observed;
use look::{Login, Question, Server, Trust, Want, Wanted};
use plan::{network, rollout};
use server::{config, objects};
use settings::{Settings, client_limits::ClientLimits};
use tls::certificate::Authorities;

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
    /// The write that makes it.
    #[must_use]
    pub fn write(self, settings: &Settings) -> Write {
        Write::Mint(Arc::new(Ordered { settings: settings.clone(), mint: self }))
    }

    fn name(&self, settings: &Settings) -> String {
        let owner = &settings.owner.name;
        match self {
            Self::OperatorLogin => name::redis_operator(owner),
            Self::NextPassword(_) => name::redis_rotation(&settings.owner.name),
            Self::Connection(_) => name::redis(owner),
            Self::CertificateAuthority(_) => name::redis_ca(owner),
            Self::ServerCertificate(_) => name::redis_tls(owner),
        }
    }

    fn secret(&self, settings: &Settings, random: &[u8]) -> Option<Secret> {
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

/// A Secret that is to be made for these settings.
#[derive(Debug)]
struct Ordered {
    settings: Settings,
    mint: Mint,
}

impl Draft for Ordered {
    fn name(&self) -> String {
        self.mint.name(&self.settings)
    }

    fn secret(&self, random: &[u8]) -> Option<Secret> {
        self.mint.secret(&self.settings, random)
    }
}

/// What is to be written so that Redis is as the settings want it, in this order. Passwords and certificates come first: while
/// one is to be made, what depends on it waits for it.
#[must_use]
pub fn writes(settings: &Settings, observed: &Observed, credentials: &Credentials) -> Vec<Write> {
    let (tls, rotation) = (&credentials.tls, &credentials.rotation);
    let authorities = tls.authorities();
    let can_publish = !settings.has_tls() || authorities.is_some();
    let mut mints = tls.mints.clone();
    let mut secrets = tls.writes.clone();
    match &credentials.operator {
        Standing::Missing => mints.push(Mint::OperatorLogin),
        Standing::Known(password) => {
            secrets.extend(upkeep_secret(&observed.operator_login, objects::operator_login(settings, password)));
        }
        Standing::Refused(_) => {}
    }
    mints.extend(rotation.mint.clone().map(Mint::NextPassword));
    secrets.extend(rotation.write.clone());
    if credentials.to_publish().is_none() && credentials.app == Standing::Missing && can_publish {
        mints.push(Mint::Connection(authorities.cloned()));
    }
    // What depends on nothing comes first: where a name is not free, nothing is drawn.
    let mut writes: Vec<Write> = upkeep(&observed.service_account, objects::service_account(settings))
        .into_iter()
        .chain(upkeep(&observed.application_settings, binding::application_settings(settings)))
        .chain(mints.into_iter().map(|mint| mint.write(settings)))
        .collect();
    // Last of what is made: where a cluster's own policies forbid it, all else is there.
    let policy = network::wanted(settings, observed).and_then(|wanted| upkeep(&observed.network_policy, wanted));
    let claim = observed.claim.clone().and_then(|metadata| {
        let lacking = settings.owner.lacking(objects::COMPONENT, &metadata)?;
        Some(Write::Label(Reference { kind: Kind::PersistentVolumeClaim, metadata }, lacking))
    });
    let last = policy.into_iter().chain(claim);
    // Where there is no certificate to start with, nothing that asks for one is written; what runs already is kept up.
    if !tls.lets_start() && !rollout::is_written(settings, observed, credentials) {
        writes.extend(secrets.into_iter().chain(last));
        return writes;
    }
    if let (Some(password), true) = (credentials.to_publish(), can_publish) {
        let wanted = binding::connection(settings, password, authorities, rotation.marks);
        secrets.extend(upkeep_secret(&observed.connection, wanted));
    }
    let mut stateful_set = None;
    if let (Some(operator), false) = (credentials.operator_password(), rotation.valid.is_empty()) {
        let probe = objects::probe_password(operator);
        let hashes = Hashes { app: rotation.valid.clone(), operator: operator.sha256(), probe: probe.sha256() };
        secrets.extend(upkeep_secret(&observed.users, objects::users(settings, &hashes, &probe)));
        let wanted = rollout::wanted(settings, observed, Some(credentials));
        if !is_admitted(observed, &wanted) {
            stateful_set = upkeep(&observed.stateful_set, wanted);
        }
    }
    let certificate = credentials::tls::mounted::at_start(settings, observed, tls);
    writes.extend(secrets);
    writes.extend(upkeep(&observed.config_map, objects::config_map(settings, &certificate)));
    writes.extend(upkeep(&observed.headless_service, objects::headless_service(settings)));
    writes.extend(upkeep(&observed.service, objects::service(settings)));
    writes.extend(stateful_set.into_iter().chain(last));
    writes
}

/// Whether the live `StatefulSet` is what the API server made of this one.
fn is_admitted(observed: &Observed, wanted: &StatefulSet) -> bool {
    let (Some(live), Some(admitted)) = (observed.stateful_set.ours(), &observed.admitted) else { return false };
    let identity = |object: &StatefulSet| {
        let ObjectMeta { labels, annotations, owner_references, .. } = object.metadata.clone();
        StatefulSet {
            metadata: ObjectMeta { labels, annotations, owner_references, ..ObjectMeta::default() },
            ..StatefulSet::default()
        }
    };
    admitted.holds(&live.metadata, &wanted.spec)
        && is_written_for(live.as_ref(), wanted)
        && subset::holds(&identity(live), &identity(wanted))
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
        servers: observed.pods.iter().filter_map(|pod| server_in(settings, pod)).collect(),
        ready: observed
            .pods
            .iter()
            .filter(|pod| pod::is_ready(pod))
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
    let is_there = observed.pods.iter().any(|pod| server_in(settings, pod).is_some());
    (!is_known || !is_there).then(|| "there is no Redis server that could be asked, see RedisAvailable".to_owned())
}

/// What the servers should be.
#[must_use]
pub fn want(settings: &Settings, observed: &Observed, credentials: &Credentials) -> Want {
    let limits = observed.pods.iter().filter_map(|pod| pod.spec.as_ref().and_then(pod::memory_limit));
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
        let place = credentials::tls::mounted::place(settings, observed, &identity.certificate);
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
pub fn server_in(settings: &Settings, pod: &Pod) -> Option<Server> {
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
