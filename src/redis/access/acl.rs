//! The users that a Redis knows: what each may do, as an ACL file and as words of `ACL SETUSER`.
//!
//! In: the settings and the passwords' hashes. Out: [`User`]s, and the file's text. Passwords are hashes only, and the file
//! holds no command that Redis 7.0 does not know: one such word, and that server does not start. Commands of later
//! servers are given to a server that runs and says that it is one.

use super::password::PasswordHash;
use crate::{api::v1alpha1::Acl, redis::settings::InstanceName};

/// The user that applications log in as.
pub const APP: &str = "app";
/// The user that the operator logs in as.
pub const OPERATOR: &str = "operator";
/// The user that the pod's probes log in as.
pub const PROBE: &str = "probe";
/// The user that connections without a login have. Switched off: a client with a wrong password would go on as this one.
pub const DEFAULT: &str = "default";

/// What `RedisCache` and StackExchange.Redis send with any connection string. Observed by removing one command at a time
/// until something failed or was logged. But `pexpire`, which is by their source: a read of an entry of which less is left
/// than its sliding expiration sets what is left, and the client sends that by PEXPIRE unless it is a whole number of
/// seconds; refused, the read would fail. No script: see [`LUA`].
const STANDARD: &str = "-@all +select +ping +echo +client|setname +client|id +info +subscribe +get +hmget +hmset +expire \
    +pexpire +unlink +config|get +cluster|nodes +hset";
/// What Microsoft.Extensions.Caching.StackExchangeRedis 8.0.x needs beside that: it writes entries with a script. No other
/// version that was tried does.
const LUA: &str = "+eval +evalsha +script|load";
/// The same with the published connection string, which turns off what the client asks for itself.
const STRICT: &str =
    "-@all +select +ping +echo +client|setname +client|id +info +hmget +hmset +expire +pexpire +unlink";
/// The key and the channel with which StackExchange.Redis looks for other primaries.
const TIE_BREAK: &str = "%R~__Booksleeve_TieBreak";
const MASTER_CHANGED: &str = "&__Booksleeve_MasterChanged";

/// It looks at keys of any name, to tell those under the prefix from others, and removes those under it where that is asked
/// for. Written together with what it may write to: see [`users`].
const OPERATOR_RULE: &str = "%R~* -@all +ping +info +config|get +config|set +acl|list +acl|setuser +acl|deluser +acl|log \
    +script|kill +function|kill +slowlog|get +client|no-evict +client|list +scan +type +pttl +hstrlen +hget +unlink \
    +@transaction";
const PROBE_COMMANDS: &str = "-@all +ping";
const NO_COMMANDS: &str = "-@all";

/// The hashes of the users' passwords.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hashes {
    /// Of the user [`APP`], each of which is valid; none while they are not known, and then the user keeps those that it has.
    pub app: Vec<PasswordHash>,
    /// Of the user [`OPERATOR`], each of which is valid.
    pub operator: Vec<PasswordHash>,
    /// Of the user [`PROBE`], each of which is valid.
    pub probe: Vec<PasswordHash>,
}

/// A user as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its name.
    pub name: &'static str,
    /// Which passwords it has.
    pub passwords: Passwords,
    /// Keys, channels and commands, as words of a rule.
    pub rule: String,
    /// Commands that only servers from 7.2 on know, as words of a rule.
    pub since_7_2: &'static str,
}

/// Which passwords a user has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Passwords {
    /// None: it is switched off.
    Off,
    /// These and no other.
    These(Vec<PasswordHash>),
    /// Whichever it has: they are not known.
    AsFound,
}

/// The users that a server should have, and no other.
#[must_use]
pub fn users(acl: Acl, instance_name: &InstanceName, hashes: &Hashes) -> Vec<User> {
    let Hashes { app, operator, probe } = hashes;
    let prefix = escape(instance_name.as_str());
    let application = match acl {
        Acl::Standard => format!("~{prefix}* {TIE_BREAK} {MASTER_CHANGED} {STANDARD}"),
        Acl::Compatible => format!("~{prefix}* {TIE_BREAK} {MASTER_CHANGED} {STANDARD} {LUA}"),
        Acl::Strict => format!("~{prefix}* {STRICT}"),
    };
    let user = |name, passwords, rule: &str| User { name, passwords, rule: rule.to_owned(), since_7_2: "" };
    vec![
        user(DEFAULT, Passwords::Off, NO_COMMANDS),
        User {
            // StackExchange.Redis names its library on every connection.
            since_7_2: "+client|setinfo",
            ..user(APP, if app.is_empty() { Passwords::AsFound } else { Passwords::These(app.clone()) }, &application)
        },
        User {
            // Looking must not make a key look used.
            since_7_2: "+client|no-touch",
            ..user(OPERATOR, Passwords::These(operator.clone()), &format!("%W~{prefix}* {OPERATOR_RULE}"))
        },
        user(PROBE, Passwords::These(probe.clone()), PROBE_COMMANDS),
    ]
}

impl User {
    /// The user as words of a line in an ACL file, or of `ACL SETUSER`: all of it, whatever the server had. With commands of
    /// later servers only where the server is one.
    #[must_use]
    pub fn words(&self, knows_7_2: bool) -> Vec<String> {
        let mut words: Vec<String> = match &self.passwords {
            Passwords::Off => vec!["reset".to_owned(), "off".to_owned()],
            Passwords::These(hashes) => {
                let hashes = hashes.iter().map(|hash| format!("#{}", hash.as_hex()));
                ["reset".to_owned(), "on".to_owned()].into_iter().chain(hashes).collect()
            }
            Passwords::AsFound => ["on", "clearselectors", "resetkeys"].map(str::to_owned).into(),
        };
        words.push("resetchannels".to_owned());
        let later = if knows_7_2 { self.since_7_2 } else { "" };
        words.extend(self.rule.split_ascii_whitespace().chain(later.split_ascii_whitespace()).map(str::to_owned));
        words
    }
}

/// The text of `users.acl`.
#[must_use]
pub fn file(users: &[User]) -> String {
    let lines = users.iter().map(|user| ["user ", user.name, " ", &user.words(false).join(" "), "\n"].concat());
    lines.collect()
}

/// The hashes of a user's passwords in the text of `users.acl`, in order; none where there is no such line.
#[must_use]
pub fn password_hashes(users: &str, user: &str) -> Vec<PasswordHash> {
    let line = users.lines().map(str::split_ascii_whitespace).find(|words| words.clone().nth(1) == Some(user));
    let hashes = line.into_iter().flatten().filter_map(|word| word.strip_prefix('#').and_then(PasswordHash::parse));
    hashes.collect()
}

/// Whether a server of this version, as it reports it, knows the commands that came with Redis 7.2. Every Valkey does.
#[must_use]
pub fn knows_7_2(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
    let (major, minor) = (parts.next().flatten(), parts.next().flatten());
    (major, minor) >= (Some(7), Some(2))
}

/// A prefix as a glob pattern that matches it to the letter.
#[must_use]
pub fn escape(prefix: &str) -> String {
    prefix.chars().fold(String::new(), |mut pattern, character| {
        if matches!(character, '*' | '?' | '[' | ']' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
        pattern
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn text(acl: Acl) -> String {
        let hash = |digit: &str| PasswordHash::parse(&digit.repeat(64)).unwrap();
        let hashes = Hashes { app: vec![hash("a")], operator: vec![hash("b")], probe: vec![hash("c")] };
        file(&users(acl, &InstanceName::parse("shop:").unwrap(), &hashes))
    }

    #[test]
    fn a_prefix_matches_itself_and_nothing_else() {
        assert_eq!(escape("shop:"), "shop:");
        assert_eq!(escape(r"a*b?c[d]e\f"), r"a\*b\?c\[d\]e\\f");
    }

    #[test]
    fn each_user_has_its_own_password_and_default_is_off() {
        let text = text(Acl::Compatible);
        assert!(text.starts_with("user default reset off resetchannels -@all\n"));
        for (user, digit) in [(APP, "a"), (OPERATOR, "b"), (PROBE, "c")] {
            let hashes = password_hashes(&text, user);
            assert_eq!(hashes.iter().map(PasswordHash::as_hex).collect::<Vec<_>>(), [digit.repeat(64)]);
        }
        assert_eq!(password_hashes(&text, "default"), []);
        assert_eq!(password_hashes("user app on", APP), []);
    }

    #[test]
    fn a_user_may_have_several_passwords() {
        let hash = |digit: &str| PasswordHash::parse(&digit.repeat(64)).unwrap();
        let both = vec![hash("a"), hash("d")];
        let hashes = Hashes { app: both.clone(), operator: vec![hash("b")], probe: vec![hash("c")] };
        let text = file(&users(Acl::Strict, &InstanceName::parse("shop:").unwrap(), &hashes));
        assert_eq!(password_hashes(&text, APP), both);
    }

    #[test]
    fn each_list_is_part_of_the_next_and_only_the_last_one_has_scripts() {
        let words = |acl| -> BTreeSet<String> {
            let text = text(acl);
            let line = text.lines().find(|line| line.starts_with("user app ")).unwrap();
            line.split(' ').map(str::to_owned).collect()
        };
        let lists = [words(Acl::Strict), words(Acl::Standard), words(Acl::Compatible)];
        assert!(lists[0].is_subset(&lists[1]) && lists[1].is_subset(&lists[2]));
        assert!(!text(Acl::Strict).contains("Booksleeve"));
        let more: Vec<_> = lists[2].difference(&lists[1]).collect();
        assert_eq!(more, ["+eval", "+evalsha", "+script|load"]);
    }

    #[test]
    fn no_command_in_the_file_is_one_that_redis_7_0_does_not_know() {
        for acl in [Acl::Standard, Acl::Compatible, Acl::Strict] {
            assert!(!text(acl).contains("setinfo") && !text(acl).contains("no-touch"));
        }
    }

    #[test]
    fn a_server_is_told_by_its_version() {
        for version in ["7.2.0", "7.4.1", "8.0.2", "8.1.1", "10.0"] {
            assert!(knows_7_2(version), "{version}");
        }
        for version in ["7.0.15", "7.1.240", "6.2.14", "", "unstable"] {
            assert!(!knows_7_2(version), "{version}");
        }
    }
}
