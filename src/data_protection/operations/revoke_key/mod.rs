//! A key that is never to be used again, or all that there are, because an annotation asks for it.
//!
//! In: the settings with the request, what was observed, the ring, how far the sweep is, the time. Out: [`Revoke`]: what is
//! said, the revocation that is to be made, and the sweep that counts or removes. What becomes unreadable is counted and said
//! first; but whoever revokes a key is in a hurry, so that a Redis that cannot be asked delays it for two minutes at most.
//!
//! ```text
//! requested ──▶ Counting ──▶ revocations, and a new key where the active one is revoked ──▶ removal ──▶ Completed
//! ```
//!
//! That a key was revoked is read from the Secret of its revocation, which names the request. Where all are revoked, the new
//! key is made first, and its Secret names the request and each of the keys: so whoever goes on after a crash knows which were
//! meant, and revokes the rest of them, and no other. What follows once they are published is told in `removal`.

pub(crate) mod messages;
mod order;
pub(crate) mod removal;
mod stages;

use jiff::Timestamp;

use crate::{
    api::v1alpha1::{Inspect, OperationStage, OperationStatus, OperationType, REVOKE_KEY_ANNOTATION, Remedy},
    capability::operation::{self, Again, Request, is},
    condition::Message,
    data_protection::{
        key::{id::KeyId, revocation::Revocation},
        operations::readers,
        ring::{Ring, in_use::EntriesOfKeys},
        secrets::{Replaced, RingSecrets},
        settings::{Settings, revoke::RevokeRequest},
    },
};
use order::{another, begun, find, lacks_room};

/// How far a revocation on request is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Revoke {
    /// What is said of it.
    pub operation: Option<OperationStatus>,
    /// The revocation that is to be made.
    pub order: Option<Revocations>,
    /// The sweep that is to be made.
    pub sweep: Option<EntriesOfKeys>,
    /// When it is to be looked at again.
    pub wake_at: Option<Timestamp>,
}

/// Revocations that are to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocations {
    /// The revocations, one for each key. The same request makes the same ones.
    pub revocations: Vec<Revocation>,
    /// The request that they answer.
    pub requested: Timestamp,
    /// Whether a key is to be made that encrypts at once.
    pub needs_key: bool,
    /// What that one's Secret says of the keys that it replaces.
    pub replaces: Option<Replaced>,
}

/// How old a look at the pods that use the ring may be, where what is removed depends on them.
#[must_use]
pub fn looks_since(settings: &Settings, operations: &[OperationStatus], now: Timestamp) -> Option<Timestamp> {
    let wish = settings.revoke.as_ref().filter(|wish| wish.removes)?;
    let Request::At(requested) = wish.request else { return None };
    let entry = operation::entry_in(operations, OperationType::RevokeKey).filter(|entry| is(entry, requested));
    readers::looks_since(entry.filter(|entry| !entry.stage.is_final())?, now)
}

/// Reads how far it is.
#[must_use]
pub fn read(settings: &Settings, observed: &RingSecrets, ring: Option<&Ring>, now: Timestamp) -> Revoke {
    let before = operation::entry_in(&observed.beside.operations, OperationType::RevokeKey);
    let Some(wish) = &settings.revoke else {
        return said(before.filter(|before| before.stage.outlasts_request()).cloned());
    };
    let again = |words: &str| another(ring?, words, now);
    let requested = match &wish.request {
        Request::Malformed(value) => {
            let message = operation::malformed(&settings.owner, REVOKE_KEY_ANNOTATION, value, again(value).as_ref());
            return said(Some(entry(OperationStage::Ignored, None, message)));
        }
        Request::At(time) => *time,
    };
    let before = before.filter(|before| is(before, requested));
    if let Some(before) = before.filter(|before| before.stage.is_final()) {
        return said(Some(before.clone()));
    }
    let ignored_but = |why: &str, again: Option<Again>| {
        let message = operation::ignored(&settings.owner, REVOKE_KEY_ANNOTATION, why, again.as_ref());
        said(Some(entry(OperationStage::Ignored, Some(requested), message)))
    };
    let ignored = |why: &str| ignored_but(why, again(&wish.words()));
    let Some(ring) = ring else {
        return ignored("spec.dataProtection.mode is None, so the operator has no keys");
    };
    let begun = begun(wish, observed, ring, before, requested);
    let is_begun = begun.is_some();
    if let Some(odd) = wish.odd.as_ref().filter(|_| !is_begun) {
        return ignored(&format!("after the key only `remove` may stand, not {odd:?}"));
    }
    if wish.removes && settings.inspect == Inspect::Metadata && !is_begun {
        let why = "spec.entries.inspect is Metadata, so the entries to remove cannot be found";
        let again = again(wish.key.as_deref().unwrap_or_default());
        let inspect = Remedy::free("set spec.entries.inspect: Payloads, and request it as before");
        let message = operation::ignored(&settings.owner, REVOKE_KEY_ANNOTATION, why, again.as_ref()).first(inspect);
        return said(Some(entry(OperationStage::Ignored, Some(requested), message)));
    }
    // One that was seen in time is followed, however long it had to wait.
    if let Some(why) = operation::refused(requested, settings.created, now).filter(|_| before.is_none() && !is_begun) {
        return ignored(&why);
    }
    let keys = match begun.map_or_else(|| find(ring, wish), Ok) {
        Ok(keys) => keys,
        Err(why) => return ignored(&why),
    };
    let input = Input { settings, observed, wish, requested, before, keys, is_begun, now };
    let left = input.left(ring);
    if left.is_empty() {
        // After a restore from a backup the Secrets tell of what was asked for before it.
        let old = operation::precedes(requested, settings.created).filter(|_| before.is_none());
        return old.map_or_else(|| input.revoked(ring), |why| ignored(&why));
    }
    if settings.held {
        return input
            .kept(OperationStage::Waiting, format!("{} not revoked yet: {}", input.are(), operation::paused()));
    }
    let order = input.order(ring, &left);
    if let Some(why) = lacks_room(&settings.owner.name, ring, &order).filter(|_| !is_begun) {
        return ignored_but(&why, None);
    }
    if order.needs_key && !(crate::data_protection::operations::may_make(observed, ring) && ring.at_once(now).is_some())
    {
        let why = "no key can be made to take its place; see KeyRingReady";
        return input.kept(OperationStage::Waiting, format!("{} not revoked yet: {why}", input.are()));
    }
    input.count(order)
}

struct Input<'seen> {
    settings: &'seen Settings,
    observed: &'seen RingSecrets,
    wish: &'seen RevokeRequest,
    requested: Timestamp,
    before: Option<&'seen OperationStatus>,
    /// The keys that are meant.
    keys: Vec<KeyId>,
    /// Whether something was done for the request already.
    is_begun: bool,
    now: Timestamp,
}

fn said(operation: Option<OperationStatus>) -> Revoke {
    Revoke { operation, ..Revoke::default() }
}

fn entry(stage: OperationStage, requested: Option<Timestamp>, message: impl Into<Message>) -> OperationStatus {
    operation::entry(OperationType::RevokeKey, stage, requested, message)
}
