//! Why a TLS handshake failed, in words. The library prints names of its own types, and how many seconds ago a certificate has
//! expired.
//!
//! In: an error of the library. Out: part of a sentence, the same each time.

use std::fmt::Debug;

use rustls::{CertificateError, Error};

/// What is wrong with a handshake.
#[must_use]
pub fn words(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(error) => format!("the certificate is not accepted: {}", certificate(error)),
        Error::AlertReceived(alert) => format!("the peer ended the TLS handshake (alert: {})", spelled(alert)),
        Error::PeerIncompatible(why) => format!("the peer offers no TLS that is accepted ({})", spelled(why)),
        Error::PeerMisbehaved(why) => format!("the peer does not keep to the TLS protocol ({})", spelled(why)),
        Error::InvalidMessage(why) => format!("the answer is not TLS ({})", spelled(why)),
        Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
            "the peer does not keep to the TLS protocol (unexpected message)".to_owned()
        }
        Error::InconsistentKeys(_) => "the private key belongs to another certificate".to_owned(),
        Error::InvalidCertRevocationList(_) => "a certificate revocation list is malformed".to_owned(),
        Error::NoCertificatesPresented => "the peer shows no certificate".to_owned(),
        Error::NoApplicationProtocol => "the peer speaks another protocol".to_owned(),
        Error::General(_) | Error::Other(_) => "the TLS handshake failed".to_owned(),
        other => spelled(other),
    }
}

/// What is wrong with a certificate.
#[must_use]
pub fn certificate(error: &CertificateError) -> String {
    let known = match error {
        CertificateError::UnknownIssuer => "no trusted CA signed it",
        CertificateError::BadSignature => "its signature is wrong",
        CertificateError::BadEncoding => "it is malformed",
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "it is not valid yet",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => "it is for other names",
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "its extended key usage lacks what it is used for"
        }
        CertificateError::UnhandledCriticalExtension => "it has an unknown critical extension",
        CertificateError::Revoked => "it was revoked",
        CertificateError::Other(other) => return of_chain(&other.to_string()),
        other => return spelled(other),
    };
    known.to_owned()
}

/// What the verifier says beyond that, which it prints as it is called.
fn of_chain(name: &str) -> String {
    let known = match name {
        "CaUsedAsEndEntity" => "it is a CA certificate",
        "EndEntityUsedAsCa" => "a certificate that is no CA's signed it",
        "UnsupportedCertVersion" => "it is not of X.509 version 3",
        "PathLenConstraintViolated" => "its chain is longer than its CA allows",
        "NameConstraintViolation" => "its CA may not sign for this name",
        "UnsupportedCriticalExtension" => "it has an unknown critical extension",
        "SignatureAlgorithmMismatch" => "it names two signature algorithms",
        name if name.starts_with("Maximum") => "its chain is too long",
        name if ["Malformed", "Invalid", "Empty", "ExtensionValue"].iter().any(|of| name.starts_with(of)) => {
            "it is malformed"
        }
        other => return spelled_out(other),
    };
    known.to_owned()
}

/// What a value of the library is called, in words; nothing of what is in it.
fn spelled(value: &impl Debug) -> String {
    spelled_out(&format!("{value:?}"))
}

/// `HandshakeFailure` as `handshake failure`.
fn spelled_out(printed: &str) -> String {
    let name = printed.split(|char: char| !char.is_ascii_alphanumeric()).next().unwrap_or_default();
    let mut words = String::new();
    for char in name.trim_end_matches("Context").chars() {
        if char.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(char.to_ascii_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustls::{AlertDescription, OtherError, PeerIncompatible, pki_types::UnixTime};

    use super::*;

    #[test]
    fn what_the_library_prints_as_it_is_called_is_told_in_words() {
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let expired = |time| CertificateError::ExpiredContext { time: at(time), not_after: at(1) };
        let other = |name: &str| {
            CertificateError::Other(OtherError(std::sync::Arc::new(std::io::Error::other(name.to_owned()))))
        };
        for (error, wanted) in [
            (CertificateError::UnknownIssuer, "no trusted CA signed it"),
            (expired(2), "it has expired"),
            (expired(3), "it has expired"),
            (other("CaUsedAsEndEntity"), "it is a CA certificate"),
            (other("MaximumSignatureChecksExceeded"), "its chain is too long"),
            (other("MalformedExtensions"), "it is malformed"),
            (other("TrailingData(Certificate)"), "trailing data"),
            (CertificateError::UnhandledCriticalExtension, "it has an unknown critical extension"),
            (CertificateError::UnknownRevocationStatus, "unknown revocation status"),
        ] {
            assert_eq!(certificate(&error), wanted);
        }
        let alert = Error::AlertReceived(AlertDescription::HandshakeFailure);
        assert_eq!(words(&alert), "the peer ended the TLS handshake (alert: handshake failure)");
        let incompatible = words(&Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon));
        assert_eq!(incompatible, "the peer offers no TLS that is accepted (no cipher suites in common)");
        for secret in [
            Error::General("a secret".to_owned()),
            Error::Other(OtherError(std::sync::Arc::new(std::io::Error::other("a secret")))),
        ] {
            assert_eq!(words(&secret), "the TLS handshake failed");
        }
    }
}
