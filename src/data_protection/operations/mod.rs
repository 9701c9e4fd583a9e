//! TODO-DOC

pub mod revoke_key;
pub mod rotate_key;
