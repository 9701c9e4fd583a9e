//! TODO-DOC

pub mod config;
pub mod fit;
pub mod network;
pub mod objects;
pub mod pod;
pub mod rollout;
