//! `status` as it is stored. It can be read whatever it holds, since a later version may have written it: nothing in it keeps the
//! spec from being read, and what this version does not know is kept and written again.

use std::{borrow::Cow, ops::Deref};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::{
    TokenCacheStatus,
    kept::{self, Kept},
};

/// A status as it is stored: what this version knows of it, and what it does not.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StoredStatus {
    known: TokenCacheStatus,
    kept: Kept,
}

impl StoredStatus {
    /// What is stored in place of this, to say that from now on. What the other one holds and this version does not know stays,
    /// but for what was said of things that are gone.
    #[must_use]
    pub fn followed_by(&self, status: TokenCacheStatus) -> Self {
        let kept = if self.kept.is_empty() {
            Kept::default()
        } else {
            self.kept.that_joins(&json(&status), &json(&self.known))
        };
        Self { known: status, kept }
    }

    /// Takes no condition for known of which this does not hold. Of what is not known it leaves to others what they wrote: these
    /// are the fields that are ours, in the form of `managedFields`.
    pub fn leave(&mut self, is_known: impl Fn(&str) -> bool, ours: &[&Value]) {
        let (known, unknown) = self.known.conditions.drain(..).partition(|condition| is_known(&condition.type_));
        self.known.conditions = known;
        let unknown: Vec<_> = unknown;
        for condition in unknown {
            self.kept.add("conditions", serde_json::to_value(condition).unwrap_or_default());
        }
        self.kept.retain(ours);
    }
}

/// A status in JSON. That it cannot be is nothing that can happen to one that was read.
fn json(status: &TokenCacheStatus) -> Value {
    serde_json::to_value(status).unwrap_or_default()
}

impl Deref for StoredStatus {
    type Target = TokenCacheStatus;

    fn deref(&self) -> &TokenCacheStatus {
        &self.known
    }
}

impl<'de> Deserialize<'de> for StoredStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = Value::deserialize(deserializer)?;
        let (known, read) = kept::readable(&stored);
        let kept = Kept::beside(&read, &stored);
        Ok(Self { known, kept })
    }
}

impl Serialize for StoredStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.kept.is_empty() {
            return self.known.serialize(serializer);
        }
        self.kept.join(json(&self.known)).serialize(serializer)
    }
}

impl JsonSchema for StoredStatus {
    fn inline_schema() -> bool {
        TokenCacheStatus::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        TokenCacheStatus::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        TokenCacheStatus::json_schema(generator)
    }
}
