//! What the operator tells about itself and about caches: its log, its health, its metrics.

pub mod health;
pub mod logs;
pub mod metrics;
pub mod server;
