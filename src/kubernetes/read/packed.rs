//! Objects as they are kept while nobody reads them: a few bytes, where what a pass works with takes ten times as much.
//!
//! In: objects, by their places. Out: the same objects again. What all objects of a kind have in common, such as the names of
//! fields and of labels, is kept once: each is compressed with the first one as the dictionary. Those that were used last are there
//! as they are read: a pass reads each of its objects several times.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Resource, ResourceExt};
use lz4_flex::block::{compress_prepend_size_with_dict, decompress_size_prepended_with_dict};
use serde::{Serialize, de::DeserializeOwned};

use crate::kubernetes::identity::labels::named_owner;

/// A namespace and a name in it, which have no slash in them.
pub type Place = Box<str>;

/// How much may be there as it is read, in bytes of JSON: what the passes that are under way read, and some more.
const IN_USE: usize = 512 * 1024;

/// The place of an object.
#[must_use]
pub fn place(namespace: &str, name: &str) -> Place {
    [namespace, "/", name].concat().into_boxed_str()
}

/// The namespace and the name of a place.
#[must_use]
pub fn parts(place: &str) -> (&str, &str) {
    place.split_once('/').unwrap_or(("", place))
}

/// The version of an object as a number, by which the API server counts all objects of a kind; of those that are none so the later
/// one counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(Option<u64>);

/// Objects by their places.
pub struct Packed<K> {
    kept: HashMap<Place, Kept<K>>,
    in_use: Mutex<InUse<K>>,
    folding: Folding<K>,
    dictionary: Option<Box<[u8]>>,
}

/// How objects of a kind are turned into JSON.
pub struct Folding<K> {
    /// What of the first object becomes the dictionary, and stays when the object is gone.
    pub example: fn(&K) -> K,
    /// The object in a shape whose JSON is shorter; `None` where it is as short as it is.
    pub fold: fn(&K) -> Option<K>,
    /// The object as it was before.
    pub unfold: fn(K) -> K,
}

/// An object as it is kept.
struct Kept<K> {
    version: Version,
    /// The name of the instance that its labels name.
    instance: Option<Box<str>>,
    form: Form<K>,
}

enum Form<K> {
    /// Its JSON, compressed, after the length of that.
    Bytes(Box<[u8]>),
    /// One that cannot be packed, which no object is.
    Whole(Arc<K>),
}

/// What was used last, and what was used before.
struct InUse<K> {
    now: HashMap<Place, Arc<K>>,
    before: HashMap<Place, Arc<K>>,
    /// How much was put in since.
    bytes: usize,
}

impl<K: Clone> Default for Packed<K> {
    fn default() -> Self {
        Self::folding(Folding { example: K::clone, fold: |_| None, unfold: |object| object })
    }
}

impl<K> Packed<K> {
    /// Nothing yet.
    #[must_use]
    pub fn folding(folding: Folding<K>) -> Self {
        let in_use = Mutex::new(InUse { now: HashMap::new(), before: HashMap::new(), bytes: 0 });
        Self { kept: HashMap::new(), in_use, folding, dictionary: None }
    }
}

impl<K: Resource + Serialize + DeserializeOwned> Packed<K> {
    /// Keeps an object in place of the one that is kept there.
    pub fn insert(&mut self, place: Place, object: &Arc<K>) {
        self.in_use().forget(&place);
        let form = self.pack(object).map_or_else(|| Form::Whole(Arc::clone(object)), Form::Bytes);
        let (version, instance) = (Version::of(object.meta()), instance(object.as_ref()).map(Into::into));
        self.kept.insert(place, Kept { version, instance, form });
    }

    fn pack(&mut self, object: &K) -> Option<Box<[u8]>> {
        let dictionary = match &mut self.dictionary {
            Some(dictionary) => dictionary,
            none => none.insert(serde_json::to_vec(&(self.folding.example)(object)).ok()?.into_boxed_slice()),
        };
        let json = match (self.folding.fold)(object) {
            Some(folded) => serde_json::to_vec(&folded).ok()?,
            None => serde_json::to_vec(object).ok()?,
        };
        Some(compress_prepend_size_with_dict(&json, dictionary).into_boxed_slice())
    }

    /// Keeps an object that is in use.
    pub fn insert_used(&mut self, place: Place, object: &Arc<K>) {
        self.insert(place.clone(), object);
        let bytes = self.kept.get(&place).map_or(0, Kept::bytes);
        self.in_use().put(place, Arc::clone(object), bytes);
    }

    /// The object of a place.
    #[must_use]
    pub fn get(&self, place: &str) -> Option<Arc<K>> {
        let kept = self.kept.get(place)?;
        let bytes = match &kept.form {
            Form::Bytes(bytes) => bytes,
            Form::Whole(object) => return Some(Arc::clone(object)),
        };
        if let Some(object) = self.in_use().get(place, kept.bytes()) {
            return Some(object);
        }
        let json = decompress_size_prepended_with_dict(bytes, self.dictionary.as_deref()?).ok()?;
        let object = Arc::new((self.folding.unfold)(serde_json::from_slice(&json).ok()?));
        self.in_use().put(place.into(), Arc::clone(&object), kept.bytes());
        Some(object)
    }

    /// The version of the object of a place.
    #[must_use]
    pub fn version(&self, place: &str) -> Option<Version> {
        self.kept.get(place).map(|kept| kept.version)
    }

    /// The instance that the labels of the object of a place name.
    #[must_use]
    pub fn instance(&self, place: &str) -> Option<&str> {
        self.kept.get(place)?.instance.as_deref()
    }

    /// The places of all objects, each with the instance that the object's labels name.
    pub fn instances(&self) -> impl Iterator<Item = (&Place, Option<&str>)> {
        self.kept.iter().map(|(place, kept)| (place, kept.instance.as_deref()))
    }

    /// Nobody uses the object of a place for now.
    pub fn rest(&self, place: &str) {
        self.in_use().forget(place);
    }

    /// Keeps nothing there any more. Returns whether anything was.
    pub fn remove(&mut self, place: &str) -> bool {
        self.in_use().forget(place);
        self.kept.remove(place).is_some()
    }

    /// Keeps nothing any more of which this does not hold.
    pub fn retain(&mut self, is_kept: impl Fn(&str) -> bool) {
        let mut gone = Vec::new();
        self.kept.retain(|place, _| {
            is_kept(place) || {
                gone.push(place.clone());
                false
            }
        });
        let mut in_use = self.in_use();
        for place in gone {
            in_use.forget(&place);
        }
    }

    fn in_use(&self) -> MutexGuard<'_, InUse<K>> {
        self.in_use.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K> Kept<K> {
    /// The length of its JSON.
    fn bytes(&self) -> usize {
        match &self.form {
            Form::Bytes(bytes) => bytes.first_chunk().map_or(0, |length| u32::from_le_bytes(*length) as usize),
            Form::Whole(_) => 0,
        }
    }
}

impl<K> InUse<K> {
    fn get(&mut self, place: &str, bytes: usize) -> Option<Arc<K>> {
        if let Some(object) = self.now.get(place) {
            return Some(Arc::clone(object));
        }
        let (place, object) = self.before.remove_entry(place)?;
        self.put(place, Arc::clone(&object), bytes);
        Some(object)
    }

    fn put(&mut self, place: Place, object: Arc<K>, bytes: usize) {
        if self.bytes + bytes > IN_USE / 2 {
            self.before = std::mem::take(&mut self.now);
            self.bytes = 0;
        }
        self.bytes += bytes;
        self.now.insert(place, object);
    }

    fn forget(&mut self, place: &str) {
        self.now.remove(place);
        self.before.remove(place);
    }
}

impl Version {
    /// The version of an object.
    #[must_use]
    pub fn of(object: &ObjectMeta) -> Self {
        object.resource_version.as_deref().map_or(Self(None), Self::parse)
    }

    /// What an object calls its version.
    #[must_use]
    pub fn parse(version: &str) -> Self {
        Self(version.parse().ok())
    }

    /// Whether it is a number.
    #[must_use]
    pub fn is_known(self) -> bool {
        self.0.is_some()
    }
}

/// The instance that an object's labels name.
#[must_use]
pub fn instance<K: Resource>(object: &K) -> Option<&str> {
    named_owner(object.labels())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::{apps::v1::StatefulSet, core::v1::ConfigMap};
    use serde_json::json;

    use super::*;
    use crate::kubernetes::identity::labels::OWNER_LABEL;

    fn config_map(text: &str) -> Arc<ConfigMap> {
        let metadata =
            json!({"name": "a", "namespace": "web", "resourceVersion": "7", "labels": {OWNER_LABEL: "shop"}});
        Arc::new(serde_json::from_value(json!({"metadata": metadata, "data": {"a": text}})).unwrap())
    }

    #[test]
    fn what_is_kept_is_there_again_as_it_was() {
        let container = json!({
            "name": "redis",
            "resources": {"limits": {"cpu": "1", "memory": "64Mi"}},
            "ports": [{"containerPort": 6380, "name": "redis"}],
            "livenessProbe": {"tcpSocket": {"port": "redis"}},
        });
        let set: Arc<StatefulSet> = Arc::new(
            serde_json::from_value(json!({
                "metadata": {
                    "name": "shop-redis",
                    "creationTimestamp": "2026-01-01T00:00:00Z",
                    "managedFields": [{
                        "manager": "a",
                        "time": "2026-01-01T00:00:01Z",
                        "fieldsV1": {"f:metadata": {"f:ownerReferences": {"k:{\"uid\":\"1\"}": {}}}},
                    }],
                },
                "spec": {
                    "selector": {"matchLabels": {"a": "b"}},
                    "template": {"spec": {"containers": [container], "volumes": [{"name": "v", "emptyDir": {}}]}},
                },
                "status": {"replicas": 1},
            }))
            .unwrap(),
        );
        let mut packed = Packed::default();
        packed.insert(place("", "shop-redis"), &set);
        assert_eq!(packed.get("/shop-redis").as_deref(), Some(&*set));
    }

    #[test]
    fn what_objects_have_in_common_is_kept_once() {
        let mut packed = Packed::default();
        let text = "what all of them say, at some length. ".repeat(100);
        for name in 0..100 {
            packed.insert(place("web", &name.to_string()), &config_map(&format!("{text} {name}")));
        }
        let size = |kept: &Kept<ConfigMap>| match &kept.form {
            Form::Bytes(bytes) => bytes.len(),
            Form::Whole(_) => panic!("it is not packed"),
        };
        assert!(packed.kept.values().map(size).sum::<usize>() < 2 * text.len());
        assert_eq!(packed.get("web/99"), Some(config_map(&format!("{text} 99"))));
    }

    #[test]
    fn of_the_first_object_nothing_stays_but_the_example() {
        let example = |_: &ConfigMap| ConfigMap::default();
        let mut packed = Packed::folding(Folding { example, fold: |_| None, unfold: |object| object });
        packed.insert(place("web", "a"), &config_map("a secret of its own"));
        packed.remove("web/a");
        let dictionary = String::from_utf8(packed.dictionary.unwrap().into()).unwrap();
        assert!(!dictionary.contains("secret"), "{dictionary}");
    }

    #[test]
    fn what_is_asked_for_without_reading_it_is_known() {
        let mut packed = Packed::default();
        packed.insert(place("web", "a"), &config_map("1"));
        assert_eq!((packed.version("web/a"), packed.instance("web/a")), (Some(Version::parse("7")), Some("shop")));
        assert_eq!((packed.version("web/b"), packed.instance("web/b")), (None, None));
        assert_eq!((packed.remove("web/a"), packed.remove("web/a"), packed.get("web/a")), (true, false, None));
    }

    #[test]
    fn what_is_used_is_shared_until_it_is_another_one() {
        let mut packed = Packed::default();
        packed.insert(place("web", "a"), &config_map("1"));
        let read = packed.get("web/a").unwrap();
        assert!(Arc::ptr_eq(&read, &packed.get("web/a").unwrap()));
        packed.insert(place("web", "a"), &config_map("2"));
        assert_eq!(packed.get("web/a"), Some(config_map("2")));
        packed.insert_used(place("web", "a"), &read);
        assert!(Arc::ptr_eq(&read, &packed.get("web/a").unwrap()));
        packed.rest("web/a");
        assert!(!Arc::ptr_eq(&read, &packed.get("web/a").unwrap()));
        assert_eq!(packed.get("web/a"), Some(read));
        packed.retain(|place| place != "web/a");
        assert_eq!(packed.get("web/a"), None);
    }

    #[test]
    fn no_more_is_there_as_it_is_read_than_a_few_passes_use() {
        let mut packed = Packed::default();
        let text = "x".repeat(IN_USE / 20);
        for name in 0..100 {
            packed.insert(place("web", &name.to_string()), &config_map(&text));
        }
        let first = Arc::downgrade(&packed.get("web/0").unwrap());
        assert!(first.upgrade().is_some());
        for name in 1..100 {
            assert!(packed.get(&format!("web/{name}")).is_some());
        }
        assert!(first.upgrade().is_none());
        assert_eq!(packed.get("web/0"), Some(config_map(&text)));
    }
}
