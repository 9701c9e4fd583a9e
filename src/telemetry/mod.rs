//! What the operator tells about itself: its log and its health.

pub mod logs;
pub mod probes;
