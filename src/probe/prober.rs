//! When servers are looked at: every cache on a cadence of its own, whatever its `TokenCache` does.
//!
//! In: what a pass wants looked at. Out: the latest sample of each server, and a nudge for the controller when one says
//! something new. A frozen server delays its own cache only. A correction is kept until a pass has told of it. It decides
//! nothing about health.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::future::join_all;
use jiff::Timestamp;
use tokio::{
    sync::{Semaphore, mpsc, watch},
    task::AbortHandle,
    time::sleep,
};

use super::{Probe, wire::Limits};
use crate::{
    capability::token_cache::TokenCacheRef,
    entries::look::payloads::Counted,
    entries::look::{Inspection, Look},
    redis::{
        desired::ProbeTarget,
        look::{
            Desired, Sample, Server,
            answer::{Role, ShutOut},
            drift::{Correction, Drift, Parameter},
        },
    },
};

/// How many servers are looked at at the same time. A look takes at most five seconds, so even where every server of the
/// cluster is frozen, fifteen hundred of them are looked at within 30 s.
const CONCURRENT_LOOKS: usize = 256;
/// So many periods after its start a server says something by who is connected: two minutes at the usual period.
const RECONNECT: u32 = 4;
/// The pause after a look that may have found every application shut out: long enough that one that is not has written since.
const SUSPICION: Duration = Duration::from_secs(12);
/// The first pause after a look that failed; it doubles up to the period.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// When servers are looked at, and what was seen last.
pub struct Prober {
    shared: Arc<Shared>,
    rounds: Arc<Mutex<HashMap<TokenCacheRef, Round>>>,
}

struct Shared {
    probe: Probe,
    permits: Semaphore,
    period: Duration,
    is_there: Box<dyn Fn(&TokenCacheRef) -> bool + Send + Sync>,
    news: mpsc::UnboundedSender<TokenCacheRef>,
}

/// What the latest looks at a cache's servers show.
#[derive(Default)]
pub struct Looks {
    /// Of each server.
    pub samples: Vec<Sample>,
    /// What those of them that have an answer show of entries.
    pub entries: Vec<Look>,
}

/// What is to be looked at: servers, and their entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The servers.
    pub aim: ProbeTarget,
    /// Their entries.
    pub inspection: Inspection,
}

/// The looks at one cache's servers.
struct Round {
    aim: watch::Sender<Arc<Target>>,
    latest: Arc<Mutex<Latest>>,
    task: AbortHandle,
}

/// What was seen last.
#[derive(Default)]
struct Latest {
    samples: Vec<Sample>,
    /// What those of them that have an answer show of entries.
    entries: Vec<Look>,
    /// What was corrected and no pass has reported yet.
    untold: HashMap<Server, Vec<Drift>>,
}

impl Prober {
    /// A prober, which goes on while a cache is there, and the stream of those about which there is news.
    #[must_use]
    pub fn new(
        period: Duration,
        clock: fn() -> Timestamp,
        is_there: impl Fn(&TokenCacheRef) -> bool + Send + Sync + 'static,
    ) -> (Self, mpsc::UnboundedReceiver<TokenCacheRef>) {
        let (news, heard) = mpsc::unbounded_channel();
        let shared = Shared {
            probe: Probe::new(Limits { reconnect: period * RECONNECT, ..Limits::default() }, clock),
            permits: Semaphore::new(CONCURRENT_LOOKS),
            period,
            is_there: Box::new(is_there),
            news,
        };
        (Self { shared: Arc::new(shared), rounds: Arc::default() }, heard)
    }

    /// Looks at these servers from now on; at once, where something about them is new.
    pub fn aim(&self, key: &TokenCacheRef, aim: Target) {
        let mut rounds = self.rounds.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(round) = rounds.get(key).filter(|round| !round.task.is_finished()) {
            round.aim.send_if_modified(|current| {
                let changed = **current != aim;
                if changed {
                    *current = Arc::new(aim);
                }
                changed
            });
            return;
        }
        // Until there is a server, nothing is to be done for this cache.
        if aim.aim.servers.is_empty() {
            return;
        }
        let (sender, receiver) = watch::channel(Arc::new(aim));
        let latest = Arc::new(Mutex::default());
        let task = tokio::spawn(round(Arc::clone(&self.shared), key.clone(), receiver, Arc::clone(&latest)));
        rounds.insert(key.clone(), Round { aim: sender, latest, task: task.abort_handle() });
    }

    /// Corrects nothing from now on, and goes on looking as before.
    pub fn hold(&self, key: &TokenCacheRef) {
        let rounds = self.rounds.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(round) = rounds.get(key) {
            round.aim.send_if_modified(|target| {
                let corrects = target.aim.want.correct;
                if corrects {
                    Arc::make_mut(target).aim.want.correct = false;
                }
                corrects
            });
        }
    }

    /// The latest sample of each server of a cache, and what those with an answer show of entries.
    #[must_use]
    pub fn latest(&self, key: &TokenCacheRef) -> Looks {
        let rounds = self.rounds.lock().unwrap_or_else(PoisonError::into_inner);
        let latest = |round: &Round| {
            let latest = round.latest.lock().unwrap_or_else(PoisonError::into_inner);
            Looks { samples: latest.samples.clone(), entries: latest.entries.clone() }
        };
        rounds.get(key).map(latest).unwrap_or_default()
    }

    /// Tells what the latest look counted of the entries of each cache, whenever it is asked.
    pub fn counted(&self) -> impl Fn() -> Vec<Counted> + Send + Sync + 'static {
        let rounds = Arc::clone(&self.rounds);
        move || {
            let rounds = rounds.lock().unwrap_or_else(PoisonError::into_inner);
            let mut counted: Vec<Counted> = rounds.iter().filter_map(|(key, round)| round.counted(key)).collect();
            counted.sort_by(|one, other| one.of.cmp(&other.of));
            counted
        }
    }

    /// Takes note that a pass has reported these samples, so that what they corrected need not be kept.
    pub fn told(&self, key: &TokenCacheRef, samples: &[Sample]) {
        let rounds = self.rounds.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(round) = rounds.get(key) {
            let mut latest = round.latest.lock().unwrap_or_else(PoisonError::into_inner);
            if says_the_same(&latest.samples, samples) {
                latest.untold.clear();
            }
        }
    }

    /// Looks at a cache's servers no more.
    pub fn forget(&self, key: &TokenCacheRef) {
        let gone = self.rounds.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        if let Some(round) = gone {
            round.task.abort();
            let servers = round.aim.borrow().aim.servers.clone();
            self.shared.probe.forget(|server| servers.contains(server));
        }
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        let mut rounds = self.rounds.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, round) in rounds.drain() {
            round.task.abort();
        }
    }
}

impl Round {
    /// What the latest look at the primary counted; `None` where it gave no answer.
    fn counted(&self, key: &TokenCacheRef) -> Option<Counted> {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let is_primary =
            |sample: &&Sample| sample.outcome.as_ref().is_ok_and(|answer| answer.role == Some(Role::Primary));
        let primary = latest.samples.iter().find(is_primary)?;
        let counts = latest.entries.iter().find(|look| look.server == primary.server)?.counts.clone();
        Some(Counted { of: key.clone(), counts })
    }
}

async fn round(
    shared: Arc<Shared>,
    key: TokenCacheRef,
    mut aim: watch::Receiver<Arc<Target>>,
    latest: Arc<Mutex<Latest>>,
) {
    let mut retry = FIRST_RETRY;
    let mut known: Vec<Server> = Vec::new();
    let mut wanted: Option<Arc<Target>> = None;
    while (shared.is_there)(&key) {
        let target = aim.borrow_and_update().clone();
        let current = &target.aim;
        shared.probe.forget(|server| known.contains(server) && !current.servers.contains(server));
        let looks = join_all(current.servers.iter().map(|server| look(&shared, server, &target))).await;
        let (mut samples, entries): (Vec<Sample>, Vec<Option<Look>>) = looks.into_iter().unzip();
        let entries: Vec<Look> = entries.into_iter().flatten().collect();
        known.clone_from(&current.servers);
        if let Some(before) = &wanted {
            for sample in &mut samples {
                tell_from_drift(sample, &before.aim.want, &current.want);
            }
        }
        let healthy = samples.iter().all(|sample| sample.outcome.is_ok());
        // What was only looked at is still what the servers had before.
        if healthy && !samples.is_empty() && current.want.correct {
            wanted = Some(Arc::clone(&target));
        }
        let answers = || samples.iter().flat_map(|sample| &sample.outcome);
        // A certificate that is on its way to the pod is looked for again soon.
        let settled = healthy && answers().all(|answer| !answer.is_in_flux());
        let pause = if !settled {
            retry.min(shared.period)
        } else if answers().any(|answer| answer.shut_out == ShutOut::Perhaps) {
            SUSPICION.min(shared.period)
        } else {
            shared.period
        };
        retry = if settled { FIRST_RETRY } else { retry.saturating_mul(2) };
        let news = {
            let mut latest = latest.lock().unwrap_or_else(PoisonError::into_inner);
            latest.keep_corrections(&mut samples);
            let same = |before: &[Look], after: &[Look]| {
                before.len() == after.len() && before.iter().zip(after).all(|(one, other)| one.says_the_same_as(other))
            };
            let news = !says_the_same(&latest.samples, &samples) || !same(&latest.entries, &entries);
            (latest.samples, latest.entries) = (samples, entries);
            news
        };
        if news && shared.news.send(key.clone()).is_err() {
            break;
        }
        tokio::select! {
            () = sleep(pause) => {}
            changed = aim.changed() => match changed {
                Ok(()) => retry = FIRST_RETRY,
                Err(_) => break,
            },
        }
    }
    shared.probe.forget(|server| known.contains(server));
}

async fn look(shared: &Shared, server: &Server, Target { aim, inspection }: &Target) -> (Sample, Option<Look>) {
    // The semaphore is never closed; a look without a permit would still be a look.
    let _permit = shared.permits.acquire().await.ok();
    shared.probe.sample(server, &aim.login, &aim.want, inspection).await
}

impl Latest {
    /// Adds to new samples what earlier ones corrected and nobody has heard of yet, also where a look between them failed.
    fn keep_corrections(&mut self, samples: &mut [Sample]) {
        self.untold.retain(|server, _| samples.iter().any(|sample| sample.server == *server));
        for sample in samples {
            let Ok(answer) = &mut sample.outcome else { continue };
            let untold = self.untold.entry(sample.server.clone()).or_default();
            untold.retain(|drift| answer.drift.iter().all(|newer| newer.parameter != drift.parameter));
            let mut corrected = Vec::new();
            for drift in answer.drift.iter_mut().filter(|drift| drift.correction.is_done()) {
                drift.corrected_at = Some(sample.taken);
                corrected.push(drift.clone());
            }
            answer.drift.extend_from_slice(untold);
            untold.extend(corrected);
        }
    }
}

/// What was wanted before is no drift: nobody changed it but whoever wants something else now. Of the spec nothing need be
/// told; of another password it must be where no earlier one is valid any more, since applications that read that one are
/// refused from now on.
fn tell_from_drift(sample: &mut Sample, before: &Desired, now: &Desired) {
    let Ok(answer) = &mut sample.outcome else { return };
    for drift in &mut answer.drift {
        if drift.correction == Correction::Corrected && before.was_met_by(drift, now) {
            drift.correction = Correction::Followed;
        }
    }
    let is_news = |drift: &Drift| drift.parameter == Parameter::AppPassword && !now.keeps_a_password_of(before);
    answer.drift.retain(|drift| drift.correction != Correction::Followed || is_news(drift));
}

/// Whether two rounds differ in nothing but time.
fn says_the_same(before: &[Sample], after: &[Sample]) -> bool {
    before.len() == after.len()
        && before.iter().zip(after).all(|(before, after)| {
            before.server == after.server
                && before.outcome == after.outcome
                && before.want.asks_the_same_as(&after.want)
        })
}
