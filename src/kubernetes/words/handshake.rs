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
        Error::AlertReceived(alert) => format!("the other side ended it with the alert {}", spelled(alert)),
        Error::PeerIncompatible(why) => format!("the other side offers nothing that is accepted: {}", spelled(why)),
        Error::PeerMisbehaved(why) => format!("the other side does not keep to the protocol: {}", spelled(why)),
        Error::InvalidMessage(why) => format!("what came is no TLS: {}", spelled(why)),
        Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
            "the other side does not keep to the protocol: another message was due".to_owned()
        }
        Error::InconsistentKeys(_) => "the private key belongs to another certificate".to_owned(),
        Error::InvalidCertRevocationList(_) => "a list of revoked certificates cannot be read".to_owned(),
        Error::NoCertificatesPresented => "the other side shows no certificate".to_owned(),
        Error::NoApplicationProtocol => "the other side speaks another protocol".to_owned(),
        other => spelled(other),
    }
}

/// What is wrong with a certificate.
#[must_use]
pub fn certificate(error: &CertificateError) -> String {
    let known = match error {
        CertificateError::UnknownIssuer => "nobody who is trusted signed it",
        CertificateError::BadSignature => "its signature is another one",
        CertificateError::BadEncoding => "it cannot be read",
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "it is not valid yet",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => "it is for other names",
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "it is for another purpose"
        }
        CertificateError::Revoked => "it was revoked",
        CertificateError::Other(other) => return of_chain(&other.to_string()),
        other => return spelled(other),
    };
    known.to_owned()
}

/// What the verifier says beyond that, which it prints as it is called.
fn of_chain(name: &str) -> String {
    match name {
        "CaUsedAsEndEntity" => "it is that of an authority, and no server's".to_owned(),
        "EndEntityUsedAsCa" => "one that is no authority's signed it".to_owned(),
        "UnsupportedCertVersion" => "it is not of version 3 of X.509".to_owned(),
        "PathLenConstraintViolated" => {
            "the authority that signed it may sign none that lies so far below it".to_owned()
        }
        "NameConstraintViolation" => "the authority that signed it may not sign for this name".to_owned(),
        other => spelled_out(other),
    }
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
        let of_authority = std::io::Error::other("CaUsedAsEndEntity");
        let deep = std::io::Error::other("MaximumSignatureChecksExceeded");
        let other = |error: std::io::Error| CertificateError::Other(OtherError(std::sync::Arc::new(error)));
        for (error, wanted) in [
            (CertificateError::UnknownIssuer, "nobody who is trusted signed it"),
            (expired(2), "it has expired"),
            (expired(3), "it has expired"),
            (other(of_authority), "it is that of an authority, and no server's"),
            (other(deep), "maximum signature checks exceeded"),
            (CertificateError::UnhandledCriticalExtension, "unhandled critical extension"),
        ] {
            assert_eq!(certificate(&error), wanted);
        }
        let alert = Error::AlertReceived(AlertDescription::HandshakeFailure);
        assert_eq!(words(&alert), "the other side ended it with the alert handshake failure");
        let incompatible = words(&Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon));
        assert_eq!(incompatible, "the other side offers nothing that is accepted: no cipher suites in common");
        let general = words(&Error::General("a secret".to_owned()));
        assert_eq!(general, "general");
    }
}
