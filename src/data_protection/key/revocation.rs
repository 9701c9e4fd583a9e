//! Revocations: after one, what a key has encrypted cannot be read any more.
//!
//! In: a key's id and the time, or what [`crate::data_protection::key::read`] read. Out: a file. Revocations of all keys before a date are read,
//! kept and applied, but never published: a runtime from .NET 9 on would take a key that is made after one for too young to
//! encrypt.

use jiff::Timestamp;

use super::{
    Key,
    id::KeyId,
    write::{self, File},
};

/// What a revocation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revoked {
    /// One key.
    Key(KeyId),
    /// Every key that was made strictly before the date of the revocation.
    AllCreatedBefore,
}

/// A revocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// What it is about.
    pub revoked: Revoked,
    /// When it was made.
    pub date: Timestamp,
    /// Why, in the words of whoever asked for it.
    pub reason: String,
}

impl Revocation {
    /// Of one key.
    #[must_use]
    pub fn of(key: KeyId, date: Timestamp, reason: &str) -> Self {
        Self { revoked: Revoked::Key(key), date, reason: reason.to_owned() }
    }

    /// Whether it is about this key.
    #[must_use]
    pub fn is_about(&self, id: KeyId, created: Timestamp) -> bool {
        match self.revoked {
            Revoked::Key(revoked) => revoked == id,
            Revoked::AllCreatedBefore => created < self.date,
        }
    }

    /// The same for the keys there are, one by one.
    pub fn one_by_one<'keys>(&self, keys: impl IntoIterator<Item = &'keys Key>) -> Vec<Self> {
        let about = keys.into_iter().filter(|key| self.is_about(key.id, key.created.timestamp()));
        about.map(|key| Self { revoked: Revoked::Key(key.id), ..self.clone() }).collect()
    }

    /// Its file.
    #[must_use]
    pub fn file(&self) -> File {
        write::revocation(self)
    }

    /// What its file is called.
    #[must_use]
    pub fn file_name(&self) -> String {
        match self.revoked {
            Revoked::Key(id) => format!("revocation-{id}.xml"),
            Revoked::AllCreatedBefore => {
                let punctuated = self.date.to_string();
                let plain: String = punctuated.chars().filter(|character| !"-:.".contains(*character)).collect();
                format!("revocation-{plain}.xml")
            }
        }
    }
}
