//! What is said of entries. Pure.

pub mod readability;
