//! Which certificates applications need to read a ring.
//!
//! In: the keys, and the certificates at hand. Out: those that are to be published together, and their files, for
//! `UnprotectKeysWithAnyCertificate`. A certificate is kept for as long as a key is encrypted to it, and no key is ever removed.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use zeroize::Zeroizing;

use super::{
    certificate::{Pair, Thumbprint},
    encrypted_xml::EncryptedSecret,
    key::Key,
    pfx,
    ring::later,
};

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

/// What new keys are to be encrypted to, of candidates from the newest on. Applications read certificates when they start, and
/// never again: so the newest one has to wait until every process that uses the ring has started after it came, and until
/// then it is the one before, or, where no process knows any of them for sure, the oldest. `None` for the start of the
/// oldest process says that there is no process.
#[must_use]
pub fn for_new_keys(candidates: &[Candidate], oldest_process_started: Option<Timestamp>) -> Option<&Pair> {
    let Some(started) = oldest_process_started else { return candidates.first().map(|newest| &newest.pair) };
    let known = candidates.iter().find(|candidate| later(candidate.published, TO_THE_POD) <= started);
    known.or_else(|| candidates.iter().min_by_key(|candidate| candidate.published)).map(|candidate| &candidate.pair)
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

fn pem(tag: &str, der: &[u8]) -> Zeroizing<Vec<u8>> {
    let lines = ::pem::EncodeConfig::new().set_line_ending(::pem::LineEnding::LF);
    Zeroizing::new(::pem::encode_config(&::pem::Pem::new(tag, der), lines).into_bytes())
}
