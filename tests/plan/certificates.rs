//! The operator's own authority and certificate, pass by pass: made, renewed, lost, and an authority that follows another.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use tokencache_operator::{
    kubernetes::identity::Found,
    redis::{
        credentials::tls::CertificateState,
        desired::want,
        look::{Sample, Server},
        tls::{
            certificate::{Authorities, Certificate, Pair},
            schedule::{AUTHORITY_AHEAD, AUTHORITY_LIFETIME, OVERLAP},
        },
    },
};

use super::seen::well;
use super::world::{START, World, provided, shop};

pub const DAY: SignedDuration = SignedDuration::from_hours(24);
pub const HOST: &str = "shop-redis.web.svc";

pub fn bundle(world: &World) -> Authorities {
    Authorities::parse(World::text(&world.observed.connection, "ca.crt").as_bytes()).unwrap()
}

pub fn served(world: &World) -> Pair {
    let text = |key: &str| World::text(&world.observed.server_certificate, key);
    Pair::parse(text("tls.crt").as_bytes(), text("tls.key").as_bytes()).unwrap()
}

/// A client that read the bundle at some time accepts the certificate that is served now.
pub fn accepts(bundle: &Authorities, world: &World) -> bool {
    bundle.accept(&served(world).chain, HOST, world.now).is_ok()
}

/// Passes until there is nothing to write.
pub fn settle(world: &mut World) -> Vec<String> {
    let mut written = Vec::new();
    for _ in 0..6 {
        written.extend(world.pass());
    }
    assert!(world.plan().is_empty());
    written
}

#[test]
fn the_certificate_is_for_both_services_and_every_pod() {
    let world = World::settled(shop("{}"));
    let names = served(&world).leaf.names;
    for host in ["shop-redis", "shop-redis-headless", "shop-redis-0.shop-redis-headless"] {
        for suffix in ["", ".web", ".web.svc", ".web.svc.cluster.local"] {
            assert!(names.contains(&format!("{host}{suffix}")), "{host}{suffix}");
        }
    }
    assert_eq!(names.len(), 12);
    assert!(accepts(&bundle(&world), &world));
}

#[test]
fn a_certificate_is_renewed_and_nothing_else_changes() {
    let mut world = World::settled(shop("{}"));
    let (before, trusted) = (served(&world), bundle(&world));
    world.now = START + DAY * 59;
    assert!(world.plan().is_empty());
    world.now = START + DAY * 60;
    assert!(matches!(world.credentials().tls.state, CertificateState::Known(_)), "the old one holds meanwhile");
    assert_eq!(settle(&mut world), ["mint Secret shop-redis-tls", "ConfigMap shop-redis-config"]);
    assert_ne!(served(&world), before);
    assert!(accepts(&trusted, &world));
}

#[test]
fn a_lost_certificate_is_made_anew_by_the_same_authority() {
    let mut world = World::settled(shop("{}"));
    let trusted = bundle(&world);
    world.observed.server_certificate = Found::Absent;
    assert_eq!(settle(&mut world), ["mint Secret shop-redis-tls", "ConfigMap shop-redis-config"]);
    assert_eq!(bundle(&world), trusted);
    assert!(accepts(&trusted, &world));
}

/// What a change of authorities must keep, whoever is asked and whenever: a client that has read the bundle within the last
/// day accepts what is served.
fn follow(world: &mut World, until: Timestamp) -> Vec<String> {
    let mut written = Vec::new();
    let mut bundles = vec![(world.now, bundle(world))];
    while world.now < until {
        let passed = world.pass();
        written.extend(passed);
        bundles.push((world.now, bundle(world)));
        bundles.retain(|(read, _)| *read >= world.now - OVERLAP);
        for (read, bundle) in &bundles {
            assert!(accepts(bundle, world), "read at {read}, now {}", world.now);
        }
        world.now += SignedDuration::from_mins(30);
    }
    written
}

#[test]
fn an_authority_is_followed_by_another_without_a_client_noticing() {
    let mut world = World::settled(shop("{}"));
    world.now = START + AUTHORITY_LIFETIME - AUTHORITY_AHEAD;
    settle_certificate(&mut world);
    let old = bundle(&world);
    let until = world.now + DAY * 3;
    let written = follow(&mut world, until);
    assert_eq!(
        written,
        [
            "mint Secret shop-redis-ca",
            "Secret shop-redis-tls",
            "Secret shop-redis",
            "Secret shop-redis-ca",
            "mint Secret shop-redis-tls",
            "ConfigMap shop-redis-config"
        ]
    );
    assert!(!accepts(&old, &world), "the new authority signs now");
    assert!(bundle(&world).hold(old.first()), "the old one stays in the bundle");
    world.now = START + AUTHORITY_LIFETIME + DAY;
    settle(&mut world);
    assert!(!bundle(&world).hold(old.first()), "until it has expired");
}

/// A certificate that is new at this time, by the authority that is there.
fn settle_certificate(world: &mut World) {
    let now = world.now;
    world.now = now - DAY;
    settle(world);
    world.now = now;
}

#[test]
fn a_lost_authority_is_followed_by_another_without_a_client_noticing() {
    let mut world = World::settled(shop("{}"));
    let old = bundle(&world);
    world.observed.certificate_authority = Found::Absent;
    let until = world.now + DAY * 3;
    let written = follow(&mut world, until);
    assert_eq!(written.iter().filter(|write| *write == "mint Secret shop-redis-tls").count(), 1, "{written:?}");
    assert!(!accepts(&old, &world) && bundle(&world).hold(old.first()));
    assert!(world.plan().is_empty());
}

#[test]
fn an_authority_that_is_lost_while_the_certificate_is_due_is_followed_before_that_expires() {
    let mut world = World::settled(shop("{}"));
    world.observed.certificate_authority = Found::Absent;
    world.now = START + DAY * 61;
    let until = START + DAY * 64;
    let written = follow(&mut world, until);
    assert_eq!(written[written.len() - 2..], ["mint Secret shop-redis-tls", "ConfigMap shop-redis-config"]);
    assert!(served(&world).leaf.not_after > START + DAY * 120 && world.plan().is_empty());
}

#[test]
fn labels_that_somebody_took_away_are_given_back_and_the_keys_stay() {
    let mut world = World::settled(shop("{}"));
    let before = served(&world);
    let bare = |slot: &Found<Arc<Secret>>| {
        let mut secret = slot.owned().unwrap().as_ref().clone();
        secret.metadata.labels = None;
        Found::Owned(Arc::new(secret))
    };
    world.observed.server_certificate = bare(&world.observed.server_certificate);
    world.observed.certificate_authority = bare(&world.observed.certificate_authority);
    assert_eq!(settle(&mut world), ["Secret shop-redis-tls", "Secret shop-redis-ca"]);
    assert_eq!(served(&world), before);
}

#[test]
fn where_both_are_lost_applications_go_on_trusting_what_they_trusted() {
    let mut world = World::settled(shop("{}"));
    let old = bundle(&world);
    world.observed.certificate_authority = Found::Absent;
    world.observed.server_certificate = Found::Absent;
    settle(&mut world);
    assert!(accepts(&bundle(&world), &world) && bundle(&world).hold(old.first()));
}

/// The latest look at the server, which showed this certificate.
fn look(world: &World, shown: &Certificate) -> Sample {
    let mut answer = well();
    answer.certificate.as_mut().unwrap().fingerprint = shown.fingerprint();
    Sample {
        server: Server {
            pod: "shop-redis-0".to_owned(),
            uid: "a".to_owned(),
            address: [127, 0, 0, 1].into(),
            port: 6380,
        },
        taken: world.now,
        want: want(&world.settings(), &world.observed, &world.credentials()),
        outcome: Ok(answer),
    }
}

#[test]
fn a_users_former_authority_is_trusted_until_the_next_ones_certificate_is_shown() {
    let mut world = World::settled(shop("redis: {tls: {mode: Secret, secretName: mine}}"));
    let shown = |secret: &Secret| {
        let data = secret.data.as_ref().unwrap();
        Pair::parse(&data["tls.crt"].0, &data["tls.key"].0).unwrap().leaf
    };
    let (old, before) = (bundle(&world), shown(world.observed.provided_certificate.as_ref().unwrap()));
    world.observed.samples = vec![look(&world, &before)];
    assert_eq!(settle(&mut world), [""; 0]);

    world.now = START + DAY * 50;
    let next = provided(&[HOST], world.now);
    let after = shown(&next);
    world.observed.provided_certificate = Some(Arc::new(next));
    assert_eq!(settle(&mut world), ["Secret shop-redis-tls", "Secret shop-redis", "ConfigMap shop-redis-config"]);
    let both = bundle(&world);
    assert!(both.hold(old.first()) && both.first() != old.first(), "the server shows the certificate before still");
    assert_eq!(world.credentials().tls.authorities(), Some(&both), "by which the operator reaches it too");

    world.observed.samples = vec![look(&world, &after)];
    assert_eq!(settle(&mut world), ["Secret shop-redis"]);
    assert!(!bundle(&world).hold(old.first()));
    assert_eq!(world.observed.samples.drain(..).count(), 1);
    assert_eq!(settle(&mut world), [""; 0], "also where nobody has looked yet");
}

#[test]
fn a_pass_comes_when_a_certificate_begins_or_ends() {
    let mut world = World::settled(shop("redis: {tls: {mode: Secret, secretName: mine}}"));
    let leaf = served(&world).leaf;
    let wake_at = |world: &World| world.credentials().tls.wake_at();
    assert_eq!(wake_at(&world), Some(leaf.not_after));
    let sooner = START + DAY;
    let mut sample = look(&world, &leaf);
    sample.outcome.as_mut().unwrap().certificate.as_mut().unwrap().not_after = sooner;
    world.observed.samples = vec![sample];
    assert_eq!(wake_at(&world), Some(sooner), "what is served ends before what is wanted");
    world.now = sooner;
    assert_eq!(wake_at(&world), Some(leaf.not_after), "and it has");
    world.observed.provided_certificate = Some(Arc::new(provided(&[HOST], START + DAY * 9)));
    assert!(wake_at(&world).is_some_and(|at| (START + DAY * 8..START + DAY * 9).contains(&at)), "another one begins");
    world.now = START + DAY * 200;
    assert_eq!(wake_at(&world), None);
}

#[test]
fn a_users_secret_that_cannot_be_used_changes_nobodys_trust() {
    let mut world = World::settled(shop("redis: {tls: {mode: Secret, secretName: mine}}"));
    let other = provided(&["elsewhere.example"], START + DAY);
    world.observed.provided_certificate = Some(Arc::new(other));
    assert!(matches!(world.credentials().tls.state, CertificateState::Unusable { .. }));
    assert_eq!(settle(&mut world), [""; 0]);
    assert_eq!(world.credentials().tls.authorities(), Some(&bundle(&world)));
    world.observed.provided_certificate = None;
    assert_eq!(settle(&mut world), [""; 0]);
}

#[test]
fn no_private_key_is_printed() {
    let mut world = World::new(shop("{}"));
    let mut printed = Vec::new();
    for _ in 0..4 {
        printed.push(format!("{:?} {:?} {:?}", world.plan(), world.credentials(), world.observed));
        world.pass();
    }
    world.observed.server_certificate = Found::Absent;
    printed.push(format!("{:?} {:?}", world.plan(), world.credentials()));
    let (key, printed) = (World::text(&world.observed.certificate_authority, "tls.key"), printed.concat());
    let line = key.lines().nth(1).unwrap();
    assert!(!printed.contains(line) && !printed.contains("PRIVATE KEY"), "{printed}");
}
