//! Which certificates applications need to read a ring.
//!
//! In: the keys, and the certificates at hand. Out: those that are to be published together, and their files, for
//! `UnprotectKeysWithAnyCertificate`; and which of them the next key is encrypted to. A certificate is kept for as long as a key
//! is encrypted to it, and no key is ever removed.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use zeroize::Zeroizing;

use super::{
    certificate::{Pair, Thumbprint},
    encrypted_xml::EncryptedSecret,
    key::Key,
    pfx,
    ring::later,
};
use crate::time::whole;

/// How long kubelet may take to bring a Secret to a pod.
const TO_THE_POD: SignedDuration = SignedDuration::from_mins(15);

/// The certificates that keys are encrypted to.
#[must_use]
pub fn needed(keys: &[Key]) -> BTreeSet<Thumbprint> {
    keys.iter().filter_map(Key::encrypted).map(EncryptedSecret::thumbprint).collect()
}

/// What of the certificates at hand is to be published and kept.
#[derive(Debug, Clone, Default)]
pub struct Kept {
    /// Each once: the current one first, then those that the user named, then those that a key needs.
    pub pairs: Vec<Pair>,
    /// Those that a key needs and nobody has: what these keys encrypted cannot be read.
    pub missing: BTreeSet<Thumbprint>,
}

/// What is to be published and kept: `named` are the current certificate and the previous ones that the user names, in this
/// order, and `copies` those that were kept before.
#[must_use]
pub fn kept(keys: &[Key], named: &[Pair], copies: &[Pair]) -> Kept {
    let mut missing = needed(keys);
    let mut kept = Kept::default();
    let wanted = copies.iter().filter(|copy| missing.contains(&copy.thumbprint()));
    for pair in named.iter().chain(wanted) {
        if !kept.pairs.iter().any(|there| there.thumbprint() == pair.thumbprint()) {
            kept.pairs.push(pair.clone());
        }
    }
    for pair in &kept.pairs {
        missing.remove(&pair.thumbprint());
    }
    Kept { missing, ..kept }
}

/// A certificate that new keys could be encrypted to.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The certificate.
    pub pair: Pair,
    /// Since when applications can read it.
    pub published: Timestamp,
}

/// The certificates that are named or were published.
#[derive(Debug, Clone, Copy)]
pub struct AtHand<'seen> {
    /// The one that new keys are to be encrypted to.
    pub current: Option<&'seen Pair>,
    /// Others that the user names.
    pub previous: &'seen [Pair],
    /// Those that are published now.
    pub copies: &'seen [Candidate],
}

impl AtHand<'_> {
    /// Since when applications can read a certificate: from now on, where it is not published yet.
    #[must_use]
    pub fn published(&self, thumbprint: Thumbprint, now: Timestamp) -> Timestamp {
        let copy = self.copies.iter().find(|copy| copy.pair.thumbprint() == thumbprint);
        copy.map_or(whole(now), |copy| copy.published)
    }

    /// Whether it depends on the processes that use the ring which one that is.
    #[must_use]
    pub fn depend_on_processes(&self, keys: &[Key]) -> bool {
        let others = self.previous.iter().chain(self.copies.iter().map(|copy| &copy.pair));
        self.current.is_some_and(|current| {
            let is_other = |pair: &Pair| pair.thumbprint() != current.thumbprint();
            !needed(keys).contains(&current.thumbprint()) && others.into_iter().any(is_other)
        })
    }

    /// The one that the next key is encrypted to; `None` where it is to be plain. See [`for_new_keys`].
    #[must_use]
    pub fn for_next_key(&self, keys: &[Key], oldest_process: Option<Timestamp>, now: Timestamp) -> Option<Pair> {
        let current = self.current?;
        // Whoever could not read the key before would not be helped by another certificate.
        if needed(keys).contains(&current.thumbprint()) {
            return Some(current.clone());
        }
        let others = self.previous.iter().chain(self.copies.iter().map(|copy| &copy.pair));
        let mut candidates: Vec<Candidate> = Vec::new();
        for pair in others {
            let thumbprint = pair.thumbprint();
            if thumbprint != current.thumbprint()
                && candidates.iter().all(|known| known.pair.thumbprint() != thumbprint)
            {
                candidates.push(Candidate { pair: pair.clone(), published: self.published(thumbprint, now) });
            }
        }
        candidates.sort_by_key(|candidate| std::cmp::Reverse(candidate.published));
        let published = self.published(current.thumbprint(), now);
        candidates.insert(0, Candidate { pair: current.clone(), published });
        for_new_keys(&candidates, oldest_process).cloned()
    }
}

/// What new keys are to be encrypted to, of candidates from the newest on. Applications read certificates when they start, and
/// never again: so the newest one has to wait until every process that uses the ring has started after it came, and until
/// then it is the one before, or, where no process knows any of them for sure, the oldest. `None` for the start of the
/// oldest process says that there is no process.
#[must_use]
pub fn for_new_keys(candidates: &[Candidate], oldest_process_started: Option<Timestamp>) -> Option<&Pair> {
    let Some(started) = oldest_process_started else { return candidates.first().map(|newest| &newest.pair) };
    let known = candidates.iter().find(|candidate| later(candidate.published, TO_THE_POD) <= started);
    // Of those that came together, as after their Secret was lost, the last one.
    known.or_else(|| candidates.iter().rev().min_by_key(|candidate| candidate.published)).map(|known| &known.pair)
}

/// The files of certificates, each by its thumbprint: `.crt` and `.key` in PEM, and `.pfx` without a password.
#[must_use]
pub fn files(pairs: &[Pair]) -> BTreeMap<String, Zeroizing<Vec<u8>>> {
    let mut files = BTreeMap::new();
    for pair in pairs {
        let name = |extension: &str| format!("{}.{extension}", pair.thumbprint());
        let (Some(key), Some(pfx)) = (pair.pkcs8(), pfx::write(pair)) else { continue };
        files.insert(name("crt"), pem("CERTIFICATE", pair.certificate().der()));
        files.insert(name("key"), pem("PRIVATE KEY", &key));
        files.insert(name("pfx"), pfx);
    }
    files
}

/// Undoes [`files`]. What is no pair is passed over.
#[must_use]
pub fn read<'files>(files: impl IntoIterator<Item = (&'files str, &'files [u8])>) -> Vec<Pair> {
    let files: BTreeMap<&str, &[u8]> = files.into_iter().collect();
    let pairs = files.iter().filter_map(|(name, certificate)| {
        let key = files.get(format!("{}.key", name.strip_suffix(".crt")?).as_str())?;
        Pair::parse(certificate, key).ok()
    });
    pairs.collect()
}

/// The annotation that says since when applications can read a certificate.
#[must_use]
pub fn published_annotation(of: Thumbprint) -> String {
    format!("tokencache.dev/published-{of}")
}

/// The certificates in a Secret that [`files`] and [`published_annotation`] were written to. Where it does not say since when
/// one is there, that is now.
#[must_use]
pub fn published(secret: &Secret, now: Timestamp) -> Vec<Candidate> {
    let files = secret.data.iter().flatten().map(|(name, bytes)| (name.as_str(), bytes.0.as_slice()));
    let since = |pair: &Pair| {
        let annotation = secret.metadata.annotations.as_ref()?.get(&published_annotation(pair.thumbprint()))?;
        annotation.parse().ok()
    };
    read(files)
        .into_iter()
        .map(|pair| Candidate { published: since(&pair).unwrap_or_else(|| whole(now)), pair })
        .collect()
}

fn pem(tag: &str, der: &[u8]) -> Zeroizing<Vec<u8>> {
    let lines = ::pem::EncodeConfig::new().set_line_ending(::pem::LineEnding::LF);
    Zeroizing::new(::pem::encode_config(&::pem::Pem::new(tag, der), lines).into_bytes())
}
