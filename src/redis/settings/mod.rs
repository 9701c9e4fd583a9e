//! What a cache wants of its Redis, parsed: a value in which wrong states cannot be built.
//!
//! In: a `TokenCache` as users wrote it. Out: [`Settings`], or the sentence that goes into `SpecValid`.

pub mod client_limits;
pub mod rotation;

use kube::ResourceExt;

use crate::{
    api::v1alpha1::{
        Acl, Amount, EvictionPolicy, ImagePullPolicy, NetworkPolicyMode, PersistenceSpec, PodSpec,
        ROTATE_PASSWORD_ANNOTATION, TlsMode, TokenCache, WhenDeleted,
    },
    capability::{
        operation::{self, Request},
        token_cache,
    },
    kubernetes::{
        identity::Owner,
        name,
        quantity::{self, format_bytes},
    },
};
use rotation::RotationRequest;

/// The port that Redis listens on without TLS.
pub const PLAIN_PORT: u16 = 6379;
/// The port that Redis listens on with TLS.
pub const TLS_PORT: u16 = 6380;

const MIB: u64 = 1 << 20;

/// What a cache wants of its Redis.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The `TokenCache`, which owns all objects.
    pub owner: Owner,
    /// Whether what nobody owns was restored for it, whoever wrote it.
    pub is_restored: bool,
    /// The server's image.
    pub image: String,
    /// When a node pulls it; `None` where Kubernetes decides.
    pub image_pull_policy: Option<ImagePullPolicy>,
    /// The version that is fine as it is.
    pub accepted_version: Option<String>,
    /// `maxmemory`.
    pub max_memory: MaxMemory,
    /// `maxmemory-policy`.
    pub eviction_policy: EvictionPolicy,
    /// The volume that keeps the entries; `None` where they are held in memory only.
    pub persistence: Option<Persistence>,
    /// Where the servers' certificate comes from.
    pub tls: TlsSource,
    /// What the applications' user may do.
    pub acl: Acl,
    /// Who reaches the servers over the network.
    pub network_policy: NetworkPolicyMode,
    /// Whether the applications' password is to be another one, and how it becomes so.
    pub rotation: RotationRequest,
    /// Prefix of every key.
    pub instance_name: InstanceName,
    /// Where and how the pods run.
    pub pod: PodSpec,
}

/// Where the servers' certificate comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsSource {
    /// The operator makes it.
    Managed,
    /// A Secret of the user's, by its name.
    Secret(String),
    /// There is none, and connections are plain text.
    Disabled,
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
    /// The volume's size is no amount, or is out of bounds.
    #[error(
        "spec.redis.persistence.size is {0:?}: write a whole number of bytes, or one with the suffix Ki, Mi, Gi or Ti, from 256Mi to 16Ti"
    )]
    PersistenceSize(String),
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
    /// The overlap of passwords is no duration, or is out of bounds.
    #[error(
        "spec.redis.passwordRotation.overlap is {0:?}: write a whole number with the suffix s, m, h or d, from 1s to 30d"
    )]
    Overlap(String),
    /// A Secret is to provide the certificate, and is not named.
    #[error("spec.redis.tls.mode is Secret, and spec.redis.tls.secretName names none")]
    TlsSecret,
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

    /// The memory of a container that is made anew, in bytes: one and a half times as much and 64Mi, rounded up to whole
    /// mebibytes. The half is for a fork's copied pages and for fragmentation, the 64Mi are for the process itself and
    /// clients' buffers.
    #[must_use]
    pub fn container(self) -> u64 {
        (self.0 + self.0 / 2).next_multiple_of(MIB) + 64 * MIB
    }

    /// The least memory that a container may have, in bytes. A quarter is enough where nothing forks, which is what
    /// Redis does to write its append-only file anew.
    fn least_container(self, forks: bool) -> u64 {
        if forks { self.container() } else { (self.0 + self.0 / 4).next_multiple_of(MIB) + 64 * MIB }
    }

    /// The least volume, in bytes, that keeps so many entries: the append-only file grows to about twice the entries before Redis
    /// writes it anew, and the new one needs room beside it.
    #[must_use]
    pub fn volume(self) -> u64 {
        Self::volume_for(self.0)
    }

    /// The least volume for a `maxmemory` of so many bytes.
    #[must_use]
    pub fn volume_for(bytes: u64) -> u64 {
        bytes.saturating_mul(3)
    }

    /// The most, in whole mebibytes, that a volume of this size keeps.
    #[must_use]
    pub fn most_on(volume: u64) -> u64 {
        volume / 3 / MIB * MIB
    }

    /// As a quantity.
    #[must_use]
    pub fn quantity(self) -> String {
        format_bytes(self.0)
    }
}

/// A volume that keeps the entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Persistence {
    /// How large it is, in bytes.
    pub size: u64,
    /// Its `StorageClass`; `None` for the cluster's default.
    pub storage_class: Option<String>,
    /// What becomes of the claim when the `TokenCache` is deleted.
    pub when_deleted: WhenDeleted,
}

impl Persistence {
    /// Takes what users wrote.
    ///
    /// # Errors
    /// Where the size is no whole number of bytes from 256Mi to 16Ti.
    pub fn parse(written: &PersistenceSpec) -> Result<Self, SettingsError> {
        let text = written.size.to_string();
        let size = quantity::bytes(&text)
            .filter(|bytes| (256 * MIB..=16 * MIB * MIB).contains(bytes))
            .ok_or(SettingsError::PersistenceSize(text))?;
        let storage_class = written.storage_class_name.clone();
        Ok(Self { size, storage_class, when_deleted: written.when_deleted })
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
            owner: token_cache::owner(cache),
            is_restored: operation::is_restored(cache),
            image: redis.image.clone(),
            image_pull_policy: redis.image_pull_policy,
            accepted_version: redis.accepted_version.clone(),
            max_memory: MaxMemory::parse(&redis.max_memory)?,
            eviction_policy: redis.eviction_policy,
            persistence: redis.persistence.as_ref().map(Persistence::parse).transpose()?,
            tls: match (redis.tls.mode, &redis.tls.secret_name) {
                (TlsMode::Managed, _) => TlsSource::Managed,
                (TlsMode::Secret, Some(name)) => TlsSource::Secret(name.clone()),
                (TlsMode::Secret, None) => return Err(SettingsError::TlsSecret),
                (TlsMode::Disabled, _) => TlsSource::Disabled,
            },
            acl: redis.acl,
            network_policy: redis.network_policy,
            rotation: wish(cache)?,
            instance_name,
            pod: redis.pod.clone(),
        })
    }

    /// Whether a container with this memory, in bytes, has room for `maxmemory`.
    #[must_use]
    pub fn fits(&self, container: u64) -> bool {
        container >= self.max_memory.least_container(self.persistence.is_some())
    }

    /// Whether a container with this memory, in bytes, is as good as a new one: it has room, and does not keep from its
    /// node more than twice what is needed. Replacing it would only cost entries. Where they are kept it is never too
    /// large: see [`Self::container`].
    #[must_use]
    pub fn suits(&self, container: u64) -> bool {
        self.fits(container) && (self.persistence.is_some() || container <= 2 * self.max_memory.container())
    }

    /// The highest `maxMemory` for which a container with this memory need not be replaced, in whole mebibytes.
    #[must_use]
    pub fn most_in(&self, container: u64) -> u64 {
        let room = (container / MIB).saturating_sub(64);
        MIB * if self.persistence.is_some() { room * 2 / 3 } else { room * 4 / 5 }
    }

    /// The memory, in bytes, of a container that is made in place of one with this memory. Where entries are kept it is
    /// never less: the append-only file may hold all that was there before, and Redis loads it without regard to
    /// `maxmemory`; a container without room for that would be killed at each start.
    #[must_use]
    pub fn container(&self, before: Option<u64>) -> u64 {
        let anew = self.max_memory.container();
        before.filter(|_| self.persistence.is_some()).map_or(anew, |before| before.max(anew))
    }

    /// The host name under which applications reach Redis. Without the cluster's domain, which pods complete themselves.
    #[must_use]
    pub fn host(&self) -> String {
        format!("{}.{}.svc", name::redis(&self.owner.name), self.owner.namespace)
    }

    /// The port that Redis listens on: the one for TLS or the one for plain text, never both.
    #[must_use]
    pub fn port(&self) -> u16 {
        if self.has_tls() { TLS_PORT } else { PLAIN_PORT }
    }

    /// Whether connections are encrypted.
    #[must_use]
    pub fn has_tls(&self) -> bool {
        self.tls != TlsSource::Disabled
    }

    /// Host and port.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("{}:{}", self.host(), self.port())
    }
}

/// What a cache wants of its applications' password.
fn wish(cache: &TokenCache) -> Result<RotationRequest, SettingsError> {
    let written = &cache.spec.redis.password_rotation.overlap;
    Ok(RotationRequest {
        wait: cache.spec.redis.password_rotation.wait,
        overlap: crate::redis::settings::rotation::overlap(written)
            .ok_or_else(|| SettingsError::Overlap(written.clone()))?,
        request: operation::annotation(cache, ROTATE_PASSWORD_ANNOTATION).map(Request::parse),
        created: operation::created(cache),
        held: operation::is_paused(cache),
    })
}

/// The name of the Secret that the servers' certificate comes from; `None` where they speak plain text.
#[must_use]
pub fn certificate_source(settings: &Settings) -> Option<String> {
    match &settings.tls {
        TlsSource::Disabled => None,
        TlsSource::Managed => Some(name::redis_tls(&settings.owner.name)),
        TlsSource::Secret(secret) => Some(secret.clone()),
    }
}

pub(crate) fn expiring_only(policy: EvictionPolicy) -> bool {
    match policy {
        EvictionPolicy::VolatileLru | EvictionPolicy::VolatileLfu | EvictionPolicy::VolatileTtl => true,
        EvictionPolicy::AllkeysLru | EvictionPolicy::AllkeysLfu | EvictionPolicy::Noeviction => false,
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
    fn a_container_is_kept_while_it_has_room_and_is_not_far_too_large() {
        let settings = |redis: &str| {
            let spec = serde_json::from_str(&format!("{{\"redis\": {redis}}}")).unwrap();
            Settings::parse(&TokenCache::new("shop", spec)).unwrap()
        };
        let made_for_256 = 448 * MIB;
        let suits = |memory: &str| settings(&format!("{{\"maxMemory\": \"{memory}\"}}")).suits(made_for_256);
        assert!(suits("256Mi") && suits("307Mi") && suits("128Mi") && suits("107Mi"));
        assert!(!suits("308Mi"), "too small");
        assert_eq!(settings("{}").most_in(made_for_256), 307 * MIB);
        assert!(!suits("106Mi"), "more than twice what is needed");
        let persistent = |memory: &str| {
            settings(&format!("{{\"maxMemory\": \"{memory}\", \"persistence\": {{\"size\": \"2Gi\"}}}}"))
        };
        assert!(persistent("256Mi").suits(made_for_256) && persistent("16Mi").suits(made_for_256));
        assert_eq!(persistent("16Mi").container(Some(made_for_256)), made_for_256);
        assert_eq!(settings("{\"maxMemory\": \"16Mi\"}").container(Some(made_for_256)), 88 * MIB);
        assert!(!persistent("257Mi").suits(made_for_256), "a fork needs its room");
        assert_eq!(persistent("16Mi").most_in(made_for_256), 256 * MIB);
    }

    #[test]
    fn the_volume_has_a_size_within_bounds() {
        let size = |text: &str| {
            let written = serde_json::from_value(serde_json::json!({"size": text})).unwrap();
            Persistence::parse(&written).map(|persistence| persistence.size)
        };
        assert_eq!(size("256Mi"), Ok(256 * MIB));
        assert_eq!(size("16Ti"), Ok(16 << 40));
        for text in ["", "255Mi", "17Ti", "lots"] {
            assert_eq!(size(text), Err(SettingsError::PersistenceSize(text.to_owned())));
        }
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
