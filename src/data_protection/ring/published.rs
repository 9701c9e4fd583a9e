//! The published ring: the files of the one Secret that applications mount.
//!
//! In: the files of the key Secrets, which are the truth, and those that are published now. Out: what is to be published, and
//! what is wrong with the rest. One malformed file, or one key in two files, and no application can read any key; so what is
//! not well-formed is never published. A key is never left out, and never twice in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::data_protection::key::{
    Descriptor, Foreign, Key, earlier_file,
    id::KeyId,
    read::{self, Element, FileError},
    revocation::{Revocation, Revoked},
    write::File,
};

/// The most that a Secret may hold, in bytes.
pub const CAPACITY: usize = 1 << 20;
/// The most that an object may have as it is stored, in bytes: etcd takes 1.5 MiB in a request, and the rest of the object
/// wants room too.
pub const LARGEST_OBJECT: usize = 1_400_000;
/// What is stored of a file beside its content and its name, which stands in the object twice, in bytes.
const BESIDE_A_FILE: usize = 24;
/// From which share of it on users are warned.
const HIGH_PERCENT: usize = 80;

/// The ring as applications are to get it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Published {
    files: BTreeMap<String, Zeroizing<Vec<u8>>>,
    keys: Vec<Key>,
    revocations: Vec<Revocation>,
    /// What is not published, and why.
    pub refused: Vec<Refused>,
    /// What is published although no Secret of its own holds it any more: it should get one again.
    pub orphans: Vec<File>,
    /// Files in the published Secret that do not stay.
    pub strays: Vec<Refused>,
    /// The dates of revocations of all keys before one.
    by_date: Vec<Timestamp>,
}

/// A file that is not published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Where it is.
    pub file: String,
    /// Why it is not published.
    pub why: Refusal,
}

/// Why a file is not published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It does not belong into a ring.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is a key that only the application itself understands.
    #[error("key {id}: {1}", id = .0.short())]
    Foreign(KeyId, Foreign),
    /// Another file holds another key of this name.
    #[error("key {id} is in another file with another content", id = .0.short())]
    Duplicate(KeyId),
    /// Another file holds it too.
    #[error("key {id} is in another file too, and no application reads a ring with both", id = .0.short())]
    InTwoFiles(KeyId),
    /// Of its name applications read nothing, and it holds a key or a revocation.
    #[error("it holds a key or a revocation, but ASP.NET Core reads only names that end with .xml")]
    Misnamed,
    /// Of its name applications read nothing.
    #[error("ASP.NET Core reads only names that end with .xml")]
    NotRead,
    /// It is one of too many.
    #[error("the Secret has over {0} files")]
    TooMany(usize),
    /// A file of this name was edited.
    #[error("it was edited")]
    Edited,
    /// A key or a revocation stands in a file of another name.
    #[error("it has another name than its key or revocation")]
    Renamed,
    /// It revokes every key before a date.
    #[error("it revokes all keys before a date, and becomes one revocation for each")]
    ByDate,
    /// What it says, another file says already.
    #[error("another file says the same")]
    Twice,
}

/// How full the published Secret is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fill {
    /// What its files have, in bytes.
    pub bytes: usize,
    /// What is stored beside them, in bytes: their names, and who has written each.
    pub beside: usize,
}

impl Fill {
    /// With other files beside these.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { bytes: self.bytes + other.bytes, beside: self.beside + other.beside }
    }

    /// In percent of what a Secret may hold.
    #[must_use]
    pub fn percent(self) -> usize {
        let of_request = (self.bytes + self.beside) * 100 / LARGEST_OBJECT;
        (self.bytes * 100 / CAPACITY).max(of_request)
    }

    /// Whether users should be warned.
    #[must_use]
    pub fn is_high(self) -> bool {
        self.bytes >= CAPACITY / 100 * HIGH_PERCENT || self.percent() >= HIGH_PERCENT
    }

    /// Whether the API server would refuse it.
    #[must_use]
    pub fn is_over(self) -> bool {
        self.bytes > CAPACITY || self.bytes + self.beside > LARGEST_OBJECT
    }
}

// By hand: derived, it would print the files.
impl fmt::Debug for Published {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Published")
            .field("files", &self.files.keys().collect::<Vec<_>>())
            .field("refused", &self.refused)
            .field("orphans", &self.orphans)
            .field("strays", &self.strays)
            .finish_non_exhaustive()
    }
}

impl Published {
    /// Of the files of key Secrets, each with the name of where it is, in an order in which the first wins; and of what is
    /// published now.
    #[must_use]
    pub fn of<'files>(
        sources: impl IntoIterator<Item = (&'files str, &'files [u8])>,
        live: impl IntoIterator<Item = (&'files str, &'files [u8])>,
    ) -> Self {
        let mut published = Self::default();
        for (place, bytes) in sources {
            if let Err(why) = published.add(bytes) {
                published.refused.push(Refused { file: place.to_owned(), why });
            }
        }
        let held: BTreeSet<String> = published.files.keys().cloned().collect();
        published.spell_out();
        for (name, bytes) in live {
            if let Some(why) = published.rescue(name, bytes) {
                published.strays.push(Refused { file: name.to_owned(), why });
            }
        }
        published.spell_out();
        let orphans = published.files.iter().filter(|(name, _)| !held.contains(*name));
        published.orphans =
            orphans.map(|(name, content)| File { name: name.clone(), content: content.clone() }).collect();
        published
    }

    /// The files, by their names.
    #[must_use]
    pub fn files(&self) -> &BTreeMap<String, Zeroizing<Vec<u8>>> {
        &self.files
    }

    /// The keys in them.
    #[must_use]
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// The revocations in them, each of one key.
    #[must_use]
    pub fn revocations(&self) -> &[Revocation] {
        &self.revocations
    }

    /// The latest date of those that were of all keys before it, as far as it has come: no key is said to be older.
    #[must_use]
    pub fn revoked_before(&self, now: Timestamp) -> Option<Timestamp> {
        self.by_date.iter().copied().filter(|date| *date <= now).max()
    }

    /// How full the Secret gets.
    #[must_use]
    pub fn fill(&self) -> Fill {
        let names = self.files.keys().map(String::len).sum::<usize>();
        Fill {
            bytes: self.files.values().map(|content| content.len()).sum(),
            beside: names * 2 + self.files.len() * BESIDE_A_FILE,
        }
    }

    /// Adds what a file says, in the operator's own words: so none of its quirks is published.
    fn add(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        match own(bytes)? {
            Element::Revocation(revocation) => {
                match revocation.revoked {
                    Revoked::Key(_) => {
                        let file = revocation.file();
                        self.files.entry(file.name).or_insert(file.content);
                        self.revocations.push(revocation);
                    }
                    // It is about the keys that were there when it came, which come before it. Of one that is made later it
                    // says nothing.
                    Revoked::AllCreatedBefore => {
                        self.by_date.push(revocation.date);
                        self.revocations.extend(revocation.one_by_one(&self.keys));
                    }
                }
                Ok(())
            }
            Element::Key(key) => {
                let known = self.keys.iter().find(|known| known.id == key.id);
                match (key.file(), known, &key.descriptor) {
                    (_, _, Descriptor::Foreign(foreign)) => Err(Refusal::Foreign(key.id, foreign.clone())),
                    (_, Some(known), _) if *known == *key => Ok(()),
                    (Some(file), None, _) => {
                        self.files.insert(file.name, file.content);
                        self.keys.push(*key);
                        Ok(())
                    }
                    _ => Err(Refusal::Duplicate(key.id)),
                }
            }
        }
    }

    /// Looks at a file that is published now: a key or a revocation that nothing else holds stays. Why it does not, otherwise.
    fn rescue(&mut self, name: &str, bytes: &[u8]) -> Option<Refusal> {
        match self.files.get(name) {
            Some(there) if there.as_slice() == bytes => return None,
            Some(_) => return Some(Refusal::Edited),
            None => {}
        }
        let (before, by_date) = (self.files.len(), self.by_date.len());
        match self.add(bytes) {
            Err(why) => Some(why),
            Ok(()) if self.by_date.len() > by_date => Some(Refusal::ByDate),
            Ok(()) if self.files.len() > before => match self.files.get(name) {
                None => Some(Refusal::Renamed),
                Some(written) => (written.as_slice() != bytes).then_some(Refusal::Edited),
            },
            Ok(()) => Some(Refusal::Twice),
        }
    }

    /// Makes the files that are wanting of revocations, of each key one.
    fn spell_out(&mut self) {
        let mut seen = BTreeSet::new();
        self.revocations.retain(|revocation| seen.insert(revocation.file_name()));
        for revocation in &self.revocations {
            let file = revocation.file();
            self.files.entry(file.name).or_insert(file.content);
        }
    }
}

/// What a file of the operator's own says: as every application reads it, or else as an earlier version of the operator did,
/// where that is clear.
pub(crate) fn own(bytes: &[u8]) -> Result<Element, Refusal> {
    let is_usable = |element: &Element| match element {
        Element::Key(key) => matches!(key.descriptor, Descriptor::Known { .. }),
        Element::Revocation(_) => true,
    };
    match read::read(bytes) {
        Ok(element) if is_usable(&element) => Ok(element),
        read => earlier_file::read(bytes).map_or_else(|| Ok(read?), Ok),
    }
}
