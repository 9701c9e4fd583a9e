//! The door that every capability offers, and the words that capabilities share. Pure.
//!
//! | module | what |
//! |---|---|
//! | [`time`] | durations and times |
//! | [`cost`] | how a message says what its remedy costs |
//! | [`progress`] | how far a sweep of entries is |
//! | [`operation`] | what annotations ask for, and what is said of that |
//! | [`token_cache`] | which `TokenCache` is meant |
//! | [`ask`] | what a decision would know better |
//! | [`observed`] | what a round of a pass saw |
//! | [`part`] | what a capability has decided on |

pub mod ask;
pub mod cost;
pub mod observed;
pub mod operation;
pub mod part;
pub mod progress;
pub mod time;
pub mod token_cache;

use crate::{
    api::v1alpha1::{OperationStatus, TokenCache},
    condition::ConditionType,
    kubernetes::{name, object::Kind, read::workload::Source},
};
use observed::Observed;
use part::Part;

/// The door of a capability. It is implemented by what a cache wants of it.
pub trait Capability: Sized {
    /// What it is given beside what was observed: what those before it offer, and what prober and sweeper have seen.
    type Given<'pass>;
    /// What it has for those after it, and for prober and sweeper.
    type Offer;

    /// Reads a spec.
    ///
    /// # Errors
    /// Why it cannot be carried out.
    fn parse(cache: &TokenCache) -> Result<Self, SpecError>;

    /// What it knows by name. `operations` is what the status says of requests.
    fn names(&self, operations: &[OperationStatus]) -> Names;

    /// Its conditions, none of which is known while nothing can be seen.
    fn conditions(&self) -> Vec<ConditionType>;

    /// Decides on what was seen. The same input, the same output.
    fn decide(&self, observed: &Observed<'_>, given: Self::Given<'_>) -> (Part, Self::Offer);
}

/// Why a spec cannot be carried out: the sentence that goes into `SpecValid`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SpecError(pub String);

/// What a capability knows by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// The objects that it makes. What else has a name of the cache's own is seen where a watch shows it.
    pub objects: Vec<(Kind, String)>,
    /// Its pods.
    pub pods: Vec<String>,
    /// The claims of their volumes.
    pub claims: Vec<Claim>,
    /// The user's Secrets. A pass comes whenever one of them changes.
    pub secrets: Vec<String>,
    /// Whether it reads the Secrets that outlive the cache.
    pub reads_lasting: bool,
}

/// The claim of a pod's volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The claim.
    pub name: String,
    /// The pod.
    pub pod: String,
    /// The component that its labels are to name.
    pub component: &'static str,
}

impl Names {
    /// Both.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        // Without `..`: what is named and lost here does not compile.
        let Self { objects, pods, claims, secrets, reads_lasting } = other;
        self.objects.extend(objects);
        self.pods.extend(pods);
        self.claims.extend(claims);
        self.secrets.extend(secrets);
        self.reads_lasting |= reads_lasting;
        self
    }
}

/// What applications take from a cache.
#[must_use]
pub fn published(cache: &str) -> [Source; 4] {
    [
        Source::Secret(name::redis(cache)),
        Source::Secret(name::keys(cache)),
        Source::Secret(name::key_certificates(cache)),
        Source::ConfigMap(name::settings(cache)),
    ]
}
