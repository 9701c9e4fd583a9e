//! The Secrets that hold the ring.
//!
//! In: the owner, and files. Out: objects, the same bytes for the same input. It reads nothing.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::{ByteString, api::core::v1::Secret};

use super::{
    certificate::Thumbprint,
    key::write::File,
    ring::{
        certificates::{self, KeptCertificates},
        published::Published,
    },
};
use crate::kubernetes::{identity::Owner, name};

/// The component's name, in labels.
pub const COMPONENT: &str = "data-protection";
/// What the API server makes of a Secret for which no type is asked.
pub const SECRET_TYPE: &str = "Opaque";

/// The Secret of one key, or of one revocation: immutable, and without an owner, so that it outlives the cache. `None` for a
/// file of another name.
#[must_use]
pub fn file_secret(owner: &Owner, file: &File) -> Option<Secret> {
    // The time in the name of a revocation by date has capital letters, which no object may have.
    let stem = file.name.strip_suffix(".xml")?.to_ascii_lowercase();
    let metadata = owner.lasting_metadata(name::ring_file(&owner.name, &stem), COMPONENT);
    let data = BTreeMap::from([(file.name.clone(), ByteString(file.content.to_vec()))]);
    Some(Secret { metadata, immutable: Some(true), data: Some(data), ..Secret::default() })
}

/// The Secret that applications mount, whole.
#[must_use]
pub fn ring_secret(owner: &Owner, published: &Published) -> Secret {
    let data = published.files().iter().map(|(name, content)| (name.clone(), ByteString(content.to_vec())));
    Secret {
        metadata: owner.metadata(name::keys(&owner.name), COMPONENT),
        data: Some(data.collect()),
        ..Secret::default()
    }
}

/// The Secret with the certificates that keys are encrypted to, for applications to mount, whole. Without an owner: while a
/// key needs one, it is nowhere else once the user's own Secret was renewed. It says since when each is published.
#[must_use]
pub fn certificates_secret(
    owner: &Owner,
    kept: &KeptCertificates,
    published: &BTreeMap<Thumbprint, Timestamp>,
) -> Secret {
    let since = published.iter().map(|(of, time)| (certificates::published_annotation(*of), time.to_string()));
    let mut metadata = owner.lasting_metadata(name::key_certificates(&owner.name), COMPONENT);
    metadata.annotations.get_or_insert_default().extend(since);
    let data = certificates::files(&kept.pairs).into_iter().map(|(name, content)| (name, ByteString(content.to_vec())));
    Secret { metadata, data: Some(data.collect()), ..Secret::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_protection::key::{
        KeyDates,
        revocation::{Revocation, Revoked},
    };

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn owner() -> Owner {
        Owner {
            api_version: "tokencache.dev/v1alpha1".to_owned(),
            kind: "TokenCache".to_owned(),
            namespace: "web".to_owned(),
            name: "shop".to_owned(),
            uid: "1".to_owned(),
        }
    }

    #[test]
    fn a_key_has_an_immutable_secret_that_outlives_the_cache() {
        let key = KeyDates { created: NOW, activates: NOW, expires: NOW }.make(None, &[1; 128]).unwrap();
        let file = key.file().unwrap();
        let secret = file_secret(&owner(), &file).unwrap();
        assert_eq!(secret.metadata.name, Some(format!("shop-key-{}", key.id)));
        assert_eq!((secret.metadata.owner_references, secret.immutable), (None, Some(true)));
        assert_eq!(secret.data.unwrap()[&file.name].0, file.content.to_vec());
        let revocation = Revocation::of(key.id, NOW, "leaked").file();
        let name = file_secret(&owner(), &revocation).unwrap().metadata.name;
        assert_eq!(name, Some(format!("shop-revocation-{}", key.id)));
        let by_date = Revocation { revoked: Revoked::AllCreatedBefore, date: NOW, reason: String::new() }.file();
        let secret = file_secret(&owner(), &by_date).unwrap();
        assert_eq!(secret.metadata.name.as_deref(), Some("shop-revocation-19700101t000000z"));
        assert!(secret.data.unwrap().contains_key("revocation-19700101T000000Z.xml"));
    }

    #[test]
    fn the_published_ring_holds_every_file_and_belongs_to_the_cache() {
        let key = KeyDates { created: NOW, activates: NOW, expires: NOW }.make(None, &[1; 128]).unwrap();
        let file = key.file().unwrap();
        let secret = ring_secret(&owner(), &Published::of([("", file.content.as_slice())], []));
        assert_eq!(secret.metadata.name.as_deref(), Some("shop-keys"));
        assert_eq!(secret.data.unwrap().into_keys().collect::<Vec<_>>(), [file.name]);
        assert!(secret.metadata.owner_references.is_some());
    }
}
