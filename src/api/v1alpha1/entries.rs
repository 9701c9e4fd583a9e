//! `spec.entries`.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// The annotation that asks for stored entries to be removed. Its value begins with the time of the request, after which it
/// says `unreadable`, `encrypted` or `all`.
pub const FLUSH_ANNOTATION: &str = "tokencache.dev/flush-requested";

/// How applications name their entries, and what they store in them.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct EntriesSpec {
    /// Prefix of every Redis key (`RedisCacheOptions.InstanceName`), published as `Redis__InstanceName`. If unset, the
    /// name of the `TokenCache` followed by a colon. Applications may only touch keys with this prefix. Printable ASCII
    /// without white space, which Redis access rules cannot hold. Cannot change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    #[x_kube(
        validation = Rule::new("self.matches('^[!-~]*$')").message(
            "instanceName must be printable ASCII without white space: Redis access rules cannot hold white space in a key prefix"
        )
    )]
    pub instance_name: Option<String>,
    /// Whether applications encrypt what they store (`Encrypt` of `MsalDistributedTokenCacheAdapterOptions`). The operator
    /// compares stored entries with this and tells where they differ; it does not change applications.
    #[serde(default = "default_encrypt")]
    pub encrypt: bool,
}

impl Default for EntriesSpec {
    fn default() -> Self {
        Self { instance_name: None, encrypt: default_encrypt() }
    }
}

fn default_encrypt() -> bool {
    true
}
