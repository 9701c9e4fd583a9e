//! Turns what a pass found into a status and events. Pure.
//!
//! In: findings and the status that stands. Out: the whole status, and an event for every condition that has another verdict
//! or reason than before.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::{brake::Contest, contest, decide::Decision, events, snapshot::Snapshot};
use crate::{
    api::v1alpha1::{
        BindingStatus, DataProtectionMode, KeyRingStatus, LONGEST_MESSAGE, NetworkPolicyMode, OperationStatus, PAUSED,
        RECONCILE_ANNOTATION, RedisStatus, TlsMode, TokenCache, TokenCacheStatus,
    },
    capability::operation,
    condition::{ConditionType, Finding, Reason, Verdict, merge, summary},
    data_protection::{
        self,
        findings::changes::{self as ring_news, Corrected},
    },
    entries,
    kubernetes::{
        event::Happening,
        name, words,
        write::{WriteError, WriteErrorClass},
    },
    redis::{
        findings::{Health, Moment, health, load},
        live::Observed,
        settings::Settings,
    },
};

/// What a pass has to say.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The whole status.
    pub status: TokenCacheStatus,
    /// What is news in it.
    pub happenings: Vec<Happening>,
}

impl Report {
    /// With what became of requests: by each round of the pass, of which the last one stands. Each stage that one has reached
    /// since is news, also where it is over by now.
    #[must_use]
    pub fn with_operations(mut self, rounds: Vec<Vec<OperationStatus>>, previous: &[OperationStatus]) -> Self {
        let mut before = previous.to_vec();
        for operations in rounds {
            self.happenings.extend(events::of_operations(&operations, &before));
            before = operations;
        }
        self.status.operations = before;
        self
    }

    /// With the key ring, and what is told of keys that are new in it.
    #[must_use]
    pub fn with_key_ring(mut self, key_ring: Option<KeyRingStatus>, minted: Vec<String>) -> Self {
        self.status.key_ring = key_ring;
        events::add_keys(&mut self.happenings, minted);
        self
    }

    /// Whether the cache does its job.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let ready = self.status.conditions.iter().find(|condition| condition.type_ == ConditionType::Ready.as_str());
        ready.is_some_and(|condition| condition.status == Verdict::True.as_str())
    }
}

/// Which of the things that applications need are the cache's own: another's are not published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// The Service that they connect to.
    pub service: bool,
    /// The Secret with the connection.
    pub connection: bool,
}

impl Published {
    /// What was seen of them.
    #[must_use]
    pub fn of(observed: &Observed) -> Self {
        Self { service: observed.service.ours().is_some(), connection: observed.connection.ours().is_some() }
    }
}

/// What a pass says.
pub struct Said {
    /// The report; `None` while the first look at a server is still on its way.
    pub report: Option<Report>,
    /// Whether it tells what the samples showed.
    pub tells_of_samples: bool,
}

/// Puts together what a pass has to say: of Redis, of the key ring, and of what was asked for. `corrected` is what was put right in
/// the key ring, `operations` what became of requests in each round, and `contests` what others fight over.
#[must_use]
pub fn compose(
    settings: &super::settings::Settings,
    snapshot: &Snapshot<'_>,
    decision: &Decision,
    moment: Moment,
    outcome: Outcome<'_>,
    (corrected, operations): (&Corrected, Vec<Vec<OperationStatus>>),
    contests: &[Contest],
) -> Said {
    let (of_redis, of_ring) = (&settings.redis, &settings.data_protection);
    let (observed, previous, now) = (&snapshot.redis, snapshot.previous, snapshot.now);
    let Decision { credentials, ring, standing, .. } = decision;
    let mut health = health(of_redis, observed, credentials, moment)
        .with_entries(|answered| {
            entries::findings::findings(&settings.entries, of_redis, (observed, &snapshot.entries), answered)
        })
        .and(data_protection::findings::finding(of_ring, ring, standing, corrected, now))
        .advise(credentials.rotation.finding.clone());
    contest::tell(health.findings(), contests, &settings.owner().name);
    let tells_of_samples = health.tells_of_samples();
    let published = Published::of(observed);
    let report = report(snapshot.cache, previous, of_redis, published, health, outcome, now).map(|report| {
        let minted = ring_news::minted(of_ring, ring, standing, previous.key_ring.as_ref());
        let key_ring = data_protection::findings::status::status(of_ring, ring, standing, now).map(|status| {
            crate::data_protection::findings::status::with_use(
                status,
                of_ring,
                entries::findings::keys_in_use(&settings.entries, &snapshot.entries).as_ref(),
                previous.key_ring.as_ref(),
            )
        });
        report.with_operations(operations, &previous.operations).with_key_ring(key_ring, minted)
    });
    Said { report, tells_of_samples }
}

/// How carrying the plan out went.
pub type Outcome<'pass> = Result<(), &'pass WriteError>;

/// The report of a pass; `None` while the first look at a server is still on its way, because what was reported before
/// a restart of the operator may well still be true.
#[must_use]
pub fn report(
    cache: &TokenCache,
    previous: &TokenCacheStatus,
    settings: &Settings,
    published: Published,
    health: Health,
    outcome: Outcome<'_>,
    now: Timestamp,
) -> Option<Report> {
    let spec_valid = spec_valid(outcome);
    let (mut required, advisory, servers) = match health {
        Health::Known { required, advisory, servers, tells_of_samples: _, answered: _ } => {
            (required, advisory, servers)
        }
        Health::AwaitingFirstLook if spec_valid.verdict == Verdict::True => return None,
        // What the user must mend is said at once, and what was said of the servers stays until they have been looked at.
        Health::AwaitingFirstLook => {
            let mut report = invalid(cache, previous, spec_valid, now);
            let said_anew =
                |condition: &&Condition| report.status.conditions.iter().any(|new| new.type_ == condition.type_);
            let kept: Vec<_> = previous.conditions.iter().filter(|old| !said_anew(old)).cloned().collect();
            report.status.conditions.extend(kept);
            return Some(report);
        }
    };
    required.insert(0, spec_valid);
    let [mut ready, stalled] = summary(&required);
    if operation::is_paused(cache) && ready.reason != Reason::DriftWhilePaused {
        ready.message += ". Paused: nothing is changed or repaired while the annotation ";
        ready.message += &[RECONCILE_ANNOTATION, "says", PAUSED].join(" ");
    }
    let findings: Vec<Finding> = [ready, stalled].into_iter().chain(required).chain(advisory).collect();
    let Published { service, connection } = published;
    let redis = service.then(|| RedisStatus { endpoint: settings.endpoint(), servers });
    let binding = connection.then(|| BindingStatus { name: name::redis(&settings.owner.name) });
    Some(assemble(cache, previous, &findings, (redis, binding), now))
}

/// The report about a `TokenCache` of which the operator cannot see what there is.
#[must_use]
pub fn unobserved(cache: &TokenCache, previous: &TokenCacheStatus, why: &str, now: Timestamp) -> Report {
    let message = format!("the operator cannot see what there is, and changes nothing until it can: {why}");
    let has_tls = cache.spec.redis.tls.mode != TlsMode::Disabled;
    let has_ring = cache.spec.data_protection.mode != DataProtectionMode::None;
    let conditions = [
        Some(ConditionType::SpecValid),
        Some(ConditionType::RedisAvailable),
        has_tls.then_some(ConditionType::TlsReady),
        Some(ConditionType::EvictionPolicyVerified),
        Some(ConditionType::UsersVerified),
        has_ring.then_some(ConditionType::KeyRingReady),
    ];
    let unknown = |condition| Finding::unknown(condition, Reason::ReadFailed, message.clone());
    let required: Vec<Finding> = conditions.into_iter().flatten().map(unknown).collect();
    let is_restricted = cache.spec.redis.network_policy != NetworkPolicyMode::None;
    let advisory = [ConditionType::AccessAllowed, ConditionType::ServerSupported]
        .into_iter()
        .chain(is_restricted.then_some(ConditionType::NetworkRestricted))
        .map(unknown)
        .chain(load::unasked(Reason::ReadFailed, &message))
        .chain(entries::findings::unasked(Reason::ReadFailed, &message))
        .chain([unknown(ConditionType::Durable)]);
    let findings: Vec<Finding> = summary(&required).into_iter().chain(required).chain(advisory).collect();
    assemble(cache, previous, &findings, (previous.redis.clone(), previous.binding.clone()), now)
}

/// The report about a `TokenCache` that cannot be carried out.
#[must_use]
pub fn invalid(cache: &TokenCache, previous: &TokenCacheStatus, spec_valid: Finding, now: Timestamp) -> Report {
    let required = [spec_valid];
    let [ready, stalled] = summary(&required);
    let [spec_valid] = required;
    // What runs already goes on running: what was published stays in the status.
    let kept = (previous.redis.clone(), previous.binding.clone());
    assemble(cache, previous, &[ready, stalled, spec_valid], kept, now)
}

/// The finding about a spec that cannot be read.
#[must_use]
pub fn unreadable(message: impl Into<String>) -> Finding {
    Finding::fails(ConditionType::SpecValid, Reason::Invalid, message)
}

fn spec_valid(outcome: Outcome<'_>) -> Finding {
    let Err(error) = outcome else {
        return Finding::holds(ConditionType::SpecValid, Reason::Valid, "the spec can be carried out");
    };
    let (object, words) = (error.object(), error.words());
    let remedy = if error.is_rehearsal() {
        "Nothing was changed; correct the field of the spec that it names"
    } else {
        "See the object, and the cluster's admission policies"
    };
    match error.class() {
        WriteErrorClass::Invalid => Finding::fails(
            ConditionType::SpecValid,
            Reason::RejectedByApiServer,
            format!("the API server refuses {object}: {words}. {remedy}"),
        ),
        WriteErrorClass::Forbidden => Finding::fails(
            ConditionType::SpecValid,
            Reason::WriteForbidden,
            format!(
                "the operator may not write {object}: {words}. Check quotas, admission policies, and the operator's ClusterRole"
            ),
        ),
        WriteErrorClass::Conflict | WriteErrorClass::Transient => Finding::fails(
            ConditionType::SpecValid,
            Reason::WriteFailed,
            format!("{object} could not be written: {words}. It is tried again"),
        ),
    }
}

fn assemble(
    cache: &TokenCache,
    previous: &TokenCacheStatus,
    findings: &[Finding],
    (redis, binding): (Option<RedisStatus>, Option<BindingStatus>),
    now: Timestamp,
) -> Report {
    // What is news is told by what stands in the status.
    let fitting = |finding: &Finding| Finding {
        message: words::cut(&finding.message, LONGEST_MESSAGE.into()),
        ..finding.clone()
    };
    let findings: Vec<Finding> = findings.iter().map(fitting).collect();
    let generation = cache.metadata.generation.unwrap_or_default();
    let happenings = events::of_conditions(&previous.conditions, &findings);
    let conditions = merge(&previous.conditions, &findings, generation, now);
    let stands_false = |finding: &&Finding| {
        let of_it = |condition: &Condition| condition.type_ == finding.condition.as_str();
        conditions.iter().find(|condition| of_it(condition)).is_some_and(|it| it.status == Verdict::False.as_str())
    };
    let warns = |finding: &&Finding| finding.condition.is_advisory() && !finding.reason.is_asked_for();
    let warnings = findings.iter().filter(warns).filter(stands_false).count();
    let status = TokenCacheStatus {
        observed_generation: generation,
        warnings: i32::try_from(warnings).unwrap_or(i32::MAX),
        conditions,
        redis,
        binding,
        key_ring: previous.key_ring.clone(),
        operations: previous.operations.clone(),
    };
    Report { status, happenings }
}
