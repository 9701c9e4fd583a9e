//! What annotations ask of a key ring.
//!
//! | module | what |
//! |---|---|
//! | [`rotate_key`] | another key that encrypts |
//! | [`revoke_key`] | keys that are never to be used again |

pub mod revoke_key;
pub mod rotate_key;

use super::{
    ring::{DataProtection, capacity::Room},
    secrets::Observed,
};
use crate::kubernetes::identity::Found;

/// Whether a key can be made in an emergency: there is a place to publish it, room, and what it is to be encrypted to.
#[must_use]
pub fn may_make(observed: &Observed, ring: &DataProtection) -> bool {
    matches!(observed.ring, Found::Nothing | Found::Ours(_)) && room(ring).has_for_emergency() && ring.can_mint()
}

/// How much room the ring has.
#[must_use]
pub fn room(ring: &DataProtection) -> Room {
    Room::new(ring.published.fill(), ring.encrypts_to())
}
