//! What the operator tells about itself and about caches: its log, its health, its metrics.

pub mod logs;
pub mod metrics;
pub mod probes;
pub mod server;
