//! What the operator must survive: hands in its objects, odd wishes, and its own end.

mod gone;
mod hands;
pub mod history;
pub mod login;
mod odd;
mod quiet;
mod secrets;
mod settled;
pub mod shape;
mod spare;
mod upgrade;
pub mod world;

use std::time::Duration;

use crate::support::operator::PROBE_PERIOD;

/// How long the absence of something is watched.
pub const TWO_PERIODS: Duration = Duration::from_secs(2 * PROBE_PERIOD.as_secs());
