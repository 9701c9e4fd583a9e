//! Who may do what on a server, and who was refused: the findings about `UsersVerified` and `AccessAllowed`.
//!
//! In: the settings and a server's answer. Out: findings. No password, no hash and no key is told.

use super::{drift, unread};
use crate::{
    api::v1alpha1::{Acl, Remedy},
    condition::{
        ConditionType::{AccessAllowed, UsersVerified},
        Finding, Message, Reason,
    },
    kubernetes::name,
    redis::{
        access::{
            acl::{APP, OPERATOR},
            rules::names,
        },
        look::{
            REFUSALS_COUNT_FOR,
            answer::{Answer, Refusal, Section, ShutOut, UnknownWords},
            drift::{Drift, Parameter},
        },
        restart::Restart,
        settings::Settings,
    },
};

/// How much is told of what differs.
const MOST: usize = 2;

/// The package with which applications reach the cache.
const PACKAGE: &str = "Microsoft.Extensions.Caching.StackExchangeRedis";

/// What helps where no client of the cache sends what is refused.
const ANOTHER_USER: &str = "find out who else uses this login, and give them a Redis of their own";

/// The commands that only package 8.0.x sends, as an ACL names them.
const SCRIPTS: [&str; 3] = ["eval", "evalsha", "script|load"];

/// Whether the users of a server are those that it should have, and may do what they should. The password of the user `app`
/// is told with `RedisAvailable`.
#[must_use]
pub fn verification(settings: &Settings, pod: &str, answer: &Answer) -> Finding {
    if let Some(unknown) = unread::finding(settings, pod, answer, UsersVerified, &[Section::Users]) {
        return unknown;
    }
    let is_of_users =
        |drift: &&Drift| matches!(drift.parameter, Parameter::Login(_) | Parameter::Rights(_) | Parameter::Strangers);
    let drifts: Vec<&Drift> = answer.drift.iter().filter(is_of_users).collect();
    let left: Vec<&Drift> = drifts.iter().copied().filter(|drift| !drift.correction.is_done()).collect();
    if let Some(first) = left.first() {
        let fact = format!("on {pod}, {}: {}", describe_all(&left), consequence(first));
        let cost = Restart::of(settings, Some(answer));
        let message = drift::uncorrected(settings, cost, pod, &fact, &first.correction);
        return Finding::fails(UsersVerified, drift::reason(&first.correction), message);
    }
    if drifts.is_empty() {
        let message = format!(
            "the users of {pod} were read back: app ({}, keys that begin with {:?}), operator, probe; default is off",
            settings.acl.as_str(),
            settings.instance_name.as_str()
        );
        if answer.unknown_words.is_empty() {
            return Finding::holds(UsersVerified, Reason::Verified, message);
        }
        let message = format!("{message}. {}", unknown(&answer.unknown_words));
        return Finding::holds(UsersVerified, Reason::UnknownRules, message);
    }
    let (secret, namespace) = (name::redis_operator(&settings.owner.name), &settings.owner.namespace);
    let message = Message::from(format!("on {pod}, {}; corrected and verified", describe_all(&drifts)))
        .remedy(Remedy::look(format!(
            "find out who can read Secret {secret}, unless the spec or operator just changed"
        )))
        .remedy(
            Remedy::free(format!("delete Secret {secret} for another login"))
                .command(format!("kubectl -n {namespace} delete secret {secret}")),
        );
    Finding::holds(UsersVerified, Reason::DriftCorrected, message)
}

/// What differs; of much, the first.
fn describe_all(drifts: &[&Drift]) -> String {
    let told: Vec<String> = drifts.iter().take(MOST).map(|drift| describe(drift)).collect();
    let more = drifts.len() - told.len();
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{}{more}", told.join(" and "))
}

/// What is said of words that are not compared.
fn unknown(words: &UnknownWords) -> String {
    let of_users = words.iter().map(|(user, words)| format!("{} of {user}", names(words.iter().map(String::as_str))));
    format!("Not compared, since this operator does not know it: {}", of_users.collect::<Vec<_>>().join(", "))
}

/// What is not as it should be about the users.
#[must_use]
pub fn describe(drift: &Drift) -> String {
    let found = &drift.found;
    match drift.parameter {
        Parameter::Strangers => format!("there are unexpected users ({found})"),
        Parameter::Rights(name) => format!("user {name} {found}"),
        Parameter::Login(name) => format!("the login of user {name} is not as wanted ({found})"),
        _ => found.clone(),
    }
}

/// What that leads to.
#[must_use]
pub fn consequence(drift: &Drift) -> &'static str {
    match drift.parameter {
        Parameter::Rights(APP) if drift.found.starts_with("lacks") => "applications are refused what they need",
        Parameter::Rights(OPERATOR) if drift.found.starts_with("lacks") => "the operator is refused what it needs",
        Parameter::Login(_) if drift.found == "no such user" || drift.found.starts_with("a user that is") => {
            "its logins are refused"
        }
        _ => "somebody may do more than they should",
    }
}

/// Whether the user `app` was refused anything of late. `holders` are those who are known to have an earlier password.
#[must_use]
pub fn refusals(settings: &Settings, pod: &str, answer: &Answer, holders: Option<Message>) -> Finding {
    let minutes = REFUSALS_COUNT_FOR.as_secs() / 60;
    let Some(first) = answer.refusals.first() else {
        if let Some(unknown) = unread::finding(settings, pod, answer, AccessAllowed, &[Section::Refusals]) {
            return unknown;
        }
        let message = format!("{pod} refused user app nothing in the last {minutes} minutes");
        return Finding::holds(AccessAllowed, Reason::NothingRefused, message);
    };
    let reason = match first {
        Refusal::Password if answer.shut_out == ShutOut::Everybody => Reason::EveryLoginRefused,
        Refusal::Password => Reason::LoginRefused,
        Refusal::Command(_) => Reason::CommandRefused,
        Refusal::Key(_) => Reason::KeyRefused,
        Refusal::Channel => Reason::ChannelRefused,
    };
    let named = |pick: fn(&Refusal) -> Option<&str>| -> Vec<&str> { answer.refusals.iter().filter_map(pick).collect() };
    let commands = named(|refusal| match refusal {
        Refusal::Command(command) => Some(command),
        _ => None,
    });
    let outside = named(|refusal| match refusal {
        Refusal::Key(command) => Some(command),
        _ => None,
    });
    let is_refused = answer.refusals.contains(&Refusal::Password);
    let holders = holders.filter(|_| is_refused);
    let kinds = [
        is_refused.then(|| wrong_password(holders.as_ref())),
        (!commands.is_empty()).then(|| other_commands(settings, &commands)),
        (!outside.is_empty()).then(|| other_keys(settings, &outside)),
        answer.refusals.contains(&Refusal::Channel).then(channel),
    ];
    let kinds: Vec<Refused> = kinds.into_iter().flatten().collect();
    let facts: Vec<&str> = kinds.iter().map(|kind| kind.fact.as_str()).collect();
    let nobody = if answer.shut_out == ShutOut::Everybody { "no application is logged in, and " } else { "" };
    let mut message = Message::from(format!("{nobody}{pod} refused user app {}", facts.join("; ")));
    // There is room for one.
    if let [Refused { why: Some(why), .. }] = kinds.as_slice() {
        message = message.and(why);
    }
    message = message.and(&format!("Clears {minutes} minutes after the last refusal"));
    if let Some(holders) = &holders {
        message = message.and(&holders.text);
    }
    let remedies = kinds.into_iter().flat_map(|kind| kind.remedies).collect();
    Finding::fails(AccessAllowed, reason, Message { remedies, ..message })
}

/// What was refused: what, what that comes of or leads to, and what helps.
struct Refused {
    fact: String,
    why: Option<String>,
    remedies: Vec<Remedy>,
}

impl Refused {
    fn new(fact: impl Into<String>, remedies: Vec<Remedy>) -> Self {
        Self { fact: fact.into(), why: None, remedies }
    }

    fn because(self, why: impl Into<String>) -> Self {
        Self { why: Some(why.into()), ..self }
    }
}

fn wrong_password(holders: Option<&Message>) -> Refused {
    let known = holders.map(|holders| holders.remedies.clone()).filter(|known| !known.is_empty());
    let all = || Remedy::free("restart applications that started before the password changed");
    Refused::new("a login with a wrong password (WRONGPASS)", known.unwrap_or_else(|| vec![all()]))
}

fn other_commands(settings: &Settings, commands: &[&str]) -> Refused {
    let fact = format!("commands (NOPERM: {})", names(commands.iter().copied()));
    let runs_scripts = commands.iter().any(|command| SCRIPTS.contains(command));
    match settings.acl {
        Acl::Standard | Acl::Strict if runs_scripts => {
            let compatible = Remedy::free("set spec.redis.acl: Compatible");
            Refused::new(fact, vec![compatible, Remedy::look(format!("update {PACKAGE} to 9.0 or later"))])
                .because(format!("{PACKAGE} 8.0.x writes no entry without them"))
        }
        Acl::Strict => {
            let standard = Remedy::free("set spec.redis.acl: Standard");
            let package = Remedy::look("use package version 9.0 or later with the published connectionString");
            Refused::new(fact, vec![standard, package]).because("spec.redis.acl is Strict")
        }
        Acl::Standard | Acl::Compatible => {
            Refused::new(fact, vec![Remedy::look(ANOTHER_USER)]).because("No client of the cache sends these")
        }
    }
}

fn other_keys(settings: &Settings, commands: &[&str]) -> Refused {
    let fact = format!(
        "keys without prefix {:?} (NOPERM, by {})",
        settings.instance_name.as_str(),
        names(commands.iter().copied())
    );
    let config_map = name::settings(&settings.owner.name);
    let name = Remedy::look(format!("give the application the Redis__InstanceName of ConfigMap {config_map}"));
    let another = Remedy::look("if it is another application, give it a TokenCache of its own");
    Refused::new(fact, vec![name, another]).because("Such entries are neither written nor read")
}

fn channel() -> Refused {
    let published = Remedy::look("use the published connectionString, which needs no channel");
    Refused::new("a channel (NOPERM)", vec![published, Remedy::look(ANOTHER_USER)])
}
