//! Every key under a prefix, once: counted, or removed where it is meant.
//!
//! In: a server, a login, a prefix, a sweep. Out: a tally, told as it grows. Where entries are read, one connection finds the
//! keys by SCAN and measures them, and two more read them, in parts that are bounded in number and bytes: Redis answers on one
//! while what came over the other is decrypted. Keys are removed by UNLINK, never by FLUSHDB. What was read and is to go is
//! removed only if nobody has written it since, which WATCH tells: an entry that an application has just made anew is not
//! lost. No payload is kept.

mod lane;
mod search;

use std::sync::{Mutex, PoisonError};

use ::redis::{Cmd, Value, cmd};
use futures::future::{join, join_all};
use tokio::sync::{Semaphore, mpsc};

use super::{
    look::usage,
    wire::{Limits, connection::Connection, reply},
};
use crate::{
    capability::progress::Tally,
    entries::sweep::{Selection, Sweep},
    redis::look::{Login, Server, Trust, fault::Fault},
};
use lane::{Eye, Lane};
use search::{Batch, Search};

/// Connections over which entries are read.
const LANES: usize = 2;
/// Bytes of payload that are asked for at a time, over all of them: a fraction of what all clients together may hold of the
/// smallest server. What the operator is owed counts there, and Redis closes the connections of applications for it. An entry
/// that has more is read while nothing else is.
const BYTES: u32 = 512 << 10;
/// Bytes of one answer: room for the biggest payload, and for what stands around it.
const ANSWER_BYTES: usize = 20 << 20;

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
    told: impl FnMut(Tally),
) -> Result<Tally, Fault> {
    let count = Count(Mutex::new((Tally::default(), told)));
    let mut search = Search::new(open(server, login, trust).await?, prefix);
    match (&sweep.selection, &sweep.reader) {
        (Selection::All, _) => whole(&mut search, sweep, &count).await?,
        (_, Some(reader)) => {
            let mut lanes = Vec::with_capacity(LANES);
            for _ in 0..LANES {
                let eye = Eye { sweep, reader, prefix: prefix.as_bytes() };
                lanes.push(Lane::new(open(server, login, trust).await?, eye));
            }
            read(&mut search, &mut lanes, &count).await?;
        }
        // What cannot be read is not meant.
        (_, None) => {}
    }
    Ok(count.so_far())
}

/// A connection that leaves alone what LRU policies go by.
async fn open(server: &Server, login: &Login, trust: Option<&Trust>) -> Result<Connection, Fault> {
    let limits = Limits { answer_bytes: ANSWER_BYTES, read_bytes: 2 * ANSWER_BYTES, ..Limits::default() };
    let mut connection = Connection::open(server, trust, limits).await?;
    connection.log_in(login).await.map_err(|failure| failure.of("auth"))?;
    connection.keep().await?;
    let about = reply::about(connection.ask("info", &crate::probe::wire::commands::info()).await?, usage::INFO)?;
    usage::spares_clock(&mut connection, &about.version).await.map_err(|failure| failure.of("client|no-touch"))?;
    Ok(connection)
}

/// Every key is meant.
async fn whole(search: &mut Search, sweep: &Sweep, count: &Count<impl FnMut(Tally)>) -> Result<(), Fault> {
    while let Some(names) = search.next().await? {
        for names in names.chunks(search::BATCH) {
            let keys = number(names.len());
            let mut part = Tally { keys, meant: keys, ..Tally::default() };
            if sweep.id.step.removes() {
                part.removed = removed(&search.connection.ask("unlink", &unlink(names.iter())).await?)?;
            }
            count.add(part);
        }
    }
    Ok(())
}

/// Which keys are meant is told by what they hold.
async fn read(search: &mut Search, lanes: &mut [Lane<'_>], count: &Count<impl FnMut(Tally)>) -> Result<(), Fault> {
    // With one part at hand no lane waits for the next, and no more is held than that.
    let (hand_out, parts) = mpsc::channel(1);
    let parts = tokio::sync::Mutex::new(parts);
    let room = Semaphore::new(BYTES as usize);
    let lanes = lanes.iter_mut().map(|lane| read_over(lane, &parts, &room, count));
    // None is given up where another one fails: what it has removed is counted.
    let (searched, read) = join(search_for(search, hand_out, count), join_all(lanes)).await;
    read.into_iter().collect::<Result<(), Fault>>().and(searched)
}

/// Hands parts out until every key was found, or nobody takes them any more.
async fn search_for(
    search: &mut Search,
    hand_out: mpsc::Sender<Batch>,
    count: &Count<impl FnMut(Tally)>,
) -> Result<(), Fault> {
    while let Some(names) = search.next().await? {
        for names in names.chunks(search::BATCH) {
            let (measured, parts) = search::measured(&mut search.connection, names).await?;
            count.add(measured);
            for part in parts {
                if hand_out.send(part).await.is_err() {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

/// Reads parts over a connection while there are any.
async fn read_over(
    lane: &mut Lane<'_>,
    parts: &tokio::sync::Mutex<mpsc::Receiver<Batch>>,
    room: &Semaphore,
    count: &Count<impl FnMut(Tally)>,
) -> Result<(), Fault> {
    loop {
        let next = parts.lock().await.recv().await;
        let Some(part) = next else { return Ok(()) };
        let bytes = u32::try_from(part.bytes).unwrap_or(u32::MAX).min(BYTES);
        // The semaphore is never closed.
        let _room = room.acquire_many(bytes).await.ok();
        match lane.read(part.names).await {
            Ok(part) => count.add(part),
            Err(fault) => {
                parts.lock().await.close();
                return Err(fault);
            }
        }
    }
}

/// What was counted so far, and who is told.
struct Count<F>(Mutex<(Tally, F)>);

impl<F: FnMut(Tally)> Count<F> {
    fn add(&self, part: Tally) {
        let mut so_far = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (tally, told) = &mut *so_far;
        tally.add(part);
        told(*tally);
    }

    fn so_far(&self) -> Tally {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0
    }
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

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
