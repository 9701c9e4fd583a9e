//! What happened to a cache's key ring: keys that were made, and what was put right.
//!
//! In: the settings, what was observed, how far the ring is, what the status said before. Out: sentences for events and for
//! `KeyRingReady`.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;

use super::{certificates, listed};
use crate::{
    api::v1alpha1::KeyRingStatus,
    data_protection::{
        ring::default_key::DatedKey,
        secrets::{REQUESTED_ANNOTATION, RingSecrets, WHY_ANNOTATION, annotation, created},
        settings::Settings,
        state::RingState,
    },
    kubernetes::name,
};

/// What carrying the plan out puts right, in sentences.
#[must_use]
pub fn mends(settings: &Settings, observed: &RingSecrets, state: &RingState) -> Vec<String> {
    let Some(ring) = &state.ring else { return Vec::new() };
    let put_right = |secret: String, what: &str| format!("Secret {secret} was corrected{what}");
    let strays = &ring.published.strays;
    let of_ring =
        (!strays.is_empty()).then(|| put_right(name::keys(&settings.owner.name), &format!(" in {}", listed(strays))));
    let owned = observed
        .owned()
        .map(|secret| format!("{}, and would have been deleted with it; the owner was removed", has_owner(secret)));
    let certificates = certificates::drift(observed, ring);
    let certificates =
        certificates.map(|what| put_right(name::key_certificates(&settings.owner.name), &format!(" in {what}")));
    of_ring.into_iter().chain(owned).chain(certificates).collect()
}

/// What is told of keys that are new since this was said in the status: those that nobody asked for by a request, which has
/// words of its own, and that were made for this `TokenCache`.
#[must_use]
pub fn minted(
    settings: &Settings,
    observed: &RingSecrets,
    state: &RingState,
    before: Option<&KeyRingStatus>,
) -> Vec<String> {
    let members = state.ring.as_ref().map(|ring| ring.ring.members()).unwrap_or_default();
    let is_told =
        |member: &DatedKey| before.is_some_and(|before| before.keys.iter().any(|key| key.id == member.id.to_string()));
    let mut told: Vec<(Option<Timestamp>, String)> = Vec::new();
    for member in members.iter().filter(|member| !is_told(member)) {
        let file = member.id.file_name();
        let Some(holder) = observed.holders(&file).next() else { continue };
        let (why, made) = (annotation(holder, WHY_ANNOTATION), created(holder));
        let is_older = settings.created.is_some_and(|since| made.is_some_and(|made| made < since));
        if let Some(why) = why.filter(|_| !is_older && annotation(holder, REQUESTED_ANNOTATION).is_none()) {
            let note = format!(
                "key {} was made because {why}. It encrypts from {}; earlier keys still decrypt",
                member.id.short(),
                member.activates
            );
            told.push((made, note));
        }
    }
    told.sort();
    // A status that was lost makes no news of what is old.
    let old = if before.is_none() { told.len().saturating_sub(1) } else { 0 };
    told.into_iter().skip(old).map(|(_, note)| note).collect()
}

/// That new keys are encrypted to another certificate than this was said of in the status.
#[must_use]
pub fn renewed(ring: &KeyRingStatus, before: Option<&KeyRingStatus>) -> Option<String> {
    let (earlier, now) = (before?.certificate.as_ref()?, ring.certificate.as_ref()?);
    (earlier != now).then(|| {
        format!("new keys are encrypted to certificate {now}, and no longer to {earlier}, which stays published")
    })
}

/// That a Secret has an owner, and which.
pub(crate) fn has_owner(secret: &Secret) -> String {
    let owner = secret.metadata.owner_references.iter().flatten().next();
    let owner = owner.map_or_else(String::new, |owner| format!("{} {}", owner.kind, owner.name));
    format!("Secret {} was given owner {owner}", secret.metadata.name.as_deref().unwrap_or_default())
}
