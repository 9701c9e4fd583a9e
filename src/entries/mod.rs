//! The entries that applications store: what they are, how they are told from each other, and which are removed.
//!
//! In: what was read of entries, requests, the key ring. Out: what is said of them, and the sweep that is to be made. Only `probe`
//! reads and removes entries.
//!
//! | module | what |
//! |---|---|
//! | [`entry`] | what one entry is, by its bytes |
//! | [`look`] | what a look at a server shows of all of them |
//! | [`sweep`] | which entries are counted or removed |
//! | [`flush`] | the removal that an annotation asks for |
//! | [`findings`] | what is said of them |

pub mod entry;
pub mod findings;
pub mod flush;
pub mod look;
pub mod settings;
pub mod sweep;

use std::sync::Arc;

use crate::{
    api::v1alpha1::{Inspect, OperationStatus, OperationType, TokenCache},
    capability::{Capability, Names, SpecError, ask::Ask, observed::Observed, operation, part::Part, published},
    condition::ConditionType,
    data_protection::ring::{
        in_use::{EntriesOfKeys, InUse},
        open::KeyRing,
    },
    redis,
};
use entry::reader::Reader;
use flush::{Flush, Reads};
use look::{Inspection, Look};
pub use settings::Settings;
pub use sweep::Sweep;

/// What a pass knows of entries beside what it observed.
pub struct Given<'pass> {
    /// The Redis in which they stand.
    pub redis: &'pass redis::Settings,
    /// What Redis offers.
    pub server: &'pass redis::Offer,
    /// What the latest look at each server shows of them.
    pub looks: &'pass [Look],
    /// The ring that they are encrypted with.
    pub ring: GivenRing,
}

/// The ring, as entries know it.
pub struct GivenRing {
    /// Its keys; `None` where the operator makes none.
    pub keys: Option<KeyRing>,
    /// Whether there is a key.
    pub has_keys: bool,
    /// The names under which applications may have encrypted.
    pub names: Vec<String>,
    /// Why keys may be missing in it, in words.
    pub gap: Option<String>,
    /// Entries that are to be counted, or removed, since a key is being revoked.
    pub revoking: Option<EntriesOfKeys>,
}

/// What entries have for prober and sweeper.
pub struct Offer {
    /// How they are to be looked at.
    pub inspection: Inspection,
    /// The sweep that is to be made.
    pub sweep: Option<Sweep>,
}

impl Capability for Settings {
    type Given<'pass> = Given<'pass>;
    type Offer = Offer;

    fn parse(cache: &TokenCache) -> Result<Self, SpecError> {
        Ok(Self::parse(cache))
    }

    fn names(&self, _: &[OperationStatus]) -> Names {
        Names::default()
    }

    fn conditions(&self) -> Vec<ConditionType> {
        findings::CONDITIONS.into()
    }

    fn decide(&self, observed: &Observed<'_>, given: Given<'_>) -> (Part, Offer) {
        let Given { redis, server, looks, ring } = given;
        let GivenRing { keys, has_keys, names, gap, revoking } = ring;
        let is_managed = keys.is_some();
        let reader = keys.filter(|_| has_keys).map(|keys| Arc::new(Reader::new(keys, names)));
        let reads = self.reads(is_managed, gap, reader.as_ref());
        let flush = self.flush(observed, redis, (server, revoking.is_some()), reads);
        let asks = self.asks(observed, &redis.owner.name, looks);
        let findings =
            server.answered.as_ref().map(|answered| findings::findings(self, redis, (&server.live, looks), answered));
        let Flush { operation, sweep, wake_at } = flush;
        let part = Part {
            asks,
            findings: findings.unwrap_or_default(),
            operations: operation.map(flush::told).into_iter().collect(),
            wake_at,
            ..Part::default()
        };
        let inspection = Inspection {
            inspect: self.inspect,
            reader: reader.filter(|_| self.inspect == Inspect::Payloads),
            swept: flush::last(&observed.previous.operations),
        };
        (part, Offer { inspection, sweep: revoking.map(Sweep::from).or(sweep) })
    }
}

impl Settings {
    /// What stored entries show to be in use; `None` where no server could be asked, or they are not looked into.
    #[must_use]
    pub fn in_use(&self, looks: &[Look]) -> Option<InUse> {
        let looks = looks.iter().filter(|_| self.inspect != Inspect::Metadata);
        looks.map(|look| look.payloads.in_use()).reduce(InUse::and)
    }

    fn asks(&self, observed: &Observed<'_>, cache: &str, looks: &[Look]) -> Vec<Ask> {
        let mut asks = Vec::new();
        if findings::names_consumers(self, looks) {
            asks.push(Ask::Consumers(redis::connection(cache)));
        }
        if operation::is_open(self.flush.request.as_ref(), &observed.previous.operations, OperationType::Flush) {
            asks.push(Ask::Consumers(published(cache).into()));
        }
        asks
    }

    /// What a flush reads entries with.
    fn reads<'pass>(&self, is_managed: bool, gap: Option<String>, reader: Option<&'pass Arc<Reader>>) -> Reads<'pass> {
        match (gap, reader) {
            _ if !is_managed => Reads::NoRing,
            _ if self.inspect == Inspect::Metadata => Reads::NotAtAll,
            (None, Some(reader)) => Reads::With(reader),
            (gap, _) => {
                let why = gap.unwrap_or_else(|| "there is no key yet".to_owned());
                Reads::NotYet(format!("the key ring may lack keys (see KeyRingReady): {why}"))
            }
        }
    }

    /// How far the removal of entries is, which the ring tells apart.
    fn flush(
        &self,
        observed: &Observed<'_>,
        redis: &redis::Settings,
        (server, is_revoking): (&redis::Offer, bool),
        reads: Reads<'_>,
    ) -> Flush {
        let cache = &redis.owner.name;
        let consumers = observed.answers.consumers(&published(cache));
        let obstacle = is_revoking.then_some("a key is being revoked first");
        flush::read(&flush::Input {
            owner: &redis.owner,
            prefix: redis.instance_name.as_str(),
            wish: &self.flush,
            encrypt: self.encrypt,
            reads,
            operations: &observed.previous.operations,
            progress: observed.sweep.as_ref(),
            obstacle: obstacle.or(server.obstacle.as_deref()),
            restart: findings::restart(&consumers, &redis.owner, "restart"),
            now: observed.now,
        })
    }
}
