//! What a cache wants of its key ring, parsed.
//!
//! In: a `TokenCache` as users wrote it, and what it is to its objects. Out: [`Settings`], or the sentence that goes into
//! `SpecValid`.

pub(crate) mod revoke;

use jiff::Timestamp;

use super::ring::rotation::{RotationError, RotationPolicy};
use crate::{
    api::v1alpha1::{
        DataProtectionMode, Inspect, KeyRotationSpec, NamedSecret, REVOKE_KEY_ANNOTATION, ROTATE_KEY_ANNOTATION,
        TokenCache,
    },
    capability::{
        operation::{self, Request},
        time,
    },
    kubernetes::identity::Owner,
};
use revoke::RevokeRequest;

/// What a cache wants of its key ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The `TokenCache`.
    pub owner: Owner,
    /// How often keys change; `None` where the operator makes none.
    pub rotation: Option<RotationPolicy>,
    /// The Secret with the certificate that new keys are encrypted to; `None` where they are plain.
    pub certificate: Option<String>,
    /// The Secrets with other certificates that keys are encrypted to.
    pub previous: Vec<String>,
    /// The Secret with a ring that is to be taken over.
    pub import: Option<String>,
    /// What its annotation asks for.
    pub request: Option<Request>,
    /// The key that its annotation wants revoked.
    pub revoke: Option<RevokeRequest>,
    /// What is read of stored entries.
    pub inspect: Inspect,
    /// When the `TokenCache` was made.
    pub created: Option<Timestamp>,
    /// The name under which applications encrypt, where the spec tells it.
    pub application_name: Option<String>,
    /// Whether nothing is to be changed: the cache is paused.
    pub held: bool,
    /// Whether what nobody owns was restored for it, whoever wrote it.
    pub is_restored: bool,
}

/// Why a key ring cannot be as it is asked for. The API server refuses most of this on admission.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A text is no duration.
    #[error("spec.dataProtection.rotation.{0} is {1:?}, and must be a whole number with the suffix s, m, h or d")]
    Duration(&'static str, String),
    /// The durations do not suit keys.
    #[error(transparent)]
    RotationPolicy(#[from] RotationError),
}

impl Settings {
    /// Parses a `TokenCache`.
    ///
    /// # Errors
    /// The first thing that cannot be carried out.
    pub fn parse(owner: Owner, cache: &TokenCache) -> Result<Self, SettingsError> {
        let written = &cache.spec.data_protection;
        let is_managed = written.mode == DataProtectionMode::Managed;
        let named = |secret: &Option<NamedSecret>| secret.as_ref().filter(|_| is_managed).map(name);
        let certificate = named(&written.certificate);
        Ok(Self {
            owner,
            rotation: match written.mode {
                DataProtectionMode::Managed => Some(rotation(&written.rotation, certificate.is_some())?),
                DataProtectionMode::None => None,
            },
            certificate,
            previous: written.previous.iter().filter(|_| is_managed).map(name).collect(),
            import: named(&written.import),
            request: operation::annotation(cache, ROTATE_KEY_ANNOTATION).map(Request::parse),
            revoke: operation::annotation(cache, REVOKE_KEY_ANNOTATION).map(RevokeRequest::parse),
            inspect: cache.spec.inspect(),
            created: operation::created(cache),
            application_name: written.application_name.clone(),
            held: operation::is_paused(cache),
            is_restored: operation::is_restored(cache),
        })
    }

    /// The user's Secrets that this is about.
    pub fn named(&self) -> impl Iterator<Item = &str> {
        self.certificate.iter().chain(&self.previous).chain(&self.import).map(String::as_str)
    }
}

impl Settings {
    /// The names under which applications may have encrypted, the likeliest first: the one that the spec tells, the folder
    /// that images of applications have their files in, with and without the slash that some releases of ASP.NET Core trim,
    /// and the name of the `TokenCache`.
    #[must_use]
    pub fn application_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.application_name.iter().cloned().collect();
        for candidate in ["/app", "/app/", &self.owner.name] {
            if !names.iter().any(|name| name == candidate) {
                names.push(candidate.to_owned());
            }
        }
        names
    }
}

fn name(secret: &NamedSecret) -> String {
    secret.secret_name.clone()
}

fn rotation(written: &KeyRotationSpec, has_certificate: bool) -> Result<RotationPolicy, SettingsError> {
    let duration =
        |field, text: &str| time::duration(text).ok_or_else(|| SettingsError::Duration(field, text.to_owned()));
    let (every, ahead) = (duration("every", &written.every)?, duration("publishAhead", &written.publish_ahead)?);
    Ok(RotationPolicy::new(every, ahead, has_certificate)?)
}
