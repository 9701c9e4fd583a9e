//! What is to be written so that an owned object is as it is wanted.
//!
//! In: what stands under the name, and what is wanted there. Out: at most one write; none where the live object is like it, or
//! is not the owner's. Each object says in an annotation what was asked for when it was written last: an object that was made
//! by a POST has no record of an apply, by which a field that is not wanted any more could be told.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use k8s_openapi::{api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use serde::Serialize;

use super::{Posted, Write, subset};
use crate::kubernetes::{
    identity::{APPLIED_ANNOTATION, FIELD_MANAGER, Found},
    object::{Namespaced, Object, Reference},
};

/// What is to be written so that an object is as it is wanted. With the UID of the live one, so that another that takes its
/// place meanwhile is left alone.
#[must_use]
pub fn upkeep<K>(live: &Found<Arc<K>>, mut wanted: K) -> Option<Write>
where
    K: Namespaced,
    Object: From<K>,
{
    let mark = mark(&wanted);
    let live = match live {
        Found::Nothing => {
            stamp(wanted.meta_mut(), mark);
            return Some(Write::Create(wanted.into()));
        }
        Found::Ours(live) => live,
        Found::Earlier | Found::Restored(_) | Found::Foreign(_) => return None,
    };
    // One that says nothing was written by an earlier version of the operator, which has left its record.
    let is_noted = noted(live.meta()).is_some();
    if is_noted {
        stamp(wanted.meta_mut(), mark.clone());
    }
    if subset::holds(live.as_ref(), &wanted) {
        return None;
    }
    stamp(wanted.meta_mut(), mark);
    wanted.meta_mut().uid.clone_from(&live.meta().uid);
    let wanted = Object::from(wanted);
    Some(match posted(live.meta()) {
        // Then what is to be applied is decided on again.
        Some(posted) => Write::TakeOver(Reference { kind: wanted.kind(), metadata: live.meta().clone() }, posted),
        None => Write::Apply(wanted),
    })
}

/// [`upkeep`] of a Secret, of which nothing says what was asked for: keys of its data that the operator has put there and that
/// are not wanted any more are taken out by name.
#[must_use]
pub fn upkeep_secret(live: &Found<Arc<Secret>>, mut wanted: Secret) -> Option<Write> {
    let live = match live {
        Found::Nothing => return Some(Write::Create(wanted.into())),
        Found::Ours(live) => live,
        Found::Earlier | Found::Restored(_) | Found::Foreign(_) => return None,
    };
    let without = subset::left_behind(live, &wanted);
    if without.is_empty() && subset::holds(live.as_ref(), &wanted) {
        return None;
    }
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

fn stamp(wanted: &mut ObjectMeta, mark: Option<String>) {
    let mark = mark.map(|mark| (APPLIED_ANNOTATION.to_owned(), mark));
    wanted.annotations.get_or_insert_default().extend(mark);
}

/// The record of the POST that made an object which no apply has changed since.
fn posted(live: &ObjectMeta) -> Option<Posted> {
    let records = || live.managed_fields.iter().flatten().enumerate();
    let ours = |operation: &'static str| {
        records().find(move |(_, record)| {
            record.manager.as_deref() == Some(FIELD_MANAGER)
                && record.operation.as_deref() == Some(operation)
                && record.subresource.is_none()
        })
    };
    if ours("Apply").is_some() {
        return None;
    }
    let (index, _) = ours("Update")?;
    Some(Posted { index, version: live.resource_version.clone()? })
}
