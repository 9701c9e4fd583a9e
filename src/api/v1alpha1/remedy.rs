//! What helps: a step, what it costs, and what can be pasted.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// What helps against what a message tells of.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Remedy {
    /// What stops or is lost by it. It is left out where the step only looks, or is not done in the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub costs: Option<String>,
    /// What to do.
    pub step: String,
    /// A command that does it, as it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// An object to apply, as YAML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
}

impl Remedy {
    /// A step at this cost, which follows the word "costs". The step is in the imperative, without a capital and a full stop:
    /// `set spec.redis.acl: Compatible`.
    #[must_use]
    pub fn costing(costs: impl Into<String>, step: impl Into<String>) -> Self {
        Self { costs: Some(costs.into()), step: step.into(), ..Self::default() }
    }

    /// A step that loses nothing and stops nobody.
    #[must_use]
    pub fn free(step: impl Into<String>) -> Self {
        Self::costing("nothing", step)
    }

    /// A step that only looks, or that is not done in the cluster.
    #[must_use]
    pub fn look(step: impl Into<String>) -> Self {
        Self { step: step.into(), ..Self::default() }
    }

    /// With a command that does it.
    #[must_use]
    pub fn command(self, command: impl Into<String>) -> Self {
        Self { command: Some(command.into()), ..self }
    }

    /// With an object to apply.
    #[must_use]
    pub fn manifest(self, manifest: impl Into<String>) -> Self {
        Self { manifest: Some(manifest.into()), ..self }
    }

    /// The step in a sentence, first what it costs.
    #[must_use]
    pub fn sentence(&self) -> String {
        if let Some(costs) = &self.costs {
            return format!("Costs {costs}: {}", self.step);
        }
        let mut letters = self.step.chars();
        letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
    }
}

/// What helps against what a condition tells of.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ConditionRemedies {
    /// The condition's type.
    pub condition: String,
    /// What helps, first what costs nothing. Most often one of these is enough.
    pub remedies: Vec<Remedy>,
}
