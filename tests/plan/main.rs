//! Plans and findings as sentences and snapshots, on values only: no cluster, no Redis, no clock.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod advice;
mod certificates;
mod changes;
mod client_limits;
mod consumers;
mod durability;
mod flush;
mod golden;
mod key_ring;
mod key_ring_inputs;
mod memory;
mod messages;
mod network;
mod objects;
mod passes;
mod passwords;
mod pods;
mod readability;
mod releases;
mod revoke;
mod rotation;
mod seen;
mod template;
mod whole;
mod world;
