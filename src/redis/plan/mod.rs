//! TODO-DOC

pub mod network;
pub mod rollout;
