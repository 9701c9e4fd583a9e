//! What the API server records of who wrote an object: its `managedFields`.
//!
//! In: metadata. Out: field managers. Nobody can tell for sure who made an object; but whoever set a field is recorded, and a
//! copy has other managers than what it was copied from.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry, ObjectMeta};
use serde_json::{Map, Value, json};

use super::{APPLIED_ANNOTATION, FIELD_MANAGER, ORPHANED, STATUS_FIELD_MANAGER};

/// The managers that set the reference to the owner with this UID; `None` for one without a name.
#[must_use]
pub fn setters_of_owner<'object>(object: &'object ObjectMeta, uid: &str) -> Vec<Option<&'object str>> {
    let entries = object.managed_fields.iter().flatten();
    entries.filter(|entry| sets_owner(entry, uid)).map(|entry| entry.manager.as_deref()).collect()
}

fn sets_owner(entry: &ManagedFieldsEntry, uid: &str) -> bool {
    let references = entry.fields_v1.as_ref().map(|fields| &fields.0["f:metadata"]["f:ownerReferences"]);
    references.and_then(Value::as_object).into_iter().flatten().any(|(path, _)| {
        let keys = path.strip_prefix("k:").and_then(|keys| serde_json::from_str::<Value>(keys).ok());
        keys.is_some_and(|keys| keys["uid"] == uid)
    })
}

/// The first manager of an object that the operator has not written; `None` where it has, or nobody knows who has. Whoever
/// writes the status only has not written the object.
#[must_use]
pub fn stranger(object: &ObjectMeta) -> Option<&str> {
    let entries = object.managed_fields.iter().flatten().filter(|entry| entry.subresource.is_none());
    let managers: Vec<&str> = entries.map(|entry| entry.manager.as_deref().unwrap_or("unknown")).collect();
    managers.first().copied().filter(|_| !managers.contains(&FIELD_MANAGER))
}

/// Whether the operator has written an object, and nobody else has, but for its status.
#[must_use]
pub fn is_only_ours(object: &ObjectMeta) -> bool {
    let mut entries = object.managed_fields.iter().flatten().filter(|entry| entry.subresource.is_none()).peekable();
    entries.peek().is_some() && entries.all(|entry| entry.manager.as_deref() == Some(FIELD_MANAGER))
}

/// The manager, other than the operator, that has changed an object since the operator wrote it last; `None` where nobody is
/// recorded, as of who only removed fields.
#[must_use]
pub fn changer(object: &ObjectMeta) -> Option<&str> {
    changer_of(object, None, FIELD_MANAGER)
}

/// [`changer`] of the status.
#[must_use]
pub fn changer_of_status(object: &ObjectMeta) -> Option<&str> {
    changer_of(object, Some("status"), STATUS_FIELD_MANAGER)
}

fn changer_of<'object>(object: &'object ObjectMeta, of: Option<&str>, we: &str) -> Option<&'object str> {
    let entries = || object.managed_fields.iter().flatten().filter(|entry| entry.subresource.as_deref() == of);
    let time = |entry: &ManagedFieldsEntry| entry.time.as_ref().map(|time| time.0);
    let is_ours = |entry: &&ManagedFieldsEntry| entry.manager.as_deref() == Some(we);
    let written = entries().filter(is_ours).filter_map(time).max();
    let others = entries().filter(|entry| !is_ours(entry) && time(entry) >= written);
    others.max_by_key(|entry| time(entry)).and_then(|entry| entry.manager.as_deref())
}

/// Who wrote an object that no controller owns, in words.
#[must_use]
pub fn writer(object: &ObjectMeta) -> String {
    let managers: Vec<&str> =
        object.managed_fields.iter().flatten().filter_map(|entry| entry.manager.as_deref()).collect();
    match managers.first() {
        Some(_) if managers.contains(&FIELD_MANAGER) => ORPHANED.to_owned(),
        Some(first) => format!("whoever uses the field manager {first}"),
        None => "somebody else".to_owned(),
    }
}

/// The fields of a subresource that a manager wrote, below the name of the subresource: for each way of writing a set of them.
#[must_use]
pub fn written<'object>(object: &'object ObjectMeta, manager: &str, subresource: &str) -> Vec<&'object Value> {
    let is_of_it = |entry: &&ManagedFieldsEntry| {
        entry.manager.as_deref() == Some(manager) && entry.subresource.as_deref() == Some(subresource)
    };
    let entries = object.managed_fields.iter().flatten().filter(is_of_it);
    entries.filter_map(|entry| entry.fields_v1.as_ref()?.0.get(format!("f:{subresource}"))).collect()
}

/// Keeps of the record of a Secret, which is read with its content, what is asked for: as [`slim`], and which keys of its data the
/// operator has written.
pub fn slim_secret(object: &mut ObjectMeta) {
    for entry in object.managed_fields.iter_mut().flatten() {
        let is_ours = entry.manager.as_deref() == Some(FIELD_MANAGER);
        entry.fields_v1 = entry.fields_v1.take().and_then(|fields| {
            let data = fields.0.get("f:data").filter(|_| is_ours).cloned();
            let references = fields.0.pointer("/f:metadata/f:ownerReferences").cloned();
            let references = references.map(|references| json!({"f:ownerReferences": references}));
            let kept: Map<String, Value> = [("f:data", data), ("f:metadata", references)]
                .into_iter()
                .filter_map(|(field, kept)| Some((field.to_owned(), kept?)))
                .collect();
            (!kept.is_empty()).then(|| FieldsV1(kept.into()))
        });
    }
}

/// Keeps of the record what is asked for: of the managers their names, and whether they set an owner. The rest of it is most of
/// an object's size. Where the object does not say what was asked for when it was written last, which an earlier version of the
/// operator did not note, what the operator applied is kept too.
pub fn slim(object: &mut ObjectMeta) {
    let is_marked = object.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(APPLIED_ANNOTATION));
    let is_spare = |entry: &&mut ManagedFieldsEntry| is_marked || entry.manager.as_deref() != Some(FIELD_MANAGER);
    for entry in object.managed_fields.iter_mut().flatten().filter(is_spare) {
        entry.fields_v1 = entry.fields_v1.take().and_then(|fields| {
            let references = fields.0.pointer("/f:metadata/f:ownerReferences")?.clone();
            Some(FieldsV1(json!({"f:metadata": {"f:ownerReferences": references}})))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_changed_an_object_since_the_operator_wrote_it_is_known_by_the_latest_record() {
        let of = |records: &[(&str, &str, Option<&str>)]| {
            let entry = |(manager, time, subresource): &(&str, &str, Option<&str>)| {
                let time = format!("2026-01-01T00:00:{time}Z");
                json!({"manager": manager, "operation": "Update", "time": time, "subresource": subresource})
            };
            let fields: Vec<Value> = records.iter().map(entry).collect();
            serde_json::from_value::<ObjectMeta>(json!({ "managedFields": fields })).unwrap()
        };
        let changer = |records: &[(&str, &str, Option<&str>)]| changer(&of(records)).map(str::to_owned);
        let ours = (FIELD_MANAGER, "20", None);
        assert_eq!(changer(&[ours, ("early", "19", None)]), None);
        assert_eq!(
            changer(&[ours, ("kubectl-edit", "20", None)]),
            Some("kubectl-edit".to_owned()),
            "in the same second"
        );
        assert_eq!(changer(&[("argocd", "25", None), ours, ("kubectl-edit", "21", None)]), Some("argocd".to_owned()));
        assert_eq!(changer(&[ours, ("kube-controller-manager", "30", Some("status"))]), None);
        assert_eq!(changer(&[]), None);
        let status = of(&[
            ("kubectl-edit", "40", None),
            (STATUS_FIELD_MANAGER, "20", Some("status")),
            ("a", "21", Some("status")),
        ]);
        assert_eq!(changer_of_status(&status), Some("a"));
    }
}
