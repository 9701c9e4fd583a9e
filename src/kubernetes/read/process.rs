//! The processes that use a Secret, and those of them that run since before it changed: what they have read is the earlier one.
//!
//! In: what pods were seen to use, and times. Out: which processes are outdated, in words, with the command that restarts them.
//! How a container uses the Secret makes no difference: kubelet brings a change to a mounted file, but applications read such
//! files when they start.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use jiff::{SignedDuration, Timestamp};

use super::workload::{Workload, listed, restart};

/// How many pods of a workload are told by their names.
const NAMED: usize = 2;

/// How long kubelet may take to bring a changed Secret to its pods: its period of a minute, and some. A container that starts
/// before then may read what was there before.
pub const KUBELET_DELAY: SignedDuration = SignedDuration::from_mins(2);
/// For how long after its grace period a pod that is being deleted may still run. Where it is there for longer, nobody has
/// heard of its node.
const ENDS_WITHIN: SignedDuration = SignedDuration::from_mins(1);

/// A pod that uses what was asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// What it is of.
    pub workload: Workload,
    /// Its name.
    pub pod: String,
    /// The start of the longest-running of its containers that use it: [`Timestamp::MIN`] where one runs and nobody says since
    /// when, `None` where none runs.
    pub started: Option<Timestamp>,
    /// The end of its grace period, where it is being deleted.
    pub deleted: Option<Timestamp>,
}

/// The pods that use what was asked about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Processes {
    /// It could not be found out.
    #[default]
    Unknown,
    /// These; none, perhaps.
    Known(Vec<Process>),
}

/// Pods that run since before something was changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outdated {
    /// As they are told, by their workloads.
    pods: BTreeMap<Workload, Vec<String>>,
    /// The workloads of those that nobody is deleting already.
    left: BTreeSet<Workload>,
}

impl Process {
    /// Whether it is there: a pod that should have been gone for long is not.
    fn is_there(&self, now: Timestamp) -> bool {
        self.deleted.is_none_or(|deleted| !deleted.checked_add(ENDS_WITHIN).is_ok_and(|until| until <= now))
    }
}

impl Processes {
    /// Those that run since before this time; `None` where that is not known.
    #[must_use]
    pub fn started_before(&self, time: Timestamp, now: Timestamp) -> Option<Outdated> {
        let Self::Known(processes) = self else { return None };
        let mut outdated = Outdated::default();
        for process in processes {
            if process.is_there(now) && process.started.is_some_and(|started| started < time) {
                let Process { workload, pod, deleted, .. } = process;
                let told = if deleted.is_some() { format!("{pod}, being deleted") } else { pod.clone() };
                outdated.pods.entry(workload.clone()).or_default().push(told);
                outdated.left.extend(deleted.is_none().then(|| workload.clone()));
            }
        }
        outdated.pods.values_mut().for_each(|pods| pods.sort());
        Some(outdated)
    }

    /// The start of the one that runs for longest; `None` where none has started. While it cannot be found out, one may run since
    /// ever.
    #[must_use]
    pub fn oldest_start(&self, now: Timestamp) -> Option<Timestamp> {
        let Self::Known(processes) = self else { return Some(Timestamp::MIN) };
        processes.iter().filter(|process| process.is_there(now)).filter_map(|process| process.started).min()
    }

    /// Whether there is no pod that uses it, not even one that is yet to start.
    #[must_use]
    pub fn is_nobody(&self, now: Timestamp) -> bool {
        matches!(self, Self::Known(processes) if !processes.iter().any(|process| process.is_there(now)))
    }
}

impl Outdated {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pods.is_empty()
    }

    /// Whom to restart: the workloads of those that nobody is deleting already. It is empty where there are none.
    #[must_use]
    pub fn workloads(&self) -> String {
        let names: Vec<String> = self.left.iter().map(ToString::to_string).collect();
        listed(&names, " and ")
    }

    /// The command that restarts them; `None` where there is none for what they are, or they are being deleted already.
    #[must_use]
    pub fn restart(&self, namespace: &str) -> Option<String> {
        restart(namespace, self.left.iter())
    }
}

/// For example `Deployment web (3 pods: web-1, web-2, ...)`; of several workloads, how many pods each has: `Deployment web (3 pods)
/// and Pod debug`.
impl fmt::Display for Outdated {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_single = self.pods.len() == 1;
        let told = self.pods.iter().map(|(workload, pods)| match pods.as_slice() {
            [only] if workload.kind == "Pod" && workload.name == *only => workload.to_string(),
            [only] if is_single => format!("{workload} (1 pod: {only})"),
            [_] => format!("{workload} (1 pod)"),
            pods if !is_single => format!("{workload} ({} pods)", pods.len()),
            pods if pods.len() <= NAMED => format!("{workload} ({} pods: {})", pods.len(), pods.join(", ")),
            pods => format!("{workload} ({} pods: {}, ...)", pods.len(), pods[..NAMED].join(", ")),
        });
        formatter.write_str(&listed(&told.collect::<Vec<_>>(), " and "))
    }
}
