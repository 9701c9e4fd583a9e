//! Certificates, private keys and bundles of authorities: read from PEM, compared, and verified as a client does it.
//!
//! In: bytes, and the time. Out: values. A private key prints as `<redacted>`.

mod authorities;
mod pair;

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use x509_parser::{extensions::GeneralName, prelude::*};

pub use authorities::{Authorities, Distrust, refusal, signed, unix};
pub use pair::{Pair, PairError, PrivateKey};

/// SHA-256 of a certificate, in lower-case hex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Of a certificate in DER.
    #[must_use]
    pub fn of(certificate: &[u8]) -> Self {
        Self(hex::encode(digest(&SHA256, certificate)))
    }

    /// Reads what [`Self::as_hex`] writes.
    #[must_use]
    pub fn parse(hex: &str) -> Option<Self> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (hex.len() == 64 && hex.bytes().all(is_digit)).then(|| Self(hex.to_owned()))
    }

    /// All of its digits.
    #[must_use]
    pub fn as_hex(&self) -> &str {
        &self.0
    }

    /// As many digits as tell it from any other that a person meets.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..16).unwrap_or(&self.0)
    }
}

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The certificate itself, in DER.
    pub der: CertificateDer<'static>,
    /// Since when it is valid.
    pub not_before: Timestamp,
    /// When it expires.
    pub not_after: Timestamp,
    /// The names that it is valid for.
    pub names: Vec<String>,
    /// Who signed it, in its own words.
    pub issuer: String,
    /// Whether it may sign others.
    pub is_authority: bool,
    /// Whether it names itself as its issuer. Clients trust nothing but such ones.
    pub is_root: bool,
}

impl Certificate {
    /// Reads DER; `None` where it is none.
    #[must_use]
    pub fn read(der: &CertificateDer<'_>) -> Option<Self> {
        let (_, parsed) = X509Certificate::from_der(der).ok()?;
        let validity = parsed.validity();
        let names = parsed.subject_alternative_name().ok().flatten();
        let names = names.iter().flat_map(|names| &names.value.general_names);
        let names = names.filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            _ => None,
        });
        Some(Self {
            der: der.clone().into_owned(),
            not_before: Timestamp::from_second(validity.not_before.timestamp()).ok()?,
            not_after: Timestamp::from_second(validity.not_after.timestamp()).ok()?,
            names: names.collect(),
            issuer: parsed.issuer().to_string(),
            is_authority: parsed.is_ca(),
            is_root: parsed.subject().as_raw() == parsed.issuer().as_raw(),
        })
    }

    /// In PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        pem("CERTIFICATE", &self.der)
    }

    /// Tells it from any other.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.der)
    }
}

fn pem(tag: &str, der: &[u8]) -> String {
    let lines = ::pem::EncodeConfig::new().set_line_ending(::pem::LineEnding::LF);
    ::pem::encode_config(&::pem::Pem::new(tag, der), lines)
}
