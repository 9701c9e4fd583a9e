//! What a restart, the loss of a node and a deletion would lose: the finding about `Durable`, and what is said of it
//! elsewhere.
//!
//! In: the settings, and a server's answer. Out: a finding, parts of sentences.
//!
//! Without a volume `Durable` is False, because True would not be so, and somebody may wait for it. That is what the spec
//! asks for, though, and what `spec: {}` means: it is no warning. [`Reason::InMemory`] is a note, and no event tells of it; a
//! column that is never empty is one that nobody reads. With a volume every False is a warning.

use super::{drift, unanswered, unread};
use crate::{
    api::v1alpha1::{Remedy, WhenDeleted},
    capability::ask::Volume,
    condition::{ConditionStatus, ConditionType::Durable, Finding, Message, Reason},
    kubernetes::{name, quantity::format_bytes},
    redis::{
        look::answer::{Answer, Saving, Section},
        settings::{MaxMemory, Persistence, Settings},
    },
};

/// Whether what is written outlasts the server, by what was read back from it.
#[must_use]
pub fn finding(settings: &Settings, pod: &str, answer: &Answer, volume: Volume) -> Finding {
    if let Some(unknown) = unread::finding(settings, pod, answer, Durable, &[Section::AppendSettings]) {
        return unknown;
    }
    let drift = drift::told(settings, pod, answer, Durable);
    match (&settings.persistence, drift) {
        (Some(_), Some(drift)) if drift.status == ConditionStatus::False => drift,
        (Some(persistence), drift) => unsaved(settings, pod, answer.saving)
            .or_else(|| unread::finding(settings, pod, answer, Durable, &[Section::Server]))
            .or_else(|| too_small(settings, pod, volume))
            .or(drift)
            .unwrap_or_else(|| Finding::holds(Durable, Reason::Persisted, persisted(persistence, pod))),
        // Also where the server appended to a file meanwhile: that went no further than its pod.
        (None, Some(drift)) => Finding { status: ConditionStatus::False, ..drift },
        (None, None) => Finding::fails(Durable, Reason::InMemory, in_memory(pod)),
    }
}

/// What kept the server from saving, if anything did.
fn unsaved(settings: &Settings, pod: &str, saving: Saving) -> Option<Finding> {
    let Saving { write_failed, rewrite_failed } = saving;
    let (reason, what) = if write_failed {
        (Reason::SaveFailed, "cannot append to its append-only file, and refuses writes until it can")
    } else if rewrite_failed {
        (
            Reason::RewriteFailed,
            "cannot rewrite its append-only file, which grows until the volume is full and writes are refused",
        )
    } else {
        return None;
    };
    let message = Message::from(format!("{pod} {what}"))
        .remedy(unanswered::log(settings, pod))
        .remedy(larger(&settings.owner.namespace, pod));
    Some(Finding::fails(Durable, reason, message))
}

/// What a volume leads to that is too small for what it is to keep.
fn too_small(settings: &Settings, pod: &str, volume: Volume) -> Option<Finding> {
    let Volume::Holds(size) = volume else { return None };
    let (claim, least, namespace) = (name::data_claim(pod), settings.max_memory.volume(), &settings.owner.namespace);
    (size < least).then(|| {
        let message = Message::from(format!(
            "PersistentVolumeClaim {claim} has {}, less than three times maxMemory {}: writes are refused once it is full",
            format_bytes(size),
            settings.max_memory.quantity(),
        ));
        let enlarge = Remedy { step: format!("enlarge it to {} or more, where its StorageClass allows that", format_bytes(least)), ..larger(namespace, pod) };
        let lower = format!("set spec.redis.maxMemory: {}", format_bytes(MaxMemory::most_on(size)));
        let message = message.remedy(enlarge).remedy(Remedy::costing("the entries that find no room", lower));
        Finding::fails(Durable, Reason::VolumeTooSmall, message)
    })
}

/// How a volume that is full gets room, where its `StorageClass` allows that.
#[must_use]
pub fn larger(namespace: &str, pod: &str) -> Remedy {
    let claim = name::data_claim(pod);
    Remedy::free("enlarge the volume, where its StorageClass allows that")
        .command(format!("kubectl -n {namespace} edit pvc {claim}"))
}

fn persisted(persistence: &Persistence, pod: &str) -> String {
    let deleted = match persistence.when_deleted {
        WhenDeleted::Retain => "keeps the claim",
        WhenDeleted::Delete => "deletes the claim and every entry",
    };
    format!(
        "{pod} saves to PersistentVolumeClaim {} every second (appendonly yes, appendfsync everysec). Deleting this TokenCache \
         {deleted} (whenDeleted: {})",
        name::data_claim(pod),
        persistence.when_deleted.as_str()
    )
}

fn in_memory(pod: &str) -> Message {
    Message::from(format!(
        "{pod} holds entries in memory only (appendonly no), as the spec asks: a restart or the loss of its node loses all of them"
    ))
    .remedy(Remedy::free("make a second TokenCache with spec.redis.persistence, and move applications to it"))
}
