//! What stands in a server: whether it is used, and whether what stands there will ever go.
//!
//! In: a few hundred keys at a look, one part of the key space after the other. Out: what they are, in words that do not
//! move with every key. No key and no payload is kept.

use super::payloads::Payload;
use crate::redis::look::load::Reading;

/// For how many looks keys are left alone where the name of the next one is too long to be read.
const REST: u32 = 10;

/// What stands in a server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Keyspace {
    /// Nobody has looked yet.
    #[default]
    NotYetKnown,
    /// The server refuses a command that it takes. Holds the server's words.
    Refused(String),
    /// What was seen.
    Seen(Population),
}

/// What was seen of the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Population {
    /// Whether the prefix is in use.
    pub prefix: Prefix,
    /// Whether entries expire.
    pub expiry: Expiry,
    /// Whether there are keys outside the prefix.
    pub others: bool,
    /// Another database that holds keys.
    pub other_database: Option<u32>,
    /// Whether there are keys whose names are too long to be looked at.
    pub unnamed: bool,
}

/// Whether a prefix is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefix {
    /// Not every key has been seen, and none so far is under it.
    NotYetKnown,
    /// An entry was seen, or written, since the server was started.
    Used,
    /// Every key was seen, none of them was an entry, and none was ever written.
    Unused,
}

/// Whether entries expire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// Not every key has been seen, and every entry so far expires.
    NotYetKnown,
    /// All of them do.
    All,
    /// Some never do.
    Never(Share),
}

/// How many of all, roughly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// Fewer than one in ten.
    Few,
    /// Fewer than half.
    Some,
    /// Half or more.
    Most,
    /// Every one.
    All,
}

/// Some keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// Where the next one begins; 0 where every key has been seen.
    pub cursor: u64,
    /// What they are.
    pub keys: Vec<StoredKey>,
    /// How many of the entries among them had their turn to be looked into; `None` where no one is left to have it.
    pub step: Option<usize>,
    /// How many had it and are too big for that.
    pub passed_over: u64,
    /// How many keys beside these have names that are too long to be looked at.
    pub unnamed: u64,
    /// Why nothing could be seen, in the server's words.
    pub refusal: Option<String>,
}

/// What one key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredKey {
    /// Whether it is a hash under the prefix.
    pub is_entry: bool,
    /// Whether it has an expiration.
    pub expires: bool,
    /// The payload's size in bytes, where it was asked for.
    pub size: Option<u64>,
    /// What the payload is, where it was looked into.
    pub payload: Option<Payload>,
}

/// The keys seen so far: on the way through the key space, and on the last way that was complete.
#[derive(Debug, Clone, Default)]
pub struct Census {
    cursor: u64,
    current: Count,
    complete: Option<Count>,
    used: bool,
    narrowed: u32,
    rest: u32,
}

#[derive(Debug, Clone, Default)]
struct Count {
    entries: u64,
    never_expire: u64,
    others: u64,
    unnamed: u64,
    biggest: u64,
}

impl Census {
    /// Where the next batch begins.
    #[must_use]
    pub fn cursor(&self) -> u64 {
        self.cursor
    }

    /// How many keys the next batch may have, of so many as usual: fewer where their names are too long.
    #[must_use]
    pub fn batch_size(&self, usual: usize) -> usize {
        usual.checked_shr(self.narrowed).unwrap_or_default().max(1)
    }

    /// Takes note that a batch could not be read: the next ones are half as big, so many times.
    pub fn narrow(&mut self, times: u32) {
        self.narrowed += times;
    }

    /// Takes note that not even one key could be read: it is left alone for some looks.
    pub fn rest(&mut self) {
        self.rest = REST;
    }

    /// Whether keys are left alone at this look.
    pub fn rests(&mut self) -> bool {
        let rests = self.rest > 0;
        self.rest = self.rest.saturating_sub(1);
        rests
    }

    /// The size of the biggest payload that was seen, in bytes.
    pub(crate) fn biggest(&self) -> u64 {
        self.current.biggest.max(self.complete.as_ref().map_or(0, |tally| tally.biggest))
    }

    /// Adds a batch.
    pub(crate) fn note(&mut self, batch: Batch, reading: &Reading) -> Keyspace {
        if let Some(words) = batch.refusal {
            return Keyspace::Refused(words);
        }
        for key in &batch.keys {
            self.current.add(key);
        }
        self.current.unnamed += batch.unnamed;
        self.used |= self.current.entries > 0 || reading.writes.count > 0;
        self.cursor = batch.cursor;
        if self.cursor == 0 {
            self.complete = Some(std::mem::take(&mut self.current));
            self.narrowed = 0;
        }
        Keyspace::Seen(self.population(reading))
    }

    fn population(&self, reading: &Reading) -> Population {
        let either = |of: fn(&Count) -> bool| of(&self.current) || self.complete.as_ref().is_some_and(of);
        Population {
            prefix: match &self.complete {
                _ if self.used => Prefix::Used,
                Some(_) => Prefix::Unused,
                None => Prefix::NotYetKnown,
            },
            expiry: self.expiry(reading),
            others: either(|tally| tally.others > 0),
            other_database: reading.other_database,
            unnamed: either(|tally| tally.unnamed > 0),
        }
    }

    /// The server counts what expires itself; only where that is not all of it does it take a look at the keys.
    fn expiry(&self, reading: &Reading) -> Expiry {
        let (keys, expiring) = reading.database;
        if keys <= expiring {
            return Expiry::All;
        }
        let tallies = || self.complete.iter().chain([&self.current]);
        let are_all_named = tallies().all(|tally| tally.unnamed == 0);
        match tallies().find(|tally| tally.never_expire > 0) {
            Some(tally) => Expiry::Never(tally.share()),
            None if self.complete.is_some() && are_all_named => Expiry::All,
            None => Expiry::NotYetKnown,
        }
    }
}

impl Count {
    fn add(&mut self, key: &StoredKey) {
        if !key.is_entry {
            self.others += 1;
            return;
        }
        self.entries += 1;
        self.never_expire += u64::from(!key.expires);
        self.biggest = self.biggest.max(key.size.unwrap_or_default());
    }

    fn share(&self) -> Share {
        match (self.never_expire, self.entries) {
            (never, all) if never >= all => Share::All,
            (never, all) if never * 2 >= all => Share::Most,
            (never, all) if never * 10 >= all => Share::Some,
            _ => Share::Few,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: StoredKey = StoredKey { is_entry: true, expires: true, size: Some(3000), payload: None };
    const ENDLESS: StoredKey = StoredKey { expires: false, ..ENTRY };
    const OTHER: StoredKey = StoredKey { is_entry: false, expires: false, size: None, payload: None };

    fn reading(keys: u64, expiring: u64) -> Reading {
        Reading { database: (keys, expiring), ..Reading::default() }
    }

    fn note(census: &mut Census, cursor: u64, keys: &[StoredKey], reading: &Reading) -> Population {
        match census.note(Batch { cursor, keys: keys.to_vec(), ..Batch::default() }, reading) {
            Keyspace::Seen(population) => population,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_prefix_is_unused_once_every_key_was_seen_and_none_is_an_entry() {
        let mut census = Census::default();
        assert_eq!(note(&mut census, 7, &[OTHER], &reading(2, 0)).prefix, Prefix::NotYetKnown);
        let seen = note(&mut census, 0, &[OTHER], &reading(2, 0));
        assert_eq!((seen.prefix, seen.others), (Prefix::Unused, true));
        assert_eq!(note(&mut census, 7, &[ENTRY], &reading(2, 1)).prefix, Prefix::Used);
        assert_eq!(
            note(&mut census, 0, &[], &reading(0, 0)).prefix,
            Prefix::Used,
            "it was, and its entries have expired"
        );
    }

    #[test]
    fn an_entry_that_was_written_and_has_expired_shows_use() {
        let mut written = reading(0, 0);
        written.writes.count = 1;
        assert_eq!(note(&mut Census::default(), 0, &[], &written).prefix, Prefix::Used);
    }

    #[test]
    fn entries_that_never_expire_are_told_at_once_and_no_more_when_the_next_way_finds_none() {
        let mut census = Census::default();
        assert_eq!(note(&mut census, 7, &[ENTRY, OTHER], &reading(9, 5)).expiry, Expiry::NotYetKnown);
        assert_eq!(note(&mut census, 8, &[ENDLESS], &reading(9, 5)).expiry, Expiry::Never(Share::Most));
        assert_eq!(note(&mut census, 0, &[ENTRY; 20], &reading(9, 5)).expiry, Expiry::Never(Share::Few));
        assert_eq!(note(&mut census, 7, &[ENTRY], &reading(9, 5)).expiry, Expiry::Never(Share::Few));
        assert_eq!(note(&mut census, 0, &[ENTRY], &reading(9, 5)).expiry, Expiry::All, "others may never expire");
        assert_eq!(note(&mut census, 7, &[ENDLESS], &reading(9, 5)).expiry, Expiry::Never(Share::All));
    }

    #[test]
    fn where_every_key_expires_by_the_servers_own_count_no_key_need_be_seen() {
        assert_eq!(note(&mut Census::default(), 7, &[], &reading(9, 9)).expiry, Expiry::All);
    }

    #[test]
    fn a_batch_that_cannot_be_read_makes_the_next_one_smaller() {
        let mut census = Census::default();
        assert_eq!(census.batch_size(400), 400);
        census.narrow(1);
        assert_eq!(census.batch_size(400), 200);
        (0..90).for_each(|_| census.narrow(1));
        assert_eq!(census.batch_size(400), 1);
    }
}
