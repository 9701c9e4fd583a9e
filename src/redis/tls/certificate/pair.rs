//! Private keys, and certificates with the private key that belongs to them.
//!
//! In: PEM. Out: a [`Pair`], or why there is none. A private key prints as `<redacted>`, and only [`PrivateKey::reveal`] gives
//! its text.

use std::fmt;

use rustls::{
    Error,
    crypto::aws_lc_rs as provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};
use zeroize::Zeroizing;

use super::{Certificate, authorities::Authorities, pem};

/// A private key in PEM. It is wiped from memory when dropped, and prints as `<redacted>`.
#[derive(Clone, PartialEq, Eq)]
pub struct PrivateKey(Zeroizing<String>);

impl PrivateKey {
    /// Takes the text.
    #[must_use]
    pub fn new(pem: String) -> Self {
        Self(Zeroizing::new(pem))
    }

    /// In PEM; `None` for a key of a form that this library does not know.
    fn of(der: &PrivateKeyDer<'_>) -> Option<Self> {
        let tag = match der {
            PrivateKeyDer::Pkcs8(_) => "PRIVATE KEY",
            PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
            PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
            _ => return None,
        };
        Some(Self::new(pem(tag, der.secret_der())))
    }

    /// The text. Only for a Secret's data, and to sign with.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("<redacted>")
    }
}

/// A server's certificates with the private key that belongs to the first of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The server's certificate.
    pub leaf: Certificate,
    /// It, and those between it and the authority.
    pub chain: Vec<CertificateDer<'static>>,
    /// The private key.
    pub key: PrivateKey,
}

/// Why a certificate and a key are no pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairError {
    /// What should be the certificate is none.
    NoCertificate,
    /// What should be the private key is none.
    NoKey,
    /// The key belongs to another certificate.
    Mismatch,
}

impl Pair {
    /// Reads both in PEM.
    ///
    /// # Errors
    /// Where they are none, or do not belong together.
    pub fn parse(certificate: &[u8], key: &[u8]) -> Result<Self, PairError> {
        let (pair, der) = Self::read(certificate, key)?;
        match CertifiedKey::from_der(pair.chain.clone(), der, &provider::default_provider()) {
            Ok(_) => Ok(pair),
            Err(Error::InconsistentKeys(_)) => Err(PairError::Mismatch),
            Err(_) => Err(PairError::NoKey),
        }
    }

    /// As [`Self::parse`], of what was parsed before and so is known to belong together.
    ///
    /// # Errors
    /// Where they are none.
    pub(in crate::redis::tls) fn parse_unverified(certificate: &[u8], key: &[u8]) -> Result<Self, PairError> {
        Self::read(certificate, key).map(|(pair, _)| pair)
    }

    fn read(certificate: &[u8], key: &[u8]) -> Result<(Self, PrivateKeyDer<'static>), PairError> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate).collect();
        let chain = chain.map_err(|_| PairError::NoCertificate)?;
        let leaf = chain.first().and_then(Certificate::read).ok_or(PairError::NoCertificate)?;
        let der = PrivateKeyDer::from_pem_slice(key).map_err(|_| PairError::NoKey)?;
        let key = PrivateKey::of(&der).ok_or(PairError::NoKey)?;
        Ok((Self { leaf, chain, key }, der))
    }
}

impl Pair {
    /// With those between it and the root that stand beside the root: a server shows them, and they have to be where the pair
    /// is.
    #[must_use]
    pub fn completed_by(mut self, authorities: &Authorities) -> Self {
        while let Some(issuer) = self.chain.last().and_then(Certificate::read).and_then(|last| {
            let issuer = authorities.issuer(&last).filter(|issuer| !issuer.is_root)?;
            (!self.chain.contains(&issuer.der)).then(|| issuer.der.clone())
        }) {
            self.chain.push(issuer);
        }
        self
    }

    /// The certificates in PEM. Together with the key's text this is always the same for the same pair.
    #[must_use]
    pub fn certificates_pem(&self) -> String {
        self.chain.iter().map(|certificate| pem("CERTIFICATE", certificate)).collect()
    }
}
