//! Whether what applications are given leads to the server: the Service, the Secret with the connection, the `ConfigMap` with the
//! settings.
//!
//! In: the settings, and the objects as they were seen. Out: what is missing or leads elsewhere; nothing where all is there. It
//! judges no password, and connects to nothing.

use k8s_openapi::api::core::v1::{Service, ServicePort};

use crate::{
    condition::{ConditionType::RedisAvailable, Finding, Reason},
    kubernetes::{identity::Found, name},
    redis::{live::Live, server::objects, settings::Settings},
};

/// What keeps applications from a server that serves, and stays so: what is put right needs no telling, and why it is not, others tell.
#[must_use]
pub fn finding(settings: &Settings, observed: &Live, is_carried_out: bool) -> Option<Finding> {
    if is_carried_out {
        return None;
    }
    let service = name::redis(&settings.owner.name);
    let address = match &observed.service {
        Found::Owned(live) => amiss(settings, live)
            .map(|how| format!("Service {service} {how}: applications do not reach Redis at {}", settings.endpoint())),
        _ => Some(format!("there is no Service {service}: applications cannot find {}", settings.endpoint())),
    };
    let unpublished = || {
        let secret = observed.connection.owned().is_none().then(|| format!("Secret {service}"));
        let settings = name::settings(&settings.owner.name);
        let config_map = observed.application_settings.owned().is_none().then(|| format!("ConfigMap {settings}"));
        let missing: Vec<String> = [secret, config_map].into_iter().flatten().collect();
        (!missing.is_empty()).then(|| {
            format!(
                "there is no {}: pods that mount or name it do not start, those that run go on",
                missing.join(", and no ")
            )
        })
    };
    let (reason, message) = match address {
        Some(message) => (Reason::AddressUnusable, message),
        None => (Reason::NotPublished, unpublished()?),
    };
    let message = format!("{message}. It is not put right while the cache is paused, or while SpecValid is False");
    Some(Finding::fails(RedisAvailable, reason, message))
}

/// How a Service does not lead to the servers.
fn amiss(settings: &Settings, live: &Service) -> Option<&'static str> {
    let (wanted, live) = (objects::service(settings).spec?, live.spec.as_ref()?);
    let is_as_wanted = |port: &ServicePort| {
        wanted.ports.iter().flatten().any(|wanted| (wanted.port, &wanted.target_port) == (port.port, &port.target_port))
    };
    if live.type_.as_deref() == Some("ExternalName") {
        Some("leads out of the cluster (type ExternalName)")
    } else if live.selector != wanted.selector {
        Some("selects other pods (spec.selector)")
    } else if !live.ports.iter().flatten().any(is_as_wanted) {
        Some("has other ports (spec.ports)")
    } else {
        None
    }
}
