//! What a rotation keeps on disk: a Secret of its own while it is under way, and two annotations on the binding.
//!
//! In: the Secrets as observed, and for a new one random bytes. Out: a [`Record`], a Secret, [`Marks`]. The new password is
//! drawn once, when the Secret is created, and read back ever after. Neither a password nor a hash stands in an annotation.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::{ByteString, api::core::v1::Secret};

use crate::{
    kubernetes::name,
    redis::{
        access::password::{Password, PasswordError, PasswordHash},
        server::objects::{COMPONENT, SECRET_TYPE},
        settings::Settings,
    },
};

/// The binding's annotation that says when its password was published.
pub const PUBLISHED_ANNOTATION: &str = "tokencache.dev/password-published";
/// The binding's annotation that says which request that answered.
pub const REQUESTED_ANNOTATION: &str = "tokencache.dev/password-requested";

const PASSWORD_KEY: &str = "password";
/// The hashes of the passwords before it, one a line.
const PREVIOUS_KEY: &str = "previous";
const REQUESTED_KEY: &str = "requested";
const STARTED_KEY: &str = "started";
/// When the users' Secret was seen to have both.
const ADDED_KEY: &str = "added";
const CAUSE_KEY: &str = "cause";

/// Why one password follows another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cause {
    /// Somebody asked for it.
    #[default]
    Request,
    /// The binding was deleted, or its password.
    Lost,
    /// Somebody put another password into the binding.
    Replaced,
}

impl Cause {
    /// As the Secret has it. What is not known is a request, as in every Secret of an earlier version.
    fn parse(text: Option<&str>) -> Self {
        match text {
            Some("Lost") => Self::Lost,
            Some("Replaced") => Self::Replaced,
            _ => Self::Request,
        }
    }

    fn as_str(self) -> Option<&'static str> {
        match self {
            Self::Request => None,
            Self::Lost => Some("Lost"),
            Self::Replaced => Some("Replaced"),
        }
    }
}

/// A rotation that is to be begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextPassword {
    /// The hashes of the passwords that are valid now.
    pub previous: Vec<PasswordHash>,
    /// The time of the request.
    pub requested: Timestamp,
    /// The time.
    pub started: Timestamp,
    /// Why.
    pub cause: Cause,
}

/// A rotation that is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The new password.
    pub next: Password,
    /// The hashes of those before it.
    pub previous: Vec<PasswordHash>,
    /// The time of the request.
    pub requested: Timestamp,
    /// When it was begun, as far as that is known.
    pub started: Option<Timestamp>,
    /// When the users' Secret was seen to have both.
    pub added: Option<Timestamp>,
    /// Why.
    pub cause: Cause,
}

/// Why a Secret is no [`Record`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The new password is none that an application could log in with.
    #[error("its password is unusable ({0})")]
    Password(#[from] PasswordError),
    /// It does not say which passwords there were before.
    #[error("`{PREVIOUS_KEY}` holds no SHA-256 hash of the earlier password")]
    Previous,
    /// It does not say which request it answers.
    #[error("`{REQUESTED_KEY}` holds no time")]
    Requested,
}

impl NextPassword {
    /// The Secret that nothing mounts, from random bytes; `None` where they do not suffice.
    #[must_use]
    pub fn secret(&self, settings: &Settings, random: &[u8]) -> Option<Secret> {
        let record = Record {
            next: Password::from_random(random)?,
            previous: self.previous.clone(),
            requested: self.requested,
            started: Some(self.started),
            added: None,
            cause: self.cause,
        };
        Some(record.secret(settings))
    }
}

impl Record {
    /// Reads the Secret.
    ///
    /// # Errors
    /// Where somebody changed what nothing can go on without.
    pub fn read(secret: &Secret) -> Result<Self, RecordError> {
        let next = Password::parse(bytes(secret, PASSWORD_KEY))?;
        let previous = std::str::from_utf8(bytes(secret, PREVIOUS_KEY)).unwrap_or_default();
        let previous: Option<Vec<_>> = previous.split_ascii_whitespace().map(PasswordHash::parse).collect();
        let previous = previous.filter(|previous| !previous.is_empty()).ok_or(RecordError::Previous)?;
        let requested = time(secret, REQUESTED_KEY).ok_or(RecordError::Requested)?;
        let cause = Cause::parse(std::str::from_utf8(bytes(secret, CAUSE_KEY)).ok());
        Ok(Self {
            next,
            previous,
            requested,
            started: time(secret, STARTED_KEY),
            added: time(secret, ADDED_KEY),
            cause,
        })
    }

    /// The Secret that nothing mounts.
    #[must_use]
    pub fn secret(&self, settings: &Settings) -> Secret {
        let previous: Vec<&str> = self.previous.iter().map(PasswordHash::as_hex).collect();
        let times = [(STARTED_KEY, self.started), (ADDED_KEY, self.added)];
        let times = times.into_iter().filter_map(|(key, time)| Some((key, time?.to_string())));
        let data: BTreeMap<String, ByteString> = [
            (PASSWORD_KEY, self.next.reveal().to_owned()),
            (PREVIOUS_KEY, previous.join("\n")),
            (REQUESTED_KEY, self.requested.to_string()),
        ]
        .into_iter()
        .chain(times)
        .chain(self.cause.as_str().map(|cause| (CAUSE_KEY, cause.to_owned())))
        .map(|(key, text)| (key.to_owned(), ByteString(text.into_bytes())))
        .collect();
        Secret {
            metadata: settings.owner.metadata(name::redis_rotation(&settings.owner.name), COMPONENT),
            type_: Some(SECRET_TYPE.to_owned()),
            data: Some(data),
            ..Secret::default()
        }
    }
}

/// What the binding says of the password in it. It stays there when the rotation is complete, and tells that the request was
/// carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marks {
    /// When it was published.
    pub published: Timestamp,
    /// The request that this answered.
    pub requested: Timestamp,
}

impl Marks {
    /// Reads the binding; `None` where one of them is missing or is no time.
    #[must_use]
    pub fn read(binding: &Secret) -> Option<Self> {
        let annotations = binding.metadata.annotations.as_ref()?;
        let time = |key: &str| annotations.get(key)?.parse().ok();
        Some(Self { published: time(PUBLISHED_ANNOTATION)?, requested: time(REQUESTED_ANNOTATION)? })
    }

    /// The annotations.
    #[must_use]
    pub fn annotations(self) -> BTreeMap<String, String> {
        let entries = [(PUBLISHED_ANNOTATION, self.published), (REQUESTED_ANNOTATION, self.requested)];
        entries.into_iter().map(|(key, time)| (key.to_owned(), time.to_string())).collect()
    }
}

fn bytes<'secret>(secret: &'secret Secret, key: &str) -> &'secret [u8] {
    secret.data.as_ref().and_then(|data| data.get(key)).map_or(&[], |value| value.0.as_slice())
}

fn time(secret: &Secret, key: &str) -> Option<Timestamp> {
    std::str::from_utf8(bytes(secret, key)).ok()?.parse().ok()
}
