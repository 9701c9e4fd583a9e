//! What the operator does for a cache, and what it says of it, as its users see both.

mod access;
mod advice;
mod consumers;
mod copies;
mod drift;
mod durability;
mod entries;
mod faults;
mod fights;
mod flush;
mod key_ring;
pub mod key_ring_inputs;
mod labels;
mod left_behind;
mod named;
mod network;
mod pods;
pub mod policies;
mod ready;
mod restored;
mod rotation;
mod scene;
mod sight;
mod silence;
mod spec;
mod strangers;
mod tls;
