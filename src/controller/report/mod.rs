//! Turns what a pass found into a status and events. Pure.
//!
//! In: what the capabilities have decided on, how the writes went, and the status that stands. Out: the whole status, and an event
//! for every condition that has another status or reason than before.

pub mod contest;
pub mod events;
pub mod mistyped;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::brake::Contest;
use crate::{
    api::v1alpha1::{
        ConditionRemedies, PAUSED, RECONCILE_ANNOTATION, Remedy, TokenCache, TokenCacheStatus, last_operation,
    },
    capability::{
        operation,
        part::{Awaited, Operation, Part, StatusShare},
    },
    condition::{ConditionStatus, ConditionType, Finding, Message, Reason, is_kept, merge, standing, summary, warned},
    kubernetes::{
        event::Event,
        words,
        write::{WriteError, WriteErrorClass},
    },
};

/// What a pass has to say.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The whole status.
    pub status: TokenCacheStatus,
    /// What is news in it.
    pub events: Vec<Event>,
}

impl Report {
    /// Whether the cache does its job.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let ready = self.status.conditions.iter().find(|condition| condition.type_ == ConditionType::Ready.as_str());
        ready.is_some_and(|condition| condition.status == ConditionStatus::True.as_str())
    }
}

/// The `TokenCache` that a report is about.
#[derive(Debug, Clone, Copy)]
pub struct Basis<'pass> {
    /// As it was seen.
    pub cache: &'pass TokenCache,
    /// The status that stands.
    pub previous: &'pass TokenCacheStatus,
    /// The time of the pass.
    pub now: Timestamp,
}

/// What a pass has to say; `None` while the first look at a server is still on its way, because what was reported before a restart of
/// the operator may well still be true. `failure` is the write that failed, `rounds` what became of requests in each round, and
/// `contests` what others fight over.
#[must_use]
pub fn compose(
    about: Basis<'_>,
    part: &Part,
    failure: Option<&WriteError>,
    rounds: Vec<Vec<Operation>>,
    contests: &[Contest],
) -> Option<Report> {
    let refusal = part.refusal.clone().map(unreadable);
    let is_refused = refusal.is_some();
    let spec_valid = refusal.unwrap_or_else(|| spec_valid(about.cache, failure));
    let awaits_look = part.awaits.contains(&Awaited::Look);
    if awaits_look && spec_valid.status == ConditionStatus::True {
        return None;
    }
    let mut report = if is_refused {
        invalid(about, spec_valid)
    } else if awaits_look {
        before_look(about, spec_valid)
    } else {
        let mut findings = part.findings.clone();
        contest::tell(findings.iter_mut(), contests, about.cache.metadata.name.as_deref().unwrap_or_default());
        findings.push(spec_valid);
        of_findings(about, findings, part.status.clone())
    };
    // Of the rounds the last one stands. Each stage that one has reached since is news, also where it is over by now.
    let mut before = about.previous.operations.clone();
    for operations in rounds {
        report.events.extend(events::of_operations(&operations, &before));
        before = operations.into_iter().map(|operation| operation.entry).collect();
    }
    report.status.last_operation = last_operation(&before);
    report.status.operations = before;
    report.status.key_ring.clone_from(&part.status.key_ring);
    events::add(&mut report.events, &part.events);
    Some(report)
}

/// While a look is on its way, what the user must mend is said at once, and what was said of the servers stays until they have been
/// looked at.
fn before_look(about: Basis<'_>, spec_valid: Finding) -> Report {
    let mut report = invalid(about, spec_valid);
    let is_said = |condition: &&Condition| {
        condition.type_ == ConditionType::Paused.as_str()
            || report.status.conditions.iter().any(|new| new.type_ == condition.type_)
    };
    let kept: Vec<_> = about.previous.conditions.iter().filter(|old| !is_said(old)).cloned().collect();
    let kept_remedies =
        about.previous.remedies.iter().filter(|old| kept.iter().any(|kept| kept.type_ == old.condition));
    report.status.remedies.extend(kept_remedies.cloned());
    report.status.conditions.extend(kept);
    report
}

/// The report of these findings, in the order of their conditions.
fn of_findings(about: Basis<'_>, mut findings: Vec<Finding>, share: StatusShare) -> Report {
    findings.sort_by_key(|finding| finding.condition);
    let [ready, stalled] = summary(&standing(&about.previous.conditions, &findings));
    let findings: Vec<Finding> = [ready, stalled].into_iter().chain(findings).collect();
    assemble(about, &findings, share)
}

/// The report about a `TokenCache` of which the operator cannot see what there is: none of its conditions is known.
#[must_use]
pub fn unobserved(about: Basis<'_>, conditions: Vec<ConditionType>, why: &str) -> Report {
    let message = format!("the operator cannot read the cache's objects, and changes nothing until it can: {why}");
    let unknown = |condition| Finding::unknown(condition, Reason::ReadFailed, message.clone());
    let mut findings: Vec<Finding> = std::iter::once(ConditionType::SpecValid).chain(conditions).map(unknown).collect();
    findings.sort_by_key(|finding| finding.condition);
    let findings: Vec<Finding> = summary(&findings).into_iter().chain(findings).collect();
    assemble(about, &findings, kept(about.previous))
}

/// The report about a `TokenCache` that cannot be carried out.
#[must_use]
pub fn invalid(about: Basis<'_>, spec_valid: Finding) -> Report {
    let found = [spec_valid];
    let [ready, stalled] = summary(&found);
    let [spec_valid] = found;
    // What runs already goes on running: what was published stays in the status.
    assemble(about, &[ready, stalled, spec_valid], kept(about.previous))
}

/// What the status says of what is published.
fn kept(previous: &TokenCacheStatus) -> StatusShare {
    let TokenCacheStatus { redis, binding, key_ring, .. } = previous.clone();
    StatusShare { redis, binding, key_ring }
}

/// The finding about a spec that cannot be read.
#[must_use]
pub fn unreadable(message: impl Into<Message>) -> Finding {
    Finding::fails(ConditionType::SpecValid, Reason::Invalid, message)
}

/// How much of a refusal by a policy is told, in characters.
const LONGEST_REFUSAL: usize = 160;

fn spec_valid(cache: &TokenCache, failure: Option<&WriteError>) -> Finding {
    let Some(error) = failure else {
        let valid = "the spec is valid";
        return match mistyped::sentences(&cache.metadata) {
            None => Finding::holds(ConditionType::SpecValid, Reason::Valid, valid),
            Some(told) => {
                Finding::holds(ConditionType::SpecValid, Reason::UnknownAnnotation, format!("{valid}. {told}"))
            }
        };
    };
    // The words are the API server's, and may be long: what is ours stands before them.
    let (object, words) = (error.object(), error.words());
    let words = words::why(&words);
    let fails = |reason, message: String, remedy: &str| {
        Finding::fails(ConditionType::SpecValid, reason, Message::from(message).remedy(Remedy::look(remedy)))
    };
    match error.class() {
        WriteErrorClass::Invalid if error.is_rehearsal() => fails(
            Reason::RejectedByApiServer,
            format!("nothing was changed, since the API server refuses {object}: {words}"),
            "correct the field of the spec that it names",
        ),
        WriteErrorClass::Invalid => fails(
            Reason::RejectedByApiServer,
            format!("the API server refuses {object}: {words}"),
            "correct the field of the spec that it names, or see the cluster's admission policies",
        ),
        WriteErrorClass::Forbidden => fails(
            Reason::WriteForbidden,
            // Who refuses it is told first, and why at the end.
            format!("the operator may not write {object}: {}", words::cut_within(words, LONGEST_REFUSAL)),
            "check quotas, admission policies and the operator's ClusterRole",
        ),
        WriteErrorClass::Conflict | WriteErrorClass::Transient => Finding::fails(
            ConditionType::SpecValid,
            Reason::WriteFailed,
            format!("the operator could not write {object}, and tries again: {words}"),
        ),
    }
}

/// That nothing is changed, because the user asks for that.
fn paused(cache: &TokenCache) -> Option<Finding> {
    let (name, namespace) = (cache.metadata.name.as_deref()?, cache.metadata.namespace.as_deref()?);
    let message = format!("nothing is changed or repaired while the annotation {RECONCILE_ANNOTATION} says {PAUSED}");
    let resume = Remedy::free("remove the annotation")
        .command(format!("kubectl -n {namespace} annotate tokencache {name} {RECONCILE_ANNOTATION}-"));
    let message = Message::from(message).remedy(resume);
    operation::is_paused(cache).then(|| Finding::holds(ConditionType::Paused, Reason::Paused, message))
}

/// What helps against what conditions tell of. Of those that take more looks to tell, what was told before stays.
fn remedies(previous: &TokenCacheStatus, findings: &[Finding]) -> Vec<ConditionRemedies> {
    let of = |finding: &Finding| {
        let condition = finding.condition.as_str();
        if is_kept(&previous.conditions, finding) {
            return previous.remedies.iter().find(|before| before.condition == condition).cloned();
        }
        let remedies = finding.message.remedies.clone();
        (!remedies.is_empty()).then(|| ConditionRemedies { condition: condition.to_owned(), remedies })
    };
    let repeats = |finding: &&Finding| matches!(finding.condition, ConditionType::Ready | ConditionType::Stalled);
    findings.iter().filter(|finding| !repeats(finding)).filter_map(of).collect()
}

fn assemble(Basis { cache, previous, now }: Basis<'_>, findings: &[Finding], share: StatusShare) -> Report {
    let mut findings = findings.to_vec();
    findings.extend(paused(cache));
    findings.sort_by_key(|finding| finding.condition);
    let generation = cache.metadata.generation.unwrap_or_default();
    let events = events::of_conditions(&previous.conditions, &findings);
    let conditions = merge(&previous.conditions, &findings, generation, now);
    let warned: Vec<&str> =
        warned(&standing(&previous.conditions, &findings)).into_iter().map(ConditionType::as_str).collect();
    let StatusShare { redis, binding, key_ring } = share;
    let status = TokenCacheStatus {
        observed_generation: generation,
        warnings: i32::try_from(warned.len()).unwrap_or(i32::MAX),
        warned: warned.join(","),
        conditions,
        remedies: remedies(previous, &findings),
        redis,
        binding,
        key_ring,
        operations: previous.operations.clone(),
        last_operation: last_operation(&previous.operations),
    };
    Report { status, events }
}
