//! The published ring: every file well-formed or not in it, every key once, and none ever left out.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tokencache_operator::data_protection::{
    key::{
        Key, KeyDates,
        id::KeyId,
        read::FileError,
        revocation::{Revocation, Revoked},
    },
    ring::published::{CAPACITY, Fill, Published, Refusal},
};

use crate::vectors::{dice, files};

const NOW: Timestamp = Timestamp::constant(1_795_000_000, 0);

fn key(seed: u64) -> Key {
    KeyDates { created: NOW, activates: NOW, expires: NOW }.make(None, &dice::<128>(seed)).unwrap()
}

fn file(key: &Key) -> Vec<u8> {
    key.file().unwrap().content.to_vec()
}

/// Of sources, with something published already.
fn published(sources: &[Vec<u8>], live: &[(&str, &[u8])]) -> Published {
    let places: Vec<String> = (0..sources.len()).map(|index| format!("Secret {index}")).collect();
    let sources = places.iter().map(String::as_str).zip(sources.iter().map(Vec::as_slice));
    Published::of(sources, live.iter().copied())
}

fn names(published: &Published) -> Vec<String> {
    published.files().keys().cloned().collect()
}

fn as_live(published: &Published) -> Vec<(&str, &[u8])> {
    published.files().iter().map(|(name, content)| (name.as_str(), content.as_slice())).collect()
}

#[test]
fn what_is_published_is_what_the_secrets_hold_byte_for_byte() {
    for ring in ["data-protection/cbc-hmac", "data-protection/cert-rsa4096", "data-protection/revoked"] {
        let sources: Vec<Vec<u8>> = files(ring).into_iter().map(|(_, bytes)| bytes).collect();
        let published = published(&sources, &[]);
        let expected: BTreeMap<String, Vec<u8>> = files(ring).into_iter().collect();
        let is: BTreeMap<String, Vec<u8>> =
            published.files().iter().map(|(name, content)| (name.clone(), content.to_vec())).collect();
        assert_eq!(is, expected);
        assert!(published.refused.is_empty() && published.strays.is_empty() && published.orphans.is_empty());
    }
}

#[test]
fn what_is_published_already_changes_nothing() {
    let sources = [file(&key(1)), file(&key(2)), Revocation::of(key(1).id, NOW, "leaked").file().content.to_vec()];
    let first = published(&sources, &[]);
    assert_eq!(first, published(&sources, &as_live(&first)));
}

#[test]
fn what_is_malformed_or_means_nothing_is_refused_and_the_rest_is_published() {
    let published = published(&[b"<key".to_vec(), file(&key(1)), b"<other/>".to_vec(), Vec::new()], &[]);
    assert_eq!(names(&published), [key(1).file_name()]);
    let refused: Vec<&str> = published.refused.iter().map(|refused| refused.file.as_str()).collect();
    assert_eq!(refused, ["Secret 0", "Secret 2", "Secret 3"]);
    assert!(matches!(published.refused[0].why, Refusal::File(FileError::Malformed(_))));
}

#[test]
fn a_key_is_never_twice_in_the_ring() {
    let same = published(&[file(&key(1)), file(&key(1))], &[]);
    assert_eq!((names(&same).len(), same.refused.len()), (1, 0));
    let other = String::from_utf8(file(&key(1))).unwrap().replace("AES_256", "AES_128").into_bytes();
    let upper = String::from_utf8(file(&key(1)))
        .unwrap()
        .replace(&key(1).id.to_string(), &key(1).id.to_string().to_uppercase());
    let differing = published(&[file(&key(1)), other, upper.into_bytes()], &[]);
    assert_eq!(names(&differing), [key(1).file_name()]);
    let refused: Vec<_> = differing.refused.iter().map(|refused| refused.why.clone()).collect();
    assert_eq!(refused, [Refusal::Duplicate(key(1).id)], "in upper case it is the same key");
}

#[test]
fn foreign_and_malformed_files_in_the_published_ring_are_told_and_go() {
    let one = file(&key(1));
    let published = published(
        std::slice::from_ref(&one),
        &[("ca.crt", b"PEM"), ("key-x.xml", b"<key"), ("notes.xml", b"<notes/>"), ("copy.xml", &one)],
    );
    assert_eq!(names(&published), [key(1).file_name()]);
    let strays: Vec<(&str, &Refusal)> =
        published.strays.iter().map(|stray| (stray.file.as_str(), &stray.why)).collect();
    assert_eq!(strays.len(), 4);
    assert_eq!(strays[3], ("copy.xml", &Refusal::Twice));
}

#[test]
fn an_edited_or_deleted_file_is_published_anew() {
    let (one, two) = (file(&key(1)), file(&key(2)));
    let name = key(1).file_name();
    let published = published(&[one.clone(), two], &[(&name, b"<key")]);
    assert_eq!(published.files()[&name].as_slice(), one);
    assert_eq!(names(&published).len(), 2);
    assert_eq!(published.strays[0].why, Refusal::Edited);
    assert!(published.orphans.is_empty());
}

#[test]
fn a_key_whose_own_secret_is_gone_stays_published_and_is_to_get_one_again() {
    let (one, two) = (file(&key(1)), file(&key(2)));
    let name = key(2).file_name();
    let revocation = Revocation::of(key(2).id, NOW, "leaked").file();
    let published = published(&[one], &[(&name, &two), (&revocation.name, &revocation.content)]);
    assert_eq!(names(&published).len(), 3);
    let orphans: Vec<&str> = published.orphans.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(orphans, [name.as_str(), revocation.name.as_str()]);
    assert_eq!(published.strays, []);
}

/// What earlier versions took over, and ASP.NET Core does not read: each a way to break a good file.
const EARLIER: [(&str, &str); 5] = [
    ("encoding=\"utf-8\"", "encoding=\"utf-16\""),
    ("version=\"1.0\"", "version=\"1.1\""),
    ("<key id=\"", "<key id=\"urn:uuid:"),
    ("T", " "),
    ("deserializerType=\"", "deserializerType=\"  "),
];

#[test]
fn what_an_earlier_version_took_over_and_no_application_reads_is_published_in_the_operators_own_words() {
    let good = file(&key(1));
    let name = key(1).file_name();
    for (index, (from, to)) in EARLIER.iter().enumerate() {
        let text = String::from_utf8(good.clone()).unwrap();
        let bad = if *from == "T" {
            text.replace(&NOW.to_string(), &NOW.to_string().replace('T', " "))
        } else {
            text.replace(from, to)
        };
        assert_ne!(bad, text, "{index}");
        let bad = bad.into_bytes();
        // The immutable Secret has it, and so has the published ring.
        let first = published(std::slice::from_ref(&bad), &[(&name, &bad)]);
        assert_eq!(first.files()[&name].as_slice(), good, "{index}");
        assert_eq!(first.strays[0].why, Refusal::Edited);
        let settled = published(std::slice::from_ref(&bad), &as_live(&first));
        assert!(settled.strays.is_empty() && settled.refused.is_empty() && settled.orphans.is_empty());
        // Whichever of the two is removed by hand, the good one comes back.
        assert_eq!(published(std::slice::from_ref(&bad), &[]).files(), settled.files());
        let orphaned = published(&[], &as_live(&settled));
        assert_eq!(orphaned.orphans[0].content.as_slice(), good);
        let orphaned = published(&[], &[(&name, &bad)]);
        assert_eq!(orphaned.orphans[0].content.as_slice(), good);
        assert_eq!(orphaned.strays[0].why, Refusal::Edited);
    }
}

#[test]
fn a_revocation_of_all_keys_is_spelled_out_key_by_key() {
    let revocation = Revocation {
        revoked: Revoked::AllCreatedBefore,
        date: NOW + jiff::SignedDuration::from_secs(1),
        reason: "mass".to_owned(),
    };
    let sources = [file(&key(1)), revocation.file().content.to_vec(), file(&key(2))];
    let spelled = published(&sources, &[]);
    let ids: Vec<KeyId> = spelled.keys().iter().map(|key| key.id).collect();
    // The key that came after it is another matter, whatever it says of its age.
    assert_eq!((names(&spelled).len(), ids.len()), (3, 2));
    let revoked = Revoked::Key(ids[0]);
    assert!(spelled.files().contains_key(&format!("revocation-{}.xml", ids[0])));
    assert_eq!(spelled.revocations().iter().map(|revocation| revocation.revoked).collect::<Vec<_>>(), [revoked]);
    assert_eq!(spelled.orphans.len(), 1, "it gets a Secret of its own");
    let file = revocation.file();
    let by_hand = published(&sources[..1], &[(&file.name, &file.content)]);
    assert_eq!(names(&by_hand).len(), 2);
    assert_eq!(by_hand.strays[0].why, Refusal::ByDate);
    assert_eq!(by_hand.orphans.len(), 1);
}

#[test]
fn the_ring_warns_from_four_fifths_of_a_secret_on() {
    let fill = |bytes| Fill { bytes, beside: 0 };
    assert!(!fill(CAPACITY / 100 * 80 - 1).is_high());
    assert!(fill(CAPACITY / 100 * 80).is_high());
    assert!(!fill(CAPACITY).is_over());
    assert!(fill(CAPACITY + 1).is_over());
    assert_eq!(fill(CAPACITY / 2).percent(), 50);
    let sources: Vec<Vec<u8>> = (0..100).map(|seed| file(&key(seed))).collect();
    let bytes = published(&sources, &[]).fill().bytes;
    assert_eq!(bytes, sources.iter().map(Vec::len).sum::<usize>());
}

#[test]
fn what_is_published_never_prints_a_secret() {
    let printed = format!("{:?}", published(&[file(&key(1))], &[]));
    assert!(printed.contains("key-") && !printed.contains("masterKey") && printed.len() < 300, "{printed}");
}
