//! Simulated applications: when they read the ring, and which key they encrypt with.
//!
//! The rules are those of `DefaultKeyResolver` and `KeyRingProvider`
//! (<https://github.com/dotnet/aspnetcore/tree/main/src/DataProtection/DataProtection/src/KeyManagement>), written down
//! here once more and apart from what the operator itself reckons with.

use jiff::{SignedDuration, Timestamp};
use tokencache_operator::data_protection::{key::id::KeyId, ring::default_key::DatedKey};

pub const HOUR: SignedDuration = SignedDuration::from_hours(1);
pub const DAY: SignedDuration = SignedDuration::from_hours(24);
const SKEW: SignedDuration = SignedDuration::from_mins(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runtime {
    Net8,
    Net9,
    /// As 10.0.12 was observed to choose.
    Net10,
}

pub const RUNTIMES: [Runtime; 3] = [Runtime::Net8, Runtime::Net9, Runtime::Net10];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chosen {
    Default(KeyId),
    Fallback(KeyId),
    Nothing,
}

impl Chosen {
    pub fn key(self) -> Option<KeyId> {
        match self {
            Self::Default(id) | Self::Fallback(id) => Some(id),
            Self::Nothing => None,
        }
    }
}

impl Runtime {
    /// What an application that reads these keys now encrypts with. It never makes a key itself.
    pub fn choose(self, keys: &[&DatedKey], now: Timestamp) -> Chosen {
        let preferred = self.preferred(keys, now);
        if let Some(preferred) = preferred.filter(|key| !key.is_revoked && key.is_readable && now < key.expires) {
            return Chosen::Default(preferred.id);
        }
        let is_excluded =
            |key: &DatedKey| self == Self::Net10 && preferred.is_some_and(|preferred| preferred.id == key.id);
        let usable = || keys.iter().filter(|key| !key.is_revoked && key.is_readable && !is_excluded(key));
        let known_to_all = now - DAY * 2;
        let is_old = |key: &&&DatedKey| key.created <= known_to_all;
        let newest_old = usable().filter(is_old).max_by_key(|key| key.created);
        let oldest_young = usable().filter(|key| !is_old(key)).min_by_key(|key| key.created);
        newest_old.or(oldest_young).map_or(Chosen::Nothing, |key| Chosen::Fallback(key.id))
    }

    fn preferred<'ring>(self, keys: &[&'ring DatedKey], now: Timestamp) -> Option<&'ring DatedKey> {
        let (soon, known_to_all) = (now + SKEW, now - DAY * 2);
        let active = || keys.iter().copied().filter(|key| key.activates <= soon);
        let newest = |key: &&DatedKey| (key.activates, std::cmp::Reverse(key.id));
        match self {
            Self::Net8 | Self::Net10 => active().max_by_key(newest),
            Self::Net9 => {
                let old = active().filter(|key| key.created <= known_to_all).max_by_key(newest);
                old.or_else(|| active().min_by_key(|key| (key.activates, key.id)))
            }
        }
    }
}

/// A process that has read the ring.
#[derive(Debug, Clone)]
pub struct Application {
    pub runtime: Runtime,
    /// How much of the ring it has read: keys are only ever added.
    pub known: usize,
    pub chosen: Chosen,
    pub reads_next: Timestamp,
    /// How much earlier than after a day it reads again.
    pub jitter: SignedDuration,
    /// The certificates that it has read when it started.
    pub certificates: usize,
}

impl Application {
    /// Reads the ring. A fallback that is over does not make it read again any sooner.
    pub fn read(&mut self, keys: &[&DatedKey], now: Timestamp) {
        self.known = keys.len();
        self.chosen = self.runtime.choose(keys, now);
        let daily = now + DAY - self.jitter;
        let expires = keys.iter().find(|key| Some(key.id) == self.chosen.key()).map(|key| key.expires);
        self.reads_next = expires.filter(|&expires| expires > now).map_or(daily, |expires| expires.min(daily));
    }
}
