//! Certificates: which are kept, and for how long.

use jiff::Timestamp;
use tokencache_operator::data_protection::{
    certificate::Pair,
    key::{Key, KeyDates},
    ring::certificates::{Candidate, files, for_new_keys, kept, needed, read},
};

use crate::{
    application::{DAY, HOUR},
    vectors::{dice, pair, pairs, parts},
};

const NOW: Timestamp = Timestamp::constant(1_795_000_000, 0);

fn key(seed: u64, pair: &Pair) -> Key {
    KeyDates { created: NOW, activates: NOW, expires: NOW }.make(Some(pair.certificate()), &dice::<128>(seed)).unwrap()
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

#[test]
fn published_certificates_are_read_back_and_are_the_same_each_time() {
    let files = files(&pairs());
    assert_eq!(files.len(), 9);
    assert_eq!(files, self::files(&pairs()));
    let mut back = thumbprints(&read(files.iter().map(|(name, content)| (name.as_str(), content.as_slice()))));
    let mut expected = thumbprints(&pairs());
    back.sort();
    expected.sort();
    assert_eq!(back, expected);
}

#[test]
fn a_renewed_certificate_is_used_once_every_process_has_started_after_it_came() {
    let candidates = [
        Candidate { pair: pair("current"), published: NOW },
        Candidate { pair: pair("previous"), published: NOW - DAY * 60 },
    ];
    let used =
        |candidates: &[Candidate], started: Option<Timestamp>| for_new_keys(candidates, started).map(Pair::thumbprint);
    let (new, old) = (Some(candidates[0].pair.thumbprint()), Some(candidates[1].pair.thumbprint()));
    assert_eq!(used(&candidates, Some(NOW - HOUR)), old);
    // Its volume may still have had the ones before.
    assert_eq!(used(&candidates, Some(NOW)), old);
    assert_eq!(used(&candidates, Some(NOW + HOUR)), new);
    assert_eq!(used(&candidates, Some(NOW - DAY * 90)), old);
    assert_eq!(used(&candidates, None), new);
    assert_eq!(used(&candidates[..1], Some(NOW - DAY)), new);
    assert_eq!(used(&[], None), None);
}
