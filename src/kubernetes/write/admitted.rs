//! What the API server made of what was applied. An admission policy may change an object on its way in, such as the
//! registry of an image: then the live object never is what was wanted, and would be written again and again.
//!
//! In: what was wanted, and the metadata that came back. Out: whether a live object is what came of the same wish. Nothing
//! of this is kept across a restart: one more apply, which changes nothing, tells it again.

use aws_lc_rs::digest::{SHA256, digest};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;

/// What came of an applied spec: a generation of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    uid: String,
    generation: i64,
    fingerprint: String,
}

impl Admitted {
    /// What came of this spec. `None` for objects whose generations are not counted.
    #[must_use]
    pub fn new(answer: &ObjectMeta, spec: &impl Serialize) -> Option<Self> {
        let (uid, generation) = (answer.uid.clone()?, answer.generation?);
        Some(Self { uid, generation, fingerprint: fingerprint(spec)? })
    }

    /// Whether a live object is still what came of the same spec: whoever changed its spec has made another generation.
    #[must_use]
    pub fn holds(&self, live: &ObjectMeta, spec: &impl Serialize) -> bool {
        live.uid.as_ref() == Some(&self.uid)
            && live.generation == Some(self.generation)
            && fingerprint(spec).as_ref() == Some(&self.fingerprint)
    }
}

fn fingerprint(spec: &impl Serialize) -> Option<String> {
    Some(hex::encode(digest(&SHA256, &serde_json::to_vec(spec).ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(uid: &str, generation: i64) -> ObjectMeta {
        ObjectMeta { uid: Some(uid.to_owned()), generation: Some(generation), ..ObjectMeta::default() }
    }

    #[test]
    fn it_holds_for_the_same_wish_and_the_generation_that_came_of_it() {
        let admitted = Admitted::new(&object("a", 3), &"wish").unwrap();
        assert!(admitted.holds(&object("a", 3), &"wish"));
        assert!(!admitted.holds(&object("a", 4), &"wish"), "somebody changed it since");
        assert!(!admitted.holds(&object("b", 3), &"wish"), "another object of the same name");
        assert!(!admitted.holds(&object("a", 3), &"another wish"));
        assert_eq!(Admitted::new(&ObjectMeta::default(), &"wish"), None);
    }
}
