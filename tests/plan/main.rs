//! Plans and findings as sentences and snapshots, on values only: no cluster, no Redis, no clock.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod advice;
mod certificates;
mod changes;
mod client_limits;
mod commands;
mod consumers;
mod durability;
mod edits;
mod flush;
mod golden;
mod key_ring;
mod key_ring_inputs;
mod key_ring_limits;
mod memory;
mod messages;
mod named_certificates;
mod network;
mod objects;
mod passes;
mod password_end;
mod passwords;
mod plain;
mod pods;
mod readability;
mod releases;
mod revoke;
mod revoke_all;
mod rotation;
mod seen;
mod statuses;
mod template;
mod unread;
mod whole;
mod world;

/// What the tests stand on.
#[path = "../support"]
mod support {
    pub mod edits;
    pub mod plain;
    pub mod proposed;
    pub mod remedies;
    pub mod told;
}
