//! `status`: what changes seldom. What moves all the time belongs to metrics.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::{ConditionRemedies, KeyRingStatus, OperationStatus};

/// The longest message in a status, in characters.
pub const LONGEST_MESSAGE: u16 = 1024;

/// What the operator last saw.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct TokenCacheStatus {
    /// The generation of the spec that this status speaks of; -1 until the operator has seen the object.
    #[serde(default = "unseen")]
    pub observed_generation: i64,
    /// Whether the cache does its job, and each thing that this depends on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// What helps against what conditions tell of: each step with what it costs, and commands that can be pasted.
    // Written as a whole, also where it is empty: so none stays that a merge patch has written.
    #[serde(default)]
    pub remedies: Vec<ConditionRemedies>,
    /// How many conditions warn: of what does not fail now and may. What the spec asks for is no warning.
    #[serde(default)]
    pub warnings: i32,
    /// The conditions that warn, the most important first, with commas between them.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub warned: String,
    /// The Redis servers, as they answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redis: Option<RedisStatus>,
    /// The Secret that holds the connection, as the Service Binding specification names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding: Option<BindingStatus>,
    /// The key ring of ASP.NET Core Data Protection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_ring: Option<KeyRingStatus>,
    /// What became of the requests that annotations make: of each kind the latest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub operations: Vec<OperationStatus>,
    /// The latest of these, and how far it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub last_operation: String,
}

fn unseen() -> i64 {
    -1
}

/// The Redis servers, as they answered.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RedisStatus {
    /// Where applications reach Redis, as host:port.
    pub endpoint: String,
    /// Each server that answered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["pod".into()]))]
    pub servers: Vec<ServerStatus>,
}

/// One Redis server, as it answered.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ServerStatus {
    /// The server's pod.
    pub pod: String,
    /// `primary` or `replica`.
    pub role: String,
    /// The version that the server reports.
    pub version: String,
    /// `maxmemory`, as read back.
    pub max_memory: String,
    /// `maxmemory-policy`, as read back.
    pub eviction_policy: String,
    /// The memory that the server's container may take: by it another `maxMemory` suits it, or replaces the pod.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub memory_limit: String,
}

/// The Secret that holds the connection.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct BindingStatus {
    /// The Secret's name.
    pub name: String,
}
