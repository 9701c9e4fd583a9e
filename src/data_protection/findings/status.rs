//! The status of a key ring.
//!
//! In: the settings, what was observed, how far the ring is, what stored entries show to be in use. Out: `status.keyRing`.

use jiff::Timestamp;

use crate::{
    api::v1alpha1::{KeyRingStatus, KeyState as State, KeyStatus},
    capability::operation,
    data_protection::{
        key::id::KeyId,
        ring::{
            default_key::{DatedKey, KeyState},
            in_use::InUse,
        },
        secrets::{RingSecrets, created},
        settings::Settings,
        state::RingState,
    },
    kubernetes::name,
};

/// The status of the ring with what is in use; `None` where nobody could be asked.
#[must_use]
pub fn with_use(
    ring: KeyRingStatus,
    settings: &Settings,
    seen: Option<&InUse>,
    previous: Option<&KeyRingStatus>,
) -> KeyRingStatus {
    let key = |key: KeyStatus| {
        let before = previous.and_then(|previous| previous.keys.iter().find(|before| before.id == key.id));
        let in_use = seen.and_then(|seen| {
            let is_seen = KeyId::parse(&key.id).is_some_and(|id| seen.keys.contains(&id));
            if is_seen || seen.is_whole { Some(is_seen) } else { before.and_then(|before| before.in_use) }
        });
        let made = before.filter(|before| before.creation_date.is_some()).map(|before| before.created.clone());
        // A Secret that was lost is made again later.
        let created = made.filter(|made| made.0 < key.created.0).unwrap_or_else(|| key.created.clone());
        KeyStatus { created, in_use, ..key }
    };
    let found = seen.and_then(|seen| match (seen.names.len(), seen.names.first()) {
        (1, Some(name)) => Some(name.clone()),
        (0, _) if !seen.is_whole => previous.and_then(|previous| previous.application_name.clone()),
        _ => None,
    });
    KeyRingStatus {
        application_name: settings.application_name.clone().or(found),
        keys: ring.keys.into_iter().map(key).collect(),
        ..ring
    }
}

/// When a key was made here, as its Secret shows; where nothing does, when the key says that it was.
fn made(observed: &RingSecrets, key: &DatedKey) -> Timestamp {
    observed.holders(&key.id.file_name()).filter_map(created).min().unwrap_or(key.created)
}

/// Each key; `None` where there is no ring of the cache's own.
#[must_use]
pub fn status(settings: &Settings, observed: &RingSecrets, state: &RingState, now: Timestamp) -> Option<KeyRingStatus> {
    let ring = &state.ring.as_ref()?;
    observed.ring.owned()?;
    let mut members: Vec<&DatedKey> = ring.ring.members().iter().collect();
    members.sort_by_key(|member| (member.activates, member.id));
    let key = |member: &DatedKey| KeyStatus {
        id: member.id.to_string(),
        state: state_of(ring.ring.state(member, now)),
        created: operation::time(made(observed, member)),
        creation_date: Some(operation::time(member.created)),
        activates: operation::time(member.activates),
        expires: operation::time(member.expires),
        in_use: None,
    };
    Some(KeyRingStatus {
        secret: name::keys(&settings.owner.name),
        active: ring.ring.active(now).map(|active| active.id.short()),
        certificate: ring.encrypts_to().map(|certificate| certificate.thumbprint().to_string()),
        next_rotation: ring.due.map(operation::time),
        application_name: None,
        keys: members.into_iter().map(key).collect(),
    })
}

pub(crate) fn state_of(state: KeyState) -> State {
    match state {
        KeyState::Pending => State::Pending,
        KeyState::Active => State::Active,
        KeyState::Superseded => State::Superseded,
        KeyState::Expired => State::Expired,
        KeyState::Revoked => State::Revoked,
        KeyState::Unreadable => State::Unreadable,
    }
}
