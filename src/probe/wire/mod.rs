//! TODO-DOC

pub mod bounded;
pub mod connection;
pub mod greeting;
pub mod handshake;
pub mod hello;
pub mod reply;
