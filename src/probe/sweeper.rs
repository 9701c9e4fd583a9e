//! Sweeps of the entries of caches, which take longer than a pass.
//!
//! In: the sweep that a pass wants made, and the server. Out: how far it is, and a nudge for the controller when there is
//! news. A sweep that nobody wants any more is ended; one that failed is begun again by the pass that comes a while later. It
//! decides nothing about what is removed.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio::{
    sync::{Semaphore, mpsc},
    task::AbortHandle,
    time::Instant,
};

use crate::{
    capability::progress::{AGAIN_AFTER, Progress, State, Tally},
    capability::token_cache::TokenCacheRef,
    entries::sweep::Sweep,
    probe,
    redis::{desired::ProbeTarget, findings::unanswered},
};

/// How many sweeps are under way at the same time.
const CONCURRENT_SWEEPS: usize = 4;
/// The least time between two nudges about one sweep, so that the status is not written with every batch.
const NEWS_PERIOD: Duration = Duration::from_secs(10);

/// The sweeps that are under way, and those that were made last.
pub struct Sweeper {
    permits: Arc<Semaphore>,
    clock: fn() -> Timestamp,
    news: mpsc::UnboundedSender<TokenCacheRef>,
    runs: Mutex<HashMap<TokenCacheRef, Run>>,
}

struct Run {
    sweep: Sweep,
    progress: Arc<Mutex<Progress>>,
    task: AbortHandle,
}

impl Drop for Run {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Sweeper {
    /// A sweeper, and the stream of the caches about which there is news.
    #[must_use]
    pub fn new(clock: fn() -> Timestamp) -> (Self, mpsc::UnboundedReceiver<TokenCacheRef>) {
        let (news, heard) = mpsc::unbounded_channel();
        let sweeper =
            Self { permits: Arc::new(Semaphore::new(CONCURRENT_SWEEPS)), clock, news, runs: Mutex::default() };
        (sweeper, heard)
    }

    /// How far the latest sweep of a cache is.
    #[must_use]
    pub fn progress(&self, key: &TokenCacheRef) -> Option<Progress> {
        let runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.get(key).map(|run| current(&run.progress).clone())
    }

    /// Makes this sweep, unless it is under way or was made. One that is under way and reads with another ring than is there
    /// now is ended, and begun anew with that. Where none is wanted, the one that is under way is ended, and how far it came
    /// is forgotten; one that was made is known until another is wanted.
    pub fn run(&self, key: &TokenCacheRef, sweep: Option<Sweep>, aim: Option<&ProbeTarget>) {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(mut sweep), Some(aim)) = (sweep, aim) else {
            // The next pass may see a status of before it was told that this one was made, and would make it again.
            if runs.get(key).is_some_and(|run| current(&run.progress).state != State::Done) {
                runs.remove(key);
            }
            return;
        };
        let Some(server) = aim.servers.first().cloned() else { return };
        if let Some(run) = runs.get(key) {
            let before = current(&run.progress);
            if before.id == sweep.id {
                let is_overtaken = before.state == State::Running && !run.sweep.means_the_same_as(&sweep);
                if !is_overtaken && !may_begin_again(&before.state, (self.clock)()) {
                    return;
                }
                sweep.removed_before = sweep.removed_before.max(before.tally.removed);
            }
        }
        let progress = Progress {
            tally: Tally { removed: sweep.removed_before, ..Tally::default() },
            id: sweep.id,
            state: State::Running,
        };
        let progress = Arc::new(Mutex::new(progress));
        let (permits, clock, news) = (Arc::clone(&self.permits), self.clock, self.news.clone());
        let (key_of_run, told, aim) = (key.clone(), Arc::clone(&progress), aim.clone());
        let wanted = sweep.clone();
        let task = tokio::spawn(async move {
            // The semaphore is never closed.
            let _permit = permits.acquire_owned().await.ok();
            let mut last = Instant::now();
            let note = |tally: Tally| {
                current(&told).tally = Tally { removed: tally.removed + sweep.removed_before, ..tally };
                if last.elapsed() >= NEWS_PERIOD {
                    last = Instant::now();
                    let _ = news.send(key_of_run.clone());
                }
            };
            let trust = aim.want.trust.as_ref();
            let swept = probe::sweep::sweep(&server, &aim.login, trust, &aim.want.instance_name, &sweep, note).await;
            current(&told).state = match swept {
                Ok(_) => State::Done,
                Err(fault) => State::Failing { why: unanswered::in_words(&fault), at: clock() },
            };
            let _ = news.send(key_of_run);
        });
        runs.insert(key.clone(), Run { sweep: wanted, progress, task: task.abort_handle() });
    }

    /// Ends the sweep of a cache that is gone.
    pub fn forget(&self, key: &TokenCacheRef) {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

fn may_begin_again(state: &State, now: Timestamp) -> bool {
    match state {
        State::Running | State::Done => false,
        State::Failing { at, .. } => now.duration_since(*at) >= AGAIN_AFTER || now < *at - SignedDuration::from_mins(1),
    }
}

fn current(progress: &Mutex<Progress>) -> std::sync::MutexGuard<'_, Progress> {
    progress.lock().unwrap_or_else(PoisonError::into_inner)
}
