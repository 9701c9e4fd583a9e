//! When the next key is to be made, and with which dates: a chain of small checks, each of which knows one reason.
//!
//! In: the ring, how often keys change, and the time. Out: an order, or when to look again. Nothing is remembered, so that an
//! operator that was down, or whose clock was wrong, goes on from what is there.
//!
//! ```text
//! key 1   ├─ encrypts ───────────────────┤ decrypts for ever, and could encrypt until ──────────┤ expires
//!                            published ─ ahead ─▶├─ key 2 encrypts ───────────────────┤
//! ```
//!
//! - Applications read the ring once a day, so a key is published well before it encrypts.
//! - A key expires long after the next one has taken over, so that an operator that comes weeks late breaks nothing.
//! - A key that waits for its turn is the next one, wherever a wrong clock has put it, as long as it comes in time: so no
//!   step of the clock makes keys in numbers.
//! - Whatever happens, there is one key an hour at most that nobody has asked for: what takes keys away as soon as they are
//!   made would otherwise fill the ring, from which none is ever removed.
//! - Where nothing is left to encrypt with, a key is active at once, and said to be old, since .NET 9 passes over young ones.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::{
    default_key::{DatedKey, DatedKeys, PROPAGATION, SKEW, earlier, later},
    rotation::RotationPolicy,
};
use crate::data_protection::key::KeyDates;

const SECOND: SignedDuration = SignedDuration::from_secs(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// How long applications go on with the ring that they have read (`KeyRingRefreshPeriod`).
pub(crate) const RELOAD: SignedDuration = DAY;
/// The least time between publishing a key and its first use: one reading of the ring, and a while for kubelet and clocks.
const LEAST_AHEAD: SignedDuration = SignedDuration::from_hours(25);
/// How much longer than the one before it a key is valid. With less, an application that makes keys itself would make one.
const OUTLIVES: SignedDuration = SignedDuration::from_hours(72);
/// How long before the end of the last key another one is made, apart from the time that it is published ahead.
const BEFORE_THE_END: SignedDuration = SignedDuration::from_hours(96);
/// How old a key is said to be that encrypts at once.
const BACKDATED: SignedDuration = SignedDuration::from_hours(72);
/// The least time between two keys that nobody asks for, whatever happens to them.
const LEAST_BETWEEN: SignedDuration = SignedDuration::from_hours(1);
/// The last date that is ever written: runtimes add a little to what they read.
const LATEST: Timestamp = Timestamp::constant(221_845_392_000, 0);

/// Why a key is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// There is none at all.
    First,
    /// None that was activated can encrypt any more: all are expired, revoked, or cannot be read.
    NothingUsable,
    /// None has been activated: a clock is, or was, wrong.
    NothingActivated,
    /// A key that cannot encrypt is about to be the newest.
    UnusableAhead,
    /// The last key has encrypted for as long as it should.
    RotationDue,
    /// The last key expires soon.
    ExpiresSoon,
    /// Somebody asked for it.
    Requested,
}

impl fmt::Display for Why {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::First => "there was none",
            Self::NothingUsable => "no key could encrypt any more",
            Self::NothingActivated => "every key activates far in the future, so a clock is or was wrong",
            Self::UnusableAhead => "a key that cannot encrypt would soon have been the newest",
            Self::RotationDue => "rotation is due",
            Self::ExpiresSoon => "the last key expires soon",
            Self::Requested => "it was asked for",
        })
    }
}

/// What is to be done about keys, if anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// A key that is to be made now.
    pub order: Option<(Why, KeyDates)>,
    /// When the key after the last one is to be made; `None` where none is active to count from.
    pub due: Option<Timestamp>,
    /// When something changes by itself; `None` where nothing ever will.
    pub wake_at: Option<Timestamp>,
}

/// What a check sees.
struct Input<'ring> {
    ring: &'ring DatedKeys,
    rotation: RotationPolicy,
    now: Timestamp,
    last: Option<&'ring DatedKey>,
}

type Check = fn(&Input<'_>) -> Option<Why>;

/// What a ring must have.
const CHECKS: [Check; 6] = [first, nothing_usable, nothing_activated, unusable_ahead, rotation_due, expires_soon];

/// What is to be done about keys now.
#[must_use]
pub fn schedule(ring: &DatedKeys, rotation: RotationPolicy, now: Timestamp) -> Schedule {
    let now = whole_second(now);
    let input = Input { ring, rotation, now, last: last(ring, now) };
    let why = CHECKS.iter().find_map(|check| check(&input));
    Schedule { order: why.map(|why| (why, input.order(why))), due: input.due(), wake_at: input.wake_at() }
}

/// The key that replaces the active one at once, because somebody asked for it. Applications that have read the ring before
/// cannot read what it encrypts until they read it again, or are restarted.
#[must_use]
pub fn at_once(ring: &DatedKeys, rotation: RotationPolicy, now: Timestamp) -> KeyDates {
    let now = whole_second(now);
    Input { ring, rotation, now, last: last(ring, now) }.order(Why::Requested)
}

/// Until when no other key is made, where one was made at this time. A time that is to come is that of another clock, which is
/// believed as far as it may be of this hour.
#[must_use]
pub fn not_again_before(made: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    let until = later(made?, LEAST_BETWEEN);
    (is_of_this_hour(made?, now) && now < until).then_some(until)
}

/// Whether a time is less than an hour away.
#[must_use]
pub fn is_of_this_hour(time: Timestamp, now: Timestamp) -> bool {
    now.duration_since(time).abs() < LEAST_BETWEEN
}

/// Whether a key that is said to be of this time may have been made at that one: it may be said to be older than it is.
#[must_use]
pub fn may_be_made(said: Timestamp, at: Timestamp) -> bool {
    said >= earlier(at, BACKDATED + LEAST_BETWEEN)
}

/// The first whole second that is not before a time.
#[must_use]
pub fn since(time: Timestamp) -> Timestamp {
    let whole = whole_second(time);
    if whole < time { later(whole, SECOND) } else { whole }
}

/// The last key of those that follow each other without a gap, from the active one on.
fn last(ring: &DatedKeys, now: Timestamp) -> Option<&DatedKey> {
    let mut last = ring.active(now)?;
    let mut pending: Vec<&DatedKey> =
        ring.members().iter().filter(|member| member.activates > last.activates && member.id != last.id).collect();
    pending.sort_by_key(|member| (member.activates, member.id));
    for member in pending {
        // Applications read the ring again when the key that they encrypt with is over.
        if member.is_usable(member.activates) && member.activates <= last.expires {
            last = member;
        }
    }
    Some(last)
}

fn first(input: &Input<'_>) -> Option<Why> {
    input.ring.members().is_empty().then_some(Why::First)
}

fn nothing_usable(input: &Input<'_>) -> Option<Why> {
    let newest = input.ring.newest(input.now);
    let can_come = || input.ring.members().iter().any(|member| member.is_usable(input.now));
    let is_over = newest.map_or_else(|| !can_come(), |newest| !newest.is_usable(input.now));
    // Made a moment ago, and newer than one that the skew has made the newest.
    let soon = later(later(input.now, SKEW), SECOND * 2);
    let comes = input.ring.next(input.now).is_some_and(|next| next.activates <= soon);
    (is_over && !comes).then_some(Why::NothingUsable)
}

fn nothing_activated(input: &Input<'_>) -> Option<Why> {
    if input.ring.newest(input.now).is_some() {
        return None;
    }
    let soon = later(input.now, input.rotation.publish_ahead());
    let comes = input.ring.next(input.now).is_some_and(|next| next.activates <= later(soon, DAY));
    (!comes).then_some(Why::NothingActivated)
}

fn unusable_ahead(input: &Input<'_>) -> Option<Why> {
    let last = input.last?;
    unusable_after(input, last).map(|_| Why::UnusableAhead)
}

fn rotation_due(input: &Input<'_>) -> Option<Why> {
    (input.now >= input.rotation_due(input.last?)).then_some(Why::RotationDue)
}

fn expires_soon(input: &Input<'_>) -> Option<Why> {
    (input.now >= input.expires_soon(input.last?)).then_some(Why::ExpiresSoon)
}

/// A key that cannot encrypt, and would be the newest after this one.
fn unusable_after<'ring>(input: &Input<'ring>, last: &DatedKey) -> Option<&'ring DatedKey> {
    let unusable = input.ring.members().iter().filter(|member| {
        let comes = member.activates > later(input.now, SKEW) && member.activates >= last.activates;
        comes && member.activates < last.expires && !member.is_usable(member.activates)
    });
    unusable.max_by_key(|member| member.activates)
}

impl Input<'_> {
    fn rotation_due(&self, last: &DatedKey) -> Timestamp {
        earlier(later(last.activates, self.rotation.every()), self.rotation.publish_ahead())
    }

    fn expires_soon(&self, last: &DatedKey) -> Timestamp {
        earlier(earlier(last.expires, self.rotation.publish_ahead()), BEFORE_THE_END)
    }

    fn order(&self, why: Why) -> KeyDates {
        let now = self.now;
        let (created, activates) = match (why, self.last) {
            (Why::First, _) => (now, now),
            (Why::NothingActivated, _) => {
                // No younger than the keys that applications make do with, which choose the oldest of young ones.
                let created = self.ring.members().iter().map(|member| member.created).max();
                (created.map_or(now, |created| created.max(now)), later(now, self.rotation.publish_ahead()))
            }
            (Why::NothingUsable | Why::Requested, _) | (_, None) => {
                let newest = self.ring.newest(now).map(|newest| later(newest.activates, SECOND));
                (earlier(now, BACKDATED), newest.map_or(now, |newest| newest.max(now)))
            }
            (Why::UnusableAhead | Why::RotationDue | Why::ExpiresSoon, Some(last)) => self.after(last),
        };
        let longest = self.ring.members().iter().map(|member| later(member.expires, OUTLIVES)).max();
        let expires = later(activates, self.rotation.every() * 2);
        let expires = longest.map_or(expires, |longest| longest.max(expires)).min(LATEST);
        KeyDates { created: whole_second(created), activates: whole_second(activates), expires: whole_second(expires) }
    }

    /// When the key that follows the last one is said to be made, and when it activates.
    fn after(&self, last: &DatedKey) -> (Timestamp, Timestamp) {
        let now = self.now;
        let ideal = later(now, self.rotation.publish_ahead());
        let latest = earlier(last.expires, RELOAD);
        let activates = if ideal <= latest { ideal } else { latest.max(later(now, LEAST_AHEAD).min(last.expires)) };
        let before = unusable_after(self, last).map_or(last.activates, |unusable| unusable.activates);
        let is_late = last.expires < later(now, PROPAGATION + RELOAD);
        let created = if is_late { earlier(now, BACKDATED) } else { now };
        (created, activates.max(later(before, SECOND)))
    }

    fn due(&self) -> Option<Timestamp> {
        self.last.map(|last| self.rotation_due(last).min(self.expires_soon(last)))
    }

    fn wake_at(&self) -> Option<Timestamp> {
        let due = self.due();
        let dates = self.ring.members().iter().flat_map(|member| [earlier(member.activates, SKEW), member.expires]);
        dates.chain(due).filter(|&time| time > self.now).min()
    }
}

fn whole_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}
