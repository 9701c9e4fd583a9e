//! TODO-DOC

pub mod entry;
pub mod findings;
pub mod flush;
pub mod look;
pub mod sweep;
