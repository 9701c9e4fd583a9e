//! Whether a server's memory suffices.
//!
//! In: two readings, one after the other. Out: the signs that it does not, and how much would.

use super::{Reading, told_for};

/// The most that a cache can be given: what the schema allows.
const MOST: u64 = 1 << 40;
/// How many times as much is proposed at most. What was evicted may have been written anew and evicted again, so that
/// the sum of it overstates what is missing.
const GROWTH: u64 = 4;

/// Whether a server's memory suffices.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Memory {
    /// A single look cannot tell.
    #[default]
    NotYetKnown,
    /// It does.
    Sufficient,
    /// It does not.
    Short {
        /// What shows it.
        sign: Sign,
        /// `maxmemory` at that time, in bytes.
        of: u64,
        /// A `maxmemory` that would suffice, in bytes; `None` where there is no more to be had.
        proposal: Option<u64>,
    },
}

/// What shows that memory is short. The worst comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// Writes were refused.
    Refused {
        /// Whether writes are taken again, as far as that can be told.
        is_over: bool,
    },
    /// Entries were evicted.
    Evicted {
        /// So many since it began: 1, 10, 100 and so on.
        at_least: u64,
    },
    /// Nine tenths were used at two looks running.
    NearlyFull,
}

/// What is remembered of the signs.
#[derive(Debug, Clone, Default)]
pub(super) struct Pressure {
    refused_for: u32,
    evicted_for: u32,
    full_for: u32,
    was_full: bool,
    /// Entries evicted since the first that is told.
    evicted: u64,
    /// The most that would have been used.
    needed: u64,
}

impl Pressure {
    /// Adds a reading.
    pub(super) fn note(&mut self, before: Option<&Reading>, now: &Reading) -> Memory {
        let is_full = now.max_memory > 0 && now.used_memory >= now.max_memory / 10 * 9;
        let Some(before) = before else {
            self.was_full = is_full;
            return Memory::NotYetKnown;
        };
        if before.max_memory != now.max_memory {
            // What was seen was about another amount.
            *self = Self { was_full: is_full, ..Self::default() };
            return Memory::Sufficient;
        }
        // Somebody may have set the counters back to zero (CONFIG RESETSTAT).
        let evicted = now.evicted.saturating_sub(before.evicted);
        self.evicted_for = told_for(self.evicted_for, evicted > 0);
        self.refused_for = told_for(self.refused_for, now.refused > before.refused);
        self.full_for = told_for(self.full_for, is_full && self.was_full);
        self.was_full = is_full;
        self.evicted = if self.evicted_for > 0 { self.evicted + evicted } else { 0 };
        let is_refusing = now.refused > before.refused || is_brimful(now) && evicted == 0;
        let sign = if self.refused_for > 0 {
            Sign::Refused { is_over: !is_refusing }
        } else if self.evicted_for > 0 {
            Sign::Evicted { at_least: 10_u64.pow(self.evicted.max(1).ilog10()) }
        } else if self.full_for > 0 {
            Sign::NearlyFull
        } else {
            self.needed = 0;
            return Memory::Sufficient;
        };
        let each = now.dataset.checked_div(now.keys).unwrap_or_default();
        self.needed = self.needed.max(now.used_memory.saturating_add(self.evicted.saturating_mul(each)));
        Memory::Short { sign, of: now.max_memory, proposal: proposal(now.max_memory, self.needed) }
    }
}

/// Whether the next write would be refused where nothing is evicted. What clients hold makes the amount go up and down a little.
fn is_brimful(reading: &Reading) -> bool {
    reading.max_memory > 0 && reading.used_memory >= reading.max_memory / 100 * 99
}

/// The next amount that holds what is needed and a quarter more, from 16Mi, 24Mi, 32Mi, 48Mi and so on.
fn proposal(of: u64, needed: u64) -> Option<u64> {
    let enough = needed.saturating_add(needed / 4).min(of.saturating_mul(GROWTH)).min(MOST);
    let mut steps = (24..=40).flat_map(|power| [1_u64 << power, 3 << (power - 1)]);
    steps.find(|&step| step > of && step >= enough && step <= MOST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::look::load::TOLD_FOR;

    const MIB: u64 = 1 << 20;

    fn reading(used: u64, evicted: u64, refused: u64) -> Reading {
        Reading {
            used_memory: used * MIB,
            dataset: 64 * MIB,
            keys: 64 << 10,
            max_memory: 256 * MIB,
            evicted,
            refused,
            ..Reading::default()
        }
    }

    /// What each of these looks says, the first of which says nothing.
    fn told(readings: &[Reading]) -> Vec<Memory> {
        let mut pressure = Pressure::default();
        assert_eq!(pressure.note(None, &readings[0]), Memory::NotYetKnown);
        readings.windows(2).map(|pair| pressure.note(Some(&pair[0]), &pair[1])).collect()
    }

    fn short(sign: Sign, proposal: u64) -> Memory {
        Memory::Short { sign, of: 256 * MIB, proposal: Some(proposal * MIB) }
    }

    #[test]
    fn what_was_evicted_before_the_first_look_is_no_sign() {
        assert_eq!(told(&[reading(10, 500, 7), reading(10, 500, 7)]), [Memory::Sufficient]);
    }

    #[test]
    fn evictions_are_told_for_some_looks_after_the_last_and_then_no_more() {
        let looks = usize::try_from(TOLD_FOR).unwrap();
        let mut readings = vec![reading(200, 0, 0), reading(200, 5, 0)];
        readings.extend(std::iter::repeat_n(reading(200, 5, 0), looks));
        let told = told(&readings);
        assert_eq!(told[..looks], vec![short(Sign::Evicted { at_least: 1 }, 384); looks]);
        assert_eq!(told[looks], Memory::Sufficient);
    }

    #[test]
    fn evictions_that_go_on_are_told_in_coarse_steps_and_propose_what_would_hold_them() {
        let evicted = |number| Sign::Evicted { at_least: number };
        let counts = [0, 12, 40, 99, 100, 300_000, 900_000];
        let told = told(&counts.map(|evicted| reading(250, evicted, 0)));
        assert_eq!(
            told,
            [
                short(evicted(10), 384),
                short(evicted(10), 384),
                short(evicted(10), 384),
                short(evicted(100), 384),
                short(evicted(100_000), 768),
                short(evicted(100_000), 1024),
            ],
            "of 1 KiB each, and never more than four times as much"
        );
    }

    #[test]
    fn refused_writes_come_first_and_are_over_once_there_is_room_or_room_is_made() {
        let refused = |is_over| short(Sign::Refused { is_over }, 384);
        assert_eq!(told(&[reading(255, 0, 0), reading(256, 3, 1)]), [refused(false)]);
        let full = [reading(255, 0, 0), reading(256, 0, 1), reading(256, 0, 1), reading(256, 0, 2)];
        assert_eq!(told(&full), [refused(false); 3], "nobody has written meanwhile");
        let freed = [reading(255, 0, 0), reading(256, 0, 1), reading(200, 0, 1)];
        assert_eq!(told(&freed), [refused(false), refused(true)]);
        let evicting = [reading(255, 0, 0), reading(256, 0, 1), reading(256, 1, 1)];
        assert_eq!(told(&evicting), [refused(false), refused(true)]);
    }

    #[test]
    fn nine_tenths_are_told_when_they_are_used_twice_running() {
        let told = told(&[231, 200, 231, 232, 200].map(|used| reading(used, 0, 0)));
        let full = short(Sign::NearlyFull, 384);
        assert_eq!(told, [Memory::Sufficient, Memory::Sufficient, full, full]);
    }

    #[test]
    fn counters_that_were_set_back_and_another_amount_are_no_sign() {
        assert_eq!(told(&[reading(200, 9, 9), reading(200, 0, 0)]), [Memory::Sufficient]);
        let more = Reading { max_memory: 512 * MIB, ..reading(240, 9, 0) };
        let told = told(&[reading(240, 0, 0), reading(240, 5, 0), more.clone(), more]);
        assert_eq!(told[1..], [Memory::Sufficient, Memory::Sufficient]);
    }

    #[test]
    fn the_proposal_is_a_round_amount_above_what_there_is() {
        assert_eq!(proposal(16 * MIB, 16 * MIB), Some(24 * MIB));
        assert_eq!(proposal(100 * MIB, 90 * MIB), Some(128 * MIB));
        assert_eq!(proposal(256 * MIB, u64::MAX), Some(1024 * MIB));
        assert_eq!(proposal(MOST, MOST), None);
        assert_eq!(proposal(MOST - 1, MOST), Some(MOST));
    }
}
