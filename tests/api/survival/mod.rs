//! What the operator must survive: its own death at any moment, hands in its objects, odd wishes, and strangers.

mod crash;
mod gone;
mod hands;
pub mod history;
mod key_ring;
mod key_ring_inputs;
mod odd;
mod quiet;
mod renewal;
pub mod rotation;
mod secrets;
mod shape;
mod spare;
mod strangers;
pub mod world;

use std::time::Duration;

use crate::support::operator::PROBE_PERIOD;

/// How long the absence of something is watched.
pub const TWO_PERIODS: Duration = Duration::from_secs(2 * PROBE_PERIOD.as_secs());
