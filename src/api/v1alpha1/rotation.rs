//! `spec.redis.passwordRotation`.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the applications' password is changed when the annotation `tokencache.dev/rotate-password-requested` asks for that:
/// the new one is made valid beside the earlier one, published in the connection Secret, and the earlier one is removed
/// after `overlap`, once no pod uses it any more.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct PasswordRotationSpec {
    /// How long the earlier password stays valid after the new one was published: a whole number with one of the suffixes
    /// s, m, h, d, from 1s to 30d. Within that time every application has to read the connection Secret again. A change
    /// also holds for a rotation that is under way: a shorter time ends it sooner.
    #[serde(default = "default_overlap")]
    #[schemars(length(max = 16))]
    #[x_kube(
        validation = Rule::new(
            "self.matches('^[0-9]{1,9}(d|h|m|s)$') && int(self.substring(0, self.size() - 1)) >= 1 && int(self.substring(0, self.size() - 1)) * (self.endsWith('d') ? 86400 : self.endsWith('h') ? 3600 : self.endsWith('m') ? 60 : 1) <= 2592000"
        ).message(
            "overlap must be a whole number with the suffix s, m, h or d, from 1s to 30d, such as 24h"
        )
    )]
    pub overlap: String,
    /// Whom the end of the overlap waits for. `Consumers`: pods that use the connection Secret and started before the new
    /// password was published; however they use it, since applications read it when they start. While one of them runs, or
    /// pods cannot be listed, the earlier password stays valid, for at most a further overlap. `Clock`: nobody. A change also
    /// holds for a rotation that is under way.
    #[serde(default)]
    pub wait: PasswordWait,
}

/// Whom the end of a password waits for.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PasswordWait {
    /// Pods that use the Secret with the connection, and started before the new password was published.
    #[default]
    Consumers,
    /// Nobody.
    Clock,
}

impl Default for PasswordRotationSpec {
    fn default() -> Self {
        Self { overlap: default_overlap(), wait: PasswordWait::default() }
    }
}

fn default_overlap() -> String {
    "24h".to_owned()
}
