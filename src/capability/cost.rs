//! How a message says what its remedy costs: in the first words of it, the cheapest way first.
//!
//! In: nothing. Out: these words. What a restart of a server costs is for [`redis`](crate::redis::restart) to say.

use crate::api::v1alpha1::{Annotation, FLUSH_ANNOTATION, REVOKE_KEY_ANNOTATION};

/// The first words of a remedy that loses nothing and stops nobody.
pub const NOTHING: &str = "Costs nothing";

/// The first words of a remedy for a server that does not run: nothing is lost by it that is not lost already.
pub const NOTHING_MORE: &str = "Costs nothing more";

/// The first words of a line that makes a request.
#[must_use]
pub fn of_request(annotation: Annotation) -> &'static str {
    match annotation {
        REVOKE_KEY_ANNOTATION => "Costs what the key encrypted",
        FLUSH_ANNOTATION => "Costs the entries that it names",
        _ => NOTHING,
    }
}
