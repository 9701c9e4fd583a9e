//! One connection over which entries are read, and those removed that are meant.
//!
//! In: names. Out: a tally of what they hold. Nothing is removed that was not read first, or that somebody has written since.

use ::redis::{Value, cmd};
use zeroize::Zeroizing;

use super::{removed, search, unlink};
use crate::{
    capability::progress::Tally,
    entries::{
        entry::reader::Reader,
        sweep::{Sweep, note},
    },
    probe::{
        look::usage,
        wire::{connection::Connection, failure::Failure},
    },
    redis::look::fault::Fault,
};

/// How often an entry that others write meanwhile is read.
const TRIES: usize = 3;

/// What entries are looked at with.
pub(super) struct Eye<'sweep> {
    pub(super) sweep: &'sweep Sweep,
    pub(super) reader: &'sweep Reader,
    pub(super) prefix: &'sweep [u8],
}

/// A connection over which entries are read.
pub(super) struct Lane<'sweep> {
    connection: Connection,
    eye: Eye<'sweep>,
    /// Whether Redis watches what was read last.
    watches: bool,
}

impl<'sweep> Lane<'sweep> {
    pub(super) fn new(connection: Connection, eye: Eye<'sweep>) -> Self {
        Self { connection, eye, watches: false }
    }

    /// Reads these, and removes what is meant. They are counted as keys already.
    pub(super) async fn read(&mut self, names: Vec<Vec<u8>>) -> Result<Tally, Fault> {
        if let Some(tally) = self.try_to_read(&names).await? {
            return Ok(tally);
        }
        let mut tally = Tally::default();
        // One by one, so that one that is written again and again does not keep the others.
        for name in names {
            tally.add(self.read_again(name).await?);
        }
        Ok(tally)
    }

    async fn read_again(&mut self, name: Vec<u8>) -> Result<Tally, Fault> {
        let mut names = vec![name];
        for _ in 1..TRIES {
            // It may have grown beyond what is read.
            let (Tally { too_big, .. }, parts) = search::measured(&mut self.connection, &names).await?;
            let Some(part) = parts.into_iter().next() else { return Ok(Tally { too_big, ..Tally::default() }) };
            if let Some(tally) = self.try_to_read(&part.names).await? {
                return Ok(tally);
            }
            names = part.names;
        }
        // What is written so often is in use, and good by now.
        Ok(Tally::default())
    }

    /// `None` where somebody wrote to one of them meanwhile, and then nothing was removed.
    async fn try_to_read(&mut self, names: &[Vec<u8>]) -> Result<Option<Tally>, Fault> {
        let payloads = self.payloads(names).await?;
        let (mut tally, meant) = self.eye.look(names, payloads);
        if meant.is_empty() || !self.eye.sweep.id.step.removes() {
            return Ok(Some(tally));
        }
        let transaction = vec![cmd("MULTI"), unlink(meant.into_iter()), cmd("EXEC")];
        let answers = usage::all(&mut self.connection, transaction).await.map_err(|failure| failure.of("unlink"))?;
        self.watches = false;
        match answers.last() {
            Some(Value::Nil) => Ok(None),
            Some(Value::Array(results)) if results.len() == 1 => {
                tally.removed = removed(&results[0])?;
                Ok(Some(tally))
            }
            _ => Err(Fault::Unexpected("exec: it gives no result".to_owned())),
        }
    }

    /// What these hold. Where something is to be removed Redis watches them from before they are read.
    async fn payloads(&mut self, names: &[Vec<u8>]) -> Result<Vec<Value>, Fault> {
        let mut commands = Vec::with_capacity(names.len() + 2);
        if self.watches {
            commands.push(cmd("UNWATCH"));
        }
        if self.eye.sweep.id.step.removes() {
            let mut watch = cmd("WATCH");
            watch.arg(names);
            commands.push(watch);
        }
        let before = commands.len();
        commands.extend(names.iter().map(|name| usage::field("HGET", name)));
        let mut answers = self.connection.send_all(commands).await.map_err(|failure| failure.of("hget"))?;
        let payloads = answers.split_off(before);
        for answer in answers {
            match answer {
                Value::Okay => self.watches = true,
                Value::ServerError(error) => return Err(Failure::from(error).of("watch")),
                _ => return Err(Fault::Unexpected("watch: the answer is not OK".to_owned())),
            }
        }
        usage::none_forbidden(payloads).map_err(|failure| failure.of("hget"))
    }
}

impl Eye<'_> {
    /// What entries are, and which of them are meant.
    fn look<'names>(&self, names: &'names [Vec<u8>], payloads: Vec<Value>) -> (Tally, Vec<&'names Vec<u8>>) {
        let mut tally = Tally::default();
        let mut meant = Vec::new();
        for (name, payload) in names.iter().zip(payloads) {
            // What is none any more has gone meanwhile, or is no hash.
            let Value::BulkString(payload) = payload else { continue };
            let mut payload = Zeroizing::new(payload);
            let key = name.strip_prefix(self.prefix).unwrap_or(name);
            let read = self.reader.read(key, &payload);
            // `Zeroizing` wipes what a vector holds byte by byte, and the room that it has left at once.
            payload.clear();
            let is_meant = self.sweep.selection.means(&read.entry);
            note(&mut tally, &read.entry, is_meant);
            if is_meant {
                meant.push(name);
            }
        }
        (tally, meant)
    }
}
