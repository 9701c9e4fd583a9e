//! The ring as its dates tell it: which key encrypts now, which comes next, and in what state the others are.
//!
//! In: the dates of keys, and the time. Out: a choice. No secret is looked at, so that simulations are cheap.

use jiff::{SignedDuration, Timestamp};

use crate::data_protection::key::id::KeyId;

/// How far the clocks of servers may differ: a key that activates within this time is taken for active
/// (`MaxServerClockSkew`).
pub const SKEW: SignedDuration = SignedDuration::from_mins(5);
/// How old a key must be before every server is expected to know it (`KeyPropagationWindow`).
pub const PROPAGATION: SignedDuration = SignedDuration::from_hours(48);

/// A key, without what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatedKey {
    /// Its name.
    pub id: KeyId,
    /// When it was made.
    pub created: Timestamp,
    /// From when on it encrypts.
    pub activates: Timestamp,
    /// Until when it encrypts.
    pub expires: Timestamp,
    /// Whether it was revoked.
    pub is_revoked: bool,
    /// Whether its master key can be read.
    pub is_readable: bool,
}

impl DatedKey {
    /// Whether it could encrypt at a time, had it been activated.
    #[must_use]
    pub fn is_usable(&self, now: Timestamp) -> bool {
        !self.is_revoked && self.is_readable && now < self.expires
    }
}

/// The keys there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DatedKeys(Vec<DatedKey>);

/// The key that applications encrypt with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultKey<'ring> {
    /// The newest that is active.
    Default(&'ring DatedKey),
    /// Some other, for want of it. An application that makes keys itself would now make one.
    Fallback(&'ring DatedKey),
    /// None: nothing can be encrypted.
    Nothing,
}

/// What a key is good for at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// Its time to encrypt has not come.
    Pending,
    /// It encrypts, and decrypts.
    Active,
    /// It decrypts only: a newer one encrypts.
    Superseded,
    /// It decrypts only: its time is over.
    Expired,
    /// What it encrypted cannot be read any more.
    Revoked,
    /// Its master key cannot be read.
    Unreadable,
}

impl DatedKeys {
    /// The keys there are.
    #[must_use]
    pub fn members(&self) -> &[DatedKey] {
        &self.0
    }

    /// The key of this name.
    #[must_use]
    pub fn find(&self, id: KeyId) -> Option<&DatedKey> {
        self.0.iter().find(|member| member.id == id)
    }

    /// The key that was activated last, whatever became of it.
    #[must_use]
    pub fn newest(&self, now: Timestamp) -> Option<&DatedKey> {
        let soon = later(now, SKEW);
        let active = self.0.iter().filter(|member| member.activates <= soon);
        active.max_by_key(|member| (member.activates, std::cmp::Reverse(member.id)))
    }

    /// What an application that reads the ring now encrypts with, as ASP.NET Core 10 was seen to choose, which is the
    /// choice of `DefaultKeyResolver` for all keys older than two days
    /// (<https://github.com/dotnet/aspnetcore/tree/main/src/DataProtection/DataProtection/src/KeyManagement>).
    #[must_use]
    pub fn choice(&self, now: Timestamp) -> DefaultKey<'_> {
        let newest = self.newest(now);
        if let Some(newest) = newest.filter(|newest| newest.is_usable(now)) {
            return DefaultKey::Default(newest);
        }
        let others = self.0.iter().filter(|member| {
            let is_newest = newest.is_some_and(|newest| newest.id == member.id);
            !is_newest && !member.is_revoked && member.is_readable
        });
        let (young, old): (Vec<_>, Vec<_>) = others.partition(|member| member.created > earlier(now, PROPAGATION));
        let fallback = old.into_iter().max_by_key(|member| member.created);
        let fallback = fallback.or_else(|| young.into_iter().min_by_key(|member| member.created));
        fallback.map_or(DefaultKey::Nothing, DefaultKey::Fallback)
    }

    /// What an application on .NET 8 makes do with where no key is active: it does not leave the newest out, though that is
    /// expired.
    #[must_use]
    pub fn fallback_of_net_8(&self, now: Timestamp) -> Option<&DatedKey> {
        let usable = || self.0.iter().filter(|member| !member.is_revoked && member.is_readable);
        let is_young = |member: &&DatedKey| member.created > earlier(now, PROPAGATION);
        let old = usable().filter(|member| !is_young(member)).max_by_key(|member| member.created);
        old.or_else(|| usable().filter(is_young).min_by_key(|member| member.created))
    }

    /// The key that encrypts, as it should be; `None` where applications are left to a fallback.
    #[must_use]
    pub fn active(&self, now: Timestamp) -> Option<&DatedKey> {
        match self.choice(now) {
            DefaultKey::Default(active) => Some(active),
            DefaultKey::Fallback(_) | DefaultKey::Nothing => None,
        }
    }

    /// The key that encrypts next.
    #[must_use]
    pub fn next(&self, now: Timestamp) -> Option<&DatedKey> {
        let soon = later(now, SKEW);
        let pending = self.0.iter().filter(|member| member.activates > soon);
        pending.filter(|member| member.is_usable(member.activates)).min_by_key(|member| (member.activates, member.id))
    }

    /// What a key is good for.
    #[must_use]
    pub fn state(&self, member: &DatedKey, now: Timestamp) -> KeyState {
        if member.is_revoked {
            KeyState::Revoked
        } else if !member.is_readable {
            KeyState::Unreadable
        } else if self.active(now).is_some_and(|active| active.id == member.id) {
            KeyState::Active
        } else if now >= member.expires {
            KeyState::Expired
        } else if member.activates > later(now, SKEW) {
            KeyState::Pending
        } else {
            KeyState::Superseded
        }
    }
}

impl FromIterator<DatedKey> for DatedKeys {
    fn from_iter<T: IntoIterator<Item = DatedKey>>(members: T) -> Self {
        Self(members.into_iter().collect())
    }
}

/// A time after another one, or the last that can be told.
pub(crate) fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// A time before another one, or the first that can be told.
pub(crate) fn earlier(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_sub(by).unwrap_or(Timestamp::MIN)
}
