//! What one look at one Redis server yields: values only, made by [`super::probe`], read by [`super::health`].

use std::net::IpAddr;

use jiff::Timestamp;

use super::password::{Password, PasswordHash};

/// A server that a probe can reach: a pod, by its address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Server {
    /// The pod's name.
    pub pod: String,
    /// The pod's UID: a pod of the same name with another UID is another server.
    pub uid: String,
    /// The pod's address.
    pub address: IpAddr,
    /// The port that Redis listens on.
    pub port: u16,
}

/// What every server of a cache should be, and whether a probe may make it so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    /// `maxmemory`, in bytes.
    pub max_memory: u64,
    /// `maxmemory-policy`, as Redis spells it.
    pub eviction_policy: String,
    /// What the user `app` must accept; `None` while that is not known, and then it is left alone.
    pub app_password: Option<PasswordHash>,
    /// Whether drift is corrected, or only seen (a paused cache).
    pub correct: bool,
}

/// Whom a probe logs in as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The user's name.
    pub username: String,
    /// Its password.
    pub password: Password,
}

/// One server, one look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Which server.
    pub server: Server,
    /// When the answer was complete.
    pub taken: Timestamp,
    /// The answer, or why there is none.
    pub outcome: Result<Answer, Fault>,
}

/// What a server said of itself, after any correction: every value was read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// `redis_version` of INFO; for Valkey `valkey_version`.
    pub version: String,
    /// `role` of INFO.
    pub role: Role,
    /// `maxmemory`, in bytes, as read back.
    pub max_memory: u64,
    /// `maxmemory-policy`, as read back.
    pub eviction_policy: String,
    /// What differed from [`Want`], and what came of it.
    pub drift: Vec<Drift>,
}

/// `role` of INFO.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `master`: takes writes.
    Primary,
    /// `slave`: refuses writes.
    Replica,
}

/// A setting that was not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// Which one.
    pub parameter: Parameter,
    /// What the server had. Of a password only its kind, such as `another password` or `no such user`.
    pub found: String,
    /// What came of correcting it.
    pub correction: Correction,
}

/// The settings that a probe compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameter {
    /// `maxmemory`.
    MaxMemory,
    /// `maxmemory-policy`.
    EvictionPolicy,
    /// The password of the user `app`.
    AppPassword,
}

/// What came of a correction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Correction {
    /// Set, and read back as wanted.
    Corrected,
    /// The server refused, in its own words; or a probe cannot do it, and why.
    Refused(String),
    /// The server said OK, and still had this when it was read back.
    Ineffective(String),
    /// Only seen: the cache is paused.
    Withheld,
}

/// Why a server gave no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// No connection: refused, no route, or no answer to the connection request within the limit. Holds the reason.
    Unreachable(String),
    /// It accepts connections and does not answer within the limit.
    Frozen,
    /// It wants another password than the operator's.
    WrongPassword,
    /// It refuses a command to the operator's user: the command, and the server's words.
    NoPermission {
        /// The command, such as `config|get`.
        command: String,
        /// The server's words.
        message: String,
    },
    /// It is loading its data set into memory.
    Loading,
    /// The port speaks TLS.
    TlsPort,
    /// What answered is not Redis. Holds the beginning of what it said, printable characters only; empty where it
    /// closed the connection without a word.
    NotRedis(String),
    /// It answered something that Redis would not, or an error that has no place above. Holds it.
    Unexpected(String),
}
