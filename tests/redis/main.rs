//! The probe against real Redis servers, and against what else may sit behind a port.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod busy;
mod callers;
mod certificates;
mod client_limits;
mod drift;
mod durability;
mod fake;
mod faults;
mod held;
mod lengthy;
mod payloads;
mod releases;
mod replay;
mod scene;
mod servers;
mod strangers;
mod sweep;
mod sweeper;
mod usage;
mod users;
#[allow(dead_code)]
#[path = "../support"]
mod support {
    pub mod eventually;
    pub mod plain;
    pub mod process;
    pub mod redis_server;
    pub mod stored;
}
