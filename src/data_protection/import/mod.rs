//! Taking over a ring that exists: a Secret with key files, or with the one file that Azure Blob Storage holds.
//!
//! In: files. Out: one file for each key and each revocation, in the operator's own words, or what cannot be taken over, with
//! the reason, and then nothing else: half a ring is none. Nothing is decrypted. What applications pass over is told, and not
//! taken over either.

pub mod provided;

use super::{
    key::{
        Descriptor,
        id::KeyId,
        read::{self, Element, FileError},
        revocation::Revoked,
        write::File,
    },
    ring::{
        directory::is_read,
        published::{Refusal, Refused},
    },
};

/// The most files that are read of a Secret.
const MOST_FILES: usize = 4096;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Imported {
    /// The files to take over; none while anything is refused. Revocations of all keys before a date come last.
    pub files: Vec<File>,
    /// What cannot be taken over, and why. While there is any, nothing is.
    pub refused: Vec<Refused>,
    /// What applications pass over, and why.
    pub passed_over: Vec<Refused>,
    by_date: Vec<File>,
}

/// Reads files, each with its name.
#[must_use]
pub fn read<'files>(files: impl IntoIterator<Item = (&'files str, &'files [u8])>) -> Imported {
    let mut imported = Imported::default();
    for (index, (name, bytes)) in files.into_iter().enumerate() {
        if index >= MOST_FILES {
            imported.refused.push(Refused { file: name.to_owned(), why: Refusal::TooMany(MOST_FILES) });
            break;
        }
        match read::repository(bytes) {
            Some(elements) => {
                for (index, element) in elements.into_iter().enumerate() {
                    imported.add(&format!("{name}, element {}", index + 1), element);
                }
            }
            None => imported.add_file(name, read::read(bytes)),
        }
    }
    imported.refuse_twins();
    if imported.refused.is_empty() {
        imported.files.append(&mut imported.by_date);
    } else {
        imported.files.clear();
    }
    imported
}

impl Imported {
    /// Of other files than `*.xml` applications read nothing: what may be a key all the same is left to the user.
    fn add_file(&mut self, name: &str, element: Result<Element, FileError>) {
        match element {
            element if is_read(name) => self.add(name, element),
            Ok(_) => self.refused.push(Refused { file: name.to_owned(), why: Refusal::Misnamed }),
            Err(_) => self.passed_over.push(Refused { file: name.to_owned(), why: Refusal::NotRead }),
        }
    }

    /// A key that applications pass over when they read it first is one to them later on.
    fn refuse_twins(&mut self) {
        let is_taken = |id: KeyId| self.files.iter().any(|file| file.name == id.file_name());
        let twin = |passed_over: &Refused| match passed_over.why {
            Refusal::File(FileError::Dates(id, _)) if is_taken(id) => {
                Some(Refused { file: passed_over.file.clone(), why: Refusal::InTwoFiles(id) })
            }
            _ => None,
        };
        let twins: Vec<Refused> = self.passed_over.iter().filter_map(twin).collect();
        self.refused.extend(twins);
    }

    fn add(&mut self, place: &str, element: Result<Element, FileError>) {
        let refused = |why: Refusal| Refused { file: place.to_owned(), why };
        let file = match element {
            Err(error) if error.is_passed_over() => return self.passed_over.push(refused(error.into())),
            Err(error) => return self.refused.push(refused(error.into())),
            Ok(Element::Key(key)) => {
                if let Descriptor::Foreign(foreign) = key.descriptor {
                    return self.refused.push(refused(Refusal::Foreign(key.id, foreign)));
                }
                let Some(file) = key.file() else { return };
                if self.files.iter().any(|there| there.name == file.name) {
                    return self.refused.push(refused(Refusal::InTwoFiles(key.id)));
                }
                file
            }
            Ok(Element::Revocation(revocation)) => {
                let file = revocation.file();
                let is_by_date = revocation.revoked == Revoked::AllCreatedBefore;
                let files = if is_by_date { &mut self.by_date } else { &mut self.files };
                // The second of two revocations of one key says nothing new, nor does the same one of all keys.
                if files.iter().all(|there| there.name != file.name) {
                    files.push(file);
                }
                return;
            }
        };
        self.files.push(file);
    }
}
