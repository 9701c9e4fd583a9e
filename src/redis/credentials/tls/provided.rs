//! A certificate that the user provides, as cert-manager writes it: a Secret of type `kubernetes.io/tls`.
//!
//! In: the Secret as read by name, and the time. Out: what is known of it, and the Secret that servers mount, with a copy of what
//! was found good. The user's own is never written.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::{ByteString, api::core::v1::Secret};

use super::{CertificateState, Identity, Tls, bytes, mounted, secret};
use crate::{
    api::v1alpha1::Remedy,
    condition::{Message, Reason},
    kubernetes::{name, read::workload::listed, write::Write},
    redis::{
        live::Live,
        look::Sample,
        settings::Settings,
        tls::{
            AUTHORITIES_KEY, CERTIFICATE_KEY, PRIVATE_KEY,
            certificate::{Authorities, Distrust, Pair, PairError},
            verified::Verified,
        },
    },
};

pub(super) fn read(settings: &Settings, observed: &Live, name: &str, now: Timestamp) -> Tls {
    // What applications were told to trust.
    let published =
        observed.connection.owned().and_then(|secret| observed.verified.authorities(bytes(secret, AUTHORITIES_KEY)));
    let copy = observed.server_certificate.owned();
    let written = copy.and_then(|secret| mounted::written(secret));
    let unusable = |reason: Reason, message: Message, authorities: Option<Authorities>| {
        // What vouches for the server that runs, before what stands in a Secret that no server has loaded.
        let authorities = published.clone().or(authorities);
        let kept = authorities.as_ref().and_then(|authorities| kept(settings, observed, authorities, now));
        Tls::of(CertificateState::Unusable {
            reason,
            message: message.and(if kept.is_some() {
                "A running Redis keeps its certificate, also when it restarts"
            } else {
                "A running Redis keeps its certificate until it restarts; a new one waits"
            }),
            authorities,
            kept: kept.map(|kept| Box::new(Identity { written, ..kept })),
        })
    };
    let Some(secret) = &observed.provided_certificate else {
        let host = settings.host();
        let message = Message::from(format!("there is no Secret {name} in namespace {}", settings.owner.namespace))
            .remedy(Remedy::look(format!("make Secret {name} with tls.crt, tls.key and ca.crt for {host}")));
        return unusable(Reason::CertificateMissing, message, None);
    };
    match usable(settings, secret, name, &observed.verified, now) {
        Ok((pair, authorities)) => {
            let data = mounted::data(&pair, authorities.pem());
            let mut tls = copied(settings, observed, &pair, data, now);
            let (certificate, not_after) = (pair.leaf.fingerprint(), pair.leaf.not_after);
            let mut identity = Identity { authorities, certificate, not_after, written };
            // A server shows the certificate before until kubelet has brought it this one. It has to be trusted until then,
            // by applications and by the operator, which has it load this one.
            if let Some(published) = published.filter(|_| !is_served(observed, &identity)) {
                identity.authorities = identity.authorities.joined_by(&published, now);
            }
            tls.state = CertificateState::Known(identity);
            tls
        }
        Err((reason, message)) => unusable(reason, message, Authorities::parse(bytes(secret, AUTHORITIES_KEY))),
    }
}

/// The Secret that servers mount, made from the user's: what is garbled there later reaches no server.
fn copied(
    settings: &Settings,
    observed: &Live,
    pair: &Pair,
    data: BTreeMap<String, ByteString>,
    now: Timestamp,
) -> Tls {
    let mut tls = Tls::of(CertificateState::Making(None));
    let name = name::redis_tls(&settings.owner.name);
    match observed.server_certificate.owned() {
        None => tls.writes.push(Write::Create(secret::tls_secret(settings, name, None, data).into())),
        Some(live) => {
            let surplus = mounted::surplus(observed, live, pair, now);
            let mut all = live.data.clone().unwrap_or_default();
            all.retain(|name, _| !surplus.contains(name));
            all.extend(data);
            tls.writes.extend(secret::changed(settings, observed, name, live, all, surplus));
        }
    }
    tls
}

/// The latest certificate that could be used, where the server's pod has it.
fn kept(settings: &Settings, observed: &Live, authorities: &Authorities, now: Timestamp) -> Option<Identity> {
    let has_it = observed.pods.first().is_none_or(|pod| mounted::mounts_named_files(settings, pod));
    let pairs = mounted::named(observed.server_certificate.owned().filter(|_| has_it)?, &observed.verified);
    let accepted =
        pairs.into_iter().filter(|pair| observed.verified.accept(authorities, pair, &settings.host(), now).is_ok());
    let pair = accepted.max_by_key(|pair| pair.leaf.not_before)?;
    Some(Identity {
        authorities: authorities.clone(),
        certificate: pair.leaf.fingerprint(),
        not_after: pair.leaf.not_after,
        written: None,
    })
}

/// Whether every server showed this certificate when it was looked at last.
fn is_served(observed: &Live, identity: &Identity) -> bool {
    let shows = |sample: &Sample| {
        let served = sample.outcome.as_ref().ok().and_then(|answer| answer.certificate.as_ref());
        served.is_some_and(|served| served.fingerprint == identity.certificate)
    };
    !observed.samples.is_empty() && observed.samples.iter().all(shows)
}

/// The pair with what is between it and the root, and whom applications are to trust.
fn usable(
    settings: &Settings,
    secret: &Secret,
    name: &str,
    verified: &Verified,
    now: Timestamp,
) -> Result<(Pair, Authorities), (Reason, Message)> {
    let host = settings.host();
    let failed = |reason: Reason, fact: String, step: &str| (reason, Message::from(fact).remedy(Remedy::look(step)));
    let malformed = |key: &str, what: &str| {
        let fact = format!("{key} in Secret {name} is not a {what} in PEM");
        failed(Reason::CertificateMalformed, fact, &format!("put the {what} into {key}"))
    };
    let pair =
        verified.pair(bytes(secret, CERTIFICATE_KEY), bytes(secret, PRIVATE_KEY)).map_err(|error| match error {
            PairError::NoCertificate => malformed(CERTIFICATE_KEY, "certificate"),
            PairError::NoKey => malformed(PRIVATE_KEY, "private key"),
            PairError::Mismatch => {
                let fact = format!("tls.key in Secret {name} does not belong to tls.crt");
                failed(Reason::KeyMismatch, fact, "put the key of tls.crt into tls.key")
            }
        })?;
    let authorities = Authorities::parse(bytes(secret, AUTHORITIES_KEY))
        .ok_or_else(|| malformed(AUTHORITIES_KEY, "CA certificate"))?;
    verified.accept(&authorities, &pair, &host, now).map_err(|distrust| match distrust {
        Distrust::Expired => failed(
            Reason::CertificateExpired,
            format!("the certificate in Secret {name} expired at {}", pair.leaf.not_after),
            "renew the certificate",
        ),
        Distrust::NotYetValid => failed(
            Reason::CertificateNotYetValid,
            format!("the certificate in Secret {name} is not valid before {}", pair.leaf.not_before),
            "renew the certificate, or correct the operator's clock",
        ),
        Distrust::WrongName => failed(
            Reason::CertificateNameMismatch,
            match listed(&pair.leaf.names, " and ").as_str() {
                "" => format!("the certificate in Secret {name} names no host, and so not {host}"),
                names => format!("the certificate in Secret {name} is not valid for {host}, but for {names}"),
            },
            &format!("add {host} to the certificate's names"),
        ),
        Distrust::UnknownIssuer if authorities.issuer(&pair.leaf).is_some() => failed(
            Reason::CertificateUntrusted,
            format!(
                "ca.crt in Secret {name} lacks the root above the CA that signed tls.crt, and .NET trusts roots only"
            ),
            "add the root to ca.crt",
        ),
        Distrust::UnknownIssuer => failed(
            Reason::CertificateUntrusted,
            format!("no CA in ca.crt of Secret {name} signed tls.crt"),
            "put the CA that signed tls.crt into ca.crt",
        ),
        Distrust::Other(_) if pair.leaf.is_authority => failed(
            Reason::CertificateUntrusted,
            format!("tls.crt in Secret {name} is a CA certificate; applications refuse it as a server's"),
            &format!("sign a server certificate for {host} with this CA"),
        ),
        Distrust::Other(words) => failed(
            Reason::CertificateUntrusted,
            format!("the certificate in Secret {name} cannot be used: {words}"),
            &format!("put another certificate into Secret {name}"),
        ),
    })?;
    Ok((pair.completed_by(&authorities), authorities))
}
