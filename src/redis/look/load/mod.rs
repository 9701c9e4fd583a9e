//! How a server is used: what one look after another adds up to.
//!
//! In: what each look read. Out: [`Usage`], whose values stay equal while there is nothing else to say, however the numbers
//! behind them move: amounts are told in coarse steps and only grow while a trouble lasts, and a trouble is told for
//! [`TOLD_FOR`] looks after it was last seen, so that one which comes and goes is neither missed nor reported again and
//! again. After that it is gone by itself: nothing is latched. It reads no clock and talks to nobody.

pub mod latency;
pub mod memory;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use crate::{
    api::v1alpha1::Inspect,
    entries::{
        entry::reader::Reader,
        look::{
            census::{Batch, Census, Entries},
            ledger::Ledger,
            payloads::{Counts, Payloads},
        },
    },
};
use latency::{Latency, SlowCommand, Slowness};
use memory::{Memory, Pressure};

/// How many more looks tell of a trouble that was seen, where they do not see it themselves: five minutes at the usual
/// period.
pub const TOLD_FOR: u32 = 10;

/// So many looks running that had no time for this make what was read before out of date.
const OUT_OF_DATE: u32 = 3;

/// How a server is used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// Whether its memory suffices.
    pub memory: Memory,
    /// Whether it answers fast enough.
    pub latency: Latency,
    /// What stands in it.
    pub entries: Entries,
    /// What the entries hold.
    pub payloads: Payloads,
}

/// What one look read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// `run_id`: another one after each start.
    pub run: String,
    /// `server_time_usec`.
    pub time: u64,
    /// `used_memory`, in bytes.
    pub used_memory: u64,
    /// `used_memory_dataset`, in bytes.
    pub dataset: u64,
    /// `maxmemory`, in bytes.
    pub max_memory: u64,
    /// `evicted_keys`.
    pub evicted: u64,
    /// `errorstat_OOM`: refused writes.
    pub refused: u64,
    /// `used_cpu_user` and `used_cpu_sys`, in microseconds.
    pub processor: u64,
    /// HMGET and HGET.
    pub reads: Calls,
    /// HMSET and HSET.
    pub writes: Calls,
    /// Keys in all databases.
    pub keys: u64,
    /// Keys of database 0, in which entries stand, and how many of them expire.
    pub database: (u64, u64),
    /// Another database that holds keys.
    pub other_database: Option<u32>,
}

/// `cmdstat_*` of INFO.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Calls {
    /// How many that did not fail.
    pub count: u64,
    /// The server's time for all of them, in microseconds.
    pub spent: u64,
}

/// What is remembered of one server from one look to the next. Nothing outlives a restart of the server.
#[derive(Debug, Clone, Default)]
pub struct History {
    before: Option<Reading>,
    pressure: Pressure,
    slowness: Slowness,
    census: Census,
    ledger: Ledger,
    swept: Option<Timestamp>,
    usage: Usage,
    late: u32,
}

impl History {
    /// What was added up so far.
    #[must_use]
    pub fn usage(&self) -> &Usage {
        &self.usage
    }

    /// The keys that were looked at so far.
    pub fn census(&mut self) -> &mut Census {
        &mut self.census
    }

    /// What was counted of payloads so far, to the last one.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.ledger.counts()
    }

    /// Goes on with what reads payloads now: what another one read of them is forgotten, and so is what was counted before
    /// entries were removed on request, which would be told for as long as the next way through the keys takes.
    pub fn read_with(&mut self, inspect: Inspect, reader: Option<&Arc<Reader>>, swept: Option<Timestamp>) {
        if self.swept != swept {
            *self = Self { census: Census::default(), ledger: Ledger::default(), swept, ..std::mem::take(self) };
        }
        if self.ledger.meet(inspect, reader) {
            self.usage.payloads = Payloads::default();
        }
    }

    /// Of so many entries of a batch, the one from which on payloads are to be looked into, and how many are left.
    #[must_use]
    pub fn turn(&self, entries: usize) -> (usize, usize) {
        self.ledger.turn(entries)
    }

    /// Since when a slow command is of interest, as the server's time: the look before, where this one is slow.
    #[must_use]
    pub fn slow_since(&self, reading: &Reading, round_trip: Duration) -> Option<u64> {
        let before = self.before.as_ref().filter(|before| before.run == reading.run)?;
        latency::is_slow(before, reading, round_trip).then_some(before.time)
    }

    /// Begins anew where the server was started since.
    pub fn meet(&mut self, reading: &Reading) {
        if self.before.as_ref().is_some_and(|before| before.run != reading.run) {
            *self = Self::default();
        }
    }

    /// Fills in what of a reading could not be read: nothing has happened since, as far as is known.
    pub fn complete(&self, reading: &mut Reading, knows_errors: bool, knows_calls: bool) {
        let Some(before) = &self.before else { return };
        if !knows_errors {
            reading.refused = reading.refused.max(before.refused);
        }
        if !knows_calls {
            (reading.reads, reading.writes) = (before.reads, before.writes);
        }
    }

    /// Takes note that a look had time to read all of this.
    pub fn was_in_time(&mut self) {
        self.late = 0;
    }

    /// Takes note that a look had no time to, and says whether so many running had none that what was read before is out of
    /// date.
    pub fn was_late(&mut self) -> bool {
        self.late = self.late.saturating_add(1);
        self.late >= OUT_OF_DATE
    }

    /// Adds what a look read. Comes after [`Self::meet`]. Without a batch what was said of keys stays.
    pub fn note(&mut self, reading: Reading, round_trip: Duration, slow: Option<SlowCommand>, batch: Option<Batch>) {
        let before = self.before.as_ref();
        let payloads = batch.as_ref().map_or_else(|| self.usage.payloads.clone(), |batch| self.ledger.note(batch));
        let entries = batch.map_or_else(|| self.usage.entries.clone(), |batch| self.census.note(batch, &reading));
        self.usage = Usage {
            memory: self.pressure.note(before, &reading),
            latency: self.slowness.note(before, &reading, round_trip, slow, self.census.biggest()),
            entries,
            payloads,
        };
        self.before = Some(reading);
    }
}

/// How many more looks tell of something, after one that saw it or did not.
fn told_for(left: u32, seen: bool) -> u32 {
    if seen { TOLD_FOR } else { left.saturating_sub(1) }
}
