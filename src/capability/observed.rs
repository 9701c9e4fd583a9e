//! What a round of a pass saw, of whichever capability: values only.
//!
//! In: nothing. Out: [`Observed`], from which each capability takes what it knows by name. It says nothing of whose the objects are:
//! a name may be somebody else's.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{Pod, Secret},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{
    ask::{Answers, Volume},
    progress::Progress,
};
use crate::{
    api::v1alpha1::TokenCacheStatus,
    kubernetes::{
        object::{Kind, Object, OfKind},
        write::{admitted::Admitted, settled::Settled},
    },
};

/// What a round of a pass saw.
pub struct Observed<'pass> {
    /// The time, one for the whole round.
    pub now: Timestamp,
    /// What stands under the cache's own names.
    pub objects: Objects,
    /// The pods that were named, as far as they are there, and others that have the labels of the cache's.
    pub pods: Vec<Arc<Pod>>,
    /// The user's Secrets that were named, by their names.
    pub provided: BTreeMap<String, Arc<Secret>>,
    /// The claims that were named, while they are not known to be labelled as what outlives the cache is.
    pub claims: Vec<ObjectMeta>,
    /// The volume of the claim that was named, as it was when the claim was read last.
    pub volume: Volume,
    /// The Secrets that have the cache's labels, as the watch shows them: without their content.
    pub labelled: Vec<ObjectMeta>,
    /// The objects that were labelled.
    pub marked: Marked,
    /// The status that stands.
    pub previous: &'pass TokenCacheStatus,
    /// Whether nothing is to be changed.
    pub is_paused: bool,
    /// Whether the API server is known to accept what this generation of the spec leads to.
    pub is_accepted: bool,
    /// Whether a write of this pass has failed.
    pub has_failed: bool,
    /// What this pass has put right, in sentences, by the name of the group of writes.
    pub mended: &'pass BTreeMap<&'static str, Vec<String>>,
    /// What was asked for.
    pub answers: &'pass Answers,
    /// How far the latest sweep of the entries is.
    pub sweep: Option<Progress>,
    /// What the API server made of the `StatefulSet` when it was last applied, as far as that is known.
    pub admitted: Option<Admitted>,
    /// Which objects were found to be as they are wanted.
    pub settled: Arc<Settled>,
    /// Where the operator runs.
    pub operator: OperatorPlace,
}

impl<'pass> Observed<'pass> {
    /// What this pass has put right by a group of writes, in sentences.
    #[must_use]
    pub fn mended(&self, group: &str) -> &'pass [String] {
        self.mended.get(group).map(Vec::as_slice).unwrap_or_default()
    }
}

/// Objects that were labelled, by their UID, with the version at which they were seen.
#[derive(Clone, Default)]
pub struct Marked(HashMap<String, Option<String>>);

impl Marked {
    /// Takes note that an object was labelled at the version that it was seen at.
    pub fn insert(&mut self, object: &ObjectMeta) {
        self.0.insert(object.uid.clone().unwrap_or_default(), object.resource_version.clone());
    }

    /// Whether an object was labelled at the version that it has, and is as it was: a policy of the cluster undoes it.
    #[must_use]
    pub fn is_in_vain(&self, object: &ObjectMeta) -> bool {
        let version = object.uid.as_ref().and_then(|uid| self.0.get(uid));
        version.is_some_and(|version| *version == object.resource_version)
    }
}

/// Where the operator runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OperatorPlace {
    /// The namespace of its own pod, where that is known.
    pub namespace: Option<String>,
    /// Whether Services are reached from there, as from every pod.
    pub reaches_services: bool,
}

/// Objects, by kind and name.
#[derive(Default)]
pub struct Objects(BTreeMap<(Kind, String), Object>);

impl Objects {
    /// Adds one.
    pub fn insert(&mut self, object: impl Into<Object>) {
        let object = object.into();
        self.0.insert((object.kind(), object.name().to_owned()), object);
    }

    /// The object of this kind and name.
    #[must_use]
    pub fn get<K: OfKind>(&self, name: &str) -> Option<Arc<K>> {
        self.0.get(&(K::KIND, name.to_owned())).and_then(K::of).cloned()
    }

    /// The metadata of the object of this kind and name.
    #[must_use]
    pub fn metadata(&self, kind: Kind, name: &str) -> Option<&ObjectMeta> {
        self.0.get(&(kind, name.to_owned())).map(Object::metadata)
    }
}
