//! How a server is used, read in a bounded way: three PINGs, one INFO, the slow log where something was slow, and some
//! hundred keys, a part of the key space at each look.
//!
//! In: a connection, what is remembered, what is wanted. Out: more of what is remembered. Nothing here makes a look fail: what
//! cannot be read now is read at a later look. No payload is kept.

use std::time::Duration;

use ::redis::{Cmd, Value, cmd};
use tokio::time::Instant;

use super::connection::{Connection, Failure};
use super::{payloads, reading};
use crate::api::v1alpha1::Inspect;
use crate::redis::{
    sample::Want,
    usage::{
        History,
        entries::{Batch, Key},
        latency::SlowCommand,
    },
};

/// Keys asked for at a look. A server may give some more, and no more than [`MOST_KEYS`] are looked at.
const KEYS: usize = 400;
const MOST_KEYS: usize = 500;
/// A key space from which much has gone is searched in vain for a while: so often at a look.
const SCANS: usize = 8;

/// Reads on, and adds it to what is remembered.
pub(super) async fn read(
    connection: &mut Connection,
    history: &mut History,
    want: &Want,
    version: &str,
) -> Result<(), Failure> {
    let round_trip = round_trip(connection).await?;
    let info = match connection.send(&info()).await? {
        Value::BulkString(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Value::VerbatimString { text, .. } => text,
        _ => return Err(Failure::Malformed("INFO is not a text".to_owned())),
    };
    let lacking = || Failure::Malformed("INFO lacks what every server says".to_owned());
    let reading = reading::reading(&info).ok_or_else(lacking)?;
    history.meet(&reading);
    let slow = match history.slow_since(&reading, round_trip) {
        // The log has the beginnings of what was written.
        Some(since) if want.inspect == Inspect::Payloads => slowest_command(connection, since).await?,
        Some(_) | None => None,
    };
    let spares_clock = spares_clock(connection, version).await?;
    history.read_with(want.inspect, want.reader.as_ref(), want.swept);
    let batch = match batch(connection, history, want, spares_clock).await {
        Ok(batch) => batch,
        Err(Failure::Refused { code, words }) if matches!(code.as_str(), "NOPERM" | "ERR") => refused(words),
        Err(failure) => {
            history.census().narrow();
            return Err(failure);
        }
    };
    history.note(reading, round_trip, slow, batch);
    Ok(())
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
    match connection.send(&command).await {
        Ok(log) => Ok(reading::slowest(log, since)),
        // Then the cause is guessed from the rest.
        Err(Failure::Refused { .. }) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Whether what this connection reads leaves alone when a key was last used, which is what LRU policies go by. Asked for
/// once on each connection.
pub(super) async fn spares_clock(connection: &mut Connection, version: &str) -> Result<bool, Failure> {
    if let Some(known) = connection.spares_clock {
        return Ok(known);
    }
    let mut command = cmd("CLIENT");
    command.arg("NO-TOUCH").arg("ON");
    let spares = knows_no_touch(version)
        && match connection.send(&command).await {
            Ok(_) => true,
            Err(Failure::Refused { .. }) => false,
            Err(failure) => return Err(failure),
        };
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
    history: &mut History,
    want: &Want,
    spares_clock: bool,
) -> Result<Batch, Failure> {
    let cursor = history.census().cursor();
    let size = history.census().batch_size(KEYS);
    let (cursor, names) = scan(connection, cursor, size).await?;
    let prefix = want.instance_name.as_bytes();
    let mut keys: Vec<(&Vec<u8>, Key)> = Vec::with_capacity(names.len());
    let asked = names.iter().flat_map(|name| [key("TYPE", name), key("PTTL", name)]).collect();
    for (name, answers) in names.iter().zip(all(connection, asked).await?.chunks_exact(2)) {
        let (is_hash, expires) = match answers {
            [Value::SimpleString(kind), Value::Int(left)] if *left != GONE => (kind == "hash", *left >= 0),
            _ => continue,
        };
        let is_entry = is_hash && name.starts_with(prefix);
        keys.push((name, Key { is_entry, expires, size: None, payload: None }));
    }
    let mut entries: Vec<_> = keys.iter_mut().filter(|(_, key)| key.is_entry).collect();
    let (first, left) = history.turn(entries.len());
    entries.rotate_left(first);
    let looked = payloads::look_into(connection, &mut entries, left, want, spares_clock).await?;
    // Applications write an entry first and its expiration after it: between the two it has none for a moment.
    let mut endless: Vec<_> = keys.iter_mut().filter(|(_, key)| key.is_entry && !key.expires).collect();
    let asked = endless.iter().map(|(name, _)| key("PTTL", name)).collect();
    for ((_, key), left) in endless.iter_mut().zip(all(connection, asked).await?) {
        key.expires = integer(&left) != Some(ENDLESS);
    }
    let keys = keys.into_iter().map(|(_, key)| key).collect();
    Ok(Batch { cursor, keys, step: looked.step, passed_over: looked.passed_over, refusal: None })
}

/// PTTL of a key that never expires, and of one that is not there any more.
const ENDLESS: i64 = -1;
const GONE: i64 = -2;

async fn scan(connection: &mut Connection, mut cursor: u64, size: usize) -> Result<(u64, Vec<Vec<u8>>), Failure> {
    let mut names = Vec::new();
    for _ in 0..SCANS {
        let mut command = cmd("SCAN");
        command.arg(cursor).arg("COUNT").arg(size - names.len());
        let (next, found) = scanned(connection.send(&command).await?)
            .ok_or_else(|| Failure::Malformed("SCAN gives no cursor and no keys".to_owned()))?;
        cursor = next;
        names.extend(found);
        if cursor == 0 || names.len() >= size {
            break;
        }
    }
    names.truncate(MOST_KEYS);
    Ok((cursor, names))
}

pub(super) fn scanned(answer: Value) -> Option<(u64, Vec<Vec<u8>>)> {
    let Value::Array(parts) = answer else { return None };
    let [Value::BulkString(cursor), Value::Array(names)] = <[Value; 2]>::try_from(parts).ok()? else { return None };
    let name = |name| if let Value::BulkString(bytes) = name { Some(bytes) } else { None };
    Some((str::from_utf8(&cursor).ok()?.parse().ok()?, names.into_iter().map(name).collect::<Option<_>>()?))
}

/// Sends them in one go. One that the server refuses for want of a right refuses all: the next would be refused too. What
/// it refuses otherwise is about that key, which may have become another meanwhile.
pub(super) async fn all(connection: &mut Connection, commands: Vec<Cmd>) -> Result<Vec<Value>, Failure> {
    let answers = connection.send_all(commands).await?;
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

pub(super) fn integer(answer: &Value) -> Option<i64> {
    if let Value::Int(number) = answer { Some(*number) } else { None }
}

fn key(command: &str, name: &[u8]) -> Cmd {
    let mut command = cmd(command);
    command.arg(name);
    command
}

/// The field in which an entry's payload stands.
pub(super) fn field(command: &str, name: &[u8]) -> Cmd {
    let mut command = key(command, name);
    command.arg("data");
    command
}

fn info() -> Cmd {
    let mut command = cmd("INFO");
    for section in ["server", "memory", "stats", "cpu", "commandstats", "errorstats", "keyspace"] {
        command.arg(section);
    }
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
