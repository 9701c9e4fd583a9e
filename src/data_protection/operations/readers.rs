//! Who goes on with the ring as it was before something was published in it.
//!
//! In: when it was published, the pods that use the ring, the time. Out: whether all have it, and who may not. It says nothing of
//! what that leads to.

use jiff::Timestamp;

use crate::{
    api::v1alpha1::{OperationStatus, Remedy},
    capability::time::{after, whole},
    data_protection::ring::schedule::RELOAD,
    kubernetes::read::process::{KUBELET_DELAY, Outdated, Processes},
};

/// The pods that use a ring, in which something was published.
#[derive(Debug, Clone, Copy)]
pub struct Readers<'seen> {
    /// When it was published.
    pub published: Timestamp,
    /// The pods.
    pub processes: &'seen Processes,
    /// Their namespace.
    pub namespace: &'seen str,
    /// The time.
    pub now: Timestamp,
}

/// Who may not have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Behind {
    /// Nobody knows.
    Unknown,
    /// These.
    Pods(Outdated),
    /// Only a pod that starts now.
    Starting,
}

/// Since when a process that starts has read what was published at this time.
#[must_use]
pub fn readable_from(published: Timestamp) -> Timestamp {
    after(published, KUBELET_DELAY)
}

/// How old a look at the pods may be that is to show all those that may have read the ring before.
#[must_use]
pub fn looks_since(entry: &OperationStatus, now: Timestamp) -> Option<Timestamp> {
    let published = entry.published.as_ref()?.0;
    let readable = readable_from(published);
    Some(if now < readable { published } else { readable })
}

impl Readers<'_> {
    /// Since when a process that starts has read it.
    #[must_use]
    pub fn readable(&self) -> Timestamp {
        readable_from(self.published)
    }

    /// When every process has read it by itself.
    #[must_use]
    pub fn read_by(&self) -> Timestamp {
        after(self.readable(), RELOAD)
    }

    /// Who may not have it; `None` where every process that runs has it.
    #[must_use]
    pub fn behind(&self) -> Option<Behind> {
        let Some(outdated) = self.processes.started_before(self.readable(), self.now) else {
            return Some(Behind::Unknown);
        };
        // No kubelet has anything of it: whoever starts later reads what is published by now.
        if self.processes.is_nobody(self.now) {
            None
        } else if !outdated.is_empty() {
            Some(Behind::Pods(outdated))
        } else {
            (self.now < self.readable()).then_some(Behind::Starting)
        }
    }

    /// How these are restarted; `None` where all of them are being deleted already.
    #[must_use]
    pub fn restart(&self, outdated: &Outdated) -> Option<Remedy> {
        restart(outdated, self.namespace, self.readable(), self.now)
    }
}

/// How pods are restarted that have not read what a process reads which starts at this time or later; `None` where all of them are
/// being deleted already.
#[must_use]
pub fn restart(outdated: &Outdated, namespace: &str, readable: Timestamp, now: Timestamp) -> Option<Remedy> {
    let workloads = outdated.workloads();
    let remedy = Remedy::free(format!("restart {workloads}{}", when(readable, now)));
    let command = outdated.restart(namespace);
    (!workloads.is_empty()).then_some(Remedy { command, ..remedy })
}

/// When something is to be restarted, as the end of a sentence: nothing where that may be now.
#[must_use]
pub fn when(readable: Timestamp, now: Timestamp) -> String {
    if now < readable { format!(" after {}", whole(readable)) } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_protection::ring::certificates;

    #[test]
    fn a_certificate_takes_as_long_to_a_pod_as_a_key() {
        let published = Timestamp::UNIX_EPOCH;
        assert_eq!(certificates::readable_from(published), readable_from(published));
    }
}
