//! The way to a server: TCP, TLS, the Redis protocol, within bounds of time and size.
//!
//! In: an address, whom to trust, a login. Out: a connection, and replies as values. It knows no question.

pub mod bounded;
pub mod connection;
pub mod greeting;
pub mod handshake;
pub mod hello;
pub mod reply;
