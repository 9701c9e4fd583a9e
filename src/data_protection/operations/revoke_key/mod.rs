//! A key that is never to be used again, or all that there are, because an annotation asks for it.
//!
//! In: the settings with the request, what was observed, the ring, how far the sweep is, the time. Out: [`Revoke`]: what is
//! said, the revocation that is to be made, and the sweep that counts or removes. What becomes unreadable is counted and said
//! first; but whoever revokes a key is in a hurry, so that a Redis that cannot be asked delays it for two minutes at most.
//!
//! ```text
//! requested ──▶ Counting ──▶ revocations, and a new key where the active one is revoked ──▶ removal ──▶ Completed
//! ```
//!
//! That a key was revoked is read from the Secret of its revocation, which names the request. Where all are revoked, the new
//! key is made first, and its Secret names the request and each of the keys: so whoever goes on after a crash knows which were
//! meant, and revokes the rest of them, and no other. What follows once they are published is told in `removal`.

pub(crate) mod messages;
pub(crate) mod removal;

use jiff::{SignedDuration, Timestamp};

use crate::{
    api::v1alpha1::{Inspect, OperationStage, OperationStatus, OperationType, REVOKE_KEY_ANNOTATION},
    capability::{
        operation::{self, Request, is},
        progress::{AGAIN_AFTER, Progress, State, Step, SweepId, number},
        time::{after, whole_or_later},
    },
    data_protection::{
        key::{id::KeyId, revocation::Revocation},
        ring::{Ring, default_key::DatedKey, in_use::EntriesOfKeys, published::CAPACITY},
        secrets::{Replaced, RingSecrets},
        settings::{Settings, revoke::RevokeRequest},
    },
    kubernetes::name,
};
use removal::{Next, Removal};

/// How long a revocation waits for the count.
const COUNT_LIMIT: SignedDuration = SignedDuration::from_mins(2);
/// Why no entry is counted or removed.
const NOT_INSPECTED: &str = "spec.entries.inspect is Metadata, so that no entry is looked into";
/// The fewest digits that name a key.
const LEAST_DIGITS: usize = 8;

/// How far a revocation on request is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Revoke {
    /// What is said of it.
    pub operation: Option<OperationStatus>,
    /// The revocation that is to be made.
    pub order: Option<Revocations>,
    /// The sweep that is to be made.
    pub sweep: Option<EntriesOfKeys>,
    /// When it is to be looked at again.
    pub wake_at: Option<Timestamp>,
}

/// Revocations that are to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocations {
    /// The revocations, one for each key. The same request makes the same ones.
    pub revocations: Vec<Revocation>,
    /// The request that they answer.
    pub requested: Timestamp,
    /// Whether a key is to be made that encrypts at once.
    pub needs_key: bool,
    /// What that one's Secret says of the keys that it replaces.
    pub replaces: Option<Replaced>,
}

/// How old a look at the pods that use the ring may be, where what is removed depends on them.
#[must_use]
pub fn looks_since(settings: &Settings, operations: &[OperationStatus], now: Timestamp) -> Option<Timestamp> {
    let wish = settings.revoke.as_ref().filter(|wish| wish.removes)?;
    let Request::At(requested) = wish.request else { return None };
    let entry = operation::entry_in(operations, OperationType::RevokeKey).filter(|entry| is(entry, requested));
    removal::looks_since(entry.filter(|entry| !entry.stage.is_final())?, now)
}

/// Reads how far it is.
#[must_use]
pub fn read(settings: &Settings, observed: &RingSecrets, ring: Option<&Ring>, now: Timestamp) -> Revoke {
    let before = operation::entry_in(&observed.beside.operations, OperationType::RevokeKey);
    let Some(wish) = &settings.revoke else {
        return said(before.filter(|before| before.stage.outlasts_request()).cloned());
    };
    let requested = match &wish.request {
        Request::Malformed(value) => {
            let message = operation::malformed(&settings.owner, REVOKE_KEY_ANNOTATION, value);
            return said(Some(entry(OperationStage::Ignored, None, message)));
        }
        Request::At(time) => *time,
    };
    let before = before.filter(|before| is(before, requested));
    if let Some(before) = before.filter(|before| before.stage.is_final()) {
        return said(Some(before.clone()));
    }
    let ignored = |why: &str| {
        let message = operation::ignored(&settings.owner, REVOKE_KEY_ANNOTATION, why);
        said(Some(entry(OperationStage::Ignored, Some(requested), message)))
    };
    let Some(ring) = ring else {
        return ignored("spec.dataProtection.mode is None, so the operator has no keys");
    };
    let begun = begun(wish, observed, ring, before, requested);
    let is_begun = begun.is_some();
    if let Some(odd) = wish.odd.as_ref().filter(|_| !is_begun) {
        return ignored(&format!("after the key it says {odd:?}, and only `remove` may stand there"));
    }
    if wish.removes && settings.inspect == Inspect::Metadata && !is_begun {
        return ignored(
            "spec.entries.inspect is Metadata, so the operator does not look into entries, and cannot tell which of them the \
             key encrypted: set it to Payloads, or leave out `remove`",
        );
    }
    // One that was seen in time is followed, however long it had to wait.
    if let Some(why) = operation::refused(requested, settings.created, now).filter(|_| before.is_none() && !is_begun) {
        return ignored(&why);
    }
    let keys = match begun.map_or_else(|| find(ring, wish), Ok) {
        Ok(keys) => keys,
        Err(why) => return ignored(&why),
    };
    let input = Input { settings, observed, wish, requested, before, keys, is_begun, now };
    let left = input.left(ring);
    if left.is_empty() {
        // After a restore from a backup the Secrets tell of what was asked for before it.
        let old = operation::precedes(requested, settings.created).filter(|_| before.is_none());
        return old.map_or_else(|| input.revoked(ring), |why| ignored(&why));
    }
    if settings.held {
        return input
            .kept(OperationStage::Waiting, format!("{} not revoked yet: {}", input.are(), operation::paused()));
    }
    let order = input.order(ring, &left);
    if let Some(why) = lacks_room(&settings.owner.name, ring, &order).filter(|_| !is_begun) {
        return ignored(&why);
    }
    if order.needs_key && !(crate::data_protection::operations::may_make(observed, ring) && ring.at_once(now).is_some())
    {
        let why = "no key can be made to take its place, see KeyRingReady";
        return input.kept(OperationStage::Waiting, format!("{} not revoked yet: {why}", input.are()));
    }
    input.count(order)
}

/// The keys that this request was seen to revoke before; `None` where nothing was done for it yet.
fn begun(
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
fn find(ring: &Ring, wish: &RevokeRequest) -> Result<Vec<KeyId>, String> {
    let members = ring.ring.members();
    if wish.is_of_all() {
        let mut left: Vec<&DatedKey> = members.iter().filter(|member| !member.is_revoked).collect();
        left.sort_by_key(|member| (member.activates, member.id));
        let keys: Vec<KeyId> = left.into_iter().map(|member| member.id).collect();
        let why = if members.is_empty() { "there is no key" } else { "every key is revoked already" };
        return if keys.is_empty() { Err(why.to_owned()) } else { Ok(keys) };
    }
    let example = "after the time it has to name the key, as status.keyRing has it, or `all`";
    let written = wish.key.as_deref().ok_or_else(|| format!("it names no key: {example}"))?;
    if written.len() < LEAST_DIGITS {
        return Err(format!("it names the key {written:?}, which is too short: {example}"));
    }
    let mut named = members.iter().filter(|member| member.id.to_string().starts_with(written));
    match (named.next(), named.next()) {
        (Some(member), None) => Ok(vec![member.id]),
        (None, _) => Err(format!("it names the key {written:?}, which is not in the ring: {example}")),
        (Some(_), Some(_)) => Err(format!("it names the key {written:?}, and several begin like this: {example}")),
    }
}

/// Why the ring cannot hold what is to be made; `None` where it can.
fn lacks_room(owner: &str, ring: &Ring, order: &Revocations) -> Option<String> {
    let (room, used) = (crate::data_protection::operations::room(ring), ring.published.fill().bytes);
    let revocations: usize = order.revocations.iter().map(|revocation| revocation.file().content.len()).sum();
    // A revocation alone is no emergency, and leaves the room that is kept for one.
    let (needed, kept) = if order.needs_key { (revocations + room.key(), 0) } else { (revocations, room.kept()) };
    let count = order.revocations.len();
    let what = format!("{count} revocation{}", if count == 1 { "" } else { "s" });
    let and_key = if order.needs_key { " and a new key" } else { "" };
    (!room.has(needed + kept)).then(|| {
        format!(
            "{what}{and_key} would take {needed} bytes, and of the {CAPACITY} that Secret {} can hold {used} are used{}",
            name::keys(owner),
            if kept > 0 { format!(", and {kept} are kept for an emergency") } else { String::new() }
        )
    })
}

struct Input<'seen> {
    settings: &'seen Settings,
    observed: &'seen RingSecrets,
    wish: &'seen RevokeRequest,
    requested: Timestamp,
    before: Option<&'seen OperationStatus>,
    /// The keys that are meant.
    keys: Vec<KeyId>,
    /// Whether something was done for the request already.
    is_begun: bool,
    now: Timestamp,
}

impl Input<'_> {
    /// Those of the keys that are still to be revoked.
    fn left(&self, ring: &Ring) -> Vec<KeyId> {
        let is_left = |key: &&KeyId| ring.ring.find(**key).is_some_and(|member| !member.is_revoked);
        self.keys.iter().filter(is_left).copied().collect()
    }

    /// What is to be made: revocations of these keys, and perhaps a key.
    fn order(&self, ring: &Ring, left: &[KeyId]) -> Revocations {
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

    /// The keys are still in use: what they encrypted is counted, said, and then they are revoked.
    fn count(&self, order: Revocations) -> Revoke {
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
        let (are, them) = (self.are(), self.them());
        if counted.is_some() || given_up.is_some() || self.is_begun {
            let what = match (counted, given_up) {
                (Some((affected, entries)), _) => {
                    format!("{affected} of {entries} stored entries become unreadable with {them}")
                }
                (None, Some(why)) => {
                    format!("how many stored entries become unreadable with {them} could not be counted: {why}")
                }
                (None, None) => "it was begun before".to_owned(),
            };
            let mut revoke = self.kept(OperationStage::Counting, format!("{are} being revoked: {what}"));
            revoke.order = Some(order);
            return revoke;
        }
        let named = self.named();
        let mut revoke = self.kept(
            OperationStage::Counting,
            format!("the stored entries that become unreadable with {named} are being counted; then {are} revoked"),
        );
        if let (Some(Progress { tally, state: State::Done, .. }), Some(entry)) = (progress, &mut revoke.operation) {
            (entry.affected, entry.entries) = (Some(number(tally.meant)), Some(number(tally.keys)));
            entry.message =
                format!("{} of {} stored entries become unreadable now that {are} revoked", tally.meant, tally.keys);
        }
        revoke.sweep = Some(self.sweep(Step::Count));
        revoke.wake_at = Some(after(begun, COUNT_LIMIT));
        revoke
    }

    /// The keys are revoked: what they encrypted is removed, where that is asked for.
    fn revoked(&self, ring: &Ring) -> Revoke {
        let live = self.observed.live();
        let is_live = |key: &KeyId| {
            let file = Revocation::of(*key, self.requested, "").file_name();
            live.iter().any(|(name, _)| *name == file)
        };
        if !self.keys.iter().all(is_live) {
            return self.kept(OperationStage::Counting, "the revocation is made, and about to be published".to_owned());
        }
        let revoked = self.told(ring);
        let mut revoke = if self.wish.removes && self.settings.held {
            let stage = self.before.map_or(OperationStage::Published, |before| before.stage);
            self.kept(
                stage,
                format!("{revoked}. What {} encrypted is not removed yet: {}", self.they(), operation::paused()),
            )
        } else if self.wish.removes {
            self.remove(&revoked)
        } else {
            self.completed(&format!("{revoked}. {}", self.restart()), None)
        };
        if let Some(entry) = &mut revoke.operation {
            entry.published = entry.published.clone().or_else(|| Some(operation::time(whole_or_later(self.now))));
        }
        revoke
    }

    fn remove(&self, revoked: &str) -> Revoke {
        let (beside, progress) = (&self.observed.beside, self.removal());
        let obstacle = match self.settings.inspect {
            Inspect::Payloads => beside.obstacle.as_deref(),
            Inspect::Metadata => Some(NOT_INSPECTED),
        };
        let removal = Removal {
            before: self.before,
            progress,
            processes: &beside.processes,
            namespace: &self.settings.owner.namespace,
            now: self.now,
        };
        let removed = progress.map(|progress| number(progress.tally.removed));
        let removed = removed.max(self.before.and_then(|before| before.removed));
        let mut revoke = match removal.next() {
            Next::Done => return self.completed(revoked, removed),
            Next::Published => {
                let mut revoke = self.kept(OperationStage::Published, format!("{revoked}. {}", self.restart()));
                revoke.wake_at = Some(after(self.now, AGAIN_AFTER));
                revoke
            }
            Next::Wait { what, wake_at } => {
                let message = format!("{revoked}, and what {} encrypted was removed. {what}", self.they());
                let mut revoke = self.kept(OperationStage::AwaitingRestart, message);
                revoke.wake_at = Some(wake_at);
                revoke
            }
            Next::Sweep(step) => {
                let why = match (progress.map(|progress| &progress.state), obstacle) {
                    (Some(State::Failing { why, .. }), None) => format!(" (begun again soon, since {why})"),
                    (_, Some(obstacle)) => format!(" (not yet: {obstacle})"),
                    _ => String::new(),
                };
                let again = if step == Step::RemoveLast { ", and no process stores it any more" } else { "" };
                let message = format!("{revoked}. What {} encrypted is being removed{again}{why}", self.they());
                let mut revoke = self.kept(OperationStage::Removing, message);
                if obstacle.is_none() {
                    revoke.sweep = Some(self.sweep(step));
                }
                revoke.wake_at = Some(after(self.now, AGAIN_AFTER));
                revoke
            }
        };
        if let Some(entry) = &mut revoke.operation {
            entry.removed = removed;
        }
        revoke
    }

    fn completed(&self, told: &str, removed: Option<i64>) -> Revoke {
        let mut revoke = self.kept(OperationStage::Completed, format!("{told}. {}", self.outcome(removed)));
        if let Some(entry) = &mut revoke.operation {
            let finished = operation::time(self.now);
            let started = entry.started.as_ref().map_or(self.now, |started| started.0);
            entry.seconds = Some(finished.0.duration_since(started).as_secs().max(0));
            entry.removed = removed.or(entry.removed);
            entry.finished = Some(finished);
        }
        revoke
    }

    fn progress(&self, step: Step) -> Option<&Progress> {
        let id = self.id(step);
        self.observed.beside.sweep.as_ref().filter(|progress| progress.id == id)
    }

    /// How far the latest sweep is that removes.
    fn removal(&self) -> Option<&Progress> {
        self.progress(Step::Remove).or_else(|| self.progress(Step::RemoveLast))
    }

    fn id(&self, step: Step) -> SweepId {
        SweepId { operation: OperationType::RevokeKey, requested: self.requested, step }
    }

    fn sweep(&self, step: Step) -> EntriesOfKeys {
        let removed = self.before.and_then(|before| before.removed).and_then(|removed| u64::try_from(removed).ok());
        // The sweep before this one may not have been told of to its end.
        let removed = removed.max(self.removal().map(|progress| progress.tally.removed));
        EntriesOfKeys {
            id: self.id(step),
            keys: self.keys.iter().copied().collect(),
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
            entry.started = entry.started.or_else(|| Some(operation::time(self.now)));
        }
        said(Some(entry))
    }
}

fn said(operation: Option<OperationStatus>) -> Revoke {
    Revoke { operation, ..Revoke::default() }
}

fn entry(stage: OperationStage, requested: Option<Timestamp>, message: String) -> OperationStatus {
    operation::entry(OperationType::RevokeKey, stage, requested, message)
}
