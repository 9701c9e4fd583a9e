//! The objects of one kind, as a watch shows them and as they were written since: by name, and by the instance that their labels
//! name.
//!
//! In: the events of a watch, and the API server's answers to writes. Out: objects. What was written counts until the watch has
//! caught up, so that a pass reads what the one before has written. A question about one instance never goes through the objects
//! of the others. It asks the API server nothing.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Resource, runtime::watcher::Event};
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::watch;

use super::packed::{Packed, Place, Version, instance, parts, place};
use crate::kubernetes::identity::managed_fields;

/// The objects of one kind.
pub struct Cache<K> {
    state: Arc<RwLock<State<K>>>,
    ready: Arc<watch::Sender<bool>>,
}

impl<K> Clone for Cache<K> {
    fn clone(&self) -> Self {
        Self { state: Arc::clone(&self.state), ready: Arc::clone(&self.ready) }
    }
}

impl<K: Clone> Default for Cache<K> {
    fn default() -> Self {
        let state = State {
            watched: Packed::default(),
            written: HashMap::new(),
            names: HashMap::new(),
            listed: Packed::default(),
        };
        Self { state: Arc::new(RwLock::new(state)), ready: Arc::new(watch::Sender::new(false)) }
    }
}

/// The watch has ended before it listed anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the watch has ended")]
pub struct WatchEnded;

impl<K: Resource<DynamicType = ()> + Serialize + DeserializeOwned + Clone> Cache<K> {
    /// Takes note of an event of the watch. Returns its object, where it tells anything that was not known; of one that was there
    /// before, where the two do not tell the same. One that appears as the operator has made it, and nobody else has touched, tells
    /// nothing either: whoever makes it is answered, a moment later than the watch at times.
    pub fn note(&self, event: Event<K>, tells_the_same: fn(&K, &K) -> bool) -> Option<Arc<K>> {
        let mut state = self.write();
        match event {
            Event::Apply(object) => {
                let object = Arc::new(object);
                let before = state.get(&place_of(object.as_ref()));
                let is_known = |before: Option<Arc<K>>| match before {
                    Some(before) => tells_the_same(&before, &object),
                    None => object.meta().deletion_timestamp.is_none() && managed_fields::is_only_ours(object.meta()),
                };
                let is_news = state.set(&object) && !is_known(before);
                is_news.then_some(object)
            }
            Event::Delete(object) => state.remove(&object).then(|| Arc::new(object)),
            Event::Init => {
                state.begin_list();
                None
            }
            Event::InitApply(object) => {
                let (place, object) = (place_of(&object), Arc::new(object));
                let version = Version::of(object.meta());
                // Of the first list nothing is told: there is no pass yet that could have missed it.
                let is_news = *self.ready.borrow() && (!version.is_known() || state.version(&place) != Some(version));
                state.listed.insert(place, &object);
                is_news.then_some(object)
            }
            Event::InitDone => {
                state.end_list();
                drop(state);
                self.ready.send_replace(true);
                None
            }
        }
    }

    /// Takes note of an object as the API server has stored it, or as it was found where the watch shows none. Whether the watch
    /// will show it, its labels tell.
    pub fn absorb(&self, object: Arc<K>, is_watched: bool) {
        let mut state = self.write();
        let place = place_of(object.as_ref());
        let version = Version::of(object.meta());
        if state.watched.version(&place).is_some_and(|watched| watched >= version) {
            return;
        }
        state.index(&place, instance(object.as_ref()));
        state.written.insert(place, Written { version, object: Some(object), is_watched, is_before_list: false });
    }

    /// Takes note of a deletion: of the object of this name and version.
    pub fn absorb_deletion(&self, gone: &ObjectMeta) {
        let mut state = self.write();
        let place = place(gone.namespace.as_deref().unwrap_or_default(), gone.name.as_deref().unwrap_or_default());
        let version = Version::of(gone);
        state.index(&place, None);
        if state.watched.version(&place).is_some_and(|watched| watched <= version) {
            let gone = Written { version, object: None, is_watched: true, is_before_list: false };
            state.written.insert(place, gone);
        } else {
            state.written.remove(&place);
        }
    }

    /// Forgets what was written under this name, or found there.
    pub fn forget(&self, namespace: &str, name: &str) {
        let (mut state, place) = (self.write(), place(namespace, name));
        let watched = state.watched.instance(&place).map(str::to_owned);
        state.index(&place, watched.as_deref());
        state.written.remove(&place);
    }

    /// The names of a namespace under which objects were found that the watch does not show.
    #[must_use]
    pub fn unwatched(&self, namespace: &str) -> Vec<String> {
        let state = self.read();
        let unwatched = state.written.iter().filter(|(_, written)| !written.is_watched);
        let places = unwatched.map(|(place, _)| parts(place));
        places.filter(|(of, _)| *of == namespace).map(|(_, name)| name.to_owned()).collect()
    }

    /// The object of this name.
    #[must_use]
    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        self.read().get(&place(namespace, name))
    }

    /// The version of the object of this name.
    #[must_use]
    pub fn version(&self, namespace: &str, name: &str) -> Option<Version> {
        self.read().version(&place(namespace, name))
    }

    /// The objects of a namespace whose labels name this instance, by name.
    #[must_use]
    pub fn of_instance(&self, namespace: &str, instance: &str) -> Vec<Arc<K>> {
        let state = self.read();
        let names = state.names.get(&place(namespace, instance)).into_iter().flatten();
        let places = names.map(|name| place(namespace, name));
        let places = places.filter(|place| state.instance(place) == Some(instance));
        places.filter_map(|place| state.get(&place)).collect()
    }

    /// The names of the objects of a namespace whose labels name this instance.
    #[must_use]
    pub fn names(&self, namespace: &str, instance: &str) -> Vec<Box<str>> {
        self.read().names.get(&place(namespace, instance)).cloned().unwrap_or_default()
    }

    /// Nobody uses the objects of this instance for now.
    pub fn rest(&self, namespace: &str, instance: &str) {
        let state = self.read();
        for name in state.names.get(&place(namespace, instance)).into_iter().flatten() {
            state.watched.rest(&place(namespace, name));
        }
    }

    /// The namespace and name of every instance that has an object.
    #[must_use]
    pub fn instances(&self) -> Vec<(String, String)> {
        let state = self.read();
        let places = state.names.keys().map(|place| parts(place));
        places.map(|(namespace, name)| (namespace.to_owned(), name.to_owned())).collect()
    }

    /// Whether the watch has listed what was there at its start.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        *self.ready.borrow()
    }

    /// Waits until the watch has listed what was there at its start.
    ///
    /// # Errors
    /// Where the watch has ended.
    pub async fn wait_until_ready(&self) -> Result<(), WatchEnded> {
        self.ready.subscribe().wait_for(|ready| *ready).await.map(drop).map_err(|_| WatchEnded)
    }

    fn read(&self) -> RwLockReadGuard<'_, State<K>> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State<K>> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

struct State<K> {
    /// As the watch shows them.
    watched: Packed<K>,
    /// What was written since.
    written: HashMap<Place, Written<K>>,
    /// The names of the objects of an instance, in their order. It may name one that is of another instance by now, and never
    /// lacks one.
    names: HashMap<Place, Vec<Box<str>>>,
    /// The objects of a list that is being read.
    listed: Packed<K>,
}

/// What a write has left under a name.
struct Written<K> {
    /// The version of the object; of one that was deleted, the last one.
    version: Version,
    /// The object; `None` where it was deleted.
    object: Option<Arc<K>>,
    /// Whether the watch will show it.
    is_watched: bool,
    /// Whether it was there before the list that is being read began.
    is_before_list: bool,
}

impl<K: Resource<DynamicType = ()> + Serialize + DeserializeOwned + Clone> State<K> {
    fn get(&self, place: &str) -> Option<Arc<K>> {
        match self.written.get(place) {
            Some(written) => written.object.clone(),
            None => self.watched.get(place),
        }
    }

    fn version(&self, place: &str) -> Option<Version> {
        match self.written.get(place) {
            Some(written) => written.object.as_ref().map(|_| written.version),
            None => self.watched.version(place),
        }
    }

    fn instance(&self, place: &str) -> Option<&str> {
        match self.written.get(place) {
            Some(written) => written.object.as_ref().and_then(|object| instance(object.as_ref())),
            None => self.watched.instance(place),
        }
    }

    fn set(&mut self, object: &Arc<K>) -> bool {
        let (place, version) = (place_of(object.as_ref()), Version::of(object.meta()));
        let (is_behind, is_news) = match self.written.get(&place) {
            None => (false, true),
            Some(Written { version: written, object: Some(_), .. }) => {
                (version < *written, version > *written || !version.is_known())
            }
            Some(Written { version: deleted, object: None, .. }) => (version <= *deleted, version > *deleted),
        };
        if !is_behind {
            self.index(&place, instance(object.as_ref()));
        }
        if !is_behind && self.written.remove(&place).is_some() {
            // The pass that has written it may not be over yet.
            self.watched.insert_used(place, object);
        } else {
            self.watched.insert(place, object);
        }
        is_news
    }

    fn remove(&mut self, object: &K) -> bool {
        let (place, version) = (place_of(object), Version::of(object.meta()));
        let is_news = match self.written.get(&place) {
            // Another one was made meanwhile.
            Some(Written { version: written, object: Some(_), .. }) if version < *written => {
                self.watched.remove(&place);
                return false;
            }
            Some(Written { object: None, .. }) => false,
            Some(_) | None => true,
        };
        self.index(&place, None);
        self.watched.remove(&place);
        self.written.remove(&place);
        is_news
    }

    fn begin_list(&mut self) {
        self.listed = Packed::default();
        for written in self.written.values_mut() {
            written.is_before_list = true;
        }
    }

    /// What the list has takes the place of what was watched. What was written while it was read may be newer.
    fn end_list(&mut self) {
        self.watched = std::mem::take(&mut self.listed);
        let watched = &self.watched;
        self.written.retain(|place, written| {
            let is_caught_up = watched.version(place).is_some_and(|version| version >= written.version);
            !written.is_watched || !(written.is_before_list || is_caught_up)
        });
        self.names.clear();
        let written = self.written.iter().filter_map(|(place, written)| {
            let object = written.object.as_ref()?;
            Some((place, instance(object.as_ref())))
        });
        for (place, of) in self.watched.instances().chain(written) {
            let Some(of) = of else { continue };
            let (namespace, name) = parts(place);
            add(self.names.entry(self::place(namespace, of)).or_default(), name);
        }
    }

    /// Takes note of the instance that the labels of the object name that stands under a name from now on, if any does.
    fn index(&mut self, place: &str, now: Option<&str>) {
        let (namespace, name) = parts(place);
        if let Some(before) = self.instance(place).filter(|before| now != Some(before)) {
            let before = self::place(namespace, before);
            if let Some(names) = self.names.get_mut(&before) {
                names.retain(|known| known.as_ref() != name);
                if names.is_empty() {
                    self.names.remove(&before);
                }
            }
        }
        if let Some(now) = now {
            add(self.names.entry(self::place(namespace, now)).or_default(), name);
        }
    }
}

/// Adds a name to those that there are, in its place.
fn add(names: &mut Vec<Box<str>>, name: &str) {
    if let Err(at) = names.binary_search_by(|known| known.as_ref().cmp(name)) {
        names.insert(at, name.into());
        names.shrink_to_fit();
    }
}

fn place_of<K: Resource>(object: &K) -> Place {
    place(object.meta().namespace.as_deref().unwrap_or_default(), object.meta().name.as_deref().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use k8s_openapi::{
        api::core::v1::ConfigMap,
        apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta, Time},
    };
    use kube::ResourceExt;

    use super::*;
    use crate::kubernetes::identity::{FIELD_MANAGER, labels::OWNER_LABEL};

    fn differ(_: &ConfigMap, _: &ConfigMap) -> bool {
        false
    }

    #[derive(Default)]
    struct Watched {
        cache: Cache<ConfigMap>,
    }

    impl Watched {
        fn new() -> Self {
            Self::default()
        }

        fn see(&mut self, event: &Event<ConfigMap>) -> &mut Self {
            self.cache.note(event.clone(), differ);
            self
        }

        fn of(&self, namespace: &str, instance: &str) -> Vec<String> {
            self.cache.of_instance(namespace, instance).iter().map(|object| object.name_any()).collect()
        }
    }

    fn object(namespace: &str, name: &str, instance: Option<&str>) -> ConfigMap {
        let labels = instance.map(|instance| [(OWNER_LABEL.to_owned(), instance.to_owned())].into());
        let (name, namespace) = (Some(name.to_owned()), Some(namespace.to_owned()));
        ConfigMap { metadata: ObjectMeta { name, namespace, labels, ..ObjectMeta::default() }, ..ConfigMap::default() }
    }

    #[test]
    fn an_instance_has_what_its_labels_name_in_its_namespace_and_nothing_else() {
        let mut watched = Watched::new();
        watched.see(&Event::Init);
        watched.see(&Event::InitApply(object("web", "b", Some("shop"))));
        watched.see(&Event::InitApply(object("web", "a", Some("shop"))));
        watched.see(&Event::InitApply(object("web", "c", Some("other"))));
        watched.see(&Event::InitApply(object("elsewhere", "d", Some("shop"))));
        watched.see(&Event::InitApply(object("web", "e", None)));
        watched.see(&Event::InitDone);
        assert_eq!(watched.of("web", "shop"), ["a", "b"]);
        assert_eq!(watched.of("elsewhere", "shop"), ["d"]);
        assert!(watched.of("web", "none").is_empty());
        assert!(watched.cache.get("web", "e").is_some(), "by its name there is also what has no instance");
    }

    #[test]
    fn what_changes_or_goes_is_followed() {
        let mut watched = Watched::new();
        watched.see(&Event::Apply(object("web", "a", Some("shop")))).see(&Event::Apply(object(
            "web",
            "b",
            Some("shop"),
        )));
        watched.see(&Event::Apply(object("web", "a", Some("other"))));
        assert_eq!(
            (watched.of("web", "shop"), watched.of("web", "other")),
            (vec!["b".to_owned()], vec!["a".to_owned()])
        );
        watched.see(&Event::Apply(object("web", "a", None)));
        watched.see(&Event::Delete(object("web", "b", Some("shop"))));
        assert!(watched.of("web", "shop").is_empty() && watched.of("web", "other").is_empty());
        assert!(watched.cache.read().names.is_empty(), "nothing is left of them");
    }

    #[test]
    fn another_list_replaces_what_was_there_before_and_hides_nothing_while_it_is_read() {
        let mut watched = Watched::new();
        watched.see(&Event::Apply(object("web", "gone", Some("shop"))));
        watched.see(&Event::Apply(object("web", "stays", Some("shop"))));
        watched.see(&Event::Init).see(&Event::InitApply(object("web", "stays", Some("shop"))));
        assert_eq!(watched.of("web", "shop"), ["gone", "stays"]);
        watched.see(&Event::InitDone);
        assert_eq!(watched.of("web", "shop"), ["stays"]);
    }

    fn versioned(name: &str, version: u64, text: &str) -> ConfigMap {
        let mut object = object("web", name, Some("shop"));
        object.metadata.resource_version = Some(version.to_string());
        object.data = Some([("text".to_owned(), text.to_owned())].into());
        object
    }

    fn text(cache: &Cache<ConfigMap>) -> Option<String> {
        Some(cache.get("web", "a")?.data.as_ref()?["text"].clone())
    }

    #[test]
    fn what_was_written_counts_until_the_watch_has_caught_up_and_its_own_echo_is_no_news() {
        let cache = Cache::default();
        assert!(cache.note(Event::Apply(versioned("a", 3, "before")), differ).is_some());
        cache.absorb(Arc::new(versioned("a", 7, "written")), true);
        assert_eq!(text(&cache).as_deref(), Some("written"));
        assert!(cache.note(Event::Apply(versioned("a", 5, "between")), differ).is_none());
        assert_eq!(text(&cache).as_deref(), Some("written"));
        assert!(cache.note(Event::Apply(versioned("a", 7, "written")), differ).is_none());
        assert!(cache.note(Event::Apply(versioned("a", 9, "later")), differ).is_some());
        assert_eq!(text(&cache).as_deref(), Some("later"));
        cache.absorb(Arc::new(versioned("a", 7, "written")), true);
        assert_eq!(text(&cache).as_deref(), Some("later"), "an answer that comes late changes nothing");
    }

    #[test]
    fn what_tells_the_same_as_before_is_kept_and_is_no_news() {
        let same = |one: &ConfigMap, other: &ConfigMap| one.data == other.data;
        let cache = Cache::default();
        assert!(cache.note(Event::Apply(versioned("a", 3, "said")), same).is_some());
        assert!(cache.note(Event::Apply(versioned("a", 4, "said")), same).is_none());
        assert_eq!(cache.version("web", "a"), Some(Version::parse("4")));
        assert!(cache.note(Event::Apply(versioned("a", 5, "other")), same).is_some());
        cache.absorb(Arc::new(versioned("a", 6, "written")), true);
        assert!(
            cache.note(Event::Apply(versioned("a", 7, "written")), same).is_none(),
            "as it was written, but counted"
        );
        assert!(cache.note(Event::Apply(versioned("a", 8, "other")), same).is_some(), "somebody has changed it back");
        assert!(cache.note(Event::Delete(versioned("a", 9, "other")), same).is_some());
        assert!(cache.note(Event::Apply(versioned("a", 10, "other")), same).is_some(), "it was made anew");
    }

    #[test]
    fn what_the_operator_makes_is_no_news_and_what_others_make_or_change_is() {
        let by = |managers: &[&str], version| {
            let mut object = versioned("a", version, "made");
            let records = managers.iter().map(|manager| ManagedFieldsEntry {
                manager: Some((*manager).to_owned()),
                ..ManagedFieldsEntry::default()
            });
            object.metadata.managed_fields = Some(records.collect());
            object
        };
        let is_news = |cache: &Cache<ConfigMap>, object| cache.note(Event::Apply(object), differ).is_some();
        let cache = Cache::default();
        assert!(!is_news(&cache, by(&[FIELD_MANAGER], 3)), "its answer comes later");
        assert_eq!(text(&cache).as_deref(), Some("made"));
        assert!(is_news(&cache, by(&[FIELD_MANAGER], 4)), "what was there before may have been changed by less");
        assert!(is_news(&Cache::default(), by(&[FIELD_MANAGER, "kubectl"], 3)));
        assert!(is_news(&Cache::default(), by(&["kubectl"], 3)) && is_news(&Cache::default(), by(&[], 3)));
        let mut going = by(&[FIELD_MANAGER], 3);
        going.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
        assert!(is_news(&Cache::default(), going));
    }

    #[test]
    fn what_was_deleted_is_gone_until_the_watch_shows_something_newer() {
        let cache = Cache::default();
        cache.note(Event::Apply(versioned("a", 3, "before")), differ);
        cache.absorb_deletion(&versioned("a", 3, "before").metadata);
        assert_eq!(text(&cache), None);
        assert!(cache.of_instance("web", "shop").is_empty());
        assert!(cache.note(Event::Apply(versioned("a", 3, "before")), differ).is_none());
        assert_eq!(text(&cache), None);
        assert!(cache.note(Event::Apply(versioned("a", 4, "going, it has a finalizer")), differ).is_some());
        assert!(text(&cache).is_some());
        assert!(cache.note(Event::Delete(versioned("a", 5, "")), differ).is_some());
        assert_eq!((text(&cache), cache.read().names.len()), (None, 0));
    }

    #[test]
    fn a_deletion_of_what_was_written_anew_hides_nothing() {
        let cache = Cache::default();
        cache.note(Event::Apply(versioned("a", 3, "first")), differ);
        cache.absorb(Arc::new(versioned("a", 8, "second")), true);
        assert!(cache.note(Event::Delete(versioned("a", 5, "first")), differ).is_none());
        assert_eq!((text(&cache).as_deref(), cache.of_instance("web", "shop").len()), (Some("second"), 1));
        assert!(cache.note(Event::Delete(versioned("a", 9, "second")), differ).is_some());
        assert_eq!((text(&cache), cache.of_instance("web", "shop").len()), (None, 0));
    }

    #[test]
    fn a_list_replaces_what_was_written_before_it_began_and_nothing_that_was_written_since() {
        let cache = Cache::default();
        cache.absorb(Arc::new(versioned("a", 3, "gone since")), true);
        cache.note(Event::Init, differ);
        cache.absorb(Arc::new(versioned("b", 9, "since")), true);
        cache.note(Event::InitDone, differ);
        assert!(cache.get("web", "a").is_none() && cache.get("web", "b").is_some());
        cache.note(Event::Init, differ);
        cache.note(Event::InitApply(versioned("b", 9, "since")), differ);
        cache.note(Event::InitDone, differ);
        assert!(cache.get("web", "b").is_some() && cache.read().written.is_empty());
    }

    #[test]
    fn what_the_watch_does_not_show_stays_until_it_is_forgotten() {
        let cache = Cache::default();
        cache.absorb(Arc::new(versioned("a", 3, "a stranger's")), false);
        cache.note(Event::Init, differ);
        cache.note(Event::InitDone, differ);
        assert!(cache.unwatched("web") == ["a"] && text(&cache).is_some());
        cache.forget("web", "a");
        assert!(cache.unwatched("web").is_empty() && text(&cache).is_none());
    }
}
