//! One pass over one `TokenCache`, and when passes happen.
//!
//! ```text
//! observe ──▶ Observed ──▶ plan ──▶ Plan ──▶ apply ──▶ Applied ──▶ report ──▶ when to come again
//!  (IO)                   (pure)            (IO)                  (pure, one write)
//! ```
//!
//! A pass remembers nothing of the one before; what Redis servers answer reaches it as the latest sample. Everything that
//! it makes is owned by the `TokenCache`, so that the garbage collector takes it away with it, and there is no finalizer
//! that could keep a namespace from going.

pub mod apply;
pub mod context;
pub mod events;
pub mod key_ring;
pub mod leftovers;
pub mod object_events;
pub mod observe;
pub mod plan;
pub mod prober;
pub mod publish;
pub mod report;
pub mod retry;
pub mod sweeper;
pub mod watch;
pub mod written;

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};
use kube::{
    Client,
    core::error_boundary::InvalidObject,
    runtime::{
        controller::{self, Action},
        watcher,
    },
};
use tokio::{
    sync::{mpsc::UnboundedReceiver, watch as signal},
    time::timeout,
};

use self::{
    apply::{Applied, ObjectChange},
    key_ring::KeyRing,
    observe::ObserveError,
    prober::Prober,
    publish::{Delivery, ReportError, deliver, previous},
    report::Published,
    sweeper::Sweeper,
};
pub use self::{
    context::Context,
    watch::{Guarded, Key, Scope},
};
use crate::{
    api::v1alpha1::{OperationType, TokenCache, TokenCacheSpec, TokenCacheStatus},
    condition::{ConditionType, Finding, Verdict},
    data_protection::{observed::Beside, revoke, settings::Settings as RingSettings},
    kubernetes::{
        child::Child,
        event::Happening,
        name,
        process::Processes,
        read::named::NamedSecrets,
        workload::{Consumers, Source},
        write::{WriteError, WriteErrorClass},
    },
    redis::{
        self,
        credentials::Credentials,
        health::{Moment, health},
        network::{self, Callers},
        observed::Observed,
        rollout, rotation,
        settings::{Settings, TlsSource},
    },
    request,
    telemetry::metrics::Metrics,
};

/// How long a pass may take, all its requests together. Less than kubelet gives the operator to end.
const PASS_LIMIT: Duration = Duration::from_secs(25);

/// How long it may take to say that a pass was not finished; with that, still less than kubelet gives.
const LAST_WORDS_LIMIT: Duration = Duration::from_secs(3);

/// How to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Where to watch.
    pub scope: Scope,
    /// The time between two looks at a Redis server.
    pub probe_period: Duration,
    /// The least time between two writes of one status: [`written::PAUSE`], but in tests.
    pub status_pause: Duration,
    /// Who reports events: the operator's pod.
    pub reporter: String,
    /// The namespace of the operator's pod; `None` where it runs in none.
    pub operator_namespace: Option<String>,
}

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

/// Runs until `shutdown` completes. `synced` becomes true once the watches have listed what there is, and `metrics` tell from
/// now on what is counted.
pub async fn run(
    client: Client,
    options: Options,
    metrics: Arc<Metrics>,
    synced: signal::Sender<bool>,
    shutdown: impl Future<Output = ()> + Send + Sync + 'static,
) {
    let (controller, caches) = watch::controller(&client, &options.scope);
    let token_caches = controller.store();
    let (prober, news) = Prober::new(options.probe_period, Context::now, token_caches.clone());
    metrics.of_entries(prober.counted());
    let (named, changed) = NamedSecrets::new(client.clone());
    let (sweeper, swept) = Sweeper::new(Context::now);
    let told =
        |news| futures::stream::unfold(news, async |mut news: UnboundedReceiver<Key>| Some((news.recv().await?, news)));
    let (stop, stopping) = signal::channel(false);
    let shutdown = async move {
        shutdown.await;
        stop.send_replace(true);
    };
    let context = Arc::new(Context::new(
        client,
        caches.clone(),
        (synced.subscribe(), stopping),
        (prober, sweeper),
        named,
        &options,
    ));
    // The only one who waits for the stores: of several, kube wakes the last. Everybody else waits for the signal.
    let ready = async move {
        if token_caches.wait_until_ready().await.is_ok() && caches.ready().await.is_ok() {
            synced.send_replace(true);
            tracing::info!("the watches are in step");
        } else {
            drop(synced);
        }
        futures::future::pending::<()>().await;
    };
    let passes = controller
        .reconcile_on(told(news))
        .reconcile_on(told(changed))
        .reconcile_on(told(swept))
        .graceful_shutdown_on(shutdown)
        .run(pass, retry_after, Arc::clone(&context))
        .for_each(|result| {
            log(&context, &result);
            futures::future::ready(())
        });
    tokio::select! {
        () = passes => {}
        () = ready => {}
    }
}

/// One pass over one `TokenCache`, once the watches are in step.
async fn pass(cache: Arc<Guarded>, context: Arc<Context>) -> Result<Action, PassError> {
    let (mut in_step, mut stopping) = (context.in_step.clone(), context.stopping.clone());
    tokio::select! {
        Ok(_) = in_step.wait_for(|in_step| *in_step) => {}
        _ = stopping.wait_for(|stopping| *stopping) => return Err(PassError::ShuttingDown),
    }
    let key = Key::from_obj(cache.as_ref());
    let outcome = timeout(PASS_LIMIT, unlimited_pass(&cache, &context, &key)).await.unwrap_or(Err(PassError::TimedOut));
    if let Err(error) = &outcome
        && error.is_blindness()
        && (error.class() == WriteErrorClass::Forbidden || context.failures(&key) >= retry::TOLERATED)
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
    let report = report::unobserved(cache, &previous, &error.to_string(), Context::now());
    deliver(context, key, cache, &previous, Some(report)).await
}

async fn unlimited_pass(cache: &Guarded, context: &Context, key: &Key) -> Result<Action, PassError> {
    let action = match &cache.0 {
        Ok(cache) if cache.metadata.deletion_timestamp.is_some() => {
            context.forget(key);
            Action::await_change()
        }
        Ok(cache) => match parse(cache) {
            Ok(settings) => Box::pin(reconcile(context, key, cache, &settings)).await?,
            Err(why) => refuse(context, key, cache, report::unreadable(why)).await?,
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

/// What a cache wants; the sentence that says why it cannot be carried out, otherwise.
fn parse(cache: &TokenCache) -> Result<(Settings, RingSettings), String> {
    let settings = Settings::parse(cache).map_err(|error| error.to_string())?;
    let ring = RingSettings::parse(settings.owner.clone(), cache).map_err(|error| error.to_string())?;
    Ok((settings, ring))
}

async fn reconcile(
    context: &Context,
    key: &Key,
    cache: &TokenCache,
    wanted: &(Settings, RingSettings),
) -> Result<Action, PassError> {
    let (settings, ring_settings) = wanted;
    let of_tls = match &settings.tls {
        TlsSource::Secret(name) => Some(name.as_str()),
        TlsSource::Managed | TlsSource::Disabled => None,
    };
    // Before they are read, so that no change of them is missed.
    context.follow(key, &of_tls.into_iter().chain(ring_settings.named()).collect::<Vec<_>>());
    let previous = previous(context, key, cache);
    let (mut observed, credentials) = observe_redis(context, key, settings, &previous).await?;
    let beside = beside(context, key, wanted, &observed, &credentials).await;
    let mut ring = KeyRing::look(context, key, ring_settings.clone(), beside.clone(), Context::now()).await?;
    let surplus = plan::surplus(settings, &credentials, observe::children(context, &settings.owner));
    let plan = plan::plan(cache, settings, &observed, &credentials, ring.plan(), surplus.retirees);
    let marks: Vec<ObjectMeta> = plan.marks().cloned().collect();
    let mut changes = Vec::new();
    let applied = Box::pin(apply::apply(&context.client, settings, ring_settings, plan, &mut changes)).await;
    tell_of_objects(context, key, cache, &changes, &surplus.left).await;
    if applied.is_ok() {
        for seen in &marks {
            context.marked(key, seen);
        }
    } else {
        // It may have been written, and is never written again over a version that is not its last.
        key_ring::forget(context, &settings.owner);
    }
    let applied = match applied {
        // Gone by the next pass, most likely: not worth a status that says so.
        Err(error) if error.may_pass() && context.failures(key) < retry::TOLERATED => return Err(error.into()),
        applied => applied,
    };
    if let Ok(Applied { settled: Some(settled), .. }) = &applied {
        context.settle(key, settled.clone());
        observed.settled = Some(settled.clone());
    }
    if applied.as_ref().is_ok_and(|applied| applied.of_ring > 0) {
        ring = ring.look_again(context, key, Context::now()).await?;
    }
    // A spec that does not reach the StatefulSet reaches no server either: there it is looked at only.
    let carried_out =
        !request::is_paused(cache) && (applied.is_ok() || rollout::is_written(settings, &observed, &credentials));
    let aim = redis::aim(settings, &observed, &credentials, ring.reader.clone(), carried_out);
    match &aim {
        Some(aim) => context.prober.aim(key, aim.clone()),
        None if !carried_out => context.prober.hold(key),
        None => {}
    }

    let now = Context::now();
    if redis::names_consumers(settings, &observed) {
        let connection = [Source::Secret(name::redis(&settings.owner.name))];
        observed.consumers = context.consumers.consumers(&settings.owner.namespace, &connection, now).await;
    }
    let period = SignedDuration::try_from(context.probe_period).unwrap_or(SignedDuration::MAX);
    let health = health(settings, &observed, &credentials, Moment { now, period, carried_out })
        .and(ring.finding(now))
        .advise(credentials.rotation.finding.clone());
    let tells_of_samples = health.tells_of_samples();
    let published = Published::of(&observed);
    let report = report::report(cache, &previous, settings, published, health, applied.as_ref(), now);
    let flush = ring.flush(settings, &beside, now);
    let told = [
        credentials.rotation.operation.clone(),
        ring.standing.operation.clone(),
        ring.standing.revoke.operation.clone(),
        flush.operation.clone(),
    ];
    let operations = told.into_iter().flatten().collect();
    let in_use = redis::in_use(settings, &observed);
    let report = report.map(|report| report.with_operations(operations, &previous.operations));
    let minted = ring.minted(previous.key_ring.as_ref());
    let key_ring = ring.status(in_use.as_ref(), previous.key_ring.as_ref(), now);
    let report = report.map(|report| report.with_key_ring(key_ring, minted));
    let wake = match &report {
        None => retry::AWAITING_LOOK,
        Some(report) if report.is_ready() => retry::RESYNC,
        Some(_) => retry::NOT_READY,
    };
    let is_said = report.is_some();
    let delivery = deliver(context, key, cache, &previous, report).await?;
    if delivery != Delivery::Held {
        if is_said && tells_of_samples {
            context.prober.told(key, &observed.samples);
        }
        // After the report, so that a sweep is not forgotten before it was told of.
        context.sweeper.run(key, ring.standing.revoke.sweep.clone().or(flush.sweep), aim.as_ref());
    }
    let applied = applied?;
    // Their watch may lag behind: by the earlier content the next pass would make them once more, in vain.
    context.secrets.forget(&settings.owner.namespace, &applied.minted);
    tracing::info!(changed = applied.changed, status = ?delivery, "pass");
    let wake = if !applied.minted.is_empty() {
        retry::AFTER_MINT
    } else if observed.leftover(&settings.owner.name).is_some() {
        retry::COLLECTING
    } else {
        wake
    };
    let of_redis = [credentials.tls.wake_at(), credentials.rotation.wake_at];
    let wake_at = of_redis.into_iter().chain([ring.wake_at(), ring.standing.revoke.wake_at, flush.wake_at]);
    let wake_at = wake_at.flatten().min();
    let wake = wake_at.map_or(wake, |at| retry::until(at, now).min(wake));
    Ok(Action::requeue(context.written.sooner(key, wake, Context::now())))
}

/// What there is of a cache's Redis, and which passwords and certificates hold; with the pods that use it, where something depends
/// on them.
async fn observe_redis(
    context: &Context,
    key: &Key,
    settings: &Settings,
    previous: &TokenCacheStatus,
) -> Result<(Observed, Credentials), ObserveError> {
    let mut observed = observe::redis(context, key, settings, previous.operations.clone()).await?;
    observed.was_restricted = is_restricted(previous);
    observed.callers = callers(context, settings, &observed).await;
    let mut credentials = Credentials::read(settings, &observed, Context::now());
    let looks_since = credentials.rotation.looks_since;
    if let Some(since) = looks_since.or_else(|| rotation::refused_since(settings, &observed)) {
        let (connection, now) = ([Source::Secret(name::redis(&settings.owner.name))], Context::now());
        observed.processes = context.consumers.processes(&settings.owner.namespace, &connection, since, now).await;
        credentials = Credentials::read(settings, &observed, now);
    }
    Ok((observed, credentials))
}

/// Whether a status says that a `NetworkPolicy` is there.
fn is_restricted(status: &TokenCacheStatus) -> bool {
    let of_it = |condition: &&Condition| condition.type_ == ConditionType::NetworkRestricted.as_str();
    status.conditions.iter().find(of_it).is_some_and(|condition| condition.status == Verdict::True.as_str())
}

/// From where applications are connected, where that decides on something.
async fn callers(context: &Context, settings: &Settings, observed: &Observed) -> Callers {
    let asked = network::asks_for_callers(settings, observed).then(|| network::callers(observed)).flatten();
    let Some(addresses) = asked else { return Callers::Unknown };
    let abroad = network::abroad(&addresses);
    if abroad.is_empty() {
        return Callers::Inside;
    }
    let pods = context.consumers.addresses(&settings.owner.namespace, &abroad, Context::now()).await;
    pods.map_or(Callers::Unknown, |pods| Callers::of(&abroad, &pods))
}

/// Tells in events of what was done to objects as a whole, and of those that are left alone. The status may say the same as
/// before.
async fn tell_of_objects(context: &Context, key: &Key, cache: &TokenCache, changes: &[ObjectChange], left: &[Child]) {
    let (client, reporter) = (&context.client, &context.reporter);
    publish::publish(client, cache, &object_events::of_changes(changes), reporter, Context::now()).await;
    let left: Vec<Happening> =
        context.not_told_of(key, left).into_iter().map(|child| object_events::of_copy(cache, child)).collect();
    publish::publish_once(client, cache, &left, reporter, Context::now()).await;
}

/// What a pass sees beside Secrets.
async fn beside(
    context: &Context,
    key: &Key,
    (settings, ring): &(Settings, RingSettings),
    observed: &Observed,
    credentials: &Credentials,
) -> Beside {
    let operations = observed.operations.clone();
    let revoked = ring.revoke.as_ref().map(|wish| &wish.request);
    let tells_of_consumers = request::is_open(settings.flush.request.as_ref(), &operations, OperationType::Flush)
        || request::is_open(revoked, &operations, OperationType::RevokeKey);
    let processes = match revoke::looks_since(ring, &operations, Context::now()) {
        Some(since) => {
            let of_ring = [name::keys(&key.name), name::key_certificates(&key.name)].map(Source::Secret);
            context.consumers.processes(&settings.owner.namespace, &of_ring, since, Context::now()).await
        }
        None => Processes::Unknown,
    };
    let consumers = if tells_of_consumers {
        context.consumers.consumers(&settings.owner.namespace, &observe::published(&key.name), Context::now()).await
    } else {
        Consumers::Unknown
    };
    Beside {
        operations,
        sweep: context.sweeper.progress(key),
        obstacle: redis::obstacle(settings, observed, credentials),
        consumers: consumers.named(&Source::Secret(name::redis(&key.name))),
        processes,
    }
}

/// Reports a `TokenCache` that cannot be carried out. What was made for it earlier stays as it is.
async fn refuse(context: &Context, key: &Key, cache: &TokenCache, finding: Finding) -> Result<Action, PassError> {
    context.prober.hold(key);
    let previous = previous(context, key, cache);
    let report = report::invalid(cache, &previous, finding, Context::now());
    let delivery = deliver(context, key, cache, &previous, Some(report)).await?;
    tracing::info!(status = ?delivery, "pass: the spec is refused");
    Ok(Action::requeue(context.written.sooner(key, retry::RESYNC, Context::now())))
}

#[allow(clippy::needless_pass_by_value, reason = "the controller hands them over by value")]
fn retry_after(cache: Arc<Guarded>, error: &PassError, context: Arc<Context>) -> Action {
    let key = Key::from_obj(cache.as_ref());
    if matches!(error, PassError::ShuttingDown) {
        return Action::await_change();
    }
    let before = context.failed(&key);
    let pause = context.written.sooner(&key, retry::after(error.class(), before), Context::now());
    tracing::warn!(cache = key.name, namespace = key.namespace, %error, before, pause_seconds = pause.as_secs(), "pass failed");
    Action::requeue(pause)
}

fn log(context: &Arc<Context>, result: &Result<(Key, Action), controller::Error<PassError, watcher::Error>>) {
    match result {
        Ok(_) | Err(controller::Error::ReconcilerFailed(..)) => {}
        // Something owned by a TokenCache that is gone: the garbage collector is at it.
        Err(controller::Error::ObjectNotFound(reference)) => {
            let key = Key::new(&reference.name).within(reference.namespace.as_deref().unwrap_or_default());
            context.forget(&key);
            tracing::debug!(cache = reference.name, namespace = reference.namespace, "gone");
            tokio::spawn(leftovers::label(Arc::clone(context), key));
        }
        Err(controller::Error::QueueError(error)) => tracing::error!(%error, "a watch failed; it is tried again"),
        Err(error) => tracing::error!(%error, "the controller failed"),
    }
}
