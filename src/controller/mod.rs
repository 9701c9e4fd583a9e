//! When passes happen, and what a pass is.
//!
//! ```text
//! settings ─▶ observe ─▶ decide ─▶ apply ─▶ report ─▶ publish ─▶ requeue
//!              (IO)      (pure)     (IO)    (pure)      (IO)     (pure)
//!                ▲         │ asks    │ answers
//!                └─────────┴─────────┘  until nothing is asked and nothing is left to write
//! ```
//!
//! A pass remembers nothing of the one before but what [`context`] keeps; what Redis servers answer reaches it as the latest
//! sample. Everything that it makes is owned by the `TokenCache`, so that the garbage collector takes it away with it, and there is
//! no finalizer that could keep a namespace from going.

pub mod apply;
pub mod brake;
pub mod context;
pub mod decide;
pub mod journal;
pub mod memory;
pub mod observe;
pub mod publish;
pub mod reconcile;
pub mod report;
pub mod requeue;
pub mod settings;
pub mod watch;

use std::{sync::Arc, time::Duration};

use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client, Resource,
    runtime::{
        controller::{self, Action},
        watcher,
    },
};
use tokio::{
    sync::{mpsc::UnboundedReceiver, watch as signal},
    time::timeout,
};

use crate::{
    kubernetes::{read::named::NamedSecrets, words},
    probe::{prober::Prober, sweeper::Sweeper},
    telemetry::metrics::Metrics,
};
use apply::leftovers;
pub use context::{Context, Options};
pub use memory::Written;
use reconcile::{PassError, pass, retry_after};
use watch::LIST_PAGE;
pub use watch::{Guarded, GuardedRef, Scope};

/// How long the first passes wait for Secrets that they would have to ask for one by one. Of some ten thousand caches a machine
/// reads them within it.
const READING_LIMIT: Duration = Duration::from_secs(20);

/// Runs until `shutdown` completes. `synced` becomes true once the watches have listed what there is, and `metrics` tell from
/// now on what is counted.
pub async fn run(
    client: Client,
    options: Options,
    metrics: Arc<Metrics>,
    synced: signal::Sender<bool>,
    shutdown: impl Future<Output = ()> + Send + Sync + 'static,
) {
    let written = Arc::new(Written::new(options.status_pause));
    let last = Arc::clone(&written);
    let is_echo = move |cache: &Guarded| {
        let status = cache.0.as_ref().ok().and_then(|cache| cache.status.as_ref());
        last.is_echo(&GuardedRef::from_obj(cache), cache.meta(), status)
    };
    let (controller, caches) = watch::controller(&client, &options.scope, is_echo);
    let token_caches = controller.store();
    let (prober, news) = Prober::new(options.probe_period, Context::now, {
        let token_caches = token_caches.clone();
        move |cache| token_caches.get(&watch::key(cache)).is_some()
    });
    metrics.of_entries(prober.counted());
    let (named, changed) = NamedSecrets::new(client.clone());
    let (sweeper, swept) = Sweeper::new(Context::now);
    let looked = |news| heard(news).map(|cache| watch::key(&cache));
    let (stop, stopping) = signal::channel(false);
    let (begin, in_step) = signal::channel(false);
    let shutdown = async move {
        shutdown.await;
        stop.send_replace(true);
    };
    let context = Arc::new(Context::new(
        client.clone(),
        caches.clone(),
        (in_step, stopping),
        (prober, sweeper),
        named,
        written,
        &options,
    ));
    // The only one who waits for the stores: of several, kube wakes the last. Everybody else waits for the signal.
    let left = Arc::clone(&context);
    let ready = async move {
        if token_caches.wait_until_ready().await.is_ok() && caches.ready().await.is_ok() {
            synced.send_replace(true);
            tracing::info!("the watches are in step");
            read_secrets(&left, &options.scope.api(&client)).await;
            begin.send_replace(true);
            let is_gone = |key: &GuardedRef| token_caches.get(key).is_none();
            for key in caches.instances().into_iter().filter(is_gone) {
                leftovers::label(Arc::clone(&left), key).await;
            }
        } else {
            drop((synced, begin));
        }
        futures::future::pending::<()>().await;
    };
    let passes = controller
        .reconcile_on(looked(news))
        .reconcile_on(heard(changed))
        .reconcile_on(looked(swept))
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

/// Reads what the first passes would ask for one by one.
async fn read_secrets(context: &Context, api: &Api<Secret>) {
    match timeout(READING_LIMIT, context.secrets.read_made(api, LIST_PAGE)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(why = words::of(&error), "Secrets cannot be listed; each is read by name"),
        Err(_) => tracing::debug!("Secrets are not listed in time; those that are left are read by name"),
    }
}

fn log(context: &Arc<Context>, result: &Result<(GuardedRef, Action), controller::Error<PassError, watcher::Error>>) {
    match result {
        Ok(_) | Err(controller::Error::ReconcilerFailed(..)) => {}
        // Something owned by a TokenCache that is gone: the garbage collector is at it.
        Err(controller::Error::ObjectNotFound(reference)) => {
            let key = GuardedRef::new(&reference.name).within(reference.namespace.as_deref().unwrap_or_default());
            context.forget(&key);
            tracing::debug!(cache = reference.name, namespace = reference.namespace, "gone");
            tokio::spawn(leftovers::label(Arc::clone(context), key));
        }
        Err(controller::Error::QueueError(error)) => {
            tracing::error!(why = words::of(error), "a watch failed; it is tried again");
        }
        Err(error) => tracing::error!(why = words::of(error), "the controller failed"),
    }
}

/// What comes over a channel, as it comes.
fn heard<T>(news: UnboundedReceiver<T>) -> impl Stream<Item = T> {
    futures::stream::unfold(news, async |mut news| Some((news.recv().await?, news)))
}
