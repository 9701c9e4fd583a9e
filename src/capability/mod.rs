//! TODO-DOC

pub mod operation;
pub mod time;
