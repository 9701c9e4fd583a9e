//! What one look at one Redis server yields: values only, made by [`crate::probe`], read by [`crate::redis::findings`].

pub mod answer;
pub mod drift;
pub mod fault;
pub mod load;

use std::{
    net::{IpAddr, SocketAddr},
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
    tls::certificate::{Authorities, Fingerprint},
};
use answer::Answer;
use drift::{Drift, Parameter};
use fault::Fault;

/// How long one look may take as a whole, however many answers it takes.
pub const LONGEST_LOOK: Duration = Duration::from_secs(5);

/// How long a refusal is of interest after it last happened. A client with a wrong password comes again within seconds.
pub const REFUSALS_COUNT_FOR: Duration = Duration::from_mins(10);

/// How long a login that was refused goes for one that is refused now. A client tries again within seconds.
pub const REFUSED_NOW_FOR: Duration = Duration::from_mins(1);

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
pub struct Desired {
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
    /// The address that applications are given, where it can be tried from here.
    pub address: Option<Address>,
    /// What else is to be found out.
    pub question: Option<Question>,
    /// Whether drift is corrected, or only seen (a paused cache).
    pub correct: bool,
}

/// The address that applications are given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The name that they look up.
    pub host: String,
    /// Where it should lead.
    pub at: SocketAddr,
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
    pub certificate: Option<DesiredCertificate>,
}

/// A certificate that a server should show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredCertificate {
    /// Which one it is.
    pub fingerprint: Fingerprint,
    /// The settings that name the files with it, each with the path that it should have; an empty one for none.
    pub files: Vec<(String, String)>,
}

impl Desired {
    /// Whether the two ask for the same, whether or not they have it corrected.
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
            address,
            question: _,
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
            && *address == other.address
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
            Parameter::Login(name) => self.passwords(name) != now.passwords(name),
            Parameter::Rights(name) => self.rights_differ(now, name).is_some_and(|found| found == drift.found),
            // They follow from nothing that can change.
            Parameter::AppendOnly
            | Parameter::AppendFsync
            | Parameter::PlainPort
            | Parameter::CertificateFiles
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
        self.passwords(APP)
    }

    fn passwords(&self, name: &str) -> Option<&Passwords> {
        self.user(name).map(|user| &user.passwords)
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
    pub want: Desired,
    /// The answer, or why there is none.
    pub outcome: Result<Answer, Fault>,
}

#[cfg(test)]
mod tests {
    use super::{drift::Correction, *};
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

    fn want(max_memory: u64, eviction_policy: &str) -> Desired {
        Desired {
            max_memory,
            has_room: true,
            clients: ClientLimits { clients: 1, memory: 2, query_buffer: 3 },
            eviction_policy: eviction_policy.to_owned(),
            instance_name: "shop:".to_owned(),
            append_only: false,
            trust: None,
            users: Vec::new(),
            address: None,
            question: None,
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
            let hashes = Hashes { app, operator: vec![own.clone()], probe: vec![own] };
            Desired { users: users(Acl::Compatible, &InstanceName::parse("shop:").unwrap(), &hashes), ..want(0, "") }
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
            let hashes = Hashes { app: vec![hash.clone()], operator: vec![hash.clone()], probe: vec![hash] };
            Desired { users: users(acl, &InstanceName::parse("shop:").unwrap(), &hashes), ..want(0, "") }
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
