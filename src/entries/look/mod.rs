//! What looks at a server show of its entries, added up over time. Pure.
//!
//! In: what each look read of keys and of what they hold. Out: a [`Look`], whose values stay equal while there is nothing else to
//! say, however the numbers behind them move. It reads no clock and talks to nobody.
//!
//! | module | what |
//! |---|---|
//! | [`census`] | how many there are, and which expire |
//! | [`payloads`] | what those are that were read |
//! | [`ledger`] | what became of those that were read before |

pub mod census;
pub mod ledger;
pub mod payloads;

use std::sync::Arc;

use jiff::Timestamp;

use super::entry::reader::Reader;
use crate::{
    api::v1alpha1::Inspect,
    redis::look::{Server, load::Reading},
};
use census::{Batch, Census, Keyspace};
use ledger::Ledger;
use payloads::{Counts, Payloads};

/// How entries are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// What is read of them.
    pub inspect: Inspect,
    /// What reads what they hold; `None` where there is no key to read them with.
    pub reader: Option<Arc<Reader>>,
    /// When entries were removed last on request: what was counted before that is forgotten.
    pub swept: Option<Timestamp>,
}

/// What the looks at one server have shown so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// Which server.
    pub server: Server,
    /// The application names under which entries were read.
    pub names: Vec<String>,
    /// What stands in it.
    pub entries: Keyspace,
    /// What the entries hold.
    pub payloads: Payloads,
    /// What was counted, to the last one: for metrics. It moves all the time, and is no news.
    pub counts: Counts,
}

impl Look {
    /// Whether two looks say the same, but for what is no news.
    #[must_use]
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        // Without `..`: something that is said and not compared does not compile.
        let Self { server, names: _, entries, payloads, counts: _ } = self;
        *server == other.server && *entries == other.entries && *payloads == other.payloads
    }
}

/// What is remembered of one server's entries from one look to the next. Nothing outlives a restart of the server.
#[derive(Debug, Clone, Default)]
pub struct EntryHistory {
    census: Census,
    ledger: Ledger,
    swept: Option<Timestamp>,
    entries: Keyspace,
    payloads: Payloads,
}

impl EntryHistory {
    /// What was added up so far, of this server.
    #[must_use]
    pub fn look(&self, server: &Server, inspection: &Inspection) -> Look {
        Look {
            server: server.clone(),
            names: inspection.reader.as_ref().map(|reader| reader.names().to_vec()).unwrap_or_default(),
            entries: self.entries.clone(),
            payloads: self.payloads.clone(),
            counts: self.ledger.counts(),
        }
    }

    /// The keys that were looked at so far.
    pub fn census(&mut self) -> &mut Census {
        &mut self.census
    }

    /// The size of the biggest entry, in bytes.
    #[must_use]
    pub fn biggest(&self) -> u64 {
        self.census.biggest()
    }

    /// Goes on with what reads payloads now: what another one read of them is forgotten, and so is what was counted before
    /// entries were removed on request, which would be told for as long as the next way through the keys takes.
    pub fn read_with(&mut self, inspection: &Inspection) {
        let Inspection { inspect, reader, swept } = inspection;
        if self.swept != *swept {
            *self =
                Self { census: Census::default(), ledger: Ledger::default(), swept: *swept, ..std::mem::take(self) };
        }
        if self.ledger.meet(*inspect, reader.as_ref()) {
            self.payloads = Payloads::default();
        }
    }

    /// Of so many entries of a batch, the one from which on payloads are to be looked into, and how many are left.
    #[must_use]
    pub fn turn(&self, entries: usize) -> (usize, usize) {
        self.ledger.turn(entries)
    }

    /// Adds what a look read. Without a batch what was said of keys stays.
    pub fn note(&mut self, batch: Option<Batch>, reading: &Reading) {
        let Some(batch) = batch else { return };
        self.payloads = self.ledger.note(&batch);
        self.entries = self.census.note(batch, reading);
    }
}
