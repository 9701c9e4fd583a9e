//! RSA certificates that master keys are encrypted to, and their private keys.
//!
//! In: PEM, as cert-manager and openssl write it. Out: values that can be used, or why not. A private key prints as
//! `<redacted>`. Dates are told, never judged: ASP.NET Core decrypts with a certificate whatever its dates are.

pub(crate) mod der;
pub(crate) mod pfx;

use std::fmt;

use aws_lc_rs::{
    digest::{SHA1_FOR_LEGACY_USE_ONLY, digest},
    encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der},
    rsa::{PrivateDecryptingKey, PublicEncryptingKey},
};
use jiff::Timestamp;
use x509_parser::{oid_registry, prelude::*};
use zeroize::Zeroizing;

/// What tells a certificate from any other, as .NET and openssl show it: SHA-1 of its DER.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Thumbprint([u8; 20]);

impl Thumbprint {
    /// Of a certificate in DER.
    #[must_use]
    pub fn of(der: &[u8]) -> Self {
        let mut thumbprint = [0; 20];
        thumbprint.copy_from_slice(digest(&SHA1_FOR_LEGACY_USE_ONLY, der).as_ref());
        Self(thumbprint)
    }

    /// Its first digits.
    #[must_use]
    pub fn short(&self) -> String {
        let [first, second, third, fourth, ..] = self.0;
        hex::encode_upper([first, second, third, fourth])
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode_upper(self.0))
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// Why master keys cannot be encrypted to a certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// There is no certificate.
    #[error("it holds no certificate in PEM")]
    NoCertificate,
    /// It has a key of another kind.
    #[error("its public key is {0}, not RSA")]
    NotRsa(String),
    /// Its key is too short, or longer than anybody's.
    #[error("its RSA key does not have 2048 to 8192 bits")]
    KeySize,
    /// There is no private key.
    #[error("it holds no RSA private key in PEM (PKCS#8 or PKCS#1, not encrypted)")]
    NoKey,
    /// The private key belongs to another certificate.
    #[error("its private key belongs to another certificate")]
    Mismatch,
}

/// A certificate with an RSA key.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    public_key: Vec<u8>,
    thumbprint: Thumbprint,
    not_before: Timestamp,
    not_after: Timestamp,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Certificate({}, until {})", self.thumbprint, self.not_after)
    }
}

impl Certificate {
    /// Reads the first certificate of a text in PEM.
    ///
    /// # Errors
    /// Where there is none, or where nothing can be encrypted to it.
    pub fn parse(pem: &[u8]) -> Result<Self, CertificateError> {
        let blocks = ::pem::parse_many(pem).map_err(|_| CertificateError::NoCertificate)?;
        let block = blocks.into_iter().find(|block| block.tag() == "CERTIFICATE");
        Self::from_der(block.ok_or(CertificateError::NoCertificate)?.contents())
    }

    /// Reads DER.
    ///
    /// # Errors
    /// Where it is none, or where nothing can be encrypted to it.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        let (_, parsed) = X509Certificate::from_der(der).map_err(|_| CertificateError::NoCertificate)?;
        let key = parsed.public_key();
        if key.algorithm.algorithm != oid_registry::OID_PKCS1_RSAENCRYPTION {
            return Err(CertificateError::NotRsa(name_of(&key.algorithm.algorithm)));
        }
        PublicEncryptingKey::from_der(key.raw).map_err(|_| CertificateError::KeySize)?;
        let time =
            |time: ASN1Time| Timestamp::from_second(time.timestamp()).map_err(|_| CertificateError::NoCertificate);
        Ok(Self {
            public_key: key.raw.to_vec(),
            thumbprint: Thumbprint::of(der),
            not_before: time(parsed.validity().not_before)?,
            not_after: time(parsed.validity().not_after)?,
            der: der.to_vec(),
        })
    }

    /// In DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Tells it from any other.
    #[must_use]
    pub fn thumbprint(&self) -> Thumbprint {
        self.thumbprint
    }

    /// Since when it is valid.
    #[must_use]
    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// When it expires.
    #[must_use]
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// What encrypts to it.
    pub(super) fn public_key(&self) -> Result<PublicEncryptingKey, CertificateError> {
        PublicEncryptingKey::from_der(&self.public_key).map_err(|_| CertificateError::KeySize)
    }
}

/// A certificate with its private key.
#[derive(Clone)]
pub struct Pair {
    certificate: Certificate,
    key: PrivateDecryptingKey,
}

impl fmt::Debug for Pair {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Pair").field("certificate", &self.certificate).field("key", &"<redacted>").finish()
    }
}

impl Pair {
    /// Reads both in PEM, as a Secret of type `kubernetes.io/tls` has them.
    ///
    /// # Errors
    /// Where they are none, do not belong together, or nothing can be encrypted to them.
    pub fn parse(certificate: &[u8], key: &[u8]) -> Result<Self, CertificateError> {
        let certificate = Certificate::parse(certificate)?;
        Self::new(certificate, &PrivateKey::parse(key)?)
    }

    /// Puts both together.
    ///
    /// # Errors
    /// Where they do not belong together.
    pub fn new(certificate: Certificate, key: &PrivateKey) -> Result<Self, CertificateError> {
        if key.public != certificate.public_key {
            return Err(CertificateError::Mismatch);
        }
        Ok(Self { certificate, key: key.key.clone() })
    }

    /// The certificate.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Tells it from any other.
    #[must_use]
    pub fn thumbprint(&self) -> Thumbprint {
        self.certificate.thumbprint
    }

    /// The private key, as PKCS#8 has it. Only for the Secret that holds it; `None` where the library cannot write it.
    #[must_use]
    pub fn pkcs8(&self) -> Option<Zeroizing<Vec<u8>>> {
        let document: Pkcs8V1Der<'_> = self.key.as_der().ok()?;
        Some(Zeroizing::new(document.as_ref().to_vec()))
    }

    /// The private key by itself: another certificate may have the same one.
    #[must_use]
    pub fn private_key(&self) -> PrivateKey {
        PrivateKey { key: self.key.clone(), public: self.certificate.public_key.clone() }
    }

    /// What decrypts.
    pub(super) fn key(&self) -> &PrivateDecryptingKey {
        &self.key
    }
}

/// A private RSA key, whatever certificate it belongs to.
#[derive(Clone)]
pub struct PrivateKey {
    key: PrivateDecryptingKey,
    /// The public key that belongs to it, as a certificate has it.
    public: Vec<u8>,
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("<redacted>")
    }
}

impl PrivateKey {
    /// Reads the first one of a text in PEM.
    ///
    /// # Errors
    /// Where there is none.
    pub fn parse(pem: &[u8]) -> Result<Self, CertificateError> {
        let blocks = ::pem::parse_many(pem).map_err(|_| CertificateError::NoKey)?;
        let key = blocks.into_iter().find_map(|block| match block.tag() {
            "PRIVATE KEY" => Some(Zeroizing::new(block.into_contents())),
            // What cert-manager writes where it is not told otherwise.
            "RSA PRIVATE KEY" => Some(pkcs8(&Zeroizing::new(block.into_contents()))),
            _ => None,
        });
        Self::from_pkcs8(&key.ok_or(CertificateError::NoKey)?)
    }

    /// Reads DER, as PKCS#8 has it.
    ///
    /// # Errors
    /// Where it is none.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, CertificateError> {
        let key = PrivateDecryptingKey::from_pkcs8(der).map_err(|_| CertificateError::NoKey)?;
        let public: PublicKeyX509Der<'_> = key.public_key().as_der().map_err(|_| CertificateError::NoKey)?;
        let public = public.as_ref().to_vec();
        Ok(Self { key, public })
    }
}

/// A key as PKCS#1 has it, in the frame that PKCS#8 puts around it.
fn pkcs8(pkcs1: &[u8]) -> Zeroizing<Vec<u8>> {
    const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
    let algorithm = der::sequence(&[&der::oid(RSA), &der::element(der::NULL, &[])]);
    der::sequence(&[&der::integer(0), &algorithm, &der::octets(pkcs1)])
}

/// A kind of key, by a name that people know.
fn name_of(algorithm: &oid_registry::Oid<'_>) -> String {
    match algorithm.to_id_string().as_str() {
        "1.2.840.10045.2.1" => "an elliptic curve (EC)".to_owned(),
        "1.3.101.112" => "Ed25519".to_owned(),
        "1.3.101.113" => "Ed448".to_owned(),
        "1.2.840.10040.4.1" => "DSA".to_owned(),
        "1.2.840.113549.1.1.10" => "RSASSA-PSS, which signs only".to_owned(),
        other => format!("of the kind {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CERTIFICATE: &[u8] = include_bytes!("../../../tests/vectors/data-protection/current.crt.pem");
    const KEY: &[u8] = include_bytes!("../../../tests/vectors/data-protection/current.key.pem");
    const OTHER_KEY: &[u8] = include_bytes!("../../../tests/vectors/data-protection/previous.key.pem");

    #[test]
    fn a_certificate_is_told_by_its_sha_1() {
        let pair = Pair::parse(CERTIFICATE, KEY).unwrap();
        assert_eq!(pair.thumbprint().to_string().len(), 40);
        assert_eq!(pair.thumbprint(), Thumbprint::of(pair.certificate().der()));
    }

    #[test]
    fn a_private_key_is_read_as_pkcs_1_too() {
        let pkcs8 = ::pem::parse(KEY).unwrap();
        // The frame of a 2048 bit key has 26 bytes.
        let pkcs1 = ::pem::encode(&::pem::Pem::new("RSA PRIVATE KEY", &pkcs8.contents()[26..]));
        assert!(Pair::parse(CERTIFICATE, pkcs1.as_bytes()).is_ok());
    }

    #[test]
    fn a_private_key_never_prints_itself() {
        let printed = format!("{:?}", Pair::parse(CERTIFICATE, KEY).unwrap());
        assert!(printed.contains("<redacted>"), "{printed}");
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        assert_eq!(Pair::parse(CERTIFICATE, OTHER_KEY).unwrap_err(), CertificateError::Mismatch);
        assert_eq!(Pair::parse(KEY, KEY).unwrap_err(), CertificateError::NoCertificate);
        assert_eq!(Pair::parse(CERTIFICATE, CERTIFICATE).unwrap_err(), CertificateError::NoKey);
        assert_eq!(Pair::parse(b"nonsense", KEY).unwrap_err(), CertificateError::NoCertificate);
    }

    #[test]
    fn an_elliptic_curve_is_refused_with_the_reason() {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::default().self_signed(&key).unwrap();
        let error = Pair::parse(certificate.pem().as_bytes(), key.serialize_pem().as_bytes()).unwrap_err();
        assert!(matches!(&error, CertificateError::NotRsa(kind) if kind.contains("EC")), "{error:?}");
        assert!(error.to_string().contains("not RSA"), "{error}");
    }
}
