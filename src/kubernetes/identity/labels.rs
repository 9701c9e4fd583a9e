//! Labels: those of an owner's objects and their pods, the selectors that find them, and what an object without an owner has.
//! Label keys live here and nowhere else.
//!
//! In: an owner, metadata. Out: labels, selectors, and whose an object is by what it is labelled with.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use serde::Serialize;

use super::{FIELD_MANAGER, Owner, is_owned, managed_fields};

/// The label of the operator's own domain that names the owner. It says whose an object is: labels that others use too, a
/// policy of the cluster may rewrite, and a tool such as Argo CD may take for its own.
pub const OWNER_LABEL: &str = "tokencache.dev/cache";
pub(super) const OWN_COMPONENT: &str = "tokencache.dev/component";
/// Label selector for everything that the operator made.
pub const MANAGED_SELECTOR: &str = "tokencache.dev/cache";
/// Label selector for what earlier versions of the operator made, which did not know [`OWNER_LABEL`].
pub const EARLIER_SELECTOR: &str = "app.kubernetes.io/managed-by=tokencache-operator,!tokencache.dev/cache";
/// Label selector for what has no such label: made by an earlier version, by somebody else, or the label was lost.
pub const UNLABELLED_SELECTOR: &str = "!tokencache.dev/cache";
/// The annotations of what outlives its owner: Argo CD neither prunes it, nor deletes it with an Application, nor takes it for
/// a difference.
const LASTING: [(&str, &str); 2] = [
    ("argocd.argoproj.io/sync-options", "Prune=false,Delete=false"),
    ("argocd.argoproj.io/compare-options", "IgnoreExtraneous"),
];
/// Label selector for the pods of the operator's `StatefulSet`s, by labels that those select by: where one is taken from a
/// pod, another pod takes its place.
pub const POD_SELECTOR: &str = "app.kubernetes.io/name=redis,app.kubernetes.io/component=cache";

const NAME: &str = "app.kubernetes.io/name";
const INSTANCE: &str = "app.kubernetes.io/instance";
const COMPONENT: &str = "app.kubernetes.io/component";
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
const PART_OF: &str = "app.kubernetes.io/part-of";
/// The label of the operator's own pods, as the chart sets it.
pub const OPERATOR_LABEL: (&str, &str) = ("app.kubernetes.io/name", FIELD_MANAGER);
/// The label that names each namespace, which the API server sets itself.
pub const NAMESPACE_LABEL: &str = "kubernetes.io/metadata.name";
/// The label with which a Deployment tells its pods apart, and which ends the names of its `ReplicaSet`s.
pub const POD_TEMPLATE_HASH: &str = "pod-template-hash";

impl Owner {
    /// Metadata of an object that outlives the owner. It has labels of the operator's own domain only: what has the label
    /// `instance` and no owner, Argo CD deletes for an Application of that name.
    #[must_use]
    pub fn lasting_metadata(&self, name: String, component: &str) -> ObjectMeta {
        let annotations = LASTING.map(|(key, value)| (key.to_owned(), value.to_owned()));
        ObjectMeta {
            name: Some(name),
            namespace: Some(self.namespace.clone()),
            labels: Some(self.own_labels(component)),
            annotations: Some(annotations.into()),
            ..ObjectMeta::default()
        }
    }

    /// What an object that outlives the owner lacks of [`Self::lasting_metadata`], if it does. What else earlier versions of
    /// the operator labelled it with goes in the same write, and is not looked for again: somebody else may label it so.
    #[must_use]
    pub fn lacking(&self, component: &str, object: &ObjectMeta) -> Option<Lacking> {
        let (labels, annotations) = (object.labels.as_ref(), object.annotations.as_ref());
        let own = self.own_labels(component);
        let is_labelled = own.iter().all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value));
        let lacks = |key: &str| annotations.is_none_or(|annotations| !annotations.contains_key(key));
        let lacking = LASTING.into_iter().filter(|(key, _)| lacks(key));
        let lacking: BTreeMap<String, String> =
            lacking.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        if is_labelled && lacking.is_empty() {
            return None;
        }
        let earlier = self.labels(component).into_iter();
        let earlier = earlier.filter(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value));
        let own = own.into_iter().map(|(key, value)| (key, Some(value)));
        Some(Lacking { labels: earlier.map(|(key, _)| (key, None)).chain(own).collect(), annotations: lacking })
    }

    /// The labels of the operator's own domain.
    pub(super) fn own_labels(&self, component: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(OWNER_LABEL.to_owned(), self.name.clone()), (OWN_COMPONENT.to_owned(), component.to_owned())])
    }

    /// Label selector for everything of this owner.
    #[must_use]
    pub fn own_selector(&self) -> String {
        format!("{OWNER_LABEL}={}", self.name)
    }

    /// The labels that tell whose an object is, as somebody would write them.
    #[must_use]
    pub fn told_labels(&self, component: &str) -> String {
        let labels = self.own_labels(component).into_iter();
        labels.map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
    }

    /// All labels of an owned object or its pods, but those of the operator's own domain. No version among them: pod templates
    /// must stay as they are when the operator is upgraded.
    #[must_use]
    pub fn labels(&self, component: &str) -> BTreeMap<String, String> {
        let mut labels = self.selector_labels(component);
        labels.insert(MANAGED_BY.to_owned(), FIELD_MANAGER.to_owned());
        labels.insert(PART_OF.to_owned(), "tokencache".to_owned());
        labels
    }

    /// The labels that select the pods of a component.
    #[must_use]
    pub fn selector_labels(&self, component: &str) -> BTreeMap<String, String> {
        BTreeMap::from([
            (NAME.to_owned(), component.to_owned()),
            (INSTANCE.to_owned(), self.name.clone()),
            (COMPONENT.to_owned(), "cache".to_owned()),
        ])
    }

    /// The selector for the pods of a component.
    #[must_use]
    pub fn selector(&self, component: &str) -> LabelSelector {
        LabelSelector { match_labels: Some(self.selector_labels(component)), match_expressions: None }
    }

    /// Whether an object's labels say that it is of a component of this owner: those of the operator's own domain, or, where
    /// an earlier version of the operator made it, all the others. It says whose those are that outlive their owner.
    #[must_use]
    pub fn is_labelled(&self, component: &str, object: &ObjectMeta) -> bool {
        let label = |key: &str| object.labels.as_ref().and_then(|labels| labels.get(key));
        let has = |(key, value): (String, String)| label(&key) == Some(&value);
        let decisive = if label(OWNER_LABEL).is_some() { self.own_labels(component) } else { self.labels(component) };
        object.namespace.as_ref() == Some(&self.namespace) && decisive.into_iter().all(has)
    }

    /// Whether an object has the labels that select the pods of a component, and with them the claims of their volumes; and is not
    /// said to be another owner's.
    #[must_use]
    pub fn is_selected(&self, component: &str, object: &ObjectMeta) -> bool {
        let label = |key: &str| object.labels.as_ref().and_then(|labels| labels.get(key));
        label(OWNER_LABEL).is_none_or(|named| *named == self.name)
            && self.selector_labels(component).iter().all(|(key, value)| label(key) == Some(value))
    }

    /// Whether nothing says that an object, which lacks labels, is somebody else's: no label, no owner, and no field manager.
    #[must_use]
    pub fn may_have_lost_labels(&self, object: &ObjectMeta) -> bool {
        let named = object.labels.as_ref().and_then(|labels| labels.get(OWNER_LABEL));
        object.namespace.as_ref() == Some(&self.namespace)
            && named.is_none_or(|named| *named == self.name)
            && !is_owned(object)
            && managed_fields::stranger(object).is_none()
    }
}

/// What an object that outlives its owner lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lacking {
    labels: BTreeMap<String, Option<String>>,
    annotations: BTreeMap<String, String>,
}

/// Whether [`MANAGED_SELECTOR`] selects an object.
#[must_use]
pub fn is_managed(object: &ObjectMeta) -> bool {
    object.labels.as_ref().is_some_and(|labels| labels.contains_key(OWNER_LABEL))
}

/// Whether [`EARLIER_SELECTOR`] selects an object.
#[must_use]
pub fn is_of_earlier_version(object: &ObjectMeta) -> bool {
    let managed_by = object.labels.as_ref().and_then(|labels| labels.get(MANAGED_BY));
    managed_by.is_some_and(|managed_by| managed_by == FIELD_MANAGER) && !is_managed(object)
}

/// The owner that an object's labels name.
#[must_use]
pub fn named_owner(labels: &BTreeMap<String, String>) -> Option<&str> {
    labels.get(OWNER_LABEL).or_else(|| labels.get(INSTANCE)).map(String::as_str)
}

/// Whether a label or an annotation is of the operator's own domain.
#[must_use]
pub fn is_own(key: &str) -> bool {
    key.starts_with("tokencache.dev/")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::kubernetes::identity::tests::{owner, set_by};

    #[test]
    fn of_what_has_no_owner_the_labels_tell_whose_it_is() {
        let now = owner().lasting_metadata("shop-key-1".to_owned(), "ring");
        let before = ObjectMeta { labels: Some(owner().labels("ring")), ..now.clone() };
        for ours in [&now, &before] {
            assert!(owner().is_labelled("ring", ours));
            assert!(!owner().is_labelled("redis", ours));
            assert!(!Owner { name: "other".to_owned(), ..owner() }.is_labelled("ring", ours));
            assert!(!Owner { namespace: "web".to_owned(), ..owner() }.is_labelled("ring", ours));
            assert!(!owner().is_labelled("ring", &ObjectMeta { labels: None, ..ours.clone() }));
            assert_eq!(named_owner(ours.labels.as_ref().unwrap()), Some("shop"));
        }
        let mut given_away = before;
        given_away.labels.as_mut().unwrap().insert(OWNER_LABEL.to_owned(), "other".to_owned());
        assert!(!owner().is_labelled("ring", &given_away));
    }

    #[test]
    fn what_outlives_its_owner_has_labels_of_our_own_domain_only_and_gets_them_once() {
        let now = owner().lasting_metadata("shop-key-1".to_owned(), "ring");
        assert!(now.labels.iter().flatten().all(|(key, _)| key.starts_with("tokencache.dev/")), "{now:?}");
        assert_eq!(owner().lacking("ring", &now), None);
        let mut labels = owner().labels("ring");
        labels.insert("team".to_owned(), "blue".to_owned());
        labels.insert(PART_OF.to_owned(), "rewritten".to_owned());
        let sync = "argocd.argoproj.io/sync-options".to_owned();
        let before =
            ObjectMeta { labels: Some(labels), annotations: Some([(sync, "Prune=false".into())].into()), ..now };
        let lacking = serde_json::to_value(owner().lacking("ring", &before).unwrap()).unwrap();
        let removed = |key: &str| (key.to_owned(), Value::Null);
        let labels: serde_json::Map<_, _> = [NAME, INSTANCE, COMPONENT, MANAGED_BY]
            .into_iter()
            .map(removed)
            .chain([(OWNER_LABEL.to_owned(), json!("shop")), (OWN_COMPONENT.to_owned(), json!("ring"))])
            .collect();
        let annotations = json!({"argocd.argoproj.io/compare-options": "IgnoreExtraneous"});
        assert_eq!(lacking, json!({"labels": labels, "annotations": annotations}), "what others set stays");
        let mut relabelled = owner().lasting_metadata("shop-key-1".to_owned(), "ring");
        relabelled.labels.as_mut().unwrap().insert(INSTANCE.to_owned(), "shop".to_owned());
        assert_eq!(owner().lacking("ring", &relabelled), None, "whoever labels it so again is left to do so");
    }

    #[test]
    fn labels_may_be_lost_where_nothing_says_that_an_object_is_somebody_elses() {
        let bare = ObjectMeta { labels: None, ..owner().lasting_metadata("shop-key-1".to_owned(), "ring") };
        assert!(
            owner().may_have_lost_labels(&bare) && owner().may_have_lost_labels(&set_by(FIELD_MANAGER, bare.clone()))
        );
        assert!(!owner().may_have_lost_labels(&set_by("kubectl-create", bare.clone())));
        let named = ObjectMeta { labels: Some([(OWNER_LABEL.to_owned(), "other".to_owned())].into()), ..bare.clone() };
        assert!(!owner().may_have_lost_labels(&named));
        let owned = ObjectMeta { owner_references: Some(vec![owner().reference()]), ..bare };
        assert!(!owner().may_have_lost_labels(&owned));
    }
}
