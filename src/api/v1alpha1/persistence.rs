//! `spec.redis.persistence`.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Amount;

/// A volume that keeps the entries over a restart: Redis appends every write to a file on it, and brings it to the disk
/// every second (`appendonly yes`, `appendfsync everysec`).
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(
        "has(self.storageClassName) ? has(oldSelf.storageClassName) && self.storageClassName == oldSelf.storageClassName : !has(oldSelf.storageClassName)"
    ).message(
        "storageClassName cannot change, as a StatefulSet's volumes cannot. Costs nothing: create a second TokenCache, and move the applications to its Secret. Costs all entries and the passwords: delete this one and PersistentVolumeClaim data-<name>-redis-0, and create it again"
    )
)]
pub struct PersistenceSpec {
    /// How large the volume is: a whole number of bytes, or with one of the suffixes Ki, Mi, Gi, Ti, k, M, G, T; from
    /// 256Mi to 16Ti, and at least three times `maxMemory` where there is no claim yet (`SpecValid` says so): the file grows
    /// to about twice the entries before Redis writes it anew, and the new one needs room beside it. When the volume is
    /// full, Redis refuses writes. Of a claim that is there already and is smaller, `Durable` warns. Cannot change; where the `StorageClass` allows it, the `PersistentVolumeClaim` itself
    /// (`data-<name>-redis-0`) can be made larger.
    #[x_kube(
        validation = Rule::new(
            "string(self).matches('^[1-9][0-9]{0,14}(Ki|Mi|Gi|Ti|k|M|G|T)?$') && quantity(string(self)).compareTo(quantity('256Mi')) >= 0 && quantity(string(self)).compareTo(quantity('16Ti')) <= 0"
        ).message(
            "size must be a whole number of bytes, or one with the suffix Ki, Mi, Gi, Ti, k, M, G or T, from 256Mi to 16Ti, such as 2Gi"
        ),
        validation = Rule::new("quantity(string(self)).compareTo(quantity(string(oldSelf))) == 0").message(
            "size cannot change, as a StatefulSet's volumes cannot. Costs nothing: raise spec.resources.requests.storage of PersistentVolumeClaim data-<name>-redis-0, if its StorageClass allows expansion; or create a second TokenCache, and move the applications to its Secret"
        )
    )]
    pub size: Amount,
    /// The `StorageClass` of the volume; if unset, the cluster's default. Cannot change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(
        validation = Rule::new("self.matches('^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$')").message(
            "storageClassName must be the name of a StorageClass: lower-case letters, digits, '-' and '.' (see `kubectl get storageclass`)"
        )
    )]
    pub storage_class_name: Option<String>,
    /// What becomes of the `PersistentVolumeClaim`, and of the entries on its volume, when the `TokenCache` is deleted:
    /// `Retain` keeps it, and a `TokenCache` of the same name takes it up again, with the entries on it; `Delete` deletes
    /// it. Can change at any time.
    #[serde(default)]
    pub when_deleted: WhenDeleted,
}

/// What becomes of a claim, and of the entries on its volume, when the `TokenCache` is deleted.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WhenDeleted {
    /// It stays, and a `TokenCache` of the same name takes it up again, with the entries on it.
    #[default]
    Retain,
    /// It is deleted too, and the entries with it.
    Delete,
}

impl WhenDeleted {
    /// The word that a `StatefulSet` has for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retain => "Retain",
            Self::Delete => "Delete",
        }
    }
}
