//! Carries a plan out. It decides nothing: it writes what the plan says, and puts every answer into what the next look sees.
//!
//! In: a plan. Out: what was written, and what failed. A group ends with its first write that fails; the other groups go on. All end
//! with a write that finds something else than the plan was made for.

pub mod leftovers;

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::api::apps::v1::StatefulSet;

use super::{context::Context, decide::plan::Plan, journal, watch::GuardedRef};
use crate::{
    capability::part::{Group, Needs},
    kubernetes::{
        object::{Kind, Object, Reference},
        write::{self, Answer, Write, WriteError, WriteErrorClass, admitted::Admitted},
    },
};

/// What became of the plans of a pass.
#[derive(Debug, Default)]
pub struct Applied {
    /// How many objects were written or deleted.
    pub changed: usize,
    /// Whether anything was learned: then it is to be decided anew.
    pub is_answered: bool,
    /// Whether the API server has accepted what the spec leads to.
    pub is_rehearsed: bool,
    /// What was done to objects as a whole.
    pub changes: Vec<ObjectChange>,
    /// The write that failed, of the first group that had one.
    pub failure: Option<WriteError>,
    /// What was put right, in sentences, by the name of the group of writes.
    pub mended: BTreeMap<&'static str, Vec<String>>,
}

/// What was done to an object as a whole, which is told also where the plan was not finished.
#[derive(Debug, Clone, PartialEq)]
pub enum ObjectChange {
    /// It was deleted.
    Deleted(Reference),
    /// It was owned by nobody, and is the cache's again.
    Adopted(Reference),
}

/// Carries a plan out, and adds to `applied` what became of it. Groups do not wait for each other: none is to fail because another
/// does. Returns whether it is to be decided anew: something was learned. After a failure nothing is carried out any more.
pub async fn carry_out(context: &Context, key: &GuardedRef, plan: &Plan, applied: &mut Applied) -> bool {
    if applied.failure.is_some() {
        return false;
    }
    applied.is_answered = false;
    write(context, key, plan, applied).await;
    for Group { name, mends, .. } in plan.groups.iter().filter(|_| applied.is_answered) {
        let before = applied.mended.entry(name).or_default();
        let new: Vec<String> = mends.iter().filter(|mend| !before.contains(mend)).cloned().collect();
        before.extend(new);
    }
    applied.is_answered
}

async fn write(context: &Context, key: &GuardedRef, plan: &Plan, applied: &mut Applied) {
    // Without `..`: something that is planned and not carried out does not compile.
    let Plan { rehearsal, groups, held: _ } = plan;
    let mut is_refused = false;
    if let Some(object) = rehearsal.as_ref().filter(|_| !applied.is_rehearsed) {
        match write::rehearse(&context.client, object).await {
            Ok(Answer::Taken(taken)) => {
                context.absorb(taken);
                applied.is_answered = true;
                return;
            }
            Ok(_) => applied.is_rehearsed = true,
            Err(error) => {
                (is_refused, applied.is_answered) = (true, true);
                applied.failure = Some(error);
            }
        }
    }
    for Group { name, needs, is_chain: _, rehearsal: _, writes, unneeded: _, mends: _ } in groups {
        if is_refused && *needs == Needs::AcceptedSpec {
            continue;
        }
        for write in writes {
            // The watch may tell of the write before it is answered.
            let live = live(context, key, write);
            match write::execute(&context.client, write).await {
                Ok(answer) => {
                    applied.is_answered = true;
                    if matches!(answer, Answer::Stored(_) | Answer::Deleted(_)) {
                        context.brake(key, |brake| brake.wrote(write, Context::now()));
                    }
                    tracing::debug!(cache = key.name, namespace = key.namespace, group = name, ?write, "written");
                    journal::change(key, write, &answer, live.as_deref());
                    if !absorb(context, key, write, answer, applied) {
                        return;
                    }
                }
                Err(error) => {
                    applied.is_answered = true;
                    learn(context, key, write, &error).await;
                    applied.failure.get_or_insert(error);
                    break;
                }
            }
        }
    }
}

/// The `StatefulSet` that a write changes, as it was.
fn live(context: &Context, key: &GuardedRef, write: &Write) -> Option<Arc<StatefulSet>> {
    let namespace = key.namespace.as_deref().unwrap_or_default();
    (write.kind() == Kind::StatefulSet).then(|| context.caches.stateful_sets.get(namespace, &write.name())).flatten()
}

/// Puts an answer into what the next look sees. Returns whether the plan still holds.
fn absorb(context: &Context, key: &GuardedRef, write: &Write, answer: Answer, applied: &mut Applied) -> bool {
    match answer {
        Answer::Stored(stored) => {
            applied.changed += 1;
            if let Write::Create(Object::StatefulSet(wanted)) | Write::Apply(Object::StatefulSet(wanted)) = write
                && let Some(admitted) = Admitted::new(stored.metadata(), &wanted.spec)
            {
                context.remember(key, |it| it.admitted = Some(admitted));
            }
            if let Write::Adopt(object, _) = write {
                applied.changes.push(ObjectChange::Adopted(object.clone()));
            }
            if let Write::Label(object, _) = write {
                context.remember(key, |it| it.marked.insert(&object.metadata));
            }
            context.absorb(stored);
            true
        }
        Answer::Taken(taken) => {
            context.absorb(taken);
            false
        }
        Answer::Deleted(object) => {
            applied.changed += 1;
            context.absorb_deletion(&object);
            applied.changes.push(ObjectChange::Deleted(*object));
            true
        }
        Answer::Nothing => false,
    }
}

/// What a write failed on is another object by now, most likely: it is read anew, so that the next look does not wait for the
/// watch. Where that fails too, the watch tells it.
async fn learn(context: &Context, key: &GuardedRef, write: &Write, error: &WriteError) {
    if error.class() != WriteErrorClass::Conflict {
        return;
    }
    if let Write::Apply(Object::Secret(_)) | Write::Amend { .. } = write {
        context.reread_secret(key.namespace.as_deref().unwrap_or_default(), &write.name()).await;
    }
}
