//! What one look at one Redis server yields: values only, made by [`crate::probe`], read by [`crate::redis::findings`].

pub mod load;

use std::fmt;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;

use super::{
    access::{
        acl::{APP, Passwords, User},
        password::Password,
        rules::Rules,
    },
    settings::client_limits::ClientLimits,
    tls::certificate::{Authorities, Distrust, Fingerprint},
};
use crate::{
    api::v1alpha1::Inspect,
    entries::{entry::reader::Reader, look::payloads::Counts},
};
use load::Usage;

/// How long one look may take as a whole, however many answers it takes.
pub const LONGEST_LOOK: Duration = Duration::from_secs(5);

/// How long a refusal is of interest after it last happened. A client with a wrong password comes again within seconds.
pub const REFUSALS_COUNT_FOR: Duration = Duration::from_mins(10);

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
    /// Whether the servers' containers have room for it. Where they have not, they are to be replaced, and `maxmemory`
    /// is left alone until then: the kernel would kill a server that outgrows its container.
    pub has_room: bool,
    /// What clients may take.
    pub clients: ClientLimits,
    /// `maxmemory-policy`, as Redis spells it.
    pub eviction_policy: String,
    /// What the keys of its entries begin with.
    pub instance_name: String,
    /// Whether every write is appended to a file: `appendonly`.
    pub append_only: bool,
    /// By what it proves who it is; `None` where it speaks plain text.
    pub trust: Option<Trust>,
    /// The users that it should have, and no other; none while they are not known, and then all are left alone.
    pub users: Vec<User>,
    /// What is read of its entries.
    pub inspect: Inspect,
    /// What reads what they hold; `None` where there is no key to read them with.
    pub reader: Option<Arc<Reader>>,
    /// What else is to be found out.
    pub question: Option<Question>,
    /// When entries were removed last on request: what was counted before that is forgotten.
    pub swept: Option<Timestamp>,
    /// Whether drift is corrected, or only seen (a paused cache).
    pub correct: bool,
}

/// What is asked of a server only while somebody wants to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// From where applications are connected.
    Callers,
}

/// By what a server proves who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// The name that its certificate must be valid for, at whatever address it is.
    pub name: String,
    /// Whom clients trust.
    pub authorities: Authorities,
    /// The certificate that it should show; `None` while that is not known, and then it keeps the one that it has.
    pub certificate: Option<Wanted>,
}

/// A certificate that a server should show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Which one it is.
    pub fingerprint: Fingerprint,
    /// The settings that name the files with it, each with the path that it should have; an empty one for none.
    pub files: Vec<(String, String)>,
}

impl Want {
    /// Whether the two ask for the same, whether or not they have it corrected. What is read of entries by another reader,
    /// or of others than before, says so itself: it begins anew.
    #[must_use]
    pub fn asks_the_same_as(&self, other: &Self) -> bool {
        // Without `..`: something that is wanted and not compared does not compile.
        let Self {
            max_memory,
            has_room,
            clients,
            eviction_policy,
            instance_name,
            append_only,
            users,
            trust,
            inspect: _,
            reader: _,
            question: _,
            swept: _,
            correct: _,
        } = self;
        *max_memory == other.max_memory
            && *has_room == other.has_room
            && *clients == other.clients
            && *eviction_policy == other.eviction_policy
            && *instance_name == other.instance_name
            && *append_only == other.append_only
            && *users == other.users
            && *trust == other.trust
    }

    /// Whether what a server was found to have is what was wanted of it earlier: then nobody changed it, and it is the
    /// wish that changed.
    #[must_use]
    pub fn was_met_by(&self, drift: &Drift, now: &Self) -> bool {
        match drift.parameter {
            Parameter::MaxMemory => drift.found == self.max_memory.to_string(),
            Parameter::EvictionPolicy => drift.found == self.eviction_policy,
            Parameter::Clients(setting) => {
                self.clients.settings().contains(&(setting, drift.found.parse().unwrap_or(u64::MAX)))
            }
            // A password is not told; that another one is wanted now has to do.
            Parameter::AppPassword => self.app_passwords() != now.app_passwords(),
            Parameter::Rights(name) => self.rights_differ(now, name).is_some_and(|found| found == drift.found),
            // They follow from nothing that can change.
            Parameter::AppendOnly
            | Parameter::AppendFsync
            | Parameter::PlainPort
            | Parameter::CertificateFiles
            | Parameter::Login(_)
            | Parameter::Script
            | Parameter::Strangers => false,
        }
    }

    /// Whether a password of the applications that was valid then is valid now: then one follows another, and nobody is
    /// refused for it at once.
    #[must_use]
    pub fn keeps_a_password_of(&self, before: &Self) -> bool {
        let (Some(Passwords::These(now)), Some(Passwords::These(before))) =
            (self.app_passwords(), before.app_passwords())
        else {
            return false;
        };
        now.iter().any(|hash| before.contains(hash))
    }

    fn user(&self, name: &str) -> Option<&User> {
        self.users.iter().find(|user| user.name == name)
    }

    fn app_passwords(&self) -> Option<&Passwords> {
        self.user(APP).map(|user| &user.passwords)
    }

    /// What a user that is as this wants it may do beside what another wants of it, in words.
    fn rights_differ(&self, other: &Self, name: &str) -> Option<String> {
        // Commands of later servers are given to the user by both, or by neither.
        Rules::wanted(self.user(name)?, false).rights_differ(&Rules::wanted(other.user(name)?, false))
    }
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
    /// What was wanted of it then.
    pub want: Want,
    /// The answer, or why there is none.
    pub outcome: Result<Answer, Fault>,
    /// What was counted of its entries, to the last one: for metrics. It moves all the time, and is no news.
    pub counts: Counts,
}

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
    /// What differed from [`Want`], and what came of it.
    pub drift: Vec<Drift>,
    /// What it says of users, and is not compared since nobody here knows it.
    pub unknown_words: UnknownWords,
    /// What it refused the user `app` of late, each kind once.
    pub refusals: Vec<Refusal>,
    /// The certificate that it serves; `None` where it speaks plain text, or takes no further connection to show it on.
    pub certificate: Option<Served>,
    /// From where applications are connected; `None` where that was not asked, or could not be told.
    pub callers: Option<BTreeSet<IpAddr>>,
    /// How it is used: the only thing here that no single look finds out.
    pub usage: Usage,
    /// What was not read, or not to its end, and why.
    pub unread: BTreeMap<Part, Unread>,
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
pub enum Part {
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

impl Part {
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

impl Answer {
    /// Whether a look that comes soon may find another certificate.
    #[must_use]
    pub fn awaits_certificate(&self) -> bool {
        self.certificate.as_ref().is_some_and(|served| matches!(served.reload, Reload::Pending | Reload::Refused(_)))
    }
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

/// What came of ending a script that keeps a server from everything else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kill {
    /// It may end by itself: it is ended if another look finds it so.
    NotYet,
    /// It is left alone: the cache is paused.
    Withheld,
    /// It has written already, and then the server ends it no more.
    Unkillable,
    /// The server refused, in its own words.
    Refused(String),
    /// The server said OK, and the script goes on.
    Ineffective,
}

/// Why a server gave no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// No connection: refused, no route, or no answer to the connection request within the limit. Holds the reason.
    Unreachable(String),
    /// It accepts connections and does not answer within the limit.
    Frozen,
    /// It answers, but so slowly that the look was not over within its limit.
    Slow,
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
    /// A script has run for some seconds, and until it ends everything else is refused.
    Busy(Kill),
    /// It has as many clients as it may, and refused this one.
    Full,
    /// The port speaks TLS.
    TlsPort,
    /// The port speaks plain text where TLS was expected.
    PlainText,
    /// Its certificate does not prove who it is.
    Certificate(Untrusted),
    /// What answered is not Redis. Holds the beginning of what it said, printable characters only; empty where it
    /// closed the connection without a word.
    NotRedis(String),
    /// It answered something that Redis would not, or an error that has no place above. Holds it.
    Unexpected(String),
}

/// A certificate that does not prove who a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untrusted {
    /// Why not.
    pub why: Distrust,
    /// The certificate; `None` where none was shown that can be read.
    pub shown: Option<Foreign>,
    /// Since when every look found this very certificate; `None` while the cache is paused, since nothing follows from it then.
    pub since: Option<Timestamp>,
}

/// What a certificate says of itself, which nobody vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// Which one it is.
    pub fingerprint: Fingerprint,
    /// Who signed it.
    pub issuer: String,
}

impl From<Distrust> for Fault {
    fn from(why: Distrust) -> Self {
        Self::Certificate(Untrusted { why, shown: None, since: None })
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::v1alpha1::Acl,
        redis::{
            access::{
                acl::{Hashes, users},
                password::PasswordHash,
            },
            settings::InstanceName,
        },
    };

    fn want(max_memory: u64, eviction_policy: &str) -> Want {
        Want {
            max_memory,
            has_room: true,
            clients: ClientLimits { clients: 1, memory: 2, query_buffer: 3 },
            eviction_policy: eviction_policy.to_owned(),
            instance_name: "shop:".to_owned(),
            append_only: false,
            trust: None,
            users: Vec::new(),
            inspect: Inspect::Payloads,
            reader: None,
            question: None,
            swept: None,
            correct: true,
        }
    }

    #[test]
    fn what_was_wanted_before_is_no_drift_and_what_nobody_wanted_is() {
        let (before, now) = (want(100, "volatile-lru"), want(200, "allkeys-lru"));
        let drift = |parameter, found: &str| Drift {
            parameter,
            found: found.to_owned(),
            correction: Correction::Corrected,
            corrected_at: None,
        };
        assert!(before.was_met_by(&drift(Parameter::EvictionPolicy, "volatile-lru"), &now));
        assert!(before.was_met_by(&drift(Parameter::MaxMemory, "100"), &now));
        assert!(!before.was_met_by(&drift(Parameter::EvictionPolicy, "noeviction"), &now));
        assert!(!before.was_met_by(&drift(Parameter::MaxMemory, "0"), &now));
        assert!(before.was_met_by(&drift(Parameter::Clients("maxclients"), "1"), &now));
        assert!(!before.was_met_by(&drift(Parameter::Clients("maxclients"), "2"), &now));
        assert!(!before.was_met_by(&drift(Parameter::AppPassword, "another password"), &now));
    }

    #[test]
    fn a_password_that_follows_another_within_an_overlap_is_told_from_one_that_replaces_it() {
        let want = |digits: &[&str]| {
            let app = digits.iter().map(|digit| PasswordHash::parse(&digit.repeat(64)).unwrap()).collect();
            let own = PasswordHash::parse(&"c".repeat(64)).unwrap();
            let hashes = Hashes { app, operator: own.clone(), probe: own };
            Want { users: users(Acl::Compatible, &InstanceName::parse("shop:").unwrap(), &hashes), ..want(0, "") }
        };
        assert!(want(&["a", "b"]).keeps_a_password_of(&want(&["a"])));
        assert!(want(&["b"]).keeps_a_password_of(&want(&["a", "b"])));
        assert!(!want(&["b"]).keeps_a_password_of(&want(&["a"])));
        assert!(!want(&[]).keeps_a_password_of(&want(&["a"])), "nothing is known of one that is not looked at");
    }

    #[test]
    fn rights_of_the_list_that_was_wanted_before_are_no_drift() {
        let want = |acl| {
            let hash = PasswordHash::parse(&"a".repeat(64)).unwrap();
            let hashes = Hashes { app: vec![hash.clone()], operator: hash.clone(), probe: hash };
            Want { users: users(acl, &InstanceName::parse("shop:").unwrap(), &hashes), ..want(0, "") }
        };
        let (before, now) = (want(Acl::Compatible), want(Acl::Strict));
        let found = before.rights_differ(&now, "app").unwrap();
        let drift = |name, found: &str| Drift {
            parameter: Parameter::Rights(name),
            found: found.to_owned(),
            correction: Correction::Corrected,
            corrected_at: None,
        };
        assert!(before.was_met_by(&drift("app", &found), &now));
        assert!(!before.was_met_by(&drift("app", "also has +flushall"), &now));
        assert!(!before.was_met_by(&drift("probe", &found), &now));
        assert!(!now.was_met_by(&drift("app", &found), &now));
    }
}
