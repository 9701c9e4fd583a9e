//! Which passwords and certificates hold: the operator's from its own Secret, the applications' from the binding.
//!
//! In: the Secrets as observed, and what servers were told last. Out: [`Credentials`]. The binding is the truth of the
//! applications' password, and the users' Secret follows from it. Whatever holds a password and is lost or replaced is a
//! rotation: what was valid stays valid for the overlap.

pub mod binding;
pub mod login;
pub mod mint;
pub mod rotation;
pub mod tls;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;

use super::{
    access::{
        acl::{self, APP, Hashes, Passwords},
        password::{Password, PasswordHash},
    },
    live::Live,
    look::Sample,
    server::objects,
    settings::Settings,
};
use crate::kubernetes::identity::managed_fields;
use login::{NewLogin, OperatorLogin};
use rotation::PasswordRotation;
use tls::Tls;

/// Which passwords and certificates hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Credentials {
    /// The operator's own login; `None` where one is to be made.
    pub operator: Option<OperatorLogin>,
    /// The operator's own login that is to be made.
    pub new_login: Option<NewLogin>,
    /// The applications' password, as the binding has it; `None` where one is to be made.
    pub app: Option<Password>,
    /// Which of the applications' passwords are valid, and how one follows another.
    pub rotation: PasswordRotation,
    /// The servers' certificate.
    pub tls: Tls,
}

impl Credentials {
    /// Reads the Secrets.
    #[must_use]
    pub fn read(settings: &Settings, observed: &Live, now: Timestamp) -> Self {
        let in_users = in_users(observed, APP);
        let in_use = in_use(observed, APP);
        let app = app(observed, &in_use);
        let input =
            rotation::Input { settings, observed, app: app.as_ref(), in_users: &in_users, in_use: &in_use, now };
        let rotation = PasswordRotation::read(&input);
        let operator = OperatorLogin::read(settings, observed, now);
        let new_login = operator.is_none().then(|| NewLogin::of(observed, now));
        Self { operator, new_login, app, rotation, tls: Tls::read(settings, observed, now) }
    }

    /// The operator's password, if it is known.
    #[must_use]
    pub fn operator_password(&self) -> Option<&Password> {
        self.operator.as_ref().map(|login| &login.password)
    }

    /// The password that the binding is to have, if it is known.
    #[must_use]
    pub fn to_publish(&self) -> Option<&Password> {
        self.rotation.publish.as_ref().or(self.app.as_ref())
    }

    /// The hashes of the passwords that servers should have; `None` while the operator's own is not known.
    #[must_use]
    pub fn hashes(&self) -> Option<Hashes> {
        let operator = self.operator.as_ref()?;
        let app = self.rotation.valid.clone();
        Some(Hashes { app, operator: operator.operator_hashes(), probe: operator.probe_hashes() })
    }
}

/// The applications' password. One that no connection string can carry is none: then it is the one beside it, in the connection
/// string, if servers have that.
fn app(observed: &Live, in_use: &[PasswordHash]) -> Option<Password> {
    let secret = observed.connection.owned()?;
    let beside = || {
        let beside = text(secret, binding::CONNECTION_STRING_KEY).and_then(binding::password_in);
        beside.filter(|password| in_use.is_empty() || in_use.contains(&password.sha256()))
    };
    Password::parse(bytes(secret, binding::PASSWORD_KEY)).ok().or_else(beside)
}

/// The hashes of a user's passwords in the users' Secret.
fn in_users(observed: &Live, user: &str) -> Vec<PasswordHash> {
    let users = observed.users.owned().and_then(|users| text(users, objects::USERS_FILE));
    users.map(|users| acl::password_hashes(users, user)).unwrap_or_default()
}

/// The hashes of a user's passwords that servers have: by the users' Secret as the operator wrote it, or where that is lost or
/// was changed by somebody else, by what servers were told last.
pub(crate) fn in_use(observed: &Live, user: &str) -> Vec<PasswordHash> {
    let is_ours = observed.users.owned().is_some_and(|users| managed_fields::changer(&users.metadata).is_none());
    let written = if is_ours { in_users(observed, user) } else { Vec::new() };
    if !written.is_empty() {
        return written;
    }
    observed.samples.iter().find_map(|sample| told(sample, user)).cloned().unwrap_or_default()
}

/// What a server was told of a user's passwords.
fn told<'sample>(sample: &'sample Sample, user: &str) -> Option<&'sample Vec<PasswordHash>> {
    match &sample.want.users.iter().find(|wanted| wanted.name == user)?.passwords {
        Passwords::These(hashes) => Some(hashes),
        Passwords::Off | Passwords::AsFound => None,
    }
}

pub(crate) fn bytes<'secret>(secret: &'secret Secret, key: &str) -> &'secret [u8] {
    secret.data.as_ref().and_then(|data| data.get(key)).map_or(&[], |value| value.0.as_slice())
}

fn text<'secret>(secret: &'secret Secret, key: &str) -> Option<&'secret str> {
    std::str::from_utf8(bytes(secret, key)).ok()
}
