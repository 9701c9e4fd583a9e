//! The harness, tried on itself: what the other tests stand on must hold.

mod kubelet;
mod messages;
mod scene;
mod waiting;
mod writes;
