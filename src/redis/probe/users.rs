//! The users of a server: listed, compared with those that it should have, set where asked for, and listed again.
//!
//! `ACL SETUSER` sets a user as a whole and at once; connections that are logged in stay. A user that nobody asked for is
//! removed, and its connections end with it: the users' file does not hold it, so whoever made it had the login of
//! somebody who may make users. `ACL LOAD` is never used: it ends everybody's connections on 7.0.

use super::connection::{self, Connection};
use super::reply;
use super::settings::{Attempt, Difference, drift};
use crate::redis::acl::rules::{self, Rules};
use crate::redis::acl::{APP, User};
use crate::redis::sample::{Correction, Drift, Fault, Parameter, Want};

type Listed = Vec<(String, Rules)>;

/// Compares the users with what is wanted; where they differ, corrects them if that is asked for, and compares again.
pub(super) async fn bring_in_line(
    connection: &mut Connection,
    want: &Want,
    knows_7_2: bool,
) -> Result<Vec<Drift>, Fault> {
    if want.users.is_empty() {
        return Ok(Vec::new());
    }
    let listed = list(connection).await?;
    let differences = differences(&listed, want, knows_7_2);
    let mut attempts = Vec::new();
    for difference in differences {
        let attempt = attempt(connection, &listed, want, knows_7_2, difference.parameter).await?;
        attempts.push((difference, attempt));
    }
    let mut left = Vec::new();
    if !attempts.is_empty() && want.correct {
        left = self::differences(&list(connection).await?, want, knows_7_2);
    }
    let drifts = attempts.into_iter().map(|(difference, attempt)| drift(difference, attempt, &left));
    Ok(drifts.filter(|drift| !is_as_loaded(drift, &listed, want)).collect())
}

/// Gives the user that is logged in its rights back, and tells so; `None` where it may not even do that.
pub(super) async fn restore(connection: &mut Connection, own: &User) -> Result<Option<Drift>, Fault> {
    let found = "lacks what the operator needs".to_owned();
    let drift = Drift { parameter: Parameter::Rights(own.name), found, correction: Correction::Corrected };
    let changed = connection.change("acl|setuser", &connection::set_user(own, false)).await?;
    Ok(changed.is_ok().then_some(drift))
}

async fn list(connection: &mut Connection) -> Result<Listed, Fault> {
    reply::users(connection.ask("acl|list", &connection::users()).await?)
}

fn differences(listed: &Listed, want: &Want, knows_7_2: bool) -> Vec<Difference> {
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

fn strangers<'listed>(listed: &'listed Listed, want: &Want) -> Vec<&'listed str> {
    let is_wanted = |name: &str| want.users.iter().any(|user| user.name == name);
    listed.iter().map(|(name, _)| name.as_str()).filter(|name| !is_wanted(name)).collect()
}

async fn attempt(
    connection: &mut Connection,
    listed: &Listed,
    want: &Want,
    knows_7_2: bool,
    parameter: Parameter,
) -> Result<Attempt, Fault> {
    if !want.correct {
        return Ok(Attempt::Withheld);
    }
    let user = name_in(parameter).and_then(|name| want.users.iter().find(|user| user.name == name));
    let (name, command) = match user {
        Some(user) => ("acl|setuser", connection::set_user(user, knows_7_2)),
        None => ("acl|deluser", connection::delete_users(&strangers(listed, want))),
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
fn is_as_loaded(drift: &Drift, listed: &Listed, want: &Want) -> bool {
    let Parameter::Rights(name) = drift.parameter else { return false };
    let user = want.users.iter().find(|user| user.name == name);
    let lacks_nothing_else = user.is_some_and(|user| {
        rules_of(listed, user).is_some_and(|found| found.rights_differ(&Rules::wanted(user, false)).is_none())
    });
    lacks_nothing_else && matches!(drift.correction, Correction::Corrected | Correction::Withheld)
}
