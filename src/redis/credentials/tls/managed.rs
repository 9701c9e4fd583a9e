//! The operator's own authority and the servers' certificate.
//!
//! In: both Secrets and the binding, as observed, and the time. Out: what is known, and what is to be made or published.
//! Every step is one write of one Secret, and the next step follows from what was read back, so that the operator may end
//! between any two of them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::{ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};

use super::{CertificateState, Identity, Tls, bytes, mounted};
use crate::{
    kubernetes::{
        name,
        write::{Write, subset},
    },
    redis::{
        credentials::mint::NewSecret,
        live::Live,
        server::objects::{COMPONENT, REPLICAS},
        settings::Settings,
        tls::{
            AUTHORITIES_KEY, CERTIFICATE_KEY, PRIVATE_KEY,
            certificate::{Authorities, Certificate, Pair, PairError, PrivateKey},
            issue::{self, Issued},
            schedule::{self, Input},
            verified::Verified,
        },
    },
};

/// The key with the authority before the current one, which clients go on trusting until it expires.
const PREVIOUS_CERTIFICATE_KEY: &str = "previous.crt";
/// The key with its private key, which signs until clients know the current one.
const PREVIOUS_PRIVATE_KEY: &str = "previous.key";
/// The key with the time at which the current authority was seen in every bundle.
const PUBLISHED_KEY: &str = "published";

/// The type of a Secret with a certificate and its key.
pub const SECRET_TYPE: &str = "kubernetes.io/tls";

/// An authority that is to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct NewAuthority {
    replaces: Option<ObjectMeta>,
    previous: Option<Previous>,
    now: Timestamp,
}

/// The authority before the current one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Previous {
    certificate: Certificate,
    pem: String,
    key: Option<PrivateKey>,
}

/// A server's certificate that is to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct NewCertificate {
    replaces: Option<ObjectMeta>,
    authority: Issued,
    authority_ends: Timestamp,
    authorities: Authorities,
    now: Timestamp,
}

/// The current authority.
struct Current {
    certificate: Certificate,
    issued: Issued,
}

pub(super) fn read(settings: &Settings, observed: &Live, now: Timestamp) -> Tls {
    let live_authority = observed.certificate_authority.ours();
    let live_certificate = observed.server_certificate.ours();
    let verified = observed.verified.as_ref();
    let there = There::read(live_certificate.map(AsRef::as_ref), verified);
    let host = settings.host();
    let bundle = |secret: &Secret| verified.authorities(bytes(secret, AUTHORITIES_KEY));
    let mounted = live_certificate.and_then(|secret| bundle(secret));
    let published = observed.connection.ours().and_then(|secret| bundle(secret));
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

impl Current {
    fn signer(&self) -> (Issued, Timestamp) {
        (self.issued.clone(), self.certificate.not_after)
    }
}

impl Previous {
    fn signer(&self) -> Option<(Issued, Timestamp)> {
        let key = self.key.clone()?;
        Some((Issued { certificate: self.pem.clone(), key }, self.certificate.not_after))
    }
}

/// The authority, if it can sign.
fn current(secret: &Secret, read: Result<Pair, PairError>, now: Timestamp) -> Option<Current> {
    let certificate = read.ok()?.leaf;
    (certificate.is_authority && now < certificate.not_after).then_some(())?;
    let (pem, key) = (text(secret, CERTIFICATE_KEY)?, text(secret, PRIVATE_KEY)?);
    Some(Current { certificate, issued: Issued { certificate: pem, key: PrivateKey::new(key) } })
}

fn previous(secret: &Secret) -> Option<Previous> {
    let pem = text(secret, PREVIOUS_CERTIFICATE_KEY)?;
    let key = text(secret, PREVIOUS_PRIVATE_KEY)?;
    let (certificate, key) = match Pair::parse(pem.as_bytes(), key.as_bytes()) {
        Ok(pair) => (pair.leaf, Some(PrivateKey::new(key))),
        Err(_) => (Authorities::parse(pem.as_bytes())?.first().clone(), None),
    };
    Some(Previous { certificate, pem, key })
}

/// The authority that signed what is served, where its own Secret is lost: clients know it still.
fn lost(served: Option<&Result<Pair, PairError>>, bundles: [&Option<Authorities>; 2]) -> Option<Previous> {
    let leaf = served.and_then(|pair| pair.as_ref().ok()).map(|pair| &pair.leaf);
    let of_leaf = |bundle: &Authorities| leaf.and_then(|leaf| bundle.issuer(leaf).cloned());
    let mut bundles = bundles.into_iter().flatten();
    let certificate =
        bundles.find_map(|bundle| if leaf.is_some() { of_leaf(bundle) } else { Some(bundle.first().clone()) })?;
    Some(Previous { pem: certificate.pem(), certificate, key: None })
}

/// Whom clients trust: the current authority, and the one before it.
fn trusted(current: &Current, previous: Option<&Previous>, verified: &Verified) -> Option<Authorities> {
    let texts = std::iter::once(&current.issued.certificate).chain(previous.map(|previous| &previous.pem));
    let bundle: String = texts.map(|pem| pem.trim_end().to_owned() + "\n").collect();
    verified.authorities(bundle.as_bytes())
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

impl NewAuthority {
    /// The Secret that nothing mounts, from random bytes; `None` where they make no key.
    #[must_use]
    pub fn secret(&self, settings: &Settings, random: &[u8]) -> Option<Secret> {
        let issued = issue::authority(&name::redis(&settings.owner.name), random, self.now)?;
        let mut data = data([(CERTIFICATE_KEY, &issued.certificate), (PRIVATE_KEY, issued.key.reveal())]);
        if let Some(previous) = &self.previous {
            let key = previous.key.as_ref().map_or("", PrivateKey::reveal);
            data.extend(self::data([(PREVIOUS_CERTIFICATE_KEY, &previous.pem), (PREVIOUS_PRIVATE_KEY, key)]));
        } else if self.replaces.is_some() {
            data.extend(self::data([(PREVIOUS_CERTIFICATE_KEY, ""), (PREVIOUS_PRIVATE_KEY, "")]));
        }
        if self.replaces.is_some() {
            // What was noted of the one before does not hold of this one.
            data.extend(self::data([(PUBLISHED_KEY, "")]));
        }
        Some(tls_secret(settings, name::redis_ca(&settings.owner.name), self.replaces.as_ref(), data))
    }
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

pub(super) fn tls_secret(
    settings: &Settings,
    name: String,
    replaces: Option<&ObjectMeta>,
    data: BTreeMap<String, ByteString>,
) -> Secret {
    let mut metadata = settings.owner.metadata(name, COMPONENT);
    // A type cannot change.
    let mut type_ = Some(SECRET_TYPE.to_owned());
    if let Some(live) = replaces {
        metadata.uid.clone_from(&live.uid);
        metadata.resource_version.clone_from(&live.resource_version);
        type_ = type_.filter(|_| live.resource_version.is_none());
    }
    Secret { metadata, type_, data: Some(data), ..Secret::default() }
}

/// What gives a Secret this data and the operator's labels, with nothing drawn, and takes the surplus out of it; `None` where it is
/// so. At the version that was read: private keys are in it, and those that were made meanwhile are not overwritten.
pub(super) fn changed(
    settings: &Settings,
    observed: &Live,
    name: String,
    live: &Secret,
    data: BTreeMap<String, ByteString>,
    surplus: Vec<String>,
) -> Option<Write> {
    let mut secret = tls_secret(settings, name, None, data);
    secret.metadata.uid.clone_from(&live.metadata.uid);
    let is_so = observed.settled.holds(&live.metadata, &secret, || subset::holds(live, &secret));
    match (is_so, surplus.is_empty()) {
        (true, true) => None,
        (true, false) => {
            let ObjectMeta { name, namespace, uid, .. } = live.metadata.clone();
            let metadata = ObjectMeta { name, namespace, uid, ..ObjectMeta::default() };
            Some(Write::Amend { secret: Secret { metadata, ..Secret::default() }, without: surplus })
        }
        (false, is_whole) => {
            secret.metadata.resource_version.clone_from(&live.metadata.resource_version);
            Some(if is_whole { Write::Apply(secret.into()) } else { Write::Amend { secret, without: surplus } })
        }
    }
}

fn data<const N: usize>(entries: [(&str, &str); N]) -> BTreeMap<String, ByteString> {
    entries.into_iter().map(|(key, value)| (key.to_owned(), ByteString(value.as_bytes().to_vec()))).collect()
}

/// A Secret's data with another value for one key.
fn with(secret: &Secret, key: &str, value: &[u8]) -> BTreeMap<String, ByteString> {
    let mut data = secret.data.clone().unwrap_or_default();
    data.insert(key.to_owned(), ByteString(value.to_vec()));
    data
}

fn text(secret: &Secret, key: &str) -> Option<String> {
    secret.data.as_ref()?.get(key).and_then(|value| String::from_utf8(value.0.clone()).ok())
}

fn time(secret: &Secret, key: &str) -> Option<Timestamp> {
    text(secret, key)?.parse().ok()
}
