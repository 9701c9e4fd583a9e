//! TODO-DOC

pub mod census;
pub mod ledger;
pub mod payloads;
