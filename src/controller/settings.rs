//! What a cache wants, of every capability: the one list of their settings.
//!
//! In: a `TokenCache` as users wrote it. Out: [`Settings`], or the sentence that goes into `SpecValid`.

use crate::{
    api::v1alpha1::{OperationStatus, TokenCache},
    capability::{Capability, Names, SpecError, token_cache},
    condition::ConditionType,
    data_protection, entries,
    kubernetes::identity::Owner,
    redis,
};

/// What a cache wants.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The `TokenCache`, which owns all objects.
    pub owner: Owner,
    /// Of its Redis.
    pub redis: redis::Settings,
    /// Of its key ring.
    pub data_protection: data_protection::Settings,
    /// Of its entries.
    pub entries: entries::Settings,
}

impl Settings {
    /// Reads a spec.
    ///
    /// # Errors
    /// Why it cannot be carried out.
    pub fn parse(cache: &TokenCache) -> Result<Self, SpecError> {
        Ok(Self {
            owner: token_cache::owner(cache),
            redis: Capability::parse(cache)?,
            data_protection: Capability::parse(cache)?,
            entries: Capability::parse(cache)?,
        })
    }

    /// What is known by name.
    #[must_use]
    pub fn names(&self, operations: &[OperationStatus]) -> Names {
        // Without `..`: a capability that is not asked does not compile.
        let Self { owner: _, redis, data_protection, entries } = self;
        redis.names(operations).and(data_protection.names(operations)).and(entries.names(operations))
    }

    /// The conditions, none of which is known while nothing can be seen.
    #[must_use]
    pub fn conditions(&self) -> Vec<ConditionType> {
        let Self { owner: _, redis, data_protection, entries } = self;
        [redis.conditions(), data_protection.conditions(), entries.conditions()].concat()
    }
}
