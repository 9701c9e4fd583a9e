//! The users of a server: listed, compared with those that it should have, set where asked for, and listed again.
//!
//! `ACL SETUSER` sets a user as a whole and at once; connections that are logged in stay. A user that nobody asked for is
//! removed, and its connections end with it: the users' file does not hold it, so whoever made it had the login of
//! somebody who may make users. `ACL LOAD` is never used: it ends everybody's connections on 7.0.

use std::collections::BTreeMap;

use super::settings::{Attempt, Difference, drift};
use crate::{
    probe::wire::{bounded::Bounds, connection::Connection, failure::Failure, reply},
    redis::{
        access::{
            acl::{APP, User},
            rules::{self, Rules},
        },
        look::{
            Desired,
            answer::{Section, UnknownWords, Unread},
            drift::{Correction, Drift, Parameter},
            fault::Fault,
        },
    },
};

/// A user that should be there takes less than a kilobyte.
const BOUNDS: Bounds = Bounds { each: 8 * 1024, kept: 2 << 20, read: 16 << 20, beginning: false };

type Listed = Vec<(String, Rules)>;

/// Compares the users with what is wanted; where they differ, corrects them if that is asked for, and compares again. Also
/// tells what the server says of them that nobody here knows.
pub(crate) async fn bring_in_line(
    connection: &mut Connection,
    want: &Desired,
    knows_7_2: bool,
    unread: &mut BTreeMap<Section, Unread>,
) -> Result<(Vec<Drift>, UnknownWords), Fault> {
    if want.users.is_empty() {
        return Ok(Default::default());
    }
    let Some(listed) = list(connection).await? else {
        unread.insert(Section::Users, Unread::TooLong);
        return Ok(Default::default());
    };
    let differences = differences(&listed, want, knows_7_2);
    let odd: Vec<&User> = want.users.iter().filter(|user| says_more(connection, &listed, user)).collect();
    let mut attempts = Vec::new();
    for difference in differences {
        let attempt = attempt(connection, &listed, want, knows_7_2, difference.parameter).await?;
        attempts.push((difference, attempt));
    }
    // Whether somebody made a user so, or the server says it of every user, shows when the user is set as a whole.
    let is_set = |user: &User, attempts: &[(Difference, Attempt)]| {
        attempts.iter().any(|(difference, _)| name_in(difference.parameter) == Some(user.name))
    };
    for user in odd.iter().filter(|user| want.correct && !is_set(user, &attempts)) {
        let _ = connection.change("acl|setuser", &crate::probe::wire::commands::set_user(user, knows_7_2)).await?;
    }
    let (mut left, mut after) = (Vec::new(), None);
    if want.correct && !(attempts.is_empty() && odd.is_empty()) {
        after = list(connection).await?;
        match &after {
            Some(after) => left = self::differences(after, want, knows_7_2),
            None => drop(unread.insert(Section::Users, Unread::TooLong)),
        }
    }
    let drifts = attempts.into_iter().map(|(difference, attempt)| drift(difference, attempt, &left));
    let mut drifts: Vec<Drift> = drifts.filter(|drift| !is_as_loaded(drift, &listed, want)).collect();
    if let Some(after) = &after {
        for user in odd {
            let gone = remember(connection, &listed, after, user);
            let rights = Parameter::Rights(user.name);
            if let Some(found) = gone.filter(|_| drifts.iter().all(|drift| drift.parameter != rights)) {
                drifts.push(Drift { parameter: rights, found, correction: Correction::Corrected, corrected_at: None });
            }
        }
    }
    let own = want.users.iter().filter_map(|user| {
        let unknown = rules_of(after.as_ref().unwrap_or(&listed), user)?.unknown();
        (!unknown.is_empty()).then(|| (user.name, unknown.clone()))
    });
    Ok((drifts, own.collect()))
}

/// Whether a server says of this user what is not known, and not known to be the server's own either.
fn says_more(connection: &Connection, listed: &Listed, user: &User) -> bool {
    rules_of(listed, user).is_some_and(|rules| {
        rules.unknown().iter().any(|word| !connection.own_words.contains(&(user.name, word.clone())))
    })
}

/// Takes note of what a server says of a user that was set as a whole: that is its own. Tells what it says no more, which
/// somebody had done to the user.
fn remember(connection: &mut Connection, before: &Listed, after: &Listed, user: &User) -> Option<String> {
    let (before, after) = (rules_of(before, user)?.unknown(), rules_of(after, user)?.unknown());
    connection.own_words.extend(after.iter().map(|word| (user.name, word.clone())));
    let gone: Vec<&str> = before.difference(after).map(String::as_str).collect();
    (!gone.is_empty()).then(|| format!("also has {}", rules::names(gone.into_iter())))
}

/// Gives the user that is logged in its rights back, and tells so; `None` where it may not even do that.
pub(crate) async fn restore(connection: &mut Connection, own: &User) -> Result<Option<Drift>, Fault> {
    let found = "lacks what the operator needs".to_owned();
    let drift =
        Drift { parameter: Parameter::Rights(own.name), found, correction: Correction::Corrected, corrected_at: None };
    let changed = connection.change("acl|setuser", &crate::probe::wire::commands::set_user(own, false)).await?;
    Ok(changed.is_ok().then_some(drift))
}

/// `None` where the list is too long. A line of it that is too long differs from what any user should be.
async fn list(connection: &mut Connection) -> Result<Option<Listed>, Fault> {
    match connection.send_within(&crate::probe::wire::commands::users(), BOUNDS).await {
        Ok(answer) => reply::users(answer, BOUNDS).map(Some),
        Err(Failure::TooLong(_)) => Ok(None),
        Err(failure) => Err(failure.of(Section::Users.command())),
    }
}

fn differences(listed: &Listed, want: &Desired, knows_7_2: bool) -> Vec<Difference> {
    let mut differences = Vec::new();
    for user in &want.users {
        let login = if user.name == APP { Parameter::AppPassword } else { Parameter::Login(user.name) };
        let Some(found) = rules_of(listed, user) else {
            differences.push(Difference { parameter: login, found: "no such user".to_owned() });
            continue;
        };
        let password = found.password_differs(user).map(|found| Difference { parameter: login, found });
        let rights = found.rights_differ(&Rules::wanted(user, knows_7_2));
        let rights = rights.map(|found| Difference { parameter: Parameter::Rights(user.name), found });
        differences.extend(password.into_iter().chain(rights));
    }
    let strangers = strangers(listed, want);
    if !strangers.is_empty() {
        let found = rules::names(strangers.into_iter());
        differences.push(Difference { parameter: Parameter::Strangers, found });
    }
    differences
}

fn rules_of<'listed>(listed: &'listed Listed, user: &User) -> Option<&'listed Rules> {
    listed.iter().find(|(name, _)| name == user.name).map(|(_, rules)| rules)
}

fn strangers<'listed>(listed: &'listed Listed, want: &Desired) -> Vec<&'listed str> {
    let is_wanted = |name: &str| want.users.iter().any(|user| user.name == name);
    listed.iter().map(|(name, _)| name.as_str()).filter(|name| !is_wanted(name)).collect()
}

async fn attempt(
    connection: &mut Connection,
    listed: &Listed,
    want: &Desired,
    knows_7_2: bool,
    parameter: Parameter,
) -> Result<Attempt, Fault> {
    if !want.correct {
        return Ok(Attempt::Withheld);
    }
    let user = name_in(parameter).and_then(|name| want.users.iter().find(|user| user.name == name));
    let (name, command) = match user {
        Some(user) => ("acl|setuser", crate::probe::wire::commands::set_user(user, knows_7_2)),
        None => ("acl|deluser", crate::probe::wire::commands::delete_users(&strangers(listed, want))),
    };
    Ok(match connection.change(name, &command).await? {
        Ok(()) => Attempt::Accepted,
        Err(words) => Attempt::Refused(words),
    })
}

fn name_in(parameter: Parameter) -> Option<&'static str> {
    match parameter {
        Parameter::AppPassword => Some(APP),
        Parameter::Login(name) | Parameter::Rights(name) => Some(name),
        Parameter::Strangers
        | Parameter::Script
        | Parameter::MaxMemory
        | Parameter::EvictionPolicy
        | Parameter::Clients(_)
        | Parameter::AppendOnly
        | Parameter::AppendFsync
        | Parameter::PlainPort
        | Parameter::CertificateFiles => None,
    }
}

/// A server that has just started has its users as the file says, which cannot name what earlier servers do not know:
/// nobody took that away.
fn is_as_loaded(drift: &Drift, listed: &Listed, want: &Desired) -> bool {
    let Parameter::Rights(name) = drift.parameter else { return false };
    let user = want.users.iter().find(|user| user.name == name);
    let lacks_nothing_else = user.is_some_and(|user| {
        rules_of(listed, user).is_some_and(|found| found.rights_differ(&Rules::wanted(user, false)).is_none())
    });
    lacks_nothing_else && matches!(drift.correction, Correction::Corrected | Correction::Withheld)
}
