//! Why there is nothing to decide on.

use kube::Resource;

use crate::kubernetes::words;

/// Why there is nothing to plan from.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// The API server, or the way to it, did not answer.
    #[error("read {object}: {}", words::of(source.as_ref()))]
    Read {
        /// Which object.
        object: String,
        /// What it answered.
        source: Box<kube::Error>,
    },
}

impl ObserveError {
    /// Whether the operator lacks the right.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        let Self::Read { source, .. } = self;
        matches!(source.as_ref(), kube::Error::Api(status) if matches!(status.code, 401 | 403))
    }
}

pub(super) fn read_error<K: Resource<DynamicType = ()>>(name: &str, source: kube::Error) -> ObserveError {
    ObserveError::Read { object: format!("{} {name}", K::kind(&())), source: Box::new(source) }
}
