//! One pass over one `TokenCache`.
//!
//! In: the `TokenCache` as the watch has it. Out: when to come again. It remembers nothing of the pass before but what
//! [`Context`] keeps, and decides nothing itself: see [`decide`].

use std::{sync::Arc, time::Duration};

use kube::{core::error_boundary::InvalidObject, runtime::controller::Action};
use tokio::time::timeout;

use super::{
    apply::{self, Applied},
    context::{Context, Remembered},
    decide::{Decision, decide},
    journal,
    observe::{self, Known, ObserveError},
    publish::{Delivery, ReportError, deliver, objects, previous},
    report::{self, Basis, Report},
    requeue,
    settings::Settings,
    watch::{Guarded, GuardedRef, token_cache},
};
use crate::{
    api::v1alpha1::{TokenCache, TokenCacheSpec},
    capability::{ask::Answers, part::Operation},
    condition::Finding,
    kubernetes::write::{WriteError, WriteErrorClass},
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
    let key = GuardedRef::from_obj(cache.as_ref());
    let outcome = timeout(PASS_LIMIT, unlimited_pass(&cache, &context, &key)).await.unwrap_or(Err(PassError::TimedOut));
    context.rest(&key);
    if let Err(error) = &outcome
        && error.is_blindness()
        && (error.class() == WriteErrorClass::Forbidden
            || context.remember(&key, |it| it.failures) >= requeue::TOLERATED)
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
    key: &GuardedRef,
    error: &PassError,
) -> Result<Delivery, ReportError> {
    let Ok(cache) = &cache.0 else { return Ok(Delivery::Unchanged) };
    let previous = previous(context, key, cache);
    let conditions = Settings::parse(cache).map(|settings| settings.conditions()).unwrap_or_default();
    let about = Basis { cache, previous: &previous, now: Context::now() };
    let report = report::unobserved(about, conditions, &error.to_string());
    deliver(context, key, cache, &previous, Some(report)).await
}

async fn unlimited_pass(cache: &Guarded, context: &Context, key: &GuardedRef) -> Result<Action, PassError> {
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
    context.recall(key, |it| it.failures = 0);
    Ok(action)
}

/// What a pass has done and learned, round by round.
#[derive(Default)]
struct Progress {
    answers: Answers,
    applied: Applied,
    /// What became of requests, by each round.
    operations: Vec<Vec<Operation>>,
}

/// One pass, as the picture in [`super`] has it.
async fn reconcile(
    context: &Context,
    key: &GuardedRef,
    cache: &TokenCache,
    settings: &Settings,
) -> Result<Action, PassError> {
    let previous = previous(context, key, cache);
    let names = settings.names(&previous.operations);
    // Before they are read, so that no change of them is missed.
    context.follow(key, &names.secrets);
    observe::refresh(context, &settings.owner).await?;
    let (mut pass, mut rounds) = (Progress::default(), 0..MOST_ROUNDS);
    let decision = loop {
        let Progress { answers, applied, operations } = &mut pass;
        let known = Known { cache, previous: &previous, names: &names, answers, applied };
        let decision = decide(settings, &observe::snapshot(context, key, settings, known).await?);
        context.remember(key, |it| it.open(decision.opened.as_ref()));
        if observe::answer(context, &settings.owner, &decision.part.asks, answers).await? {
            continue;
        }
        operations.push(decision.part.operations.clone());
        if rounds.next().is_none() || !apply::carry_out(context, key, &decision.plan, applied).await {
            break decision;
        }
    };
    let Progress { answers: _, mut applied, operations } = pass;
    let contests = objects::publish(context, key, cache, (&decision, &applied.changes)).await;
    // Gone by the next pass, most likely: not worth a status that says so.
    if let Some(error) = applied
        .failure
        .take_if(|error| error.may_pass() && context.remember(key, |it| it.failures) < requeue::TOLERATED)
    {
        return Err(error.into());
    }
    let logged = context.remember(key, |it| std::mem::take(&mut it.logged));
    let logged = journal::operations(key, &operations, &previous.operations, logged);
    context.remember(key, |it| it.logged = logged);
    let about = Basis { cache, previous: &previous, now: decision.now };
    let report = report::compose(about, &decision.part, applied.failure.as_ref(), operations, &contests);
    let wake = wake(context, key, settings, &decision, report.as_ref());
    look(context, key, &decision);
    let is_said = report.is_some();
    let delivery = deliver(context, key, cache, &previous, report).await?;
    if delivery != Delivery::Held {
        hand_over(context, key, decision, is_said);
    }
    if let Some(error) = applied.failure {
        return Err(error.into());
    }
    tracing::debug!(changed = applied.changed, status = delivery == Delivery::Written, "pass");
    Ok(Action::requeue(context.written.sooner(key, wake, Context::now())))
}

/// Has the servers looked at. What is not carried out is looked at only.
fn look(context: &Context, key: &GuardedRef, decision: &Decision) {
    match &decision.target {
        Some(target) => context.prober.aim(&token_cache(key), target.clone()),
        None if !decision.is_carried_out => context.prober.hold(&token_cache(key)),
        None => {}
    }
}

/// Tells the prober what was said of its looks, and has the sweep made: after the report, so that one is not forgotten before it was
/// told of.
fn hand_over(context: &Context, key: &GuardedRef, decision: Decision, is_said: bool) {
    if is_said && decision.tells_of_samples {
        context.prober.told(&token_cache(key), &decision.samples);
    }
    let aim = decision.target.as_ref().map(|target| &target.aim);
    context.sweeper.run(&token_cache(key), decision.sweep, aim);
}

/// When to come again after what was said.
fn wake(
    context: &Context,
    key: &GuardedRef,
    settings: &Settings,
    decision: &Decision,
    report: Option<&Report>,
) -> Duration {
    let is_unwatched = || observe::is_unwatched(context, &settings.owner);
    let wake = if decision.plan.is_empty() {
        requeue::after_report(report, &decision.part.awaits, is_unwatched)
    } else {
        requeue::UNFINISHED
    };
    let of_brake = context.brake(key, |brake| brake.wake_at(decision.now));
    let wake_at = decision.part.wake_at.into_iter().chain(of_brake).min();
    wake_at.map_or(wake, |at| requeue::until(at, decision.now).min(wake))
}

/// Reports a `TokenCache` that cannot be carried out. What was made for it earlier stays as it is.
async fn refuse(
    context: &Context,
    key: &GuardedRef,
    cache: &TokenCache,
    finding: Finding,
) -> Result<Action, PassError> {
    context.prober.hold(&token_cache(key));
    let previous = previous(context, key, cache);
    let report = report::invalid(Basis { cache, previous: &previous, now: Context::now() }, finding);
    let delivery = deliver(context, key, cache, &previous, Some(report)).await?;
    tracing::debug!(changed = 0, status = delivery == Delivery::Written, "pass: the spec is refused");
    Ok(Action::requeue(context.written.sooner(key, requeue::RESYNC, Context::now())))
}

/// When to try again after a pass that ended early.
#[allow(clippy::needless_pass_by_value, reason = "the controller hands them over by value")]
pub fn retry_after(cache: Arc<Guarded>, error: &PassError, context: Arc<Context>) -> Action {
    let key = GuardedRef::from_obj(cache.as_ref());
    if matches!(error, PassError::ShuttingDown) {
        return Action::await_change();
    }
    let before = context.remember(&key, Remembered::failed);
    let pause = context.written.sooner(&key, requeue::after(error.class(), before), Context::now());
    tracing::warn!(cache = key.name, namespace = key.namespace, why = %error, before, pause_seconds = pause.as_secs(), "pass failed");
    Action::requeue(pause)
}
