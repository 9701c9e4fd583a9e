//! The operator dies at every write, before it was sent and after, and another one goes on. These tests wait for long, and so
//! their name is one that has them begin early.

mod crash;
mod key_ring;
mod key_ring_inputs;
mod renewal;
mod revocation;
pub mod rotation;
