//! What a server says of its users, compared with what they should be.
//!
//! In: lines of `ACL LIST`, each as a server writes it. Out: [`Rules`], sets that are equal where the users are the same,
//! and the difference in words, which hold no password and no hash. Words of a rule stand in an order of the server's own,
//! and some are written by some versions only, so no line is ever compared as text.

use std::{collections::BTreeSet, fmt};

use super::{
    acl::{Passwords, User},
    password::PasswordHash,
};

/// How many words of a difference are told, and how much of each.
const TOLD: usize = 3;
const LONGEST: usize = 24;

/// Stands for the words of a list that is too long.
const MORE: &str = "(more than is read)";

/// What is said of a user that has no password that it should not have, and lacks one that it should.
pub const SOME_PASSWORDS: &str = "only some of its passwords";
/// What is said of a user that may not log in.
pub const SWITCHED_OFF: &str = "a user that is switched off";

/// One user, as a server has it or as it should be.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Rules {
    on: bool,
    needs_no_password: bool,
    hashes: BTreeSet<String>,
    /// Keys, channels, commands, selectors, and what else is known.
    words: BTreeSet<String>,
    /// What is said of it in no syntax that is known.
    unknown: BTreeSet<String>,
}

// By hand: derived, it would print hashes.
impl fmt::Debug for Rules {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Rules").field("on", &self.on).field("words", &self.words).finish_non_exhaustive()
    }
}

/// Reads one line of `ACL LIST`: whose it is, and what it says. `None` where it is no such line.
#[must_use]
pub fn read(line: &str) -> Option<(String, Rules)> {
    let mut words = line.split_ascii_whitespace();
    if words.next() != Some("user") {
        return None;
    }
    let name = words.next()?.to_owned();
    Some((name, Rules::of(words)))
}

/// Reads the beginning of a line of `ACL LIST` that is longer than that of any user that should be there: it says more than
/// any of them.
#[must_use]
pub fn read_beginning(line: &str) -> Option<(String, Rules)> {
    let (name, mut rules) = read(line)?;
    rules.insert(MORE);
    Some((name, rules))
}

impl Rules {
    /// What this user should be on a server that knows the commands of Redis 7.2, or does not.
    #[must_use]
    pub fn wanted(user: &User, knows_7_2: bool) -> Self {
        Self::of(user.words(knows_7_2).iter().map(String::as_str))
    }

    fn of<'word>(words: impl Iterator<Item = &'word str>) -> Self {
        let mut rules = Self::default();
        let mut selector: Option<String> = None;
        for word in words {
            if let Some(mut open) = selector.take() {
                open = format!("{open} {word}");
                rules.keep_or_close(open, &mut selector);
            } else if word.starts_with('(') {
                rules.keep_or_close(word.to_owned(), &mut selector);
            } else {
                rules.add(word);
            }
        }
        rules
    }

    /// A selector is a rule of its own, in parentheses.
    fn keep_or_close(&mut self, text: String, open: &mut Option<String>) {
        if text.ends_with(')') {
            self.words.insert(text);
        } else {
            *open = Some(text);
        }
    }

    fn add(&mut self, word: &str) {
        match word {
            "reset" => *self = Self::default(),
            "on" => self.on = true,
            "off" => self.on = false,
            "nopass" => self.needs_no_password = true,
            // What every user starts with, said or not: Redis 8 says more of it than 7.0.
            "sanitize-payload" | "resetchannels" | "resetkeys" | "resetpass" | "clearselectors" | "-@all"
            | "nocommands" => {}
            "allkeys" => self.insert("~*"),
            "allchannels" => self.insert("&*"),
            "allcommands" => self.insert("+@all"),
            _ => match word.strip_prefix('#') {
                Some(hash) => drop(self.hashes.insert(hash.to_owned())),
                None if is_known(word) => self.insert(word),
                None => drop(self.unknown.insert(word.to_owned())),
            },
        }
    }

    fn insert(&mut self, word: &str) {
        // `%RW~` is the long form of `~`.
        self.words.insert(word.strip_prefix("%RW").unwrap_or(word).to_owned());
    }

    /// What a server says of this user in no syntax that is known here: later servers say more than earlier ones. It is no
    /// difference by itself.
    #[must_use]
    pub fn unknown(&self) -> &BTreeSet<String> {
        &self.unknown
    }

    /// How the password, if any, with which this user can log in differs from what it should be; in words, without it.
    #[must_use]
    pub fn password_differs(&self, user: &User) -> Option<String> {
        let wanted: BTreeSet<&str> = match &user.passwords {
            Passwords::AsFound => return None,
            Passwords::Off => {
                let found = self.on.then_some("switched on");
                let found =
                    found.or_else(|| (self.needs_no_password || !self.hashes.is_empty()).then_some("a password"));
                return found.map(str::to_owned);
            }
            Passwords::These(hashes) => hashes.iter().map(PasswordHash::as_hex).collect(),
        };
        let found: BTreeSet<&str> = self.hashes.iter().map(String::as_str).collect();
        if !self.on {
            return Some(SWITCHED_OFF.to_owned());
        }
        if self.needs_no_password {
            return Some("no password needed".to_owned());
        }
        if found == wanted {
            return None;
        }
        Some(match found.len() {
            0 => "no password".to_owned(),
            _ if found.is_subset(&wanted) => SOME_PASSWORDS.to_owned(),
            1 => "another password".to_owned(),
            several => format!("{several} passwords"),
        })
    }

    /// What this user may do beside what it should, and what it may not; in words.
    #[must_use]
    pub fn rights_differ(&self, wanted: &Self) -> Option<String> {
        let more: Vec<&String> = self.words.difference(&wanted.words).collect();
        let less: Vec<&String> = wanted.words.difference(&self.words).collect();
        let parts = [told("also has", &more), told("lacks", &less)];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(" and "))
    }
}

/// Whether a word is of a syntax that gives rights or takes them: keys, channels, commands, selectors. Also where what it
/// says in that is new.
fn is_known(word: &str) -> bool {
    word.starts_with(['~', '%', '&', '+', '-', '(', '@']) || word == "skip-sanitize-payload"
}

fn told(verb: &str, words: &[&String]) -> Option<String> {
    (!words.is_empty()).then(|| format!("{verb} {}", names(words.iter().map(|word| word.as_str()))))
}

/// A few names, and how many more there are.
#[must_use]
pub fn names<'name>(names: impl ExactSizeIterator<Item = &'name str>) -> String {
    let more = names.len().saturating_sub(TOLD);
    let shown: Vec<String> = names
        .take(TOLD)
        .map(|name| match name.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{}...", &name[..end]),
            None => name.to_owned(),
        })
        .collect();
    let shown = shown.join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::access::password::PasswordHash;

    fn user(rule: &str) -> User {
        let hash = PasswordHash::parse(&"a".repeat(64)).unwrap();
        User {
            name: "app",
            passwords: Passwords::These(vec![hash]),
            rule: rule.to_owned(),
            since_7_2: "+client|setinfo",
        }
    }

    fn found(words: &str) -> Rules {
        let line = format!("user app {}", words.replace("HASH", &format!("#{}", "a".repeat(64))));
        read(&line).unwrap().1
    }

    #[test]
    fn a_user_is_the_same_in_whatever_order_and_words_a_server_tells_it() {
        let wanted = Rules::wanted(&user("~shop:* &news -@all +get +ping"), false);
        for words in [
            "on HASH ~shop:* resetchannels &news -@all +get +ping",
            "on sanitize-payload HASH ~shop:* resetchannels &news -@all +ping +get",
            "on HASH %RW~shop:* resetchannels &news -@all +get +ping",
        ] {
            assert_eq!(found(words), wanted, "{words}");
        }
    }

    #[test]
    fn what_a_user_has_and_lacks_is_told_in_words() {
        let user = user("~shop:* -@all +get +ping");
        let wanted = Rules::wanted(&user, false);
        let told = |words| found(words).rights_differ(&wanted);
        assert_eq!(told("on HASH ~shop:* resetchannels -@all +get +ping"), None);
        assert_eq!(told("on HASH ~shop:* resetchannels -@all +ping").unwrap(), "lacks +get");
        assert_eq!(told("on HASH ~* &* +@all").unwrap(), "also has &*, +@all, ~* and lacks +get, +ping, ~shop:*");
        assert_eq!(told("on HASH ~shop:* -@all +get +ping (~x -@all +set)").unwrap(), "also has (~x -@all +set)");
        assert_eq!(told("on skip-sanitize-payload HASH ~shop:* +get +ping").unwrap(), "also has skip-sanitize-payload");
    }

    #[test]
    fn a_word_in_no_known_syntax_is_no_difference_and_one_that_gives_rights_is() {
        let user = user("~shop:* -@all +get");
        let wanted = Rules::wanted(&user, false);
        for word in ["alldbs", "db=0", "resetdbs", "quota:5", "x-future", "noeviction=yes", "2fa"] {
            let found = found(&format!("on HASH ~shop:* resetchannels {word} -@all +get"));
            assert_eq!(found.rights_differ(&wanted), None, "{word}");
            assert_eq!(found.unknown().iter().collect::<Vec<_>>(), [word]);
            assert_eq!(found.password_differs(&user), None, "{word}");
        }
        for word in [
            "~*",
            "%RWX~*",
            "%D~*",
            "&*",
            "+@all",
            "+new",
            "+get|sub",
            "(+@all ~*)",
            "(alldbs +get)",
            "@all",
            "allkeys",
        ] {
            let found = found(&format!("on HASH ~shop:* resetchannels {word} -@all +get"));
            assert!(found.rights_differ(&wanted).is_some_and(|told| told.starts_with("also has")), "{word}");
            assert!(found.unknown().is_empty(), "{word}");
        }
        assert_eq!(found("on nopass ~shop:* +get").password_differs(&user).unwrap(), "no password needed");
    }

    #[test]
    fn a_command_that_only_later_servers_know_is_lacking_only_there() {
        let user = user("~shop:* -@all +get");
        let rules = found("on HASH ~shop:* resetchannels -@all +get");
        assert_eq!(rules.rights_differ(&Rules::wanted(&user, false)), None);
        assert_eq!(rules.rights_differ(&Rules::wanted(&user, true)).unwrap(), "lacks +client|setinfo");
    }

    #[test]
    fn passwords_are_compared_and_never_told() {
        let told = |words| found(words).password_differs(&user(""));
        assert_eq!(told("on HASH"), None);
        assert_eq!(told("off HASH").unwrap(), "a user that is switched off");
        assert_eq!(told("on nopass").unwrap(), "no password needed");
        assert_eq!(told("on").unwrap(), "no password");
        assert_eq!(told("on #b").unwrap(), "another password");
        assert_eq!(told("on HASH #b").unwrap(), "2 passwords");
        assert!(!format!("{:?}", found("on HASH")).contains("aaaa"));
    }

    #[test]
    fn one_of_several_passwords_is_told_from_another_one() {
        let hash = |digit: &str| PasswordHash::parse(&digit.repeat(64)).unwrap();
        let both = User { passwords: Passwords::These(vec![hash("d"), hash("a")]), ..user("") };
        let told = |words: &str| found(words).password_differs(&both);
        let other = format!("#{}", "d".repeat(64));
        assert_eq!(told(&format!("on HASH {other}")), None);
        assert_eq!(told("on HASH").unwrap(), SOME_PASSWORDS);
        assert_eq!(told("on #b").unwrap(), "another password");
        assert_eq!(told(&format!("on HASH {other} #b")).unwrap(), "3 passwords");
        assert_eq!(told("on HASH #b").unwrap(), "2 passwords");
    }

    #[test]
    fn a_user_that_should_be_off_is_told_where_it_is_not() {
        let off = User { passwords: Passwords::Off, ..user("") };
        assert_eq!(found("off sanitize-payload resetchannels -@all").password_differs(&off), None);
        assert_eq!(found("on nopass ~* &* +@all").password_differs(&off).unwrap(), "switched on");
    }

    #[test]
    fn a_long_list_is_cut_and_counted() {
        let long = "x".repeat(30);
        assert_eq!(names(["a", "b", &long, "d", "e"].into_iter()), format!("a, b, {}... and 2 more", "x".repeat(24)));
    }

    #[test]
    fn what_is_no_line_of_a_list_is_none() {
        assert!(read("").is_none() && read("user").is_none() && read("app on").is_none());
    }
}
