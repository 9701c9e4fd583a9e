//! Making certificates: an authority of the operator's own, and the servers' certificate that it signs.
//!
//! In: random bytes, names, the time. Out: PEM. It draws nothing itself; a signature holds a number that the library
//! draws, so that the same bytes make the same keys and another signature.

use aws_lc_rs::{
    agreement::{ECDH_P256, PrivateKey as Scalar},
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair},
};
use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SerialNumber, date_time_ymd,
};

use super::{
    certificate::PrivateKey,
    schedule::{AUTHORITY_LIFETIME, CERTIFICATE_LIFETIME},
};

/// Bytes of a private key.
const KEY_BYTES: usize = 32;
/// Bytes of a serial number.
const SERIAL_BYTES: usize = 16;
/// Clocks differ: a certificate is valid since a moment before it was made.
const BACKDATED: SignedDuration = SignedDuration::from_hours(1);

/// A certificate and its private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// The certificate, in PEM.
    pub certificate: String,
    /// Its private key.
    pub key: PrivateKey,
}

/// An authority that signs itself; `None` where the bytes make no key. `name` is that of whom it vouches for.
#[must_use]
pub fn authority(name: &str, random: &[u8], now: Timestamp) -> Option<Issued> {
    let (key, serial) = material(random)?;
    let mut params = params(&serial, now, now + AUTHORITY_LIFETIME)?;
    // A name of its own, so that nobody who builds a chain mistakes it for the one before.
    let mark: String = hex::encode(&serial).chars().take(8).collect();
    params.distinguished_name.push(DnType::CommonName, format!("{name} CA {mark}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key).ok()?;
    Some(Issued { certificate: certificate.pem(), key: PrivateKey::new(key.serialize_pem()) })
}

/// A server's certificate for these names, the first of which stands in its subject; `None` where the bytes make no
/// key, or the authority cannot sign. It never outlives its authority.
#[must_use]
pub fn certificate(
    names: &[String],
    authority: &Issued,
    authority_ends: Timestamp,
    random: &[u8],
    now: Timestamp,
) -> Option<Issued> {
    let (key, serial) = material(random)?;
    let signer = KeyPair::from_pem(authority.key.reveal()).ok()?;
    let issuer = Issuer::from_ca_cert_pem(&authority.certificate, signer).ok()?;
    let mut params = params(&serial, now, (now + CERTIFICATE_LIFETIME).min(authority_ends))?;
    params.subject_alt_names = CertificateParams::new(names).ok()?.subject_alt_names;
    params.distinguished_name.push(DnType::CommonName, names.first()?.as_str());
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = params.signed_by(&key, &issuer).ok()?;
    Some(Issued { certificate: certificate.pem(), key: PrivateKey::new(key.serialize_pem()) })
}

/// A key on P-256, and a serial number.
fn material(random: &[u8]) -> Option<(KeyPair, Vec<u8>)> {
    let (scalar, rest) = random.split_at_checked(KEY_BYTES)?;
    let mut serial = rest.get(..SERIAL_BYTES)?.to_vec();
    // Positive, and of the same length always.
    serial[0] = serial[0] & 0x7f | 0x40;
    let public = Scalar::from_private_key(&ECDH_P256, scalar).ok()?.compute_public_key().ok()?;
    let key = EcdsaKeyPair::from_private_key_and_public_key(&ECDSA_P256_SHA256_ASN1_SIGNING, scalar, public.as_ref());
    let document = key.ok()?.to_pkcs8v1().ok()?;
    Some((KeyPair::try_from(document.as_ref()).ok()?, serial))
}

fn params(serial: &[u8], now: Timestamp, ends: Timestamp) -> Option<CertificateParams> {
    let mut params = CertificateParams::default();
    params.serial_number = Some(SerialNumber::from_slice(serial));
    params.distinguished_name = DistinguishedName::new();
    let at = |time: Timestamp| {
        let since = std::time::Duration::from_secs(u64::try_from(time.as_second()).ok()?);
        Some(date_time_ymd(1970, 1, 1) + since)
    };
    params.not_before = at(now - BACKDATED)?;
    params.not_after = at(ends)?;
    Some(params)
}
