//! Puts the capabilities' writes together into a plan. Pure: the same input, the same plan.
//!
//! In: groups of writes, and what stands under the cache's names. Out: a [`Plan`], by the rules that span capabilities: what is
//! blocked, not accepted yet, fought over, or not needed any more.

use crate::{
    capability::{
        observed::Objects,
        part::{Group, Needs},
    },
    kubernetes::{
        identity::Owner,
        name,
        object::{Kind, Object, Reference},
        write::{Write, upkeep::take_over},
    },
};

/// What is to be done, and nothing that is done already.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// Shown to the API server before the first write of a new generation, so that a spec that it refuses is never
    /// carried out by half.
    pub rehearsal: Option<Object>,
    /// What is to be written. Groups do not wait for each other.
    pub groups: Vec<Group>,
    /// What is to be written as well, and has to wait.
    pub held: Vec<Write>,
}

impl Plan {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }
}

/// What may be done to a cache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stands {
    /// Nothing: it is paused.
    pub is_paused: bool,
    /// Nothing is to begin.
    pub is_blocked: bool,
}

/// What is to be done of these groups. A write of which `waits` holds has to wait.
#[must_use]
pub fn plan(
    (owner, objects): (&Owner, &Objects),
    groups: Vec<Group>,
    Stands { is_paused, is_blocked }: Stands,
    waits: &dyn Fn(&Write) -> bool,
) -> Plan {
    let mut plan = Plan::default();
    if is_paused {
        return plan;
    }
    for mut group in groups.into_iter().filter(|group| !is_blocked || group.needs == Needs::Nothing) {
        if !group.is_chain {
            plan.rehearsal = plan.rehearsal.or(stage(&mut group, (owner, objects), waits));
        }
        plan.held.extend(hold(&mut group, waits));
        if !group.writes.is_empty() {
            plan.groups.push(group);
        }
    }
    plan
}

/// Leaves of a group what comes first: what is owned by nobody is adopted before anything else is written; what was made by a POST is
/// taken over before anything is applied, or shown to the API server as if it were. Returns what is to be rehearsed before the rest.
fn stage(group: &mut Group, (owner, objects): (&Owner, &Objects), waits: &dyn Fn(&Write) -> bool) -> Option<Object> {
    let is_adoption = |write: &Write| matches!(write, Write::Adopt(..));
    let (adoptions, mut writes): (Vec<Write>, Vec<Write>) =
        std::mem::take(&mut group.writes).into_iter().partition(is_adoption);
    if !adoptions.iter().all(waits) {
        group.writes = adoptions;
        return None;
    }
    let is_free = |write: &Write| !adoptions.iter().any(|it| (it.kind(), it.name()) == (write.kind(), write.name()));
    writes.retain(is_free);
    if writes.iter().any(|write| matches!(write, Write::TakeOver(..))) {
        writes.retain(|write| matches!(write, Write::TakeOver(..)));
        group.writes = writes;
        return None;
    }
    // Where only that object is to be applied, it is refused as a whole or not at all.
    let rehearsal = group.rehearsal.take().filter(|rehearsal| match writes.as_slice() {
        [] => false,
        [Write::Apply(only)] => (only.kind(), only.name()) != (rehearsal.object.kind(), rehearsal.object.name()),
        _ => true,
    });
    let live = rehearsal.as_ref().and_then(|rehearsal| Some((rehearsal.object.kind(), rehearsal.live.as_ref()?)));
    if let Some(record) = live.and_then(|(kind, live)| take_over(kind, live)) {
        group.writes = vec![record];
        return None;
    }
    writes.extend(retirees(owner, objects, &group.unneeded).into_iter().map(Write::Delete).chain(adoptions));
    group.writes = writes;
    rehearsal.map(|rehearsal| rehearsal.object)
}

/// Takes out what has to wait, and in a chain what needs it. Returns what others have to end for.
fn hold(group: &mut Group, waits: &dyn Fn(&Write) -> bool) -> Vec<Write> {
    let (mut held, mut is_broken) = (Vec::new(), false);
    for write in std::mem::take(&mut group.writes) {
        if is_broken {
            continue;
        }
        if waits(&write) {
            // Labels and owners nothing needs.
            is_broken = group.is_chain && !matches!(write, Write::Label(..) | Write::Disown(_) | Write::Adopt(..));
            held.push(write);
        } else {
            group.writes.push(write);
        }
    }
    held
}

/// What the operator has made under these names, in another version or under an earlier spec, and nothing needs any more. What
/// somebody else made stays, whatever it carries.
fn retirees(owner: &Owner, objects: &Objects, unneeded: &[(Kind, String)]) -> Vec<Reference> {
    let retiree = |(kind, name): &(Kind, String)| {
        let metadata = objects.metadata(*kind, name)?;
        let is_ours = metadata.deletion_timestamp.is_none() && owner.is_made_by_us(metadata);
        is_ours.then(|| Reference { kind: *kind, metadata: metadata.clone() })
    };
    unneeded.iter().filter_map(retiree).collect()
}

/// What of these objects, which have the cache's labels and owner, was made by somebody else: a copy, most likely. It is left as it
/// is. What holds keys is never among it.
#[must_use]
pub fn left(owner: &Owner, unneeded: &[(Kind, String)], children: &[Reference]) -> Vec<Reference> {
    let is_left = |child: &&Reference| {
        let is_named = |(kind, name): &(Kind, String)| (*kind, name.as_str()) == (child.kind, child.name());
        if child.metadata.deletion_timestamp.is_some() {
            false
        } else if unneeded.iter().any(is_named) {
            !owner.is_made_by_us(&child.metadata)
        } else {
            let outlives = child.kind == Kind::Secret && name::outlives_its_owner(&owner.name, child.name());
            !outlives && !names(&owner.name, child.kind).iter().any(|name| name == child.name())
        }
    };
    children.iter().filter(is_left).cloned().collect()
}

/// Whether an object with the cache's labels and owner may be among what is [`left`], whatever the spec says.
#[must_use]
pub fn may_be_left(owner: &str, kind: Kind, name: &str) -> bool {
    let is_always_needed = match kind {
        Kind::NetworkPolicy => false,
        Kind::Secret => ![name::redis_ca(owner), name::redis_tls(owner), name::redis_rotation(owner)]
            .iter()
            .any(|needed_at_times| needed_at_times == name),
        _ => true,
    };
    !(is_always_needed && names(owner, kind).iter().any(|needed| needed == name))
}

/// The names of a cache's objects of a kind.
#[must_use]
pub fn names(owner: &str, kind: Kind) -> Vec<String> {
    match kind {
        Kind::StatefulSet | Kind::ServiceAccount | Kind::NetworkPolicy => vec![name::redis(owner)],
        Kind::Service => vec![name::redis(owner), name::redis_headless(owner)],
        Kind::ConfigMap => vec![name::redis_config(owner), name::settings(owner)],
        Kind::Secret => name::secrets(owner).to_vec(),
        // The `StatefulSet` controller's.
        Kind::PersistentVolumeClaim => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::{api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};

    use super::*;

    fn named(name: &str) -> ObjectMeta {
        ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() }
    }

    #[test]
    fn what_waits_is_taken_out_and_in_a_chain_all_that_needs_it() {
        let secret = |name| Write::Apply(Secret { metadata: named(name), ..Secret::default() }.into());
        let disown = |name| Write::Disown(Reference { kind: Kind::Secret, metadata: named(name) });
        let names = |writes: &[Write]| writes.iter().map(Write::name).collect::<String>();
        let split = |is_chain, waiting: &str| {
            let writes = vec![disown("a"), secret("b"), secret("c"), secret("d")];
            let mut group = Group {
                name: "test",
                needs: Needs::Nothing,
                is_chain,
                rehearsal: None,
                writes,
                unneeded: Vec::new(),
                mends: Vec::new(),
            };
            let held = hold(&mut group, &|write| waiting.contains(&write.name()));
            (names(&group.writes), names(&held))
        };
        let pair = |left: &str, held: &str| (left.to_owned(), held.to_owned());
        assert_eq!((split(false, ""), split(true, "")), (pair("abcd", ""), pair("abcd", "")));
        assert_eq!((split(false, "bd"), split(true, "bd")), (pair("ac", "bd"), pair("a", "b")));
        assert_eq!((split(false, "a"), split(true, "a")), (pair("bcd", "a"), pair("bcd", "a")), "nothing needs it");
        assert_eq!(split(true, "abcd"), pair("", "ab"));
    }
}
