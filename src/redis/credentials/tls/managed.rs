//! The operator's own authority and the servers' certificate.
//!
//! In: both Secrets and the binding, as observed, and the time. Out: what is known, and what is to be made or published.
//! Every step is one write of one Secret, and the next step follows from what was read back, so that the operator may end
//! between any two of them.

use jiff::Timestamp;
use k8s_openapi::{api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};

use super::{
    CertificateState, Identity, Tls,
    authority::{NewAuthority, PUBLISHED_KEY, Previous, current, lost, previous, trusted},
    bytes, mounted,
    secret::{changed, time, tls_secret, with},
};
use crate::{
    kubernetes::name,
    redis::{
        credentials::mint::NewSecret,
        live::Live,
        server::objects::REPLICAS,
        settings::Settings,
        tls::{
            AUTHORITIES_KEY, CERTIFICATE_KEY, PRIVATE_KEY,
            certificate::{Authorities, Certificate, Pair, PairError},
            issue::{self, Issued},
            schedule::{self, Input},
            verified::Verified,
        },
    },
};

/// A server's certificate that is to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct NewCertificate {
    replaces: Option<ObjectMeta>,
    authority: Issued,
    authority_ends: Timestamp,
    authorities: Authorities,
    now: Timestamp,
}

pub(super) fn read(settings: &Settings, observed: &Live, now: Timestamp) -> Tls {
    let live_authority = observed.certificate_authority.owned();
    let live_certificate = observed.server_certificate.owned();
    let verified = observed.verified.as_ref();
    let there = There::read(live_certificate.map(AsRef::as_ref), verified);
    let host = settings.host();
    let bundle = |secret: &Secret| verified.authorities(bytes(secret, AUTHORITIES_KEY));
    let mounted = live_certificate.and_then(|secret| bundle(secret));
    let published = observed.connection.owned().and_then(|secret| bundle(secret));
    let known = |pair: Option<&Result<Pair, PairError>>, authorities: Authorities| {
        let pair = pair?.as_ref().ok()?;
        verified.accept(&authorities, pair, &host, now).ok()?;
        let (certificate, not_after) = (pair.leaf.fingerprint(), pair.leaf.not_after);
        let written = live_certificate.and_then(|secret| mounted::written(secret));
        Some(CertificateState::Known(Identity { authorities, certificate, not_after, written }))
    };

    let read = live_authority.map(|secret| verified.pair(bytes(secret, CERTIFICATE_KEY), bytes(secret, PRIVATE_KEY)));
    let violation = schedule::of_authority(&Input { pair: read.as_ref(), names: &[], signers: &[], verified, now });
    let current = live_authority.zip(read).and_then(|(secret, read)| current(secret, read, now));
    let previous = live_authority.and_then(|secret| previous(secret)).filter(|one| now < one.certificate.not_after);

    // What clients were told comes before what stands beside the certificate: somebody who overwrote the one wrote the other.
    let told = published.clone().or_else(|| mounted.clone());
    let served = |authorities: &Authorities| there.best(|pair| verified.accept(authorities, pair, &host, now).is_ok());
    let mut mints = Vec::new();
    if violation.is_some() {
        let served = told.as_ref().and_then(served).or_else(|| there.unnamed.clone());
        mints.push(NewSecret::CertificateAuthority(Box::new(NewAuthority {
            replaces: live_authority.map(|secret| secret.metadata.clone()),
            previous: match &current {
                Some(current) => Some(Previous {
                    certificate: current.certificate.clone(),
                    pem: current.issued.certificate.clone(),
                    key: Some(current.issued.key.clone()),
                }),
                None => lost(served.as_ref(), [&published, &mounted]),
            },
            now,
        })));
    }
    let Some(current) = current else {
        let known = told.and_then(|authorities| known(served(&authorities).as_ref(), authorities));
        return Tls { mints, ..Tls::of(known.unwrap_or(CertificateState::Making(None))) };
    };

    let Some(authorities) = trusted(&current, previous.as_ref(), verified) else {
        return Tls { mints, ..Tls::of(CertificateState::Making(None)) };
    };
    let seen = live_authority.and_then(|secret| time(secret, PUBLISHED_KEY));
    let is_known_to_clients = previous.is_none() || schedule::is_known_to_clients(seen, now);
    let earlier = previous.as_ref().filter(|_| !is_known_to_clients);
    let signers: Vec<&Certificate> =
        std::iter::once(&current.certificate).chain(earlier.map(|previous| &previous.certificate)).collect();
    let names = names(settings);
    let violation_of = |pair: Option<&Result<Pair, PairError>>| {
        schedule::of_certificate(&Input { pair, names: &names, signers: &signers, verified, now })
    };
    let good = there.best(|pair| violation_of(Some(&Ok(pair.clone()))).is_none());
    let served = good.or_else(|| served(&authorities)).or_else(|| there.unnamed.clone());
    let state = known(served.as_ref(), authorities.clone());
    let mut writes = Vec::new();
    let signer = earlier.map_or_else(|| Some(current.signer()), Previous::signer);
    // Where clients do not know the only authority that can sign, what is served goes on as long as it can.
    let is_due = violation_of(served.as_ref()).is_some() && (signer.is_some() || state.is_none());
    if is_due {
        let (authority, authority_ends) = signer.unwrap_or_else(|| current.signer());
        mints.push(NewSecret::ServerCertificate(Box::new(NewCertificate {
            replaces: live_certificate.map(|secret| secret.metadata.clone()),
            authority,
            authority_ends,
            authorities: authorities.clone(),
            now,
        })));
    } else if let (Some(secret), Some(Ok(served))) = (live_certificate, &served) {
        let surplus = mounted::surplus(observed, secret, served, now);
        let mut data = secret.data.clone().unwrap_or_default();
        data.retain(|name, _| !surplus.contains(name));
        data.extend(mounted::data(served, authorities.pem()));
        writes.extend(changed(settings, observed, name::redis_tls(&settings.owner.name), secret, data, surplus));
    }
    let is_everywhere = [&mounted, &published]
        .into_iter()
        .all(|bundle| bundle.as_ref().is_some_and(|bundle| bundle.hold(&current.certificate)));
    if let Some(secret) = live_authority.filter(|_| violation.is_none()) {
        let data = if previous.is_some() && seen.is_none() && is_everywhere {
            with(secret, PUBLISHED_KEY, now.to_string().as_bytes())
        } else {
            secret.data.clone().unwrap_or_default()
        };
        writes.extend(changed(settings, observed, name::redis_ca(&settings.owner.name), secret, data, Vec::new()));
    }
    let state = state.unwrap_or(CertificateState::Making(Some(authorities)));
    Tls { mints, writes, ..Tls::of(state) }
}

/// The pairs in the Secret that servers mount.
struct There {
    named: Vec<Pair>,
    /// What stands under the names that every such Secret has; `None` where there is no Secret.
    unnamed: Option<Result<Pair, PairError>>,
}

impl There {
    fn read(secret: Option<&Secret>, verified: &Verified) -> Self {
        Self {
            named: secret.map(|secret| mounted::named(secret, verified)).unwrap_or_default(),
            unnamed: secret.map(|secret| mounted::unnamed(secret, verified)),
        }
    }

    /// The newest of those that are good.
    fn best(&self, is_good: impl Fn(&Pair) -> bool) -> Option<Result<Pair, PairError>> {
        let all = self.unnamed.iter().flatten().chain(&self.named);
        all.filter(|pair| is_good(pair)).max_by_key(|pair| pair.leaf.not_before).cloned().map(Ok)
    }
}

/// The names that a server is reached by: of the Services, and of the pods.
fn names(settings: &Settings) -> Vec<String> {
    let owner = &settings.owner;
    let headless = name::redis_headless(&owner.name);
    let pods = (0..REPLICAS).map(|ordinal| format!("{}-{ordinal}.{headless}", name::redis(&owner.name)));
    let hosts = [name::redis(&owner.name), headless.clone()].into_iter().chain(pods);
    let suffixes = [
        "",
        &format!(".{}", owner.namespace),
        &format!(".{}.svc", owner.namespace),
        &format!(".{}.svc.cluster.local", owner.namespace),
    ]
    .map(str::to_owned);
    hosts.flat_map(|host| suffixes.clone().map(|suffix| format!("{host}{suffix}"))).collect()
}

impl NewCertificate {
    /// The Secret that the servers mount, from random bytes; `None` where they make no key.
    #[must_use]
    pub fn secret(&self, settings: &Settings, random: &[u8]) -> Option<Secret> {
        let issued = issue::certificate(&names(settings), &self.authority, self.authority_ends, random, self.now)?;
        let pair = Pair::parse(issued.certificate.as_bytes(), issued.key.reveal().as_bytes()).ok()?;
        // Whatever else is there stays: a server may start with it before this one is brought to it.
        let data = mounted::data(&pair, self.authorities.pem());
        Some(tls_secret(settings, name::redis_tls(&settings.owner.name), self.replaces.as_ref(), data))
    }
}
