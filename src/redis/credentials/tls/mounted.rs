//! The Secret that servers mount: which pairs stand in it, and which file a server is to name.
//!
//! Redis loads whatever a file holds that it is told to load, and whatever its configuration names when it starts. So each pair
//! stands in a file of its own that is named after the fingerprint of its certificate, holds the private key too, and counts
//! only where its content agrees with its name: somebody who overwrites `tls.crt` changes nothing that a server ever reads. The
//! names `tls.crt` and `tls.key` stay, since Secrets of type `kubernetes.io/tls` must have them, and for servers that were
//! started before there were others.
//!
//! ```text
//! a pair   in the Secret ──▶ kubelet brings it ──▶ CONFIG SET names it ──▶ redis.conf names it ──▶ the one before may go
//! ```
//!
//! In: the Secret, the pod, redis.conf and the latest look, as observed. Out: names and data. No server has its file taken away
//! that it would start with.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::{
    ByteString,
    api::core::v1::{Pod, Secret},
};

use super::{Tls, bytes};
use crate::{
    kubernetes::{identity::FIELD_MANAGER, name},
    redis::{
        live::Live,
        server::{
            config::{self, Place, file, named_after},
            pod,
        },
        settings::Settings,
        tls::{
            AUTHORITIES_KEY, CERTIFICATE_KEY, PRIVATE_KEY,
            certificate::{Fingerprint, Pair, PairError},
            verified::Verified,
        },
    },
};

/// What a Secret holds of a pair: in its own file, and under the names that every such Secret has.
#[must_use]
pub fn data(pair: &Pair, authorities: &str) -> BTreeMap<String, ByteString> {
    let certificates = pair.certificates_pem();
    let together = [certificates.as_str(), pair.key.reveal()].concat();
    let data = [
        (file(&pair.leaf.fingerprint()), together.as_str()),
        (CERTIFICATE_KEY.to_owned(), certificates.as_str()),
        (PRIVATE_KEY.to_owned(), pair.key.reveal()),
        (AUTHORITIES_KEY.to_owned(), authorities),
    ];
    data.into_iter().map(|(name, text)| (name, ByteString(text.as_bytes().to_vec()))).collect()
}

/// The pair that stands under the names that every such Secret has.
pub(super) fn unnamed(secret: &Secret, verified: &Verified) -> Result<Pair, PairError> {
    verified.pair(bytes(secret, CERTIFICATE_KEY), bytes(secret, PRIVATE_KEY))
}

/// The pairs in files that are named after them.
pub(super) fn named(secret: &Secret, verified: &Verified) -> Vec<Pair> {
    let files = secret.data.iter().flatten();
    let pairs = files.filter_map(|(name, content)| {
        let fingerprint = named_after(name)?;
        let pair = verified.pair(&content.0, &content.0).ok()?;
        (pair.leaf.fingerprint() == fingerprint).then_some(pair)
    });
    pairs.collect()
}

/// Files of pairs that need not stay beside the pair that is wanted: a server that starts reads that one, or the one that
/// redis.conf names, or has read one that was named until a moment ago.
pub(super) fn surplus(observed: &Live, secret: &Secret, wanted: &Pair, now: Timestamp) -> Vec<String> {
    let wanted = wanted.leaf.fingerprint();
    let mut before: Vec<Pair> = named(secret, &observed.verified);
    before.retain(|pair| pair.leaf.fingerprint() != wanted && now < pair.leaf.not_after);
    let before = before.iter().max_by_key(|pair| pair.leaf.not_before).map(|pair| file(&pair.leaf.fingerprint()));
    let in_use = match in_configuration(observed) {
        Some(Place::Named(fingerprint)) => Some(file(&fingerprint)),
        Some(Place::Unnamed) | None => None,
    };
    let kept: BTreeSet<String> = [Some(file(&wanted)), before, in_use].into_iter().flatten().collect();
    let files = secret.data.iter().flatten().map(|(name, _)| name);
    files.filter(|name| named_after(name).is_some() && !kept.contains(*name)).cloned().collect()
}

/// When the operator wrote to a Secret last.
pub(super) fn written(secret: &Secret) -> Option<Timestamp> {
    let ours = secret.metadata.managed_fields.iter().flatten();
    let ours = ours.filter(|entry| entry.manager.as_deref() == Some(FIELD_MANAGER));
    ours.filter_map(|entry| entry.time.as_ref()).map(|time| time.0).max()
}

/// The place that redis.conf names now.
fn in_configuration(observed: &Live) -> Option<Place> {
    let text = observed.config_map.owned()?.data.as_ref()?.get(config::FILE)?;
    config::place(text)
}

/// The place of a certificate for a server that runs.
#[must_use]
pub fn place(settings: &Settings, observed: &Live, certificate: &Fingerprint) -> Place {
    if observed.pods.first().is_none_or(|pod| mounts_named_files(settings, pod)) {
        Place::Named(certificate.clone())
    } else {
        Place::Unnamed
    }
}

/// Whether a pod mounts the operator's Secret. Pods that earlier versions made mount the user's own, where the user provides
/// the certificate.
pub(super) fn mounts_named_files(settings: &Settings, pod: &Pod) -> bool {
    pod::certificate_secret(pod).is_none_or(|secret| secret == name::redis_tls(&settings.owner.name))
}

/// The place that redis.conf is to name for the next start: that of the wanted certificate, once the server has loaded it from
/// there, and so its pod is known to have it. Until then the one that it names, as long as that is there.
#[must_use]
pub fn at_start(settings: &Settings, observed: &Live, tls: &Tls) -> Place {
    let live = in_configuration(observed);
    let Some(certificate) = tls.identity().map(|identity| &identity.certificate) else {
        return live.unwrap_or(Place::Unnamed);
    };
    let wanted = Place::Named(certificate.clone());
    let Some(pod) = observed.pods.first() else { return wanted };
    if !mounts_named_files(settings, pod) {
        return Place::Unnamed;
    }
    if is_loaded(observed, pod, certificate) {
        return wanted;
    }
    let is_there = |place: &Place| match place {
        Place::Named(fingerprint) => {
            let pairs =
                observed.server_certificate.owned().map(|secret| named(secret, &observed.verified)).unwrap_or_default();
            pairs.iter().any(|pair| pair.leaf.fingerprint() == *fingerprint)
        }
        Place::Unnamed => true,
    };
    live.filter(is_there).unwrap_or(wanted)
}

/// Whether the server in a pod was seen to have loaded a certificate from the file that is named after it.
fn is_loaded(observed: &Live, pod: &Pod, certificate: &Fingerprint) -> bool {
    observed.samples.iter().filter(|sample| Some(&sample.server.uid) == pod.metadata.uid.as_ref()).any(|sample| {
        let served = sample.outcome.as_ref().ok().and_then(|answer| answer.certificate.as_ref());
        served.is_some_and(|served| served.fingerprint == *certificate && served.is_named)
    })
}
