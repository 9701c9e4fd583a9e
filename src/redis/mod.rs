//! Everything that is about Redis: what a cache wants, the objects that make it, and how its health is read. Pure.
//!
//! In: settings and what was observed. Out: what is to be written, what the servers should be, and [`findings`].
//!
//! | part | what |
//! |---|---|
//! | [`settings`] | what a cache wants |
//! | [`access`] | users, their rules, their passwords |
//! | [`tls`] | certificates: reading, verifying, making them |
//! | [`look`] | what a server says of itself, as values |
//! | [`server`] | the objects that make a server, and what its pod tells |
//! | [`live`] | what a pass saw |
//! | [`credentials`] | which passwords and which certificate hold, and what is to be made for them |
//! | [`plan`] | what is to be written |
//! | [`desired`] | what the servers should be |
//! | [`findings`] | what is said of it |

pub mod access;
pub mod credentials;
pub mod desired;
pub mod findings;
pub mod live;
pub mod look;
pub mod plan;
pub mod server;
pub mod settings;
pub mod tls;
