//! TODO-DOC

pub mod config;
pub mod fit;
pub mod objects;
pub mod pod;
