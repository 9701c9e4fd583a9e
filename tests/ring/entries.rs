//! Entries of a cache that Microsoft.Identity.Web wrote, told apart exactly.

use tokencache_operator::data_protection::{
    entry::{Entry, Undecryptable},
    key_id::KeyId,
    payload::Purposes,
    reader::{Read, Reader},
    revocation::Revocation,
};

use crate::support::stored::{APPLICATION, stored};
use crate::vectors::{dice, open, pairs, parts, ring};

#[test]
fn every_recorded_entry_is_what_it_is() {
    let ring = ring("cache-entries/ring");
    for stored in stored() {
        let entry = Entry::of(&stored.data(), &ring, APPLICATION);
        let expected = match stored.key_id() {
            None => Entry::Plain,
            Some(key) if stored.is_of("fx-otherapp:") => {
                Entry::Undecryptable { key, why: Undecryptable::OtherApplication }
            }
            Some(key) if stored.is_of("fx-otherring:") => Entry::Undecryptable { key, why: Undecryptable::KeyMissing },
            Some(key) => Entry::Readable(key),
        };
        assert_eq!(entry, expected, "{}", stored.key);
        assert_eq!(entry.key(), stored.key_id());
    }
}

#[test]
fn with_a_key_revoked_its_entries_are_told_and_the_others_stay_readable() {
    let (keys, _) = parts("cache-entries/ring");
    let revoked = KeyId::parse("89c124f1-5cf8-4e31-813c-67ccf7852c9f").unwrap();
    let revocation = Revocation::of(revoked, keys[0].created.timestamp(), "compromised");
    let ring = open(&keys, &[revocation], &[]);
    let entries = stored();
    let of = |prefix: &str| {
        let mut entries = entries.iter().filter(|stored| stored.is_of(prefix)).peekable();
        assert!(entries.peek().is_some());
        entries.map(|stored| Entry::of(&stored.data(), &ring, APPLICATION)).collect::<Vec<_>>()
    };
    for entry in of("fx-encA:") {
        assert_eq!(entry, Entry::Undecryptable { key: revoked, why: Undecryptable::KeyRevoked });
    }
    assert!(of("fx-encB:").iter().all(|entry| matches!(entry, Entry::Readable(_))));
}

#[test]
fn with_a_certificate_missing_its_key_is_closed_and_not_missing() {
    let (keys, _) = parts("data-protection/cert-current");
    let ring = open(&keys, &[], &[]);
    let opened = open(&keys, &[], &pairs());
    assert_eq!(ring.closed().count(), 3);
    let payload = opened.protector(keys[0].id).unwrap().protect(&Purposes::token_cache("a"), b"{}", &dice(1)).unwrap();
    let entry = Entry::of(&payload, &ring, "a");
    assert!(matches!(entry, Entry::Undecryptable { why: Undecryptable::KeyClosed(_), .. }), "{entry:?}");
}

#[test]
fn the_name_of_the_application_is_found_among_several() {
    let (ring, entries) = (ring("cache-entries/ring"), stored());
    let data = |prefix: &str| entries.iter().find(|stored| stored.is_of(prefix)).unwrap().data();
    let names = ["/app", "/app/", "another-app", APPLICATION].map(str::to_owned);
    let reader = Reader::new(ring.clone(), names.to_vec());
    let name = |prefix: &str| reader.read(&data(prefix)).name;
    assert_eq!(name("fx-encB:"), Some(3));
    assert_eq!(name("fx-otherapp:"), Some(2));
    assert_eq!(reader.read(&data("fx-plain:")), Read { entry: Entry::Plain, name: None });
    let read = Reader::new(ring, vec!["/app".to_owned()]).read(&data("fx-encB:"));
    assert!(
        matches!(read.entry, Entry::Undecryptable { why: Undecryptable::OtherApplication, .. }) && read.name.is_none()
    );
}

#[test]
fn what_decrypts_and_is_no_token_cache_is_undeserializable() {
    let ring = ring("cache-entries/ring");
    let key = KeyId::parse("b8a897fe-24c2-41aa-bcdd-9ee3bb632b99").unwrap();
    let protector = ring.protector(key).unwrap();
    for plaintext in [&b"[]"[..], b"", b"\x00\x01binary", b"{\"AccessToken\":1}"] {
        let payload = protector.protect(&Purposes::token_cache(APPLICATION), plaintext, &dice(2)).unwrap();
        assert_eq!(Entry::of(&payload, &ring, APPLICATION), Entry::Undeserializable { key: Some(key) });
    }
    assert_eq!(Entry::of(b"{\"AccessToken\":1}", &ring, APPLICATION), Entry::Undeserializable { key: None });
}

#[test]
fn an_entry_cut_short_is_not_readable() {
    let (ring, entries) = (ring("cache-entries/ring"), stored());
    let data = entries.iter().find(|stored| stored.is_of("fx-encB:")).unwrap().data();
    for length in [4, 19, 20, 36, 52, data.len() - 1] {
        assert!(Entry::of(&data[..length], &ring, APPLICATION).is_unreadable(), "{length}");
    }
}
