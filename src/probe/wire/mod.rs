//! The way to a server: TCP, TLS, the Redis protocol, within bounds of time and size.
//!
//! In: an address, whom to trust, a login. Out: a connection, and replies as values. It knows no question.

pub(crate) mod bounded;
pub(crate) mod commands;
pub(crate) mod connection;
pub(crate) mod failure;
pub(crate) mod greeting;
pub(crate) mod handshake;
pub(crate) mod hello;
pub(crate) mod reply;
pub(crate) mod tcp;

use std::time::Duration;

use crate::redis::look::LONGEST_LOOK;

/// How long a probe waits, and how much it listens to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For a connection to come up.
    pub connect: Duration,
    /// For each answer.
    pub answer: Duration,
    /// For one look as a whole, however many answers it takes.
    pub look: Duration,
    /// How long after a look that found a script running another one has to find it so before it is ended.
    pub script: Duration,
    /// Bytes kept of one answer: some kilobytes are usual.
    pub answer_bytes: usize,
    /// Bytes read of one answer: what is longer is not waited for.
    pub read_bytes: usize,
    /// How long a server must have run before it says anything who is connected: after a start, clients come again in time.
    pub reconnect: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            answer: Duration::from_secs(2),
            look: LONGEST_LOOK,
            script: Duration::from_secs(5),
            answer_bytes: 256 * 1024,
            read_bytes: 16 << 20,
            reconnect: Duration::from_mins(2),
        }
    }
}
