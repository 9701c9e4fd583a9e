//! What a pass saw of a cache's key ring: values only.

use std::{collections::BTreeMap, fmt, sync::Arc};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;

use super::request::REQUESTED_ANNOTATION;
use crate::{api::v1alpha1::OperationStatus, kubernetes::identity::Found};

/// What a pass saw of a cache's key ring.
#[derive(Clone)]
pub struct Observed {
    /// The Secrets of keys and of revocations. They have no owner: their labels say whose they are.
    files: Vec<Arc<Secret>>,
    /// The Secret that applications mount.
    pub ring: Found<Arc<Secret>>,
    /// Secrets under the name of a published key whose own Secret is gone, and whose they are, in words.
    pub taken: BTreeMap<String, String>,
    /// What the status says of requests.
    pub operations: Vec<OperationStatus>,
}

// By hand: derived, it would print keys.
impl fmt::Debug for Observed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files: Vec<&str> = self.files.iter().map(|secret| name(secret)).collect();
        formatter.debug_struct("Observed").field("files", &files).field("taken", &self.taken).finish_non_exhaustive()
    }
}

impl Observed {
    /// What was seen.
    #[must_use]
    pub fn new(
        mut files: Vec<Arc<Secret>>,
        ring: Found<Arc<Secret>>,
        taken: BTreeMap<String, String>,
        operations: Vec<OperationStatus>,
    ) -> Self {
        // Of two Secrets that hold a key of the same name the older one counts.
        files.sort_by_key(|secret| (created(secret), name(secret).to_owned()));
        Self { files, ring, taken, operations }
    }

    /// Nothing.
    #[must_use]
    pub fn nothing(operations: Vec<OperationStatus>) -> Self {
        Self { files: Vec::new(), ring: Found::Nothing, taken: BTreeMap::new(), operations }
    }

    /// The files in the Secrets of keys, each with the Secret's name, the oldest first.
    #[must_use]
    pub fn sources(&self) -> Vec<(&str, &[u8])> {
        self.files.iter().flat_map(|secret| data(secret).map(|(_, bytes)| (name(secret), bytes))).collect()
    }

    /// The files that are published, by their names.
    #[must_use]
    pub fn live(&self) -> Vec<(&str, &[u8])> {
        self.ring.ours().into_iter().flat_map(|secret| data(secret)).collect()
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

    /// Requests that were answered, each with the file of the key that did it.
    pub fn answered(&self) -> impl Iterator<Item = (Timestamp, &str)> {
        self.files.iter().filter_map(|secret| {
            let annotation = secret.metadata.annotations.as_ref()?.get(REQUESTED_ANNOTATION)?;
            Some((annotation.parse().ok()?, data(secret).next()?.0))
        })
    }
}

/// When a Secret was made.
#[must_use]
pub fn created(secret: &Secret) -> Option<Timestamp> {
    secret.metadata.creation_timestamp.as_ref().map(|created| created.0)
}

fn name(secret: &Secret) -> &str {
    secret.metadata.name.as_deref().unwrap_or_default()
}

fn data(secret: &Secret) -> impl Iterator<Item = (&str, &[u8])> {
    secret.data.iter().flatten().map(|(name, bytes)| (name.as_str(), bytes.0.as_slice()))
}
