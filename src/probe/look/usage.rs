//! How a server is used, read in a bounded way: three PINGs, one INFO, the slow log where something was slow, and some
//! hundred keys, a part of the key space at each look.
//!
//! In: a connection, what is remembered, what is wanted. Out: more of what is remembered. Nothing here makes a look fail: what
//! cannot be read now is read at a later look. No payload is kept.

use std::collections::BTreeMap;
use std::time::Duration;

use ::redis::{Cmd, Value, cmd};
use tokio::time::Instant;

use super::{
    Histories,
    payloads::{self, Looked},
    reading,
};
use crate::{
    api::v1alpha1::Inspect,
    entries::look::{
        EntryHistory, Inspection,
        census::{Batch, Census, StoredKey},
    },
    probe::wire::{bounded::Bounds, connection::Connection, failure::Failure, reply},
    redis::look::{
        Desired,
        answer::{Section, Unread},
        load::{Reading, latency::SlowCommand},
    },
};

/// Keys asked for at a look. A server may give some more, and no more than [`MOST_KEYS`] are looked at.
const KEYS: usize = 400;
const MOST_KEYS: usize = 500;
/// A key space from which much has gone is searched in vain for a while: so often at a look.
const SCANS: usize = 8;

/// What is kept of each `INFO`: it has some kilobytes.
pub(crate) const INFO: Bounds = Bounds { each: 64 * 1024, kept: 256 * 1024, read: 16 << 20, beginning: true };
/// Of an entry of the slow log nothing is wanted but a command's name.
const SLOW_LOG: Bounds = Bounds { each: 256, kept: 1 << 20, read: 16 << 20, beginning: false };
/// A key whose name is as long as that is not looked at: it is none of Microsoft.Identity.Web's.
const LONGEST_NAME: usize = 2048;
const NAMES: Bounds = Bounds { each: LONGEST_NAME, kept: 2 << 20, read: 16 << 20, beginning: false };
/// How many times fewer keys are asked for where the answer was too long: twice a half.
const FEWER: u32 = 2;

/// Reads on, and adds it to what is remembered. What could not be read is noted, and the rest is read all the same.
pub(crate) async fn read(
    connection: &mut Connection,
    Histories { load, entries: history }: &mut Histories,
    (want, inspection): (&Desired, &Inspection),
    version: &str,
    unread: &mut BTreeMap<Section, Unread>,
) -> Result<(), Failure> {
    let round_trip = round_trip(connection).await?;
    let Some(mut reading) = reading(connection, unread).await? else { return Ok(()) };
    if load.meet(&reading) {
        *history = EntryHistory::default();
    }
    load.complete(&mut reading, !unread.contains_key(&Section::Errors), !unread.contains_key(&Section::Calls));
    let slow = match load.slow_since(&reading, round_trip) {
        // The log has the beginnings of what was written.
        Some(since) if inspection.inspect == Inspect::Payloads => slowest_command(connection, since).await?,
        Some(_) | None => None,
    };
    let spares_clock = spares_clock(connection, version).await?;
    history.read_with(inspection);
    let batch = match batch(connection, history, (want, inspection), spares_clock, unread).await {
        Ok(batch) => Some(batch),
        Err(Failure::Refused { code, words }) if matches!(code.as_str(), "NOPERM" | "ERR") => Some(refused(words)),
        Err(Failure::TooLong(_)) => {
            unread.insert(Section::Keys, Unread::TooLong);
            None
        }
        Err(Failure::Malformed(what)) => {
            unread.insert(Section::Keys, Unread::Odd(what));
            None
        }
        Err(failure) => return Err(failure),
    };
    history.note(batch, &reading);
    load.note(reading, round_trip, slow, history.biggest());
    Ok(())
}

/// What `INFO` says, in three parts, since users of the server can make some of them as long as they like. `None` where the
/// first could not be read.
async fn reading(
    connection: &mut Connection,
    unread: &mut BTreeMap<Section, Unread>,
) -> Result<Option<Reading>, Failure> {
    const PARTS: [(Section, &[&str]); 3] = [
        (Section::Use, &["server", "memory", "stats", "cpu", "keyspace"]),
        (Section::Calls, &["commandstats"]),
        (Section::Errors, &["errorstats"]),
    ];
    let commands = PARTS.map(|(_, sections)| info(sections));
    let answers = match connection.send_all_within(commands.to_vec(), INFO).await {
        Ok(answers) => answers,
        Err(Failure::TooLong(_)) => one_by_one(connection, &commands).await?,
        Err(failure) => return Err(failure),
    };
    let mut said = String::new();
    for ((part, _), answer) in PARTS.into_iter().zip(answers) {
        match reply::info(answer, INFO) {
            Some((text, is_cut)) => {
                said.push_str(&text);
                said.push('\n');
                if is_cut {
                    unread.insert(part, Unread::TooLong);
                }
            }
            None => drop(unread.insert(part, Unread::Odd("INFO is not a text".to_owned()))),
        }
    }
    let reading = reading::reading(&said);
    if reading.is_none() && !unread.contains_key(&Section::Use) {
        unread.insert(Section::Use, Unread::Odd("INFO lacks what every server says".to_owned()));
    }
    Ok(reading)
}

/// Sends them one after the other. One whose answer is too long has an empty one, which is as long as may be.
async fn one_by_one(connection: &mut Connection, commands: &[Cmd]) -> Result<Vec<Value>, Failure> {
    let mut answers = Vec::new();
    for command in commands {
        answers.push(match connection.send_within(command, INFO).await {
            Ok(answer) => answer,
            Err(Failure::TooLong(_) | Failure::Malformed(_)) => Value::BulkString(vec![b' '; INFO.each]),
            Err(failure) => return Err(failure),
        });
    }
    Ok(answers)
}

/// The quickest of three: what lies with the server or the way to it is in each of them, and what lies with the operator's
/// own machine may be in one or two.
async fn round_trip(connection: &mut Connection) -> Result<Duration, Failure> {
    let mut taken = [Duration::ZERO; 3];
    for taken in &mut taken {
        let sent = Instant::now();
        match connection.send(&cmd("PING")).await {
            // A refusal has made the same way.
            Ok(_) | Err(Failure::Refused { .. }) => *taken = sent.elapsed(),
            Err(failure) => return Err(failure),
        }
    }
    Ok(taken.into_iter().min().unwrap_or_default())
}

async fn slowest_command(connection: &mut Connection, since: u64) -> Result<Option<SlowCommand>, Failure> {
    let mut command = cmd("SLOWLOG");
    command.arg("GET").arg(32);
    match connection.send_within(&command, SLOW_LOG).await {
        Ok(log) => Ok(reading::slowest(log, since)),
        // Then the cause is guessed from the rest.
        Err(Failure::Refused { .. } | Failure::TooLong(_) | Failure::Malformed(_)) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Whether what this connection reads leaves alone when a key was last used, which is what LRU policies go by. Asked for
/// once on each connection.
pub(crate) async fn spares_clock(connection: &mut Connection, version: &str) -> Result<bool, Failure> {
    if let Some(known) = connection.spares_clock {
        return Ok(known);
    }
    let spares = knows_no_touch(version) && connection.spares_clock_now().await?;
    connection.spares_clock = Some(spares);
    Ok(spares)
}

/// Redis 7.2 and later, every Valkey. Whoever does not know it counts an error.
fn knows_no_touch(version: &str) -> bool {
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or_default());
    (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default()) >= (7, 2)
}

/// The next keys. SCAN, TYPE and PTTL leave alone when a key was last used; HSTRLEN and HGET do not, unless the
/// connection spares it: then they are sent for a few keys only, too few to change what is evicted.
async fn batch(
    connection: &mut Connection,
    history: &mut EntryHistory,
    (want, inspection): (&Desired, &Inspection),
    spares_clock: bool,
    unread: &mut BTreeMap<Section, Unread>,
) -> Result<Batch, Failure> {
    let (cursor, mut names) = scan(connection, history.census()).await?;
    let found = names.len();
    names.retain(|name| !NAMES.cut(name));
    let unnamed = found - names.len();
    let prefix = want.instance_name.as_bytes();
    let mut keys: Vec<(&Vec<u8>, StoredKey)> = Vec::with_capacity(names.len());
    let asked = names.iter().flat_map(|name| [key("TYPE", name), key("PTTL", name)]).collect();
    for (name, answers) in names.iter().zip(all(connection, asked).await?.chunks_exact(2)) {
        let (is_hash, expires) = match answers {
            [Value::SimpleString(kind), Value::Int(left)] if *left != GONE => (kind == "hash", *left >= 0),
            _ => continue,
        };
        let is_entry = is_hash && name.starts_with(prefix);
        keys.push((name, StoredKey { is_entry, expires, size: None, payload: None }));
    }
    let mut entries: Vec<_> = keys.iter_mut().filter(|(_, key)| key.is_entry).collect();
    let (first, left) = history.turn(entries.len());
    entries.rotate_left(first);
    let looked = match payloads::look_into(connection, &mut entries, left, (want, inspection), spares_clock).await {
        Err(Failure::TooLong(_)) => {
            unread.insert(Section::Payloads, Unread::TooLong);
            Looked { step: Some(0), passed_over: 0 }
        }
        looked => looked?,
    };
    // Applications write an entry first and its expiration after it: between the two it has none for a moment.
    let mut endless: Vec<_> = keys.iter_mut().filter(|(_, key)| key.is_entry && !key.expires).collect();
    let asked = endless.iter().map(|(name, _)| key("PTTL", name)).collect();
    for ((_, key), left) in endless.iter_mut().zip(all(connection, asked).await?) {
        key.expires = integer(&left) != Some(ENDLESS);
    }
    let keys = keys.into_iter().map(|(_, key)| key).collect();
    let unnamed = u64::try_from(unnamed).unwrap_or(u64::MAX);
    Ok(Batch { cursor, keys, unnamed, step: looked.step, passed_over: looked.passed_over, refusal: None })
}

/// PTTL of a key that never expires, and of one that is not there any more.
const ENDLESS: i64 = -1;
const GONE: i64 = -2;

/// The next keys. Where their names are too long fewer are asked for, and where a single one is, none for some looks.
async fn scan(connection: &mut Connection, census: &mut Census) -> Result<(u64, Vec<Vec<u8>>), Failure> {
    if census.rests() {
        return Err(Failure::TooLong("is over the limit"));
    }
    let mut cursor = census.cursor();
    let mut names = Vec::new();
    for _ in 0..SCANS {
        let size = census.batch_size(KEYS);
        let Some(count) = size.checked_sub(names.len()).filter(|count| *count > 0) else { break };
        let mut command = cmd("SCAN");
        command.arg(cursor).arg("COUNT").arg(count);
        let (next, found) = match connection.send_within(&command, NAMES).await {
            Ok(answer) => {
                scanned(answer).ok_or_else(|| Failure::Malformed("SCAN gives no cursor and no keys".to_owned()))?
            }
            Err(Failure::TooLong(_)) if size > 1 => {
                census.narrow(FEWER);
                continue;
            }
            Err(failure @ Failure::TooLong(_)) => {
                census.rest();
                return Err(failure);
            }
            Err(failure) => return Err(failure),
        };
        cursor = next;
        names.extend(found);
        if cursor == 0 {
            break;
        }
    }
    names.truncate(MOST_KEYS);
    Ok((cursor, names))
}

pub(crate) fn scanned(answer: Value) -> Option<(u64, Vec<Vec<u8>>)> {
    let Value::Array(parts) = answer else { return None };
    let [Value::BulkString(cursor), Value::Array(names)] = <[Value; 2]>::try_from(parts).ok()? else { return None };
    let name = |name| if let Value::BulkString(bytes) = name { Some(bytes) } else { None };
    Some((str::from_utf8(&cursor).ok()?.parse().ok()?, names.into_iter().map(name).collect::<Option<_>>()?))
}

/// Sends them in one go. One that the server refuses for want of a right refuses all: the next would be refused too. What
/// it refuses otherwise is about that key, which may have become another meanwhile.
pub(crate) async fn all(connection: &mut Connection, commands: Vec<Cmd>) -> Result<Vec<Value>, Failure> {
    let answers = connection.send_all(commands).await?;
    none_forbidden(answers)
}

/// The same where the answers have bounds of their own.
pub(crate) async fn all_within(
    connection: &mut Connection,
    commands: Vec<Cmd>,
    bounds: Bounds,
) -> Result<Vec<Value>, Failure> {
    let answers = connection.send_all_within(commands, bounds).await?;
    none_forbidden(answers)
}

pub(crate) fn none_forbidden(answers: Vec<Value>) -> Result<Vec<Value>, Failure> {
    for answer in &answers {
        if let Value::ServerError(error) = answer
            && error.code() == "NOPERM"
        {
            return Err(error.clone().into());
        }
    }
    Ok(answers)
}

fn refused(words: String) -> Batch {
    Batch { refusal: Some(words), ..Batch::default() }
}

pub(crate) fn integer(answer: &Value) -> Option<i64> {
    if let Value::Int(number) = answer { Some(*number) } else { None }
}

fn key(command: &str, name: &[u8]) -> Cmd {
    let mut command = cmd(command);
    command.arg(name);
    command
}

/// The field in which an entry's payload stands.
pub(crate) fn field(command: &str, name: &[u8]) -> Cmd {
    let mut command = key(command, name);
    command.arg("data");
    command
}

fn info(sections: &[&str]) -> Cmd {
    let mut command = cmd("INFO");
    command.arg(sections);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_spared_from_redis_7_2_on_and_by_every_valkey() {
        for (version, known) in [("7.0.15", false), ("7.2.0", true), ("8.0.2", true), ("8.1.1", true), ("odd", false)] {
            assert_eq!(knows_no_touch(version), known, "{version}");
        }
    }

    #[test]
    fn what_is_no_answer_to_scan_is_none() {
        let bulk = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let answer = |cursor: &str, names: Vec<Value>| Value::Array(vec![bulk(cursor), Value::Array(names)]);
        assert_eq!(scanned(answer("17", vec![bulk("a")])), Some((17, vec![b"a".to_vec()])));
        for odd in [Value::Nil, answer("x", vec![]), answer("1", vec![Value::Nil]), Value::Array(vec![bulk("0")])] {
            assert_eq!(scanned(odd.clone()), None, "{odd:?}");
        }
    }
}
