//! Reading Secrets: watched by metadata and label only, fetched by name, and fetched again only when their
//! resourceVersion moved.
//!
//! In: a namespace and a name. Out: the Secret, or that there is none. It never lists Secrets with their content, but for those
//! that the operator made, once at its start.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{
    Api, Client, ResourceExt,
    api::ListParams,
    core::{PartialObjectMeta, PartialObjectMetaExt},
};

use super::{
    cache::Cache,
    named::Sight,
    packed::{Folding, Packed, Version, parts, place},
};
use crate::kubernetes::identity::{
    labels::{MANAGED_SELECTOR, UNLABELLED_SELECTOR, is_managed, is_of_earlier_version},
    managed_fields,
};

/// Where passes read Secrets.
pub struct SecretReader {
    client: Client,
    metadata: [Cache<PartialObjectMeta<Secret>>; 2],
    fetched: Mutex<Packed<Secret>>,
    unlabelled: tokio::sync::Mutex<HashMap<String, Listed>>,
}

/// The names of a list, and when it was made.
type Listed = (Timestamp, Arc<Vec<String>>);

/// How long a list serves others who ask for the same.
const SHARED: SignedDuration = SignedDuration::from_secs(1);

/// What a Secret has in common with others, and nothing that may be secret: annotations may hold it all again.
fn example(secret: &Secret) -> Secret {
    let ObjectMeta { labels, owner_references, managed_fields, .. } = secret.metadata.clone();
    let metadata = ObjectMeta { labels, owner_references, managed_fields, ..ObjectMeta::default() };
    Secret { metadata, type_: secret.type_.clone(), ..Secret::default() }
}

/// With what is text as text: in base64, most of a Secret would be a third longer, and nothing in it like anything else.
fn fold(secret: &Secret) -> Option<Secret> {
    let (mut data, mut texts) = (BTreeMap::new(), BTreeMap::new());
    for (key, value) in secret.data.iter().flatten() {
        match std::str::from_utf8(&value.0) {
            Ok(text) => drop(texts.insert(key.clone(), text.to_owned())),
            Err(_) => drop(data.insert(key.clone(), value.clone())),
        }
    }
    let Secret { metadata, immutable, type_, .. } = secret;
    // What the API server answers has no text.
    (secret.string_data.is_none() && !texts.is_empty()).then(|| Secret {
        metadata: metadata.clone(),
        immutable: *immutable,
        type_: type_.clone(),
        data: Some(data),
        string_data: Some(texts),
    })
}

fn unfold(mut secret: Secret) -> Secret {
    if let Some(texts) = secret.string_data.take() {
        let texts = texts.into_iter().map(|(key, text)| (key, ByteString(text.into_bytes())));
        secret.data.get_or_insert_default().extend(texts);
    }
    secret
}

impl SecretReader {
    /// A reader that trusts `metadata` to tell which Secrets changed: of either watch, of which a Secret is in one at most.
    #[must_use]
    pub fn new(client: Client, metadata: [Cache<PartialObjectMeta<Secret>>; 2]) -> Self {
        Self {
            client,
            metadata,
            fetched: Mutex::new(Packed::folding(Folding { example, fold, unfold })),
            unlabelled: tokio::sync::Mutex::default(),
        }
    }

    /// The Secret of this name that a watch shows, or that was written or found since; `None` where there is none. One that is
    /// somebody else's, and is not known yet, is not asked for.
    ///
    /// # Errors
    /// What the API server or the way to it answered.
    pub async fn read(&self, namespace: &str, name: &str) -> Result<Option<Arc<Secret>>, kube::Error> {
        let Some(version) = self.version(namespace, name) else { return Ok(None) };
        self.read_at(namespace, name, version).await
    }

    /// The Secret of this name, of which another watch shows this.
    ///
    /// # Errors
    /// What the API server or the way to it answered.
    pub async fn read_seen(
        &self,
        namespace: &str,
        name: &str,
        seen: Sight,
    ) -> Result<Option<Arc<Secret>>, kube::Error> {
        match seen {
            Sight::Absent => Ok(None),
            Sight::Version(version) => self.read_at(namespace, name, Version::parse(&version)).await,
            Sight::Unknown => self.ask(namespace, name).await,
        }
    }

    /// Reads the Secrets that the operator made, by pages of this size, so that its first passes need not ask for each of them. What
    /// it does not get is asked for by name.
    ///
    /// # Errors
    /// What the API server or the way to it answered.
    pub async fn read_made(&self, api: &Api<Secret>, page: u32) -> Result<(), kube::Error> {
        let mut wanted = ListParams::default().labels(MANAGED_SELECTOR).limit(page);
        loop {
            let list = api.list(&wanted).await?;
            for mut secret in list.items {
                managed_fields::slim_secret(&mut secret.metadata);
                let place = place(secret.metadata.namespace.as_deref().unwrap_or_default(), &secret.name_any());
                self.fetched().insert(place, &Arc::new(secret));
            }
            match list.metadata.continue_ {
                Some(token) if !token.is_empty() => wanted.continue_token = Some(token),
                Some(_) | None => return Ok(()),
            }
        }
    }

    async fn read_at(&self, namespace: &str, name: &str, version: Version) -> Result<Option<Arc<Secret>>, kube::Error> {
        let known = {
            let (fetched, place) = (self.fetched(), place(namespace, name));
            let is_known = version.is_known() && fetched.version(&place) == Some(version);
            is_known.then(|| fetched.get(&place)).flatten()
        };
        match known {
            Some(known) => Ok(Some(known)),
            None => self.ask(namespace, name).await,
        }
    }

    /// The Secret of this name as it is at this moment, whoever owns it; `None` where there is none.
    ///
    /// # Errors
    /// What the API server or the way to it answered.
    pub async fn ask(&self, namespace: &str, name: &str) -> Result<Option<Arc<Secret>>, kube::Error> {
        let mut live = Api::<Secret>::namespaced(self.client.clone(), namespace).get_opt(name).await?;
        if let Some(secret) = &mut live {
            managed_fields::slim_secret(&mut secret.metadata);
        }
        let live = live.map(Arc::new);
        let (mut fetched, place) = (self.fetched(), place(namespace, name));
        match &live {
            Some(secret) => fetched.insert_used(place, secret),
            None => drop(fetched.remove(&place)),
        }
        Ok(live)
    }

    /// Takes note of a Secret as the API server has stored it, or as it was found where no watch shows one.
    pub fn absorb(&self, mut secret: Secret) {
        managed_fields::slim_secret(&mut secret.metadata);
        let mut metadata = secret.metadata.clone();
        managed_fields::slim(&mut metadata);
        let [current, earlier] = &self.metadata;
        let is_earlier = is_of_earlier_version(&metadata);
        let (watch, is_watched) = if is_earlier { (earlier, true) } else { (current, is_managed(&metadata)) };
        watch.absorb(Arc::new(metadata.into_response_partial()), is_watched);
        let place = place(secret.metadata.namespace.as_deref().unwrap_or_default(), &secret.name_any());
        self.fetched().insert_used(place, &Arc::new(secret));
    }

    /// The Secret of this name as it was read last, if a watch shows it.
    #[must_use]
    pub fn last(&self, namespace: &str, name: &str) -> Option<Arc<Secret>> {
        self.version(namespace, name)?;
        self.fetched().get(&place(namespace, name))
    }

    /// Takes note of a deletion.
    pub fn absorb_deletion(&self, secret: &ObjectMeta) {
        for metadata in &self.metadata {
            metadata.absorb_deletion(secret);
        }
        let (namespace, name) = (secret.namespace.as_deref(), secret.name.as_deref());
        self.fetched().remove(&place(namespace.unwrap_or_default(), name.unwrap_or_default()));
    }

    /// Nobody uses the Secrets of this instance for now.
    pub fn rest(&self, namespace: &str, instance: &str) {
        for watched in &self.metadata {
            let names = watched.names(namespace, instance);
            watched.rest(namespace, instance);
            let fetched = self.fetched();
            for name in names {
                fetched.rest(&place(namespace, &name));
            }
        }
    }

    /// Forgets what was fetched of a namespace and these names.
    pub fn forget(&self, namespace: &str, names: &[String]) {
        let mut fetched = self.fetched();
        for name in names {
            fetched.remove(&place(namespace, name));
        }
    }

    /// Forgets what was fetched of a namespace and of the names of which this holds.
    pub fn forget_where(&self, namespace: &str, is_forgotten: impl Fn(&str) -> bool) {
        self.fetched().retain(|place| {
            let (kept_namespace, name) = parts(place);
            kept_namespace != namespace || !is_forgotten(name)
        });
    }

    /// The names of a namespace under which Secrets were found that no watch shows.
    #[must_use]
    pub fn unwatched(&self, namespace: &str) -> Vec<String> {
        self.metadata.iter().flat_map(|watched| watched.unwatched(namespace)).collect()
    }

    /// Forgets what was written under this name, or found there.
    pub fn forget_written(&self, namespace: &str, name: &str) {
        for watched in &self.metadata {
            watched.forget(namespace, name);
        }
    }

    /// Whether a watch shows a Secret of this name.
    #[must_use]
    pub fn is_watched(&self, namespace: &str, name: &str) -> bool {
        self.version(namespace, name).is_some()
    }

    fn version(&self, namespace: &str, name: &str) -> Option<Version> {
        self.metadata.iter().find_map(|watched| watched.version(namespace, name))
    }

    fn fetched(&self) -> MutexGuard<'_, Packed<Secret>> {
        self.fetched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The metadata of the Secrets of an instance, as it was watched.
    #[must_use]
    pub fn watched(&self, namespace: &str, instance: &str) -> Vec<Arc<PartialObjectMeta<Secret>>> {
        self.metadata.iter().flat_map(|watched| watched.of_instance(namespace, instance)).collect()
    }

    /// The names of the Secrets of a namespace that have no label of an owner. Of those who ask within a second the first one
    /// lists them.
    ///
    /// # Errors
    /// What the API server or the way to it answered.
    pub async fn unlabelled(&self, namespace: &str, now: Timestamp) -> Result<Arc<Vec<String>>, kube::Error> {
        let mut listed = self.unlabelled.lock().await;
        listed.retain(|_, (at, _)| now.duration_since(*at).abs() < SHARED);
        if let Some((_, names)) = listed.get(namespace) {
            return Ok(Arc::clone(names));
        }
        let names = Arc::new(self.labelled(namespace, UNLABELLED_SELECTOR).await?);
        listed.insert(namespace.to_owned(), (now, Arc::clone(&names)));
        Ok(names)
    }

    /// The names of the Secrets of a namespace with these labels, as they are at this moment.
    ///
    /// # Errors
    /// What the API server or the way to it answered.
    pub async fn labelled(&self, namespace: &str, selector: &str) -> Result<Vec<String>, kube::Error> {
        let api = Api::<Secret>::namespaced(self.client.clone(), namespace);
        let list = api.list_metadata(&ListParams::default().labels(selector)).await?;
        Ok(list.items.into_iter().filter_map(|secret| secret.metadata.name).collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_secret_is_kept_with_its_text_as_text_and_is_there_again_as_it_was() {
        let secret = |data: serde_json::Value| -> Secret {
            serde_json::from_value(json!({"metadata": {"name": "a"}, "type": "Opaque", "data": data})).unwrap()
        };
        let kept = |secret: &Secret| {
            let mut packed = Packed::folding(Folding { example, fold, unfold });
            packed.insert(place("web", "a"), &Arc::new(secret.clone()));
            Arc::unwrap_or_clone(packed.get("web/a").unwrap())
        };
        for data in [json!(null), json!({}), json!({"a": ""}), json!({"a": "YQ==", "b": "/w=="}), json!({"b": "/w=="})]
        {
            let secret = secret(data);
            assert_eq!(kept(&secret), secret);
        }
        let folded = fold(&secret(json!({"a": "YQ==", "b": "/w=="}))).unwrap();
        assert_eq!(folded.string_data.unwrap(), BTreeMap::from([("a".to_owned(), "a".to_owned())]));
        assert_eq!(folded.data.unwrap().into_keys().collect::<Vec<_>>(), ["b"]);
    }
}
