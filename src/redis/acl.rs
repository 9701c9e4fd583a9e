//! The users that a Redis knows, as an ACL file.
//!
//! In: the settings and the passwords' hashes. Out: the file's text. It holds hashes only, and no command that Redis 7.0
//! does not know: one such word, and that server does not start.

use super::{password::PasswordHash, settings::InstanceName};

/// The user that applications log in as.
pub const APP: &str = "app";
/// The user that the operator logs in as.
pub const OPERATOR: &str = "operator";
/// The user that the pod's probes log in as.
pub const PROBE: &str = "probe";

/// What `RedisCache` and StackExchange.Redis send: their handshake, their commands, and the Lua of packages up to 8.x.
/// Observed by removing one command at a time until something failed or was logged.
const APP_COMMANDS: &str = "-@all +select +ping +echo +client|setname +client|id +info +subscribe +unsubscribe +role +get \
    +hget +hmget +hset +hmset +expire +pexpire +del +unlink +config|get +cluster|nodes +eval +evalsha +script|load";

/// The key and the channel with which StackExchange.Redis looks for other primaries.
const APP_HANDSHAKE_KEYS: &str = "%R~__Booksleeve_TieBreak resetchannels &__Booksleeve_MasterChanged";

const OPERATOR_COMMANDS: &str = "-@all +ping +info +config|get +config|set +acl|getuser +acl|setuser +slowlog|get +scan \
    +type +pttl +hstrlen +hget";

/// The operator looks at keys of any name, to tell those under the prefix from others, and changes none.
const OPERATOR_KEYS: &str = "%R~*";

/// The hashes of the users' passwords.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hashes {
    /// Of the user [`APP`].
    pub app: PasswordHash,
    /// Of the user [`OPERATOR`].
    pub operator: PasswordHash,
    /// Of the user [`PROBE`].
    pub probe: PasswordHash,
}

/// The text of `users.acl`.
#[must_use]
pub fn users(instance_name: &InstanceName, hashes: &Hashes) -> String {
    let prefix = escape(instance_name.as_str());
    let Hashes { app, operator, probe } = hashes;
    format!(
        "user default reset off\n\
         user {APP} reset on #{} ~{prefix}* {APP_HANDSHAKE_KEYS} {APP_COMMANDS}\n\
         user {OPERATOR} reset on #{} {OPERATOR_KEYS} resetchannels {OPERATOR_COMMANDS}\n\
         user {PROBE} reset on #{} resetchannels -@all +ping\n",
        app.as_hex(),
        operator.as_hex(),
        probe.as_hex(),
    )
}

/// The hash of a user's password in the text of `users.acl`; `None` where there is no such line.
#[must_use]
pub fn password_hash(users: &str, user: &str) -> Option<PasswordHash> {
    let line = users.lines().map(str::split_ascii_whitespace).find(|words| words.clone().nth(1) == Some(user));
    line?.find_map(|word| word.strip_prefix('#').and_then(PasswordHash::parse))
}

/// A prefix as a glob pattern that matches it to the letter.
fn escape(prefix: &str) -> String {
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
    use super::*;

    fn hashes() -> Hashes {
        let hash = |digit: &str| PasswordHash::parse(&digit.repeat(64)).unwrap();
        Hashes { app: hash("a"), operator: hash("b"), probe: hash("c") }
    }

    #[test]
    fn a_prefix_matches_itself_and_nothing_else() {
        assert_eq!(escape("shop:"), "shop:");
        assert_eq!(escape(r"a*b?c[d]e\f"), r"a\*b\?c\[d\]e\\f");
    }

    #[test]
    fn each_user_has_its_own_password_and_default_is_off() {
        let text = users(&InstanceName::parse("shop:").unwrap(), &hashes());
        assert!(text.starts_with("user default reset off\n"));
        assert_eq!(password_hash(&text, APP), Some(hashes().app));
        assert_eq!(password_hash(&text, OPERATOR), Some(hashes().operator));
        assert_eq!(password_hash(&text, PROBE), Some(hashes().probe));
        assert_eq!(password_hash(&text, "default"), None);
        assert_eq!(password_hash("user app on", APP), None);
    }

    #[test]
    fn no_command_is_one_that_redis_7_0_does_not_know() {
        let text = users(&InstanceName::parse("shop:").unwrap(), &hashes());
        assert!(!text.contains("setinfo") && !text.contains("no-touch"));
    }
}
