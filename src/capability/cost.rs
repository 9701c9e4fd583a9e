//! What a remedy costs, in words that follow "costs".
//!
//! In: nothing. Out: these words. What a restart of a server costs is for [`redis`](crate::redis::restart) to say.

use crate::api::v1alpha1::{Annotation, FLUSH_ANNOTATION, REVOKE_KEY_ANNOTATION};

/// What loses nothing and stops nobody.
pub const NOTHING: &str = "nothing";

/// The cost of a remedy for a server that does not run: nothing is lost by it that is not lost already.
pub const NOTHING_MORE: &str = "nothing more";

/// The cost of a request.
#[must_use]
pub fn of_request(annotation: Annotation) -> &'static str {
    match annotation {
        REVOKE_KEY_ANNOTATION => "what the key encrypted",
        FLUSH_ANNOTATION => "the entries that it names",
        _ => NOTHING,
    }
}
