//! Every status that a cache had, from a watch: what was there for a moment is in it too.

use std::pin::pin;
use std::sync::{Arc, Mutex};

use futures::StreamExt;
use kube::runtime::watcher::{Config, Event, watcher};
use serde_json::Value;
use tokio::task::JoinHandle;

use super::world::{World, condition};

/// The statuses of one cache since the watch began, oldest first.
pub struct History {
    seen: Arc<Mutex<Vec<Value>>>,
    task: JoinHandle<()>,
}

impl History {
    /// Begins to watch.
    pub fn of(world: &World, name: &str) -> Self {
        let seen = Arc::<Mutex<Vec<Value>>>::default();
        let (api, config) = (world.api("TokenCache"), Config::default().fields(&format!("metadata.name={name}")));
        let statuses = seen.clone();
        let task = tokio::spawn(async move {
            let mut events = pin!(watcher(api, config));
            while let Some(event) = events.next().await {
                if let Ok(Event::Apply(cache) | Event::InitApply(cache)) = event {
                    statuses.lock().unwrap().push(cache.data["status"].clone());
                }
            }
        });
        Self { seen, task }
    }

    /// How many there were.
    pub fn len(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// Status and reason of a condition, one after the other, each change once.
    pub fn of_condition(&self, name: &str) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        let mut told: Vec<_> = seen
            .iter()
            .map(|status| condition(status, name))
            .map(|condition| {
                [&condition["status"], &condition["reason"]].map(|word| word.as_str().unwrap_or("-")).join(" ")
            })
            .collect();
        told.dedup();
        told
    }

    /// The stages of the operation that requests made, one after the other, each change once.
    pub fn of_operation(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        let mut told: Vec<_> =
            seen.iter().map(|status| status["operations"][0]["stage"].as_str().unwrap_or("-").to_owned()).collect();
        told.dedup();
        told
    }
}

impl Drop for History {
    fn drop(&mut self) {
        self.task.abort();
    }
}
