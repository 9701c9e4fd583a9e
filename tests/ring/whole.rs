//! A ring from nothing to its third key, pass by pass, as a controller would do it.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use tokencache_operator::{
    data_protection::{
        File,
        certificate::{Pair, Thumbprint},
        key::{Key, encrypted_xml::EncryptedSecret, revocation::Revocation},
        objects,
        payload::Purposes,
        ring::{
            Outstanding, Protection, Ring, Seen,
            certificates::Copies,
            open::{KeyRing, UnprotectError},
            rotation::RotationPolicy,
            schedule::Why,
        },
    },
    kubernetes::identity::Owner,
};

use crate::{
    application::DAY,
    vectors::{dice, pair},
};

const NOW: Timestamp = Timestamp::constant(1_795_000_000, 0);

pub struct Cluster {
    secrets: Vec<File>,
    pub published: Vec<File>,
    pub protection: Protection,
    previous: Vec<Pair>,
    copies: Secret,
    oldest_process: Option<Timestamp>,
    awaited: Outstanding,
    opened: KeyRing,
}

impl Cluster {
    pub fn new(protection: Protection) -> Self {
        Self {
            secrets: Vec::new(),
            published: Vec::new(),
            protection,
            previous: Vec::new(),
            copies: Secret::default(),
            oldest_process: None,
            awaited: Outstanding::default(),
            opened: KeyRing::default(),
        }
    }

    pub fn read(&self, now: Timestamp) -> Ring {
        let files = |files: &'_ [File]| -> Vec<(String, Vec<u8>)> {
            files.iter().map(|file| (file.name.clone(), file.content.to_vec())).collect()
        };
        let (sources, live) = (files(&self.secrets), files(&self.published));
        let seen = Seen {
            sources: sources.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect(),
            live: live.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect(),
            protection: self.protection.clone(),
            previous: &self.previous,
            copies: &Copies::read(&self.copies),
            oldest_process: self.oldest_process,
            awaited: self.awaited,
            made: None,
        };
        Ring::read(&seen, RotationPolicy::default(), now, &self.opened)
    }

    /// One pass: a key where one is due, then what is published, then the certificates that are kept.
    pub fn pass(&mut self, now: Timestamp) -> Option<Why> {
        let minted = self.read(now).mint.map(|mint| {
            self.secrets.push(mint.file(&dice::<128>(self.secrets.len() as u64)).unwrap());
            mint.why
        });
        let read = self.read(now);
        assert_eq!(read.mint, None);
        let files = read.published.files().iter();
        self.published = files.map(|(name, content)| File { name: name.clone(), content: content.clone() }).collect();
        self.copies = objects::certificates_secret(&owner(), &read.certificates, &read.certificates_since);
        self.opened.clone_from(&read.key_ring);
        assert_eq!(self.read(now).published, read.published);
        minted
    }
}

fn thumbprints(cluster: &Cluster) -> Vec<Thumbprint> {
    let copies = Copies::read(&cluster.copies).candidates(&[], &[], NOW);
    copies.iter().map(|copy| copy.pair.thumbprint()).collect()
}

fn owner() -> Owner {
    let [api_version, kind, namespace, name, uid] =
        ["tokencache.dev/v1alpha1", "TokenCache", "web", "shop", "1"].map(str::to_owned);
    Owner { api_version, kind, namespace, name, uid }
}

#[test]
fn keys_follow_each_other_and_a_pass_with_nothing_to_do_does_nothing() {
    let mut cluster = Cluster::new(Protection::Plain);
    let passes: Vec<Option<Why>> = (0..200).map(|day| cluster.pass(NOW + DAY * day)).collect();
    let minted: Vec<(usize, Why)> =
        passes.iter().enumerate().filter_map(|(day, why)| why.map(|why| (day, why))).collect();
    assert_eq!(minted, [(0, Why::First), (87, Why::RotationDue), (177, Why::RotationDue)]);
    assert_eq!(cluster.published.len(), 3);
}

#[test]
fn after_a_renewal_new_keys_are_for_the_new_certificate_and_the_old_one_stays_without_anybody_naming_it() {
    let (old, new) = (pair("previous"), pair("current"));
    let mut cluster = Cluster::new(Protection::Certificate(Box::new(old.clone())));
    cluster.pass(NOW);
    cluster.protection = Protection::Certificate(Box::new(new.clone()));
    cluster.pass(NOW + DAY);
    assert_eq!(thumbprints(&cluster), [new.thumbprint(), old.thumbprint()]);
    cluster.pass(NOW + DAY * 90);
    let read = cluster.read(NOW + DAY * 95);
    let needed: Vec<_> = read.published.keys().iter().map(|key| key.encrypted().unwrap().thumbprint()).collect();
    assert_eq!(needed.len(), 2);
    assert!(needed.contains(&new.thumbprint()) && needed.contains(&old.thumbprint()));
    assert!(read.ring.members().iter().all(|member| member.is_readable));
    // Without any certificate from now on, what is encrypted stays readable.
    cluster.protection = Protection::Plain;
    cluster.pass(NOW + DAY * 96);
    assert_eq!(thumbprints(&cluster).len(), 2);
}

pub fn encrypted(pair: &Pair) -> Protection {
    Protection::Certificate(Box::new(pair.clone()))
}

/// The certificate that the newest key is encrypted to.
fn newest(cluster: &Cluster) -> Option<Thumbprint> {
    let read = cluster.read(NOW);
    let newest = read.published.keys().iter().max_by_key(|key| key.activates).unwrap();
    newest.encrypted().map(EncryptedSecret::thumbprint)
}

#[test]
fn while_the_certificate_cannot_be_used_no_key_is_made_and_nothing_that_is_published_goes() {
    let mut cluster = Cluster::new(Protection::Unavailable);
    assert_eq!(cluster.pass(NOW), None);
    assert_eq!(cluster.read(NOW).at_once(NOW), None);
    let mut cluster = Cluster::new(Protection::Plain);
    cluster.pass(NOW);
    cluster.protection = encrypted(&pair("current"));
    cluster.pass(NOW + DAY);
    // No key needs it yet, and applications know it already.
    cluster.protection = Protection::Unavailable;
    cluster.pass(NOW + DAY * 2);
    assert_eq!(thumbprints(&cluster), [pair("current").thumbprint()]);
    assert_eq!((cluster.pass(NOW + DAY * 400), cluster.secrets.len()), (None, 1));
}

#[test]
fn a_renewed_certificate_waits_until_every_process_knows_it_and_the_one_before_stays_until_then() {
    let (old, new) = (pair("previous"), pair("current"));
    let mut cluster = Cluster::new(Protection::Plain);
    cluster.pass(NOW);
    cluster.protection = encrypted(&old);
    cluster.pass(NOW + DAY);
    cluster.oldest_process = Some(NOW + DAY * 2);
    cluster.protection = encrypted(&new);
    cluster.pass(NOW + DAY * 3);
    // No key needs the old one, but the next one will.
    assert_eq!(thumbprints(&cluster), [new.thumbprint(), old.thumbprint()]);
    assert!(cluster.read(NOW + DAY * 4).depends_on_processes);
    assert_eq!(cluster.pass(NOW + DAY * 90), Some(Why::RotationDue));
    assert_eq!(newest(&cluster), Some(old.thumbprint()));
    cluster.oldest_process = Some(NOW + DAY * 100);
    assert_eq!(cluster.pass(NOW + DAY * 180), Some(Why::RotationDue));
    assert_eq!(newest(&cluster), Some(new.thumbprint()));
    assert!(!cluster.read(NOW + DAY * 181).depends_on_processes);
    // Whatever restarts later: it was used.
    cluster.oldest_process = Some(NOW);
    assert_eq!(cluster.pass(NOW + DAY * 280), Some(Why::RotationDue));
    assert_eq!(newest(&cluster), Some(new.thumbprint()));
    assert_eq!(thumbprints(&cluster).len(), 2);
}

#[test]
fn where_the_certificates_were_lost_and_came_back_at_one_time_the_one_before_is_used() {
    let (old, new) = (pair("previous"), pair("current"));
    let mut cluster = Cluster::new(encrypted(&new));
    cluster.previous = vec![old.clone()];
    cluster.oldest_process = Some(NOW - DAY);
    assert_eq!(cluster.pass(NOW), Some(Why::First));
    assert_eq!(newest(&cluster), Some(old.thumbprint()));
}

#[test]
fn when_every_key_is_lost_with_its_certificate_one_key_comes_where_another_certificate_is_there_and_none_in_plain() {
    let (lost, other) = (pair("previous"), pair("current"));
    let mut cluster = Cluster::new(encrypted(&lost));
    cluster.pass(NOW);
    cluster.copies = Secret::default();
    cluster.opened = KeyRing::default();
    cluster.protection = Protection::Plain;
    assert_eq!(cluster.pass(NOW + DAY), None);
    let read = cluster.read(NOW + DAY);
    assert!(read.is_sealed(NOW + DAY));
    assert_eq!(read.sealed().map(|(_, of)| of).collect::<Vec<_>>(), [lost.thumbprint()]);
    // Whoever wants a plain one asks for it.
    assert!(read.at_once(NOW + DAY).is_some());
    cluster.protection = encrypted(&other);
    cluster.awaited.certificates = true;
    assert_eq!(cluster.pass(NOW + DAY), None);
    cluster.awaited.certificates = false;
    assert_eq!(cluster.pass(NOW + DAY), Some(Why::NothingUsable));
    let passes: Vec<Option<Why>> = (1..80).map(|day| cluster.pass(NOW + DAY * day)).collect();
    assert!(passes.iter().all(Option::is_none), "{passes:?}");
    assert_eq!(newest(&cluster), Some(other.thumbprint()));
}

#[test]
fn while_a_ring_is_awaited_no_first_key_is_made_not_even_on_request_and_later_ones_follow_as_ever() {
    let mut cluster = Cluster::new(Protection::Plain);
    cluster.awaited.ring = true;
    assert_eq!(cluster.pass(NOW), None);
    assert_eq!(cluster.read(NOW).at_once(NOW), None);
    cluster.awaited.ring = false;
    cluster.pass(NOW);
    cluster.awaited.ring = true;
    assert_eq!(cluster.pass(NOW + DAY * 87), Some(Why::RotationDue));
}

#[test]
fn in_an_emergency_a_key_is_active_at_once_and_the_lost_one_reads_nothing_any_more() {
    let mut cluster = Cluster::new(Protection::Plain);
    cluster.pass(NOW);
    let now = NOW + DAY * 10;
    let before = cluster.read(now);
    let lost = before.ring.active(now).unwrap().id;
    let purposes = Purposes::token_cache("/app");
    let entry = before.key_ring.protector(lost).unwrap().protect(&purposes, b"{}", &dice(9)).unwrap();
    assert!(before.key_ring.unprotect(&purposes, &entry).is_ok());
    cluster.secrets.push(before.at_once(now).unwrap().file(&dice::<128>(77)).unwrap());
    cluster.secrets.push(Revocation::of(lost, now, "leaked").file());
    assert_eq!(cluster.pass(now), None);
    let after = cluster.read(now);
    assert_ne!(after.ring.active(now).unwrap().id, lost);
    assert_eq!(after.key_ring.unprotect(&purposes, &entry), Err(UnprotectError::KeyRevoked(lost)));
    assert_eq!(after.published.files().len(), 3);
}

#[test]
fn a_published_ring_that_was_deleted_comes_back_and_a_lost_secret_is_told() {
    let mut cluster = Cluster::new(Protection::Plain);
    cluster.pass(NOW);
    let whole = cluster.published.clone();
    cluster.published.clear();
    assert_eq!(cluster.pass(NOW), None);
    assert_eq!(cluster.published, whole);
    cluster.secrets.clear();
    let read = cluster.read(NOW);
    assert_eq!((read.mint, read.published.orphans), (None, whole));
}

#[test]
fn what_was_opened_is_taken_over_only_while_the_key_and_its_certificate_are_there_and_it_is_not_revoked() {
    let pairs = [pair("previous")];
    let mut cluster = Cluster::new(Protection::Certificate(Box::new(pairs[0].clone())));
    cluster.pass(NOW);
    let key = cluster.read(NOW).published.keys()[0].clone();
    let is_open = |key: &Key, revocations: &[Revocation], pairs: &[Pair]| {
        let ring = KeyRing::open(std::slice::from_ref(key), revocations, pairs, &cluster.opened);
        ring.protector(key.id).is_some()
    };
    assert!(is_open(&key, &[], &pairs));
    assert!(is_open(&Key { expires: NOW.into(), ..key.clone() }, &[], &pairs));
    assert!(!is_open(&key, &[], &[]));
    assert!(!is_open(&key, &[Revocation::of(key.id, NOW, "leaked")], &pairs));
}
