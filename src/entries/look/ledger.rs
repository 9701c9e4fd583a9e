//! What payloads add up to from one look to the next, each entry in its turn.
//!
//! In: batches of keys. Out: [`Payloads`] and [`Counts`]. A window ends with a way through the key space on which every entry
//! has had its turn since it began, or [`ENOUGH`] were looked into. What was seen in the current window or in the last
//! complete one is told: a trouble at once, and no more after a window that has not seen it.

use std::sync::Arc;

use super::{
    census::{Batch, Share},
    payloads::{Counts, Payloads, Portion},
};
use crate::{
    api::v1alpha1::Inspect,
    entries::entry::{class::Class, reader::Reader},
};

/// So many payloads tell what the rest is like.
pub const ENOUGH: u64 = 1000;

/// What is remembered of payloads from one look to the next.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    is_inspected: bool,
    reader: Option<Arc<Reader>>,
    current: Counts,
    complete: Option<Counts>,
    told: Payloads,
    turn: Turn,
    entries_on_way: u64,
    /// A way through the key space has begun.
    is_under_way: bool,
    /// It had begun before the window did.
    is_late: bool,
}

/// Whose turn it is to be looked into: of each batch some, and on the next way through the key space those that follow, each
/// once in a window. So windows over the same entries come out the same.
#[derive(Debug, Clone, Default)]
struct Turn {
    /// Where the window began.
    start: usize,
    /// How many of each batch have had their turn since.
    done: usize,
    /// The fewest entries of a batch that had it on this way, where some are left.
    step: Option<usize>,
}

impl Ledger {
    /// Goes on with what reads payloads now, if anything is to; begins anew, and says so, where that is another one than
    /// before.
    pub(crate) fn meet(&mut self, inspect: Inspect, reader: Option<&Arc<Reader>>) -> bool {
        let is_inspected = inspect == Inspect::Payloads;
        if self.is_inspected == is_inspected && self.reader.as_ref() == reader {
            return false;
        }
        *self = Self {
            is_inspected,
            reader: reader.cloned(),
            turn: Turn { start: self.turn.start, ..Turn::default() },
            is_under_way: self.is_under_way,
            is_late: self.is_under_way,
            ..Self::default()
        };
        true
    }

    /// Of so many entries of a batch, the one whose turn it is, and how many are left from there on, the first after the last.
    #[must_use]
    pub fn turn(&self, entries: usize) -> (usize, usize) {
        let Turn { start, done, .. } = self.turn;
        (start.wrapping_add(done).checked_rem(entries).unwrap_or_default(), entries.saturating_sub(done))
    }

    /// What was counted in the last complete window, or so far in the first.
    pub(crate) fn counts(&self) -> Counts {
        let counts = self.complete.as_ref().unwrap_or(&self.current).clone();
        Counts { is_inspected: self.is_inspected, ..counts }
    }

    /// Adds a batch.
    pub(crate) fn note(&mut self, batch: &Batch) -> Payloads {
        if batch.refusal.is_some() {
            return self.told.clone();
        }
        let entries = batch.keys.iter().filter(|key| key.is_entry).count();
        self.entries_on_way += u64::try_from(entries).unwrap_or(u64::MAX);
        self.current.passed_over += batch.passed_over;
        batch.keys.iter().filter_map(|key| key.payload).for_each(|payload| self.current.add(payload));
        if let Some(step) = batch.step {
            self.turn.step = Some(self.turn.step.map_or(step, |least| least.min(step)));
        }
        self.is_under_way = batch.cursor != 0;
        if !self.is_under_way {
            self.end_way();
        }
        self.told = self.payloads();
        self.told.clone()
    }

    fn end_way(&mut self) {
        self.current.entries = std::mem::take(&mut self.entries_on_way);
        let is_whole = !std::mem::take(&mut self.is_late);
        let step = self.turn.step.take();
        if is_whole {
            self.turn.done = self.turn.done.saturating_add(step.unwrap_or_default());
        }
        let all_had_turn = is_whole && step.is_none();
        if all_had_turn || self.current.looked_into() >= ENOUGH {
            self.complete = Some(std::mem::take(&mut self.current));
            // Where some are left, they come next.
            let start = if all_had_turn { self.turn.start } else { self.turn.start.wrapping_add(self.turn.done) };
            self.turn = Turn { start, ..Turn::default() };
        }
    }

    fn payloads(&self) -> Payloads {
        if !self.is_inspected {
            return Payloads::default();
        }
        let windows = || self.complete.iter().chain([&self.current]);
        let portion = |class: Class| {
            let seen = windows().find(|window| window.of(class) > 0)?;
            // What the beginning of the first window made of it is no measure.
            let before = self.told.classes.get(&class).filter(|_| self.told.is_complete).map(|portion| portion.share);
            let share = share(before, seen.of(class), seen.looked_into());
            Some((class, Portion { share, keys: windows().flat_map(|window| window.keys(class)).collect() }))
        };
        let names = self.reader.as_ref().map(|reader| reader.names()).unwrap_or_default();
        let name = |index: &usize| names.get(*index).cloned();
        Payloads {
            is_complete: self.complete.is_some(),
            classes: Class::ALL.iter().copied().filter_map(portion).collect(),
            names: windows().flat_map(|window| window.names.iter().filter_map(name)).collect(),
            has_passed_over: windows().any(|window| window.passed_over > 0),
        }
    }
}

/// How many of all. A share that is near a bound stays what it was: in windows over the same entries it comes out a little
/// different each time.
fn share(before: Option<Share>, part: u64, all: u64) -> Share {
    let is_over = |tenths: u64| part * 10 >= all * tenths;
    match before {
        Some(Share::Most | Share::All) if is_over(4) => Share::Most,
        _ if is_over(5) => Share::Most,
        Some(Share::Most | Share::All | Share::Some) if part * 20 >= all => Share::Some,
        _ if is_over(1) => Share::Some,
        _ => Share::Few,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        data_protection::{key::id::KeyId, ring::open::KeyRing},
        entries::look::{census::StoredKey, payloads::Payload},
    };

    fn key(class: Class, of: u8) -> StoredKey {
        let key = class.is_encrypted().then(|| KeyId::from_payload([of; 16]));
        let payload = Some(Payload { class, key, name: (class == Class::Readable).then_some(0) });
        StoredKey { is_entry: true, expires: true, size: Some(3000), payload }
    }

    const UNSEEN: StoredKey = StoredKey { is_entry: true, expires: true, size: Some(3000), payload: None };

    fn reader(name: &str) -> Arc<Reader> {
        Arc::new(Reader::new(KeyRing::default(), vec![name.to_owned()]))
    }

    fn ledger() -> Ledger {
        let mut ledger = Ledger::default();
        ledger.meet(Inspect::Payloads, Some(&reader("/app")));
        ledger
    }

    /// A batch of which these were looked into, and so many others were not.
    fn batch(cursor: u64, seen: &[StoredKey], unseen: usize) -> Batch {
        let keys = seen.iter().copied().chain(std::iter::repeat_n(UNSEEN, unseen)).collect();
        Batch { cursor, keys, step: (unseen > 0).then_some(seen.len()), ..Batch::default() }
    }

    fn shares(payloads: &Payloads) -> Vec<(Class, Share)> {
        payloads.classes.iter().map(|(&class, portion)| (class, portion.share)).collect()
    }

    use Class::{KeyMissing, Plain, Readable};

    #[test]
    fn one_look_at_a_few_entries_tells_all() {
        let mut ledger = ledger();
        let told = ledger.note(&batch(0, &[key(Readable, 1), key(Readable, 2), key(Plain, 0)], 0));
        assert!(told.is_complete);
        assert_eq!(shares(&told), [(Readable, Share::Most), (Plain, Share::Some)]);
        assert_eq!(told.names, ["/app".to_owned()].into());
        assert_eq!(told.in_use().keys.len(), 2);
        assert_eq!((ledger.counts().entries, ledger.counts().looked_into()), (3, 3));
    }

    #[test]
    fn an_empty_server_holds_nothing() {
        let told = ledger().note(&Batch::default());
        assert_eq!(told, Payloads { is_complete: true, ..Payloads::default() });
    }

    #[test]
    fn a_trouble_is_told_at_once_and_no_more_after_a_window_without_it() {
        let mut ledger = ledger();
        let good = [key(Readable, 1); 9];
        assert!(!ledger.note(&batch(7, &good, 0)).has(KeyMissing));
        let told = ledger.note(&batch(8, &[key(KeyMissing, 9)], 0));
        assert!(!told.is_complete);
        assert_eq!(told.classes[&KeyMissing].keys, [KeyId::from_payload([9; 16])].into());
        let complete = ledger.note(&batch(0, &good, 0));
        assert_eq!(shares(&complete), [(Readable, Share::Most), (KeyMissing, Share::Few)]);
        // On the next way it is told still, until that is complete.
        assert_eq!(ledger.note(&batch(7, &good, 0)), complete);
        let told = ledger.note(&batch(0, &good, 0));
        assert_eq!((told.is_complete, shares(&told)), (true, vec![(Readable, Share::Most)]));
    }

    #[test]
    fn over_an_unchanged_world_nothing_that_is_said_moves_and_every_entry_has_its_turn() {
        // Two batches of which 4 are looked into at a time; one entry of the first has lost its key.
        let mut ledger = ledger();
        let mut told = Vec::new();
        let mut windows = Vec::new();
        for _ in 0..30 {
            for (cursor, count, lost) in [(7, 10, 9), (0, 6, 99)] {
                let (start, left) = ledger.turn(count);
                let looked = (start..start + left.min(4)).map(|index| index % count);
                let of = |index| if index == lost { key(KeyMissing, 9) } else { key(Readable, 1) };
                let seen: Vec<StoredKey> = looked.map(of).collect();
                let batch = Batch {
                    cursor,
                    keys: seen.iter().copied().chain(std::iter::repeat_n(UNSEEN, count - seen.len())).collect(),
                    step: (left > 4).then_some(4),
                    ..Batch::default()
                };
                told.push(ledger.note(&batch));
                windows.extend(ledger.complete.clone());
            }
        }
        let complete = told.iter().position(|told| told.is_complete).unwrap();
        assert_eq!(complete, 5, "three ways of two batches");
        assert!(told[complete].has(KeyMissing));
        assert!(told[complete..].iter().all(|later| *later == told[complete]));
        assert!(windows.iter().all(|window| (window.entries, window.looked_into()) == (16, 16)), "each has one turn");
    }

    #[test]
    fn of_very_many_entries_enough_are_looked_into() {
        let mut ledger = ledger();
        for cursor in (0..10).rev() {
            let told = ledger.note(&batch(cursor, &[key(Readable, 1); 100], 300));
            assert_eq!(told.is_complete, cursor == 0);
        }
        assert_eq!(ledger.turn(400), (100, 400), "the next ones have their turn");
        assert_eq!(ledger.counts().entries, 4000);
    }

    #[test]
    fn with_another_ring_or_other_names_everything_is_read_anew() {
        let mut ledger = ledger();
        ledger.note(&batch(7, &[key(KeyMissing, 9)], 0));
        assert!(!ledger.meet(Inspect::Payloads, Some(&reader("/app"))), "an equal one is none");
        assert!(ledger.meet(Inspect::Payloads, Some(&reader("other"))));
        let told = ledger.note(&batch(0, &[key(Readable, 9)], 0));
        assert!(!told.is_complete && !told.has(KeyMissing), "the first part was not read with it");
        assert!(ledger.note(&batch(0, &[key(Readable, 9)], 0)).is_complete);
        assert!(ledger.meet(Inspect::Payloads, None));
        assert!(ledger.note(&batch(0, &[key(Class::Encrypted, 9)], 0)).is_complete, "a way begins");
    }

    #[test]
    fn where_nothing_is_looked_into_entries_are_counted_and_what_was_told_of_others_is_gone() {
        let mut ledger = ledger();
        ledger.note(&batch(0, &[key(KeyMissing, 9), key(Plain, 0)], 0));
        assert!(ledger.meet(Inspect::Metadata, None));
        let batch = Batch { keys: vec![UNSEEN; 3], ..Batch::default() };
        assert_eq!(ledger.note(&batch), Payloads::default());
        let counts = ledger.counts();
        assert_eq!((counts.entries, counts.looked_into(), counts.is_inspected), (3, 0, false));
        assert!(!ledger.meet(Inspect::Metadata, None));
        assert!(ledger.meet(Inspect::Payloads, None) && ledger.counts().is_inspected);
    }

    #[test]
    fn however_many_keys_are_unknown_only_some_are_told_from_each_other() {
        let mut ledger = ledger();
        let keys: Vec<StoredKey> = (1..=200).map(|of| key(KeyMissing, of)).collect();
        let told = ledger.note(&batch(0, &keys, 0));
        assert_eq!((told.classes[&KeyMissing].keys.len(), ledger.counts().of(KeyMissing)), (16, 200));
        let keys: Vec<StoredKey> = (1..=200).map(|of| key(Readable, of)).collect();
        assert_eq!(ledger.note(&batch(0, &keys, 0)).classes[&Readable].keys.len(), 200, "those of the ring all are");
    }

    #[test]
    fn a_share_near_a_bound_stays_what_it_was() {
        assert_eq!(share(None, 50, 100), Share::Most);
        assert_eq!(share(Some(Share::Most), 41, 100), Share::Most);
        assert_eq!(share(Some(Share::Most), 39, 100), Share::Some);
        assert_eq!(share(Some(Share::Some), 49, 100), Share::Some);
        assert_eq!(share(Some(Share::Some), 6, 100), Share::Some);
        assert_eq!(share(Some(Share::Some), 4, 100), Share::Few);
        assert_eq!(share(Some(Share::Few), 9, 100), Share::Few);
        assert_eq!(share(Some(Share::Few), 10, 100), Share::Some);
    }

    #[test]
    fn a_batch_that_was_refused_changes_nothing() {
        let mut ledger = ledger();
        let told = ledger.note(&batch(0, &[key(Plain, 0)], 0));
        assert_eq!(ledger.note(&Batch { refusal: Some("NOPERM".to_owned()), ..Batch::default() }), told);
    }
}
