//! Whether `Ready` said what an application felt. In: what became of its operations, and what `Ready` said when. Out: a row of the
//! table, with all that is wrong. Pure.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::application::Operation;
use super::readiness::Said;

/// An operation that takes longer has failed.
pub const SLOW: Duration = Duration::from_secs(2);
/// `Ready` follows the application within that.
pub const TOLERATED: SignedDuration = SignedDuration::from_secs(45);
/// Longer than a connection of the application is used: what only those feel who connect anew, it feels by then, and after that
/// it works again if nothing failed.
pub const CONNECTION: SignedDuration = SignedDuration::from_secs(12);

/// What stands in a Secret reaches a pod that mounts it so much later, and the application with its next connection after that.
const UNFELT: SignedDuration = SignedDuration::from_secs(30);

/// A time in which the application failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spell {
    pub from: Timestamp,
    /// When it worked again, if it does.
    pub to: Option<Timestamp>,
    /// What was answered first.
    pub answer: String,
}

/// The times in which the application failed from `begin` on, as they are known at `now`.
pub fn spells(done: &[Operation], begin: Timestamp) -> Vec<Spell> {
    let mut spells: Vec<Spell> = Vec::new();
    let mut last_bad = None;
    for operation in done.iter().filter(|operation| operation.begun >= begin) {
        if operation.is_good() {
            if let Some(spell) = spells.last_mut() {
                spell.to = spell.to.or(Some(operation.begun));
            }
            continue;
        }
        let goes_on = last_bad.is_some_and(|last| operation.begun.duration_since(last) < CONNECTION);
        last_bad = Some(operation.begun);
        match spells.last_mut() {
            Some(spell) if goes_on => spell.to = None,
            _ => {
                let answer = operation.refused.clone().unwrap_or_else(|| format!("took {:?}", operation.took));
                spells.push(Spell { from: operation.begun, to: None, answer });
            }
        }
    }
    // What has just worked may fail again with the next connection.
    let end = done.last().map_or(begin, |last| last.begun);
    if let (Some(spell), Some(last)) = (spells.last_mut(), last_bad)
        && end.duration_since(last) < CONNECTION
    {
        spell.to = None;
    }
    spells
}

/// A line of the table.
#[derive(Debug, Clone)]
pub struct Row {
    pub what: String,
    pub done: String,
    /// What the application felt, from when to when.
    pub failed: String,
    pub told: String,
    pub withdrawn: String,
    /// What is against the rule.
    pub wrong: Vec<String>,
}

impl Row {
    /// With what was done; it is printed.
    pub fn named(self, what: &str, done: &str) -> Self {
        let row = Self { what: what.to_owned(), done: done.to_owned(), ..self };
        println!("{row}");
        row
    }
}

/// Judges what was seen since something was done. A False for one of the reasons in `asked_for` says that what was asked for is
/// under way, which nobody need feel.
pub fn judge(since: Timestamp, done: &[Operation], said: &[Said], asked_for: &[&str]) -> Row {
    let spells = spells(done, since);
    let end = done.last().map_or(since, |last| last.begun);
    let mut wrong = Vec::new();
    let (mut failed, mut told, mut withdrawn) = (Vec::new(), Vec::new(), Vec::new());
    for (number, spell) in spells.iter().enumerate() {
        let to = spell.to.unwrap_or(end);
        let after = |time: Timestamp| seconds(time.duration_since(spell.from));
        failed.push(format!(
            "{}–{} s ({})",
            seconds(spell.from.duration_since(since)),
            seconds(to.duration_since(since)),
            spell.answer
        ));
        let falses = falses(said, end);
        let first = falses.iter().find(|time| time.to >= spell.from && time.from <= to);
        told.push(
            first.map_or_else(
                || "—".to_owned(),
                |first| format!("{} s ({})", after(first.from), first.reasons.join(", ")),
            ),
        );
        // What was mended is so before the application hears of it.
        let mended = spell.to.map_or(end, |to| to - UNFELT);
        for silence in silences(said, spell.from + TOLERATED, mended) {
            wrong.push(format!("not False from {} to {} s after it began to fail", after(silence.0), after(silence.1)));
        }
        let Some(to) = spell.to else {
            wrong.push("it does not work again".to_owned());
            continue;
        };
        let next = spells.get(number + 1).map(|next| next.from);
        if let Some(time) = true_from(said, to) {
            let later = seconds(time.duration_since(to));
            withdrawn.push(if first.is_some() { format!("{later} s") } else { "—".to_owned() });
            if time > to + TOLERATED && next.is_none_or(|next| next > to + TOLERATED) {
                wrong.push(format!("True only {later} s after it worked again"));
            }
        } else {
            withdrawn.push("—".to_owned());
            wrong.push("not True after it worked again".to_owned());
        }
    }
    for time in falses(said, end).iter().filter(|time| time.to >= since) {
        let is_asked_for = time.reasons.iter().all(|reason| asked_for.contains(&reason.as_str()));
        let is_felt = spells
            .iter()
            .any(|spell| time.from >= spell.from - UNFELT && spell.to.is_none_or(|to| time.from <= to + TOLERATED));
        if !is_asked_for && !is_felt {
            wrong.push(format!("False ({}) while the application works", time.reasons.join(", ")));
        }
    }
    let all = |parts: Vec<String>| if parts.is_empty() { "—".to_owned() } else { parts.join("; ") };
    Row {
        what: String::new(),
        done: String::new(),
        failed: all(failed),
        told: all(told),
        withdrawn: all(withdrawn),
        wrong,
    }
}

/// A time in which `Ready` was False.
struct False {
    from: Timestamp,
    to: Timestamp,
    reasons: Vec<String>,
}

fn falses(said: &[Said], end: Timestamp) -> Vec<False> {
    let mut falses: Vec<False> = Vec::new();
    let mut before = "";
    for (number, one) in said.iter().enumerate() {
        if one.status == "False" {
            let to = said.get(number + 1).map_or(end.max(one.seen), |next| next.seen);
            match falses.last_mut() {
                Some(last) if before == "False" => {
                    last.to = to;
                    last.reasons.push(one.reason.clone());
                }
                _ => falses.push(False { from: one.seen, to, reasons: vec![one.reason.clone()] }),
            }
        }
        before = &one.status;
    }
    falses
}

/// Since when `Ready` is True, or from when on it will be, as seen from a time.
fn true_from(said: &[Said], time: Timestamp) -> Option<Timestamp> {
    let is_true = |said: &&Said| said.status == "True";
    let last_other =
        said.iter().rposition(|said| said.seen <= time && said.status != "True").map_or(0, |other| other + 1);
    said[last_other..].iter().find(is_true).map(|said| said.seen)
}

/// When `Ready` was anything but False within a time.
fn silences(said: &[Said], from: Timestamp, to: Timestamp) -> Vec<(Timestamp, Timestamp)> {
    let mut silences = Vec::new();
    let mut silent_since = (status_at(said, from) != Some("False")).then_some(from);
    for one in said.iter().filter(|one| one.seen > from && one.seen < to) {
        match (silent_since, one.status.as_str()) {
            (Some(since), "False") => {
                silences.push((since, one.seen));
                silent_since = None;
            }
            (None, status) if status != "False" => silent_since = Some(one.seen),
            _ => {}
        }
    }
    silences.extend(silent_since.map(|since| (since, to)));
    silences.retain(|(from, to)| to > from);
    silences
}

fn status_at(said: &[Said], time: Timestamp) -> Option<&str> {
    said.iter().rev().find(|said| said.seen <= time).map(|said| said.status.as_str())
}

fn seconds(duration: SignedDuration) -> String {
    format!("{:.1}", duration.as_secs_f64())
}

impl std::fmt::Display for Row {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { what, done, failed, told, withdrawn, wrong } = self;
        let wrong = if wrong.is_empty() { "yes".to_owned() } else { format!("**no**: {}", wrong.join("; ")) };
        write!(formatter, "| {what} | {done} | {failed} | {told} | {withdrawn} | {wrong} |")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::UNIX_EPOCH;

    fn at(seconds: i64) -> Timestamp {
        START + SignedDuration::from_secs(seconds)
    }

    /// Two operations a second for five minutes, of which those within these times fail.
    fn application(fails: &[(i64, i64)]) -> Vec<Operation> {
        let operation = |half: i64| {
            let begun = START + SignedDuration::from_millis(half * 500);
            let fails = fails.iter().any(|(from, to)| (at(*from)..at(*to)).contains(&begun));
            Operation { begun, took: Duration::ZERO, refused: fails.then(|| "read: refused".to_owned()) }
        };
        (0..600).map(operation).collect()
    }

    fn ready(said: &[(i64, &str)]) -> Vec<Said> {
        let one = |(seen, status): &(i64, &str)| Said {
            seen: at(*seen),
            status: (*status).to_owned(),
            reason: if *status == "True" { "AllVerified" } else { "Unreachable" }.to_owned(),
        };
        said.iter().map(one).collect()
    }

    /// What is wrong where an application fails and `Ready` says this.
    fn wrong(fails: &[(i64, i64)], said: &[(i64, &str)], asked_for: &[&str]) -> String {
        judge(START, &application(fails), &ready(said), asked_for).wrong.join("; ")
    }

    #[test]
    fn ready_follows_the_application() {
        let told = [(0, "True"), (50, "False"), (120, "True")];
        assert_eq!(wrong(&[(20, 100)], &told, &[]), "");
        assert_eq!(wrong(&[(20, 21), (40, 60), (71, 100)], &told, &[]), "", "it fails now and then");
        let row = judge(START, &application(&[(20, 100)]), &ready(&told), &[]);
        assert_eq!(row.failed, "20.0–100.0 s (read: refused)");
        assert_eq!((row.told.as_str(), row.withdrawn.as_str()), ("30.0 s (Unreachable)", "20.0 s"));
    }

    #[test]
    fn ready_may_be_silent_while_it_cannot_know_yet() {
        assert_eq!(wrong(&[(20, 60)], &[(0, "True")], &[]), "", "the application works again before it is due");
        let early = [(0, "True"), (15, "False"), (90, "True")];
        assert_eq!(wrong(&[(20, 100)], &early, &[]), "", "a connection later the application feels it too");
    }

    #[test]
    fn ready_that_says_something_else_is_wrong() {
        let cases = [
            (wrong(&[(20, 120)], &[(0, "True")], &[]), "not False from 45.0 to 70.0 s after it began to fail"),
            (wrong(&[(20, 120)], &[(0, "True"), (70, "False"), (130, "True")], &[]), "not False from 45.0 to 50.0 s"),
            (
                wrong(&[(20, 200)], &[(0, "True"), (30, "False"), (90, "True"), (99, "False"), (210, "True")], &[]),
                "not False from 70.0 to 79.0 s",
            ),
            (
                wrong(&[(20, 200)], &[(0, "True"), (30, "Unknown"), (210, "True")], &[]),
                "not False from 45.0 to 150.0 s",
            ),
            (wrong(&[(20, 100)], &[(0, "True"), (30, "False"), (146, "True")], &[]), "True only 46.0 s after"),
            (wrong(&[(20, 100)], &[(0, "True"), (30, "False")], &[]), "not True after it worked again"),
            (wrong(&[(20, 400)], &[(0, "True"), (30, "False")], &[]), "it does not work again"),
            (
                wrong(&[], &[(0, "True"), (30, "False"), (31, "True")], &[]),
                "False (Unreachable) while the application works",
            ),
            (wrong(&[(100, 110)], &[(0, "True"), (60, "False"), (120, "True")], &[]), "False (Unreachable) while"),
        ];
        for (wrong, expected) in cases {
            assert!(wrong.contains(expected), "{wrong:?} lacks {expected:?}");
        }
        assert_eq!(wrong(&[], &[(0, "True"), (30, "False"), (31, "True")], &["Unreachable"]), "", "it was asked for");
    }

    #[test]
    fn an_operation_that_takes_too_long_has_failed() {
        let mut done = application(&[]);
        done[100].took = SLOW + Duration::from_millis(1);
        let row = judge(START, &done, &ready(&[(0, "True")]), &[]);
        assert_eq!(row.failed, "50.0–50.5 s (took 2.001s)");
    }
}
