//! How a server is used: what one look after another adds up to.
//!
//! In: what each look read. Out: [`Usage`], whose values stay equal while there is nothing else to say, however the numbers
//! behind them move: amounts are told in coarse steps and only grow while a trouble lasts, and a trouble is told for
//! [`TOLD_FOR`] looks after it was last seen, so that one which comes and goes is neither missed nor reported again and
//! again. After that it is gone by itself: nothing is latched. It reads no clock and talks to nobody.

pub mod latency;
pub mod memory;

use std::time::Duration;

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
    /// About how many entries it holds; `None` where nothing was read yet.
    pub entries: Option<u64>,
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

/// For how long a write shows that somebody is logged in, in microseconds.
const WRITTEN_FOR: u64 = 10_000_000;

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
    usage: Usage,
    late: u32,
    /// The server's time when an entry was seen to have been written last.
    written: Option<u64>,
}

impl History {
    /// What was added up so far.
    #[must_use]
    pub fn usage(&self) -> &Usage {
        &self.usage
    }

    /// Whether an entry was written between the last two looks, or a moment before: somebody is logged in, if for a moment only.
    /// Two looks may follow each other within less than an application takes for another connection.
    #[must_use]
    pub fn is_written_to(&self) -> bool {
        let last = self.before.as_ref().zip(self.written);
        last.is_some_and(|(last, written)| last.time.saturating_sub(written) < WRITTEN_FOR)
    }

    /// Since when a slow command is of interest, as the server's time: the look before, where this one is slow.
    #[must_use]
    pub fn slow_since(&self, reading: &Reading, round_trip: Duration) -> Option<u64> {
        let before = self.before.as_ref().filter(|before| before.run == reading.run)?;
        latency::is_slow(before, reading, round_trip).then_some(before.time)
    }

    /// Begins anew where the server was started since, and says whether it was.
    pub fn meet(&mut self, reading: &Reading) -> bool {
        let is_new = self.before.as_ref().is_some_and(|before| before.run != reading.run);
        if is_new {
            *self = Self::default();
        }
        is_new
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

    /// Adds what a look read, where the biggest entry has this many bytes. Comes after [`Self::meet`].
    pub fn note(&mut self, reading: Reading, round_trip: Duration, slow: Option<SlowCommand>, biggest: u64) {
        let before = self.before.as_ref();
        if before.is_some_and(|before| reading.writes.count > before.writes.count) {
            self.written = Some(reading.time);
        }
        self.usage = Usage {
            memory: self.pressure.note(before, &reading),
            latency: self.slowness.note(before, &reading, round_trip, slow, biggest),
            entries: Some(about(self.usage.entries, reading.keys)),
        };
        self.before = Some(reading);
    }
}

/// About how many there are: two digits of the number, which stay while it moves by less than a quarter.
fn about(told: Option<u64>, now: u64) -> u64 {
    let holds = |told: &u64| (told.saturating_mul(3)..=told.saturating_mul(5)).contains(&now.saturating_mul(4));
    let step = 10_u64.pow(now.max(1).ilog10().saturating_sub(1));
    told.filter(holds).unwrap_or(now / step * step)
}

/// How many more looks tell of something, after one that saw it or did not.
fn told_for(left: u32, seen: bool) -> u32 {
    if seen { TOLD_FOR } else { left.saturating_sub(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_written_to_for_some_seconds_after_a_look_that_saw_it() {
        let mut history = History::default();
        let mut look = |second: u64, count: u64| {
            let writes = Calls { count, spent: 0 };
            let reading = Reading { time: second * 1_000_000, writes, ..Reading::default() };
            history.meet(&reading);
            history.note(reading, Duration::ZERO, None, 0);
            history.is_written_to()
        };
        let looks = [(0, 5), (30, 5), (60, 9), (61, 9), (75, 9), (76, 10), (106, 10)];
        let seen = looks.map(|(second, count)| look(second, count));
        assert_eq!(seen, [false, false, true, true, false, true, false]);
    }

    #[test]
    fn the_number_of_entries_stays_while_it_moves_a_little() {
        let mut told = None;
        let mut tell = |now| {
            told = Some(about(told, now));
            told.unwrap()
        };
        assert_eq!([0, 1, 7, 8].map(&mut tell), [0, 1, 7, 7]);
        assert_eq!([1_214, 1_499, 901, 1_501, 100, 0].map(&mut tell), [1_200, 1_200, 1_200, 1_500, 100, 0]);
        assert_eq!(tell(u64::MAX), 18_000_000_000_000_000_000);
    }
}
