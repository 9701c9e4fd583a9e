//! Reading Secrets: watched by metadata and label only, fetched by name, and fetched again only when their
//! resourceVersion moved.
//!
//! In: a namespace and a name. Out: the Secret, or that there is none. It never lists Secrets with their content.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client, ResourceExt, api::ListParams, core::PartialObjectMeta};

use super::{cache::Cache, read::named::Sight};

/// Where passes read Secrets.
pub struct SecretReader {
    client: Client,
    metadata: [Cache<PartialObjectMeta<Secret>>; 2],
    fetched: Mutex<HashMap<(String, String), Arc<Secret>>>,
}

impl SecretReader {
    /// A reader that trusts `metadata` to tell which Secrets changed: of either watch, of which a Secret is in one at most.
    #[must_use]
    pub fn new(client: Client, metadata: [Cache<PartialObjectMeta<Secret>>; 2]) -> Self {
        Self { client, metadata, fetched: Mutex::default() }
    }

    /// The Secret of this name, whoever owns it; `None` where there is none.
    ///
    /// # Errors
    /// What the API server or the way to it answered.
    pub async fn read(&self, namespace: &str, name: &str) -> Result<Option<Arc<Secret>>, kube::Error> {
        let watched = self.metadata(namespace, name).and_then(|metadata| metadata.resource_version());
        self.read_at(namespace, name, watched).await
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
            Sight::Version(version) => self.read_at(namespace, name, Some(version)).await,
            Sight::Unknown => self.read_at(namespace, name, None).await,
        }
    }

    async fn read_at(
        &self,
        namespace: &str,
        name: &str,
        watched: Option<String>,
    ) -> Result<Option<Arc<Secret>>, kube::Error> {
        let key = (namespace.to_owned(), name.to_owned());
        let fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(fetched) = fetched.filter(|fetched| watched.is_some() && fetched.resource_version() == watched) {
            return Ok(Some(fetched));
        }
        let live = Api::<Secret>::namespaced(self.client.clone(), namespace).get_opt(name).await?.map(Arc::new);
        let mut cache = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
        match &live {
            Some(secret) => cache.insert(key, Arc::clone(secret)),
            None => cache.remove(&key),
        };
        Ok(live)
    }

    /// Forgets what was fetched of a namespace and these names.
    pub fn forget(&self, namespace: &str, names: &[String]) {
        self.forget_where(namespace, |name| names.iter().any(|forgotten| forgotten == name));
    }

    /// Forgets what was fetched of a namespace and of the names of which this holds.
    pub fn forget_where(&self, namespace: &str, is_forgotten: impl Fn(&str) -> bool) {
        let mut cache = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
        cache.retain(|(kept_namespace, name), _| kept_namespace != namespace || !is_forgotten(name));
    }

    /// Whether a watch shows a Secret of this name.
    #[must_use]
    pub fn is_watched(&self, namespace: &str, name: &str) -> bool {
        self.metadata(namespace, name).is_some()
    }

    fn metadata(&self, namespace: &str, name: &str) -> Option<Arc<PartialObjectMeta<Secret>>> {
        self.metadata.iter().find_map(|watched| watched.get(namespace, name))
    }

    /// The metadata of the Secrets of an instance, as it was watched.
    #[must_use]
    pub fn watched(&self, namespace: &str, instance: &str) -> Vec<Arc<PartialObjectMeta<Secret>>> {
        self.metadata.iter().flat_map(|watched| watched.of_instance(namespace, instance)).collect()
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
