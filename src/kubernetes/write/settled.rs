//! Which objects were found to be as they are wanted, so that the same two are not compared again at every pass.
//!
//! In: a live object's metadata, and what is wanted. Out: whether nothing is to be written. Only digests are kept, of what was found
//! to be so: of another version of the object, and of another wish, nothing is known.

use std::{
    collections::HashSet,
    fmt,
    sync::{Mutex, PoisonError},
};

use aws_lc_rs::digest::{Context, SHA256};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;

/// How much is kept of one cache: more than the objects that it has.
const MOST: usize = 28;

/// Which objects were found to be as they are wanted.
#[derive(Default)]
pub struct Settled(Mutex<HashSet<[u8; 16]>>);

impl fmt::Debug for Settled {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Settled").finish_non_exhaustive()
    }
}

impl Settled {
    /// Whether a live object is as it is wanted: what was found of this version of it and this wish, or what `compare` finds.
    pub fn holds(&self, live: &ObjectMeta, wanted: &impl Serialize, compare: impl FnOnce() -> bool) -> bool {
        let Some(asked) = digest(live, wanted) else { return compare() };
        if self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&asked) {
            return true;
        }
        let holds = compare();
        if holds {
            let mut settled = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if settled.len() >= MOST {
                settled.clear();
            }
            settled.insert(asked);
        }
        holds
    }
}

/// Tells a version of an object and a wish from any others; `None` where the object does not say which version it is.
fn digest(live: &ObjectMeta, wanted: &impl Serialize) -> Option<[u8; 16]> {
    let mut context = Context::new(&SHA256);
    for part in [live.uid.as_ref()?, live.resource_version.as_ref()?] {
        context.update(&part.len().to_be_bytes());
        context.update(part.as_bytes());
    }
    context.update(&serde_json::to_vec(wanted).ok()?);
    context.finish().as_ref().first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(uid: &str, version: &str) -> ObjectMeta {
        ObjectMeta { uid: Some(uid.to_owned()), resource_version: Some(version.to_owned()), ..ObjectMeta::default() }
    }

    #[test]
    fn what_was_found_is_known_of_that_version_and_that_wish_only() {
        let settled = Settled::default();
        assert!(settled.holds(&object("a", "1"), &"wish", || true));
        assert!(settled.holds(&object("a", "1"), &"wish", || false), "it is not compared again");
        for (live, wish) in [(object("a", "2"), "wish"), (object("b", "1"), "wish"), (object("a", "1"), "another wish")]
        {
            assert!(!settled.holds(&live, &wish, || false), "{live:?} {wish}");
        }
    }

    #[test]
    fn what_differs_and_what_has_no_version_is_compared_each_time() {
        let settled = Settled::default();
        assert!(!settled.holds(&object("a", "1"), &"wish", || false));
        assert!(settled.holds(&object("a", "1"), &"wish", || true));
        assert!(settled.holds(&ObjectMeta::default(), &"wish", || true));
        assert!(!settled.holds(&ObjectMeta::default(), &"wish", || false));
    }

    #[test]
    fn no_more_is_kept_than_a_cache_needs() {
        let settled = Settled::default();
        for version in 0..1000 {
            assert!(settled.holds(&object("a", &version.to_string()), &"wish", || true));
        }
        assert!(settled.0.lock().unwrap().len() <= MOST);
        assert!(settled.holds(&object("a", "999"), &"wish", || false));
    }
}
