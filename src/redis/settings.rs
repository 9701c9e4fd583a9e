//! What a cache wants of its Redis, parsed: a value in which wrong states cannot be built.
//!
//! In: a `TokenCache` as users wrote it. Out: [`Settings`], or the sentence that goes into `SpecValid`.

use kube::{Resource, ResourceExt};

use crate::{
    api::v1alpha1::{Acl, Amount, EvictionPolicy, PodSpec, TokenCache},
    kubernetes::{
        identity::Owner,
        name,
        quantity::{self, format_bytes},
    },
};

/// The port that Redis listens on without TLS.
pub const PORT: u16 = 6379;

const MIB: u64 = 1 << 20;

/// What a cache wants of its Redis.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The `TokenCache`, which owns all objects.
    pub owner: Owner,
    /// The server's image.
    pub image: String,
    /// `maxmemory`.
    pub max_memory: MaxMemory,
    /// `maxmemory-policy`.
    pub eviction_policy: EvictionPolicy,
    /// What the applications' user may do.
    pub acl: Acl,
    /// Prefix of every key.
    pub instance_name: InstanceName,
    /// Where and how the pods run.
    pub pod: PodSpec,
}

/// Why a `TokenCache` cannot be carried out. The API server refuses most of this on admission; what it let through when
/// its rules were other ones is reported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// `maxMemory` is no amount, or is out of bounds.
    #[error(
        "spec.redis.maxMemory is {0:?}: write a whole number of bytes, or one with the suffix Ki, Mi, Gi or Ti, from 16Mi to 1Ti"
    )]
    MaxMemory(String),
    /// `instanceName` cannot stand in an access rule.
    #[error(
        "spec.entries.instanceName must be printable ASCII without white space: Redis access rules cannot hold anything else"
    )]
    InstanceName,
    /// The name is too long for what derives from it.
    #[error("metadata.name has more than 40 characters: choose a shorter name")]
    Name,
    /// An amount of CPU, or of whatever else, is none. The API server has only an error of its own for that.
    #[error("spec.redis.pod.resources: {amount:?} is no amount of {resource}: write, for example, 100m or 1")]
    PodResource {
        /// The resource, such as `cpu`.
        resource: String,
        /// What is written.
        amount: String,
    },
    /// Memory is named where only CPU may be.
    #[error("spec.redis.pod.resources must not name memory: it derives from spec.redis.maxMemory")]
    PodMemory,
}

/// `maxmemory`, within the bounds that make sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxMemory(u64);

impl MaxMemory {
    /// Takes what users wrote.
    ///
    /// # Errors
    /// Where it is no whole number of bytes from 16Mi to 1Ti.
    pub fn parse(written: &Amount) -> Result<Self, SettingsError> {
        let text = written.to_string();
        quantity::bytes(&text)
            .filter(|bytes| (16 * MIB..=MIB * MIB).contains(bytes))
            .map(Self)
            .ok_or(SettingsError::MaxMemory(text))
    }

    /// In bytes.
    #[must_use]
    pub fn bytes(self) -> u64 {
        self.0
    }

    /// The container's memory, in bytes: one and a half times as much and 64Mi, rounded up to whole mebibytes. The half
    /// is for a fork's copied pages and for fragmentation, the 64Mi are for the process itself and clients' buffers.
    #[must_use]
    pub fn container(self) -> u64 {
        (self.0 + self.0 / 2).next_multiple_of(MIB) + 64 * MIB
    }

    /// As a quantity.
    #[must_use]
    pub fn quantity(self) -> String {
        format_bytes(self.0)
    }
}

/// Prefix of every key: printable ASCII without white space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceName(String);

impl InstanceName {
    /// Takes what users wrote.
    ///
    /// # Errors
    /// Where an access rule could not hold it.
    pub fn parse(written: &str) -> Result<Self, SettingsError> {
        if written.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(written.to_owned()))
        } else {
            Err(SettingsError::InstanceName)
        }
    }

    /// As written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Settings {
    /// Parses a `TokenCache`.
    ///
    /// # Errors
    /// The first thing that cannot be carried out.
    pub fn parse(cache: &TokenCache) -> Result<Self, SettingsError> {
        let name = cache.name_any();
        if name.len() > 40 {
            return Err(SettingsError::Name);
        }
        let redis = &cache.spec.redis;
        for (resource, amount) in redis.pod.resources.iter().flat_map(|cpu| cpu.requests.iter().chain(&cpu.limits)) {
            if resource == "memory" {
                return Err(SettingsError::PodMemory);
            }
            let amount = amount.to_string();
            if quantity::nanos(&amount).is_none() {
                return Err(SettingsError::PodResource { resource: resource.clone(), amount });
            }
        }
        let instance_name = match &cache.spec.entries.instance_name {
            Some(written) => InstanceName::parse(written)?,
            None => InstanceName(format!("{name}:")),
        };
        Ok(Self {
            owner: Owner {
                api_version: TokenCache::api_version(&()).into_owned(),
                kind: TokenCache::kind(&()).into_owned(),
                namespace: cache.namespace().unwrap_or_default(),
                name,
                uid: cache.uid().unwrap_or_default(),
            },
            image: redis.image.clone(),
            max_memory: MaxMemory::parse(&redis.max_memory)?,
            eviction_policy: redis.eviction_policy,
            acl: redis.acl,
            instance_name,
            pod: redis.pod.clone(),
        })
    }

    /// The host name under which applications reach Redis. Without the cluster's domain, which pods complete themselves.
    #[must_use]
    pub fn host(&self) -> String {
        format!("{}.{}.svc", name::redis(&self.owner.name), self.owner.namespace)
    }

    /// Host and port.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("{}:{PORT}", self.host())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(text: &str) -> Result<u64, SettingsError> {
        MaxMemory::parse(&Amount::Text(text.to_owned())).map(MaxMemory::bytes)
    }

    #[test]
    fn memory_is_an_amount_within_bounds() {
        assert_eq!(memory("16Mi"), Ok(16 * MIB));
        assert_eq!(memory("1Ti"), Ok(1 << 40));
        assert_eq!(MaxMemory::parse(&Amount::Whole(1 << 40)).map(MaxMemory::bytes), Ok(1 << 40));
        for text in ["", "-5", "15Mi", "1025Gi", "lots", "100m", "99999999999999999999Ei"] {
            assert!(memory(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_container_has_room_beside_the_entries() {
        let container = |text: &str| MaxMemory::parse(&Amount::Text(text.to_owned())).unwrap().container();
        assert_eq!(container("256Mi"), 448 * MIB);
        assert_eq!(container("16Mi"), 88 * MIB);
        assert_eq!(container("16777217"), 89 * MIB);
    }

    #[test]
    fn a_prefix_that_an_access_rule_cannot_hold_is_refused() {
        assert!(InstanceName::parse("shop:*[prod]").is_ok());
        assert!(InstanceName::parse("").is_ok());
        for prefix in ["two words", "tab\t", "new\nline", "ümlaut"] {
            assert_eq!(InstanceName::parse(prefix), Err(SettingsError::InstanceName), "{prefix:?}");
        }
    }
}
