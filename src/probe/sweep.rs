//! Every key under a prefix, once: counted, or removed where it is meant.
//!
//! In: a server, a login, a prefix, a sweep. Out: a tally, told as it grows. Keys are found by SCAN, read in parts that are
//! bounded in number and bytes, and removed by UNLINK, never by FLUSHDB. What was read and is to go is removed only if nobody
//! has written it since, which WATCH tells: an entry that an application has just made anew is not lost. No payload is kept.

use ::redis::{Cmd, Value, cmd};
use zeroize::Zeroizing;

use super::{
    look::usage,
    wire::{
        Limits,
        connection::{self, Connection, Failure},
        reply,
    },
};
use crate::{
    capability::progress::Tally,
    entries::{
        entry::reader::Reader,
        sweep::{Selection, Sweep, note},
    },
    redis::{
        access::acl,
        look::{Fault, Login, Server, Trust},
    },
};

/// Keys that a server is asked for at a time.
const KEYS: usize = 500;
/// How many times fewer where their names were too long together.
const FEWER: usize = 8;
/// Keys that are read, or removed, at a time.
const PART: usize = 100;
/// Bytes of payload that are read at a time: a fraction of what all clients together may hold of the smallest server. What the
/// operator is owed counts there, and Redis closes the connections of applications for it.
const PART_BYTES: u64 = 512 << 10;
/// Bytes of the biggest payload that is read.
const BIGGEST: u64 = 16 << 20;
/// Bytes of one answer: room for the biggest payload, and for what stands around it.
const ANSWER_BYTES: usize = 20 << 20;
/// How often keys that others write meanwhile are read again.
const TRIES: usize = 3;

/// What entries are looked at with.
struct Eye<'sweep> {
    sweep: &'sweep Sweep,
    reader: &'sweep Reader,
    prefix: &'sweep [u8],
}

/// Sweeps a server.
///
/// # Errors
/// Why it did not come to the end. What was removed until then stays removed.
pub async fn sweep(
    server: &Server,
    login: &Login,
    trust: Option<&Trust>,
    prefix: &str,
    sweep: &Sweep,
    mut told: impl FnMut(Tally),
) -> Result<Tally, Fault> {
    let limits = Limits { answer_bytes: ANSWER_BYTES, read_bytes: 2 * ANSWER_BYTES, ..Limits::default() };
    let mut connection = Connection::open(server, trust, limits).await?;
    connection.log_in(login).await.map_err(|failure| failure.of("auth"))?;
    connection.keep().await?;
    let about = reply::about(connection.ask("info", &connection::info()).await?, usage::INFO)?;
    usage::spares_clock(&mut connection, &about.version).await.map_err(|failure| failure.of("client|no-touch"))?;
    let pattern = format!("{}*", acl::escape(prefix));
    let (mut tally, mut cursor, mut count) = (Tally::default(), 0, KEYS);
    loop {
        let mut command = cmd("SCAN");
        command.arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(count);
        let answer = match connection.send(&command).await {
            // Their names are very long.
            Err(Failure::TooLong(_)) if count > 1 => {
                count = (count / FEWER).max(1);
                continue;
            }
            answer => answer.map_err(|failure| failure.of("scan"))?,
        };
        count = (count * 2).min(KEYS);
        let (next, mut names) = usage::scanned(answer)
            .ok_or_else(|| Fault::Unexpected("scan: it gives no cursor and no keys".to_owned()))?;
        // What is left of a name that was cut is another key's.
        names.retain(|name| name.len() < ANSWER_BYTES);
        for part in names.chunks(PART) {
            match (&sweep.selection, &sweep.reader) {
                (Selection::All, _) => whole_part(&mut connection, sweep, part, &mut tally).await?,
                (_, Some(reader)) => {
                    let eye = Eye { sweep, reader, prefix: prefix.as_bytes() };
                    read_part(&mut connection, &eye, part, &mut tally).await?;
                }
                // What cannot be read is not meant.
                (_, None) => {}
            }
        }
        told(tally);
        cursor = next;
        if cursor == 0 {
            return Ok(tally);
        }
    }
}

/// Every one of these is meant.
async fn whole_part(
    connection: &mut Connection,
    sweep: &Sweep,
    names: &[Vec<u8>],
    tally: &mut Tally,
) -> Result<(), Fault> {
    tally.keys += count(names.len());
    tally.meant += count(names.len());
    if sweep.id.step.removes() && !names.is_empty() {
        tally.removed += removed(&connection.ask("unlink", &unlink(names.iter())).await?)?;
    }
    Ok(())
}

/// Reads these, and removes what is meant.
async fn read_part(
    connection: &mut Connection,
    eye: &Eye<'_>,
    names: &[Vec<u8>],
    tally: &mut Tally,
) -> Result<(), Fault> {
    if !eye.sweep.id.step.removes() {
        let (part, _) = look(connection, eye, names).await?;
        add(tally, part);
        return Ok(());
    }
    let mut left: Vec<&[Vec<u8>]> = vec![names];
    for _ in 0..TRIES {
        let mut written = Vec::new();
        for names in left {
            match removal(connection, eye, names).await? {
                Some(part) => add(tally, part),
                // One by one, so that one that is written again and again does not keep the others.
                None => written.extend(names.chunks(1)),
            }
        }
        left = written;
    }
    // What is written so often is in use, and good by now.
    tally.keys += count(left.len());
    Ok(())
}

/// Removes what is meant of these; `None` where somebody wrote to one of them meanwhile, and then nothing was removed.
async fn removal(connection: &mut Connection, eye: &Eye<'_>, names: &[Vec<u8>]) -> Result<Option<Tally>, Fault> {
    let mut watch = cmd("WATCH");
    for name in names {
        watch.arg(name);
    }
    connection.ask("watch", &watch).await?;
    let (mut part, meant) = look(connection, eye, names).await?;
    if meant.is_empty() {
        connection.ask("unwatch", &cmd("UNWATCH")).await?;
        return Ok(Some(part));
    }
    let transaction = vec![cmd("MULTI"), unlink(meant.iter().copied()), cmd("EXEC")];
    let answers = all(connection, "unlink", transaction).await?;
    match answers.last() {
        Some(Value::Nil) => Ok(None),
        Some(Value::Array(results)) if results.len() == 1 => {
            part.removed = removed(&results[0])?;
            Ok(Some(part))
        }
        _ => Err(Fault::Unexpected("exec: it gives no result".to_owned())),
    }
}

/// Reads these, and tells which of them are meant.
async fn look<'names>(
    connection: &mut Connection,
    eye: &Eye<'_>,
    names: &'names [Vec<u8>],
) -> Result<(Tally, Vec<&'names Vec<u8>>), Fault> {
    let mut part = Tally::default();
    let mut meant = Vec::new();
    let sizes = all(connection, "hstrlen", names.iter().map(|name| usage::field("HSTRLEN", name)).collect()).await?;
    let mut entries = Vec::new();
    for (name, size) in names.iter().zip(sizes) {
        // What is no hash, or has no payload, is none of Microsoft.Identity.Web's, or has gone meanwhile.
        let Some(size) = usage::integer(&size).and_then(|size| u64::try_from(size).ok()).filter(|size| *size > 0)
        else {
            continue;
        };
        part.keys += 1;
        if size > BIGGEST {
            part.too_big += 1;
        } else {
            entries.push((name, size));
        }
    }
    while !entries.is_empty() {
        let mut bytes = 0;
        let fitting = entries.iter().take_while(|(_, size)| {
            bytes += size;
            bytes <= PART_BYTES
        });
        let fitting = fitting.count().max(1);
        let asked = entries.iter().take(fitting).map(|(name, _)| usage::field("HGET", name)).collect();
        let payloads = all(connection, "hget", asked).await?;
        for ((name, _), payload) in entries.drain(..fitting).zip(payloads) {
            let Value::BulkString(payload) = payload else { continue };
            let key = name.strip_prefix(eye.prefix).unwrap_or(name);
            let read = eye.reader.read(key, &Zeroizing::new(payload));
            let is_meant = eye.sweep.selection.means(&read.entry);
            note(&mut part, &read.entry, is_meant);
            if is_meant {
                meant.push(name);
            }
        }
    }
    Ok((part, meant))
}

/// Sends them in one go. One that the server refuses for want of a right refuses all.
async fn all(connection: &mut Connection, name: &str, commands: Vec<Cmd>) -> Result<Vec<Value>, Fault> {
    usage::all(connection, commands).await.map_err(|failure: Failure| failure.of(name))
}

fn unlink<'names>(names: impl Iterator<Item = &'names Vec<u8>>) -> Cmd {
    let mut command = cmd("UNLINK");
    for name in names {
        command.arg(name);
    }
    command
}

fn removed(answer: &Value) -> Result<u64, Fault> {
    let number = usage::integer(answer).and_then(|number| u64::try_from(number).ok());
    number.ok_or_else(|| Fault::Unexpected("unlink: it gives no number".to_owned()))
}

fn add(tally: &mut Tally, part: Tally) {
    // Without `..`: something that is counted and not added does not compile.
    let Tally { keys, meant, readable, foreign, unidentified, too_big, removed } = part;
    tally.keys += keys;
    tally.meant += meant;
    tally.readable += readable;
    tally.foreign += foreign;
    tally.unidentified += unidentified;
    tally.too_big += too_big;
    tally.removed += removed;
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
