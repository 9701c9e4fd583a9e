//! What is written, as values: a closed list of verbs, and what the API server answers.
//!
//! In: objects that a plan wants. Out: [`Write`]s, which [`execute`](execute::execute) carries out one by one. A write knows no
//! capability, and decides nothing: whether something is to be written is settled by [`upkeep`] and by plans.

pub mod admitted;
pub mod error;
pub mod execute;
pub mod random;
pub mod settled;
pub mod subset;
pub mod upkeep;

use std::{fmt, sync::Arc};

use k8s_openapi::{api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::OwnerReference};

use super::{
    identity::labels::Lacking,
    object::{Kind, Object, Reference},
};
pub use error::{WriteError, WriteErrorClass};
pub use execute::{execute, rehearse};
pub use random::{NoRandom, RANDOM_BYTES, random};

/// One write.
#[derive(Clone)]
pub enum Write {
    /// POST. Whether the name is free says the API server; an object that stands there already is left as it is.
    Create(Object),
    /// A Secret of random bytes, which are drawn at this moment: POST; or, of a draft that names a version, a merge patch at
    /// exactly that version.
    Mint(Arc<dyn Draft>),
    /// Server-side apply with force, of the object with this UID: nobody else has a say in what is ours. At its version only,
    /// where it names one.
    Apply(Object),
    /// Makes the record of the POST that made an object that of an apply, which takes away only what an earlier apply put there;
    /// or takes it away, where that of an apply stands beside it. Nothing else of the object is changed.
    TakeOver(Reference, Posted),
    /// Merge patch of a Secret: these keys in, those out, in one write, so that nobody ever reads it with the one and without
    /// the other. It names the version at which it was seen, unless keys only go.
    Amend {
        /// What is to be in it.
        secret: Secret,
        /// The keys of its data that are to go.
        without: Vec<String>,
    },
    /// Gives an object that outlives its owner the labels and annotations that it lacks, at the version at which it was seen.
    Label(Reference, Lacking),
    /// Takes the owners from an object that outlives them, at the version at which it was seen.
    Disown(Reference),
    /// Gives an object that nobody owns this owner, at the version at which it was seen. Nothing else of it is changed.
    Adopt(Reference, OwnerReference),
    /// Deletes an object, if it still is the one that was seen. That it is gone already is fine.
    Delete(Reference),
}

/// A Secret whose bytes are drawn when it is written.
pub trait Draft: fmt::Debug + Send + Sync {
    /// The Secret's name.
    fn name(&self) -> String;
    /// The Secret, from random bytes; `None` where they do not suffice. With a version, where it takes the place of one that
    /// was seen.
    fn secret(&self, random: &[u8]) -> Option<Secret>;
}

/// The record that a POST has left in an object's `managedFields`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// Its place among the records.
    pub index: usize,
    /// The version of the object at which it was seen there.
    pub version: String,
    /// Whether the record of an apply, which has all of it that was asked for, stands beside it.
    pub is_spare: bool,
}

/// What became of a write.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// It was carried out, and this is how the object stands now.
    Stored(Object),
    /// Under the name stands this object, which was not known when the write was planned. It was left as it is.
    Taken(Object),
    /// The object is gone, or going.
    Deleted(Box<Reference>),
    /// Nothing was to be done, or what was planned from is not there any more: what stands there now is seen by the next look.
    Nothing,
}

impl Write {
    /// The kind of the object.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Create(object) | Self::Apply(object) => object.kind(),
            Self::Mint(_) | Self::Amend { .. } => Kind::Secret,
            Self::TakeOver(object, _)
            | Self::Label(object, _)
            | Self::Disown(object)
            | Self::Adopt(object, _)
            | Self::Delete(object) => object.kind,
        }
    }

    /// The name of the object.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Create(object) | Self::Apply(object) => object.name().to_owned(),
            Self::Mint(draft) => draft.name(),
            Self::Amend { secret, .. } => secret.metadata.name.clone().unwrap_or_default(),
            Self::TakeOver(object, _)
            | Self::Label(object, _)
            | Self::Disown(object)
            | Self::Adopt(object, _)
            | Self::Delete(object) => object.name().to_owned(),
        }
    }
}

// By hand: derived, it would print the content of Secrets.
impl fmt::Debug for Write {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create(object) => write!(formatter, "create {object:?}"),
            Self::Mint(draft) => write!(formatter, "mint Secret {}", draft.name()),
            Self::Apply(object) => write!(formatter, "apply {object:?}"),
            Self::TakeOver(object, _) => write!(formatter, "take over {object}"),
            Self::Amend { without, .. } if without.is_empty() => write!(formatter, "amend Secret {}", self.name()),
            Self::Amend { without, .. } => write!(formatter, "amend Secret {} without {without:?}", self.name()),
            Self::Label(object, _) => write!(formatter, "label {object}"),
            Self::Disown(object) => write!(formatter, "disown {object}"),
            Self::Adopt(object, _) => write!(formatter, "adopt {object}"),
            Self::Delete(object) => write!(formatter, "delete {object}"),
        }
    }
}

impl PartialEq for Write {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Create(one), Self::Create(other)) | (Self::Apply(one), Self::Apply(other)) => one == other,
            // Two drafts are equal where they say the same of themselves: their bytes are not drawn yet.
            (Self::Mint(one), Self::Mint(other)) => format!("{one:?}") == format!("{other:?}"),
            (Self::TakeOver(one, here), Self::TakeOver(other, there)) => one == other && here == there,
            (Self::Amend { secret: one, without: here }, Self::Amend { secret: other, without: there }) => {
                one == other && here == there
            }
            (Self::Label(one, here), Self::Label(other, there)) => one == other && here == there,
            (Self::Adopt(one, here), Self::Adopt(other, there)) => one == other && here == there,
            (Self::Disown(one), Self::Disown(other)) | (Self::Delete(one), Self::Delete(other)) => one == other,
            _ => false,
        }
    }
}
