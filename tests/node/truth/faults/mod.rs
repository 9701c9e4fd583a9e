//! What happens to caches, and to what they stand on. Each of these is done to a stage, and mended.

pub mod certificates;
pub mod harmless;
pub mod objects;
pub mod pods;
pub mod server;
