//! `spec.redis`.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Affinity, LocalObjectReference, Toleration, TopologySpreadConstraint};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Amount, PasswordRotationSpec, PersistenceSpec};

/// The Redis that holds the entries (L2).
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.persistence) == has(oldSelf.persistence)").message(
        "persistence can neither be added nor removed, as a StatefulSet's volumes cannot change. Costs nothing: create a second TokenCache, and move the applications to its Secret. Costs all entries and the passwords: delete this one, and create it again"
    )
)]
pub struct RedisSpec {
    /// The server's image: Redis 7.2, 7.4, 8.2 and later, or Valkey 8 and later. It must contain a shell and redis-cli (or
    /// valkey-cli), as the official images do. Name a patch level, such as 8.2.9, or a digest, or both
    /// (`name:tag@sha256:...`): a node keeps what it once pulled under a tag that moves, such as 8.2. `ServerSupported` says
    /// whether the version that runs has upstream's security fixes. A change restarts Redis, which empties a cache without
    /// `persistence`.
    #[serde(default = "default_image")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(
        validation = Rule::new("self.matches('^\\\\S+$')").message(
            "image must not contain white space: write registry/repository:tag"
        )
    )]
    pub image: String,
    /// When a node pulls the image: `Always`, `IfNotPresent` or `Never`. Without it, Kubernetes decides by the tag: `Always`
    /// for `latest`, else `IfNotPresent`. A change restarts Redis, which empties a cache without `persistence`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<ImagePullPolicy>,
    /// The version of the server that is fine as it is, to the letter as `status.redis.servers` has it, such as `8.0.2`:
    /// `ServerSupported` warns of it no more. For images whose maker has put upstream's fixes into an older version, as
    /// distributions do. Another version is judged again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(
        validation = Rule::new("self.matches('^[0-9A-Za-z][0-9A-Za-z.+~_-]*$')").message(
            "acceptedVersion must be one version as in status.redis.servers, such as 8.0.2"
        )
    )]
    pub accepted_version: Option<String>,
    /// How much memory the entries may take (`maxmemory`): a whole number of bytes, or with one of the suffixes
    /// Ki, Mi, Gi, Ti, k, M, G, T; from 16Mi to 1Ti. The container's memory derives from it: one and a half times as
    /// much, and 64Mi, which leaves room for a fork, for buffers and for fragmentation. A change reaches the running
    /// server while the container that there is suits it: while that has at least a quarter more than `maxMemory`, and
    /// 64Mi, and at most twice what a new one would get. So up to a fifth more, or half as much, restarts nothing; any
    /// other change replaces the pod, which empties a cache without `persistence`. With `persistence` the container has at least half more and
    /// 64Mi, since rewrites of the file fork, and never gets smaller, since all that the file holds is loaded at a
    /// restart: less `maxMemory` restarts nothing, more may, and the entries come back. How many clients may be connected
    /// derives from it too: 512, and 2 for each Mi; so does the memory that they may hold together: a tenth of it.
    #[serde(default = "default_max_memory")]
    #[x_kube(
        validation = Rule::new(
            "string(self).matches('^[1-9][0-9]{0,14}(Ki|Mi|Gi|Ti|k|M|G|T)?$') && quantity(string(self)).compareTo(quantity('16Mi')) >= 0 && quantity(string(self)).compareTo(quantity('1Ti')) <= 0"
        ).message(
            "maxMemory must be a whole number of bytes, or one with the suffix Ki, Mi, Gi, Ti, k, M, G or T, from 16Mi to 1Ti, such as 256Mi"
        )
    )]
    pub max_memory: Amount,
    /// What Redis does when `maxMemory` is full (`maxmemory-policy`). With `volatile-*` it removes entries that have an
    /// expiration, with `allkeys-*` any entry, with `noeviction` it refuses writes. Read back from every server, forever.
    #[serde(default)]
    pub eviction_policy: EvictionPolicy,
    /// A volume that keeps the entries over a restart. None by default: then Redis holds them in memory only, and a
    /// restart empties the cache. Can neither be added nor removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistence: Option<PersistenceSpec>,
    /// How the connections are encrypted. With TLS, Redis listens on port 6380 only; without, on 6379 only. Mode
    /// `Disabled`, and back from it, restarts Redis, which empties a cache without `persistence`, and applications have to
    /// read the connection Secret again.
    #[serde(default)]
    pub tls: TlsSpec,
    /// What the applications' user may do beside reading and writing entries under its prefix. `Standard`: what every
    /// client of Microsoft.Identity.Web sends, also with a connection string of its own, with package
    /// Microsoft.Extensions.Caching.StackExchangeRedis from 9.0 on. `Compatible`: that, and Lua scripts, which only package
    /// 8.0.x needs; a cache that was made while this was the default has it still. `Strict`: the shortest list, for packages
    /// from 9.0 on that use the published connectionString. A change reaches the servers without a restart.
    #[serde(default)]
    pub acl: Acl,
    /// Who reaches Redis over the network, where the cluster's network enforces such rules: by a `NetworkPolicy`, the pods of
    /// this namespace and the operator. `Auto`: it is made with the cache; for a cache that has none yet, once no application
    /// is connected from elsewhere, such as another namespace or a node, since it would be cut off (`NetworkRestricted` says
    /// from where). `Namespace`: it is made in any case. `None`: there is none. A change restarts nothing.
    #[serde(default)]
    pub network_policy: NetworkPolicyMode,
    /// How the applications' password is changed on request. It restarts nothing.
    #[serde(default)]
    pub password_rotation: PasswordRotationSpec,
    /// Where and how the pods run. A change restarts Redis, which empties a cache without `persistence`.
    #[serde(default)]
    pub pod: PodSpec,
}

impl Default for RedisSpec {
    fn default() -> Self {
        Self {
            image: default_image(),
            image_pull_policy: None,
            accepted_version: None,
            max_memory: default_max_memory(),
            eviction_policy: EvictionPolicy::default(),
            persistence: None,
            tls: TlsSpec::default(),
            acl: Acl::default(),
            network_policy: NetworkPolicyMode::default(),
            password_rotation: PasswordRotationSpec::default(),
            pod: PodSpec::default(),
        }
    }
}

/// The image that a cache gets which names none: of a line with long support, at a patch level that has upstream's fixes.
/// Another one here reaches only caches that are made later, since the API server stores defaults.
pub const DEFAULT_IMAGE: &str = "docker.io/library/redis:8.2.9";

fn default_image() -> String {
    DEFAULT_IMAGE.to_owned()
}

fn default_max_memory() -> Amount {
    Amount::Text("256Mi".to_owned())
}

/// When a node pulls an image.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImagePullPolicy {
    /// At each start of a container.
    Always,
    /// Where it has none under that name.
    IfNotPresent,
    /// Not at all: it has to be there.
    Never,
}

impl ImagePullPolicy {
    /// The name that Kubernetes uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "Always",
            Self::IfNotPresent => "IfNotPresent",
            Self::Never => "Never",
        }
    }
}

/// `maxmemory-policy`, as far as it suits a cache.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, Default, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum EvictionPolicy {
    /// Of the entries with an expiration, the one not used for longest goes first.
    #[default]
    VolatileLru,
    /// Of the entries with an expiration, the one used most seldom goes first.
    VolatileLfu,
    /// Of the entries with an expiration, the one that expires next goes first.
    VolatileTtl,
    /// The entry not used for longest goes first.
    AllkeysLru,
    /// The entry used most seldom goes first.
    AllkeysLfu,
    /// Nothing goes: writes are refused.
    Noeviction,
}

impl EvictionPolicy {
    /// The name that Redis uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::VolatileLru => "volatile-lru",
            Self::VolatileLfu => "volatile-lfu",
            Self::VolatileTtl => "volatile-ttl",
            Self::AllkeysLru => "allkeys-lru",
            Self::AllkeysLfu => "allkeys-lfu",
            Self::Noeviction => "noeviction",
        }
    }
}

/// How the connections to Redis are encrypted.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.mode != 'Secret' || has(self.secretName)").message(
        "tls.mode Secret needs tls.secretName: a Secret of this namespace with tls.crt, tls.key and ca.crt, as cert-manager writes it"
    ),
    validation = Rule::new("self.mode == 'Secret' || !has(self.secretName)").message(
        "tls.secretName says nothing with tls.mode Managed or Disabled: set tls.mode to Secret, or remove tls.secretName"
    )
)]
pub struct TlsSpec {
    /// Where the certificate comes from. `Managed`: the operator makes an authority and a certificate, and renews them.
    /// `Secret`: a Secret of yours has them. `Disabled`: connections, with passwords and tokens in them, are plain text.
    #[serde(default)]
    pub mode: TlsMode,
    /// With mode `Secret`, the Secret's name: of type `kubernetes.io/tls`, in this namespace, with `tls.crt`, `tls.key` and
    /// `ca.crt`, as cert-manager writes it. The certificate must be valid for `<name>-redis.<namespace>.svc`, where
    /// `<name>` is this resource's, and `ca.crt` must hold the root that vouches for it. What is put into it later is loaded
    /// without a restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(
        validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')").message(
            "tls.secretName must be the name of a Secret: lower-case letters, digits, '-' and '.'"
        )
    )]
    pub secret_name: Option<String>,
}

/// Where the servers' certificate comes from.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TlsMode {
    /// The operator makes it.
    #[default]
    Managed,
    /// A Secret of the user's has it.
    Secret,
    /// There is none: connections are plain text.
    Disabled,
}

/// What the applications' user may do.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Acl {
    /// What every client sends, also with a connection string of its own: packages from 9.0 on.
    #[default]
    Standard,
    /// The same, and the Lua scripts of package 8.0.x.
    Compatible,
    /// The shortest list: packages from 9.0 on, with the published connection string.
    Strict,
}

impl Acl {
    /// The word in the spec.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "Standard",
            Self::Compatible => "Compatible",
            Self::Strict => "Strict",
        }
    }
}

/// Who reaches Redis over the network.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum NetworkPolicyMode {
    /// The pods of the namespace and the operator, unless that would cut somebody off.
    #[default]
    Auto,
    /// The pods of the namespace and the operator.
    Namespace,
    /// Everybody: there is no `NetworkPolicy`.
    None,
}

/// Where and how the pods of Redis run. What is set here reaches the pod template as it is.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct PodSpec {
    /// CPU of the Redis container. Memory derives from `maxMemory` and is refused here. By default 50m are requested,
    /// without a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<CpuResources>,
    /// Labels that a node must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<String, String>,
    /// Taints that the pods tolerate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub tolerations: Vec<Toleration>,
    /// Rules that attract the pods to nodes or keep them away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Affinity>,
    /// How the pods spread over zones and nodes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(
        validation = Rule::new(
            "self.all(one, self.exists_one(other, other.topologyKey == one.topologyKey && other.whenUnsatisfiable == one.whenUnsatisfiable))"
        ).message("two topologySpreadConstraints have the same topologyKey and whenUnsatisfiable: join them")
    )]
    pub topology_spread_constraints: Vec<TopologySpreadConstraint>,
    /// The `PriorityClass` of the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub priority_class_name: Option<String>,
    /// Secrets of this namespace that hold the credentials for the image's registry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(
        validation = Rule::new(
            "self.all(one, has(one.name) && self.exists_one(other, has(other.name) && other.name == one.name))"
        ).message("every imagePullSecret needs a name, and none may be listed twice")
    )]
    pub image_pull_secrets: Vec<LocalObjectReference>,
}

/// CPU of the Redis container.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(
        "(!has(self.requests) || !('memory' in self.requests)) && (!has(self.limits) || !('memory' in self.limits))"
    ).message(
        "resources must not name memory, which derives from spec.redis.maxMemory: change maxMemory instead"
    )
)]
pub struct CpuResources {
    /// What is set aside for the container, such as `cpu: 100m`. By default 50m, or what `limits` says of CPU.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 8))]
    pub requests: BTreeMap<String, Amount>,
    /// What the container may not exceed, such as `cpu: "1"`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 8))]
    pub limits: BTreeMap<String, Amount>,
}
