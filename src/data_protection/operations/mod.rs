//! What annotations ask of a key ring.
//!
//! | module | what |
//! |---|---|
//! | [`rotate_key`] | another key that encrypts |
//! | [`revoke_key`] | keys that are never to be used again |
//! | [`readers`] | who goes on with the ring of before |

pub mod readers;
pub mod revoke_key;
pub mod rotate_key;

use super::{
    ring::{Ring, capacity::Room},
    secrets::RingSecrets,
};
use crate::{
    api::v1alpha1::{OperationStage, OperationStatus, OperationType},
    capability::part::Operation,
    condition::Reason,
    kubernetes::identity::Found,
};

/// What is said of a request, with the reason of the Event about its stage.
#[must_use]
pub fn told(entry: OperationStatus) -> Operation {
    let event = match (entry.type_, entry.stage) {
        (_, OperationStage::Ignored) => Some(Reason::RequestIgnored),
        (OperationType::RotateKey, OperationStage::Published | OperationStage::Completed) => Some(Reason::KeyRotated),
        (OperationType::RotateKey, _) => None,
        (_, OperationStage::Published) => Some(Reason::KeyRevoked),
        (_, OperationStage::Removing) => Some(Reason::RemovingEntries),
        (_, OperationStage::AwaitingRestart) => Some(Reason::AwaitingRestart),
        (_, OperationStage::Completed) if entry.removed.is_none() => Some(Reason::KeyRevoked),
        (_, OperationStage::Completed) => Some(Reason::EntriesRemoved),
        _ => None,
    };
    Operation { entry, event }
}

/// Whether a key can be made in an emergency: there is a place to publish it, room, and what it is to be encrypted to.
#[must_use]
pub fn may_make(observed: &RingSecrets, ring: &Ring) -> bool {
    matches!(observed.ring, Found::Absent | Found::Owned(_)) && room(ring).has_for_emergency() && ring.can_mint()
}

/// How much room the ring has.
#[must_use]
pub fn room(ring: &Ring) -> Room {
    Room::new(ring.published.fill(), ring.encrypts_to())
}
