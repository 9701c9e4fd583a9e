//! Another key at once, because an annotation asks for it.
//!
//! In: the settings with the request, what was observed, the time. Out: what is said of the request, and whether a key is to
//! be made for it. It is complete when every process that uses the ring can encrypt with the new key. That it was answered is
//! read from the Secret of the key, which names the request from the moment on at which it is made: so an operator that ends at
//! any moment makes no second one.

use jiff::{SignedDuration, Timestamp};

use crate::{
    api::v1alpha1::{OperationStage, OperationStatus, OperationType, ROTATE_KEY_ANNOTATION, Remedy},
    capability::{
        operation::{self, Again, Request, is},
        time::{after, whole, whole_or_later},
    },
    condition::Message,
    data_protection::{
        key::{id::KeyId, read},
        operations::readers::{self, Behind, Readers},
        ring::Ring,
        secrets::RingSecrets,
        settings::Settings,
    },
};

/// How far a request for another key is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RotateKey {
    /// What is said of it.
    pub operation: Option<OperationStatus>,
    /// The time of the request for which a key is to be made.
    pub asked: Option<Timestamp>,
    /// When it is to be looked at again.
    pub wake_at: Option<Timestamp>,
}

/// How often the pods are looked at that go on with the earlier key: nobody tells when they are restarted.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(30);

/// How old a look at the pods that use the ring may be, while servers may differ.
#[must_use]
pub fn looks_since(operation: Option<&OperationStatus>, now: Timestamp) -> Option<Timestamp> {
    readers::looks_since(operation.filter(|operation| operation.stage == OperationStage::Published)?, now)
}

/// How far the request is.
#[must_use]
pub fn answer(settings: &Settings, observed: &RingSecrets, ring: Option<&Ring>, now: Timestamp) -> RotateKey {
    let before = operation::entry_in(&observed.beside.operations, OperationType::RotateKey);
    let again = ring.map(|_| Again::default());
    let requested = match &settings.request {
        // Servers may differ also where the annotation is gone.
        None => match before.filter(|before| before.stage == OperationStage::Published) {
            Some(OperationStatus { requested: Some(requested), .. }) => requested.0,
            _ => return said(before.filter(|before| before.stage.outlasts_request()).cloned()),
        },
        Some(Request::Malformed(value)) => {
            let message = operation::malformed(&settings.owner, ROTATE_KEY_ANNOTATION, value, again.as_ref());
            return said(Some(entry(OperationStage::Ignored, None, message)));
        }
        Some(Request::At(time)) => *time,
    };
    let before = before.filter(|before| is(before, requested));
    if let Some(before) = before.filter(|before| before.stage.is_final()) {
        return said(Some(before.clone()));
    }
    let ignored = |why: &str| {
        let message = operation::ignored(&settings.owner, ROTATE_KEY_ANNOTATION, why, again.as_ref());
        said(Some(entry(OperationStage::Ignored, Some(requested), message)))
    };
    let waiting = |why: &str| said(Some(entry(OperationStage::Waiting, Some(requested), why.to_owned())));
    let Some(ring) = ring else { return ignored("spec.dataProtection.mode is None, so the operator makes no keys") };
    if let Some((_, file)) = observed.answered().find(|(answered, _)| *answered == requested) {
        // After a restore from a backup the Secrets tell of what was asked for before it.
        if let Some(why) = operation::precedes(requested, settings.created).filter(|_| before.is_none()) {
            return ignored(&why);
        }
        let live = observed.live().into_iter().find(|(name, _)| *name == file);
        let Some(id) = live.and_then(|(_, bytes)| read::read(bytes).ok()?.key_id()) else {
            return waiting("the new key is made, and is being published");
        };
        return published(
            settings,
            observed,
            entry(OperationStage::Published, Some(requested), String::new()),
            id,
            now,
        );
    }
    if observed.answered().any(|(answered, _)| requested < answered) {
        return ignored("a later request was carried out already");
    }
    // One that was seen in time is followed, however long it had to wait.
    if let Some(why) = operation::refused(requested, settings.created, now).filter(|_| before.is_none()) {
        return ignored(&why);
    }
    if settings.held {
        return waiting(&format!("the new key is not made yet: {}", operation::paused()));
    }
    if !crate::data_protection::operations::may_make(observed, ring) {
        return waiting("the new key cannot be made yet; see KeyRingReady");
    }
    RotateKey { asked: Some(requested), ..waiting("the new key is being made") }
}

fn said(operation: Option<OperationStatus>) -> RotateKey {
    RotateKey { operation, ..RotateKey::default() }
}

fn entry(stage: OperationStage, requested: Option<Timestamp>, message: impl Into<Message>) -> OperationStatus {
    operation::entry(OperationType::RotateKey, stage, requested, message)
}

/// The key is published. It is over when every process that uses the ring has it.
fn published(
    settings: &Settings,
    observed: &RingSecrets,
    entry: OperationStatus,
    id: KeyId,
    now: Timestamp,
) -> RotateKey {
    let beside = &observed.beside;
    let before = operation::entry_in(&beside.operations, OperationType::RotateKey);
    let before = before.filter(|before| before.requested == entry.requested);
    let since = before.and_then(|before| before.published.clone());
    let since = since.unwrap_or_else(|| operation::time(whole_or_later(now)));
    let namespace = &settings.owner.namespace;
    let readers = Readers { published: since.0, processes: &beside.processes, namespace, now };
    let (readable, read_by) = (whole(readers.readable()), whole(readers.read_by()));
    let encrypts = format!("key {} encrypts", id.short());
    let published = OperationStatus { published: Some(since), ..entry };
    let behind = readers.behind().filter(|_| now < readers.read_by());
    let cannot_read = format!("Pods started earlier cannot read its entries until they reload the ring, by {read_by}");
    let message = match &behind {
        None => {
            let told = format!("{encrypts}, and every server has read it. Earlier keys still decrypt");
            let finished = Some(operation::time(now));
            return said(Some(OperationStatus {
                stage: OperationStage::Completed,
                finished,
                message: told,
                ..published
            }));
        }
        Some(Behind::Pods(outdated)) => {
            Message::from(format!("{encrypts}. {cannot_read}: {outdated}")).remedies(readers.restart(outdated))
        }
        Some(Behind::Starting) => {
            format!("{encrypts}. A pod that starts before {readable} may still read the earlier ring").into()
        }
        Some(Behind::Unknown) => Message::from(format!("{encrypts}. {cannot_read}; the operator cannot list them"))
            .remedy(Remedy::free(format!("restart the workloads that use the ring{}", readers::when(readable, now))))
            .remedy(Remedy::look("see the operator's log for why it cannot list pods")),
    };
    let wake_at = match behind {
        Some(Behind::Unknown) => readers.read_by(),
        Some(Behind::Starting) => readers.readable(),
        Some(Behind::Pods(_)) | None => after(now, LOOK_AGAIN).min(readers.read_by()),
    };
    let ends_at = Some(operation::time(read_by));
    let operation = OperationStatus { ends_at, message: message.told(), remedies: message.remedies, ..published };
    RotateKey { operation: Some(operation), asked: None, wake_at: Some(wake_at) }
}
