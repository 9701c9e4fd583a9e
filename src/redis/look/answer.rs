//! What a server said of itself: values only.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use jiff::Timestamp;

use super::{drift::Drift, load::Usage};
use crate::redis::tls::certificate::Fingerprint;

/// What a server said of itself, after any correction: every value was read back. What could not be read is in
/// [`Answer::unread`], and what goes by that is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Whose server it is.
    pub product: Product,
    /// `redis_version` of INFO; for Valkey and others what they call their own.
    pub version: String,
    /// Whether it says that it is no release yet.
    pub is_preview: bool,
    /// `role` of INFO; `None` where that was not read.
    pub role: Option<Role>,
    /// What keeps it from serving, although it answers.
    pub impediment: Option<Impediment>,
    /// `maxmemory`, in bytes, and `maxmemory-policy`, as read back; `None` where they were not read.
    pub memory: Option<MemorySettings>,
    /// Whether more clients are connected than its memory allows, so that no limit is set before there are fewer.
    pub is_crowded: bool,
    /// What became of its last attempts to save.
    pub saving: Saving,
    /// What differed from [`Desired`](super::Desired), and what came of it.
    pub drift: Vec<Drift>,
    /// What it says of users, and is not compared since nobody here knows it.
    pub unknown_words: UnknownWords,
    /// What it refused the user `app` of late, each kind once.
    pub refusals: Vec<Refusal>,
    /// Whether anybody has its password.
    pub shut_out: ShutOut,
    /// What keeps applications from it at the address that they are given; `None` where that leads to it, or was not tried.
    pub detour: Option<Detour>,
    /// The certificate that it serves; `None` where it speaks plain text, or takes no further connection to show it on.
    pub certificate: Option<Served>,
    /// From where applications are connected; `None` where that was not asked, or could not be told.
    pub callers: Option<BTreeSet<IpAddr>>,
    /// How it is used: the only thing here that no single look finds out.
    pub usage: Usage,
    /// What was not read, or not to its end, and why.
    pub unread: BTreeMap<Section, Unread>,
}

impl Answer {
    /// Whether a look that comes soon may find something else: another certificate, or an address that leads here.
    #[must_use]
    pub fn is_in_flux(&self) -> bool {
        self.detour.is_some() || self.awaits_certificate()
    }

    fn awaits_certificate(&self) -> bool {
        self.certificate.as_ref().is_some_and(|served| matches!(served.reload, Reload::Pending | Reload::Refused(_)))
    }
}

/// Whether all applications are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShutOut {
    /// Somebody is logged in, or nobody was refused of late.
    Nobody,
    /// Logins are refused now and nobody is logged in, but somebody wrote an entry since the look before.
    Perhaps,
    /// Logins are refused now, and nobody is logged in.
    Everybody,
}

/// How the address that applications are given does not lead to a server that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detour {
    /// What came of it, in words.
    pub why: String,
    /// Whether the look before this one came to the same.
    pub is_confirmed: bool,
}

/// Of which user a server says what in no syntax that is known: later servers say more than earlier ones.
pub type UnknownWords = BTreeMap<&'static str, BTreeSet<String>>;

/// What Redis does about its memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemorySettings {
    /// `maxmemory`, in bytes.
    pub max_memory: u64,
    /// `maxmemory-policy`.
    pub eviction_policy: String,
}

/// What a look asks for, and goes on without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// `INFO` of what the server is and how it saves.
    Server,
    /// `CONFIG GET` of memory.
    MemorySettings,
    /// `CONFIG GET` of how what is written is saved.
    AppendSettings,
    /// `CONFIG GET` of the port for plain text.
    PlainPort,
    /// `CONFIG GET` of what clients may take.
    ClientLimits,
    /// `ACL LIST`.
    Users,
    /// `ACL LOG`.
    Refusals,
    /// `INFO` of how the server is used.
    Use,
    /// `INFO` of how often it gave which error.
    Errors,
    /// `INFO` of how long it took for which command.
    Calls,
    /// `SCAN`, and what is asked about each key.
    Keys,
    /// `HSTRLEN` and `HGET`.
    Payloads,
}

impl Section {
    /// The command that asks for it, as an ACL names it.
    #[must_use]
    pub fn command(self) -> &'static str {
        match self {
            Self::Server | Self::Use | Self::Errors | Self::Calls => "info",
            Self::MemorySettings | Self::AppendSettings | Self::PlainPort | Self::ClientLimits => "config|get",
            Self::Users => "acl|list",
            Self::Refusals => "acl|log",
            Self::Keys => "scan",
            Self::Payloads => "hget",
        }
    }
}

/// Why something was not read of a server that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// The answer is longer than what is read of one.
    TooLong,
    /// The server refuses it to the operator, in its own words.
    Refused(String),
    /// The answer is none that Redis gives. Holds what is wrong with it.
    Odd(String),
    /// Several looks running had no time for it.
    Late,
}

/// The certificate that a server shows to whom connects now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// Which one it is.
    pub fingerprint: Fingerprint,
    /// When it expires. An expired one proves the same server still, but no application connects.
    pub not_after: Timestamp,
    /// What came of having the wanted one loaded.
    pub reload: Reload,
    /// Whether it was loaded from the files that the server should name, so that they are known to be there.
    pub is_named: bool,
}

/// What came of having the wanted certificate loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reload {
    /// It is served.
    Done,
    /// The server loaded the files that it should, and they hold another one still: it has not reached its pod.
    Pending,
    /// The server refused, in its own words.
    Refused(String),
    /// Another one is served, and the cache is paused.
    Withheld,
}

/// What became of a server's last attempts to save, by INFO.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Saving {
    /// The last writes could not be appended to the file.
    pub write_failed: bool,
    /// The file could not be written anew.
    pub rewrite_failed: bool,
}

/// `role` of INFO.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `master`: takes writes.
    Primary,
    /// `slave`: refuses writes.
    Replica,
}

/// What keeps a server that answers from serving.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Impediment {
    /// It could not save its data and refuses writes until it can: its answer to PING.
    CannotSave(String),
    /// `min-replicas-to-write` asks for replicas, and it has none: it refuses writes.
    LacksReplicas,
    /// It has as many clients as it may, and refuses every other.
    Full {
        /// `maxclients`.
        clients: u64,
    },
}

/// Something that a server refused the user `app`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// A login with a password that is not the user's.
    Password,
    /// A command that the user may not use. Holds it.
    Command(String),
    /// A key outside of the prefix, which is not told: it may hold a person's id. Holds the command that named it.
    Key(String),
    /// A channel that the user may not use.
    Channel,
}

/// Whose server it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// Redis.
    Redis,
    /// Valkey.
    Valkey,
    /// Another one that speaks the protocol, by its name.
    Other(&'static str),
}

impl fmt::Display for Product {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Redis => "Redis",
            Self::Valkey => "Valkey",
            Self::Other(name) => name,
        })
    }
}
