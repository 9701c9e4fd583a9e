//! The objects of one kind, as a watch shows them: by name, and by the instance that their labels name.
//!
//! In: the events of a watch. Out: objects. A question about one instance never goes through the objects of the others. It
//! asks the API server nothing.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{Arc, PoisonError, RwLock},
};

use kube::{
    Resource, ResourceExt,
    runtime::{
        reflector::{Lookup, ObjectRef, Store, store::WriterDropped},
        watcher::Event,
    },
};

use super::identity::named_owner;

/// A namespace, and a name in it.
type Place = (String, String);

/// The objects of one kind.
pub struct Cache<K: Lookup + 'static>
where
    K::DynamicType: Eq + std::hash::Hash,
{
    store: Store<K>,
    index: Arc<RwLock<Index>>,
}

impl<K> Clone for Cache<K>
where
    K: Lookup + Clone,
    K::DynamicType: Eq + std::hash::Hash + Clone,
{
    fn clone(&self) -> Self {
        Self { store: self.store.clone(), index: Arc::clone(&self.index) }
    }
}

impl<K> Cache<K>
where
    K: Resource<DynamicType = ()> + Lookup<DynamicType = ()> + Clone,
{
    /// Over a store that some writer fills. Each event is to be [noted](Self::note) before the writer gets it.
    #[must_use]
    pub fn over(store: Store<K>) -> Self {
        Self { store, index: Arc::default() }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> Store<K> {
        self.store.clone()
    }

    /// Takes note of whose the object of an event is.
    pub fn note(&self, event: &Event<K>) {
        self.index.write().unwrap_or_else(PoisonError::into_inner).note(event);
    }

    /// The object of this name.
    #[must_use]
    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        self.store.get(&ObjectRef::new(name).within(namespace))
    }

    /// The objects of a namespace whose labels name this instance, by name.
    #[must_use]
    pub fn of_instance(&self, namespace: &str, instance: &str) -> Vec<Arc<K>> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        let names = index.names.get(&(namespace.to_owned(), instance.to_owned()));
        names.into_iter().flatten().filter_map(|name| self.get(namespace, name)).collect()
    }

    /// Waits until the watch has listed what was there at its start.
    ///
    /// # Errors
    /// Where the watch has ended.
    pub async fn wait_until_ready(&self) -> Result<(), WriterDropped> {
        self.store.wait_until_ready().await
    }
}

/// Whose each object is. For a moment it may name one that the store does not have, and never lacks one that it has.
#[derive(Default)]
struct Index {
    /// The names of the objects of an instance.
    names: HashMap<Place, BTreeSet<String>>,
    /// The instance of an object.
    instances: HashMap<Place, String>,
    /// The objects of a list that is being read.
    listed: HashSet<Place>,
}

impl Index {
    fn note<K: Resource<DynamicType = ()>>(&mut self, event: &Event<K>) {
        match event {
            Event::Apply(object) => self.set(place(object), object),
            Event::Delete(object) => self.remove(&place(object)),
            Event::Init => self.listed.clear(),
            Event::InitApply(object) => {
                let place = place(object);
                self.listed.insert(place.clone());
                self.set(place, object);
            }
            Event::InitDone => {
                let listed = std::mem::take(&mut self.listed);
                let gone: Vec<Place> =
                    self.instances.keys().filter(|place| !listed.contains(*place)).cloned().collect();
                for place in &gone {
                    self.remove(place);
                }
            }
        }
    }

    fn set<K: Resource<DynamicType = ()>>(&mut self, place: Place, object: &K) {
        let instance = named_owner(object.labels());
        if self.instances.get(&place).map(String::as_str) == instance {
            return;
        }
        self.remove(&place);
        if let Some(instance) = instance {
            self.names.entry((place.0.clone(), instance.to_owned())).or_default().insert(place.1.clone());
            self.instances.insert(place, instance.to_owned());
        }
    }

    fn remove(&mut self, place: &Place) {
        let Some(instance) = self.instances.remove(place) else { return };
        let of = (place.0.clone(), instance);
        if let Some(names) = self.names.get_mut(&of) {
            names.remove(&place.1);
            if names.is_empty() {
                self.names.remove(&of);
            }
        }
    }
}

fn place<K: Resource>(object: &K) -> Place {
    (ResourceExt::namespace(object).unwrap_or_default(), object.name_any())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::{api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::ObjectMeta};
    use kube::runtime::reflector::{self, store::Writer};

    use super::*;
    use crate::kubernetes::identity::OWNER_LABEL;

    struct Watched {
        cache: Cache<ConfigMap>,
        writer: Writer<ConfigMap>,
    }

    impl Watched {
        fn new() -> Self {
            let (store, writer) = reflector::store();
            Self { cache: Cache::over(store), writer }
        }

        fn see(&mut self, event: &Event<ConfigMap>) -> &mut Self {
            self.cache.note(event);
            self.writer.apply_watcher_event(event);
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
        let index = watched.cache.index.read().unwrap();
        assert!(index.names.is_empty() && index.instances.is_empty(), "nothing is left of them");
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
}
