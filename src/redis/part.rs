//! Redis' part of a pass.
//!
//! In: the settings, what was seen of Redis, the passwords and the certificate. Out: what is to be written, and what is said.

use super::{
    credentials::{Credentials, binding},
    findings::{Answered, Health, Moment, health},
    live::Live,
    plan::{rollout, stateful_set, writes},
    settings::{MaxMemory, Settings, TlsSource},
};
use crate::{
    api::v1alpha1::{BindingStatus, NetworkPolicyMode, RedisStatus, Remedy},
    capability::{
        ask::Volume,
        part::{Awaited, Group, Needs, Operation, Part, Rehearsal, StatusShare},
    },
    condition::{Finding, Message, Reason},
    kubernetes::{name, object::Kind, quantity::format_bytes, write::Write},
};

/// The name of the group of writes.
pub const GROUP: &str = "redis";

/// Why the spec cannot be carried out, by what there is. A volume that is too small is made for nobody; one that is there already is
/// taken, or a cache could not be made again on what an earlier one has left.
#[must_use]
pub fn refusal(settings: &Settings, live: &Live) -> Option<Message> {
    let size = settings.persistence.as_ref()?.size;
    let is_small = size < settings.max_memory.volume();
    let is_new = live.stateful_set.owned().is_none() && live.volume == Volume::Absent;
    (is_small && is_new).then(|| volume_too_small(settings, size))
}

/// What is said of a volume of this size, in bytes, that is too small for what it is to keep, and is not there yet.
fn volume_too_small(settings: &Settings, size: u64) -> Message {
    let claim = name::data_claim(&format!("{}-0", name::redis(&settings.owner.name)));
    let (most, least) = (format_bytes(MaxMemory::most_on(size)), format_bytes(settings.max_memory.volume()));
    Message::from(format!(
        "spec.redis.persistence.size is {}, less than three times maxMemory {}, and there is no claim {claim} yet",
        format_bytes(size),
        settings.max_memory.quantity()
    ))
    .remedy(Remedy::free(format!("set spec.redis.maxMemory: {most}")))
    .remedy(Remedy::free(format!(
        "delete this TokenCache, and make it again with spec.redis.persistence.size: {least}"
    )))
}

/// What is to be written. `is_accepted` tells whether the API server is known to accept what the spec leads to.
#[must_use]
pub fn plan(settings: &Settings, live: &Live, credentials: &Credentials, is_accepted: bool) -> Part {
    let owner = &settings.owner;
    let is_blocked = live.taken(&owner.name).is_some() || live.leftover(&owner.name).is_some();
    let unowned = live.unowned(&owner.name).into_iter();
    let adoptions = unowned.map(|object| Write::Adopt(object, owner.reference()));
    let writes = if is_blocked { Vec::new() } else { adoptions.chain(writes(settings, live, credentials)).collect() };
    // Where nothing of it changes, there is nothing that the API server has not accepted.
    let may_be_refused = || stateful_set(settings, live, credentials).is_some();
    let is_rehearsed = !writes.is_empty() && !is_accepted && may_be_refused();
    let rehearsal = is_rehearsed.then(|| rehearsal(settings, live));
    let group = Group {
        name: GROUP,
        needs: Needs::AcceptedSpec,
        is_chain: false,
        rehearsal,
        writes,
        unneeded: unneeded(settings, credentials),
        mends: undone(settings, live, credentials).into_iter().collect(),
    };
    Part { is_blocked, groups: vec![group], ..Part::default() }
}

/// What a spec leads to that the API server may refuse.
fn rehearsal(settings: &Settings, live: &Live) -> Rehearsal {
    let there = live.stateful_set.owned().map(|live| &live.metadata);
    let mut wanted = rollout::wanted(settings, live, None);
    wanted.metadata.uid = there.and_then(|live| live.uid.clone());
    Rehearsal { object: wanted.into(), live: there.cloned() }
}

/// The names of what another spec needs, and of what was needed for a while.
fn unneeded(settings: &Settings, credentials: &Credentials) -> Vec<(Kind, String)> {
    let owner = &settings.owner.name;
    let secrets = match settings.tls {
        TlsSource::Managed => Vec::new(),
        TlsSource::Secret(_) => vec![name::redis_ca(owner)],
        TlsSource::Disabled => vec![name::redis_ca(owner), name::redis_tls(owner)],
    };
    let rotation = credentials.rotation.spent.is_some().then(|| name::redis_rotation(owner));
    let policy = (settings.network_policy == NetworkPolicyMode::None).then(|| name::redis(owner));
    let secrets = secrets.into_iter().chain(rotation).map(|name| (Kind::Secret, name));
    secrets.chain(policy.map(|name| (Kind::NetworkPolicy, name))).collect()
}

/// Tells of what this pass has put right, where nothing else is to be told of the server. It holds for this pass only.
#[must_use]
pub fn with_mended(mut part: Part, mended: &[String]) -> Part {
    let is_available = |finding: &&mut Finding| finding.reason == Reason::Available;
    if let (Some(note), Some(finding)) = (mended.first(), part.findings.iter_mut().find(is_available)) {
        *finding = Finding::holds(finding.condition, Reason::PasswordEditUndone, note.clone());
        part.awaits.insert(Awaited::NextPass);
    }
    part
}

/// What is said.
pub struct Assessment {
    /// The findings, and what they wait for.
    pub part: Part,
    /// Which server answered; `None` while the first look is on its way.
    pub answered: Option<Answered>,
    /// Whether it tells of every correction that the latest samples hold.
    pub tells_of_samples: bool,
}

/// A password that somebody put into the binding, and that is undone.
fn undone(settings: &Settings, live: &Live, credentials: &Credentials) -> Option<String> {
    let why = live.connection.owned().and_then(|binding| binding::unusable(binding))?;
    let secret = name::redis(&settings.owner.name);
    let note =
        || format!("somebody changed the password in Secret {secret}: {why}. The one that Redis takes was put back");
    credentials.app.is_some().then(note)
}

/// What is said of Redis.
#[must_use]
pub fn assessment(settings: &Settings, live: &Live, credentials: &Credentials, moment: Moment) -> Assessment {
    let owner = &settings.owner.name;
    let rotation = &credentials.rotation;
    let operation = rotation
        .operation
        .clone()
        .map(|entry| Operation { event: crate::redis::credentials::rotation::messages::reason(entry.stage), entry });
    let login_ends = credentials.operator.as_ref().and_then(|login| login.wake_at(settings));
    let mut part = Part {
        operations: operation.into_iter().collect(),
        wake_at: [credentials.tls.wake_at(), rotation.wake_at, login_ends].into_iter().flatten().min(),
        ..Part::default()
    };
    if live.leftover(owner).is_some() {
        part.awaits.insert(Awaited::Collection);
    }
    if live.pods.iter().any(|pod| super::server::pods::is_running(pod)) {
        part.awaits.insert(Awaited::Server);
    }
    match health(settings, live, credentials, moment) {
        Health::AwaitingFirstLook => {
            part.awaits.insert(Awaited::Look);
            Assessment { part, answered: None, tells_of_samples: false }
        }
        Health::Known { findings, servers, answered, tells_of_samples } => {
            part.findings = findings.into_iter().chain(rotation.finding.clone()).collect();
            part.status = StatusShare {
                redis: live.service.owned().map(|_| RedisStatus { endpoint: settings.endpoint(), servers }),
                binding: live.connection.owned().map(|_| BindingStatus { name: name::redis(owner) }),
                key_ring: None,
            };
            Assessment { part, answered: Some(answered), tells_of_samples }
        }
    }
}
