//! `spec.entries`.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
            "instanceName must be printable ASCII without white space, as Redis access rules need it"
        )
    )]
    pub instance_name: Option<String>,
    /// Whether applications encrypt what they store (`Encrypt` of `MsalDistributedTokenCacheAdapterOptions`). The operator
    /// compares stored entries with this and tells where they differ; it does not change applications.
    #[serde(default = "default_encrypt")]
    pub encrypt: bool,
    /// Whether the operator looks into stored entries. `Payloads`: it reads some of them at each look, tells in
    /// `EntriesReadable` whether applications can read them, and keeps nothing. `Metadata`: it asks for their names, sizes
    /// and expirations only; `EntriesReadable` is then Unknown, and requests to remove unreadable or encrypted entries, or
    /// those that a revoked key encrypted, are refused. If unset, `Payloads`, but with `dataProtection.mode: None`
    /// `Metadata`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inspect: Option<Inspect>,
}

/// What the operator reads of stored entries.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inspect {
    /// What they hold, too.
    Payloads,
    /// Their names, sizes and expirations only.
    Metadata,
}

impl Default for EntriesSpec {
    fn default() -> Self {
        Self { instance_name: None, encrypt: default_encrypt(), inspect: None }
    }
}

fn default_encrypt() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Inspect::{Metadata, Payloads};
    use crate::api::v1alpha1::TokenCacheSpec;

    #[test]
    fn what_is_read_of_entries_follows_from_who_makes_the_keys_unless_it_is_written() {
        for (inspect, mode, effective) in [
            (None, "Managed", Payloads),
            (None, "None", Metadata),
            (Some(Metadata), "Managed", Metadata),
            (Some(Payloads), "None", Payloads),
        ] {
            let entries = inspect.map_or_else(|| json!({}), |inspect| json!({ "inspect": inspect }));
            let spec = json!({"entries": entries, "dataProtection": {"mode": mode}});
            assert_eq!(serde_json::from_value::<TokenCacheSpec>(spec).unwrap().inspect(), effective);
        }
    }
}
