//! Which keys there are under a prefix, and how much they hold.
//!
//! In: a connection, a prefix. Out: names, some hundred at a time, and parts of them that are small enough to be read at once.
//! It reads no payload and removes nothing.

use ::redis::cmd;

use super::{ANSWER_BYTES, BYTES, LANES};
use crate::{
    capability::progress::Tally,
    probe::{
        look::usage,
        wire::{connection::Connection, failure::Failure},
    },
    redis::{access::acl, look::fault::Fault},
};

/// Keys that a server is asked for at a time.
const KEYS: usize = 500;
/// How many times fewer where their names were too long together.
const FEWER: usize = 8;
/// Keys that are measured, or removed unread, at a time. Redis answers others in between. They are read soon after: what is in
/// the processor's cache by then need not come there again.
pub(super) const BATCH: usize = 100;
/// Keys that are read at a time. What Redis takes to watch keys grows with the square of their number.
const PART: usize = 50;
/// Bytes that are read at a time.
const PART_BYTES: u64 = BYTES as u64 / LANES as u64;
/// Bytes of the biggest payload that is read.
const BIGGEST: u64 = 16 << 20;

/// A search for every key under a prefix.
pub(super) struct Search {
    pub(super) connection: Connection,
    pattern: String,
    /// Where it goes on; `None` once it has come to the end.
    cursor: Option<u64>,
    count: usize,
}

/// Entries that are read together.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) names: Vec<Vec<u8>>,
    /// Of the names and the payloads.
    pub(super) bytes: u64,
}

impl Search {
    pub(super) fn new(connection: Connection, prefix: &str) -> Self {
        Self { connection, pattern: format!("{}*", acl::escape(prefix)), cursor: Some(0), count: KEYS }
    }

    /// The next names, which may be none; `None` once all were given.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Vec<u8>>>, Fault> {
        while let Some(cursor) = self.cursor {
            let mut command = cmd("SCAN");
            command.arg(cursor).arg("MATCH").arg(&self.pattern).arg("COUNT").arg(self.count);
            let answer = match self.connection.send(&command).await {
                // Their names are very long.
                Err(Failure::TooLong(_)) if self.count > 1 => {
                    self.count = (self.count / FEWER).max(1);
                    continue;
                }
                answer => answer.map_err(|failure| failure.of("scan"))?,
            };
            self.count = (self.count * 2).min(KEYS);
            let (next, mut names) = usage::scanned(answer)
                .ok_or_else(|| Fault::Unexpected("scan: it gives no cursor and no keys".to_owned()))?;
            self.cursor = (next != 0).then_some(next);
            // What is left of a name that was cut is another key's.
            names.retain(|name| name.len() < ANSWER_BYTES);
            return Ok(Some(names));
        }
        Ok(None)
    }
}

/// How many of these are entries, and those that are read, in parts.
pub(super) async fn measured(connection: &mut Connection, names: &[Vec<u8>]) -> Result<(Tally, Vec<Batch>), Fault> {
    let asked = names.iter().map(|name| usage::field("HSTRLEN", name)).collect();
    let sizes = usage::all(connection, asked).await.map_err(|failure| failure.of("hstrlen"))?;
    let mut tally = Tally::default();
    let mut entries = Vec::with_capacity(names.len());
    for (name, size) in names.iter().zip(sizes) {
        // What is no hash, or has no payload, is none of Microsoft.Identity.Web's, or has gone meanwhile.
        let Some(size) = usage::integer(&size).and_then(|size| u64::try_from(size).ok()).filter(|size| *size > 0)
        else {
            continue;
        };
        tally.keys += 1;
        if size > BIGGEST {
            tally.too_big += 1;
        } else {
            entries.push((name.clone(), size));
        }
    }
    Ok((tally, parts(entries)))
}

fn parts(entries: Vec<(Vec<u8>, u64)>) -> Vec<Batch> {
    let mut parts: Vec<Batch> = Vec::new();
    for (name, size) in entries {
        let bytes = size + super::number(name.len());
        match parts.last_mut() {
            Some(part) if part.names.len() < PART && part.bytes + bytes <= PART_BYTES => {
                part.names.push(name);
                part.bytes += bytes;
            }
            _ => parts.push(Batch { names: vec![name], bytes }),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(sizes: &[u64]) -> Vec<usize> {
        let entries = sizes.iter().map(|size| (b"name".to_vec(), size - 4)).collect();
        parts(entries).iter().map(|part| part.names.len()).collect()
    }

    #[test]
    fn entries_are_read_together_up_to_a_number_and_a_size() {
        assert_eq!(of(&[]), [0; 0]);
        assert_eq!(of(&[10; 120]), [50, 50, 20]);
        assert_eq!(of(&[PART_BYTES / 2, PART_BYTES / 2, 10, PART_BYTES, 10]), [2, 1, 1, 1]);
        assert_eq!(of(&[10, BIGGEST, 10, 10]), [1, 1, 2], "one that is bigger than a part is one");
        let long = vec![(vec![b'n'; 200 << 10], 10), (vec![b'n'; 200 << 10], 10)];
        assert_eq!(parts(long).len(), 2, "names count too");
    }
}
