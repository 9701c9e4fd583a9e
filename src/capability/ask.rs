//! What a decision would know better, and what came of asking.
//!
//! In: nothing. Out: an [`Ask`], as a capability makes it, and the [`Answers`] of a pass. Each is asked once in a pass, and what
//! cannot be found out is unknown, which is never the same as "no".

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use jiff::Timestamp;

use crate::kubernetes::read::{
    process::Processes,
    workload::{Consumers, Source},
};

/// What a decision would know better.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// The pods that use any of these, by a look that is no older than this.
    Processes(Vec<Source>, Timestamp),
    /// The workloads that use any of these.
    Consumers(Vec<Source>),
    /// Which of these addresses are those of pods of the namespace.
    Addresses(BTreeSet<IpAddr>),
    /// The names of Secrets under which what outlives the cache may stand, as they are at this moment, whichever labels they have
    /// lost.
    LastingSecrets,
    /// What is known to stand under these names of Secrets, whichever labels it has.
    Secrets(BTreeSet<String>),
    /// What stands under this name of a Secret at this moment, whichever labels it has.
    Secret(String),
    /// How large the volume of the claim of this name is.
    Volume(String),
}

/// The volume of a claim.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Volume {
    /// Nobody has read the claim, or it cannot be read.
    #[default]
    Unknown,
    /// There is no claim.
    Absent,
    /// It is so large, or is to be, in bytes.
    Holds(u64),
}

/// What was asked for in a pass, and what came of it.
#[derive(Default)]
pub struct Answers {
    /// By what they use.
    pub processes: BTreeMap<Vec<Source>, Processes>,
    /// By what they use.
    pub consumers: BTreeMap<Vec<Source>, Consumers>,
    /// By the addresses that were asked about; `None` where it could not be found out.
    pub addresses: Option<Option<BTreeSet<IpAddr>>>,
    /// What [`Ask::LastingSecrets`] has found.
    pub lasting: Option<BTreeSet<String>>,
    /// The names of [`Ask::Secrets`].
    pub secrets: BTreeSet<String>,
    /// The names of [`Ask::Secret`].
    pub secrets_now: BTreeSet<String>,
    /// By the name of the claim.
    pub volumes: BTreeMap<String, Volume>,
}

impl Answers {
    /// Whether this was asked for, however that went. A second time, it would be answered the same.
    #[must_use]
    pub fn has(&self, ask: &Ask) -> bool {
        match ask {
            Ask::Processes(of, _) => self.processes.contains_key(of),
            Ask::Consumers(of) => self.consumers.contains_key(of),
            Ask::Addresses(_) => self.addresses.is_some(),
            Ask::LastingSecrets => self.lasting.is_some(),
            Ask::Secrets(names) => names.is_subset(&self.secrets),
            Ask::Secret(name) => self.secrets_now.contains(name),
            Ask::Volume(claim) => self.volumes.contains_key(claim),
        }
    }

    /// The pods that use any of these.
    #[must_use]
    pub fn processes(&self, of: &[Source]) -> Processes {
        self.processes.get(of).cloned().unwrap_or(Processes::Unknown)
    }

    /// The workloads that use any of these.
    #[must_use]
    pub fn consumers(&self, of: &[Source]) -> Consumers {
        self.consumers.get(of).cloned().unwrap_or(Consumers::Unknown)
    }

    /// Those of the addresses that were asked about which pods of the namespace have; `None` where that is not known.
    #[must_use]
    pub fn addresses(&self) -> Option<&BTreeSet<IpAddr>> {
        self.addresses.as_ref()?.as_ref()
    }
}
