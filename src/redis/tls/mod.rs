//! Certificates for servers: what they hold, when they are due, and making one. Pure.
//!
//! | module | what |
//! |---|---|
//! | [`certificate`] | certificates, keys and bundles, read and verified |
//! | [`schedule`] | when a certificate is to be made anew |
//! | [`issue`] | making one |
//! | [`verified`] | what was verified before |

pub mod certificate;
pub mod issue;
pub mod schedule;
pub mod verified;
