//! Another key at once, because an annotation asks for it.
//!
//! In: the settings with the request, what was observed, the time. Out: what is said of the request, and whether a key is to
//! be made for it. That it was answered is read from the Secret of the key, which names the request from the moment on at which
//! it is made: so an operator that ends at any moment makes no second one.

use jiff::Timestamp;

use crate::{
    api::v1alpha1::{OperationStage, OperationStatus, OperationType, ROTATE_KEY_ANNOTATION},
    capability::operation::{self, Again, Request, is},
    data_protection::{
        key::{id::KeyId, read},
        ring::Ring,
        secrets::RingSecrets,
        settings::Settings,
    },
    kubernetes::name,
};

/// What is said of the request, and the time of one for which a key is to be made.
#[must_use]
pub fn answer(
    settings: &Settings,
    observed: &RingSecrets,
    ring: Option<&Ring>,
    now: Timestamp,
) -> (Option<OperationStatus>, Option<Timestamp>) {
    let before = operation::entry_in(&observed.beside.operations, OperationType::RotateKey);
    let again = ring.map(|_| Again::default());
    let requested = match &settings.request {
        None => return (before.filter(|before| before.stage.outlasts_request()).cloned(), None),
        Some(Request::Malformed(value)) => {
            let message = operation::malformed(&settings.owner, ROTATE_KEY_ANNOTATION, value, again.as_ref());
            return (Some(entry(OperationStage::Ignored, None, message)), None);
        }
        Some(Request::At(time)) => *time,
    };
    let before = before.filter(|before| is(before, requested));
    if let Some(before) = before.filter(|before| before.stage.is_final()) {
        return (Some(before.clone()), None);
    }
    let ignored = |why: &str| {
        let message = operation::ignored(&settings.owner, ROTATE_KEY_ANNOTATION, why, again.as_ref());
        Some(entry(OperationStage::Ignored, Some(requested), message))
    };
    let waiting = |why: &str| Some(entry(OperationStage::Waiting, Some(requested), why.to_owned()));
    let Some(ring) = ring else {
        return (ignored("spec.dataProtection.mode is None, so the operator makes no keys"), None);
    };
    if let Some((_, file)) = observed.answered().find(|(answered, _)| *answered == requested) {
        // After a restore from a backup the Secrets tell of what was asked for before it.
        if let Some(why) = operation::precedes(requested, settings.created).filter(|_| before.is_none()) {
            return (ignored(&why), None);
        }
        let live = observed.live().into_iter().find(|(name, _)| *name == file);
        let Some(id) = live.and_then(|(_, bytes)| read::read(bytes).ok()?.key_id()) else {
            return (waiting("the new key is made, and about to be published"), None);
        };
        return (Some(completed(settings, requested, id, now)), None);
    }
    if observed.answered().any(|(answered, _)| requested < answered) {
        return (ignored("a later request was carried out already"), None);
    }
    // One that was seen in time is followed, however long it had to wait.
    if let Some(why) = operation::refused(requested, settings.created, now).filter(|_| before.is_none()) {
        return (ignored(&why), None);
    }
    if settings.held {
        return (waiting(&format!("the new key is not made yet: {}", operation::paused())), None);
    }
    if !crate::data_protection::operations::may_make(observed, ring) {
        return (waiting("the new key cannot be made yet: see KeyRingReady"), None);
    }
    (waiting("the new key is about to be made"), Some(requested))
}

fn entry(stage: OperationStage, requested: Option<Timestamp>, message: String) -> OperationStatus {
    operation::entry(OperationType::RotateKey, stage, requested, message)
}

fn completed(settings: &Settings, requested: Timestamp, id: KeyId, now: Timestamp) -> OperationStatus {
    let message = format!(
        "key {} encrypts, and Secret {} has it. Applications read the ring about once a day: until each has, or is \
         restarted, those that have not cannot read what the others encrypt with it. Restart them a minute or two from now, \
         when kubelet has brought the Secret to their pods. Earlier keys go on decrypting",
        id.short(),
        name::keys(&settings.owner.name)
    );
    let entry = entry(OperationStage::Completed, Some(requested), message);
    OperationStatus { finished: Some(operation::time(now)), ..entry }
}
