//! The operator's own authorities: the current one, and the one before it.
//!
//! In: the Secret that nothing mounts, what servers serve, and the time. Out: authorities that can sign, whom clients trust, and
//! the Secret of a new one. It says nothing of when one is to be made.

use jiff::Timestamp;
use k8s_openapi::{api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};

use super::secret::{data, text, tls_secret};
use crate::{
    kubernetes::name,
    redis::{
        settings::Settings,
        tls::{
            CERTIFICATE_KEY, PRIVATE_KEY,
            certificate::{Authorities, Certificate, Pair, PairError, PrivateKey},
            issue::{self, Issued},
            verified::Verified,
        },
    },
};

/// The key with the authority before the current one, which clients go on trusting until it expires.
const PREVIOUS_CERTIFICATE_KEY: &str = "previous.crt";
/// The key with its private key, which signs until clients know the current one.
const PREVIOUS_PRIVATE_KEY: &str = "previous.key";
/// The key with the time at which the current authority was seen in every bundle.
pub(super) const PUBLISHED_KEY: &str = "published";

/// An authority that is to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct NewAuthority {
    pub(super) replaces: Option<ObjectMeta>,
    pub(super) previous: Option<Previous>,
    pub(super) now: Timestamp,
}

/// The authority before the current one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Previous {
    pub(super) certificate: Certificate,
    pub(super) pem: String,
    pub(super) key: Option<PrivateKey>,
}

/// The current authority.
pub(super) struct Current {
    pub(super) certificate: Certificate,
    pub(super) issued: Issued,
}

impl Current {
    pub(super) fn signer(&self) -> (Issued, Timestamp) {
        (self.issued.clone(), self.certificate.not_after)
    }
}

impl Previous {
    pub(super) fn signer(&self) -> Option<(Issued, Timestamp)> {
        let key = self.key.clone()?;
        Some((Issued { certificate: self.pem.clone(), key }, self.certificate.not_after))
    }
}

/// The authority, if it can sign.
pub(super) fn current(secret: &Secret, read: Result<Pair, PairError>, now: Timestamp) -> Option<Current> {
    let certificate = read.ok()?.leaf;
    (certificate.is_authority && now < certificate.not_after).then_some(())?;
    let (pem, key) = (text(secret, CERTIFICATE_KEY)?, text(secret, PRIVATE_KEY)?);
    Some(Current { certificate, issued: Issued { certificate: pem, key: PrivateKey::new(key) } })
}

pub(super) fn previous(secret: &Secret) -> Option<Previous> {
    let pem = text(secret, PREVIOUS_CERTIFICATE_KEY)?;
    let key = text(secret, PREVIOUS_PRIVATE_KEY)?;
    let (certificate, key) = match Pair::parse(pem.as_bytes(), key.as_bytes()) {
        Ok(pair) => (pair.leaf, Some(PrivateKey::new(key))),
        Err(_) => (Authorities::parse(pem.as_bytes())?.first().clone(), None),
    };
    Some(Previous { certificate, pem, key })
}

/// The authority that signed what is served, where its own Secret is lost: clients know it still.
pub(super) fn lost(served: Option<&Result<Pair, PairError>>, bundles: [&Option<Authorities>; 2]) -> Option<Previous> {
    let leaf = served.and_then(|pair| pair.as_ref().ok()).map(|pair| &pair.leaf);
    let of_leaf = |bundle: &Authorities| leaf.and_then(|leaf| bundle.issuer(leaf).cloned());
    let mut bundles = bundles.into_iter().flatten();
    let certificate =
        bundles.find_map(|bundle| if leaf.is_some() { of_leaf(bundle) } else { Some(bundle.first().clone()) })?;
    Some(Previous { pem: certificate.pem(), certificate, key: None })
}

/// Whom clients trust: the current authority, and the one before it.
pub(super) fn trusted(current: &Current, previous: Option<&Previous>, verified: &Verified) -> Option<Authorities> {
    let texts = std::iter::once(&current.issued.certificate).chain(previous.map(|previous| &previous.pem));
    let bundle: String = texts.map(|pem| pem.trim_end().to_owned() + "\n").collect();
    verified.authorities(bundle.as_bytes())
}

impl NewAuthority {
    /// The Secret that nothing mounts, from random bytes; `None` where they make no key.
    #[must_use]
    pub fn secret(&self, settings: &Settings, random: &[u8]) -> Option<Secret> {
        let issued = issue::authority(&name::redis(&settings.owner.name), random, self.now)?;
        let mut data = data([(CERTIFICATE_KEY, &issued.certificate), (PRIVATE_KEY, issued.key.reveal())]);
        if let Some(previous) = &self.previous {
            let key = previous.key.as_ref().map_or("", PrivateKey::reveal);
            data.extend(self::data([(PREVIOUS_CERTIFICATE_KEY, &previous.pem), (PREVIOUS_PRIVATE_KEY, key)]));
        } else if self.replaces.is_some() {
            data.extend(self::data([(PREVIOUS_CERTIFICATE_KEY, ""), (PREVIOUS_PRIVATE_KEY, "")]));
        }
        if self.replaces.is_some() {
            // What was noted of the one before does not hold of this one.
            data.extend(self::data([(PUBLISHED_KEY, "")]));
        }
        Some(tls_secret(settings, name::redis_ca(&settings.owner.name), self.replaces.as_ref(), data))
    }
}
