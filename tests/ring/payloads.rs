//! Payloads: what ASP.NET Core protected is read, and what is protected here has the same form.

use tokencache_operator::data_protection::{
    key::id::KeyId,
    payload::{self, Purposes, RANDOM_BYTES},
    ring::open::UnprotectError,
};

use crate::vectors::{RINGS, dice, payloads, ring};

#[test]
fn every_payload_that_asp_net_core_protected_is_read() {
    for name in RINGS.into_iter().chain(["revoked", "revoked-all"]) {
        let ring = ring(&format!("data-protection/{name}"));
        for vector in payloads().iter().filter(|vector| vector.ring == name) {
            let read = ring.unprotect(&vector.purposes(), &vector.protected());
            if vector.must_fail {
                assert!(matches!(read, Err(UnprotectError::KeyRevoked(_))), "{vector:?}");
            } else {
                assert_eq!(read.unwrap().as_slice(), vector.plaintext(), "{vector:?}");
                let id = payload::key_id(&vector.protected()).unwrap();
                assert_eq!(Some(id), vector.key_id.as_deref().and_then(KeyId::parse));
            }
        }
    }
}

/// With the same random numbers the same payload comes out: this is the other way round, for every vector.
#[test]
fn every_payload_is_made_again_from_its_own_random_numbers_byte_for_byte() {
    for vector in payloads().iter().filter(|vector| !vector.must_fail) {
        let ring = ring(&format!("data-protection/{}", vector.ring));
        let protected = vector.protected();
        let mut random = [0; RANDOM_BYTES];
        // A nonce is shorter than a vector; what follows it is not used.
        random.copy_from_slice(&protected[20..20 + RANDOM_BYTES]);
        let protector = ring.protector(payload::key_id(&protected).unwrap()).unwrap();
        let made = protector.protect(&vector.purposes(), &vector.plaintext(), &random).unwrap();
        assert_eq!(made, protected, "{vector:?}");
    }
}

#[test]
fn a_payload_of_another_ring_another_application_or_none_at_all_says_why() {
    let vectors = payloads();
    let vector = vectors.iter().find(|vector| vector.ring == "cbc-hmac").unwrap();
    let (own, other) = (ring("data-protection/cbc-hmac"), ring("data-protection/gcm"));
    let id = payload::key_id(&vector.protected()).unwrap();
    assert_eq!(other.unprotect(&vector.purposes(), &vector.protected()), Err(UnprotectError::KeyMissing(id)));
    let elsewhere = Purposes::token_cache("another");
    assert_eq!(own.unprotect(&elsewhere, &vector.protected()), Err(UnprotectError::Rejected(id)));
    assert_eq!(own.unprotect(&elsewhere, b"{}"), Err(UnprotectError::NotProtected));
}

#[test]
fn one_pod_protects_and_another_one_reads() {
    let (first, second) = (ring("data-protection/cert-current"), ring("data-protection/cert-current"));
    let id = KeyId::parse("ad5c3758-db5a-4498-a948-017529b2ef58").unwrap();
    let purposes = Purposes::new("/app", &["doctor"]);
    let payload = first.protector(id).unwrap().protect(&purposes, b"round trip", &dice(1)).unwrap();
    assert_eq!(second.unprotect(&purposes, &payload).unwrap().as_slice(), b"round trip");
}
