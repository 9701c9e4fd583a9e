//! The shared key ring of ASP.NET Core Data Protection: which keys there are, which is to be made, what is published.
//!
//! In: settings, the Secrets of keys and of certificates, the time. Out: what is to be written, and what is said. Nothing is drawn and
//! nothing is written here, and no key is ever removed.
//!
//! | part | what |
//! |---|---|
//! | [`certificate`], [`key`], [`payload`] | the pieces of a ring and what it protects, as ASP.NET Core reads and writes them |
//! | [`ring`] | the ring as a whole: which key encrypts, when the next one is made, what is published |
//! | [`settings`], [`secrets`] | what a cache wants, and the Secrets that a pass saw |
//! | [`objects`], [`import`], [`operations`] | Secrets as they are to be, what is taken over, what annotations ask for |
//! | [`state`] | how far the ring is |
//! | [`plan`], [`findings`] | what is to be written, and what is said of it |
//! | [`view`] | what a pass saw, out of all that it saw |
//! | [`part`] | what is decided, put together |

pub mod certificate;
pub mod findings;
pub mod import;
pub mod key;
pub mod objects;
pub mod operations;
pub mod part;
pub mod payload;
pub mod plan;
pub mod ring;
pub mod secrets;
pub mod settings;
pub mod state;
pub mod view;

use crate::{
    api::v1alpha1::{OperationStatus, TokenCache},
    capability::{Capability, Names, SpecError, observed::Observed, part::Part, token_cache},
    condition::ConditionType,
};
pub use key::cipher::CipherError;
pub use key::write::File;
pub use objects::COMPONENT;
use ring::in_use::{EntriesOfKeys, InUse};
pub use ring::open::KeyRing;
pub use settings::Settings;
use state::RingState;
pub use view::labelled_otherwise;

/// What a pass knows of the ring beside what it observed.
pub struct Given<'pass> {
    /// Why no server can be asked for anything now, in words.
    pub obstacle: Option<&'pass str>,
    /// The keys that were opened before.
    pub opened: &'pass KeyRing,
    /// What stored entries show to be in use; `None` where nobody could be asked.
    pub in_use: Option<InUse>,
}

/// What the ring has for those after it.
pub struct Offer {
    /// The keys that were opened; `None` where the operator makes no ring.
    pub opened: Option<KeyRing>,
    /// Whether there is a key.
    pub has_keys: bool,
    /// The names under which applications may have encrypted.
    pub names: Vec<String>,
    /// Why keys may be missing in the ring that applications have, in words.
    pub gap: Option<String>,
    /// Entries that are to be counted, or removed, since a key is being revoked.
    pub revoking: Option<EntriesOfKeys>,
}

impl Capability for Settings {
    type Given<'pass> = Given<'pass>;
    type Offer = Offer;

    fn parse(cache: &TokenCache) -> Result<Self, SpecError> {
        Self::parse(token_cache::owner(cache), cache).map_err(|error| SpecError(error.to_string()))
    }

    fn names(&self, _: &[OperationStatus]) -> Names {
        view::names(self)
    }

    fn conditions(&self) -> Vec<ConditionType> {
        self.rotation.iter().map(|_| ConditionType::KeyRingReady).collect()
    }

    fn decide(&self, observed: &Observed<'_>, given: Given<'_>) -> (Part, Offer) {
        let (now, before) = (observed.now, observed.previous.key_ring.as_ref());
        let seen = view::ring_secrets(self, observed, given.obstacle);
        let state = RingState::read(self, &seen, given.opened, now);
        let asks = Part { asks: view::asks(self, &seen, &state, now), ..Part::default() };
        let plan = part::plan(self, &seen, &state, view::unmarked(self, observed, &seen));
        let mended = observed.mended(part::GROUP);
        let said = part::assessment(self, &seen, &state, given.in_use.as_ref(), (mended, before), now);
        let offer = Offer {
            has_keys: state.ring.as_ref().is_some_and(|ring| !ring.ring.members().is_empty()),
            opened: state.ring.as_ref().map(|ring| ring.key_ring.clone()),
            names: self.application_names(),
            gap: state.gap(self, &seen),
            revoking: state.revoke.sweep,
        };
        (asks.and(plan).and(said), offer)
    }
}
