//! One pass over one `TokenCache`.
//!
//! In: the `TokenCache` as the watch has it. Out: when to come again. It remembers nothing of the pass before but what
//! [`Context`] keeps, and decides nothing itself: see [`decide`].

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use kube::{core::error_boundary::InvalidObject, runtime::controller::Action};
use tokio::time::timeout;

use super::{
    apply::{self, Applied, ObjectChange},
    brake::{Contest, Target},
    context::Context,
    decide::{Decision, decide, plan::Plan},
    observe::{self, Known, ObserveError},
    publish::{self, Delivery, ReportError, deliver, previous},
    report::{self, About, contest, events::objects},
    requeue,
    settings::Settings,
    watch::{Guarded, Key, token_cache},
};
use crate::{
    api::v1alpha1::{TokenCache, TokenCacheSpec},
    capability::{ask::Answers, part::Operation},
    condition::Finding,
    kubernetes::{
        event::Happening,
        object::Reference,
        write::{Write, WriteError, WriteErrorClass},
    },
};

/// How long a pass may take, all its requests together. Less than kubelet gives the operator to end.
const PASS_LIMIT: Duration = Duration::from_secs(25);

/// How many times in a row a pass decides anew on what its writes were answered. A new cache takes four.
const MOST_ROUNDS: u32 = 8;

/// How long it may take to say that a pass was not finished; with that, still less than kubelet gives.
const LAST_WORDS_LIMIT: Duration = Duration::from_secs(3);

/// Why a pass ended early. What was written stands; the next pass goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// The operator is shutting down.
    #[error("the operator is shutting down")]
    ShuttingDown,
    /// The API server did not answer in time.
    #[error("the pass was not finished within {} s: the API server answers slowly or not at all", PASS_LIMIT.as_secs())]
    TimedOut,
    /// What there is could not be read.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// The plan was not carried out.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The report did not arrive.
    #[error(transparent)]
    Report(#[from] ReportError),
}

impl PassError {
    fn class(&self) -> WriteErrorClass {
        match self {
            Self::Write(error) => error.class(),
            Self::Observe(error) if error.is_forbidden() => WriteErrorClass::Forbidden,
            Self::ShuttingDown | Self::TimedOut | Self::Observe(_) | Self::Report(_) => WriteErrorClass::Transient,
        }
    }

    /// Whether nothing is known of what there is.
    fn is_blindness(&self) -> bool {
        matches!(self, Self::TimedOut | Self::Observe(_))
    }
}

/// One pass over one `TokenCache`, once the watches are in step.
///
/// # Errors
/// Why it ended early; see [`retry_after`].
pub async fn pass(cache: Arc<Guarded>, context: Arc<Context>) -> Result<Action, PassError> {
    let (mut in_step, mut stopping) = (context.in_step.clone(), context.stopping.clone());
    tokio::select! {
        Ok(_) = in_step.wait_for(|in_step| *in_step) => {}
        _ = stopping.wait_for(|stopping| *stopping) => return Err(PassError::ShuttingDown),
    }
    let key = Key::from_obj(cache.as_ref());
    let outcome = timeout(PASS_LIMIT, unlimited_pass(&cache, &context, &key)).await.unwrap_or(Err(PassError::TimedOut));
    context.rest(&key);
    if let Err(error) = &outcome
        && error.is_blindness()
        && (error.class() == WriteErrorClass::Forbidden || context.failures(&key) >= requeue::TOLERATED)
    {
        // The status may be out of reach too; then the log has to do.
        let _ = timeout(LAST_WORDS_LIMIT, tell_of_blindness(&cache, &context, &key, error)).await;
    }
    outcome
}

/// Says in the status that it does not hold any more.
async fn tell_of_blindness(
    cache: &Guarded,
    context: &Context,
    key: &Key,
    error: &PassError,
) -> Result<Delivery, ReportError> {
    let Ok(cache) = &cache.0 else { return Ok(Delivery::Unchanged) };
    let previous = previous(context, key, cache);
    let conditions = Settings::parse(cache).map(|settings| settings.conditions()).unwrap_or_default();
    let about = About { cache, previous: &previous, now: Context::now() };
    let report = report::unobserved(about, conditions, &error.to_string());
    deliver(context, key, cache, &previous, Some(report)).await
}

async fn unlimited_pass(cache: &Guarded, context: &Context, key: &Key) -> Result<Action, PassError> {
    let action = match &cache.0 {
        Ok(cache) if cache.metadata.deletion_timestamp.is_some() => {
            context.forget(key);
            Action::await_change()
        }
        Ok(cache) => match Settings::parse(cache) {
            Ok(settings) => Box::pin(reconcile(context, key, cache, &settings)).await?,
            Err(error) => refuse(context, key, cache, report::unreadable(error.to_string())).await?,
        },
        Err(InvalidObject { error, metadata }) => {
            let status = observe::status(&context.client, metadata).await?;
            let cache = TokenCache { metadata: metadata.clone(), spec: TokenCacheSpec::default(), status };
            let message = format!("the object cannot be read by this version of the operator: {error}");
            refuse(context, key, &cache, report::unreadable(message)).await?
        }
    };
    context.succeeded(key);
    Ok(action)
}

/// What a pass has done and learned, round by round.
#[derive(Default)]
struct Progress {
    answers: Answers,
    applied: Applied,
    /// What was put right, in sentences, by the name of the group of writes.
    mended: BTreeMap<&'static str, Vec<String>>,
    /// What became of requests, by each round.
    operations: Vec<Vec<Operation>>,
}

/// One pass, as the picture in [`super`] has it.
async fn reconcile(context: &Context, key: &Key, cache: &TokenCache, settings: &Settings) -> Result<Action, PassError> {
    let previous = previous(context, key, cache);
    let names = settings.names(&previous.operations);
    // Before they are read, so that no change of them is missed.
    context.follow(key, &names.secrets);
    observe::refresh(context, &settings.owner).await?;
    let (mut pass, mut rounds) = (Progress::default(), 0..MOST_ROUNDS);
    let (decision, now, is_done) = loop {
        let known = Known {
            cache,
            previous: &previous,
            names: &names,
            answers: &pass.answers,
            mended: &pass.mended,
            has_failed: pass.applied.failure.is_some(),
        };
        let snapshot = observe::snapshot(context, key, settings, known).await?;
        let (decision, now) = (decide(settings, &snapshot), snapshot.observed.now);
        drop(snapshot);
        context.open(key, decision.opened.as_ref());
        if !decision.part.asks.is_empty() {
            observe::answer(context, &settings.owner, &decision.part.asks, &mut pass.answers).await?;
            continue;
        }
        pass.operations.push(decision.part.operations.clone());
        let is_done = decision.plan.is_empty();
        if is_done || pass.applied.failure.is_some() || rounds.next().is_none() {
            break (decision, now, is_done);
        }
        apply::carry_out(context, key, &decision.plan, &mut pass.applied).await;
        if !pass.applied.is_answered {
            break (decision, now, false);
        }
        note_mended(&mut pass.mended, &decision.plan);
    };
    let Progress { answers: _, mut applied, mended: _, operations } = pass;
    let contests = contests(context, key, cache, &decision.plan.held).await;
    tell_of_objects(context, key, cache, &applied.changes, &decision.left).await;
    // Gone by the next pass, most likely: not worth a status that says so.
    if let Some(error) = applied.failure.take_if(|error| error.may_pass() && context.failures(key) < requeue::TOLERATED)
    {
        return Err(error.into());
    }
    let outcome = applied.failure.as_ref().map_or(Ok(()), Err);
    target(context, key, &decision);
    let about = About { cache, previous: &previous, now };
    let report = report::compose(about, &decision.part, outcome, operations, &contests);
    let is_unwatched = || observe::is_unwatched(context, &settings.owner);
    let wake = requeue::after_report(report.as_ref(), &decision.part.awaits, is_unwatched);
    let is_said = report.is_some();
    let delivery = deliver(context, key, cache, &previous, report).await?;
    if delivery != Delivery::Held {
        if is_said && decision.tells_of_samples {
            context.prober.told(&token_cache(key), &decision.samples);
        }
        // After the report, so that a sweep is not forgotten before it was told of.
        let aim = decision.target.as_ref().map(|target| &target.aim);
        context.sweeper.run(&token_cache(key), decision.sweep, aim);
    }
    if let Some(error) = applied.failure {
        return Err(error.into());
    }
    log_pass(applied.changed, delivery, "pass");
    let wake = if is_done { wake } else { requeue::UNFINISHED };
    let of_brake = context.brake(key, |brake| brake.wake_at(now));
    let wake_at = decision.part.wake_at.into_iter().chain(of_brake).min();
    let wake = wake_at.map_or(wake, |at| requeue::until(at, now).min(wake));
    Ok(Action::requeue(context.written.sooner(key, wake, Context::now())))
}

/// Notes what a plan that was carried out has put right.
fn note_mended(mended: &mut BTreeMap<&'static str, Vec<String>>, plan: &Plan) {
    for group in &plan.groups {
        let before = mended.entry(group.name).or_default();
        for what in &group.mends {
            if !before.contains(what) {
                before.push(what.clone());
            }
        }
    }
}

/// Has the servers looked at. What is not carried out is looked at only.
fn target(context: &Context, key: &Key, decision: &Decision) {
    match &decision.target {
        Some(target) => context.prober.aim(&token_cache(key), target.clone()),
        None if !decision.is_carried_out => context.prober.hold(&token_cache(key)),
        None => {}
    }
}

/// The fights that are on, with those over these writes, which wait. One that has begun is told in an event.
async fn contests(context: &Context, key: &Key, cache: &TokenCache, held: &[Write]) -> Vec<Contest> {
    let namespace = key.namespace.as_deref().unwrap_or_default();
    let live = |target: &Target| match target {
        Target::Object(kind, name) => context.live(namespace, *kind, name),
        Target::Status => None,
    };
    let now = Context::now();
    let (contests, begun) = context.brake(key, |brake| {
        contest::blame(brake, held, live);
        (brake.contests(now), brake.begun(now))
    });
    let told = contest::events(&begun, &key.name);
    publish::publish_once(&context.client, cache, &told, &context.reporter, now).await;
    contests
}

/// Tells in events of what was done to objects as a whole, and of those that are left alone. The status may say the same as
/// before.
async fn tell_of_objects(
    context: &Context,
    key: &Key,
    cache: &TokenCache,
    changes: &[ObjectChange],
    left: &[Reference],
) {
    let (client, reporter) = (&context.client, &context.reporter);
    publish::publish(client, cache, &objects::of_changes(changes), reporter, Context::now()).await;
    let left: Vec<Happening> =
        context.not_told_of(key, left).into_iter().map(|child| objects::of_copy(cache, child)).collect();
    publish::publish_once(client, cache, &left, reporter, Context::now()).await;
}

/// Reports a `TokenCache` that cannot be carried out. What was made for it earlier stays as it is.
async fn refuse(context: &Context, key: &Key, cache: &TokenCache, finding: Finding) -> Result<Action, PassError> {
    context.prober.hold(&token_cache(key));
    let previous = previous(context, key, cache);
    let report = report::invalid(About { cache, previous: &previous, now: Context::now() }, finding);
    let delivery = deliver(context, key, cache, &previous, Some(report)).await?;
    log_pass(0, delivery, "pass: the spec is refused");
    Ok(Action::requeue(context.written.sooner(key, requeue::RESYNC, Context::now())))
}

/// Logs a pass: for those who look after the operator, where it changed anything.
fn log_pass(changed: usize, delivery: Delivery, what: &str) {
    let status = delivery == Delivery::Written;
    if changed > 0 || status {
        tracing::info!(changed, status, "{what}");
    } else {
        tracing::debug!(changed, status, "{what}");
    }
}

/// When to try again after a pass that ended early.
#[allow(clippy::needless_pass_by_value, reason = "the controller hands them over by value")]
pub fn retry_after(cache: Arc<Guarded>, error: &PassError, context: Arc<Context>) -> Action {
    let key = Key::from_obj(cache.as_ref());
    if matches!(error, PassError::ShuttingDown) {
        return Action::await_change();
    }
    let before = context.failed(&key);
    let pause = context.written.sooner(&key, requeue::after(error.class(), before), Context::now());
    tracing::warn!(cache = key.name, namespace = key.namespace, why = %error, before, pause_seconds = pause.as_secs(), "pass failed");
    Action::requeue(pause)
}
