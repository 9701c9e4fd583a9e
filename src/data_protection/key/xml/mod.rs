//! TODO-DOC

pub mod outline;
pub mod text;
