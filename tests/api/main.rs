//! Tests on a real Kubernetes API server, with real Redis servers in place of pods.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod ahead;
mod apart;
mod at_every_write;
mod behaviour;
mod harness;
mod survival;

/// What the tests stand on; not every part of it is used here.
#[allow(dead_code)]
#[path = "../support"]
mod support {
    pub mod api_server;
    pub mod audit;
    pub mod edits;
    pub mod eventually;
    pub mod faults;
    pub mod kubelet;
    pub mod log;
    pub mod namespace;
    pub mod operator;
    pub mod plain;
    pub mod process;
    pub mod proposed;
    pub mod redis_server;
    pub mod remedies;
    pub mod stored;
    pub mod told;
    pub mod witness;
}
