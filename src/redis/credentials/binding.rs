//! What applications get: the connection as a Secret in the form of the Service Binding specification
//! (<https://servicebinding.io/spec/core/1.1.0/>), and their settings as environment variables in .NET's form.
//!
//! In: the settings, and for the Secret the password of the user `app`. Out: the objects, with exact values.

use std::collections::BTreeMap;

use k8s_openapi::{
    ByteString,
    api::core::v1::{ConfigMap, Secret},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::rotation::Marks;
use crate::{
    kubernetes::name,
    redis::{
        access::{
            acl::APP,
            password::{Password, PasswordError},
        },
        server::objects::COMPONENT,
        settings::Settings,
        tls::{AUTHORITIES_KEY, certificate::Authorities},
    },
};

/// The type that the Service Binding specification gives to a Secret with a connection to Redis.
pub const SECRET_TYPE: &str = "servicebinding.io/redis";
/// The Secret's key that holds the password.
pub const PASSWORD_KEY: &str = "password";

/// What StackExchange.Redis gets beside address and login. The time limits keep an outage from costing 23 s on the first
/// token and 6 s on every further one; the empty commands and options silence the part of its handshake that looks for
/// clusters, Sentinels and other primaries.
const CLIENT_OPTIONS: &str = "abortConnect=False,connectTimeout=1000,syncTimeout=1000,connectRetry=1,\
    $CONFIG=,$SENTINEL=,$CLUSTER=,tiebreaker=,configChannel=";

/// What stands in a URI as it is (RFC 3986, section 2.3).
const IN_URI: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The Secret's key that holds what StackExchange.Redis connects with.
pub const CONNECTION_STRING_KEY: &str = "connectionString";

/// The Secret with the connection. With TLS it tells whom to trust: a bundle, since the authority may be about to change.
/// With a password that was changed on request it tells when.
#[must_use]
pub fn connection(
    settings: &Settings,
    password: &Password,
    authorities: Option<&Authorities>,
    marks: Option<Marks>,
) -> Secret {
    let (host, port) = (settings.host(), settings.port());
    let plain = password.reveal();
    let (scheme, ssl, option) =
        if settings.has_tls() { ("rediss", "true", "True") } else { ("redis", "false", "False") };
    let entries = [
        ("type", "redis".to_owned()),
        ("provider", "tokencache-operator".to_owned()),
        ("host", host.clone()),
        ("port", port.to_string()),
        ("username", APP.to_owned()),
        (PASSWORD_KEY, plain.to_owned()),
        ("ssl", ssl.to_owned()),
        ("uri", format!("{scheme}://{APP}:{}@{host}:{port}", utf8_percent_encode(plain, IN_URI))),
        (CONNECTION_STRING_KEY, format!("{host}:{port},user={APP},password={plain},ssl={option},{CLIENT_OPTIONS}")),
    ];
    let trust = authorities.map(|authorities| (AUTHORITIES_KEY, authorities.pem().to_owned()));
    Secret {
        metadata: ObjectMeta {
            annotations: marks.map(Marks::annotations),
            ..settings.owner.metadata(name::redis(&settings.owner.name), COMPONENT)
        },
        type_: Some(SECRET_TYPE.to_owned()),
        data: Some(
            entries
                .into_iter()
                .chain(trust)
                .map(|(key, value)| (key.to_owned(), ByteString(value.into_bytes())))
                .collect(),
        ),
        ..Secret::default()
    }
}

/// Why a binding's password is none that applications could use; `None` where it is one.
#[must_use]
pub fn unusable(binding: &Secret) -> Option<PasswordError> {
    Password::parse(super::bytes(binding, PASSWORD_KEY)).err()
}

/// The password in a connection string of [`connection`]; `None` in any other text.
#[must_use]
pub fn password_in(connection_string: &str) -> Option<Password> {
    let word = connection_string.split(',').find_map(|option| option.strip_prefix("password="))?;
    Password::parse(word.as_bytes()).ok()
}

/// The `ConfigMap` with what is harmless without a mount and the same for every application, for `envFrom`.
#[must_use]
pub fn application_settings(settings: &Settings) -> ConfigMap {
    ConfigMap {
        metadata: settings.owner.metadata(name::settings(&settings.owner.name), COMPONENT),
        data: Some(BTreeMap::from([("Redis__InstanceName".to_owned(), settings.instance_name.as_str().to_owned())])),
        ..ConfigMap::default()
    }
}
