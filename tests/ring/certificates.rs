//! Certificates: which are kept, and for how long.

use jiff::Timestamp;
use tokencache_operator::data_protection::{
    certificate::Pair,
    certificates::{kept, needed},
    key::{Key, KeyOrder},
};

use crate::vectors::{dice, pair, parts};

const NOW: Timestamp = Timestamp::constant(1_795_000_000, 0);

fn key(seed: u64, pair: &Pair) -> Key {
    KeyOrder { created: NOW, activates: NOW, expires: NOW }.make(Some(pair.certificate()), &dice::<128>(seed)).unwrap()
}

fn thumbprints(pairs: &[Pair]) -> Vec<String> {
    pairs.iter().map(|pair| pair.thumbprint().to_string()).collect()
}

#[test]
fn after_a_renewal_the_earlier_certificate_is_kept_while_a_key_needs_it() {
    let (old, new) = (pair("previous"), pair("current"));
    let keys = [key(1, &old), key(2, &new)];
    let kept = kept(&keys, std::slice::from_ref(&new), std::slice::from_ref(&old));
    assert_eq!(thumbprints(&kept.pairs), thumbprints(&[new, old]));
    assert!(kept.missing.is_empty());
}

#[test]
fn a_copy_that_no_key_needs_goes_and_one_that_the_user_names_stays() {
    let (old, new, third) = (pair("previous"), pair("current"), pair("rsa4096"));
    let keys = [key(1, &new)];
    let kept = kept(&keys, &[new.clone(), third.clone()], &[old, new.clone()]);
    assert_eq!(thumbprints(&kept.pairs), thumbprints(&[new, third]));
}

#[test]
fn a_certificate_that_a_key_needs_and_nobody_has_is_told() {
    let (old, new) = (pair("previous"), pair("current"));
    let kept = kept(&[key(1, &old)], &[new], &[]);
    assert_eq!(kept.missing.into_iter().collect::<Vec<_>>(), [old.thumbprint()]);
}

#[test]
fn a_plain_key_needs_no_certificate() {
    assert!(needed(&parts("data-protection/cbc-hmac").0).is_empty());
    assert_eq!(
        needed(&parts("data-protection/cert-current").0).into_iter().collect::<Vec<_>>(),
        [pair("current").thumbprint()]
    );
}
