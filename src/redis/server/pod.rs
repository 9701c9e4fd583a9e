//! The pod of a Redis server.
//!
//! In: the settings, the memory of the server's container, and which [`Template`] it is made from. Out: the pod's spec. That of a
//! pod that runs must not change when the operator's version does: that would restart every Redis of a cluster.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{
        Capabilities, ConfigMapVolumeSource, Container, ContainerPort, EmptyDirVolumeSource, EnvVar, EnvVarSource,
        ExecAction, ObjectFieldSelector, Pod, PodSecurityContext, PodSpec, Probe, ResourceRequirements, SeccompProfile,
        SecretVolumeSource, SecurityContext, Volume, VolumeMount,
    },
    apimachinery::pkg::api::resource::Quantity,
};

use super::{
    config,
    objects::{COMPONENT, CONFIG_DIR, DATA_DIR, PORT_NAME, PROBE_FILE, TLS_DIR, USERS_DIR},
};
use crate::{
    api::v1alpha1::Amount,
    kubernetes::{name, quantity::format_bytes},
    redis::{access::acl::PROBE, settings::Settings},
};

/// The user and group that the official images of Redis and Valkey make for the server.
const SERVER_ID: i64 = 999;

/// The volume with the certificate.
const CERTIFICATE_VOLUME: &str = "tls";

/// The Secret from which a pod has its certificate; `None` where it has none.
#[must_use]
pub fn certificate_secret(pod: &Pod) -> Option<&str> {
    let volumes = pod.spec.as_ref()?.volumes.as_ref()?;
    volumes.iter().find(|volume| volume.name == CERTIFICATE_VOLUME)?.secret.as_ref()?.secret_name.as_deref()
}

/// What the operator makes pods from, beside the spec. A version that makes them differently adds one, and keeps the earlier
/// ones as they were: a cache gets the newest with the next change for which its pod is replaced anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Template {
    /// A server that answers lives, whatever it answers.
    Original,
    /// One that a script keeps from everything else for a minute does not.
    BusyEnds,
    /// The same, and what it mounts is the operator's copy of a certificate that the user provides, not the user's Secret itself.
    NamedCertificate,
}

impl Template {
    /// All of them, the newest first.
    pub const ALL: [Self; 3] = [Self::NEWEST, Self::BusyEnds, Self::Original];
    /// What a new pod is made from.
    pub const NEWEST: Self = Self::NamedCertificate;

    fn liveness(self) -> &'static str {
        match self {
            Self::Original => LIVES,
            Self::BusyEnds | Self::NamedCertificate => LIVES_UNLESS_BUSY,
        }
    }

    /// The Secret with the certificate.
    fn certificate(self, settings: &Settings) -> Option<String> {
        match self {
            Self::Original | Self::BusyEnds => crate::redis::settings::certificate_source(settings),
            Self::NamedCertificate => settings.has_tls().then(|| name::redis_tls(&settings.owner.name)),
        }
    }
}

/// The pod's spec: restricted pod security, a read-only root file system, no service-account token.
#[must_use]
pub fn spec(settings: &Settings, memory: u64, template: Template) -> PodSpec {
    let pod = &settings.pod;
    PodSpec {
        service_account_name: Some(name::redis(&settings.owner.name)),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        termination_grace_period_seconds: Some(30),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(SERVER_ID),
            run_as_group: Some(SERVER_ID),
            fs_group: Some(SERVER_ID),
            seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None }),
            ..PodSecurityContext::default()
        }),
        containers: vec![container(settings, memory, template)],
        volumes: Some(volumes(settings, template)),
        node_selector: Some(pod.node_selector.clone()).filter(|labels| !labels.is_empty()),
        tolerations: Some(pod.tolerations.clone()).filter(|tolerations| !tolerations.is_empty()),
        affinity: pod.affinity.clone(),
        topology_spread_constraints: Some(pod.topology_spread_constraints.clone()).filter(|rules| !rules.is_empty()),
        priority_class_name: pod.priority_class_name.clone(),
        image_pull_secrets: Some(pod.image_pull_secrets.clone()).filter(|secrets| !secrets.is_empty()),
        ..PodSpec::default()
    }
}

fn container(settings: &Settings, memory: u64, template: Template) -> Container {
    let mount = |name: &str, path: &str, read_only: bool| VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only: read_only.then_some(true),
        ..VolumeMount::default()
    };
    Container {
        name: COMPONENT.to_owned(),
        image: Some(settings.image.clone()),
        image_pull_policy: settings.image_pull_policy.map(|policy| policy.as_str().to_owned()),
        // Valkey's images may or may not have Redis' names as links.
        command: Some(shell(&format!(
            "exec \"$(command -v redis-server || command -v valkey-server)\" {}",
            config::path()
        ))),
        env: Some(vec![EnvVar {
            name: "POD_IP".to_owned(),
            value_from: Some(EnvVarSource {
                field_ref: Some(ObjectFieldSelector {
                    api_version: Some("v1".to_owned()),
                    field_path: "status.podIP".to_owned(),
                }),
                ..EnvVarSource::default()
            }),
            ..EnvVar::default()
        }]),
        ports: Some(vec![ContainerPort {
            name: Some(PORT_NAME.to_owned()),
            container_port: i32::from(settings.port()),
            protocol: Some("TCP".to_owned()),
            ..ContainerPort::default()
        }]),
        resources: Some(resources(settings, memory)),
        volume_mounts: Some(
            [
                Some(mount("config", CONFIG_DIR, true)),
                Some(mount("users", USERS_DIR, true)),
                settings.has_tls().then(|| mount(CERTIFICATE_VOLUME, TLS_DIR, true)),
                Some(mount(name::DATA_VOLUME, DATA_DIR, false)),
            ]
            .into_iter()
            .flatten()
            .collect(),
        ),
        readiness_probe: Some(Probe {
            exec: Some(ExecAction { command: Some(shell(&format!("{}{SERVES}", ping(settings)))) }),
            period_seconds: Some(5),
            timeout_seconds: Some(3),
            failure_threshold: Some(3),
            ..Probe::default()
        }),
        liveness_probe: Some(Probe {
            exec: Some(ExecAction { command: Some(shell(&format!("{}{}", ping(settings), template.liveness()))) }),
            initial_delay_seconds: Some(30),
            period_seconds: Some(10),
            timeout_seconds: Some(5),
            failure_threshold: Some(6),
            ..Probe::default()
        }),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            read_only_root_filesystem: Some(true),
            run_as_non_root: Some(true),
            capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None }),
            ..SecurityContext::default()
        }),
        // The last lines of a crashing server are what an operator's status can tell.
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        ..Container::default()
    }
}

/// The answers of a server that is not to be taken from its applications: it serves them, or at least those that are
/// connected (a full one), or serves their reads (one that cannot save). LOADING and MASTERDOWN are none of them.
const SERVES: &str = "case \"$answer\" in \
    *PONG*|*MISCONF*|*BUSY*|*NOAUTH*|*WRONGPASS*|*NOPERM*|*\"max number of clients\"*) ;; *) echo \"$answer\"; exit 1 ;; esac";

/// Whatever a server answers, it lives, and so does a full one that ends a TLS handshake without a word. One that hangs is
/// noticed by the probe's time limit.
const LIVES: &str = "case \"$answer\" in *\"Connection refused\"*) echo \"$answer\"; exit 1 ;; esac";

/// The same, but for BUSY: a script that nobody ends keeps the server from everything else for good. With the period and the
/// threshold of the probe that takes a minute of it.
const LIVES_UNLESS_BUSY: &str = "case \"$answer\" in *\"Connection refused\"*|BUSY*) echo \"$answer\"; exit 1 ;; esac";

/// Sets `answer` to that to a PING as the user `probe`, by the address that clients use. Whom the certificate convinces is
/// not asked here: a server whose certificate has expired must be neither killed for it nor taken from the applications
/// that are connected. The operator verifies it, and tells.
fn ping(settings: &Settings) -> String {
    let port = settings.port();
    let tls = if settings.has_tls() { "--tls --insecure " } else { "" };
    format!(
        "answer=\"$(REDISCLI_AUTH=\"$(cat {USERS_DIR}/{PROBE_FILE})\" \
         \"$(command -v redis-cli || command -v valkey-cli)\" {tls}-h \"$POD_IP\" -p {port} --user {PROBE} PING 2>&1)\"; "
    )
}

fn shell(command: &str) -> Vec<String> {
    vec!["sh".to_owned(), "-c".to_owned(), command.to_owned()]
}

/// Memory is requested and limited alike, so that a node never takes back what Redis counts on.
fn resources(settings: &Settings, memory: u64) -> ResourceRequirements {
    let memory = ("memory".to_owned(), Quantity(format_bytes(memory)));
    let amounts = |written: &BTreeMap<String, Amount>| -> BTreeMap<String, Quantity> {
        written.iter().map(|(resource, amount)| (resource.clone(), Quantity(amount.to_string()))).collect()
    };
    let written = settings.pod.resources.clone().unwrap_or_default();
    let mut requests = amounts(&written.requests);
    // A limit alone is the request too, as everywhere in Kubernetes; ours could be more than it.
    if !requests.contains_key("cpu") && !written.limits.contains_key("cpu") {
        requests.insert("cpu".to_owned(), Quantity("50m".to_owned()));
    }
    requests.extend([memory.clone()]);
    let mut limits = amounts(&written.limits);
    limits.extend([memory]);
    ResourceRequirements { requests: Some(requests), limits: Some(limits), ..ResourceRequirements::default() }
}

fn volumes(settings: &Settings, template: Template) -> Vec<Volume> {
    let owner = &settings.owner.name;
    // Readable by the server's group; fsGroup makes it the files' owner.
    let read_only = Some(0o440);
    let mounted = |name: &str, secret: String| Volume {
        name: name.to_owned(),
        secret: Some(SecretVolumeSource {
            secret_name: Some(secret),
            default_mode: read_only,
            ..SecretVolumeSource::default()
        }),
        ..Volume::default()
    };
    let certificate = template.certificate(settings).map(|secret| mounted(CERTIFICATE_VOLUME, secret));
    let volumes = [
        Some(Volume {
            name: "config".to_owned(),
            config_map: Some(ConfigMapVolumeSource {
                name: name::redis_config(owner),
                default_mode: read_only,
                ..ConfigMapVolumeSource::default()
            }),
            ..Volume::default()
        }),
        Some(mounted("users", name::redis_users(owner))),
        certificate,
        // Where entries are kept, the StatefulSet puts the pod's claim there.
        settings.persistence.is_none().then(|| Volume {
            name: name::DATA_VOLUME.to_owned(),
            empty_dir: Some(EmptyDirVolumeSource::default()),
            ..Volume::default()
        }),
    ];
    volumes.into_iter().flatten().collect()
}
