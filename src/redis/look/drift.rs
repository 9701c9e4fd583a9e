//! What differed from what a server should be, and what came of correcting it: values only.

use jiff::Timestamp;

/// A setting that was not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// Which one.
    pub parameter: Parameter,
    /// What the server had. Of a password only its kind, such as `another password` or `no such user`.
    pub found: String,
    /// What came of correcting it.
    pub correction: Correction,
    /// When the look was taken that corrected it: what no pass has reported yet is told of later looks too.
    pub corrected_at: Option<Timestamp>,
}

/// The settings that a probe compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameter {
    /// `maxmemory`.
    MaxMemory,
    /// `maxmemory-policy`.
    EvictionPolicy,
    /// A limit of what clients may take, by the name that Redis has for it.
    Clients(&'static str),
    /// `appendonly`.
    AppendOnly,
    /// `appendfsync`, where `appendonly` is wanted.
    AppendFsync,
    /// `port`, where connections are to be encrypted.
    PlainPort,
    /// `tls-cert-file`, `tls-key-file` and `tls-ca-cert-file`.
    CertificateFiles,
    /// Whether the user `app` can log in, with its password and no other.
    AppPassword,
    /// Whether another user can log in, with its password and no other, or not at all. Holds its name.
    Login(&'static str),
    /// What a user may do. Holds its name.
    Rights(&'static str),
    /// Users that nobody asked for.
    Strangers,
    /// A script that keeps everybody waiting: there should be none.
    Script,
}

/// What came of a correction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Correction {
    /// Set, and read back as wanted.
    Corrected,
    /// Set, and read back: the server had what was wanted before, and now something else is.
    Followed,
    /// The server refused, in its own words; or a probe cannot do it, and why.
    Refused(String),
    /// The server said OK, and still had this when it was read back.
    Ineffective(String),
    /// Only seen: the cache is paused.
    Withheld,
    /// Only seen: the server's container has no room for what is wanted.
    NoRoom,
}

impl Correction {
    /// Whether the server has what is wanted now, and nothing is left of the difference.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Corrected | Self::Followed)
    }
}
