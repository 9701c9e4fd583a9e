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

/// The Secret's key with the authorities that clients trust.
pub const AUTHORITIES_KEY: &str = "ca.crt";

/// The Secret's key with the server's certificate, followed by those between it and the authority.
pub const CERTIFICATE_KEY: &str = "tls.crt";

/// The Secret's key with the server's private key.
pub const PRIVATE_KEY: &str = "tls.key";
