//! What is to be written so that an owned object is as it is wanted.
//!
//! In: what stands under the name, and what is wanted there. Out: at most one write; none where the live object is like it, or
//! is not the owner's. Each object says in an annotation what was asked for when it was written last: an object that was made
//! by a POST has no record of an apply, by which a field that is not wanted any more could be told.
//!
//! An apply takes away what an earlier apply put there and the POST has no record of. So the record of the POST goes before the
//! first apply that may take anything away: where none has come before, it becomes that of an apply. Those that come before take
//! nothing away, so that each has all of the POST's that was asked for, and the record may go once one has come.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use k8s_openapi::{api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use serde::Serialize;

use super::{Posted, Write, settled::Settled, subset};
use crate::kubernetes::{
    identity::{APPLIED_ANNOTATION, FIELD_MANAGER, Found},
    object::{Kind, Namespaced, Object, Reference},
};

/// What is to be written so that an object is as it is wanted. With the UID of the live one, so that another that takes its
/// place meanwhile is left alone.
#[must_use]
pub fn upkeep<K>(settled: &Settled, live: &Found<Arc<K>>, mut wanted: K) -> Option<Write>
where
    K: Namespaced,
    Object: From<K>,
{
    let live = match live {
        Found::Absent => {
            stamp(&mut wanted);
            return Some(Write::Create(wanted.into()));
        }
        Found::Owned(live) => live,
        Found::Leftover | Found::Restored(_) | Found::Foreign(_) => return None,
    };
    if settled.holds(live.meta(), &wanted, || is_as_wanted(live.as_ref(), &wanted)) {
        return None;
    }
    stamp(&mut wanted);
    let takes_away = !subset::names_all_of(live.as_ref(), &wanted);
    wanted.meta_mut().uid.clone_from(&live.meta().uid);
    let wanted = Object::from(wanted);
    Some(match posted(live.meta()).filter(|_| takes_away) {
        // Then what is to be applied is decided on again.
        Some(posted) => Write::TakeOver(Reference { kind: wanted.kind(), metadata: live.meta().clone() }, posted),
        None => Write::Apply(wanted),
    })
}

fn is_as_wanted<K: Namespaced>(live: &K, wanted: &K) -> bool {
    let mut wanted = wanted.clone();
    // One that says nothing was written by an earlier version of the operator, which has left its record.
    if noted(live.meta()).is_some() {
        stamp(&mut wanted);
    }
    subset::holds(live, &wanted)
}

/// What comes before anything is shown to the API server as if it were applied to an object that a POST made, if one did.
#[must_use]
pub fn take_over(kind: Kind, live: &ObjectMeta) -> Option<Write> {
    let posted = posted(live).filter(|posted| !posted.is_spare)?;
    Some(Write::TakeOver(Reference { kind, metadata: live.clone() }, posted))
}

/// [`upkeep`] of a Secret, of which nothing says what was asked for: keys of its data that the operator has put there and that
/// are not wanted any more are taken out by name.
#[must_use]
pub fn upkeep_secret(settled: &Settled, live: &Found<Arc<Secret>>, mut wanted: Secret) -> Option<Write> {
    let live = match live {
        Found::Absent => return Some(Write::Create(wanted.into())),
        Found::Owned(live) => live,
        Found::Leftover | Found::Restored(_) | Found::Foreign(_) => return None,
    };
    let left_behind = || subset::left_behind(live, &wanted);
    let is_as_wanted = || left_behind().is_empty() && subset::holds(live.as_ref(), &wanted);
    if settled.holds(&live.metadata, &wanted, is_as_wanted) {
        return None;
    }
    let without = left_behind();
    wanted.metadata.uid.clone_from(&live.metadata.uid);
    if without.is_empty() {
        return Some(Write::Apply(wanted.into()));
    }
    wanted.metadata.resource_version.clone_from(&live.metadata.resource_version);
    Some(Write::Amend { secret: wanted, without })
}

/// Whether an object may have been written for this wish, by what it says.
#[must_use]
pub fn is_written_for<K: Namespaced>(live: &K, wanted: &K) -> bool {
    noted(live.meta()).is_none_or(|noted| mark(wanted).is_none_or(|mark| noted == mark))
}

fn noted(live: &ObjectMeta) -> Option<&str> {
    live.annotations.as_ref()?.get(APPLIED_ANNOTATION).map(String::as_str)
}

/// Tells one wish from another.
fn mark(wanted: &impl Serialize) -> Option<String> {
    let digest = digest(&SHA256, &serde_json::to_vec(wanted).ok()?);
    Some(hex::encode(digest.as_ref().get(..8)?))
}

fn stamp<K: Namespaced>(wanted: &mut K) {
    let mark = mark(wanted).map(|mark| (APPLIED_ANNOTATION.to_owned(), mark));
    wanted.meta_mut().annotations.get_or_insert_default().extend(mark);
}

/// The record of the POST that made an object.
fn posted(live: &ObjectMeta) -> Option<Posted> {
    let records = || live.managed_fields.iter().flatten().enumerate();
    let ours = |operation: &'static str| {
        records().find(move |(_, record)| {
            record.manager.as_deref() == Some(FIELD_MANAGER)
                && record.operation.as_deref() == Some(operation)
                && record.subresource.is_none()
        })
    };
    let (index, _) = ours("Update")?;
    Some(Posted { index, version: live.resource_version.clone()?, is_spare: ours("Apply").is_some() })
}

#[cfg(test)]
mod tests {
    use k8s_openapi::{
        api::core::v1::ConfigMap,
        apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry},
    };
    use serde_json::{Value, json};

    use super::*;

    fn wanted(keys: &[&str]) -> ConfigMap {
        let data = keys.iter().map(|key| ((*key).to_owned(), "1".to_owned())).collect();
        let metadata = ObjectMeta { name: Some("a".to_owned()), ..ObjectMeta::default() };
        ConfigMap { metadata, data: Some(data), ..ConfigMap::default() }
    }

    /// As the API server keeps what was written for this wish: by an operation of these managers.
    fn stored(keys: &[&str], records: &[(&str, &str)]) -> Found<Arc<ConfigMap>> {
        let Some(Write::Create(Object::ConfigMap(made))) = upkeep(&Settled::default(), &Found::Absent, wanted(keys))
        else {
            panic!()
        };
        let mut live = Arc::unwrap_or_clone(made);
        live.metadata.uid = Some("uid".to_owned());
        live.metadata.resource_version = Some("7".to_owned());
        let record = |(manager, operation): &(&str, &str)| ManagedFieldsEntry {
            manager: Some((*manager).to_owned()),
            operation: Some((*operation).to_owned()),
            ..ManagedFieldsEntry::default()
        };
        live.metadata.managed_fields = Some(records.iter().map(record).collect());
        Found::Owned(Arc::new(live))
    }

    fn said(live: &Found<Arc<ConfigMap>>, keys: &[&str]) -> Option<String> {
        upkeep(&Settled::default(), live, wanted(keys)).map(|write| format!("{write:?}"))
    }

    #[test]
    fn what_is_not_seen_is_created_and_what_is_anothers_is_left_alone() {
        assert_eq!(said(&Found::Absent, &["k"]).as_deref(), Some("create ConfigMap a"));
        for found in
            [Found::Leftover, Found::Restored("velero".to_owned()), Found::Foreign("Deployment web".to_owned())]
        {
            assert_eq!(said(&found, &["k"]), None);
        }
    }

    #[test]
    fn what_was_made_for_the_same_wish_is_left_as_it_is_whatever_others_have_added() {
        let Found::Owned(live) = stored(&["k"], &[(FIELD_MANAGER, "Update")]) else { panic!() };
        let mut live = Arc::unwrap_or_clone(live);
        live.data.as_mut().unwrap().insert("theirs".to_owned(), "2".to_owned());
        assert_eq!(said(&Found::Owned(Arc::new(live)), &["k"]), None);
    }

    #[test]
    fn what_was_found_to_be_as_it_is_wanted_is_written_again_once_it_or_the_wish_is_another() {
        let settled = Settled::default();
        let written = |live: &Found<Arc<ConfigMap>>, keys: &[&str]| upkeep(&settled, live, wanted(keys)).is_some();
        let live = stored(&["k"], &[(FIELD_MANAGER, "Apply")]);
        assert!(!written(&live, &["k"]) && !written(&live, &["k"]));
        assert!(written(&live, &["k", "more"]), "another version of the operator wants more");
        let Found::Owned(drifted) = live.clone() else { panic!() };
        let mut drifted = Arc::unwrap_or_clone(drifted);
        drifted.metadata.resource_version = Some("8".to_owned());
        drifted.data = None;
        assert!(written(&Found::Owned(Arc::new(drifted)), &["k"]), "somebody has changed it");
        assert!(!written(&live, &["k"]), "and has put it back");
    }

    #[test]
    fn what_a_post_made_is_taken_over_before_it_is_applied_so_that_what_is_not_wanted_any_more_goes() {
        let posted = stored(&["k", "spare"], &[("kube-controller-manager", "Update"), (FIELD_MANAGER, "Update")]);
        let Some(Write::TakeOver(object, posted)) = upkeep(&Settled::default(), &posted, wanted(&["k"])) else {
            panic!()
        };
        assert_eq!((object.name(), posted), ("a", Posted { index: 1, version: "7".to_owned(), is_spare: false }));
        let applied = stored(&["k", "spare"], &[(FIELD_MANAGER, "Apply")]);
        assert_eq!(said(&applied, &["k"]).as_deref(), Some("apply ConfigMap a"));
        let Some(Write::Apply(Object::ConfigMap(again))) = upkeep(&Settled::default(), &applied, wanted(&["k"])) else {
            panic!()
        };
        assert_eq!(again.metadata.uid.as_deref(), Some("uid"), "another object of that name is left alone");
    }

    #[test]
    fn what_a_post_made_is_applied_at_once_where_nothing_of_it_goes_and_its_record_goes_before_anything_does() {
        let posted = stored(&["k", "spare"], &[(FIELD_MANAGER, "Update")]);
        assert_eq!(said(&posted, &["k", "spare", "more"]).as_deref(), Some("apply ConfigMap a"));
        let both = stored(&["k", "spare", "more"], &[(FIELD_MANAGER, "Apply"), (FIELD_MANAGER, "Update")]);
        assert_eq!(said(&both, &["k", "spare", "more", "most"]).as_deref(), Some("apply ConfigMap a"));
        let Some(Write::TakeOver(_, posted)) = upkeep(&Settled::default(), &both, wanted(&["k", "more"])) else {
            panic!()
        };
        assert_eq!(posted, Posted { index: 1, version: "7".to_owned(), is_spare: true });
    }

    #[test]
    fn an_object_that_an_earlier_version_made_is_judged_by_its_record() {
        let without_note = |fields: Value| {
            let Found::Owned(live) = stored(&["k", "spare"], &[(FIELD_MANAGER, "Apply")]) else { panic!() };
            let mut live = Arc::unwrap_or_clone(live);
            live.metadata.annotations = None;
            live.metadata.managed_fields.as_mut().unwrap()[0].fields_v1 = Some(FieldsV1(fields));
            Found::Owned(Arc::new(live))
        };
        let of_another = without_note(json!({"f:data": {"f:k": {}}}));
        assert_eq!(said(&of_another, &["k"]), None);
        let ours = without_note(json!({"f:data": {"f:k": {}, "f:spare": {}}}));
        assert_eq!(said(&ours, &["k"]).as_deref(), Some("apply ConfigMap a"));
    }

    #[test]
    fn of_a_secret_the_keys_that_the_operator_put_there_and_nobody_wants_are_taken_out_by_name() {
        let secret = |keys: &[&str]| {
            let data = keys.iter().map(|key| ((*key).to_owned(), k8s_openapi::ByteString(b"1".to_vec()))).collect();
            let metadata = ObjectMeta { name: Some("s".to_owned()), ..ObjectMeta::default() };
            Secret { metadata, data: Some(data), ..Secret::default() }
        };
        let mut live = secret(&["k", "spare", "theirs"]);
        live.metadata.managed_fields = Some(vec![ManagedFieldsEntry {
            manager: Some(FIELD_MANAGER.to_owned()),
            operation: Some("Update".to_owned()),
            fields_v1: Some(FieldsV1(json!({"f:data": {"f:k": {}, "f:spare": {}}}))),
            ..ManagedFieldsEntry::default()
        }]);
        let write = upkeep_secret(&Settled::default(), &Found::Owned(Arc::new(live)), secret(&["k"])).unwrap();
        assert_eq!(format!("{write:?}"), "amend Secret s without [\"spare\"]");
    }
}
