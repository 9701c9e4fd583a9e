//! Whether a server answers fast enough, and why not.
//!
//! In: two readings, one after the other, and how long a PING took. Out: how slow, where the time goes, and the likely cause.

use std::time::Duration;

use super::{Calls, Reading, told_for};

/// What is still fast, in microseconds.
const ACCEPTABLE: u64 = 30_000;
/// The steps in which slowness is told, in milliseconds.
const STEPS: [u64; 6] = [30, 100, 300, 1_000, 3_000, 10_000];
/// An entry that takes so many bytes takes long: usual are some kilobytes.
const BIG: u64 = 1 << 20;

/// Whether a server answers fast enough.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Latency {
    /// A single look cannot tell.
    #[default]
    NotYetKnown,
    /// It does.
    Acceptable,
    /// It does not.
    Slow {
        /// What takes long.
        what: Slow,
        /// So many milliseconds or more: 30, 100, 300 and so on.
        at_least: u64,
        /// The likely cause.
        cause: Cause,
    },
}

/// What takes long. The more telling one is the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slow {
    /// PING, from sending it to its answer.
    RoundTrip,
    /// Reading an entry, by the server's own measure.
    Reads,
    /// Writing an entry, by the server's own measure.
    Writes,
}

/// The likely cause. The more telling one is the greater.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The way to the server: it is not busy itself.
    Network,
    /// The server's processor, which it uses up or does not get.
    Processor,
    /// Entries that are very big.
    BigEntries {
        /// The biggest that was seen has so many bytes or more: a power of two.
        at_least: u64,
    },
    /// Another command, while which every other waits. Holds its name.
    Command(String),
}

/// A command in the slow log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlowCommand {
    /// Its name, without arguments.
    pub name: String,
    /// The server's time for it, in microseconds.
    pub spent: u64,
}

/// What is remembered of slow answers.
#[derive(Debug, Clone, Default)]
pub(super) struct Slowness {
    was_slow: bool,
    told_for: u32,
    worst: Option<(Slow, u64, Cause)>,
}

/// Whether something took long since the reading before.
pub(super) fn is_slow(before: &Reading, now: &Reading, round_trip: Duration) -> bool {
    slowest(before, now, round_trip).is_some()
}

/// The most telling thing that took long, and how long, in microseconds.
fn slowest(before: &Reading, now: &Reading, round_trip: Duration) -> Option<(Slow, u64)> {
    let round_trip = u64::try_from(round_trip.as_micros()).unwrap_or(u64::MAX);
    [
        (Slow::Writes, mean(before.writes, now.writes)),
        (Slow::Reads, mean(before.reads, now.reads)),
        (Slow::RoundTrip, round_trip),
    ]
    .into_iter()
    .find(|&(_, spent)| spent > ACCEPTABLE)
}

fn mean(before: Calls, now: Calls) -> u64 {
    let spent = now.spent.saturating_sub(before.spent);
    spent.checked_div(now.count.saturating_sub(before.count)).unwrap_or_default()
}

impl Slowness {
    /// Adds a reading. What took long once may be a hiccup; twice running it is told.
    pub(super) fn note(
        &mut self,
        before: Option<&Reading>,
        now: &Reading,
        round_trip: Duration,
        command: Option<SlowCommand>,
        biggest: u64,
    ) -> Latency {
        let Some(before) = before else { return Latency::NotYetKnown };
        let slowest = slowest(before, now, round_trip);
        let repeated = slowest.is_some() && (self.was_slow || self.told_for > 0);
        self.was_slow = slowest.is_some();
        self.told_for = told_for(self.told_for, repeated);
        if self.told_for == 0 {
            self.worst = None;
            return Latency::Acceptable;
        }
        if let Some((what, spent)) = slowest {
            let cause = cause(what, before, now, command, biggest);
            let spent = step(spent);
            self.worst = Some(match self.worst.take() {
                Some(worst) => (worst.0.max(what), worst.1.max(spent), worst.2.max(cause)),
                None => (what, spent, cause),
            });
        }
        match &self.worst {
            Some((what, at_least, cause)) => Latency::Slow { what: *what, at_least: *at_least, cause: cause.clone() },
            None => Latency::Acceptable,
        }
    }
}

fn step(spent: u64) -> u64 {
    STEPS.into_iter().rev().find(|step| spent >= step * 1000).unwrap_or(STEPS[0])
}

fn cause(what: Slow, before: &Reading, now: &Reading, command: Option<SlowCommand>, biggest: u64) -> Cause {
    let of_entries = |name: &str| matches!(name, "HMGET" | "HGET" | "HMSET" | "HSET" | "UNLINK" | "DEL" | "EXPIRE");
    if let Some(other) = command.filter(|command| command.spent > ACCEPTABLE && !of_entries(&command.name)) {
        return Cause::Command(other.name);
    }
    if biggest >= BIG {
        return Cause::BigEntries { at_least: 1 << biggest.ilog2() };
    }
    let (busy, elapsed) = (now.processor.saturating_sub(before.processor), now.time.saturating_sub(before.time));
    // A command that waits for nobody and still takes long does not get the processor.
    if what != Slow::RoundTrip || busy >= elapsed / 10 * 8 { Cause::Processor } else { Cause::Network }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::look::load::TOLD_FOR;

    const FAST: Duration = Duration::from_millis(1);
    const LONG: Duration = Duration::from_millis(45);

    /// So many seconds after the first look, so much of which the processor was busy.
    fn reading(second: u64, busy: u64) -> Reading {
        Reading { time: second * 1_000_000, processor: busy * 1_000_000, ..Reading::default() }
    }

    fn slow(what: Slow, at_least: u64, cause: Cause) -> Latency {
        Latency::Slow { what, at_least, cause }
    }

    fn command(name: &str) -> SlowCommand {
        SlowCommand { name: name.to_owned(), spent: 120_000 }
    }

    /// What the second of two looks says, when both see the same.
    fn told(now: &Reading, round_trip: Duration, command: Option<SlowCommand>, biggest: u64) -> Latency {
        let mut slowness = Slowness::default();
        let before = reading(0, 0);
        assert_eq!(slowness.note(None, &before, round_trip, None, biggest), Latency::NotYetKnown);
        assert_eq!(slowness.note(Some(&before), now, round_trip, command.clone(), biggest), Latency::Acceptable);
        slowness.note(Some(&before), now, round_trip, command, biggest)
    }

    #[test]
    fn a_round_trip_that_takes_long_twice_running_is_told_and_what_takes_long_once_is_not() {
        let quiet = reading(30, 1);
        assert_eq!(told(&quiet, FAST, None, 0), Latency::Acceptable);
        assert_eq!(told(&quiet, LONG, None, 0), slow(Slow::RoundTrip, 30, Cause::Network));
        let mut slowness = Slowness::default();
        for round_trip in [LONG, FAST, LONG, FAST] {
            let latency = slowness.note(Some(&reading(0, 0)), &quiet, round_trip, None, 0);
            assert_eq!(latency, Latency::Acceptable);
        }
    }

    #[test]
    fn the_cause_is_a_slow_command_big_entries_the_processor_or_the_network() {
        let (idle, busy) = (reading(30, 1), reading(30, 28));
        let round_trip = |cause| slow(Slow::RoundTrip, 30, cause);
        assert_eq!(told(&idle, LONG, Some(command("KEYS")), 5 << 20), round_trip(Cause::Command("KEYS".to_owned())));
        let big = Cause::BigEntries { at_least: 4 << 20 };
        assert_eq!(told(&idle, LONG, Some(command("HMGET")), 5 << 20), round_trip(big));
        assert_eq!(told(&busy, LONG, Some(command("HMGET")), 5 << 10), round_trip(Cause::Processor));
        let slow_writes = Reading { writes: Calls { count: 4, spent: 1_400_000 }, ..idle };
        assert_eq!(told(&slow_writes, FAST, None, 0), slow(Slow::Writes, 300, Cause::Processor));
    }

    #[test]
    fn slowness_is_told_for_some_looks_and_gets_no_better_meanwhile() {
        let (before, now) = (reading(0, 0), reading(30, 1));
        let mut slowness = Slowness::default();
        let mut note = |millis| slowness.note(Some(&before), &now, Duration::from_millis(millis), None, 0);
        note(400);
        assert_eq!(note(400), slow(Slow::RoundTrip, 300, Cause::Network));
        assert_eq!(note(1), slow(Slow::RoundTrip, 300, Cause::Network));
        assert_eq!(note(50), slow(Slow::RoundTrip, 300, Cause::Network));
        for _ in 1..TOLD_FOR {
            assert_eq!(note(1), slow(Slow::RoundTrip, 300, Cause::Network));
        }
        assert_eq!(note(1), Latency::Acceptable);
    }
}
