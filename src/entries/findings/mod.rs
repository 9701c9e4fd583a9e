//! What is said of entries. Pure.

pub(crate) mod readability;
