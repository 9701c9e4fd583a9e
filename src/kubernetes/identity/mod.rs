//! Who owns an object: owner references, field managers, labels.
//!
//! In: an owner, and objects as they are. Out: whose an object is, and what the owner's own ones carry. It asks nobody.

pub mod labels;
pub mod managed_fields;

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Resource;

/// Field manager of everything that the operator owns.
pub const FIELD_MANAGER: &str = "tokencache-operator";
/// Field manager of the status.
pub const STATUS_FIELD_MANAGER: &str = "tokencache-operator-status";

/// The annotation of an owned object that says what was asked for when it was written last, as a hash.
pub const APPLIED_ANNOTATION: &str = "tokencache.dev/applied";

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
    Absent,
    /// The owner's own object.
    Owned(T),
    /// An earlier owner's object, which is being collected.
    Leftover,
    /// Nobody's object, which is the owner's own by all it carries, but another field manager wrote it: which.
    Restored(String),
    /// Somebody else's object: whose, in words.
    Foreign(String),
}

/// What an object is like that an owner takes up again where nobody owns it. A restore from a backup drops owner references.
pub struct Wanted<'a, T: ?Sized> {
    /// The component that its labels are to name.
    pub component: &'a str,
    /// Whether it is what would be made, in what cannot be put right.
    pub fits: &'a (dyn Fn(&T) -> bool + Sync),
    /// Whether it is taken up also where another field manager wrote it.
    pub is_restored: bool,
}

impl<T> Found<T> {
    /// The owner's own object, if that is what was found.
    pub fn owned(&self) -> Option<&T> {
        match self {
            Self::Owned(object) => Some(object),
            Self::Absent | Self::Leftover | Self::Restored(_) | Self::Foreign(_) => None,
        }
    }
}

impl Owner {
    /// What a live object is to this owner. What nobody owns is the owner's own where it carries all that says so.
    #[must_use]
    pub fn found<K>(&self, live: Option<Arc<K>>, wanted: &Wanted<'_, K>) -> Found<Arc<K>>
    where
        K: Resource<DynamicType = ()>,
    {
        let Some(object) = live else { return Found::Absent };
        match self.ownership(object.meta()) {
            Ownership::Ours => Found::Owned(object),
            Ownership::Earlier => Found::Leftover,
            Ownership::Foreign(holder) => match self.writer(wanted.component, object.meta()) {
                Some(_) if !(wanted.fits)(&object) => Found::Foreign(holder),
                Some(Writer::Other(manager)) if !wanted.is_restored => Found::Restored(manager),
                Some(_) => Found::Owned(object),
                None => Found::Foreign(holder),
            },
        }
    }

    /// Who wrote an object that nobody owns and that is this owner's by all its labels; `None` where it is not.
    fn writer(&self, component: &str, object: &ObjectMeta) -> Option<Writer> {
        let has = |key: &String| object.labels.as_ref().is_some_and(|labels| labels.contains_key(key));
        let is_labelled = self.is_labelled(component, object) && self.labels(component).keys().all(has);
        if is_owned(object) || object.deletion_timestamp.is_some() || !is_labelled {
            return None;
        }
        Some(managed_fields::stranger(object).map_or(Writer::Us, |manager| Writer::Other(manager.to_owned())))
    }

    /// Metadata of an owned object.
    #[must_use]
    pub fn metadata(&self, name: String, component: &str) -> ObjectMeta {
        ObjectMeta {
            name: Some(name),
            namespace: Some(self.namespace.clone()),
            labels: Some(self.labels(component).into_iter().chain(self.own_labels(component)).collect()),
            owner_references: Some(vec![self.reference()]),
            ..ObjectMeta::default()
        }
    }

    /// Whether the operator made an object for this owner, by what the API server recorded: its field manager set the owner
    /// reference, and nobody else did. A copy has labels and owner of what it was copied from, and another manager.
    #[must_use]
    pub fn is_made_by_us(&self, object: &ObjectMeta) -> bool {
        let setters = managed_fields::setters_of_owner(object, &self.uid);
        let is_ours = self.ownership(object) == Ownership::Ours;
        is_ours && !setters.is_empty() && setters.iter().all(|setter| *setter == Some(FIELD_MANAGER))
    }

    /// Who made an object that is not the owner's, in words.
    #[must_use]
    pub fn holder(&self, object: &ObjectMeta) -> String {
        match self.ownership(object) {
            Ownership::Foreign(holder) => holder,
            Ownership::Ours | Ownership::Earlier => format!("{} {}", self.kind, self.name),
        }
    }

    /// The reference to the owner, as each object that it owns has it.
    #[must_use]
    pub fn reference(&self) -> OwnerReference {
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
            None => Ownership::Foreign(managed_fields::writer(object)),
        }
    }
}

fn is_owned(object: &ObjectMeta) -> bool {
    object.owner_references.as_ref().is_some_and(|owners| !owners.is_empty())
}

/// Who wrote an object.
enum Writer {
    /// The operator, or nobody knows who.
    Us,
    /// Another field manager only.
    Other(String),
}

/// Said of an object that the operator made, whose owner reference was removed, and that lacks something else too.
pub const ORPHANED: &str = "nobody, since its owner reference was removed";

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use k8s_openapi::{
        api::core::v1::ConfigMap,
        apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry, Time},
    };
    use serde_json::json;

    use super::*;
    use crate::kubernetes::identity::labels::{OWN_COMPONENT, OWNER_LABEL};

    pub(super) fn owner() -> Owner {
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

    /// With an entry that says that this manager set labels and owner.
    pub(super) fn set_by(manager: &str, mut object: ObjectMeta) -> ObjectMeta {
        let fields = json!({"f:metadata": {"f:labels": {}, "f:ownerReferences": {".": {}, "k:{\"uid\":\"1\"}": {}}}});
        object.managed_fields.get_or_insert_default().push(ManagedFieldsEntry {
            manager: Some(manager.to_owned()),
            fields_v1: Some(FieldsV1(fields)),
            ..ManagedFieldsEntry::default()
        });
        object
    }

    #[test]
    fn what_somebody_else_gave_the_owner_was_not_made_by_us_whatever_else_it_has() {
        let ours = || owner().metadata("shop-redis".to_owned(), "redis");
        assert!(owner().is_made_by_us(&set_by(FIELD_MANAGER, ours())));
        assert!(!owner().is_made_by_us(&ours()), "nobody knows who made it");
        assert!(!owner().is_made_by_us(&set_by("kubectl-create", ours())));
        let both = set_by(FIELD_MANAGER, set_by("kubectl-create", ours()));
        assert!(!owner().is_made_by_us(&both), "a copy under a name of ours, which was put right since");
        let of_another = Owner { uid: "2".to_owned(), ..owner() };
        assert!(!of_another.is_made_by_us(&set_by(FIELD_MANAGER, ours())));
        let mut edited = set_by(FIELD_MANAGER, ours());
        let fields = json!({"f:metadata": {"f:annotations": {"f:a": {}}}});
        edited.managed_fields.get_or_insert_default().push(ManagedFieldsEntry {
            manager: Some("kubectl-edit".to_owned()),
            fields_v1: Some(FieldsV1(fields)),
            ..ManagedFieldsEntry::default()
        });
        assert!(owner().is_made_by_us(&edited), "whoever edits it does not make it theirs");
    }

    #[test]
    fn what_is_left_of_a_record_tells_the_same() {
        let mut copy = set_by(FIELD_MANAGER, set_by("kubectl-create", owner().metadata(String::new(), "redis")));
        managed_fields::slim(&mut copy);
        let fields = copy.managed_fields.as_ref().unwrap();
        assert_eq!(fields[0].fields_v1.as_ref().unwrap().0["f:metadata"].as_object().unwrap().len(), 1);
        assert_eq!(fields[1].fields_v1.as_ref().unwrap().0["f:metadata"].as_object().unwrap().len(), 2);
        assert!(!owner().is_made_by_us(&copy));
        copy.annotations = Some([(APPLIED_ANNOTATION.to_owned(), "0123456789abcdef".to_owned())].into());
        managed_fields::slim(&mut copy);
        let fields = copy.managed_fields.as_ref().unwrap();
        assert_eq!(fields[1].fields_v1.as_ref().unwrap().0["f:metadata"].as_object().unwrap().len(), 1);
        assert!(!owner().is_made_by_us(&copy));
    }

    fn found(object: &ObjectMeta, fits: bool, is_restored: bool) -> Found<()> {
        let live = Some(Arc::new(ConfigMap { metadata: object.clone(), ..ConfigMap::default() }));
        let wanted = Wanted { component: "redis", fits: &|_: &ConfigMap| fits, is_restored };
        match owner().found(live, &wanted) {
            Found::Absent => Found::Absent,
            Found::Owned(_) => Found::Owned(()),
            Found::Leftover => Found::Leftover,
            Found::Restored(manager) => Found::Restored(manager),
            Found::Foreign(holder) => Found::Foreign(holder),
        }
    }

    /// An object with all labels and no owner, which these field managers have written.
    fn unowned(managers: &[&str]) -> ObjectMeta {
        let bare = ObjectMeta { owner_references: None, ..owner().metadata("shop-redis".to_owned(), "redis") };
        managers.iter().fold(bare, |object, manager| set_by(manager, object))
    }

    #[test]
    fn what_nobody_owns_is_taken_up_again_where_the_operator_wrote_it_or_nobody_knows_who() {
        for managers in [&[][..], &[FIELD_MANAGER], &["kubectl-edit", FIELD_MANAGER], &[FIELD_MANAGER, "velero-server"]]
        {
            assert_eq!(found(&unowned(managers), true, false), Found::Owned(()), "{managers:?}");
        }
        let mut with_status = unowned(&[]);
        let entry = json!({"manager": "kube-controller-manager", "subresource": "status"});
        with_status.managed_fields = Some(vec![serde_json::from_value(entry).unwrap()]);
        assert_eq!(
            found(&with_status, true, false),
            Found::Owned(()),
            "whoever writes the status makes nothing theirs"
        );
    }

    #[test]
    fn where_another_field_manager_wrote_it_somebody_has_to_say_that_it_was_restored() {
        let restored = unowned(&["velero-server", "kubectl-edit"]);
        assert_eq!(found(&restored, true, false), Found::Restored("velero-server".to_owned()));
        assert_eq!(found(&restored, true, true), Found::Owned(()));
        let foreign = Found::Foreign("whoever uses the field manager velero-server".to_owned());
        assert_eq!(found(&restored, false, true), foreign, "it is not what would be made");
    }

    #[test]
    fn what_lacks_a_label_or_has_any_owner_or_is_going_is_not_taken_up_whatever_is_said() {
        let ours = unowned(&[FIELD_MANAGER]);
        for label in owner().labels("redis").keys() {
            let mut object = ours.clone();
            object.labels.as_mut().unwrap().remove(label);
            assert_eq!(found(&object, true, true), Found::Foreign(ORPHANED.to_owned()), "without {label}");
            object.labels.as_mut().unwrap().insert(label.clone(), "other".to_owned());
            assert_eq!(
                found(&object, true, true),
                Found::Owned(()),
                "a policy rewrote {label}, and our own label tells"
            );
            object.labels.as_mut().unwrap().remove(OWNER_LABEL);
            assert_eq!(found(&object, true, true), Found::Foreign(ORPHANED.to_owned()), "with another {label}");
        }
        for label in [OWNER_LABEL, OWN_COMPONENT] {
            let mut object = ours.clone();
            object.labels.as_mut().unwrap().insert(label.to_owned(), "other".to_owned());
            assert_eq!(found(&object, true, true), Found::Foreign(ORPHANED.to_owned()), "with another {label}");
        }
        let earlier = ObjectMeta { labels: Some(owner().labels("redis")), ..ours.clone() };
        assert_eq!(found(&earlier, true, false), Found::Owned(()), "from a backup that an earlier version was in");
        let tied = OwnerReference { controller: Some(false), ..owner().reference() };
        let tied = ObjectMeta { owner_references: Some(vec![tied]), ..ours.clone() };
        assert_eq!(found(&tied, true, true), Found::Foreign(ORPHANED.to_owned()));
        let going = ObjectMeta { deletion_timestamp: Some(Time(Timestamp::UNIX_EPOCH)), ..ours.clone() };
        assert_eq!(found(&going, true, true), Found::Foreign(ORPHANED.to_owned()));
        let elsewhere = ObjectMeta { namespace: Some("web".to_owned()), ..ours };
        assert_eq!(found(&elsewhere, true, true), Found::Foreign(ORPHANED.to_owned()));
    }
}
