//! The probe against real Redis servers, and against what else may sit behind a port.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod drift;
mod fake;
mod faults;
mod held;
mod scene;
mod strangers;
mod usage;
#[allow(dead_code)]
#[path = "../support"]
mod support {
    pub mod eventually;
    pub mod process;
    pub mod redis_server;
}
