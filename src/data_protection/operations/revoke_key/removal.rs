//! The removal of what revoked keys encrypted. Processes go on with the ring that they have read: what they store after a sweep
//! would be there again. So it is complete only with a sweep that was begun when no process ran any more that had started
//! before the revocation was in its files.
//!
//! In: when the revocation was published, the pods that use the ring, how far sweeps are, the time. Out: the [`Next`] step, and
//! what is waited for. Nothing is remembered beyond what the status says.
//!
//! ```text
//! published ──▶ a sweep ──▶ AwaitingRestart, while older processes run ──▶ the last sweep ──▶ Completed
//! ```
//!
//! How long a process runs is not ours to say: it is waited for as long as it takes. Where pods cannot be listed, it is
//! waited until each process has read the ring by itself.

use jiff::{SignedDuration, Timestamp};

use crate::{
    api::v1alpha1::{OperationStage, OperationStatus, Remedy},
    capability::{
        progress::{Progress, State, Step},
        time::{after, whole},
    },
    condition::Message,
    data_protection::operations::readers::{Behind, Readers},
    kubernetes::read::process::Processes,
};

/// How often the pods are looked at while they are waited for: nobody tells when they are restarted.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(30);

/// What a removal is read from.
#[derive(Debug, Clone, Copy)]
pub struct Removal<'seen> {
    /// What the status says of the request.
    pub before: Option<&'seen OperationStatus>,
    /// How far the latest sweep for the request is.
    pub progress: Option<&'seen Progress>,
    /// The pods that use the ring.
    pub processes: &'seen Processes,
    /// The namespace.
    pub namespace: &'seen str,
    /// The time.
    pub now: Timestamp,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// The revocation has just been seen to be published: the next pass goes on.
    Published,
    /// A sweep is to be made.
    Sweep(Step),
    /// Processes are waited for.
    Wait {
        /// Which, and what to do.
        what: Message,
        /// When it is to be looked at again.
        wake_at: Timestamp,
    },
    /// All is removed.
    Done,
}

impl Removal<'_> {
    /// What comes next.
    #[must_use]
    pub fn next(&self) -> Next {
        let Some(published) = self.before.and_then(|before| before.published.as_ref()) else { return Next::Published };
        let waits = self.waits(published.0);
        let state = |step| self.progress.filter(|progress| progress.id.step == step).map(|progress| &progress.state);
        let was_swept = self.before.is_some_and(|before| before.stage == OperationStage::AwaitingRestart);
        match (state(Step::Remove), state(Step::RemoveLast), waits) {
            // It was begun when nobody had to be waited for, and whoever has started since has read the revocation.
            (_, Some(State::Done), _) => Next::Done,
            (_, Some(State::Running), _) => Next::Sweep(Step::RemoveLast),
            (Some(State::Running), _, _) => Next::Sweep(Step::Remove),
            (_, _, None) => Next::Sweep(Step::RemoveLast),
            (Some(State::Done), _, Some(wait)) => wait,
            (None, None, Some(wait)) if was_swept => wait,
            (_, _, Some(_)) => Next::Sweep(Step::Remove),
        }
    }

    /// Whom it has to wait for; nobody where every process that runs has read the revocation.
    fn waits(&self, published: Timestamp) -> Option<Next> {
        let readers = Readers { published, processes: self.processes, namespace: self.namespace, now: self.now };
        let (readable, read) = (readers.readable(), readers.read_by());
        let look_again = after(self.now, LOOK_AGAIN);
        match readers.behind()? {
            Behind::Unknown => (self.now < read).then(|| Next::Wait { what: self.unknown(read), wake_at: read }),
            Behind::Pods(outdated) => {
                let what = format!("Pods that read the ring before may store more, and are waited for: {outdated}");
                let what = Message::from(what).remedies(readers.restart(&outdated));
                Some(Next::Wait { what, wake_at: look_again })
            }
            Behind::Starting => {
                let what = format!("A pod that starts before {} may store more", whole(readable)).into();
                Some(Next::Wait { what, wake_at: readable.min(look_again) })
            }
        }
    }

    fn unknown(&self, read: Timestamp) -> Message {
        Message::from(format!(
            "What older pods store is removed at {}; the operator cannot list the pods of namespace {}",
            whole(read),
            self.namespace
        ))
        .remedy(Remedy::free("restart the workloads that use the ring"))
        .remedy(Remedy::look("see the operator's log for why it cannot list pods"))
    }
}
