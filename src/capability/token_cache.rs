//! Which `TokenCache` is meant.

use kube::{Resource, ResourceExt};

use crate::{api::v1alpha1::TokenCache, kubernetes::identity::Owner};

/// What a `TokenCache` is to its objects.
#[must_use]
pub fn owner(cache: &TokenCache) -> Owner {
    Owner {
        api_version: TokenCache::api_version(&()).into_owned(),
        kind: TokenCache::kind(&()).into_owned(),
        namespace: cache.namespace().unwrap_or_default(),
        name: cache.name_any(),
        uid: cache.uid().unwrap_or_default(),
    }
}

/// A `TokenCache` by its namespace and its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenCacheRef {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}
