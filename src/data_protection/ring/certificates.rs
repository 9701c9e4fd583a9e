//! Which certificates applications need to read a ring.
//!
//! In: the keys, and the certificates at hand. Out: those that are to be published together, and their files, for
//! `UnprotectKeysWithAnyCertificate`; and which of them the next key is encrypted to. A certificate is kept for as long as a key
//! is encrypted to it, and no key is ever removed.
//!
//! The files are often the only copy of a private key. What one of them lost is made again from the others, whatever their
//! names are by now: a private key from the `.pfx`, a certificate from the key that is encrypted to it, which holds it. While a
//! key needs a certificate that is in none of them, none of them is removed.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use zeroize::Zeroizing;

use super::default_key::later;
use crate::{
    capability::time::whole,
    data_protection::{
        certificate::{Certificate, Pair, PrivateKey, Thumbprint, pfx},
        key::{Key, encrypted_xml::EncryptedSecret},
    },
};

/// How long kubelet may take to bring a Secret to a pod that starts: its period of a minute, and some.
const TO_THE_POD: SignedDuration = SignedDuration::from_mins(2);

/// From when on a process that starts reads a certificate that was published at this time.
#[must_use]
pub fn readable_from(published: Timestamp) -> Timestamp {
    later(published, TO_THE_POD)
}

/// What annotations begin with that say since when applications can read a certificate.
const PUBLISHED: &str = "tokencache.dev/published-";

/// The certificates that keys are encrypted to.
#[must_use]
pub fn needed(keys: &[Key]) -> BTreeSet<Thumbprint> {
    keys.iter().filter_map(Key::encrypted).map(EncryptedSecret::thumbprint).collect()
}

/// What of the certificates at hand is to be published and kept.
#[derive(Debug, Clone, Default)]
pub struct KeptCertificates {
    /// Each once: the current one first, then those that the user named, then those that a key needs.
    pub pairs: Vec<Pair>,
    /// Those that a key needs and nobody has: what these keys encrypted cannot be read.
    pub missing: BTreeSet<Thumbprint>,
}

/// What is to be published and kept: `named` are the current certificate and the previous ones that the user names, in this
/// order, and `copies` those that were kept before.
#[must_use]
pub fn kept(keys: &[Key], named: &[Pair], copies: &[Pair]) -> KeptCertificates {
    let mut missing = needed(keys);
    let mut kept = KeptCertificates::default();
    let wanted = copies.iter().filter(|copy| missing.contains(&copy.thumbprint()));
    for pair in named.iter().chain(wanted) {
        if !kept.pairs.iter().any(|there| there.thumbprint() == pair.thumbprint()) {
            kept.pairs.push(pair.clone());
        }
    }
    for pair in &kept.pairs {
        missing.remove(&pair.thumbprint());
    }
    KeptCertificates { missing, ..kept }
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
    let known = candidates.iter().find(|candidate| readable_from(candidate.published) <= started);
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

/// What files hold.
#[derive(Debug, Clone, Default)]
pub struct Material {
    /// Each certificate whose private key is there too.
    pub pairs: Vec<Pair>,
    /// Private keys that stand beside.
    keys: Vec<PrivateKey>,
}

impl Material {
    /// Reads files. Where the `.crt` and the `.key` of one name belong together, that is all that is read of this name. The
    /// others are read whatever their names are, and what belongs together is put together.
    #[must_use]
    pub fn read<'files>(files: impl IntoIterator<Item = (&'files str, &'files [u8])>) -> Self {
        let mut files: BTreeMap<&str, &[u8]> = files.into_iter().collect();
        let mut read = Self::default();
        for stem in files.keys().filter_map(|name| name.strip_suffix(".crt")).map(str::to_owned).collect::<Vec<_>>() {
            let [certificate, key, pfx] = ["crt", "key", "pfx"].map(|extension| format!("{stem}.{extension}"));
            let (Some(pem), Some(of_it)) = (files.get(&*certificate), files.get(&*key)) else { continue };
            if let Ok(pair) = Pair::parse(pem, of_it) {
                // What somebody has put in the place of the pair says nothing of the third file.
                let is_its_own = stem == pair.thumbprint().to_string();
                let read_already = |name: &str| name == certificate || name == key || is_its_own && name == pfx;
                files.retain(|name, _| !read_already(name));
                read.pairs.push(pair);
            }
        }
        let mut certificates = Vec::new();
        for bytes in files.into_values() {
            let (of_file, keys) = Self::of_one(bytes);
            certificates.extend(of_file);
            read.keys.extend(keys);
        }
        let joined = read.joined(certificates, &[]);
        read.pairs.extend(joined);
        read
    }

    /// The certificates and the private keys in one file, in PEM or PKCS#12.
    fn of_one(file: &[u8]) -> (Vec<Certificate>, Vec<PrivateKey>) {
        let pfx = pfx::read(file);
        let certificates = pfx.certificates.into_iter().map(Certificate::from_der);
        let keys = pfx.keys.into_iter().map(PrivateKey::from_pkcs8);
        (
            certificates.chain([Certificate::parse(file)]).flatten().collect(),
            keys.chain([PrivateKey::parse(file)]).flatten().collect(),
        )
    }

    /// Those of these certificates whose private key is there, or belongs to another certificate that is at hand: a renewed
    /// one may have the same. Each once, and without those that are pairs already.
    fn joined(&self, certificates: impl IntoIterator<Item = Certificate>, others: &[Pair]) -> Vec<Pair> {
        let mut joined: Vec<Pair> = Vec::new();
        for certificate in certificates {
            let is_there = |pair: &Pair| pair.thumbprint() == certificate.thumbprint();
            if self.pairs.iter().chain(&joined).chain(others).any(is_there) {
                continue;
            }
            let of_pairs = self.pairs.iter().chain(others).map(Pair::private_key);
            let pair =
                self.keys.iter().cloned().chain(of_pairs).find_map(|key| Pair::new(certificate.clone(), &key).ok());
            joined.extend(pair);
        }
        joined
    }
}

/// What a file is that has the certificate only.
pub const WITHOUT_KEY: &str = "the certificate without its private key";

/// What one file is where a certificate lacks its private key, in words.
#[must_use]
pub fn described(file: &[u8], of: Thumbprint) -> &'static str {
    let read = Material::of_one(file);
    if read.0.iter().any(|certificate| certificate.thumbprint() == of) {
        WITHOUT_KEY
    } else if !read.1.is_empty() {
        "the private key of another certificate"
    } else if !read.0.is_empty() {
        "another certificate"
    } else {
        "unreadable"
    }
}

/// Undoes [`files`]. What is no pair is passed over.
#[must_use]
pub fn read<'files>(files: impl IntoIterator<Item = (&'files str, &'files [u8])>) -> Vec<Pair> {
    Material::read(files).pairs
}

/// The annotation that says since when applications can read a certificate.
#[must_use]
pub fn published_annotation(of: Thumbprint) -> String {
    format!("{PUBLISHED}{of}")
}

/// Whether an annotation is one of those.
#[must_use]
pub fn is_published(annotation: &str) -> bool {
    annotation.starts_with(PUBLISHED)
}

/// What was published: the files of a Secret that [`files`] and [`published_annotation`] were written to.
#[derive(Debug, Clone, Default)]
pub struct Copies {
    material: Material,
    since: BTreeMap<String, Timestamp>,
}

impl Copies {
    /// Reads a Secret.
    #[must_use]
    pub fn read(secret: &Secret) -> Self {
        let files = secret.data.iter().flatten().map(|(name, bytes)| (name.as_str(), bytes.0.as_slice()));
        let annotations = secret.metadata.annotations.iter().flatten();
        let since = annotations.filter_map(|(name, value)| Some((name.clone(), value.parse().ok()?))).collect();
        Self { material: Material::read(files), since }
    }

    /// Whether it holds a certificate with its private key.
    #[must_use]
    pub fn hold(&self, thumbprint: Thumbprint) -> bool {
        self.material.pairs.iter().any(|pair| pair.thumbprint() == thumbprint)
    }

    /// The certificates in it, and those that keys are encrypted to and only the private key is there of; `named` are at hand
    /// beside. Where the Secret does not say since when one is there, that is now.
    #[must_use]
    pub fn candidates(&self, keys: &[Key], named: &[Pair], now: Timestamp) -> Vec<Candidate> {
        let of_keys =
            keys.iter().filter_map(Key::encrypted).filter_map(|to| Certificate::from_der(&to.certificate).ok());
        let joined = self.material.joined(of_keys, named);
        let since = |pair: &Pair| self.since.get(&published_annotation(pair.thumbprint())).copied();
        let all = self.material.pairs.iter().cloned().chain(joined);
        all.map(|pair| Candidate { published: since(&pair).unwrap_or_else(|| whole(now)), pair }).collect()
    }
}

fn pem(tag: &str, der: &[u8]) -> Zeroizing<Vec<u8>> {
    let lines = ::pem::EncodeConfig::new().set_line_ending(::pem::LineEnding::LF);
    Zeroizing::new(::pem::encode_config(&::pem::Pem::new(tag, der), lines).into_bytes())
}
