//! Secrets that users provide and a `TokenCache` names: each is watched by its name, so that a renewed one is seen at once.
//!
//! In: which `TokenCache` names which Secret. Out: a nudge for the controller when one of them is made, changed or deleted.
//! Only metadata comes with it, and only that of the named Secret: others of the user's are none of the operator's business.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use futures::StreamExt;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    core::PartialObjectMeta,
    runtime::{WatchStreamExt, watcher},
};
use tokio::{sync::mpsc, task::AbortHandle};

use super::Key;

/// The Secrets that are watched by name.
pub struct NamedSecrets {
    client: Client,
    news: mpsc::UnboundedSender<Key>,
    followed: Mutex<HashMap<Key, HashMap<String, Followed>>>,
}

/// The watch of a Secret that a `TokenCache` names.
struct Followed(AbortHandle);

impl Drop for Followed {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl NamedSecrets {
    /// Watches nothing yet. With the stream of the `TokenCache`s whose Secret changed.
    #[must_use]
    pub fn new(client: Client) -> (Self, mpsc::UnboundedReceiver<Key>) {
        let (news, heard) = mpsc::unbounded_channel();
        (Self { client, news, followed: Mutex::default() }, heard)
    }

    /// Watches these Secrets for a `TokenCache` from now on, and no others. Returns the names of those that it watched before
    /// and does not any more.
    pub fn follow(&self, key: &Key, secrets: &[&str]) -> Vec<String> {
        let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        let mut before = followed.remove(key).unwrap_or_default();
        before.retain(|_, watch| !watch.0.is_finished());
        let mut now = HashMap::new();
        for &secret in secrets {
            let watched = before.remove_entry(secret).or_else(|| now.remove_entry(secret));
            let begin = || {
                let task = tokio::spawn(watch(self.client.clone(), key.clone(), secret.to_owned(), self.news.clone()));
                (secret.to_owned(), Followed(task.abort_handle()))
            };
            now.extend([watched.unwrap_or_else(begin)]);
        }
        if !now.is_empty() {
            followed.insert(key.clone(), now);
        }
        before.into_keys().collect()
    }
}

async fn watch(client: Client, key: Key, secret: String, news: mpsc::UnboundedSender<Key>) {
    let api = Api::<PartialObjectMeta<Secret>>::namespaced(client, key.namespace.as_deref().unwrap_or_default());
    let config = watcher::Config::default().fields(&format!("metadata.name={secret}"));
    let mut changes = watcher(api, config).default_backoff().touched_objects().boxed();
    while let Some(change) = changes.next().await {
        match change {
            Ok(_) if news.send(key.clone()).is_err() => return,
            Ok(_) => {}
            Err(error) => tracing::warn!(secret, %error, "a watch failed; it is tried again"),
        }
    }
}
