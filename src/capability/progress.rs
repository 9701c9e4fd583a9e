//! How far a sweep of the entries is: what its runner tells those who asked for it.
//!
//! In: nothing. Out: values that two capabilities share. It says nothing of which entries are meant.

use jiff::SignedDuration;
use jiff::Timestamp;

use crate::api::v1alpha1::OperationType;

/// How far a sweep is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Of which sweep.
    pub id: SweepId,
    /// What was counted so far.
    pub tally: Tally,
    /// How it stands.
    pub state: State,
}

/// What a sweep is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SweepId {
    /// The kind of request.
    pub operation: OperationType,
    /// The time that the request names.
    pub requested: Timestamp,
    /// Whether what is meant is counted, or removed.
    pub step: Step,
}

/// How a sweep stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It goes on.
    Running,
    /// It failed, and is begun anew a while later.
    Failing {
        /// Why, in words.
        why: String,
        /// When it failed.
        at: Timestamp,
    },
    /// Every key was looked at.
    Done,
}

/// What is done with what is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It is counted.
    Count,
    /// It is removed.
    Remove,
    /// It is removed once more, and nobody stores it any more.
    RemoveLast,
}

impl Step {
    /// Whether what is meant is removed.
    #[must_use]
    pub fn removes(self) -> bool {
        self != Self::Count
    }
}

/// What was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Keys under the prefix.
    pub keys: u64,
    /// Those of them that are meant.
    pub meant: u64,
    /// Token entries that were decrypted.
    pub readable: u64,
    /// Token entries that no known application name decrypts, though their key is there.
    pub foreign: u64,
    /// What is encrypted as Data Protection does it, and is not shown to be a token entry by anything.
    pub unidentified: u64,
    /// Entries that were too big to be read, and are left alone.
    pub too_big: u64,
    /// Those that were removed.
    pub removed: u64,
}

/// After how long a sweep that failed is begun again.
pub const AGAIN_AFTER: SignedDuration = SignedDuration::from_secs(10);

/// A count, as the status has it.
#[must_use]
pub fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl Tally {
    /// Adds what was counted beside it.
    pub fn add(&mut self, part: Self) {
        // Without `..`: something that is counted and not added does not compile.
        let Self { keys, meant, readable, foreign, unidentified, too_big, removed } = part;
        self.keys += keys;
        self.meant += meant;
        self.readable += readable;
        self.foreign += foreign;
        self.unidentified += unidentified;
        self.too_big += too_big;
        self.removed += removed;
    }
}
