//! What Events say of objects as a whole: that they were deleted or taken up again, or are left as they are although they look
//! like the cache's own.
//!
//! In: what was changed, and what was left. Out: Events. It writes nothing.

use super::event;
use crate::{
    api::v1alpha1::{Remedy, TokenCache},
    condition::{Message, Reason},
    controller::apply::ObjectChange,
    kubernetes::{event::Event, object::Reference},
};

/// How long a list of objects is, in characters.
const LONGEST_LIST: usize = 200;

/// What is told of what was done: each deletion, and in one sentence what was taken up again.
#[must_use]
pub fn of_changes(changes: &[ObjectChange]) -> Vec<Event> {
    let (mut told, mut adopted) = (Vec::new(), Vec::new());
    for change in changes {
        match change {
            ObjectChange::Adopted(child) => adopted.push(child.to_string()),
            ObjectChange::Deleted(child) => {
                told.push(event(
                    Reason::ObjectDeleted,
                    format!("{child} was deleted, since nothing needs it any more"),
                ));
            }
        }
    }
    if !adopted.is_empty() {
        let note = format!(
            "adopted {}, as after a restore: they had all labels of this TokenCache and no owner",
            first_of(&adopted)
        );
        told.push(event(Reason::ObjectsAdopted, note));
    }
    told
}

/// The first names, as many as an Event has room for, and how many more there are.
fn first_of(names: &[String]) -> String {
    let fits = |count: &usize| names[..*count].join(", ").chars().count() <= LONGEST_LIST;
    let count = (1..=names.len()).take_while(fits).last().unwrap_or_default();
    let told = names[..count].join(", ");
    match names.len() - count {
        0 => told,
        more => format!("{told} and {more} more"),
    }
}

/// What is told of an object that is left as it is. No condition tells of it, so that the command stands in the Event itself.
#[must_use]
pub fn of_copy(cache: &TokenCache, child: &Reference) -> Event {
    let message = copy(cache, child);
    let commands = message.remedies.iter().filter_map(|remedy| remedy.command.as_ref());
    let commands: Vec<String> = commands.map(|command| format!(": `{command}`")).collect();
    event(Reason::ObjectLeftAlone, message.told() + &commands.concat())
}

/// What is so of a copy, and what helps.
#[must_use]
pub fn copy(cache: &TokenCache, child: &Reference) -> Message {
    let owner = cache.metadata.name.as_deref().unwrap_or_default();
    let (kind, name) = (child.kind.as_str(), child.name());
    let namespace = cache.metadata.namespace.as_deref().unwrap_or_default();
    let keep = Remedy::free("to keep it, remove its ownerReferences").command(format!(
        "kubectl -n {namespace} patch {} {name} --type=json -p '[{{\"op\":\"remove\",\"path\":\"/metadata/ownerReferences\"}}]'",
        kind.to_lowercase()
    ));
    Message::from(format!(
        "{kind} {name} has labels and owner of TokenCache {owner}, but the operator did not make it: most likely it is a copy. \
         Nothing uses it, and it is deleted with the TokenCache"
    ))
    .remedy(keep)
}
