//! Which certificate the servers should have, which authorities vouch for it, and what is to be made for that.
//!
//! In: the settings, the Secrets as observed, the time. Out: [`Tls`]. Nothing is drawn and nothing is written here:
//! what is to be made is an order, which [`crate::redis::credentials::mint::NewSecret`] carries out with random bytes.
//!
//! | module | what |
//! |---|---|
//! | `managed` | the operator's own authority and certificate |
//! | `authority` | the operator's own authorities, as their Secret has them |
//! | `provided` | a Secret of the user's |
//! | [`mounted`] | the Secret that servers mount, and which of its files they name |
//! | `secret` | the Secrets, as they are to be |
//! | [`replacement`] | a server that serves what nobody trusts |

mod authority;
pub(crate) mod managed;
pub mod mounted;
pub(crate) mod provided;
pub mod replacement;
mod secret;

use std::fmt;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;

use super::mint::NewSecret;
use crate::{
    condition::{Message, Reason},
    kubernetes::write::Write,
    redis::{
        live::Live,
        settings::{Settings, TlsSource},
        tls::{
            CERTIFICATE_KEY, PRIVATE_KEY,
            certificate::{Authorities, Fingerprint},
        },
    },
};
pub use authority::NewAuthority;
pub use managed::NewCertificate;
use replacement::Replacement;
pub use secret::SECRET_TYPE;

/// What is known of the servers' certificate, and what is to be made.
#[derive(Clone, PartialEq)]
pub struct Tls {
    /// What is known of the certificate.
    pub state: CertificateState,
    /// Secrets whose bytes are to be drawn.
    pub mints: Vec<NewSecret>,
    /// What follows from what is there: Secrets with what they are to hold, and without the files that no server needs any more.
    pub writes: Vec<Write>,
    /// The pod that is to be replaced for what it serves.
    pub replacement: Option<Replacement>,
    /// When time alone makes something else of a certificate, which no watch and no look shows.
    pub turns_at: Option<Timestamp>,
}

// By hand: derived, it would print the content of Secrets.
impl fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tls").field("standing", &self.state).field("mints", &self.mints).finish_non_exhaustive()
    }
}

/// What is known of the servers' certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateState {
    /// The servers speak plain text, since the spec asks for that.
    Disabled,
    /// The operator is about to make it. Holds whom clients trust, as soon as that is known.
    Making(Option<Authorities>),
    /// There is none that can be used: only the user, or whoever makes it for the user, can help.
    Unusable {
        /// Why, as one word.
        reason: Reason,
        /// What was seen, and what to do.
        message: Message,
        /// Whom clients trust meanwhile.
        authorities: Option<Authorities>,
        /// The latest one that could be used, which servers keep and start with.
        kept: Option<Box<Identity>>,
    },
    /// It holds.
    Known(Identity),
}

/// A certificate that the servers should serve, and whom clients trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Whom clients trust.
    pub authorities: Authorities,
    /// The certificate that the servers should serve.
    pub certificate: Fingerprint,
    /// When it expires.
    pub not_after: Timestamp,
    /// When the Secret that servers mount was written last, if that is known.
    pub written: Option<Timestamp>,
}

impl Tls {
    /// Reads the Secrets.
    #[must_use]
    pub fn read(settings: &Settings, observed: &Live, now: Timestamp) -> Self {
        let mut tls = match &settings.tls {
            TlsSource::Disabled => Self::of(CertificateState::Disabled),
            TlsSource::Managed => managed::read(settings, observed, now),
            TlsSource::Secret(secret) => provided::read(settings, observed, secret, now),
        };
        tls.replacement = replacement::replacement(settings, observed, &tls, now);
        tls.turns_at = tls.turns_at(observed, now);
        tls
    }

    fn of(state: CertificateState) -> Self {
        Self { state, mints: Vec::new(), writes: Vec::new(), replacement: None, turns_at: None }
    }

    /// When the certificate that is wanted, that is served, or that a user provides begins or ends next.
    fn turns_at(&self, observed: &Live, now: Timestamp) -> Option<Timestamp> {
        let served = observed.samples.iter().filter_map(|sample| sample.outcome.as_ref().ok()?.certificate.as_ref());
        let provided = observed
            .provided_certificate
            .as_ref()
            .and_then(|secret| observed.verified.pair(bytes(secret, CERTIFICATE_KEY), bytes(secret, PRIVATE_KEY)).ok());
        let provided = provided.into_iter().flat_map(|pair| [pair.leaf.not_before, pair.leaf.not_after]);
        let turns = served.map(|served| served.not_after).chain(self.identity().map(|identity| identity.not_after));
        turns.chain(provided).filter(|turn| *turn > now).min()
    }

    /// When something is due.
    #[must_use]
    pub fn wake_at(&self) -> Option<Timestamp> {
        let replacement = self.replacement.as_ref().filter(|replacement| !replacement.is_due);
        replacement.map(|replacement| replacement.at).into_iter().chain(self.turns_at).min()
    }

    /// The certificate that servers should serve, if there is one.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        match &self.state {
            CertificateState::Known(identity) => Some(identity),
            CertificateState::Unusable { kept, .. } => kept.as_deref(),
            CertificateState::Making(_) | CertificateState::Disabled => None,
        }
    }

    /// Whom clients trust; `None` also where they need trust nobody.
    #[must_use]
    pub fn authorities(&self) -> Option<&Authorities> {
        match &self.state {
            CertificateState::Known(identity) => Some(&identity.authorities),
            CertificateState::Making(authorities) | CertificateState::Unusable { authorities, .. } => {
                authorities.as_ref()
            }
            CertificateState::Disabled => None,
        }
    }

    /// Whether servers can be started: with a certificate, or without where none is asked for.
    #[must_use]
    pub fn lets_start(&self) -> bool {
        matches!(self.state, CertificateState::Disabled | CertificateState::Known(_))
    }
}

fn bytes<'secret>(secret: &'secret Secret, key: &str) -> &'secret [u8] {
    secret.data.as_ref().and_then(|data| data.get(key)).map_or(&[], |value| value.0.as_slice())
}
