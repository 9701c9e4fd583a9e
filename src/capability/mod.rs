//! TODO-DOC

pub mod operation;
pub mod progress;
pub mod time;
