//! A certificate that the user provides, as cert-manager writes it: a Secret of type `kubernetes.io/tls`.
//!
//! In: the Secret as read by name, and the time. Out: what is known of it. It is never written.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;

use super::{
    AUTHORITIES_KEY, CERTIFICATE_KEY, Identity, PRIVATE_KEY, Standing, bytes,
    certificate::{Authorities, Distrust, Pair, PairError},
};
use crate::{
    condition::Reason,
    redis::{observed::Observed, settings::Settings},
};

pub(super) fn standing(settings: &Settings, observed: &Observed, name: &str, now: Timestamp) -> Standing {
    // What applications were told to trust, while the Secret tells nothing.
    let published = observed.connection.ours().and_then(|secret| Authorities::parse(bytes(secret, AUTHORITIES_KEY)));
    let unusable = |reason: Reason, message: String, authorities: Option<Authorities>| Standing::Unusable {
        reason,
        message: format!(
            "{message}. A server that runs keeps the certificate that it has until it restarts; one that does not run yet waits"
        ),
        authorities: authorities.or_else(|| published.clone()),
    };
    let Some(secret) = &observed.provided_certificate else {
        let message = format!(
            "there is no Secret {name} in namespace {}: make it, or have cert-manager make it, with tls.crt, tls.key and \
             ca.crt for {}",
            settings.owner.namespace,
            settings.host()
        );
        return unusable(Reason::CertificateMissing, message, None);
    };
    match read(settings, secret, name, now) {
        Ok(identity) => Standing::Known(identity),
        Err((reason, message)) => unusable(reason, message, Authorities::parse(bytes(secret, AUTHORITIES_KEY))),
    }
}

fn read(settings: &Settings, secret: &Secret, name: &str, now: Timestamp) -> Result<Identity, (Reason, String)> {
    let host = settings.host();
    let malformed = |key: &str, what: &str| {
        (Reason::CertificateMalformed, format!("{key} in Secret {name} is no {what} in PEM: correct the Secret"))
    };
    let pair =
        Pair::parse(bytes(secret, CERTIFICATE_KEY), bytes(secret, PRIVATE_KEY)).map_err(|error| match error {
            PairError::NoCertificate => malformed(CERTIFICATE_KEY, "certificate"),
            PairError::NoKey => malformed(PRIVATE_KEY, "private key"),
            PairError::Mismatch => (
                Reason::KeyMismatch,
                format!("tls.key in Secret {name} does not belong to the certificate in tls.crt: put the pair into it"),
            ),
        })?;
    let authorities = Authorities::parse(bytes(secret, AUTHORITIES_KEY)).ok_or_else(|| {
        let (reason, message) = malformed(AUTHORITIES_KEY, "certificate");
        (reason, message + ", so that applications would not know whom to trust")
    })?;
    authorities.accept(&pair.chain, &host, now).map_err(|distrust| match distrust {
        Distrust::Expired => (
            Reason::CertificateExpired,
            format!("the certificate in Secret {name} expired at {}: renew it", pair.leaf.not_after),
        ),
        Distrust::NotYetValid => (
            Reason::CertificateNotYetValid,
            format!("the certificate in Secret {name} is not valid before {}", pair.leaf.not_before),
        ),
        Distrust::WrongName => (
            Reason::CertificateNameMismatch,
            format!(
                "the certificate in Secret {name} is not valid for {host}, by which applications connect (its names: {}): \
                 add this name",
                pair.leaf.names.join(", ")
            ),
        ),
        Distrust::UnknownIssuer => (
            Reason::CertificateUntrusted,
            format!("none of the authorities in ca.crt of Secret {name} signed the certificate in tls.crt: put the right one into it"),
        ),
        Distrust::Other(words) => {
            (Reason::CertificateUntrusted, format!("the certificate in Secret {name} cannot be used: {words}"))
        }
    })?;
    Ok(Identity { authorities, certificate: pair.leaf.fingerprint(), not_after: pair.leaf.not_after })
}
