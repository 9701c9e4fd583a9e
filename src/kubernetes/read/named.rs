//! Secrets that users provide, by their names: each is watched once, however many follow it.
//!
//! In: who follows which Secret. Out: a nudge for each of its followers when one is made, changed or deleted, and the version
//! that the watch shows. Only metadata comes with it, and only that of the named Secret: others of the user's are none of the
//! operator's business.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::StreamExt;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client, ResourceExt,
    core::PartialObjectMeta,
    runtime::{
        WatchStreamExt,
        watcher::{self, Event, watcher},
    },
};
use tokio::{sync::mpsc, task::AbortHandle};

use crate::kubernetes::words;

/// A namespace, and the name of a Secret in it.
type Place = (String, String);

/// What a watch shows of a Secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Sight {
    /// Nothing: it is not watched, or the watch has failed or not begun yet.
    #[default]
    Unknown,
    /// There is none of this name.
    Absent,
    /// It has this version.
    Version(String),
}

/// The Secrets that are watched by name, and who follows each.
pub struct NamedSecrets<F> {
    client: Client,
    news: mpsc::UnboundedSender<F>,
    watches: Mutex<Watches<F>>,
}

struct Watches<F> {
    of: HashMap<Place, Watch<F>>,
    followed: HashMap<F, BTreeSet<Place>>,
}

/// The watch of one Secret. It ends with this value.
struct Watch<F> {
    shown: Arc<Mutex<Shown<F>>>,
    task: AbortHandle,
}

/// What a watch shows, and to whom.
struct Shown<F> {
    followers: HashSet<F>,
    sight: Sight,
}

impl<F> Drop for Watch<F> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<F: Clone + Eq + Hash + Send + 'static> NamedSecrets<F> {
    /// Watches nothing yet. With the stream of the followers whose Secret changed.
    #[must_use]
    pub fn new(client: Client) -> (Self, mpsc::UnboundedReceiver<F>) {
        let (news, heard) = mpsc::unbounded_channel();
        let watches = Watches { of: HashMap::new(), followed: HashMap::new() };
        (Self { client, news, watches: Mutex::new(watches) }, heard)
    }

    /// Follows these Secrets of a namespace from now on, and no others. Returns the names of those that nobody follows any
    /// more.
    pub fn follow(&self, follower: &F, namespace: &str, secrets: &[&str]) -> Vec<String> {
        let wanted: BTreeSet<Place> = secrets.iter().map(|&name| (namespace.to_owned(), name.to_owned())).collect();
        let mut watches = locked(&self.watches);
        for place in &wanted {
            self.join(&mut watches.of, place, follower);
        }
        let before = watches.followed.remove(follower).unwrap_or_default();
        let mut ended = Vec::new();
        for place in before.difference(&wanted) {
            let is_last = watches.of.get(place).is_some_and(|watch| {
                let mut shown = locked(&watch.shown);
                shown.followers.remove(follower);
                shown.followers.is_empty()
            });
            if is_last {
                watches.of.remove(place);
                ended.push(place.1.clone());
            }
        }
        if !wanted.is_empty() {
            watches.followed.insert(follower.clone(), wanted);
        }
        ended
    }

    fn join(&self, watches: &mut HashMap<Place, Watch<F>>, place: &Place, follower: &F) {
        if let Some(watch) = watches.get(place).filter(|watch| !watch.task.is_finished()) {
            locked(&watch.shown).followers.insert(follower.clone());
            return;
        }
        // Of one that has ended by a panic the others are followers still.
        let ended = watches.remove(place).map(|watch| locked(&watch.shown).followers.clone());
        let followers = ended.into_iter().flatten().chain([follower.clone()]).collect();
        let shown = Arc::new(Mutex::new(Shown { followers, sight: Sight::Unknown }));
        let task = tokio::spawn(watch(self.client.clone(), place.clone(), Arc::clone(&shown), self.news.clone()));
        watches.insert(place.clone(), Watch { shown, task: task.abort_handle() });
    }

    /// What the watch of a Secret shows.
    #[must_use]
    pub fn sight(&self, namespace: &str, name: &str) -> Sight {
        let watches = locked(&self.watches);
        let watch = watches.of.get(&(namespace.to_owned(), name.to_owned()));
        watch.map_or(Sight::Unknown, |watch| locked(&watch.shown).sight.clone())
    }
}

impl<F: Clone> Shown<F> {
    /// Takes note of what is seen now, and returns whom that is news to.
    fn see(&mut self, sight: Sight) -> Vec<F> {
        if self.sight == sight {
            return Vec::new();
        }
        self.sight = sight;
        self.followers.iter().cloned().collect()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn watch<F: Clone + Eq + Hash>(
    client: Client,
    (namespace, name): Place,
    shown: Arc<Mutex<Shown<F>>>,
    news: mpsc::UnboundedSender<F>,
) {
    let api = Api::<PartialObjectMeta<Secret>>::namespaced(client, &namespace);
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let mut events = watcher(api, config).default_backoff().boxed();
    let mut listed = Sight::Absent;
    while let Some(event) = events.next().await {
        let version =
            |secret: PartialObjectMeta<Secret>| secret.resource_version().map_or(Sight::Unknown, Sight::Version);
        let sight = match event {
            Ok(Event::Init) => {
                listed = Sight::Absent;
                continue;
            }
            Ok(Event::InitApply(secret)) => {
                listed = version(secret);
                continue;
            }
            // It may also have gone while nothing was heard.
            Ok(Event::InitDone) => listed.clone(),
            Ok(Event::Apply(secret)) => version(secret),
            Ok(Event::Delete(_)) => Sight::Absent,
            Err(error) => {
                tracing::warn!(secret = name, namespace, why = words::of(&error), "a watch failed; it is tried again");
                locked(&shown).sight = Sight::Unknown;
                continue;
            }
        };
        let to_tell = locked(&shown).see(sight);
        for follower in to_tell {
            if news.send(follower).is_err() {
                return;
            }
        }
    }
}
