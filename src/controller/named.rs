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
    followed: Mutex<HashMap<Key, Followed>>,
}

/// The watch of the Secret that one `TokenCache` names.
struct Followed {
    secret: String,
    task: AbortHandle,
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl NamedSecrets {
    /// Watches nothing yet. With the stream of the `TokenCache`s whose Secret changed.
    #[must_use]
    pub fn new(client: Client) -> (Self, mpsc::UnboundedReceiver<Key>) {
        let (news, heard) = mpsc::unbounded_channel();
        (Self { client, news, followed: Mutex::default() }, heard)
    }

    /// Watches this Secret for a `TokenCache` from now on, and no other. Returns the name of the one that it watched before,
    /// if that was another.
    pub fn follow(&self, key: &Key, secret: Option<&str>) -> Option<String> {
        let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same = |followed: &Followed| Some(followed.secret.as_str()) == secret && !followed.task.is_finished();
        if followed.get(key).is_some_and(is_same) {
            return None;
        }
        let before = followed.remove(key).map(|before| before.secret.clone());
        if let Some(secret) = secret {
            let task = tokio::spawn(watch(self.client.clone(), key.clone(), secret.to_owned(), self.news.clone()));
            followed.insert(key.clone(), Followed { secret: secret.to_owned(), task: task.abort_handle() });
        }
        before
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
