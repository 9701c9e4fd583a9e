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
    redis::{observed::Observed, sample::Sample, settings::Settings},
};

pub(super) fn standing(settings: &Settings, observed: &Observed, name: &str, now: Timestamp) -> Standing {
    // What applications were told to trust.
    let published = observed.connection.ours().and_then(|secret| Authorities::parse(bytes(secret, AUTHORITIES_KEY)));
    let unusable = |reason: Reason, message: String, authorities: Option<Authorities>| Standing::Unusable {
        reason,
        message: format!(
            "{message}. A server that runs keeps the certificate that it has until it restarts; one that does not run yet waits"
        ),
        // What vouches for the server that runs, before what stands in a Secret that no server has loaded.
        authorities: published.clone().or(authorities),
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
        Ok(mut identity) => {
            // A server shows the certificate before until kubelet has brought it this one. It has to be trusted until then,
            // by applications and by the operator, which has it load this one.
            if let Some(published) = published.filter(|_| !is_served(observed, &identity)) {
                identity.authorities = identity.authorities.joined_by(&published, now);
            }
            Standing::Known(identity)
        }
        Err((reason, message)) => unusable(reason, message, Authorities::parse(bytes(secret, AUTHORITIES_KEY))),
    }
}

/// Whether every server showed this certificate when it was looked at last.
fn is_served(observed: &Observed, identity: &Identity) -> bool {
    let shows = |sample: &Sample| {
        let served = sample.outcome.as_ref().ok().and_then(|answer| answer.certificate.as_ref());
        served.is_some_and(|served| served.fingerprint == identity.certificate)
    };
    !observed.samples.is_empty() && observed.samples.iter().all(shows)
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
            format!(
                "the certificate in Secret {name} is not valid before {}: correct the clock of whoever made it, or the \
                 operator's, or put one into it that is valid now",
                pair.leaf.not_before
            ),
        ),
        Distrust::WrongName => (
            Reason::CertificateNameMismatch,
            format!(
                "the certificate in Secret {name} is not valid for {host}, by which applications connect (its names: {}): \
                 add this name",
                pair.leaf.names.join(", ")
            ),
        ),
        Distrust::UnknownIssuer if authorities.issuer(&pair.leaf).is_some() => (
            Reason::CertificateUntrusted,
            format!(
                "ca.crt of Secret {name} has the authority that signed the certificate in tls.crt, but not the root above \
                 it, and .NET trusts roots only: add the root to ca.crt"
            ),
        ),
        Distrust::UnknownIssuer => (
            Reason::CertificateUntrusted,
            format!("none of the authorities in ca.crt of Secret {name} signed the certificate in tls.crt: put the right one into it"),
        ),
        Distrust::Other(words) => {
            (Reason::CertificateUntrusted, format!("the certificate in Secret {name} cannot be used ({words}): make another one"))
        }
    })?;
    Ok(Identity { authorities, certificate: pair.leaf.fingerprint(), not_after: pair.leaf.not_after })
}
