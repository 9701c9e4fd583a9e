//! Who owns an object: labels, owner references, field managers. Label keys live here and nowhere else.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};

/// Field manager of everything that the operator owns.
pub const FIELD_MANAGER: &str = "tokencache-operator";
/// Field manager of the status.
pub const STATUS_FIELD_MANAGER: &str = "tokencache-operator-status";
/// Label selector for everything that the operator made.
pub const MANAGED_SELECTOR: &str = "app.kubernetes.io/managed-by=tokencache-operator";
/// Label selector for the pods of the operator's `StatefulSet`s, by labels that those select by: where one is taken from a
/// pod, another pod takes its place.
pub const POD_SELECTOR: &str = "app.kubernetes.io/name=redis,app.kubernetes.io/component=cache";

const NAME: &str = "app.kubernetes.io/name";
/// The label that names the owner.
pub const INSTANCE_LABEL: &str = "app.kubernetes.io/instance";
const COMPONENT: &str = "app.kubernetes.io/component";
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
const PART_OF: &str = "app.kubernetes.io/part-of";
/// The label of the operator's own pods, as the chart sets it.
pub const OPERATOR_LABEL: (&str, &str) = ("app.kubernetes.io/name", FIELD_MANAGER);
/// The label that names each namespace, which the API server sets itself.
pub const NAMESPACE_LABEL: &str = "kubernetes.io/metadata.name";
/// The label with which a Deployment tells its pods apart, and which ends the names of its `ReplicaSet`s.
pub const POD_TEMPLATE_HASH: &str = "pod-template-hash";

/// The object that owns others, by what never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// `apiVersion` of the owner's kind.
    pub api_version: String,
    /// The owner's kind.
    pub kind: String,
    /// The owner's namespace.
    pub namespace: String,
    /// The owner's name.
    pub name: String,
    /// The owner's UID.
    pub uid: String,
}

/// Whose object it is that stands under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ownership {
    /// The owner's.
    Ours,
    /// An earlier owner's of the same kind and name, which is being collected.
    Earlier,
    /// Somebody else's: who, in words.
    Foreign(String),
}

/// What was found under a name that an owner needs.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Found<T> {
    /// Nothing.
    #[default]
    Nothing,
    /// The owner's own object.
    Ours(T),
    /// An earlier owner's object, which is being collected.
    Earlier,
    /// Somebody else's object: whose, in words.
    Foreign(String),
}

impl<T> Found<T> {
    /// The owner's own object, if that is what was found.
    pub fn ours(&self) -> Option<&T> {
        match self {
            Self::Ours(object) => Some(object),
            Self::Nothing | Self::Earlier | Self::Foreign(_) => None,
        }
    }
}

impl Owner {
    /// What a live object is to this owner.
    pub fn found<T>(&self, live: Option<T>, metadata: impl Fn(&T) -> &ObjectMeta) -> Found<T> {
        match live {
            None => Found::Nothing,
            Some(object) => match self.ownership(metadata(&object)) {
                Ownership::Ours => Found::Ours(object),
                Ownership::Earlier => Found::Earlier,
                Ownership::Foreign(holder) => Found::Foreign(holder),
            },
        }
    }

    /// Metadata of an owned object.
    #[must_use]
    pub fn metadata(&self, name: String, component: &str) -> ObjectMeta {
        ObjectMeta {
            name: Some(name),
            namespace: Some(self.namespace.clone()),
            labels: Some(self.labels(component)),
            owner_references: Some(vec![self.reference()]),
            ..ObjectMeta::default()
        }
    }

    /// All labels of an owned object or its pods. No version among them: pod templates must stay as they are when the
    /// operator is upgraded.
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
            (INSTANCE_LABEL.to_owned(), self.name.clone()),
            (COMPONENT.to_owned(), "cache".to_owned()),
        ])
    }

    /// The selector for the pods of a component.
    #[must_use]
    pub fn selector(&self, component: &str) -> LabelSelector {
        LabelSelector { match_labels: Some(self.selector_labels(component)), match_expressions: None }
    }

    /// The selector for everything of a component, as a list takes it.
    #[must_use]
    pub fn list_selector(&self, component: &str) -> String {
        let labels = self.labels(component).into_iter();
        labels.map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
    }

    /// Whether an object has all labels of a component. It says whose those are that have no owner, because they outlive
    /// theirs.
    #[must_use]
    pub fn is_labelled(&self, component: &str, object: &ObjectMeta) -> bool {
        let has =
            |(key, value): (String, String)| object.labels.as_ref().and_then(|labels| labels.get(&key)) == Some(&value);
        object.namespace.as_ref() == Some(&self.namespace) && self.labels(component).into_iter().all(has)
    }

    /// Who made an object that is not the owner's, in words.
    #[must_use]
    pub fn holder(&self, object: &ObjectMeta) -> String {
        match self.ownership(object) {
            Ownership::Foreign(holder) => holder,
            Ownership::Ours | Ownership::Earlier => format!("{} {}", self.kind, self.name),
        }
    }

    fn reference(&self) -> OwnerReference {
        OwnerReference {
            api_version: self.api_version.clone(),
            kind: self.kind.clone(),
            name: self.name.clone(),
            uid: self.uid.clone(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        }
    }

    /// Whose an object is.
    #[must_use]
    pub fn ownership(&self, object: &ObjectMeta) -> Ownership {
        let controller = object.owner_references.iter().flatten().find(|reference| reference.controller == Some(true));
        match controller {
            Some(reference) if reference.uid == self.uid => Ownership::Ours,
            Some(reference) if reference.kind == self.kind && reference.name == self.name => Ownership::Earlier,
            Some(reference) => Ownership::Foreign(format!("{} {}", reference.kind, reference.name)),
            None => Ownership::Foreign(manager(object)),
        }
    }
}

/// Said of an object that the operator made and whose owner reference was removed.
pub const ORPHANED: &str = "nobody, since its owner reference was removed";

/// Who made an object that no controller owns: the manager that its fields name first.
fn manager(object: &ObjectMeta) -> String {
    let manager = object.managed_fields.iter().flatten().find_map(|entry| entry.manager.as_deref());
    match manager {
        Some(FIELD_MANAGER) => ORPHANED.to_owned(),
        Some(manager) => format!("whoever uses the field manager {manager}"),
        None => "somebody else".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner() -> Owner {
        Owner {
            api_version: "tokencache.dev/v1alpha1".to_owned(),
            kind: "TokenCache".to_owned(),
            namespace: "default".to_owned(),
            name: "shop".to_owned(),
            uid: "1".to_owned(),
        }
    }

    #[test]
    fn what_the_owner_made_is_its_own() {
        assert_eq!(owner().ownership(&owner().metadata("shop-redis".to_owned(), "redis")), Ownership::Ours);
    }

    #[test]
    fn what_an_owner_of_the_same_name_left_behind_is_being_collected() {
        let earlier = Owner { uid: "0".to_owned(), ..owner() };
        assert_eq!(owner().ownership(&earlier.metadata("shop-redis".to_owned(), "redis")), Ownership::Earlier);
    }

    #[test]
    fn what_somebody_else_made_is_theirs_whatever_its_labels() {
        let other = Owner { uid: "2".to_owned(), name: "other".to_owned(), ..owner() };
        let owned = other.metadata("shop-redis".to_owned(), "redis");
        assert_eq!(owner().ownership(&owned), Ownership::Foreign("TokenCache other".to_owned()));
        let unowned = ObjectMeta { owner_references: None, ..owner().metadata("shop-redis".to_owned(), "redis") };
        assert_eq!(owner().ownership(&unowned), Ownership::Foreign("somebody else".to_owned()));
    }

    #[test]
    fn of_what_has_no_owner_the_labels_tell_whose_it_is() {
        let ours = ObjectMeta { owner_references: None, ..owner().metadata("shop-key-1".to_owned(), "ring") };
        assert!(owner().is_labelled("ring", &ours));
        assert!(!owner().is_labelled("redis", &ours));
        assert!(!Owner { name: "other".to_owned(), ..owner() }.is_labelled("ring", &ours));
        assert!(!Owner { namespace: "web".to_owned(), ..owner() }.is_labelled("ring", &ours));
        assert!(!owner().is_labelled("ring", &ObjectMeta { labels: None, ..ours }));
        let selector = owner().list_selector("ring");
        assert!(selector.split(',').any(|label| label == "app.kubernetes.io/instance=shop"), "{selector}");
    }
}
