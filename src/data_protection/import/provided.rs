//! What the user provides for a ring: certificates, and a ring that is to be taken over.
//!
//! In: the settings, and the Secrets as they were read by name. Out: values, or why they cannot be used. None of these Secrets
//! is ever written.

use k8s_openapi::api::core::v1::Secret;

use crate::{
    condition::Reason,
    data_protection::{
        certificate::{Certificate, CertificateError, Pair},
        import,
        key::{read, write::File},
        ring::{
            Outstanding, Protection,
            capacity::{Overflow, Room},
            published::{self, Published, Refusal, Refused},
        },
        secrets::RingSecrets,
        settings::Settings,
    },
};

/// What a Secret of type `kubernetes.io/tls` holds its certificate under.
const CERTIFICATE_KEY: &str = "tls.crt";
/// And the private key.
const PRIVATE_KEY: &str = "tls.key";

/// What the user provides.
#[derive(Debug, Clone, Default)]
pub struct Provided {
    /// The certificate that new keys are to be encrypted to; `None` where they are to be plain.
    pub certificate: Option<Result<Pair, Unusable>>,
    /// Other certificates.
    pub previous: Vec<Pair>,
    /// Secrets that are named for those and cannot be used.
    pub unusable: Vec<Unusable>,
    /// A ring that is to be taken over.
    pub import: Option<Import>,
}

/// A Secret that should have a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    /// The Secret's name.
    pub secret: String,
    /// Why it cannot be used: in one word, and in words.
    pub reason: Reason,
    /// `None` where there is no such Secret.
    pub why: Option<CertificateError>,
}

/// A ring that is to be taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// The Secret's name.
    pub secret: String,
    /// Whether there is such a Secret.
    pub is_there: bool,
    /// Files in it that have no Secret of their own yet.
    pub pending: Vec<File>,
    /// What in it cannot be taken over, and why. While there is any, nothing is.
    pub refused: Vec<Refused>,
    /// What in it applications pass over, and why.
    pub passed_over: Vec<Refused>,
    /// Why there is no room for it. Then nothing is taken over.
    pub overflow: Option<Overflow>,
    /// How many keys and revocations are in it.
    pub files: usize,
    /// How many Secrets of keys were made from it.
    pub taken_over: usize,
}

impl Provided {
    /// Reads what was seen.
    #[must_use]
    pub fn read(settings: &Settings, observed: &RingSecrets) -> Self {
        let read = |name: &String| pair(name, observed.provided(name));
        let (mut previous, mut unusable) = (Vec::new(), Vec::new());
        for outcome in settings.previous.iter().map(read) {
            match outcome {
                Ok(pair) => previous.push(pair),
                Err(why) => unusable.push(why),
            }
        }
        Self {
            certificate: settings.certificate.as_ref().map(read),
            previous,
            unusable,
            import: settings.import.as_ref().map(|name| Import::read(name, observed)),
        }
    }

    /// What new keys are to be encrypted to.
    #[must_use]
    pub fn protection(&self) -> Protection {
        match &self.certificate {
            None => Protection::Plain,
            Some(Ok(pair)) => Protection::Certificate(Box::new(pair.clone())),
            Some(Err(_)) => Protection::Unavailable,
        }
    }

    /// What is named and is not there.
    #[must_use]
    pub fn awaited(&self) -> Outstanding {
        Outstanding { ring: self.import.is_some(), certificates: !self.unusable.is_empty() }
    }

    /// Files that have no Secret of their own yet.
    #[must_use]
    pub fn pending(&self) -> &[File] {
        self.import.as_ref().map(|import| import.pending.as_slice()).unwrap_or_default()
    }
}

impl Import {
    /// Whether keys of it may be missing in the ring. One of which nothing has come yet, as where the Secret is filled later,
    /// is awaited.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        let is_awaited = self.files == 0 && self.taken_over == 0;
        is_awaited || !self.pending.is_empty() || !self.refused.is_empty() || self.overflow.is_some()
    }

    fn read(name: &str, observed: &RingSecrets) -> Self {
        let secret = observed.provided(name);
        let imported =
            import::read(secret.into_iter().flat_map(|secret| {
                secret.data.iter().flatten().map(|(file, bytes)| (file.as_str(), bytes.0.as_slice()))
            }));
        let mut import = Self {
            secret: name.to_owned(),
            is_there: secret.is_some(),
            pending: Vec::new(),
            refused: imported.refused,
            passed_over: imported.passed_over,
            overflow: None,
            files: imported.files.len(),
            taken_over: observed.imported_from(name),
        };
        for file in imported.files {
            match observed.file(&file.name) {
                None => import.pending.push(file),
                Some(there) => import.refused.extend(differs(&file, there)),
            }
        }
        if !import.refused.is_empty() {
            import.pending.clear();
        }
        import
    }
}

impl Import {
    /// Adds up what the published Secret would hold with it, revocations of all keys spelled out, before anything of it is
    /// written: where there is no room, nothing is.
    pub(crate) fn add_up(
        &mut self,
        sources: &[(&str, &[u8])],
        live: &[(&str, &[u8])],
        certificate: Option<&Certificate>,
    ) {
        if self.pending.is_empty() {
            return;
        }
        let pending = self.pending.iter().map(|file| (file.name.as_str(), file.content.as_slice()));
        let with = Published::of(sources.iter().copied().chain(pending), live.iter().copied());
        let without = Published::of(sources.iter().copied(), live.iter().copied());
        self.overflow = Room::new(without.fill(), certificate).overflow(with.fill());
        if self.overflow.is_some() {
            self.pending.clear();
        }
    }
}

/// Of a key or a revocation that is there already the one that is there stays.
fn differs(file: &File, there: &[u8]) -> Option<Refused> {
    let (new, known) = (read::read(&file.content).ok()?, published::own(there));
    let id = new.key_id()?;
    let is_same = known.is_ok_and(|known| known == new);
    (!is_same).then(|| Refused { file: file.name.clone(), why: Refusal::Duplicate(id) })
}

fn pair(name: &str, secret: Option<&Secret>) -> Result<Pair, Unusable> {
    let unusable = |reason: Reason, why: Option<CertificateError>| Unusable { secret: name.to_owned(), reason, why };
    let secret = secret.ok_or_else(|| unusable(Reason::CertificateMissing, None))?;
    let text = |key: &str| secret.data.as_ref().and_then(|data| data.get(key)).map_or(&[][..], |bytes| &bytes.0);
    Pair::parse(text(CERTIFICATE_KEY), text(PRIVATE_KEY)).map_err(|why| unusable(reason(&why), Some(why)))
}

fn reason(error: &CertificateError) -> Reason {
    match error {
        CertificateError::NoCertificate | CertificateError::KeySize | CertificateError::NoKey => {
            Reason::CertificateMalformed
        }
        CertificateError::NotRsa(_) => Reason::CertificateNotRsa,
        CertificateError::Mismatch => Reason::KeyMismatch,
    }
}
