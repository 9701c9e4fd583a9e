//! Entries of a cache that Microsoft.Identity.Web wrote, told apart exactly.

use tokencache_operator::{
    data_protection::{
        key::{id::KeyId, revocation::Revocation},
        payload::Purposes,
        ring::open::KeyRing,
    },
    entries::entry::{
        Entry, Undecryptable,
        reader::{Read, Reader},
    },
};

use crate::support::stored::{APPLICATION, KEYS, OTHER_KEY, Stored, stored};
use crate::vectors::{dice, open, pairs, parts, ring};

/// A key of one of MSAL's forms.
const OF_MSAL: &str = "22222222-0000-0000-0000-000000000001.aaaaaaaa-0000-0000-0000-00000000000a";
/// One that an application gave, or whatever else.
const OTHER: &str = "session-key-1";

/// What an entry is under a key of this name.
fn entry(key: &str, bytes: &[u8], ring: &KeyRing) -> Entry {
    Reader::new(ring.clone(), vec![APPLICATION.to_owned()]).read(key.as_bytes(), bytes).entry
}

/// The key that MSAL gave to it: what follows the prefix.
fn msal_key(stored: &Stored) -> &str {
    stored.key.rsplit(':').next().unwrap()
}

#[test]
fn every_recorded_entry_is_what_it_is() {
    let ring = ring("cache-entries/ring");
    for stored in stored() {
        let entry = entry(msal_key(&stored), &stored.data(), &ring);
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
        entries.map(|stored| entry(msal_key(stored), &stored.data(), &ring)).collect::<Vec<_>>()
    };
    for entry in of("fx-encA:") {
        assert_eq!(entry, Entry::Undecryptable { key: revoked, why: Undecryptable::KeyRevoked });
    }
    assert!(of("fx-encB:").iter().all(|entry| matches!(entry, Entry::Readable(_))));
}

/// Of a revoked key it is still known what it encrypted for tokens, and what for something else.
#[test]
fn what_a_revoked_key_encrypted_is_told_by_its_content_under_any_key() {
    let (keys, _) = parts("cache-entries/ring");
    let key = keys[0].id;
    let before = open(&keys, &[], &[]);
    let protect = |purposes: Purposes| before.protector(key).unwrap().protect(&purposes, b"{}", &dice(3)).unwrap();
    let tokens = protect(Purposes::token_cache(APPLICATION));
    let others = [Purposes::new(APPLICATION, &["tickets"]), Purposes::token_cache("elsewhere")].map(protect);
    let after = open(&keys, &[Revocation::of(key, keys[0].created.timestamp(), "compromised")], &[]);
    let revoked = Entry::Undecryptable { key, why: Undecryptable::KeyRevoked };
    assert_eq!(entry(OTHER, &tokens, &after), revoked);
    for other in others {
        assert_eq!(entry(OTHER, &other, &after), Entry::Strange { key: Some(key) });
        assert_eq!(entry(OF_MSAL, &other, &after), revoked, "nothing else has such a key");
    }
}

/// Sessions, tickets and the like, protected by the same application with the same ring, or with one of its own.
#[test]
fn what_is_encrypted_under_a_key_that_is_none_of_msals_is_a_token_entry_only_where_it_decrypts_as_one() {
    let (ring, other_ring) = (ring("cache-entries/ring"), ring("cache-entries/ring-other"));
    let protector = |ring: &KeyRing, key: &str| ring.protector(KeyId::parse(key).unwrap()).unwrap().clone();
    let [_, known] = KEYS.map(|key| KeyId::parse(key).unwrap());
    let lost = KeyId::parse(OTHER_KEY).unwrap();
    let tokens = Purposes::token_cache(APPLICATION);
    let ticket = Purposes::new(APPLICATION, &["Microsoft.AspNetCore.Authentication.Cookies"]);
    let of = |ring: &KeyRing, key: &str, purposes: &Purposes| {
        protector(ring, key).protect(purposes, b"{}", &dice(4)).unwrap()
    };
    for key in [OTHER, "ticket:2b1e4d7c-0000-0000-0000-000000000001", "AuthSessionStore-47VQLI0W26dqf2BGJttbqQ"] {
        let told = |bytes: &[u8]| entry(key, bytes, &ring);
        assert_eq!(told(&of(&ring, KEYS[1], &tokens)), Entry::Readable(known), "{key}");
        assert_eq!(told(&of(&ring, KEYS[1], &ticket)), Entry::Strange { key: Some(known) }, "{key}");
        for purposes in [&tokens, &ticket] {
            assert_eq!(told(&of(&other_ring, OTHER_KEY, purposes)), Entry::Strange { key: Some(lost) }, "{key}");
        }
    }
    // As text, which is how sessions are protected most often.
    assert_eq!(entry(OTHER, b"CfDJ8AAAAAAAAAAA", &ring), Entry::Strange { key: None });
}

#[test]
fn with_a_certificate_missing_its_key_is_closed_and_not_missing() {
    let (keys, _) = parts("data-protection/cert-current");
    let ring = open(&keys, &[], &[]);
    let opened = open(&keys, &[], &pairs());
    assert_eq!(ring.closed().count(), 3);
    let payload = opened.protector(keys[0].id).unwrap().protect(&Purposes::token_cache("a"), b"{}", &dice(1)).unwrap();
    let entry = Reader::new(ring, vec!["a".to_owned()]).read(OF_MSAL.as_bytes(), &payload).entry;
    assert!(matches!(entry, Entry::Undecryptable { why: Undecryptable::KeyClosed(_), .. }), "{entry:?}");
}

#[test]
fn the_name_of_the_application_is_found_among_several() {
    let (ring, entries) = (ring("cache-entries/ring"), stored());
    let data = |prefix: &str| {
        let stored = entries.iter().find(|stored| stored.is_of(prefix)).unwrap();
        (msal_key(stored).as_bytes(), stored.data())
    };
    let names = ["/app", "/app/", "another-app", APPLICATION].map(str::to_owned);
    let reader = Reader::new(ring.clone(), names.to_vec());
    let read = |reader: &Reader, prefix: &str| {
        let (key, bytes) = data(prefix);
        reader.read(key, &bytes)
    };
    let name = |prefix: &str| read(&reader, prefix).name;
    assert_eq!(name("fx-encB:"), Some(3));
    assert_eq!(name("fx-otherapp:"), Some(2));
    assert_eq!(read(&reader, "fx-plain:"), Read { entry: Entry::Plain, name: None });
    let read = read(&Reader::new(ring, vec!["/app".to_owned()]), "fx-encB:");
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
        for name in [OF_MSAL, OTHER] {
            assert_eq!(entry(name, &payload, &ring), Entry::Undeserializable { key: Some(key) });
        }
    }
    assert_eq!(entry(OF_MSAL, b"{\"AccessToken\":1}", &ring), Entry::Undeserializable { key: None });
    assert_eq!(entry(OTHER, b"{\"AccessToken\":1}", &ring), Entry::Strange { key: None });
}

#[test]
fn an_entry_cut_short_is_not_readable() {
    let (ring, entries) = (ring("cache-entries/ring"), stored());
    let data = entries.iter().find(|stored| stored.is_of("fx-encB:")).unwrap().data();
    for length in [0, 4, 19] {
        assert_eq!(entry(OF_MSAL, &data[..length], &ring), Entry::Undeserializable { key: None }, "{length}");
    }
    for length in [20, 36, 52, data.len() - 1] {
        let told = entry(OF_MSAL, &data[..length], &ring);
        assert!(matches!(told, Entry::Undecryptable { why: Undecryptable::OtherApplication, .. }), "{length}");
    }
}
