//! TODO-DOC

pub mod capacity;
pub mod certificates;
pub mod default_key;
pub mod directory;
pub mod in_use;
pub mod open;
pub mod published;
pub mod rotation;
pub mod schedule;
