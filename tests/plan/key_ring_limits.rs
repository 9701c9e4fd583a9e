//! Rings that would grow by themselves, or that do not fit: pass by pass, on values.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::ByteString;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use tokencache_operator::{
    api::v1alpha1::KeyState,
    data_protection::{
        File,
        key::{
            KeyDates, RANDOM_BYTES,
            read::{self, Element},
            revocation::{Revocation, Revoked},
        },
        objects::file_secret,
    },
};

use super::key_ring::Keys;
use super::key_ring_inputs::vectors;
use super::world::START;

const DAY: SignedDuration = SignedDuration::from_hours(24);
const MINUTE: SignedDuration = SignedDuration::from_mins(1);
const HOUR: SignedDuration = SignedDuration::from_hours(1);
const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// The file of a revocation of every key that was made before a date.
fn by_date(date: Timestamp) -> (String, Vec<u8>) {
    let file = Revocation { revoked: Revoked::AllCreatedBefore, date, reason: "mass".to_owned() }.file();
    (file.name, file.content.to_vec())
}

fn secrets(ring: &Keys) -> usize {
    ring.files.keys().filter(|name| name.contains("-key-")).count()
}

/// Passes, each so long after the one before.
fn passes(ring: &mut Keys, count: usize, step: SignedDuration) {
    for _ in 0..count {
        ring.pass();
        ring.now += step;
    }
}

fn active(ring: &Keys) -> Option<String> {
    ring.status().active
}

pub fn file(index: u32) -> (String, Vec<u8>) {
    let order = KeyDates { created: START, activates: START, expires: START + DAY * 400 };
    let random: Vec<u8> = index.to_be_bytes().into_iter().cycle().take(RANDOM_BYTES).collect();
    let file = order.make(None, &random).unwrap().file().unwrap();
    (file.name, file.content.to_vec())
}

#[test]
fn a_ring_that_is_imported_with_a_revocation_of_all_keys_gets_one_key_whatever_its_date_is() {
    let base = Keys::importing().now;
    for offset in [-DAY * 400, -DAY, -SECOND, SignedDuration::ZERO, SECOND, HOUR, DAY, DAY * 400] {
        for step in [SignedDuration::ZERO, SECOND, HOUR * 2] {
            let mut ring = Keys::importing();
            let mut files = vectors("cbc-hmac");
            files.extend([by_date(base + offset)]);
            ring.provide("old-ring", files);
            passes(&mut ring, 30, step);
            let revoked = ring.status().keys.iter().filter(|key| key.state == KeyState::Revoked).count();
            let made = usize::from(offset > -DAY * 300);
            assert!(active(&ring).is_some(), "{offset} {step}");
            // One that encrypts, and an hour later at the earliest one that follows the last of the revoked ones.
            let expected = 3 + made + usize::from(made == 1 && step >= HOUR);
            assert_eq!(secrets(&ring), expected, "{offset} {step}");
            assert_eq!(revoked, if made == 1 { 3 } else { revoked }, "{offset} {step}");
            // What revokes all keys is never published: a runtime would apply it to later ones too.
            assert!(ring.published().keys().all(|name| name.len() > 40), "{:?}", ring.published().keys());
            // Nor is the new key older than it.
            for bytes in ring.published().values() {
                if let Element::Key(key) = read::read(&bytes.0).unwrap()
                    && ring.status().active.is_some_and(|active| key.id.short() == active)
                    && offset <= SignedDuration::ZERO
                    && made == 1
                {
                    assert!(key.created.timestamp() >= base + offset, "{offset}: {}", key.created);
                }
            }
        }
    }
}

#[test]
fn a_key_that_is_asked_for_soon_after_such_a_revocation_is_the_only_one_that_comes() {
    let mut ring = Keys::importing();
    let mut files = vectors("cbc-hmac");
    files.extend([by_date(ring.now - HOUR)]);
    ring.provide("old-ring", files);
    passes(&mut ring, 5, SECOND);
    assert_eq!(secrets(&ring), 4);
    let before = active(&ring);
    ring.now += HOUR * 40;
    passes(&mut ring, 5, SECOND);
    assert_eq!(secrets(&ring), 5, "one follows the last of the revoked ones");
    ring.ask();
    passes(&mut ring, 30, SECOND);
    assert_eq!(secrets(&ring), 6);
    assert!(active(&ring).is_some() && active(&ring) != before);
}

#[test]
fn a_revocation_of_all_keys_that_is_put_into_the_published_ring_is_about_the_keys_that_are_there() {
    for offset in [-HOUR, DAY * 400] {
        let mut ring = Keys::begun();
        ring.now += DAY * 10;
        let (name, content) = by_date(ring.now + offset);
        ring.in_ring(|live| {
            live.insert(name, ByteString(content));
        });
        passes(&mut ring, 30, SECOND);
        assert_eq!(secrets(&ring), 2, "{offset}");
        assert!(active(&ring).is_some());
        assert_eq!(ring.published().len(), 3);
    }
}

#[test]
fn where_every_key_is_spoilt_as_soon_as_it_is_made_there_is_one_an_hour_and_the_condition_says_so() {
    let mut ring = Keys::begun();
    let spoil = |ring: &mut Keys| {
        for secret in ring.files.values_mut() {
            for bytes in Arc::make_mut(secret).data.as_mut().unwrap().values_mut() {
                *bytes = ByteString(b"spoilt".to_vec());
            }
        }
        ring.in_ring(BTreeMap::clear);
    };
    let begun = ring.now;
    for minute in 0..600 {
        ring.now = begun + SignedDuration::from_mins(minute);
        spoil(&mut ring);
        ring.pass();
    }
    assert!((9..=11).contains(&secrets(&ring)), "{}", secrets(&ring));
}

#[test]
fn a_key_that_is_due_again_within_the_hour_waits_and_one_that_is_asked_for_does_not() {
    let mut ring = Keys::begun();
    // The first one is revoked in the minute in which it was made, and by nobody who asked the operator.
    let id = ring.status().keys[0].id.clone();
    let revocation = Revocation::of(key_id(&id), ring.now, "by hand").file();
    ring.in_ring(|live| {
        live.insert(revocation.name, ByteString(revocation.content.to_vec()));
    });
    passes(&mut ring, 10, SECOND);
    assert_eq!(secrets(&ring), 1);
    let finding = ring.finding(&[]).unwrap();
    assert_eq!(
        (finding.status.as_str(), finding.reason.as_str()),
        ("False", "KeysTooFrequent"),
        "{}",
        finding.message.text
    );
    assert!(finding.message.text.contains("less than an hour ago"), "{}", finding.message.text);
    let wake_at = ring.standing().ring.unwrap().wake_at;
    assert_eq!(wake_at, Some(START + HOUR));
    let mut asked = ring.clone();
    asked.ask();
    passes(&mut asked, 3, SECOND);
    assert_eq!(secrets(&asked), 2);
    ring.now = START + HOUR;
    passes(&mut ring, 10, SECOND);
    assert_eq!(secrets(&ring), 2);
    assert!(active(&ring).is_some());
}

fn key_id(text: &str) -> tokencache_operator::data_protection::key::id::KeyId {
    tokencache_operator::data_protection::key::id::KeyId::parse(text).unwrap()
}

#[test]
fn a_ring_that_does_not_fit_is_refused_whole_with_the_numbers_before_anything_is_written() {
    let size = file(0).1.len();
    let fits = u32::try_from((1_usize << 20) / size).unwrap();
    let mut ring = Keys::importing();
    ring.provide("old-ring", (0..fits + 10).map(file).collect());
    assert!(ring.plan().is_empty());
    let finding = ring.finding(&[]).unwrap();
    assert_eq!((finding.status.as_str(), finding.reason.as_str()), ("False", "ImportRefused"));
    for words in ["would hold", "1048576", &((fits + 10) as usize * size).to_string(), "no first key is made"] {
        assert!(finding.message.text.contains(words), "{words}: {}", finding.message.text);
    }
    // What an emergency takes is kept: what fits to the last byte is refused too.
    ring.provide("old-ring", (0..fits - 2).map(file).collect());
    assert!(ring.plan().is_empty());
    // With all of them revoked it is more than the files say.
    let most = fits * 9 / 10;
    let mut files: BTreeMap<_, _> = (0..most).map(file).collect();
    ring.provide("old-ring", files.clone());
    assert!(!ring.plan().is_empty());
    files.extend([by_date(START + DAY)]);
    ring.provide("old-ring", files);
    assert!(ring.plan().is_empty());
    assert_eq!(secrets(&ring), 0);
}

#[test]
fn the_last_room_is_kept_for_an_emergency() {
    let mut ring = Keys::importing();
    ring.now = START + DAY * 10;
    let size = file(0).1.len();
    let count = u32::try_from(((1_usize << 20) - 13 * 1024) / size).unwrap();
    ring.provide("old-ring", (0..count).map(file).collect());
    ring.pass();
    assert_eq!(secrets(&ring), count as usize);
    assert!(active(&ring).is_some());
    // Rotation is due, and would take what is kept.
    ring.now = START + DAY * 100;
    passes(&mut ring, 2, DAY);
    assert_eq!(secrets(&ring), count as usize);
    let finding = ring.finding(&[]).unwrap();
    assert_eq!(finding.reason.as_str(), "RingFull");
    assert!(finding.message.text.contains("kept for an emergency"), "{}", finding.message.text);
    let mut asked = ring.clone();
    asked.ask();
    passes(&mut asked, 2, SECOND);
    assert_eq!(secrets(&asked), count as usize + 1);
    // Before the last key expires, the room that is kept is what it is kept for.
    ring.now = START + DAY * 399;
    passes(&mut ring, 2, DAY);
    assert_eq!(secrets(&ring), count as usize + 1);
    assert!(active(&ring).is_some());
    assert!(ring.files.values().all(|secret| secret.immutable == Some(true) && !secret.name_any().is_empty()));
}

#[test]
fn a_revocation_alone_leaves_the_room_that_is_kept_for_an_emergency() {
    let mut ring = Keys::importing();
    ring.now = START + DAY * 10;
    let size = file(0).1.len();
    // What is kept is 9 KiB, and less than a key beside: a few revocations.
    let count = u32::try_from(((1_usize << 20) - 9 * 1024) / size).unwrap();
    ring.provide("old-ring", (0..count).map(file).collect());
    ring.pass();
    let encrypts = active(&ring).unwrap();
    let mut others = ring.status().keys.into_iter().map(|key| key.id).filter(|id| !id.starts_with(&encrypts));
    ring.beside.obstacle = Some("there is no Redis server".to_owned());
    let mut revoke = |key: &str| {
        ring.now += SECOND;
        ring.annotate("tokencache.dev/revoke-key-requested", &format!("{} {key}", ring.now));
        passes(&mut ring, 3, SECOND);
        (ring.standing().revoke.operation.unwrap().message, active(&ring))
    };
    let refused = (0..9).map(|_| revoke(&others.next().unwrap()).0).find(|told| told.contains("kept for an emergency"));
    assert!(refused.is_some(), "what is kept is not taken for a key that encrypts nothing any more");
    let (told, active) = revoke(&encrypts);
    assert_ne!(active.as_ref(), Some(&encrypts), "this is what it is kept for: {told}");
    assert!(active.is_some());
}

#[test]
fn after_a_restore_a_revocation_of_all_keys_is_about_the_same_keys_as_before() {
    let mut ring = Keys::importing();
    let mut files = vectors("cbc-hmac");
    files.extend([by_date(ring.now + DAY * 3000)]);
    ring.provide("old-ring", files);
    passes(&mut ring, 3, SECOND);
    ring.spec("{}");
    ring.now += DAY * 2;
    ring.ask();
    passes(&mut ring, 2, SECOND);
    let (before, count) = (active(&ring), secrets(&ring));
    // A restore makes every Secret anew: here those of revocations come last.
    for (name, secret) in &mut ring.files {
        let later = if name.contains("-revocation-") { SECOND * 5 } else { SECOND };
        Arc::make_mut(secret).metadata.creation_timestamp = Some(Time(ring.now + later));
    }
    ring.now += MINUTE;
    passes(&mut ring, 3, SECOND);
    assert_eq!((active(&ring), secrets(&ring)), (before, count), "no key that came later is revoked");
}

#[test]
fn whatever_a_clock_does_no_two_keys_are_made_within_an_hour() {
    let mut ring = Keys::begun();
    let jumps = [DAY * 400, -DAY * 400, HOUR, -HOUR, SECOND * 30, DAY * 90, -DAY * 91, SECOND, DAY * 3000, -DAY * 3000];
    for round in 0..6 {
        for jump in jumps {
            ring.now += jump + SECOND * round;
            passes(&mut ring, 3, SECOND);
        }
    }
    let made = ring.files.values().map(|secret| secret.metadata.creation_timestamp.as_ref().unwrap().0);
    let mut made: Vec<Timestamp> = made.collect();
    made.sort();
    assert!(made.len() >= 2, "{made:?}");
    assert!(made.windows(2).all(|pair| pair[1].duration_since(pair[0]) >= HOUR), "{made:?}");
}

#[test]
fn every_file_that_cannot_be_taken_over_is_named() {
    let mut ring = Keys::importing();
    let mut files = vectors("cbc-hmac");
    files.extend((0..9).map(|index| (format!("bad-{index}.xml"), b"<key".to_vec())));
    files.insert("notes.txt".to_owned(), b"remember".to_vec());
    ring.provide("old-ring", files.clone());
    assert!(ring.plan().is_empty());
    let message = ring.finding(&[]).unwrap().message.text;
    assert!((0..9).all(|index| message.contains(&format!("bad-{index}.xml"))), "{message}");
    // What applications pass over is named as well, and keeps nothing from being taken over.
    files.retain(|name, _| !name.starts_with("bad-"));
    ring.provide("old-ring", files);
    ring.pass();
    let finding = ring.finding(&[]).unwrap();
    assert_eq!(finding.status.as_str(), "True", "{}", finding.message.text);
    assert!(finding.message.text.contains("1 passed over, as by ASP.NET Core: notes.txt"), "{}", finding.message.text);
    assert_eq!(secrets(&ring), 3);
}

#[test]
fn a_ring_that_an_earlier_version_has_filled_because_of_such_a_revocation_gets_one_key_and_is_well() {
    let mut ring = Keys::of("{}");
    ring.now = START + DAY * 328;
    let stored = |ring: &mut Keys, (name, content): (String, Vec<u8>)| {
        let file = File { name, content: content.into() };
        ring.store(file_secret(&ring.settings().owner, &file).unwrap());
    };
    for file in vectors("cbc-hmac") {
        stored(&mut ring, file);
    }
    let to_come = by_date(ring.now + DAY * 400);
    stored(&mut ring, to_come);
    ring.pass();
    // The keys that were made in vain came later, and their revocations are published only.
    for index in 0..20 {
        ring.now += SECOND;
        let made = file(index);
        stored(&mut ring, made.clone());
        let id = key_id(made.0.strip_prefix("key-").unwrap().strip_suffix(".xml").unwrap());
        let revocation = Revocation::of(id, ring.now, "mass").file();
        ring.in_ring(|live| {
            live.insert(revocation.name, ByteString(revocation.content.to_vec()));
        });
    }
    ring.now += HOUR * 2;
    passes(&mut ring, 30, SECOND);
    let revoked = ring.status().keys.iter().filter(|key| key.state == KeyState::Revoked).count();
    assert_eq!((secrets(&ring), revoked), (3 + 1 + 20, 3 + 20));
    assert!(active(&ring).is_some());
}
