//! Which passwords and certificates hold: the operator's from its own Secret, the applications' from the binding.
//!
//! In: the Secrets as observed. Out: [`Credentials`]. The binding is the truth of the applications' password, and the
//! users' Secret follows from it; but a password that was changed there by hand is not followed, since the connection
//! string beside it and every running application still have the earlier one.

pub mod binding;
pub mod mint;
pub mod rotation;
pub mod tls;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;

use super::{
    access::{
        acl::{self, APP},
        password::{Password, PasswordHash},
    },
    live::Live,
    server::objects,
    settings::Settings,
};
use crate::kubernetes::{identity::Found, name};
use rotation::PasswordRotation;
use tls::Tls;

/// What the Secrets say of one user's password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordState {
    /// There is no Secret yet: a password is to be made.
    Missing,
    /// The password holds.
    Known(Password),
    /// The Secret has a password that is not followed: why, and what to do.
    Refused(String),
}

/// Which passwords and certificates hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Credentials {
    /// The operator's own.
    pub operator: PasswordState,
    /// The applications'.
    pub app: PasswordState,
    /// Which of the applications' passwords are valid, and how one follows another.
    pub rotation: PasswordRotation,
    /// The servers' certificate.
    pub tls: Tls,
}

impl Credentials {
    /// Reads the Secrets.
    #[must_use]
    pub fn read(settings: &Settings, observed: &Live, now: Timestamp) -> Self {
        let users = observed.users.owned().and_then(|users| text(users, objects::USERS_FILE));
        let in_users = users.map(|users| acl::password_hashes(users, APP)).unwrap_or_default();
        let app = app(settings, observed, &in_users);
        let rotation =
            PasswordRotation::read(&rotation::Input { settings, observed, app: &app, in_users: &in_users, now });
        Self { operator: operator(settings, observed), app, rotation, tls: Tls::read(settings, observed, now) }
    }

    /// The operator's password, if it is known.
    #[must_use]
    pub fn operator_password(&self) -> Option<&Password> {
        match &self.operator {
            PasswordState::Known(password) => Some(password),
            PasswordState::Missing | PasswordState::Refused(_) => None,
        }
    }

    /// The applications' password, if it is known.
    #[must_use]
    pub fn app_password(&self) -> Option<&Password> {
        match &self.app {
            PasswordState::Known(password) => Some(password),
            PasswordState::Missing | PasswordState::Refused(_) => None,
        }
    }

    /// The password that the binding is to have, if it is known.
    #[must_use]
    pub fn to_publish(&self) -> Option<&Password> {
        self.rotation.publish.as_ref().or(self.app_password())
    }

    /// The hashes of the applications' passwords that servers should have; none where they keep those that they have.
    #[must_use]
    pub fn app_hashes(&self) -> Vec<PasswordHash> {
        if matches!(self.app, PasswordState::Refused(_)) { Vec::new() } else { self.rotation.valid.clone() }
    }

    /// Why a password is not followed, if one is not.
    #[must_use]
    pub fn refused(&self) -> Option<&str> {
        [&self.operator, &self.app].into_iter().find_map(|state| match state {
            PasswordState::Refused(why) => Some(why.as_str()),
            PasswordState::Missing | PasswordState::Known(_) => None,
        })
    }
}

fn operator(settings: &Settings, observed: &Live) -> PasswordState {
    let Found::Owned(secret) = &observed.operator_login else { return PasswordState::Missing };
    match Password::parse(bytes(secret, objects::PASSWORD_KEY)) {
        Ok(password) => PasswordState::Known(password),
        Err(error) => PasswordState::Refused(format!(
            "the password in Secret {secret} was changed: {error}. Redis still has the earlier one; delete the Secret, and \
             the operator makes a new password and restarts Redis to load it",
            secret = name::redis_operator(&settings.owner.name),
        )),
    }
}

fn app(settings: &Settings, observed: &Live, in_users: &[PasswordHash]) -> PasswordState {
    let Found::Owned(secret) = &observed.connection else { return PasswordState::Missing };
    let owner = &settings.owner.name;
    let beside = text(secret, binding::CONNECTION_STRING_KEY).and_then(binding::password_in);
    let still_there = beside.is_some_and(|password| in_users.contains(&password.sha256()));
    let where_it_is = if still_there { " (its connectionString still has it)" } else { "" };
    let refused = |what: &str| {
        PasswordState::Refused(format!(
            "the password in Secret {binding} was changed: {what}. Redis keeps the earlier one, so running applications \
             go on, and applications that read the new one are refused (WRONGPASS); put the earlier password back{where_it_is}, \
             or delete Secret {binding} for a new password and restart the applications",
            binding = name::redis(owner),
        ))
    };
    let password = match Password::parse(bytes(secret, binding::PASSWORD_KEY)) {
        Ok(password) => password,
        Err(error) => return refused(&error.to_string()),
    };
    let known_to_redis = in_users.is_empty() || in_users.contains(&password.sha256());
    let whole = text(secret, "uri").is_some_and(|uri| uri.contains(&format!(":{}@", password.reveal())));
    // A Secret that was made anew or restored as a whole says the same in every key.
    if known_to_redis || whole { PasswordState::Known(password) } else { refused("it is not the one that Redis has") }
}

fn bytes<'secret>(secret: &'secret Secret, key: &str) -> &'secret [u8] {
    secret.data.as_ref().and_then(|data| data.get(key)).map_or(&[], |value| value.0.as_slice())
}

fn text<'secret>(secret: &'secret Secret, key: &str) -> Option<&'secret str> {
    std::str::from_utf8(bytes(secret, key)).ok()
}
