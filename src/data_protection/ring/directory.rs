//! A ring as an application reads it from a folder, and what comes of it: which key encrypts now, and whether a payload
//! of another pod can be read.
//!
//! In: the files of a folder, the certificates at hand, the application's name, the time, random bytes. Out: the report of
//! `doctor ring`, in lines. No secret and no plaintext is ever in it.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{
    default_key::{DatedKeys, DefaultKey, KeyState},
    open::{KeyRing, UnprotectError},
};
use crate::data_protection::{
    certificate::{Pair, Thumbprint},
    key::{
        Closed, Key,
        cipher::CipherError,
        encrypted_xml::OpenError,
        id::KeyId,
        read::{self, Element, FileError},
        revocation::Revocation,
    },
    payload::{self, Purposes, RANDOM_BYTES},
};

/// The purpose of the payloads that one pod makes for another one to read, so that they are good for nothing else.
const PURPOSE: &str = "tokencache-operator doctor";
/// What stands in such a payload.
const TEXT: &[u8] = b"tokencache-operator doctor ring";

/// The most files that are read of a folder.
const MOST_FILES: usize = 4096;

/// Why an application could not read any key of a folder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// A file breaks it.
    #[error("{0}: {1}. No application can read the ring until this file is gone")]
    File(String, FileError),
    /// This operator does not read a file.
    #[error("{0}: {1}. Applications may read it all the same: write the file anew without that, and look again")]
    Unsupported(String, FileError),
    /// There are too many files.
    #[error("there are over {MOST_FILES} *.xml files, more than this operator reads")]
    TooMany,
    /// Two files have the same key.
    #[error("{0}: it holds key {1}, as another file does. No application can read the ring until one of them is gone")]
    Duplicate(String, KeyId),
    /// There is no key.
    #[error("there is no key in any *.xml file: is the Secret with the ring mounted here, as a whole?")]
    Empty,
}

/// What is wrong with a ring that applications can read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Nothing can be encrypted.
    #[error("no key can encrypt")]
    NoKey,
    /// Applications are left to another key.
    #[error("no key is active")]
    NoneActive,
    /// Some of what was encrypted cannot be read.
    #[error("{0} of its keys cannot be used, so what they encrypted cannot be read")]
    Closed(usize),
    /// Some of what was encrypted cannot be read, most likely.
    #[error("{0} of its files should hold a key but are passed over, so what these keys encrypted cannot be read")]
    PassedOver(usize),
}

/// Why a round trip failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RoundTripError {
    /// There is nothing to encrypt with.
    #[error("no key can encrypt: every Protect of an application fails")]
    NoKey,
    /// The cipher refuses to work.
    #[error(transparent)]
    Cipher(#[from] CipherError),
    /// The payload cannot be read.
    #[error(transparent)]
    Unprotect(#[from] UnprotectError),
    /// The payload is another one.
    #[error("doctor did not make this payload")]
    OtherPayload,
}

/// A ring, as it was read from a folder.
#[derive(Debug, Clone)]
pub struct Directory {
    keys: Vec<Key>,
    ring: DatedKeys,
    key_ring: KeyRing,
    /// Files that applications pass over, and why.
    pub passed_over: Vec<(String, FileError)>,
}

impl Directory {
    /// Reads the files that applications read: those whose names end with `.xml`, dot-files among them.
    ///
    /// # Errors
    /// All that keeps applications from reading any key.
    pub fn read<'files>(
        files: impl IntoIterator<Item = (&'files str, &'files [u8])>,
        pairs: &[Pair],
    ) -> Result<Self, Vec<DirectoryError>> {
        let (mut keys, mut revocations, mut passed_over): (Vec<Key>, Vec<Revocation>, Vec<_>) = Default::default();
        let mut errors = Vec::new();
        for (index, (name, bytes)) in files.into_iter().filter(|(name, _)| is_read(name)).enumerate() {
            if index >= MOST_FILES {
                return Err(vec![DirectoryError::TooMany]);
            }
            match read::read(bytes) {
                Ok(Element::Key(key)) if keys.iter().any(|known| known.id == key.id) => {
                    errors.push(DirectoryError::Duplicate(name.to_owned(), key.id));
                }
                Ok(Element::Key(key)) => keys.push(*key),
                Ok(Element::Revocation(revocation)) => revocations.push(revocation),
                Err(error @ (FileError::Malformed(_) | FileError::Revocation(_))) => {
                    errors.push(DirectoryError::File(name.to_owned(), error));
                }
                Err(error @ FileError::Unsupported(_)) => {
                    errors.push(DirectoryError::Unsupported(name.to_owned(), error));
                }
                Err(error @ (FileError::Unknown(_) | FileError::Key(_) | FileError::Dates(..))) => {
                    passed_over.push((name.to_owned(), error));
                }
            }
        }
        // Applications that have read it before take it for the same key.
        errors.extend(passed_over.iter().filter_map(|(name, why): &(String, FileError)| match why {
            FileError::Dates(id, _) if keys.iter().any(|key| key.id == *id) => {
                Some(DirectoryError::Duplicate(name.clone(), *id))
            }
            _ => None,
        }));
        if keys.is_empty() && errors.is_empty() {
            errors.push(DirectoryError::Empty);
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let key_ring = KeyRing::open(&keys, &revocations, pairs, &KeyRing::default());
        Ok(Self { keys, ring: key_ring.dates(), key_ring, passed_over })
    }

    /// What there is to say of each key, and which of them encrypts now.
    #[must_use]
    pub fn report(&self, now: Timestamp) -> Vec<String> {
        let mut keys: Vec<&Key> = self.keys.iter().collect();
        keys.sort_by_key(|key| (key.activates, key.id));
        let mut lines: Vec<String> = keys.into_iter().filter_map(|key| self.line(key, now)).collect();
        lines.extend(self.key_ring.closed().map(|(id, why)| format!("key {id} cannot be used: {why}")));
        lines.extend(self.passed_over.iter().map(|(name, why)| format!("{name} is passed over: {why}")));
        lines.extend(self.undecided(now));
        lines.extend(self.on_net_8(now));
        lines.push(match self.ring.choice(now) {
            DefaultKey::Default(key) => format!("an application that reads this ring now encrypts with {}", key.id),
            DefaultKey::Fallback(key) => format!(
                "no key is active: an application that reads this ring now makes do with {}, or fails where it makes keys \
                 itself",
                key.id
            ),
            DefaultKey::Nothing => "no key can encrypt: every Protect of an application fails".to_owned(),
        });
        lines
    }

    /// The certificates that keys are encrypted to, and that are not at hand with their private keys.
    #[must_use]
    pub fn lacking(&self) -> BTreeSet<Thumbprint> {
        let lacking = self.key_ring.closed().filter_map(|(_, why)| match why {
            Closed::Encrypted(OpenError::CertificateMissing(thumbprint)) => Some(*thumbprint),
            _ => None,
        });
        lacking.collect()
    }

    /// The keys in it.
    #[must_use]
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// The keys by their dates: which encrypts, as .NET 9 and 10 choose it.
    #[must_use]
    pub fn ring(&self) -> &DatedKeys {
        &self.ring
    }

    /// That a key may encrypt which only an application itself can use.
    fn undecided(&self, now: Timestamp) -> Vec<String> {
        let is_default = matches!(self.ring.choice(now), DefaultKey::Default(_));
        let newest = self.ring.newest(now).map(|newest| newest.id);
        let comes_first = |id: KeyId| !is_default || newest == Some(id);
        let foreign = self.key_ring.closed().filter_map(|(id, why)| match why {
            Closed::Foreign(foreign) if foreign.is_of_application() && comes_first(id) => Some(id),
            _ => None,
        });
        foreign.map(|id| format!("an application that can use key {id} may encrypt with it instead")).collect()
    }

    /// What .NET 8 does otherwise.
    fn on_net_8(&self, now: Timestamp) -> Option<String> {
        if let DefaultKey::Default(active) = self.ring.choice(now) {
            let expires = self.keys.iter().find(|key| key.id == active.id)?.expires;
            let is_lost = expires.is_beyond_net_8();
            return is_lost.then(|| {
                format!(
                    "on .NET 8 every Protect fails, since {} expires in the last minutes of the year 9999",
                    active.id
                )
            });
        }
        let net_8 = self.ring.fallback_of_net_8(now)?;
        let is_same = matches!(self.ring.choice(now), DefaultKey::Fallback(other) if other.id == net_8.id);
        (!is_same).then(|| format!("on .NET 8 an application that reads this ring now makes do with {}", net_8.id))
    }

    /// The worst of what is wrong with it; `None` where nothing is.
    #[must_use]
    pub fn fault(&self, now: Timestamp) -> Option<Fault> {
        let is_key = |(_, why): &&(String, FileError)| matches!(why, FileError::Key(_) | FileError::Dates(..));
        match self.ring.choice(now) {
            DefaultKey::Nothing => return Some(Fault::NoKey),
            DefaultKey::Fallback(_) => return Some(Fault::NoneActive),
            DefaultKey::Default(_) => {}
        }
        match (self.key_ring.closed().count(), self.passed_over.iter().filter(is_key).count()) {
            (0, 0) => None,
            (0, passed_over) => Some(Fault::PassedOver(passed_over)),
            (closed, _) => Some(Fault::Closed(closed)),
        }
    }

    fn line(&self, key: &Key, now: Timestamp) -> Option<String> {
        let state = match self.ring.state(self.ring.find(key.id)?, now) {
            KeyState::Pending => "is pending",
            KeyState::Active => "encrypts",
            KeyState::Superseded | KeyState::Expired => "decrypts",
            KeyState::Revoked => "is revoked",
            KeyState::Unreadable => "cannot be read",
        };
        Some(format!("key {} {state}: activates {}, expires {}", key.id, key.activates, key.expires))
    }

    /// A payload for another pod to read.
    ///
    /// # Errors
    /// Where nothing can be encrypted.
    pub fn protect(
        &self,
        application: &str,
        now: Timestamp,
        random: &[u8; RANDOM_BYTES],
    ) -> Result<Vec<u8>, RoundTripError> {
        let (DefaultKey::Default(key) | DefaultKey::Fallback(key)) = self.ring.choice(now) else {
            return Err(RoundTripError::NoKey);
        };
        let protector = self.key_ring.protector(key.id).ok_or(RoundTripError::NoKey)?;
        Ok(protector.protect(&Purposes::new(application, &[PURPOSE]), TEXT, random)?)
    }

    /// Reads a payload that another pod made, and returns the key that did it.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn unprotect(&self, application: &str, payload: &[u8]) -> Result<KeyId, RoundTripError> {
        let text = self.key_ring.unprotect(&Purposes::new(application, &[PURPOSE]), payload)?;
        payload::key_id(payload).filter(|_| text.as_slice() == TEXT).ok_or(RoundTripError::OtherPayload)
    }
}

/// Whether applications read a file of this name. On Linux case counts, and dot-files are not passed over.
#[must_use]
pub fn is_read(name: &str) -> bool {
    name.strip_suffix(".xml").is_some()
}
