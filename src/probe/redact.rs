//! The one gate through which a server's words reach a sample: printable, short, and without any secret that the
//! server may have echoed. Redis does echo: `ERR unknown command 'AUTH', with args beginning with: …`.

use crate::{
    entries::look::{Look, census::Keyspace},
    redis::{
        access::{acl::Passwords, password::PasswordHash},
        look::{
            Desired, Login,
            answer::{Answer, Detour, Impediment, MemorySettings, Refusal, Reload, Served, Unread},
            drift::{Correction, Drift},
            fault::{Fault, Foreign, Kill, Untrusted},
        },
        tls::certificate::Distrust,
    },
};

/// Characters kept of a text.
const LONGEST: usize = 200;

/// Words kept of what is said of a user.
const MOST_WORDS: usize = 8;

/// As many characters of a secret give it away: a server may cut what it echoes.
const GIVES_AWAY: usize = 6;

/// The outcome with every text made fit.
pub(super) fn fit_to_tell(outcome: Result<Answer, Fault>, login: &Login, want: &Desired) -> Result<Answer, Fault> {
    with(login, want, |tell| match outcome {
        Ok(answer) => Ok(of_answer(answer, tell)),
        Err(fault) => Err(of_fault(fault, tell)),
    })
}

/// What was seen of entries with every text made fit.
pub(super) fn entries_fit_to_tell(look: Look, login: &Login, want: &Desired) -> Look {
    let entries = match look.entries {
        Keyspace::Refused(words) => with(login, want, |tell| Keyspace::Refused(tell(words))),
        wordless @ (Keyspace::NotYetKnown | Keyspace::Seen(_)) => wordless,
    };
    Look { entries, ..look }
}

fn with<T>(login: &Login, want: &Desired, made_fit: impl FnOnce(&dyn Fn(String) -> String) -> T) -> T {
    let hash = login.password.sha256();
    let mut secrets = vec![login.password.reveal(), hash.as_hex()];
    let hashes = want.users.iter().flat_map(|user| match &user.passwords {
        Passwords::These(hashes) => hashes.as_slice(),
        Passwords::Off | Passwords::AsFound => &[],
    });
    secrets.extend(hashes.map(PasswordHash::as_hex));
    made_fit(&|text: String| short(&printable(&redacted(text, &secrets))))
}

fn of_answer(answer: Answer, tell: &dyn Fn(String) -> String) -> Answer {
    let Answer {
        product,
        version,
        is_preview,
        role,
        impediment,
        memory,
        is_crowded,
        saving,
        drift,
        unknown_words,
        refusals,
        shut_out,
        detour,
        certificate,
        callers,
        usage,
        unread,
    } = answer;
    let impediment = impediment.map(|impediment| match impediment {
        Impediment::CannotSave(words) => Impediment::CannotSave(tell(words)),
        wordless @ (Impediment::LacksReplicas | Impediment::Full { .. }) => wordless,
    });
    let drift = drift.into_iter().map(|drift| of_drift(drift, tell)).collect();
    let certificate = certificate.map(|Served { fingerprint, not_after, reload, is_named }| Served {
        fingerprint,
        not_after,
        is_named,
        reload: match reload {
            Reload::Refused(words) => Reload::Refused(tell(words)),
            wordless @ (Reload::Done | Reload::Pending | Reload::Withheld) => wordless,
        },
    });
    let refusals = refusals.into_iter().map(|refusal| match refusal {
        Refusal::Command(command) => Refusal::Command(tell(command)),
        Refusal::Key(command) => Refusal::Key(tell(command)),
        wordless @ (Refusal::Password | Refusal::Channel) => wordless,
    });
    Answer {
        product,
        version: tell(version),
        is_preview,
        role,
        impediment,
        memory: memory.map(|memory| MemorySettings { eviction_policy: tell(memory.eviction_policy), ..memory }),
        is_crowded,
        saving,
        drift,
        unknown_words: unknown_words
            .into_iter()
            .map(|(user, words)| (user, words.into_iter().take(MOST_WORDS).map(tell).collect()))
            .collect(),
        refusals: refusals.collect(),
        shut_out,
        detour: detour.map(|Detour { why, is_confirmed }| Detour { why: tell(why), is_confirmed }),
        certificate,
        callers,
        // The name of a slow command was cut to letters and digits where it was read.
        usage,
        unread: unread.into_iter().map(|(part, why)| (part, of_unread(why, tell))).collect(),
    }
}

fn of_unread(why: Unread, tell: &dyn Fn(String) -> String) -> Unread {
    match why {
        Unread::Refused(words) => Unread::Refused(tell(words)),
        Unread::Odd(words) => Unread::Odd(tell(words)),
        wordless @ (Unread::TooLong | Unread::Late) => wordless,
    }
}

fn of_drift(drift: Drift, tell: &dyn Fn(String) -> String) -> Drift {
    let Drift { parameter, found, correction, corrected_at } = drift;
    let correction = match correction {
        Correction::Refused(words) => Correction::Refused(tell(words)),
        Correction::Ineffective(found) => Correction::Ineffective(tell(found)),
        wordless @ (Correction::Corrected | Correction::Followed | Correction::Withheld | Correction::NoRoom) => {
            wordless
        }
    };
    Drift { parameter, found: tell(found), correction, corrected_at }
}

fn of_fault(fault: Fault, tell: &dyn Fn(String) -> String) -> Fault {
    match fault {
        Fault::Unreachable(reason) => Fault::Unreachable(tell(reason)),
        Fault::NotRedis(said) => Fault::NotRedis(tell(said)),
        Fault::Unexpected(words) => Fault::Unexpected(tell(words)),
        Fault::NoPermission { command, message } => Fault::NoPermission { command, message: tell(message) },
        Fault::Busy(Kill::Refused(words)) => Fault::Busy(Kill::Refused(tell(words))),
        Fault::Certificate(Untrusted { why, shown, since }) => {
            let why = match why {
                Distrust::Other(words) => Distrust::Other(tell(words)),
                wordless => wordless,
            };
            let shown = shown.map(|Foreign { fingerprint, issuer }| Foreign { fingerprint, issuer: tell(issuer) });
            Fault::Certificate(Untrusted { why, shown, since })
        }
        wordless @ (Fault::Frozen
        | Fault::Busy(_)
        | Fault::PlainText
        | Fault::Slow
        | Fault::WritesWait
        | Fault::WrongPassword
        | Fault::Loading
        | Fault::Full
        | Fault::TlsPort) => wordless,
    }
}

/// The text without any secret or the beginning of one.
fn redacted(text: String, secrets: &[&str]) -> String {
    secrets.iter().fold(text, |text, secret| without(&text, secret))
}

fn without(text: &str, secret: &str) -> String {
    let Some(beginning) = secret.get(..GIVES_AWAY) else { return text.to_owned() };
    let mut told = String::new();
    let mut rest = text;
    while let Some((before, found)) = rest.find(beginning).and_then(|start| rest.split_at_checked(start)) {
        told.push_str(before);
        told.push_str("<redacted>");
        let mut secret = secret.chars();
        rest = found.trim_start_matches(|char| secret.next() == Some(char));
    }
    told + rest
}

/// Runs of white space become one space, whatever else cannot be printed a dot.
fn printable(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().map(|char| if char.is_ascii_graphic() || char == ' ' { char } else { '.' }).collect()
}

fn short(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::{
        access::{
            acl::User,
            password::{LENGTH, Password},
        },
        settings::client_limits::ClientLimits,
    };

    fn told(words: &str) -> String {
        let password = Password::parse(&[b'k'; LENGTH]).unwrap();
        let login = Login { username: "operator".to_owned(), password };
        let app = Password::parse(&[b'a'; LENGTH]).unwrap().sha256();
        let want = Desired {
            max_memory: 0,
            has_room: true,
            clients: ClientLimits { clients: 1, memory: 1, query_buffer: 1 },
            eviction_policy: String::new(),
            instance_name: String::new(),
            append_only: false,
            trust: None,
            users: vec![User {
                name: "app",
                passwords: Passwords::These(vec![app]),
                rule: String::new(),
                since_7_2: "",
            }],
            address: None,
            question: None,
            correct: true,
        };
        match fit_to_tell(Err(Fault::Unexpected(words.to_owned())), &login, &want) {
            Err(Fault::Unexpected(told)) => told,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_echoed_password_is_redacted_also_where_the_echo_is_cut() {
        let password = "k".repeat(LENGTH);
        let echo = format!("ERR unknown command 'AUTH', with args beginning with: 'operator' '{password}' ");
        assert_eq!(told(&echo), "ERR unknown command 'AUTH', with args beginning with: 'operator' '<redacted>'");
        assert_eq!(told("ERR 'kkkkkkkk"), "ERR '<redacted>");
    }

    #[test]
    fn every_echo_is_redacted_and_what_replaces_it_is_not_searched_again() {
        assert_eq!(without("a redacted1 redacted2 b", "redacted1"), "a <redacted> <redacted>2 b");
        assert_eq!(without("secretsecret", "secret"), "<redacted><redacted>");
        assert_eq!(without("short", "sh"), "short", "what is shorter is nothing that was drawn");
    }

    #[test]
    fn an_echoed_hash_is_redacted() {
        let hash = Password::parse(&[b'a'; LENGTH]).unwrap().sha256();
        assert_eq!(told(&format!("ERR '#{}'", hash.as_hex())), "ERR '#<redacted>'");
    }

    #[test]
    fn words_are_cut_and_made_printable() {
        assert_eq!(told(&"x".repeat(5000)), format!("{}...", "x".repeat(LONGEST)));
        assert_eq!(told("HTTP/1.1 400\r\n\r\n\u{1b}[31m\u{202e}\u{fffd}"), "HTTP/1.1 400 .[31m..");
    }
}
