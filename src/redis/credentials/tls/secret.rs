//! Secrets with a certificate, as they are to be, and the texts in them.
//!
//! In: what stands there, and what is to be in it. Out: Secrets, and what gives one its data. It draws nothing, and knows no
//! certificate.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::{ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};

use crate::{
    kubernetes::write::{Write, subset},
    redis::{live::Live, server::objects::COMPONENT, settings::Settings},
};

/// The type of a Secret with a certificate and its key.
pub const SECRET_TYPE: &str = "kubernetes.io/tls";

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

pub(super) fn data<const N: usize>(entries: [(&str, &str); N]) -> BTreeMap<String, ByteString> {
    entries.into_iter().map(|(key, value)| (key.to_owned(), ByteString(value.as_bytes().to_vec()))).collect()
}

/// A Secret's data with another value for one key.
pub(super) fn with(secret: &Secret, key: &str, value: &[u8]) -> BTreeMap<String, ByteString> {
    let mut data = secret.data.clone().unwrap_or_default();
    data.insert(key.to_owned(), ByteString(value.to_vec()));
    data
}

pub(super) fn text(secret: &Secret, key: &str) -> Option<String> {
    secret.data.as_ref()?.get(key).and_then(|value| String::from_utf8(value.0.clone()).ok())
}

pub(super) fn time(secret: &Secret, key: &str) -> Option<Timestamp> {
    text(secret, key)?.parse().ok()
}
