//! What a pass saw of a cache's key ring: values only.

use std::{collections::BTreeMap, fmt, sync::Arc};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;

use super::{
    key::{id::KeyId, read::Element},
    ring::{
        published,
        schedule::{self, Why},
    },
};
use crate::{
    api::v1alpha1::OperationStatus,
    capability::progress::Progress,
    kubernetes::{identity::Found, read::process::Processes, write::settled::Settled},
};

/// What a pass saw of a cache's key ring.
#[derive(Clone)]
pub struct RingSecrets {
    /// The Secrets of keys and of revocations. They have no owner: their labels say whose they are.
    files: Vec<Arc<Secret>>,
    /// The Secret that applications mount.
    pub ring: Found<Arc<Secret>>,
    /// Secrets under the name of a published key whose own Secret is gone, and whose they are, in words.
    pub taken: BTreeMap<String, String>,
    inputs: Inputs,
    /// What was seen beside Secrets.
    pub beside: Surroundings,
}

/// What was seen beside Secrets.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// What the status says of requests.
    pub operations: Vec<OperationStatus>,
    /// How far the latest sweep of the entries is.
    pub sweep: Option<Progress>,
    /// Why the entries cannot be swept now, in words.
    pub obstacle: Option<String>,
    /// The workloads that use the cache, in words.
    pub consumers: String,
    /// The command that restarts them, where they are known and there is one.
    pub restart: Option<String>,
    /// The pods that use the ring, where it depends on them.
    pub processes: Processes,
}

/// What a pass saw of what the ring is made from.
#[derive(Clone, Default)]
pub struct Inputs {
    /// The Secrets that the user provides, by their names.
    pub provided: BTreeMap<String, Arc<Secret>>,
    /// The Secret with the certificates. It has no owner: its labels say whose it is.
    pub certificates: Found<Arc<Secret>>,
    /// The pods that use the ring, where it depends on them which certificate new keys are for; `None` where nobody asked.
    pub processes: Option<Processes>,
    /// Which objects were found to be as they are wanted.
    pub settled: Arc<Settled>,
}

// By hand: derived, it would print keys.
impl fmt::Debug for RingSecrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files: Vec<&str> = self.files.iter().map(|secret| name(secret)).collect();
        formatter.debug_struct("RingSecrets").field("files", &files).field("taken", &self.taken).finish_non_exhaustive()
    }
}

impl RingSecrets {
    /// What was seen.
    #[must_use]
    pub fn new(
        mut files: Vec<Arc<Secret>>,
        ring: Found<Arc<Secret>>,
        taken: BTreeMap<String, String>,
        beside: Surroundings,
    ) -> Self {
        // Of two Secrets that hold a key of the same name the older one counts. A revocation of all keys comes before every key
        // that was made here, whatever the Secrets' times say, which a restore from a backup sets anew: the keys that it is
        // about have revocations of their own since it was taken over.
        files.sort_by_key(|secret| (is_made(secret), created(secret), name(secret).to_owned()));
        Self { files, ring, taken, inputs: Inputs::default(), beside }
    }

    /// With what was seen beside the keys.
    #[must_use]
    pub fn with(self, inputs: Inputs) -> Self {
        Self { inputs, ..self }
    }

    /// What was seen beside the keys.
    #[must_use]
    pub fn inputs(&self) -> &Inputs {
        &self.inputs
    }

    /// A Secret that the user provides.
    #[must_use]
    pub fn provided(&self, name: &str) -> Option<&Secret> {
        self.inputs.provided.get(name).map(AsRef::as_ref)
    }

    /// Nothing.
    #[must_use]
    pub fn nothing(beside: Surroundings) -> Self {
        Self::new(Vec::new(), Found::Absent, BTreeMap::new(), beside)
    }

    /// The files in the Secrets of keys, each with the Secret's name, the oldest first.
    #[must_use]
    pub fn sources(&self) -> Vec<(&str, &[u8])> {
        self.files.iter().flat_map(|secret| data(secret).map(|(_, bytes)| (name(secret), bytes))).collect()
    }

    /// The files that are published, by their names.
    #[must_use]
    pub fn live(&self) -> Vec<(&str, &[u8])> {
        self.ring.owned().into_iter().flat_map(|secret| data(secret)).collect()
    }

    /// Whether there is a Secret of this name.
    #[must_use]
    pub fn has(&self, secret: &str) -> bool {
        self.taken.contains_key(secret) || self.files.iter().any(|there| name(there) == secret)
    }

    /// The Secrets that hold a file of this name.
    pub fn holders<'seen>(&'seen self, file: &'seen str) -> impl Iterator<Item = &'seen Secret> {
        let holds = move |secret: &&Arc<Secret>| data(secret).any(|(name, _)| name == file);
        self.files.iter().filter(holds).map(AsRef::as_ref)
    }

    /// What the first Secret of a key holds under the name of this file.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<&[u8]> {
        self.files.iter().flat_map(|secret| data(secret)).find(|(file, _)| *file == name).map(|(_, bytes)| bytes)
    }

    /// How many Secrets of keys were made from the files of this Secret.
    #[must_use]
    pub fn imported_from(&self, secret: &str) -> usize {
        let from = |file: &Secret| annotation(file, IMPORTED_ANNOTATION).is_some_and(|from| from == secret);
        self.files.iter().filter(|file| from(file)).count()
    }

    /// Whether somebody made the Secret with the certificates immutable. It is never deleted to be made anew: what it holds may
    /// be nowhere else.
    #[must_use]
    pub fn certificates_are_immutable(&self) -> bool {
        self.inputs.certificates.owned().is_some_and(|secret| secret.immutable == Some(true))
    }

    /// The Secrets of keys and of certificates, which outlive the cache.
    pub fn lasting(&self) -> impl Iterator<Item = &Secret> {
        self.files.iter().chain(self.inputs.certificates.owned()).map(AsRef::as_ref)
    }

    /// When the last key was made that nobody had asked for, as far as that was within this hour. Also a key counts that
    /// cannot be read, and one whose Secret has lost its annotations; one that was taken over, and one that is said to be much
    /// older than its Secret, as after a restore from a backup, do not.
    #[must_use]
    pub fn made(&self, now: Timestamp) -> Option<Timestamp> {
        let made = self.files.iter().filter_map(|secret| {
            let made = created(secret).filter(|made| schedule::is_of_this_hour(*made, now))?;
            let (file, bytes) = data(secret).next()?;
            let is_asked_for = annotation(secret, REQUESTED_ANNOTATION).is_some()
                || annotation(secret, WHY_ANNOTATION).is_some_and(|why| why == Why::Requested.to_string());
            let is_other = !file.starts_with("key-") || annotation(secret, IMPORTED_ANNOTATION).is_some();
            let is_old = || match published::own(bytes) {
                Ok(Element::Key(key)) => !schedule::may_be_made(key.created.timestamp(), made),
                Ok(Element::Revocation(_)) | Err(_) => false,
            };
            (!is_asked_for && !is_other && !is_old()).then_some(made)
        });
        made.max()
    }

    /// The Secrets of keys and of certificates that somebody gave an owner, with which the garbage collector would take them.
    pub fn owned(&self) -> impl Iterator<Item = &Secret> {
        self.lasting()
            .filter(|secret| secret.metadata.owner_references.as_ref().is_some_and(|owners| !owners.is_empty()))
    }

    /// Requests for a key that were answered, each with the file of the key that did it.
    pub fn answered(&self) -> impl Iterator<Item = (Timestamp, &str)> {
        self.marked(REQUESTED_ANNOTATION)
    }

    /// What a key replaces that was made because a request of this time revoked all that there were.
    #[must_use]
    pub fn replaced(&self, requested: Timestamp) -> Option<Vec<KeyId>> {
        let marks = self.files.iter().filter_map(|secret| Replaced::parse(annotation(secret, REPLACES_ANNOTATION)?));
        marks.into_iter().find(|replaced| replaced.requested == requested).map(|replaced| replaced.keys)
    }

    /// The keys that have a revocation because of a request of this time.
    #[must_use]
    pub fn revoked_for(&self, requested: Timestamp) -> Vec<KeyId> {
        let files = self.marked(REVOKED_ANNOTATION).filter(|(answered, _)| *answered == requested);
        files.filter_map(|(_, file)| KeyId::parse(file.strip_prefix("revocation-")?.strip_suffix(".xml")?)).collect()
    }

    /// The key that was revoked because of a request of this time.
    #[must_use]
    pub fn revoked(&self, requested: Timestamp) -> Option<KeyId> {
        self.revoked_for(requested).into_iter().next()
    }

    /// The files of Secrets that name a request, each with its time.
    fn marked(&self, annotation: &str) -> impl Iterator<Item = (Timestamp, &str)> {
        self.files.iter().filter_map(move |secret| {
            Some((self::annotation(secret, annotation)?.parse().ok()?, data(secret).next()?.0))
        })
    }
}

/// When a Secret was made.
#[must_use]
pub fn created(secret: &Secret) -> Option<Timestamp> {
    secret.metadata.creation_timestamp.as_ref().map(|created| created.0)
}

/// What an annotation of a Secret says.
#[must_use]
pub fn annotation<'secret>(secret: &'secret Secret, key: &str) -> Option<&'secret str> {
    secret.metadata.annotations.as_ref()?.get(key).map(String::as_str)
}

/// Whether a Secret is of a key that was made here.
fn is_made(secret: &Secret) -> bool {
    annotation(secret, WHY_ANNOTATION).is_some()
}

fn name(secret: &Secret) -> &str {
    secret.metadata.name.as_deref().unwrap_or_default()
}

fn data(secret: &Secret) -> impl Iterator<Item = (&str, &[u8])> {
    secret.data.iter().flatten().map(|(name, bytes)| (name.as_str(), bytes.0.as_slice()))
}

/// The annotation of a key's Secret that says which keys it replaces: the time of the request that revoked all, and their ids.
pub const REPLACES_ANNOTATION: &str = "tokencache.dev/replaces";

/// What a key replaces that was made because a request revoked all that there were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// The time of the request.
    pub requested: Timestamp,
    /// The keys that it revokes.
    pub keys: Vec<KeyId>,
}

impl Replaced {
    /// Reads what [`REPLACES_ANNOTATION`] says; `None` where it is something else.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        let requested = words.next()?.parse().ok()?;
        let keys: Option<Vec<KeyId>> = words.map(KeyId::parse).collect();
        Some(Self { requested, keys: keys? })
    }
}

impl fmt::Display for Replaced {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.requested)?;
        self.keys.iter().try_for_each(|key| write!(formatter, " {key}"))
    }
}

/// The annotation of a revocation's Secret that says which request it answered.
pub const REVOKED_ANNOTATION: &str = "tokencache.dev/revocation-requested";

/// The annotation of a key's Secret that says which request it answered.
pub const REQUESTED_ANNOTATION: &str = "tokencache.dev/key-requested";

/// The annotation of a key's Secret that says which Secret it was taken over from.
pub const IMPORTED_ANNOTATION: &str = "tokencache.dev/key-imported-from";

/// The annotation of a key's Secret that says why the key was made.
pub const WHY_ANNOTATION: &str = "tokencache.dev/key-why";
