//! A key that is never to be used again, because an annotation asks for it.
//!
//! In: the settings with the request, what was observed, the ring, how far the sweep is, the time. Out: [`Revoke`]: what is
//! said, the revocation that is to be made, and the sweep that counts or removes. What becomes unreadable is counted and said
//! first; but whoever revokes a key is in a hurry, so that a Redis that cannot be asked delays it for two minutes at most.
//!
//! ```text
//! requested ──▶ Counting ──▶ a revocation, and a new key where the active one is revoked ──▶ Removing ──▶ Completed
//! ```
//!
//! That a key was revoked is read from the Secret of its revocation, which names the request.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{
    DataProtection, key_id::KeyId, key_ring::KeyRing, observed::Observed, reader::Reader, revocation::Revocation,
    settings::Settings, standing,
};
use crate::{
    api::v1alpha1::{Inspect, OperationStage, OperationStatus, OperationType, REVOKE_KEY_ANNOTATION},
    kubernetes::name,
    request::{self, Request, is},
    sweep::{AGAIN_AFTER, Progress, Selection, State, Step, Sweep, SweepId, number},
    time::after,
};

/// The annotation of a revocation's Secret that says which request it answered.
pub const REVOKED_ANNOTATION: &str = "tokencache.dev/revocation-requested";

/// How long a revocation waits for the count.
const COUNT_LIMIT: SignedDuration = SignedDuration::from_mins(2);
/// Why no entry is counted or removed.
const NOT_INSPECTED: &str = "spec.entries.inspect is Metadata, so that no entry is looked into";
/// The fewest digits that name a key.
const LEAST_DIGITS: usize = 8;

/// What a cache wants of its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// When it is asked for.
    pub request: Request,
    /// The key's id, or its first digits, as it was written; `None` where nothing was.
    key: Option<String>,
    /// Whether the entries that it encrypted are to be removed.
    removes: bool,
    /// A word that means nothing.
    odd: Option<String>,
}

impl Wish {
    /// Reads the annotation's value: a time, a key, and perhaps `remove`.
    #[must_use]
    pub fn parse(value: &str) -> Self {
        let short = |word: &str| word.chars().take(40).collect::<String>();
        let mut words = value.split_ascii_whitespace().skip(1);
        let key = words.next().map(|word| short(word).to_ascii_lowercase());
        let (removes, odd) = match words.next() {
            None => (false, None),
            Some("remove") => (true, None),
            Some(other) => (false, Some(short(other))),
        };
        Self { request: Request::parse(value), key, removes, odd }
    }
}

/// How far a revocation on request is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Revoke {
    /// What is said of it.
    pub operation: Option<OperationStatus>,
    /// The revocation that is to be made.
    pub order: Option<Order>,
    /// The sweep that is to be made.
    pub sweep: Option<Sweep>,
    /// When it is to be looked at again.
    pub wake_at: Option<Timestamp>,
}

/// A revocation that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The revocation. The same request makes the same one.
    pub revocation: Revocation,
    /// The key.
    pub key: KeyId,
    /// The request that it answers.
    pub requested: Timestamp,
}

/// Reads how far it is.
#[must_use]
pub fn read(settings: &Settings, observed: &Observed, ring: Option<&DataProtection>, now: Timestamp) -> Revoke {
    let before = request::entry_in(&observed.beside.operations, OperationType::RevokeKey);
    let Some(wish) = &settings.revoke else {
        return said(before.filter(|before| before.stage == OperationStage::Completed).cloned());
    };
    let requested = match &wish.request {
        Request::Malformed(value) => {
            let message = request::malformed(&settings.owner, REVOKE_KEY_ANNOTATION, value);
            return said(Some(entry(OperationStage::Ignored, None, message)));
        }
        Request::At(time) => *time,
    };
    let before = before.filter(|before| is(before, requested));
    if let Some(before) = before.filter(|before| before.stage.is_final()) {
        return said(Some(before.clone()));
    }
    let input = Input { settings, observed, wish, requested, before, now };
    let ignored = |why: &str| {
        let message = request::ignored(&settings.owner, REVOKE_KEY_ANNOTATION, why);
        said(Some(entry(OperationStage::Ignored, Some(requested), message)))
    };
    let Some(ring) = ring else {
        return ignored("spec.dataProtection.mode is None, so the operator has no keys");
    };
    if let Some(key) = observed.revoked(requested) {
        return input.revoked(ring, key);
    }
    if let Some(odd) = &wish.odd {
        return ignored(&format!("after the key it says {odd:?}, and only `remove` may stand there"));
    }
    if wish.removes && settings.inspect == Inspect::Metadata {
        return ignored(
            "spec.entries.inspect is Metadata, so the operator does not look into entries, and cannot tell which of them the \
             key encrypted: set it to Payloads, or leave out `remove`",
        );
    }
    // One that was seen in time is followed, however long it had to wait.
    if let Some(why) = request::refused(requested, settings.created, now).filter(|_| before.is_none()) {
        return ignored(&why);
    }
    match find(ring, wish.key.as_deref()) {
        Err(why) => ignored(&why),
        Ok(key) if ring.ring.find(key).is_some_and(|member| member.is_revoked) => input.revoked(ring, key),
        Ok(_) if settings.held => {
            input.kept(OperationStage::Waiting, format!("the key is not revoked yet: {}", request::paused()))
        }
        Ok(key) => input.count(ring, key),
    }
}

/// The key that is meant.
fn find(ring: &DataProtection, written: Option<&str>) -> Result<KeyId, String> {
    let example = "after the time it has to name the key, as status.keyRing has it";
    let written = written.ok_or_else(|| format!("it names no key: {example}"))?;
    if written.len() < LEAST_DIGITS {
        return Err(format!("it names the key {written:?}, which is too short: {example}"));
    }
    let mut named = ring.ring.members().iter().filter(|member| member.id.to_string().starts_with(written));
    match (named.next(), named.next()) {
        (Some(member), None) => Ok(member.id),
        (None, _) => Err(format!("it names the key {written:?}, which is not in the ring: {example}")),
        (Some(_), Some(_)) => Err(format!("it names the key {written:?}, and several begin like this: {example}")),
    }
}

struct Input<'seen> {
    settings: &'seen Settings,
    observed: &'seen Observed,
    wish: &'seen Wish,
    requested: Timestamp,
    before: Option<&'seen OperationStatus>,
    now: Timestamp,
}

impl Input<'_> {
    /// The key is still in use: what it encrypted is counted, said, and then it is revoked.
    fn count(&self, ring: &DataProtection, key: KeyId) -> Revoke {
        let can_follow = standing::may_make(self.observed, ring) && ring.at_once(self.now).is_some();
        if ring.encrypts_with(key, self.now) && !can_follow {
            let why = "no key can be made to take its place, see KeyRingReady";
            return self.kept(OperationStage::Waiting, format!("key {} is not revoked yet: {why}", key.short()));
        }
        let counted = self.before.and_then(|before| Some((before.affected?, before.entries?)));
        let progress = self.progress(Step::Count);
        let begun = self.before.and_then(|before| before.started.as_ref()).map_or(self.now, |started| started.0);
        let given_up = match (progress, &self.observed.beside.obstacle) {
            _ if counted.is_some() => None,
            _ if self.settings.inspect == Inspect::Metadata => Some(NOT_INSPECTED.to_owned()),
            (_, Some(obstacle)) => Some(obstacle.clone()),
            (Some(Progress { state: State::Failing { why, .. }, .. }), None) => Some(why.clone()),
            (Some(Progress { state: State::Running, .. }) | None, None) if self.now >= after(begun, COUNT_LIMIT) => {
                Some("it took more than two minutes".to_owned())
            }
            _ => None,
        };
        let short = key.short();
        if counted.is_some() || given_up.is_some() {
            let what = match (counted, given_up) {
                (Some((affected, entries)), _) => {
                    format!("{affected} of {entries} stored entries become unreadable with it")
                }
                (None, why) => format!(
                    "how many stored entries become unreadable with it could not be counted: {}",
                    why.unwrap_or_default()
                ),
            };
            let mut revoke = self.kept(OperationStage::Counting, format!("key {short} is being revoked: {what}"));
            let reason = format!("requested by annotation at {}", self.requested);
            let revocation = Revocation::of(key, self.requested, &reason);
            revoke.order = Some(Order { revocation, key, requested: self.requested });
            return revoke;
        }
        let mut revoke = self.kept(
            OperationStage::Counting,
            format!("the stored entries that become unreadable with key {short} are being counted; then it is revoked"),
        );
        if let (Some(Progress { tally, state: State::Done, .. }), Some(entry)) = (progress, &mut revoke.operation) {
            (entry.affected, entry.entries) = (Some(number(tally.meant)), Some(number(tally.keys)));
            entry.message = format!(
                "{} of {} stored entries become unreadable with key {short}, which is revoked now",
                tally.meant, tally.keys
            );
        }
        revoke.sweep = Some(self.sweep(Step::Count, key));
        revoke.wake_at = Some(after(begun, COUNT_LIMIT));
        revoke
    }

    /// The key is revoked: what it encrypted is removed, where that is asked for.
    fn revoked(&self, ring: &DataProtection, key: KeyId) -> Revoke {
        let file = Revocation::of(key, self.requested, "").file_name();
        if !self.observed.live().iter().any(|(name, _)| *name == file) {
            return self.kept(OperationStage::Counting, "the revocation is made, and about to be published".to_owned());
        }
        let told = self.told(ring, key);
        let progress = self.progress(Step::Remove);
        let obstacle = match self.settings.inspect {
            Inspect::Payloads => self.observed.beside.obstacle.as_deref(),
            Inspect::Metadata => Some(NOT_INSPECTED),
        };
        match progress {
            _ if !self.wish.removes => self.completed(&told, None),
            Some(Progress { tally, state: State::Done, .. }) => self.completed(&told, Some(number(tally.removed))),
            _ => {
                let stage = if progress.is_some() { OperationStage::Removing } else { OperationStage::Published };
                let why = match (progress, obstacle) {
                    (Some(Progress { state: State::Failing { why, .. }, .. }), None) => {
                        format!(" (begun again soon, since {why})")
                    }
                    (_, Some(obstacle)) => format!(" (not yet: {obstacle})"),
                    _ => String::new(),
                };
                let mut revoke = self.kept(stage, format!("{told}. What it encrypted is being removed{why}"));
                if obstacle.is_none() {
                    revoke.sweep = Some(self.sweep(Step::Remove, key));
                }
                if let Some(entry) = &mut revoke.operation {
                    entry.removed = progress.map(|progress| number(progress.tally.removed)).or(entry.removed);
                }
                revoke.wake_at = Some(after(self.now, AGAIN_AFTER));
                revoke
            }
        }
    }

    fn told(&self, ring: &DataProtection, key: KeyId) -> String {
        let active = ring
            .ring
            .active(self.now)
            .map_or_else(String::new, |active| format!(", and {} encrypts", active.id.short()));
        format!(
            "key {} is revoked{active}: Secret {} says so. Processes that have read the ring before go on with the key for up \
             to a day: restart {} a minute or two from now, when kubelet has brought the Secret to their pods",
            key.short(),
            name::keys(&self.settings.owner.name),
            self.observed.beside.consumers
        )
    }

    fn completed(&self, told: &str, removed: Option<i64>) -> Revoke {
        let counted = self.before.and_then(|before| Some((before.affected?, before.entries?)));
        let entries = match (counted, removed) {
            (_, Some(removed)) => format!("{removed} stored entries that it encrypted were removed"),
            (Some((0, entries)), None) => format!("None of {entries} stored entries was encrypted with it"),
            (counted, None) => format!(
                "{} cannot be read any more, and applications fail on them (IDW10802) until they expire or are removed: \
                 `kubectl -n {} annotate --overwrite tokencache {} {}=\"$(date -u +%FT%TZ) unreadable\"`{}",
                counted.map_or_else(
                    || "Stored entries that it encrypted".to_owned(),
                    |(affected, entries)| format!("{affected} of {entries} stored entries")
                ),
                self.settings.owner.namespace,
                self.settings.owner.name,
                crate::api::v1alpha1::FLUSH_ANNOTATION,
                match self.settings.inspect {
                    Inspect::Payloads => "",
                    Inspect::Metadata => ", once spec.entries.inspect is Payloads",
                }
            ),
        };
        let mut revoke = self.kept(OperationStage::Completed, format!("{told}. {entries}"));
        if let Some(entry) = &mut revoke.operation {
            let finished = request::time(self.now);
            let started = entry.started.as_ref().map_or(self.now, |started| started.0);
            entry.seconds = Some(finished.0.duration_since(started).as_secs().max(0));
            entry.removed = removed.or(entry.removed);
            entry.finished = Some(finished);
        }
        revoke
    }

    fn progress(&self, step: Step) -> Option<&Progress> {
        let id = self.id(step);
        self.observed.beside.sweep.as_ref().filter(|progress| progress.sweep.id == id)
    }

    fn id(&self, step: Step) -> SweepId {
        SweepId { operation: OperationType::RevokeKey, requested: self.requested, step }
    }

    fn sweep(&self, step: Step, key: KeyId) -> Sweep {
        let removed = self.before.and_then(|before| before.removed).and_then(|removed| u64::try_from(removed).ok());
        Sweep {
            id: self.id(step),
            selection: Selection::OfKey(key),
            // With which key an entry was encrypted can be told without any.
            reader: Some(Arc::new(Reader::new(KeyRing::default(), Vec::new()))),
            removed_before: removed.unwrap_or_default(),
        }
    }

    /// The entry of a stage, with what was told before.
    fn kept(&self, stage: OperationStage, message: String) -> Revoke {
        let fresh = entry(stage, Some(self.requested), message);
        let mut entry = match self.before {
            None => fresh,
            Some(before) => OperationStatus { stage: fresh.stage, message: fresh.message, ..before.clone() },
        };
        if stage != OperationStage::Waiting {
            entry.started = entry.started.or_else(|| Some(request::time(self.now)));
        }
        said(Some(entry))
    }
}

fn said(operation: Option<OperationStatus>) -> Revoke {
    Revoke { operation, ..Revoke::default() }
}

fn entry(stage: OperationStage, requested: Option<Timestamp>, message: String) -> OperationStatus {
    request::entry(OperationType::RevokeKey, stage, requested, message)
}
