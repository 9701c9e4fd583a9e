//! `tokencache.dev/v1alpha1`: what users write, its defaults, and the rules that the API server checks on admission.

mod amount;
mod annotations;
mod crd;
mod data_protection;
mod edit_warnings;
mod edits;
mod entries;
mod kept;
mod operations;
mod persistence;
mod redis;
mod remedy;
mod rotation;
mod status;
mod stored;

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

pub use amount::Amount;
pub use annotations::{
    ADOPT_ANNOTATION, ANNOTATION_PREFIX, ANNOTATIONS, Annotation, FLUSH_ANNOTATION, PAUSED, RECONCILE_ANNOTATION,
    RESTORED, REVOKE_KEY_ANNOTATION, ROTATE_KEY_ANNOTATION, ROTATE_PASSWORD_ANNOTATION, Takes,
};
pub use crd::{crd, crd_chart_template, crd_yaml};
pub use data_protection::{
    DataProtectionMode, DataProtectionSpec, KeyRingStatus, KeyRotationSpec, KeyState, KeyStatus, NamedSecret,
};
pub use edit_warnings::edits_chart_template;
pub use edits::{Consequence, EDITS, Edit};
pub use entries::{EntriesSpec, Inspect};
pub use operations::{OperationStage, OperationStatus, OperationType, last_operation};
pub use persistence::{PersistenceSpec, WhenDeleted};
pub use redis::{
    Acl, CpuResources, DEFAULT_IMAGE, EvictionPolicy, ImagePullPolicy, NetworkPolicyMode, PodSpec, RedisSpec, TlsMode,
    TlsSpec,
};
pub use remedy::{ConditionRemedies, Remedy};
pub use rotation::{PasswordRotationSpec, PasswordWait};
pub use status::{BindingStatus, LONGEST_MESSAGE, RedisStatus, ServerStatus, TokenCacheStatus};
pub use stored::StoredStatus;

/// What a `TokenCache` should be. `spec: {}` is a good cache: a standalone Redis of 256Mi with generated credentials.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Debug, Clone, Default, PartialEq)]
#[kube(
    group = "tokencache.dev",
    version = "v1alpha1",
    kind = "TokenCache",
    namespaced,
    shortname = "tcache",
    status = "StoredStatus",
    derive = "PartialEq",
    doc = "A token cache for ASP.NET Core applications that use Microsoft.Identity.Web or MSAL.NET: a Redis of its own, a published connection, and conditions that say whether it does its job.",
    printcolumn(
        name = "READY",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether the cache does its job."
    ),
    printcolumn(
        name = "REASON",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        description = "Why it is ready, or the first thing that keeps it from being ready."
    ),
    printcolumn(
        name = "REDIS",
        type_ = "string",
        json_path = ".status.redis.endpoint",
        description = "Where applications reach Redis."
    ),
    printcolumn(
        name = "POLICY",
        type_ = "string",
        json_path = ".status.redis.servers[0].evictionPolicy",
        description = "The eviction policy, as read back from the server."
    ),
    printcolumn(
        name = "KEY",
        type_ = "string",
        json_path = ".status.keyRing.active",
        description = "The key that encrypts, by the first digits of its id."
    ),
    printcolumn(
        name = "WARNINGS",
        type_ = "string",
        json_path = ".status.warned",
        description = "The conditions that warn of what may fail, the most important first."
    ),
    printcolumn(
        name = "OPERATION",
        type_ = "string",
        json_path = ".status.lastOperation",
        description = "The latest request of an annotation, and how far it is.",
        priority = 1
    ),
    printcolumn(
        name = "AGE",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Since when the TokenCache exists."
    ),
    validation = Rule::new("self.metadata.name.size() <= 40").message(
        "metadata.name has more than 40 characters, and names of other objects derive from it: choose a shorter name"
    ),
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')").message(
        "metadata.name must be a DNS-1035 label (lower-case letters, digits and '-', beginning with a letter), since Services are named after it"
    ),
    validation = Rule::new(
        "!has(self.spec.redis.tls.secretName) || !(self.spec.redis.tls.secretName in [self.metadata.name + '-redis-ca', self.metadata.name + '-redis-tls', self.metadata.name + '-redis-rotation', self.metadata.name + '-redis', self.metadata.name + '-keys', self.metadata.name + '-keys-certificates'])"
    ).message(
        "spec.redis.tls.secretName names a Secret that the operator makes itself: rename yours"
    ),
    validation = Rule::new(
        "!has(self.spec.dataProtection.certificate) || !(self.spec.dataProtection.certificate.secretName in [self.metadata.name + '-keys', self.metadata.name + '-keys-certificates'])"
    ).message(
        "spec.dataProtection.certificate.secretName names a Secret that the operator makes itself: rename yours"
    ),
    validation = Rule::new(
        "!has(self.spec.dataProtection.__import__) || !(self.spec.dataProtection.__import__.secretName in [self.metadata.name + '-keys', self.metadata.name + '-keys-certificates'])"
    ).message(
        "spec.dataProtection.import.secretName names a Secret that the operator makes itself: rename yours"
    ),
    validation = Rule::new(
        "(has(self.spec.entries.instanceName) ? self.spec.entries.instanceName : self.metadata.name + ':') == (has(oldSelf.spec.entries.instanceName) ? oldSelf.spec.entries.instanceName : oldSelf.metadata.name + ':')"
    ).message(
        "spec.entries.instanceName cannot change: every stored entry would be lost, and Redis would refuse applications until they restart. Costs nothing: create a second TokenCache with the new prefix, and move the applications to its Secret"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct TokenCacheSpec {
    /// The Redis that holds the entries (L2).
    #[serde(default)]
    pub redis: RedisSpec,
    /// How applications name their entries, and what they store in them.
    #[serde(default)]
    pub entries: EntriesSpec,
    /// The key ring of ASP.NET Core Data Protection, which all servers of an application share.
    #[serde(default)]
    pub data_protection: DataProtectionSpec,
}

impl TokenCacheSpec {
    /// What the operator reads of stored entries: as written, or as follows from who makes the keys.
    #[must_use]
    pub fn inspect(&self) -> Inspect {
        self.entries.inspect.unwrap_or(match self.data_protection.mode {
            DataProtectionMode::Managed => Inspect::Payloads,
            DataProtectionMode::None => Inspect::Metadata,
        })
    }
}
