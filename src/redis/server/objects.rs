//! The objects that make a standalone Redis.
//!
//! In: the settings, and for Secrets the passwords. Out: objects, the same bytes for the same input. It reads nothing.

use std::collections::BTreeMap;

use k8s_openapi::{
    ByteString,
    api::{
        apps::v1::{
            RollingUpdateStatefulSetStrategy, StatefulSet, StatefulSetPersistentVolumeClaimRetentionPolicy,
            StatefulSetSpec, StatefulSetUpdateStrategy,
        },
        core::v1::{
            ConfigMap, PersistentVolumeClaim, PersistentVolumeClaimSpec, PodTemplateSpec, Secret, Service,
            ServiceAccount, ServicePort, ServiceSpec, VolumeResourceRequirements,
        },
    },
    apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::ObjectMeta, util::intstr::IntOrString},
};

use super::{
    config::{self, Place},
    pod::{self, Template},
};
use crate::{
    kubernetes::{name, quantity::format_bytes},
    redis::{
        access::{
            acl::{self, Hashes, OPERATOR, PROBE},
            password::Password,
        },
        settings::{Persistence, Settings},
    },
};

/// The component's name, in labels and as the container's name.
pub const COMPONENT: &str = "redis";
/// How many servers a standalone Redis has.
pub const REPLICAS: i32 = 1;
/// The name of the port.
pub const PORT_NAME: &str = "redis";
/// Where the container finds redis.conf.
pub const CONFIG_DIR: &str = "/etc/tokencache/redis";
/// Where the container finds the users.
pub const USERS_DIR: &str = "/etc/tokencache/users";
/// Where the container finds its certificate.
pub const TLS_DIR: &str = "/etc/tokencache/tls";
/// Where the container may write.
pub const DATA_DIR: &str = "/data";
/// The type of a Secret that no other type is for.
pub const SECRET_TYPE: &str = "Opaque";
/// The users' file.
pub const USERS_FILE: &str = "users.acl";
/// The file with the probe's password.
pub const PROBE_FILE: &str = "probe";
/// The keys of the Secret with the operator's login.
pub const USERNAME_KEY: &str = "username";
/// The password's key in the Secret with the operator's login.
pub const PASSWORD_KEY: &str = "password";
/// Annotation of the `StatefulSet` that tells which pod template was asked for, by a hash of it: what is there may be what an
/// admission policy made of that.
pub const TEMPLATE_ANNOTATION: &str = "tokencache.dev/pod-template";
/// Pod annotation with the time at which Redis was restarted last because it served a certificate that nobody trusts.
pub const RESTARTED_ANNOTATION: &str = "tokencache.dev/restarted-at";
/// Pod annotation that changes when Redis must restart to learn a new operator password.
pub const OPERATOR_LOGIN_ANNOTATION: &str = "tokencache.dev/operator-login";

/// The account that the pods run as. It has no rights, and its token is not mounted.
#[must_use]
pub fn service_account(settings: &Settings) -> ServiceAccount {
    ServiceAccount {
        metadata: settings.owner.metadata(name::redis(&settings.owner.name), COMPONENT),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}

/// The Service that applications connect to.
#[must_use]
pub fn service(settings: &Settings) -> Service {
    Service {
        metadata: settings.owner.metadata(name::redis(&settings.owner.name), COMPONENT),
        spec: Some(service_spec(settings)),
        ..Service::default()
    }
}

/// The Service that governs the pods: each gets a name of its own, ready or not.
#[must_use]
pub fn headless_service(settings: &Settings) -> Service {
    Service {
        metadata: settings.owner.metadata(name::redis_headless(&settings.owner.name), COMPONENT),
        spec: Some(ServiceSpec {
            cluster_ip: Some("None".to_owned()),
            publish_not_ready_addresses: Some(true),
            ..service_spec(settings)
        }),
        ..Service::default()
    }
}

fn service_spec(settings: &Settings) -> ServiceSpec {
    ServiceSpec {
        // Defaults that are said, so that a change by hand is seen: another type would expose Redis, or cut it off.
        type_: Some("ClusterIP".to_owned()),
        session_affinity: Some("None".to_owned()),
        selector: Some(settings.owner.selector_labels(COMPONENT)),
        ports: Some(vec![ServicePort {
            name: Some(PORT_NAME.to_owned()),
            port: i32::from(settings.port()),
            protocol: Some("TCP".to_owned()),
            target_port: Some(IntOrString::String(PORT_NAME.to_owned())),
            ..ServicePort::default()
        }]),
        ..ServiceSpec::default()
    }
}

/// The `ConfigMap` with redis.conf, which names the certificate in this place.
#[must_use]
pub fn config_map(settings: &Settings, certificate: &Place) -> ConfigMap {
    ConfigMap {
        metadata: settings.owner.metadata(name::redis_config(&settings.owner.name), COMPONENT),
        data: Some(BTreeMap::from([(config::FILE.to_owned(), config::redis_conf(settings, certificate))])),
        ..ConfigMap::default()
    }
}

/// The Secret with the operator's own login, which nothing mounts.
#[must_use]
pub fn operator_login(settings: &Settings, password: &Password) -> Secret {
    secret(
        settings,
        name::redis_operator(&settings.owner.name),
        [(USERNAME_KEY, OPERATOR), (PASSWORD_KEY, password.reveal())],
    )
}

/// The Secret that Redis mounts: the users with hashes of their passwords, and the probe's password, which derives from
/// the operator's.
#[must_use]
pub fn users(settings: &Settings, hashes: &Hashes, probe: &Password) -> Secret {
    let users = acl::file(&acl::users(settings.acl, &settings.instance_name, hashes));
    secret(
        settings,
        name::redis_users(&settings.owner.name),
        [(USERS_FILE, users.as_str()), (PROBE_FILE, probe.reveal())],
    )
}

/// The probe's password: derived from the operator's, so that it can be made again.
#[must_use]
pub fn probe_password(operator: &Password) -> Password {
    operator.derive(PROBE)
}

fn secret<const N: usize>(settings: &Settings, name: String, entries: [(&str, &str); N]) -> Secret {
    Secret {
        metadata: settings.owner.metadata(name, COMPONENT),
        type_: Some(SECRET_TYPE.to_owned()),
        data: Some(
            entries.into_iter().map(|(key, value)| (key.to_owned(), ByteString(value.as_bytes().to_vec()))).collect(),
        ),
        ..Secret::default()
    }
}

/// The `StatefulSet`, whose server's container has this memory, in bytes, and whose pod is made from this template.
/// `operator_login` tells one operator password from another without giving it away; it is `None` only where the object is
/// not written, but shown to the API server to see whether it would be accepted.
#[must_use]
pub fn stateful_set(settings: &Settings, memory: u64, template: Template, operator_login: Option<&str>) -> StatefulSet {
    let annotations =
        operator_login.map(|login| BTreeMap::from([(OPERATOR_LOGIN_ANNOTATION.to_owned(), login.to_owned())]));
    let persistence = settings.persistence.as_ref();
    StatefulSet {
        metadata: settings.owner.metadata(name::redis(&settings.owner.name), COMPONENT),
        spec: Some(StatefulSetSpec {
            replicas: Some(REPLICAS),
            service_name: Some(name::redis_headless(&settings.owner.name)),
            selector: settings.owner.selector(COMPONENT),
            // A pod that cannot start must not keep its own repair from being rolled out.
            pod_management_policy: Some("Parallel".to_owned()),
            update_strategy: Some(StatefulSetUpdateStrategy {
                type_: Some("RollingUpdate".to_owned()),
                // Another partition would keep every change from the pods.
                rolling_update: Some(RollingUpdateStatefulSetStrategy { partition: Some(0), max_unavailable: None }),
            }),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(settings.owner.labels(COMPONENT)),
                    annotations,
                    ..ObjectMeta::default()
                }),
                spec: Some(pod::spec(settings, memory, template)),
            },
            volume_claim_templates: persistence.map(|persistence| vec![claim(persistence)]),
            persistent_volume_claim_retention_policy: persistence.map(retention),
            ..StatefulSetSpec::default()
        }),
        ..StatefulSet::default()
    }
}

/// The claim of each pod, which the `StatefulSet` makes, labels and binds by its name to the pod's. It has nothing that
/// could change: the API server refuses every change.
fn claim(persistence: &Persistence) -> PersistentVolumeClaim {
    let storage = Quantity(format_bytes(persistence.size));
    PersistentVolumeClaim {
        metadata: ObjectMeta { name: Some(name::DATA_VOLUME.to_owned()), ..ObjectMeta::default() },
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
            resources: Some(VolumeResourceRequirements {
                requests: Some(BTreeMap::from([("storage".to_owned(), storage)])),
                ..VolumeResourceRequirements::default()
            }),
            storage_class_name: persistence.storage_class.clone(),
            ..PersistentVolumeClaimSpec::default()
        }),
        ..PersistentVolumeClaim::default()
    }
}

fn retention(persistence: &Persistence) -> StatefulSetPersistentVolumeClaimRetentionPolicy {
    StatefulSetPersistentVolumeClaimRetentionPolicy {
        when_deleted: Some(persistence.when_deleted.as_str().to_owned()),
        // Said, so that a change by hand is seen: scaled to none and back, the entries are to be there again.
        when_scaled: Some("Retain".to_owned()),
    }
}
