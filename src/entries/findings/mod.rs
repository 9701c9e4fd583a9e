//! TODO-DOC

pub mod readability;
