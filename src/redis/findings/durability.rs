//! What a restart, the loss of a node and a deletion would lose: the finding about `Durable`, and what is said of it
//! elsewhere.
//!
//! In: the settings, and a server's answer. Out: a finding, parts of sentences.
//!
//! Without a volume `Durable` is False, because True would not be so, and somebody may wait for it. That is what the spec
//! asks for, though, and what `spec: {}` means: it is no warning. [`Reason::InMemory`] is a note, and no event tells of it; a
//! column that is never empty is one that nobody reads. With a volume every False is a warning.

use super::{drift, unread};
use crate::{
    api::v1alpha1::{Remedy, WhenDeleted},
    capability::{ask::Volume, cost::NOTHING},
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
    let namespace = &settings.owner.namespace;
    let (reason, what, besides) = if write_failed {
        (Reason::SaveFailed, "could not append the last writes to its file, and refuses others until it can", "")
    } else if rewrite_failed {
        (
            Reason::RewriteFailed,
            "could not write its append-only file anew: the file grows until the volume is full, and then writes are refused",
            ", or no memory was left for a fork",
        )
    } else {
        return None;
    };
    let message = Message::from(format!(
        "{pod} {what}. `kubectl -n {namespace} logs {pod}` tells why: most often the volume is full{besides}"
    ))
    .remedy(larger(namespace, pod));
    Some(Finding::fails(Durable, reason, message))
}

/// What a volume leads to that is too small for what it is to keep.
fn too_small(settings: &Settings, pod: &str, volume: Volume) -> Option<Finding> {
    let Volume::Holds(size) = volume else { return None };
    let (claim, least) = (name::data_claim(pod), settings.max_memory.volume());
    (size < least).then(|| {
        Finding::fails(
            Durable,
            Reason::VolumeTooSmall,
            Message::from(format!(
                "{claim} has {}, less than three times maxMemory {}: once it is full, writes are refused. It needs {}",
                format_bytes(size),
                settings.max_memory.quantity(),
                format_bytes(least)
            ))
            .remedy(larger(&settings.owner.namespace, pod))
            .remedy(Remedy::costing(
                "the entries that find no room",
                format!("set spec.redis.maxMemory: {}", format_bytes(MaxMemory::most_on(size))),
            )),
        )
    })
}

/// How a volume that is full gets room.
#[must_use]
pub fn larger(namespace: &str, pod: &str) -> Remedy {
    let claim = name::data_claim(pod);
    Remedy::free("enlarge the volume, where its StorageClass allows that")
        .command(format!("kubectl -n {namespace} edit pvc {claim}"))
}

fn persisted(persistence: &Persistence, pod: &str) -> String {
    let deleted = match persistence.when_deleted {
        WhenDeleted::Retain => "keeps the claim, and a TokenCache of the same name takes it up again",
        WhenDeleted::Delete => "deletes the claim and every entry",
    };
    format!(
        "what is written to {pod} is on PersistentVolumeClaim {} within about a second (appendonly yes and appendfsync \
         everysec were read back). A restart loses at most that second, and so does the loss of its node, unless the volume is a \
         part of that node and is lost with it; deleting this TokenCache {deleted} (whenDeleted: {})",
        name::data_claim(pod),
        persistence.when_deleted.as_str()
    )
}

fn in_memory(pod: &str) -> String {
    format!(
        "{pod} holds entries in memory only (appendonly no was read back), as the spec asks: a restart, the loss of its node and \
         deleting this TokenCache each lose all of them. Applications then ask the identity provider again, and users \
         who still have a session cookie may have to sign in again. {NOTHING}: a second TokenCache with \
         spec.redis.persistence, to which applications move; this one cannot get it later"
    )
}
