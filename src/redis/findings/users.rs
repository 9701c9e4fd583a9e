//! Who may do what on a server, and who was refused: the findings about `UsersVerified` and `AccessAllowed`.
//!
//! In: the settings and a server's answer. Out: findings. No password, no hash and no key is told.

use std::collections::BTreeSet;

use super::{drift, unread};
use crate::{
    api::v1alpha1::Acl,
    capability::cost::NOTHING,
    condition::{
        ConditionType::{AccessAllowed, UsersVerified},
        Finding, Reason,
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
        let found: Vec<String> = left.iter().map(|drift| describe(drift)).collect();
        let leads_to: BTreeSet<&str> = left.iter().map(|drift| consequence(drift)).collect();
        let leads_to: Vec<&str> = leads_to.into_iter().collect();
        return Finding::fails(
            UsersVerified,
            drift::reason(&first.correction),
            drift::uncorrected(
                settings,
                Restart::of(settings, Some(answer)),
                pod,
                &format!("on {pod}, {}: {}", found.join(", and "), leads_to.join(", and ")),
                &first.correction,
            ),
        );
    }
    if drifts.is_empty() {
        let message = format!(
            "the users of {pod} were read back: app ({}, keys that begin with {:?}), operator, probe; default is switched off",
            settings.acl.as_str(),
            settings.instance_name.as_str()
        );
        if answer.unknown_words.is_empty() {
            return Finding::holds(UsersVerified, Reason::Verified, message);
        }
        let message = format!("{message}. {}", unknown(&answer.unknown_words));
        return Finding::holds(UsersVerified, Reason::UnknownRules, message);
    }
    let found: Vec<String> = drifts.iter().map(|drift| describe(drift)).collect();
    Finding::holds(
        UsersVerified,
        Reason::DriftCorrected,
        format!(
            "on {pod}, {}: set right and read back. Unless the operator or the spec is another one since then, somebody or \
             something changes users there, which takes the operator's login: see who can read Secret {secret}. {NOTHING}: `kubectl \
             -n {namespace} delete secret {secret}` makes a new one; the earlier one ends with spec.redis.passwordRotation.overlap",
            found.join(", and "),
            secret = name::redis_operator(&settings.owner.name),
            namespace = settings.owner.namespace
        ),
    )
}

/// What is said of words that are not compared.
fn unknown(words: &UnknownWords) -> String {
    let of_users = words.iter().map(|(user, words)| format!("{} of {user}", names(words.iter().map(String::as_str))));
    format!(
        "It also says {}, which this version of the operator does not know and does not compare: its version may be newer \
         than the operator's",
        of_users.collect::<Vec<_>>().join(", ")
    )
}

/// What is not as it should be about the users.
#[must_use]
pub fn describe(drift: &Drift) -> String {
    let found = &drift.found;
    match drift.parameter {
        Parameter::Strangers => format!("there are users that nobody asked for ({found})"),
        Parameter::Rights(name) => format!("the user {name} {found}"),
        Parameter::Login(name) => format!("the login of the user {name} is not as wanted ({found})"),
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
            "whoever logs in as that user is refused"
        }
        _ => "somebody may do more there than they should",
    }
}

/// Whether the user `app` was refused anything of late.
#[must_use]
pub fn refusals(settings: &Settings, pod: &str, answer: &Answer) -> Finding {
    let minutes = REFUSALS_COUNT_FOR.as_secs() / 60;
    let Some(first) = answer.refusals.first() else {
        if let Some(unknown) = unread::finding(settings, pod, answer, AccessAllowed, &[Section::Refusals]) {
            return unknown;
        }
        let message = format!("{pod} refused the user app nothing in the last {minutes} minutes");
        return Finding::holds(AccessAllowed, Reason::NothingRefused, message);
    };
    let reason = match first {
        Refusal::Password if answer.shut_out == ShutOut::Everybody => Reason::EveryLoginRefused,
        Refusal::Password => Reason::LoginRefused,
        Refusal::Command(_) => Reason::CommandRefused,
        Refusal::Key(_) => Reason::KeyRefused,
        Refusal::Channel => Reason::ChannelRefused,
    };
    let commands =
        |pick: fn(&Refusal) -> Option<&str>| -> Vec<&str> { answer.refusals.iter().filter_map(pick).collect() };
    let refused = commands(|refusal| match refusal {
        Refusal::Command(command) => Some(command),
        _ => None,
    });
    let outside = commands(|refusal| match refusal {
        Refusal::Key(command) => Some(command),
        _ => None,
    });
    let parts = [
        answer.refusals.contains(&Refusal::Password).then(|| wrong_password(settings)),
        (!refused.is_empty()).then(|| other_commands(settings, &refused)),
        (!outside.is_empty()).then(|| other_keys(settings, &outside)),
        answer.refusals.contains(&Refusal::Channel).then(|| {
            "a channel: the cache's clients need none with the published connectionString, so another application may \
             use this login"
                .to_owned()
        }),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let nobody = if answer.shut_out == ShutOut::Everybody { "no application is logged in; " } else { "" };
    let message = format!(
        "{nobody}within the last {minutes} minutes, {pod} refused the user app {}. This is told until {minutes} minutes have passed \
         without",
        parts.join("; and ")
    );
    Finding::fails(AccessAllowed, reason, message)
}

fn wrong_password(settings: &Settings) -> String {
    format!(
        "a login with a wrong password (WRONGPASS): whoever has it asks the identity provider for every token. Restart the \
         applications that read Secret {} before its password changed",
        name::redis(&settings.owner.name)
    )
}

fn other_commands(settings: &Settings, commands: &[&str]) -> String {
    let runs_scripts = commands.iter().any(|command| SCRIPTS.contains(command));
    let remedy = match settings.acl {
        Acl::Standard | Acl::Strict if runs_scripts => {
            "package Microsoft.Extensions.Caching.StackExchangeRedis 8.0.x needs these to write an entry, and writes none. Update \
             it to 9.0 or later. Costs nothing: spec.redis.acl: Compatible"
        }
        Acl::Strict => {
            "spec.redis.acl is Strict, which suits Microsoft.Extensions.Caching.StackExchangeRedis from 9.0 on with the \
             published connectionString. Use both. Costs nothing: spec.redis.acl: Standard"
        }
        Acl::Standard | Acl::Compatible => {
            "no client of the cache sends that, so another application or a person uses this login: give it a Redis of its own"
        }
    };
    format!("commands (NOPERM: {}): {remedy}", names(commands.iter().copied()))
}

fn other_keys(settings: &Settings, commands: &[&str]) -> String {
    format!(
        "keys that do not begin with {:?} (NOPERM, by {}): such entries are neither written nor read. Give the application \
         the InstanceName in ConfigMap {} (Redis__InstanceName), or, if it is another one, a TokenCache of its own",
        settings.instance_name.as_str(),
        names(commands.iter().copied()),
        name::settings(&settings.owner.name)
    )
}
