//! TODO-DOC

pub mod callers;
pub mod certificate;
pub mod payloads;
pub mod reading;
pub mod refusals;
pub mod script;
pub mod settings;
pub mod usage;
pub mod users;
