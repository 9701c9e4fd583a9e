//! A simulated cluster: an operator with a clock that may be wrong, a ring that reaches nodes late, and applications.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use tokencache_operator::data_protection::{
    key::{KeyDates, id::KeyId},
    ring::{
        default_key::{DatedKey, DatedKeys},
        rotation::RotationPolicy,
        schedule::{Why, at_once, schedule},
    },
};

use crate::{
    application::{Application, Chosen, DAY, HOUR, Runtime},
    vectors::dice,
};

pub const START: Timestamp = Timestamp::constant(1_795_000_000, 0);
/// How long kubelet takes to bring the ring to a pod.
const KUBELET: SignedDuration = SignedDuration::from_mins(10);

/// What a wrong operator does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lead {
    /// As it should be.
    Kept,
    /// A key is active as soon as it is made.
    None,
    /// The same, and it is said to be old, so that .NET 9 does not pass over it.
    NoneAndBackdated,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    CannotEncrypt(Runtime),
    /// It encrypts with a key that it should not, and would make one itself if it could.
    Fallback(Runtime, KeyId),
    CannotDecrypt(Runtime, KeyId),
    Flood(usize),
    Rule(&'static str),
}

pub struct World {
    pub now: Timestamp,
    /// What the operator's clock is ahead of the true time.
    pub clock_error: SignedDuration,
    pub rotation: RotationPolicy,
    lead: Lead,
    members: Vec<DatedKey>,
    /// The same, as the operator sees them.
    ring: DatedKeys,
    /// The same, as those see them who lack the certificate.
    sealed: Vec<DatedKey>,
    published: Vec<Timestamp>,
    /// The certificate that each key is encrypted to.
    encrypted_to: Vec<usize>,
    pub certificates: usize,
    pub applications: Vec<Application>,
    written: BTreeSet<KeyId>,
    operator_looks: Timestamp,
    pub minted: Vec<(Timestamp, Why)>,
    pub may_mint: usize,
}

impl World {
    /// With a first key, and applications that start once it is there.
    pub fn new(runtimes: &[Runtime], rotation: RotationPolicy, lead: Lead, seed: u64) -> Result<Self, Trouble> {
        let jitter: [u8; 32] = dice(seed);
        let applications = runtimes.iter().zip(jitter).map(|(&runtime, jitter)| Application {
            runtime,
            known: 0,
            chosen: Chosen::Nothing,
            reads_next: START + KUBELET + SignedDuration::from_mins(i64::from(jitter)),
            jitter: SignedDuration::from_mins(i64::from(jitter) * 288 / 256),
            certificates: 0,
        });
        let mut world = Self {
            now: START,
            clock_error: SignedDuration::ZERO,
            rotation,
            lead,
            members: Vec::new(),
            ring: DatedKeys::default(),
            sealed: Vec::new(),
            published: Vec::new(),
            encrypted_to: Vec::new(),
            certificates: 0,
            applications: applications.collect(),
            written: BTreeSet::new(),
            operator_looks: START,
            minted: Vec::new(),
            may_mint: 2,
        };
        world.run_until(START + DAY)?;
        Ok(world)
    }

    /// The time by the operator's clock.
    fn told(&self) -> Timestamp {
        self.now + self.clock_error
    }

    /// Lets time pass.
    pub fn run_until(&mut self, end: Timestamp) -> Result<(), Trouble> {
        loop {
            let reads = self.applications.iter().map(|application| application.reads_next).min();
            let next = reads.unwrap_or(end).min(self.operator_looks).min(end);
            self.now = next.max(self.now);
            if self.operator_looks <= self.now {
                self.pass()?;
            }
            self.read_where_due()?;
            if self.now >= end {
                return Ok(());
            }
        }
    }

    /// The operator is down, or sees nothing, for so long; but no longer than a ring lasts.
    pub fn be_down(&mut self, duration: SignedDuration) -> Result<(), Trouble> {
        let end = self.bearable(self.now + duration);
        self.operator_looks = end;
        self.run_until(end)
    }

    /// What the operator can be away for: it must be back three days before the last key ends, and a little.
    pub fn bearable(&self, end: Timestamp) -> Timestamp {
        let mut last = self.ring.active(self.now);
        while let Some(next) = last.and_then(|last| {
            let follow = self.members.iter().filter(|key| key.activates > last.activates && !key.is_revoked);
            follow.filter(|key| key.activates <= last.expires - DAY).min_by_key(|key| key.activates)
        }) {
            last = Some(next);
        }
        let bound = last.map_or(self.now, |last| last.expires - DAY * 4);
        end.min(bound).max(self.now)
    }

    /// One pass of the operator: again and again, until nothing is left to do.
    pub fn pass(&mut self) -> Result<(), Trouble> {
        for _ in 0..4 {
            let schedule = schedule(&self.ring, self.rotation, self.told());
            let Some((why, order)) = schedule.order else {
                // By its own clock, and once a day in any case, as a slow resync does it.
                let wake = schedule.wake_at.map_or(SignedDuration::MAX, |wake| wake.duration_since(self.told()));
                self.operator_looks = self.now + wake.clamp(SignedDuration::from_secs(1), DAY);
                return Ok(());
            };
            self.mint(why, order)?;
        }
        Err(Trouble::Flood(self.members.len()))
    }

    fn mint(&mut self, why: Why, order: KeyDates) -> Result<(), Trouble> {
        self.check(why, &order)?;
        let KeyDates { mut created, mut activates, expires } = order;
        if self.lead != Lead::Kept && why == Why::RotationDue {
            activates = self.told();
            created = if self.lead == Lead::None { activates } else { activates - DAY * 3 };
        }
        let id = KeyId::from_random(dice(0x1000 + self.members.len() as u64));
        let member = DatedKey { id, created, activates, expires, is_revoked: false, is_readable: true };
        self.sealed.push(DatedKey { is_readable: false, ..member.clone() });
        self.members.push(member);
        self.ring = self.members.iter().cloned().collect();
        self.published.push(self.now);
        self.encrypted_to.push(self.certificates);
        self.minted.push((self.now, why));
        Ok(())
    }

    /// The rules that every key keeps, whatever happened.
    fn check(&self, why: Why, order: &KeyDates) -> Result<(), Trouble> {
        let rule = |holds: bool, rule: &'static str| if holds { Ok(()) } else { Err(Trouble::Rule(rule)) };
        let told = self.told();
        rule(order.expires >= order.activates + self.rotation.every() * 2, "expires after two periods or later")?;
        let longest = self.members.iter().map(|member| member.expires).max();
        rule(longest.is_none_or(|longest| order.expires >= longest + HOUR * 72), "outlives every key by three days")?;
        match why {
            Why::First => rule(order.created == told && order.activates == told, "the first key is active at once"),
            Why::RotationDue | Why::UnusableAhead => {
                let ends = self.ring.active(told).map(|active| active.expires);
                let is_early = order.activates >= told + HOUR * 25;
                let is_late = ends.is_some_and(|ends| order.activates >= ends);
                rule(
                    is_early || is_late,
                    "a key is published a day before it encrypts, or at the end of the one before",
                )
            }
            Why::NothingUsable | Why::Requested => {
                rule(order.created < told - HOUR * 48, "a key that encrypts at once is said to be old")
            }
            Why::ExpiresSoon | Why::NothingActivated => rule(order.activates > told, "it does not encrypt at once"),
        }
    }

    /// A key that encrypts at once, and every application restarted when it is there.
    pub fn rotate_at_once(&mut self, revoke: bool) -> Result<(), Trouble> {
        let active = self.ring.active(self.now).map(|active| active.id);
        let order = at_once(&self.ring, self.rotation, self.told());
        self.mint(Why::Requested, order)?;
        self.may_mint += 1;
        if let (true, Some(active)) = (revoke, active) {
            self.written.remove(&active);
            for member in self.members.iter_mut().chain(&mut self.sealed).filter(|member| member.id == active) {
                member.is_revoked = true;
            }
            self.ring = self.members.iter().cloned().collect();
        }
        // Nobody reads the ring between its coming and the restart: that some would is what the restart is for.
        self.now += KUBELET;
        for application in 0..self.applications.len() {
            self.restart(application);
        }
        self.read_where_due()
    }

    /// A certificate is renewed, and every application restarted within the day.
    pub fn renew_certificate(&mut self) -> Result<(), Trouble> {
        self.certificates += 1;
        for application in 0..self.applications.len() {
            self.run_until(self.now + HOUR)?;
            self.restart(application);
        }
        Ok(())
    }

    /// A process starts anew: it reads the certificates and the ring.
    pub fn restart(&mut self, application: usize) {
        let count = self.applications.len();
        let application = &mut self.applications[application % count];
        application.certificates = self.certificates;
        application.reads_next = self.now;
    }

    /// Every application whose time has come reads the ring, each encrypts, and each must read what any has encrypted.
    fn read_where_due(&mut self) -> Result<(), Trouble> {
        for application in &mut self.applications {
            if application.reads_next > self.now {
                continue;
            }
            let known = self.published.iter().take_while(|&&published| published + KUBELET <= self.now).count();
            // With a certificate that came after its start an application can do nothing.
            let read = self.encrypted_to[..known].iter().zip(self.members.iter().zip(&self.sealed));
            let read: Vec<&DatedKey> = read
                .map(
                    |(&certificate, (open, sealed))| if certificate > application.certificates { sealed } else { open },
                )
                .collect();
            application.read(&read, self.now);
            match application.chosen {
                Chosen::Nothing => return Err(Trouble::CannotEncrypt(application.runtime)),
                Chosen::Fallback(id) => return Err(Trouble::Fallback(application.runtime, id)),
                Chosen::Default(id) => self.written.insert(id),
            };
        }
        for application in self.applications.iter().filter(|application| application.known > 0) {
            let later = self.members[application.known..].iter().map(|member| member.id);
            let sealed = self.members.iter().zip(&self.encrypted_to);
            let sealed = sealed.filter(|(_, certificate)| **certificate > application.certificates);
            let mut unread = later.chain(sealed.map(|(member, _)| member.id));
            if let Some(id) = unread.find(|id| self.written.contains(id)) {
                return Err(Trouble::CannotDecrypt(application.runtime, id));
            }
        }
        Ok(())
    }

    /// How many keys there may be by now: one for each period, and a few for what happened.
    pub fn check_count(&self, shortest: SignedDuration) -> Result<(), Trouble> {
        let passed = self.now.duration_since(START).as_secs() / shortest.as_secs();
        let allowed = usize::try_from(passed).unwrap() + self.may_mint;
        if self.members.len() > allowed { Err(Trouble::Flood(self.members.len())) } else { Ok(()) }
    }
}
