//! Which `TokenCache` is meant.

/// A `TokenCache` by its namespace and its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenCacheRef {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}
