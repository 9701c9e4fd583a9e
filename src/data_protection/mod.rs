//! The shared key ring of ASP.NET Core Data Protection: which keys there are, which is to be made, what is published, and
//! what a stored entry is.
//!
//! In: the files of key Secrets and of the published ring, the certificates at hand, how often keys change, the time. Out:
//! [`DataProtection`]. Nothing is drawn and nothing is written here: what is to be made is a [`KeyMint`], which random bytes
//! turn into a file. No key is ever removed.
//!
//! | module | what |
//! |---|---|
//! | [`key_id`], [`master_key`], [`algorithm`], [`key`], [`revocation`] | the parts of a ring |
//! | [`key_file`], `key_writer` | their files, read and written byte for byte as ASP.NET Core does it |
//! | [`certificate`], [`encrypted_xml`], [`certificates`], `pfx`, `der` | master keys that are encrypted to an RSA certificate |
//! | [`ring`], [`rotation`], [`schedule`] | which key encrypts, and when the next one is to be made |
//! | [`published`], [`import`], [`objects`] | the Secret that applications mount, and what comes into it |
//! | [`payload`], `derivation`, `cipher`, [`key_ring`] | protecting and reading payloads |
//! | [`entry`], [`class`], [`reader`] | what a stored token-cache entry is, in one word, and what reads it |
//! | [`in_use`] | which keys and names stored entries show to be in use |
//! | [`settings`], [`observed`] | what a cache wants of its ring, and what a pass saw |
//! | [`standing`], [`request`], [`revoke`], [`plan`], [`health`] | how far it is, what is asked for, what is to be written, what is said |
//! | [`directory`] | the ring as an application reads it from a folder |

pub mod algorithm;
pub mod certificate;
pub mod certificates;
mod cipher;
pub mod class;
mod der;
mod derivation;
pub mod directory;
pub mod encrypted_xml;
pub mod entry;
pub mod health;
pub mod import;
pub mod in_use;
pub mod key;
pub mod key_file;
pub mod key_id;
pub mod key_ring;
mod key_writer;
pub mod master_key;
pub mod objects;
pub mod observed;
pub mod payload;
mod pfx;
pub mod plan;
pub mod published;
pub mod reader;
pub mod request;
pub mod revocation;
pub mod revoke;
pub mod ring;
pub mod rotation;
pub mod schedule;
pub mod settings;
pub mod standing;

use jiff::Timestamp;

use certificate::{Certificate, Pair};
use certificates::Kept;
pub use cipher::CipherError;
use key::{KeyOrder, MakeError};
use key_id::KeyId;
use key_ring::KeyRing;
pub use key_writer::File;
use published::Published;
use ring::Ring;
use rotation::Rotation;
use schedule::Why;

/// What new keys are encrypted to.
#[derive(Debug, Clone)]
pub enum Protection {
    /// Nothing: whoever reads the Secret reads the keys.
    Plain,
    /// A certificate.
    Certificate(Box<Pair>),
    /// A certificate that cannot be used at the moment: no key is made until it can.
    Unavailable,
}

/// What was seen of a ring.
#[derive(Debug, Clone)]
pub struct Seen<'seen> {
    /// The files of the key Secrets, each with the name of where it is, the oldest Secret first.
    pub sources: Vec<(&'seen str, &'seen [u8])>,
    /// The files of the published ring.
    pub live: Vec<(&'seen str, &'seen [u8])>,
    /// What new keys are encrypted to.
    pub protection: Protection,
    /// Certificates that the user names beside it.
    pub previous: &'seen [Pair],
    /// Certificates that were kept.
    pub copies: &'seen [Pair],
}

/// What is known of a ring, and what is to be done.
#[derive(Debug, Clone)]
pub struct DataProtection {
    /// What is to be published.
    pub published: Published,
    /// The keys, by their dates.
    pub ring: Ring,
    /// What reads payloads and entries. To be handed to the next pass, which then need not open every key again.
    pub key_ring: KeyRing,
    /// The certificates that are to be published and kept.
    pub certificates: Kept,
    /// A key that is to be made.
    pub mint: Option<KeyMint>,
    /// When the next key is to be made.
    pub due: Option<Timestamp>,
    /// When something changes by itself.
    pub wake_at: Option<Timestamp>,
    protection: Protection,
    rotation: Rotation,
}

/// A key whose bytes are drawn when it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyMint {
    /// Why it is made.
    pub why: Why,
    /// Its dates.
    pub order: KeyOrder,
    /// What it is encrypted to.
    pub certificate: Option<Certificate>,
}

impl KeyMint {
    /// The key's file, from [`key::RANDOM_BYTES`] random bytes.
    ///
    /// # Errors
    /// Where the bytes do not suffice, or the certificate cannot be used.
    pub fn file(&self, random: &[u8]) -> Result<File, MakeError> {
        let key = self.order.make(self.certificate.as_ref(), random)?;
        key.file().ok_or(MakeError::Random(random.len()))
    }
}

impl DataProtection {
    /// Reads what was seen. What `earlier` has opened is not opened again.
    #[must_use]
    pub fn read(seen: &Seen<'_>, rotation: Rotation, now: Timestamp, earlier: &KeyRing) -> Self {
        let published = Published::of(seen.sources.iter().copied(), seen.live.iter().copied());
        let current = match &seen.protection {
            Protection::Certificate(pair) => Some(pair.as_ref().clone()),
            Protection::Plain | Protection::Unavailable => None,
        };
        let named: Vec<Pair> = current.into_iter().chain(seen.previous.iter().cloned()).collect();
        let certificates = certificates::kept(published.keys(), &named, seen.copies);
        let key_ring = KeyRing::open(published.keys(), published.revocations(), &certificates.pairs, earlier);
        let ring = key_ring.dates();
        let schedule = schedule::schedule(&ring, rotation, now);
        let mut read = Self {
            published,
            ring,
            key_ring,
            certificates,
            mint: None,
            due: schedule.due,
            wake_at: schedule.wake_at,
            protection: seen.protection.clone(),
            rotation,
        };
        read.mint = schedule.order.and_then(|(why, order)| read.mint_of(why, order));
        read
    }

    /// The key that replaces the active one at once, because somebody asked for it; `None` while none can be made.
    #[must_use]
    pub fn at_once(&self, now: Timestamp) -> Option<KeyMint> {
        self.mint_of(Why::Requested, schedule::at_once(&self.ring, self.rotation, now))
    }

    /// Whether applications encrypt with this key, or will within minutes.
    #[must_use]
    pub fn encrypts_with(&self, key: KeyId, now: Timestamp) -> bool {
        self.ring.newest(now).is_some_and(|newest| newest.id == key)
    }

    fn mint_of(&self, why: Why, order: KeyOrder) -> Option<KeyMint> {
        let certificate = match &self.protection {
            Protection::Plain => None,
            Protection::Certificate(pair) => Some(pair.certificate().clone()),
            Protection::Unavailable => return None,
        };
        Some(KeyMint { why, order, certificate })
    }
}
