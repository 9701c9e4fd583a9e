//! Which keys a request to revoke means, and what is to be made for it.
//!
//! In: the request, the ring, the Secrets that were seen. Out: keys, those of them that are left, and [`Revocations`]; or why
//! there is nothing to be made. It says nothing of how far the request is.

use jiff::Timestamp;

use super::{Input, Revocations};
use crate::{
    api::v1alpha1::OperationStatus,
    capability::operation::Again,
    data_protection::{
        key::{id::KeyId, revocation::Revocation},
        ring::{Ring, default_key::DatedKey, published::CAPACITY},
        secrets::{Replaced, RingSecrets},
        settings::revoke::{ALL, REMOVE, RevokeRequest},
    },
    kubernetes::name,
};

/// The fewest digits that name a key.
const LEAST_DIGITS: usize = 8;

/// The keys that this request was seen to revoke before; `None` where nothing was done for it yet.
pub(super) fn begun(
    wish: &RevokeRequest,
    observed: &RingSecrets,
    ring: &Ring,
    before: Option<&OperationStatus>,
    requested: Timestamp,
) -> Option<Vec<KeyId>> {
    if !wish.is_of_all() {
        return observed.revoked(requested).map(|key| vec![key]);
    }
    // A Secret that was lost is made again without its annotations. The key that took the place of those that were revoked is
    // none of them all the same, nor is any that came later.
    let is_published = before.is_some_and(|before| before.published.is_some());
    let revoked = || ring.ring.members().iter().filter(|member| member.is_revoked).map(|member| member.id).collect();
    observed
        .replaced(requested)
        .or_else(|| Some(observed.revoked_for(requested)))
        .filter(|keys| !keys.is_empty())
        .or_else(|| is_published.then(revoked))
}

/// The keys that are meant.
pub(super) fn find(ring: &Ring, wish: &RevokeRequest) -> Result<Vec<KeyId>, String> {
    let members = ring.ring.members();
    if wish.is_of_all() {
        let mut left: Vec<&DatedKey> = members.iter().filter(|member| !member.is_revoked).collect();
        left.sort_by_key(|member| (member.activates, member.id));
        let keys: Vec<KeyId> = left.into_iter().map(|member| member.id).collect();
        let why = if members.is_empty() { "there is no key" } else { "every key is revoked already" };
        return if keys.is_empty() { Err(why.to_owned()) } else { Ok(keys) };
    }
    let written = wish.key.as_deref().ok_or("it names no key of status.keyRing, and does not say `all`")?;
    if written.len() < LEAST_DIGITS {
        return Err(format!("it names key {written:?}, which is too short: {LEAST_DIGITS} digits are needed"));
    }
    let mut named = members.iter().filter(|member| member.id.to_string().starts_with(written));
    match (named.next(), named.next()) {
        (Some(member), None) => Ok(vec![member.id]),
        (None, _) => Err(format!("it names key {written:?}, which is not in the ring (see status.keyRing)")),
        (Some(_), Some(_)) => {
            Err(format!("it names key {written:?}, and several begin like this (see status.keyRing)"))
        }
    }
}

/// A request that would be followed, of the key that is named in these words; where none is, of the key that encrypts, and then it
/// removes nothing. There is none where no key is left.
pub(super) fn another(ring: &Ring, words: &str, now: Timestamp) -> Option<Again> {
    let members = ring.ring.members();
    let left: Vec<&DatedKey> = members.iter().filter(|member| !member.is_revoked).collect();
    let written: Vec<String> = words.split_ascii_whitespace().map(str::to_ascii_lowercase).collect();
    let says = |word: &str| written.iter().any(|written| written == word);
    let named = |written: &String| {
        let mut keys = left.iter().filter(|member| member.id.to_string().starts_with(written.as_str()));
        keys.next().filter(|_| keys.next().is_none())
    };
    let active = ring.ring.active(now).filter(|active| !active.is_revoked);
    let meant = written.iter().find_map(named).copied();
    let key = meant.or(active).or_else(|| left.first().copied())?;
    let (short, id) = (key.id.short(), key.id.to_string());
    let is_told_apart = members.iter().filter(|member| member.id.to_string().starts_with(&short)).count() == 1;
    let key_words = if says(ALL) {
        ALL
    } else if is_told_apart {
        &short
    } else {
        &id
    };
    let costs = match active {
        _ if says(ALL) => "what all keys encrypted".to_owned(),
        Some(active) if active.id == key.id => format!("what key {short}, the active one, encrypted"),
        _ => format!("what key {short} encrypted"),
    };
    let rest = if says(REMOVE) && (says(ALL) || meant.is_some()) {
        format!("{key_words} {REMOVE}")
    } else {
        key_words.to_owned()
    };
    Some(Again { costs: Some(costs), rest })
}

/// Why the ring cannot hold what is to be made; `None` where it can.
pub(super) fn lacks_room(owner: &str, ring: &Ring, order: &Revocations) -> Option<String> {
    let (room, used) = (crate::data_protection::operations::room(ring), ring.published.fill().bytes);
    let revocations: usize = order.revocations.iter().map(|revocation| revocation.file().content.len()).sum();
    // A revocation alone is no emergency, and leaves the room that is kept for one.
    let (needed, kept) = if order.needs_key { (revocations + room.key(), 0) } else { (revocations, room.kept()) };
    let count = order.revocations.len();
    let what = format!("{count} revocation{}", if count == 1 { "" } else { "s" });
    let and_key = if order.needs_key { " and a new key" } else { "" };
    (!room.has(needed + kept)).then(|| {
        format!(
            "{what}{and_key} need {needed} bytes, and Secret {} holds {used} of {CAPACITY} already{}",
            name::keys(owner),
            if kept > 0 { format!("; {kept} are kept for an emergency") } else { String::new() }
        )
    })
}

impl Input<'_> {
    /// Those of the keys that are still to be revoked.
    pub(super) fn left(&self, ring: &Ring) -> Vec<KeyId> {
        let is_left = |key: &&KeyId| ring.ring.find(**key).is_some_and(|member| !member.is_revoked);
        self.keys.iter().filter(is_left).copied().collect()
    }

    /// What is to be made: revocations of these keys, and perhaps a key.
    pub(super) fn order(&self, ring: &Ring, left: &[KeyId]) -> Revocations {
        let (requested, of_all) = (self.requested, self.wish.is_of_all());
        let reason = format!("requested by annotation at {requested}");
        let replaces = of_all.then(|| Replaced { requested, keys: self.keys.clone() });
        Revocations {
            revocations: left.iter().map(|key| Revocation::of(*key, requested, &reason)).collect(),
            requested,
            // The one that was made when all were to be revoked is none of them.
            needs_key: if of_all { !self.is_begun } else { left.iter().any(|key| ring.encrypts_with(*key, self.now)) },
            replaces: replaces.filter(|_| !self.is_begun),
        }
    }
}
