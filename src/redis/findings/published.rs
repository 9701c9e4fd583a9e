//! Whether what applications are given leads to the server: the Service, the Secret with the connection, the `ConfigMap` with the
//! settings.
//!
//! In: the settings, and the objects as they were seen. Out: what is missing or leads elsewhere; nothing where all is there. It
//! judges no password, and connects to nothing.

use k8s_openapi::api::core::v1::{Service, ServicePort};

use crate::{
    api::v1alpha1::Remedy,
    condition::{ConditionType::RedisAvailable, Finding, Message, Reason},
    kubernetes::{identity::Found, name},
    redis::{
        access::acl::APP,
        credentials::{
            self, Credentials,
            binding::{CONNECTION_STRING_KEY, application_settings},
            rotation,
        },
        live::Live,
        server::objects,
        settings::Settings,
    },
};

/// What keeps applications from a server that serves. What is put right at once needs no telling, and why it is not, others tell.
#[must_use]
pub fn finding(
    settings: &Settings,
    observed: &Live,
    credentials: &Credentials,
    is_carried_out: bool,
) -> Option<Finding> {
    let service = name::redis(&settings.owner.name);
    if let [stranger, others @ ..] = observed.strangers.as_slice() {
        let more = if others.is_empty() { String::new() } else { format!(" (and {} more)", others.len()) };
        let message = Message::from(format!(
            "Service {service} selects Pod {stranger}{more} too, which is no server: connections fail there"
        ))
        .remedy(Remedy::free(format!("remove label app.kubernetes.io/component from Pod {stranger}, or delete it")));
        return Some(Finding::fails(RedisAvailable, Reason::AddressUnusable, message));
    }
    if is_carried_out {
        return being_made(settings, observed, credentials);
    }
    let address = match &observed.service {
        Found::Owned(live) => amiss(settings, live)
            .map(|how| format!("Service {service} {how}: applications do not reach {}", settings.endpoint())),
        _ => Some(format!("there is no Service {service}: applications cannot find {}", settings.endpoint())),
    };
    let unpublished = || {
        let secret = observed.connection.owned().is_none().then(|| format!("Secret {service}"));
        let settings = name::settings(&settings.owner.name);
        let config_map = observed.application_settings.owned().is_none().then(|| format!("ConfigMap {settings}"));
        let missing: Vec<String> = [secret, config_map].into_iter().flatten().collect();
        (!missing.is_empty()).then(|| {
            format!("there is no {}: pods that need it do not start, those that run go on", missing.join(", and no "))
        })
    };
    let unknown = || {
        let in_use = credentials::in_use(observed, APP);
        let is_taken = credentials.app.as_ref().is_some_and(|password| in_use.contains(&password.sha256()));
        let message =
            format!("Redis does not take the password in Secret {service}: applications that read it are refused");
        (!is_taken && !in_use.is_empty()).then_some(message)
    };
    let (reason, message) = match (address, unpublished().or_else(|| edited(settings, observed))) {
        (Some(message), _) => (Reason::AddressUnusable, message),
        (None, Some(message)) => (Reason::NotPublished, message),
        (None, None) => (Reason::PasswordMismatch, unknown()?),
    };
    let message = format!("{message}. It is left alone while the cache is paused or SpecValid is False");
    Some(Finding::fails(RedisAvailable, reason, message))
}

/// A binding that comes back as soon as servers take its new password.
fn being_made(settings: &Settings, observed: &Live, credentials: &Credentials) -> Option<Finding> {
    let is_missing = credentials.app.is_none() && !credentials::in_use(observed, APP).is_empty();
    let message = format!(
        "{}. Until then pods that need it do not start, those that run go on",
        rotation::messages::remaking(settings)
    );
    is_missing.then(|| Finding::fails(RedisAvailable, Reason::NotPublished, message))
}

/// Where what is published says something else than it should. How it says it differs from one version of the operator to the next,
/// and so no more is looked at than where it leads, and what keys begin with.
fn edited(settings: &Settings, observed: &Live) -> Option<String> {
    let (host, port) = (settings.host(), settings.port().to_string());
    let ssl = settings.has_tls().to_string();
    let (of_string, of_uri) = (format!("{host}:{port},"), format!("@{host}:{port}"));
    let binding = observed.connection.owned()?;
    let text = |key: &str| String::from_utf8_lossy(credentials::bytes(binding, key)).into_owned();
    let wrong = [
        ("host", text("host") == host),
        ("port", text("port") == port),
        ("username", text("username") == APP),
        ("ssl", text("ssl") == ssl),
        ("uri", text("uri").ends_with(&of_uri)),
        (CONNECTION_STRING_KEY, text(CONNECTION_STRING_KEY).starts_with(&of_string)),
    ];
    let wrong: Vec<&str> = wrong.into_iter().filter(|(_, is_right)| !is_right).map(|(key, _)| key).collect();
    if !wrong.is_empty() {
        let (keys, secret) = (wrong.join(", "), name::redis(&settings.owner.name));
        return Some(format!("Secret {secret} has a wrong {keys}: applications that read it do not reach Redis"));
    }
    let live = observed.application_settings.owned()?;
    let wanted = application_settings(settings).data.unwrap_or_default();
    let is_right =
        wanted.iter().all(|(key, value)| live.data.as_ref().is_some_and(|data| data.get(key) == Some(value)));
    (!is_right).then(|| {
        let config_map = name::settings(&settings.owner.name);
        format!("ConfigMap {config_map} has a wrong Redis__InstanceName: Redis refuses the keys of pods that start")
    })
}

/// How a Service does not lead to the servers.
fn amiss(settings: &Settings, live: &Service) -> Option<&'static str> {
    let (wanted, live) = (objects::service(settings).spec?, live.spec.as_ref()?);
    let is_as_wanted = |port: &ServicePort| {
        wanted.ports.iter().flatten().any(|wanted| (wanted.port, &wanted.target_port) == (port.port, &port.target_port))
    };
    if live.type_.as_deref() == Some("ExternalName") {
        Some("leads out of the cluster (type: ExternalName)")
    } else if live.selector != wanted.selector {
        Some("selects other pods")
    } else if !live.ports.iter().flatten().any(is_as_wanted) {
        Some("has other ports")
    } else {
        None
    }
}
