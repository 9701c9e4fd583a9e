//! `status.operations`: what became of the requests that annotations make.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Remedy;

/// The latest request of one kind, and what became of it.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct OperationStatus {
    /// What was asked for.
    #[serde(rename = "type")]
    pub type_: OperationType,
    /// The time that the annotation names; absent where it names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested: Option<Time>,
    /// How far it is.
    #[serde(default, skip_serializing_if = "OperationStage::is_unknown")]
    #[schemars(!default)]
    pub stage: OperationStage,
    /// When it was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Time>,
    /// When its result was published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<Time>,
    /// When what was there before ends, by what is known now: later than it would where that waits for processes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Time>,
    /// When it was seen to be complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Time>,
    /// A further request, which is begun when this one is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued: Option<Time>,
    /// How many stored entries were looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entries: Option<i64>,
    /// How many of them it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affected: Option<i64>,
    /// How many stored entries were removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<i64>,
    /// How long it took, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<i64>,
    /// What was done, what is waited for, what to do.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(!default)]
    pub message: String,
    /// What helps, first what costs nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remedies: Vec<Remedy>,
}

/// What can be asked for.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationType {
    /// Another password of the applications: `tokencache.dev/rotate-password-requested`.
    RotatePassword,
    /// Another key that encrypts at once: `tokencache.dev/rotate-key-requested`.
    RotateKey,
    /// A key, or all keys, never to be used again: `tokencache.dev/revoke-key-requested`.
    RevokeKey,
    /// Stored entries that are to go: `tokencache.dev/flush-requested`.
    Flush,
}

/// How far an operation is.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OperationStage {
    /// Nothing is done, and never will be, for this request: the message says why.
    Ignored,
    /// It is to be done, and cannot be begun yet.
    Waiting,
    /// What it is about is being counted.
    Counting,
    /// The new is being added beside the old.
    Adding,
    /// The new is published, and the old is valid still.
    Published,
    /// The old, or what is not wanted any more, is being removed.
    Removing,
    /// Processes that started before the new was published go on with the old, and it is removed once more when they have been
    /// restarted: the message names them.
    AwaitingRestart,
    /// All is done.
    Completed,
    /// Only you can help it on: the message says how.
    Blocked,
    /// A later version of the operator knows.
    #[default]
    #[serde(skip)]
    Unknown,
}

/// The latest of some requests, and how far it is, in two words. A request that names no time is the latest, since it stands in
/// the annotation now; nothing where there is none.
#[must_use]
pub fn last_operation(operations: &[OperationStatus]) -> String {
    let latest = operations.iter().max_by_key(|operation| {
        let requested = operation.requested.as_ref().map(|requested| requested.0);
        (requested.is_none(), requested)
    });
    let told = |operation: &OperationStatus| format!("{} {}", operation.type_.as_str(), operation.stage.as_str());
    latest.map(told).unwrap_or_default()
}

impl OperationType {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RotatePassword => "RotatePassword",
            Self::RotateKey => "RotateKey",
            Self::RevokeKey => "RevokeKey",
            Self::Flush => "Flush",
        }
    }
}

impl OperationStage {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ignored => "Ignored",
            Self::Waiting => "Waiting",
            Self::Counting => "Counting",
            Self::Adding => "Adding",
            Self::Published => "Published",
            Self::Removing => "Removing",
            Self::AwaitingRestart => "AwaitingRestart",
            Self::Completed => "Completed",
            Self::Blocked => "Blocked",
            Self::Unknown => "Unknown",
        }
    }

    /// Whether nothing more will be done.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Ignored | Self::Completed)
    }

    /// Whether it is told also when the request is not made any more.
    #[must_use]
    pub fn outlasts_request(self) -> bool {
        matches!(self, Self::Completed | Self::Unknown)
    }

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
    fn is_unknown(&self) -> bool {
        *self == Self::Unknown
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn last(operations: &Value) -> String {
        let operations: Vec<OperationStatus> = serde_json::from_value(operations.clone()).unwrap();
        last_operation(&operations)
    }

    #[test]
    fn the_latest_request_is_told_with_its_stage() {
        let of =
            |type_: &str, requested: &str, stage: &str| json!({"type": type_, "requested": requested, "stage": stage});
        let noon = of("RotatePassword", "2026-01-01T12:00:00Z", "Completed");
        let later = of("RotateKey", "2026-01-01T13:00:00Z", "Published");
        let unread = json!({"type": "Flush", "stage": "Ignored"});
        assert_eq!(last(&json!([])), "");
        assert_eq!(last(&json!([later, noon])), "RotateKey Published");
        assert_eq!(last(&json!([noon, later])), "RotateKey Published");
        assert_eq!(last(&json!([unread, later])), "Flush Ignored", "it stands in the annotation now");
    }

    #[test]
    fn what_is_told_is_what_the_status_says() {
        for stage in [
            OperationStage::Ignored,
            OperationStage::Waiting,
            OperationStage::Counting,
            OperationStage::Adding,
            OperationStage::Published,
            OperationStage::Removing,
            OperationStage::AwaitingRestart,
            OperationStage::Completed,
            OperationStage::Blocked,
        ] {
            assert_eq!(serde_json::to_value(stage).unwrap(), stage.as_str());
        }
    }
}
