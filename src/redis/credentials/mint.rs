//! Secrets of which a part is drawn when they are written: passwords, keys and serial numbers.
//!
//! In: settings and, when it is written, random bytes. Out: a Secret. Nothing is drawn here.

use std::sync::Arc;

use k8s_openapi::{api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};

use super::{
    binding,
    login::NewLogin,
    rotation,
    tls::{NewAuthority, NewCertificate},
};
use crate::{
    kubernetes::{
        name,
        write::{Draft, Write},
    },
    redis::{access::password::Password, settings::Settings, tls::certificate::Authorities},
};

/// A Secret whose bytes are drawn when it is written.
#[derive(Debug, Clone, PartialEq)]
pub enum NewSecret {
    /// The operator's own login.
    OperatorLogin(Box<NewLogin>),
    /// The binding, with the applications' password, and whom they trust; in place of one that holds no password.
    Connection(Option<Authorities>, Option<Box<ObjectMeta>>),
    /// The applications' next password, in a Secret of its own.
    NextPassword(rotation::NextPassword),
    /// The operator's own authority.
    CertificateAuthority(Box<NewAuthority>),
    /// The servers' certificate, signed by it.
    ServerCertificate(Box<NewCertificate>),
}

impl NewSecret {
    /// The write that makes it.
    #[must_use]
    pub fn write(self, settings: &Settings) -> Write {
        Write::Mint(Arc::new(Ordered { settings: settings.clone(), mint: self }))
    }

    fn name(&self, settings: &Settings) -> String {
        let owner = &settings.owner.name;
        match self {
            Self::OperatorLogin(_) => name::redis_operator(owner),
            Self::NextPassword(_) => name::redis_rotation(&settings.owner.name),
            Self::Connection(..) => name::redis(owner),
            Self::CertificateAuthority(_) => name::redis_ca(owner),
            Self::ServerCertificate(_) => name::redis_tls(owner),
        }
    }

    fn secret(&self, settings: &Settings, random: &[u8]) -> Option<Secret> {
        match self {
            Self::OperatorLogin(order) => order.secret(settings, random),
            Self::Connection(authorities, replaces) => {
                let password = Password::from_random(random)?;
                let binding = binding::connection(settings, &password, authorities.as_ref(), None);
                Some(in_place_of(replaces.as_deref(), binding))
            }
            Self::NextPassword(order) => order.secret(settings, random),
            Self::CertificateAuthority(order) => order.secret(settings, random),
            Self::ServerCertificate(order) => order.secret(settings, random),
        }
    }
}

/// The Secret, as what takes the place of one that is there; or as a new one.
pub(super) fn in_place_of(live: Option<&ObjectMeta>, mut secret: Secret) -> Secret {
    if let Some(live) = live {
        secret.metadata.uid.clone_from(&live.uid);
        secret.metadata.resource_version.clone_from(&live.resource_version);
        // A type cannot change.
        secret.type_ = None;
    }
    secret
}

/// A Secret that is to be made for these settings.
#[derive(Debug)]
pub(crate) struct Ordered {
    settings: Settings,
    mint: NewSecret,
}

impl Draft for Ordered {
    fn name(&self) -> String {
        self.mint.name(&self.settings)
    }

    fn secret(&self, random: &[u8]) -> Option<Secret> {
        self.mint.secret(&self.settings, random)
    }
}
