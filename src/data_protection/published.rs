//! The published ring: the files of the one Secret that applications mount.
//!
//! In: the files of the key Secrets, which are the truth, and those that are published now. Out: what is to be published, and
//! what is wrong with the rest. One malformed file, or one key in two files, and no application can read any key; so what is
//! not well-formed is never published. A key is never left out, and never twice in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use zeroize::Zeroizing;

use super::{
    key::{Descriptor, Foreign, Key},
    key_file::{self, Element, FileError},
    key_id::KeyId,
    key_writer::File,
    revocation::{Revocation, Revoked},
};

/// The most that a Secret may hold, in bytes.
pub const CAPACITY: usize = 1 << 20;
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
    #[error("it is the key {0}, which this operator cannot use: {1}")]
    Foreign(KeyId, Foreign),
    /// Another file holds another key of this name.
    #[error("it is the key {0}, which another file holds with another content")]
    Duplicate(KeyId),
    /// A file of this name was edited.
    #[error("it was edited: it is written anew")]
    Edited,
    /// A key or a revocation stands in a file of another name.
    #[error("it is kept under the name that it should have")]
    Renamed,
    /// It revokes every key before a date.
    #[error("it is spelled out: one revocation for each key that it revokes")]
    ByDate,
    /// What it says, another file says already.
    #[error("another file says the same")]
    Twice,
}

/// How full the published Secret is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill {
    /// What its files have, in bytes.
    pub bytes: usize,
}

impl Fill {
    /// In percent of what a Secret may hold.
    #[must_use]
    pub fn percent(self) -> usize {
        self.bytes * 100 / CAPACITY
    }

    /// Whether users should be warned.
    #[must_use]
    pub fn is_high(self) -> bool {
        self.bytes >= CAPACITY / 100 * HIGH_PERCENT
    }

    /// Whether the API server would refuse it.
    #[must_use]
    pub fn is_over(self) -> bool {
        self.bytes > CAPACITY
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
        published.spell_out();
        let held: BTreeSet<String> = published.files.keys().cloned().collect();
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

    /// How full the Secret gets.
    #[must_use]
    pub fn fill(&self) -> Fill {
        Fill { bytes: self.files.values().map(|content| content.len()).sum() }
    }

    fn add(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        match key_file::read(bytes)? {
            Element::Revocation(revocation) => {
                // The file that was made stays as it is, but for one that revokes more than one key.
                if let Revoked::Key(_) = revocation.revoked {
                    let name = revocation.file_name();
                    self.files.entry(name).or_insert_with(|| Zeroizing::new(bytes.to_vec()));
                }
                self.revocations.push(revocation);
                Ok(())
            }
            Element::Key(key) => {
                if let Descriptor::Foreign(foreign) = &key.descriptor {
                    return Err(Refusal::Foreign(key.id, foreign.clone()));
                }
                let name = key.file_name();
                match self.files.get(&name) {
                    Some(there) if there.as_slice() == bytes => Ok(()),
                    Some(_) => Err(Refusal::Duplicate(key.id)),
                    None => {
                        self.files.insert(name, Zeroizing::new(bytes.to_vec()));
                        self.keys.push(*key);
                        Ok(())
                    }
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
        let (before, revocations) = (self.files.len(), self.revocations.len());
        match self.add(bytes) {
            Err(why) => Some(why),
            Ok(()) if self.revocations[revocations..].iter().any(is_by_date) => Some(Refusal::ByDate),
            Ok(()) if self.files.len() > before => (!self.files.contains_key(name)).then_some(Refusal::Renamed),
            Ok(()) => Some(Refusal::Twice),
        }
    }

    /// Turns each revocation of all keys before a date into one for each of them, and makes the files that are wanting.
    fn spell_out(&mut self) {
        let mut seen = BTreeSet::new();
        let each = std::mem::take(&mut self.revocations).into_iter().flat_map(|revocation| match revocation.revoked {
            Revoked::Key(_) => vec![revocation],
            Revoked::AllCreatedBefore => revocation.one_by_one(&self.keys),
        });
        self.revocations = each.filter(|revocation| seen.insert(revocation.file_name())).collect();
        for revocation in &self.revocations {
            let file = revocation.file();
            self.files.entry(file.name).or_insert(file.content);
        }
    }
}

fn is_by_date(revocation: &Revocation) -> bool {
    matches!(revocation.revoked, Revoked::AllCreatedBefore)
}
