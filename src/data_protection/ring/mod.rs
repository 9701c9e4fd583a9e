//! A key ring as a whole: which keys there are, which of them encrypts, when the next one is made.
//!
//! In: the files of key Secrets and of the published ring, certificates, how often keys change, the time. Out:
//! [`Ring`]. Nothing is drawn and nothing is written here: what is to be made is a [`PlannedKey`], which random bytes turn
//! into a file. No key is ever removed.
//!
//! | module | what |
//! |---|---|
//! | [`default_key`], [`rotation`], [`schedule`] | which key encrypts, and when the next one is made |
//! | [`published`], [`capacity`] | what is published, and whether there is room |
//! | [`certificates`] | the certificates that keys need |
//! | [`open`] | the keys that could be opened, which read payloads |
//! | [`in_use`] | which keys and names stored entries show to be in use |
//! | [`directory`] | the ring as an application reads it from a folder |

pub mod capacity;
pub mod certificates;
pub mod default_key;
pub mod directory;
pub mod in_use;
pub mod open;
pub mod published;
pub mod rotation;
pub mod schedule;

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{
    certificate::{Certificate, Pair, Thumbprint},
    key::{Closed, KeyDates, MakeError, encrypted_xml::OpenError, id::KeyId, write::File},
};
use certificates::{AtHand, Copies, KeptCertificates};
use default_key::DatedKeys;
use open::KeyRing;
use published::Published;
use rotation::RotationPolicy;
use schedule::Why;

/// What is known of a ring, and what is to be done.
#[derive(Debug, Clone)]
pub struct Ring {
    /// What is to be published.
    pub published: Published,
    /// The keys, by their dates.
    pub ring: DatedKeys,
    /// What reads payloads and entries. To be handed to the next pass, which then need not open every key again.
    pub key_ring: KeyRing,
    /// The certificates that are to be published and kept.
    pub certificates: KeptCertificates,
    /// Since when applications can read each of them.
    pub certificates_since: BTreeMap<Thumbprint, Timestamp>,
    /// Whether what the next key is encrypted to depends on the processes that use the ring.
    pub depends_on_processes: bool,
    /// A key that is to be made.
    pub mint: Option<PlannedKey>,
    /// A key that would be made, but that another one was made a moment ago; and when it is.
    pub put_off: Option<(Why, Timestamp)>,
    /// When the next key is to be made.
    pub due: Option<Timestamp>,
    /// When something changes by itself.
    pub wake_at: Option<Timestamp>,
    protection: Protection,
    awaited: Outstanding,
    rotation: RotationPolicy,
    /// No key is said to be made before.
    not_before: Option<Timestamp>,
}

impl Ring {
    /// Reads what was seen. What `earlier` has opened is not opened again.
    #[must_use]
    pub fn read(seen: &Seen<'_>, rotation: RotationPolicy, now: Timestamp, earlier: &KeyRing) -> Self {
        let published = Published::of(seen.sources.iter().copied(), seen.live.iter().copied());
        let current = match &seen.protection {
            Protection::Certificate(pair) => Some(pair.as_ref()),
            Protection::Plain | Protection::Unavailable => None,
        };
        let at_hand: Vec<Pair> = current.into_iter().chain(seen.previous).cloned().collect();
        let copies = seen.copies.candidates(published.keys(), &at_hand, now);
        let at_hand = AtHand { current, previous: seen.previous, copies: &copies };
        let next = at_hand.for_next_key(published.keys(), seen.oldest_process, now);
        // While one of those that are named is missing, nothing that is published goes; nor while a file of a key cannot be
        // read, which may need it.
        let is_complete = !matches!(seen.protection, Protection::Unavailable)
            && !seen.awaited.certificates
            && published.refused.is_empty();
        let kept = copies.iter().map(|copy| &copy.pair);
        let named = current.into_iter().chain(seen.previous).chain(&next).chain(kept.clone().filter(|_| !is_complete));
        let named: Vec<Pair> = named.cloned().collect();
        let kept: Vec<Pair> = kept.cloned().collect();
        let certificates = certificates::kept(published.keys(), &named, &kept);
        let since = |pair: &Pair| (pair.thumbprint(), at_hand.published(pair.thumbprint(), now));
        let certificates_since = certificates.pairs.iter().map(since).collect();
        let key_ring = KeyRing::open(published.keys(), published.revocations(), &certificates.pairs, earlier);
        let depends_on_processes = at_hand.depend_on_processes(published.keys());
        let ring = key_ring.dates();
        let schedule = schedule::schedule(&ring, rotation, now);
        let mut read = Self {
            published,
            ring,
            key_ring,
            certificates,
            certificates_since,
            depends_on_processes,
            mint: None,
            put_off: None,
            not_before: None,
            due: schedule.due,
            wake_at: schedule.wake_at,
            protection: match next {
                Some(pair) => Protection::Certificate(Box::new(pair)),
                None => seen.protection.clone(),
            },
            awaited: seen.awaited,
            rotation,
        };
        read.not_before = read.published.revoked_before(now);
        let order = schedule.order.filter(|(why, _)| !read.is_held_back(*why, now));
        let mint = order.and_then(|(why, order)| read.mint_of(why, order));
        match (mint, schedule::not_again_before(seen.made, now)) {
            (Some(mint), Some(until)) => {
                read.put_off = Some((mint.why, until));
                read.wake_at = Some(read.wake_at.map_or(until, |wake_at| wake_at.min(until)));
            }
            (mint, _) => read.mint = mint,
        }
        read
    }

    /// The certificate that the next key is encrypted to, if there is one.
    #[must_use]
    pub fn encrypts_to(&self) -> Option<&Certificate> {
        match &self.protection {
            Protection::Certificate(pair) => Some(pair.certificate()),
            Protection::Plain | Protection::Unavailable => None,
        }
    }

    /// Whether every certificate is there that a key may need. While one is not, it may still be in what is published of
    /// certificates, under whatever name, and all of that stays.
    #[must_use]
    pub fn has_every_certificate(&self) -> bool {
        self.certificates.missing.is_empty() && self.published.refused.is_empty()
    }

    /// Whether a key can be made at all.
    #[must_use]
    pub fn can_mint(&self) -> bool {
        let begins_another = self.awaited.ring && self.ring.members().is_empty();
        !matches!(self.protection, Protection::Unavailable) && !begins_another
    }

    /// The keys that cannot be read for want of a certificate, and which. Revoked ones are not among them.
    pub fn sealed(&self) -> impl Iterator<Item = (KeyId, Thumbprint)> {
        self.key_ring.closed().filter_map(|(id, closed)| match closed {
            Closed::Encrypted(OpenError::CertificateMissing(thumbprint)) => Some((id, *thumbprint)),
            Closed::Encrypted(OpenError::Damaged(_)) | Closed::NoMasterKey | Closed::Foreign(_) => None,
        })
    }

    /// Whether the key that would encrypt cannot be read for want of a certificate, so that nothing else may take its place
    /// by itself: neither while the certificate may come yet, nor where the other one would be plain.
    #[must_use]
    pub fn is_sealed(&self, now: Timestamp) -> bool {
        let newest = self.ring.newest(now).map(|newest| newest.id);
        let is_newest = |id: KeyId| newest.is_none_or(|newest| newest == id);
        let may_come = self.awaited.certificates || matches!(self.protection, Protection::Plain);
        may_come && self.sealed().any(|(id, _)| is_newest(id))
    }

    fn is_held_back(&self, why: Why, now: Timestamp) -> bool {
        match why {
            Why::First => self.awaited.ring,
            Why::NothingUsable => self.is_sealed(now),
            Why::UnusableAhead => self.awaited.certificates && self.sealed().next().is_some(),
            Why::NothingActivated | Why::RotationDue | Why::ExpiresSoon | Why::Requested => false,
        }
    }

    /// The key that replaces the active one at once, because somebody asked for it; `None` while none can be made.
    #[must_use]
    pub fn at_once(&self, now: Timestamp) -> Option<PlannedKey> {
        if !self.can_mint() {
            return None;
        }
        self.mint_of(Why::Requested, schedule::at_once(&self.ring, self.rotation, now))
    }

    /// Whether applications encrypt with this key, or will within minutes.
    #[must_use]
    pub fn encrypts_with(&self, key: KeyId, now: Timestamp) -> bool {
        self.ring.newest(now).is_some_and(|newest| newest.id == key)
    }

    fn mint_of(&self, why: Why, order: KeyDates) -> Option<PlannedKey> {
        // A key that is older than a revocation of all keys would be revoked by it wherever somebody still has it.
        let created =
            self.not_before.map_or(order.created, |not_before| schedule::since(not_before).max(order.created));
        let order = KeyDates { created, ..order };
        let certificate = match &self.protection {
            Protection::Plain => None,
            Protection::Certificate(pair) => Some(pair.certificate().clone()),
            Protection::Unavailable => return None,
        };
        Some(PlannedKey { why, order, certificate })
    }
}

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
    /// What is published of certificates now.
    pub copies: &'seen Copies,
    /// The start of the oldest process that uses the ring; `None` where there is no process.
    pub oldest_process: Option<Timestamp>,
    /// What the user names and is not there.
    pub awaited: Outstanding,
    /// When the last key was made that nobody had asked for, as far as that is less than an hour ago.
    pub made: Option<Timestamp>,
}

/// What the user names and is not there, or cannot be used. What may come yet is not replaced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outstanding {
    /// A ring to take over: no first key is made.
    pub ring: bool,
    /// Certificates beside the current one: no key takes the place of those that are encrypted to them.
    pub certificates: bool,
}

/// A key whose bytes are drawn when it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedKey {
    /// Why it is made.
    pub why: Why,
    /// Its dates.
    pub order: KeyDates,
    /// What it is encrypted to.
    pub certificate: Option<Certificate>,
}

impl PlannedKey {
    /// The key's file, from [`RANDOM_BYTES`](super::key::RANDOM_BYTES) random bytes.
    ///
    /// # Errors
    /// Where the bytes do not suffice, or the certificate cannot be used.
    pub fn file(&self, random: &[u8]) -> Result<File, MakeError> {
        let key = self.order.make(self.certificate.as_ref(), random)?;
        key.file().ok_or(MakeError::Random(random.len()))
    }
}
