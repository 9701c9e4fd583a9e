//! Files that are named after the certificate in them: which of them a server is to load, which one it starts with, and what
//! becomes of a server that serves a certificate which nobody trusts.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::core::v1::Secret;
use serde_json::json;
use tokencache_operator::{
    kubernetes::identity::Found,
    redis::{
        access::password::login_mark,
        credentials::tls::{
            CertificateState,
            replacement::{AGAIN, LONG_WAIT, WAIT},
        },
        desired::want,
        look::{
            Sample,
            fault::{Fault, Foreign, Untrusted},
        },
        server::{
            config::{self, Place},
            objects::{RESTARTED_ANNOTATION, stateful_set},
            pod::Template,
            pods::server_in,
        },
        tls::{
            certificate::{Distrust, Fingerprint},
            issue::{self, Issued},
            schedule::AUTHORITY_LIFETIME,
        },
    },
};

use super::certificates::{DAY, HOST, accepts, bundle, served, settle};
use super::passwords::with;
use super::pods::running;
use super::seen::well;
use super::world::{START, World, provided, shop, written_set};

const PROVIDED: &str = "redis: {tls: {mode: Secret, secretName: mine}}";
const TLS: &str = "Secret shop-redis-tls";
const CONFIGURATION: &str = "ConfigMap shop-redis-config";

/// A pair for the cache's name, by an authority that nobody trusts.
fn foreign_pair() -> Issued {
    let stranger = issue::authority("stranger", &[9; 128], START).unwrap();
    issue::certificate(&[HOST.to_owned()], &stranger, START + AUTHORITY_LIFETIME, &[8; 128], START).unwrap()
}

fn data(world: &World) -> BTreeMap<String, Vec<u8>> {
    let data = world.observed.server_certificate.owned().unwrap().data.clone().unwrap();
    data.into_iter().map(|(name, bytes)| (name, bytes.0)).collect()
}

/// The names of the files with pairs.
fn files(world: &World) -> Vec<String> {
    data(world).into_keys().filter(|name| name.strip_suffix(".pem").is_some()).collect()
}

/// The certificate that servers should serve, and the file that they should load it from.
fn wanted(world: &World) -> Option<(Fingerprint, String)> {
    let trust = want(&world.settings(), &world.observed, &world.credentials()).trust?;
    trust.certificate.map(|wanted| (wanted.fingerprint, wanted.files[0].1.clone()))
}

fn own_file(world: &World) -> String {
    wanted(world).unwrap().1.strip_prefix("/etc/tokencache/tls/").unwrap().to_owned()
}

/// The place of the certificate that redis.conf names.
fn at_start(world: &World) -> Place {
    let config_map = world.observed.config_map.owned().unwrap();
    config::place(&config_map.data.as_ref().unwrap()[config::FILE]).unwrap()
}

fn is_named(world: &World) -> bool {
    at_start(world) == Place::Named(served(world).leaf.fingerprint())
}

/// With a pod that mounts this Secret.
fn run(world: &mut World, mounts: &str) {
    let pod = json!({
        "metadata": {"name": "shop-redis-0", "namespace": "web", "uid": "a"},
        "spec": {"containers": [], "volumes": [{"name": "tls", "secret": {"secretName": mounts}}]},
        "status": running(true),
    });
    world.observed.pods = vec![Arc::new(serde_json::from_value::<Pod>(pod).unwrap())];
}

fn sample(world: &World, outcome: Result<tokencache_operator::redis::look::answer::Answer, Fault>) -> Sample {
    let want = want(&world.settings(), &world.observed, &world.credentials());
    let server = server_in(&world.settings(), &world.observed.pods[0]).unwrap();
    Sample { server, taken: world.now, want, outcome }
}

/// The latest look found that the server shows the wanted certificate, loaded from the file that it should name, or from another.
fn shows_wanted(world: &mut World, is_named: bool) {
    let mut answer = well();
    let certificate = answer.certificate.as_mut().unwrap();
    (certificate.fingerprint, certificate.is_named) = (wanted(world).unwrap().0, is_named);
    world.observed.samples = vec![sample(world, Ok(answer))];
}

/// The latest look found that the server shows this since some time.
fn shows_foreign(world: &mut World, why: Distrust, fingerprint: Fingerprint, since: Timestamp) {
    let shown = Foreign { fingerprint, issuer: "CN=stranger".to_owned() };
    let untrusted = Untrusted { why, shown: Some(shown), since: Some(since) };
    world.observed.samples = vec![sample(world, Err(Fault::Certificate(untrusted)))];
}

fn stranger() -> Fingerprint {
    Fingerprint::of(b"of a stranger")
}

#[test]
fn a_certificate_that_was_spoilt_by_hand_is_put_back_from_the_file_that_is_named_after_it() {
    let other = World::text(&World::settled(shop("{}")).observed.certificate_authority, "tls.key");
    let foreign = foreign_pair();
    let changes: [&[(&str, &str)]; 5] = [
        &[("tls.crt", "nonsense")],
        &[("tls.key", "")],
        &[("tls.key", &other)],
        &[("tls.crt", &foreign.certificate), ("tls.key", foreign.key.reveal())],
        &[("tls.crt", &foreign.certificate), ("tls.key", foreign.key.reveal()), ("ca.crt", &foreign.certificate)],
    ];
    for change in changes {
        let mut world = World::settled(shop("{}"));
        let (before, wanted_before) = (data(&world), wanted(&world));
        for (key, value) in change {
            world.observed.server_certificate = with(&world.observed.server_certificate, key, value);
        }
        assert_eq!(self::wanted(&world), wanted_before, "what servers are to load is the same: {change:?}");
        assert_eq!(settle(&mut world), ["Secret shop-redis-tls"], "{change:?}");
        assert_eq!(data(&world), before);
    }
    let mut world = World::settled(shop("{}"));
    world.observed.server_certificate = with(&world.observed.server_certificate, "ca.crt", "nonsense");
    assert_eq!(settle(&mut world), ["Secret shop-redis-tls"], "the bundle follows from the authority");
}

#[test]
fn a_certificate_whose_own_file_was_overwritten_too_is_made_anew_and_no_server_is_told_to_read_that_file() {
    let foreign = foreign_pair();
    let together = foreign.certificate.clone() + foreign.key.reveal();
    let mut world = World::settled(shop("{}"));
    let (trusted, before) = (bundle(&world), wanted(&world));
    let name = own_file(&world);
    for (key, value) in [("tls.crt", &*foreign.certificate), ("tls.key", foreign.key.reveal()), (&*name, &*together)] {
        world.observed.server_certificate = with(&world.observed.server_certificate, key, value);
    }
    assert_eq!(wanted(&world), None, "until it is made anew nothing is loaded");
    let written = settle(&mut world);
    assert_eq!(written[..2], ["mint Secret shop-redis-tls", "ConfigMap shop-redis-config"], "{written:?}");
    assert!(accepts(&trusted, &world) && wanted(&world) != before);
    assert!(!data(&world).contains_key(&name), "what is not what its name says does not stay");
}

#[test]
fn a_server_starts_with_a_renewed_certificate_once_it_was_seen_to_have_loaded_it() {
    let mut world = World::settled(shop("{}"));
    let first = own_file(&world);
    assert!(is_named(&world));
    run(&mut world, "shop-redis-tls");
    shows_wanted(&mut world, true);
    assert_eq!(settle(&mut world), [""; 0]);
    world.now = START + DAY * 60;
    assert_eq!(settle(&mut world), ["mint Secret shop-redis-tls"]);
    assert!(own_file(&world) != first && files(&world).contains(&first), "the one before stays beside it");
    assert!(!is_named(&world), "it may not have reached the pod");
    shows_wanted(&mut world, false);
    assert_eq!(settle(&mut world), [""; 0], "a server that shows it may have loaded it from elsewhere");
    shows_wanted(&mut world, true);
    assert_eq!(settle(&mut world), [CONFIGURATION]);
    assert!(is_named(&world) && files(&world).contains(&first), "a pod may start with what it was brought before");
    // Another operator has not looked yet.
    world.observed.samples.clear();
    assert_eq!(settle(&mut world), [""; 0]);
    shows_wanted(&mut world, true);
    world.now = START + DAY * 91;
    let written = settle(&mut world);
    assert!(!files(&world).contains(&first), "until it has expired: {written:?}");
    assert_eq!(files(&world), [own_file(&world)]);
}

#[test]
fn a_cache_of_an_earlier_version_gets_named_files_and_its_pod_is_left_as_it_is() {
    let mut world = World::settled(shop("{}"));
    let (before, set) = (served(&world), world.observed.stateful_set.clone());
    let mut secret = Secret::clone(world.observed.server_certificate.owned().unwrap());
    secret.data.as_mut().unwrap().retain(|name, _| name.strip_suffix(".pem").is_none());
    world.observed.server_certificate = Found::Owned(Arc::new(secret));
    let mut config_map = world.observed.config_map.owned().unwrap().as_ref().clone();
    let text = config_map.data.as_mut().unwrap().get_mut(config::FILE).unwrap();
    *text = text.replace(&own_file(&world), "tls.crt");
    world.observed.config_map = Found::Owned(Arc::new(config_map));
    run(&mut world, "shop-redis-tls");
    shows_wanted(&mut world, false);
    assert_eq!(settle(&mut world), [TLS, CONFIGURATION], "its text is of this version, and names what it named before");
    assert_eq!((served(&world), at_start(&world)), (before, Place::Unnamed));
    shows_wanted(&mut world, true);
    assert_eq!(settle(&mut world), [CONFIGURATION]);
    assert!(is_named(&world));
    assert!(set.owned() == world.observed.stateful_set.owned(), "no pod is replaced for it");
}

#[test]
fn a_server_never_starts_with_a_file_that_is_gone() {
    let mut world = World::settled(shop("{}"));
    run(&mut world, "shop-redis-tls");
    shows_wanted(&mut world, true);
    settle(&mut world);
    let first = own_file(&world);
    let foreign = foreign_pair();
    let mut secret = Secret::clone(world.observed.server_certificate.owned().unwrap());
    secret.data.as_mut().unwrap().retain(|name, _| *name != first);
    world.observed.server_certificate = Found::Owned(Arc::new(secret));
    for (key, value) in [("tls.crt", &*foreign.certificate), ("tls.key", foreign.key.reveal())] {
        world.observed.server_certificate = with(&world.observed.server_certificate, key, value);
    }
    let written = settle(&mut world);
    assert_eq!(written, ["mint Secret shop-redis-tls", CONFIGURATION], "replaced as a whole");
    assert!(is_named(&world) && own_file(&world) != first);
}

#[test]
fn what_a_user_provides_is_copied_and_what_is_garbled_there_reaches_no_server() {
    let mut world = World::settled(shop(PROVIDED));
    let good = served(&world);
    assert!(is_named(&world));
    assert_eq!(wanted(&world).unwrap().0, good.leaf.fingerprint());
    run(&mut world, "shop-redis-tls");
    shows_wanted(&mut world, true);
    for (key, value) in [("tls.key", "nonsense"), ("tls.crt", "nonsense"), ("ca.crt", "")] {
        let mut garbled = world.clone();
        let user = Found::Owned(garbled.observed.provided_certificate.clone().unwrap());
        garbled.observed.provided_certificate = with(&user, key, value).owned().cloned();
        assert!(matches!(garbled.credentials().tls.state, CertificateState::Unusable { .. }));
        assert_eq!(settle(&mut garbled), [""; 0], "{key}");
        assert_eq!(wanted(&garbled), wanted(&world), "servers keep the latest that could be used");
    }
    world.observed.provided_certificate = Some(Arc::new(provided(&[HOST], START + DAY)));
    world.now = START + DAY;
    assert_eq!(settle(&mut world), [TLS, "Secret shop-redis"], "a renewed one is followed");
    assert_ne!(served(&world), good);
    assert!(!is_named(&world));
    shows_wanted(&mut world, true);
    assert_eq!(settle(&mut world), ["Secret shop-redis", CONFIGURATION]);
    assert!(is_named(&world));
}

#[test]
fn a_pod_that_mounts_the_users_own_secret_goes_on_and_the_next_one_mounts_the_copy() {
    let mut world = World::settled(shop(PROVIDED));
    let mark = login_mark(&world.credentials().operator_password().unwrap().sha256());
    let set = stateful_set(&world.settings(), 448 << 20, Template::BusyEnds, Some(&mark));
    world.observed.stateful_set = Found::Owned(super::world::stored(set));
    run(&mut world, "mine");
    settle(&mut world);
    let mounted = |world: &World| {
        let set = world.observed.stateful_set.owned().unwrap();
        let pod = set.spec.as_ref().unwrap().template.spec.clone().unwrap();
        let volumes = pod.volumes.unwrap().into_iter();
        volumes
            .filter_map(|volume| Some((volume.name, volume.secret?.secret_name?)))
            .find(|(name, _)| name == "tls")
            .unwrap()
            .1
    };
    assert_eq!((mounted(&world).as_str(), at_start(&world)), ("mine", Place::Unnamed));
    assert_eq!(wanted(&world).unwrap().1, "/etc/tokencache/tls/tls.crt");
    world.cache.spec.redis.image = "docker.io/library/redis:8.4".to_owned();
    settle(&mut world);
    assert_eq!((mounted(&world).as_str(), at_start(&world)), ("shop-redis-tls", Place::Unnamed));
    run(&mut world, "shop-redis-tls");
    shows_wanted(&mut world, true);
    assert_eq!(settle(&mut world), [CONFIGURATION]);
    assert!(is_named(&world));
}

#[test]
fn from_the_operators_own_authority_to_a_users_and_back_what_is_served_is_always_trusted() {
    let mut world = World::settled(shop("{}"));
    run(&mut world, "shop-redis-tls");
    shows_wanted(&mut world, true);
    let own = served(&world);
    world.cache.spec = shop(PROVIDED).spec;
    world.observed.provided_certificate = Some(Arc::new(provided(&[HOST], START)));
    settle(&mut world);
    assert!(bundle(&world).accept(&own.chain, HOST, world.now).is_ok(), "until the user's is served");
    assert!(accepts(&bundle(&world), &world));
    shows_wanted(&mut world, true);
    settle(&mut world);
    let of_user = served(&world);
    world.cache.spec = shop("{}").spec;
    world.observed.certificate_authority = Found::Absent;
    settle(&mut world);
    assert!(bundle(&world).accept(&of_user.chain, HOST, world.now).is_ok(), "until clients know the operator's own");
    assert_eq!(served(&world), of_user);
    world.now = START + DAY * 2;
    shows_wanted(&mut world, true);
    settle(&mut world);
    assert!(served(&world) != of_user && accepts(&bundle(&world), &world));
}

/// When the `StatefulSet` says that its pod was replaced for what it served.
fn restarted(world: &World) -> Option<Timestamp> {
    let template = &world.observed.stateful_set.owned().unwrap().spec.as_ref().unwrap().template;
    template.metadata.as_ref().unwrap().annotations.as_ref().unwrap().get(RESTARTED_ANNOTATION)?.parse().ok()
}

#[test]
fn a_server_that_shows_what_nobody_trusts_is_replaced_after_a_while_and_not_again_within_an_hour() {
    for (spec, wait) in [("{}", LONG_WAIT), ("redis: {persistence: {size: 2Gi}}", WAIT)] {
        for why in [Distrust::UnknownIssuer, Distrust::WrongName, Distrust::Other("an odd form".to_owned())] {
            let mut world = World::settled(shop(spec));
            run(&mut world, "shop-redis-tls");
            settle(&mut world);
            let begun = world.now;
            world.now = begun + wait - SignedDuration::from_secs(1);
            shows_foreign(&mut world, why.clone(), stranger(), begun);
            assert_eq!(settle(&mut world), [""; 0], "{why:?}");
            let told = world.credentials().tls.replacement.unwrap();
            assert_eq!((told.at, told.is_due), (begun + wait, false), "which is said before");
            world.now = begun + wait;
            shows_foreign(&mut world, why.clone(), stranger(), begun);
            assert_eq!(world.plan(), world.plan());
            assert_eq!(settle(&mut world), ["StatefulSet shop-redis"], "{why:?}");
            assert_eq!(restarted(&world), Some(begun + wait));
            // The pod that takes its place.
            let again = world.now;
            world.now = again + AGAIN - SignedDuration::from_secs(1);
            shows_foreign(&mut world, why.clone(), stranger(), again);
            assert_eq!(settle(&mut world), [""; 0]);
            world.now = again + AGAIN;
            shows_foreign(&mut world, why.clone(), stranger(), again);
            assert_eq!(settle(&mut world), ["StatefulSet shop-redis"]);
            shows_wanted(&mut world, true);
            world.now += AGAIN * 24;
            assert_eq!(written_set(&world.plan()), None, "and what it is replaced for is not forgotten, nor repeated");
        }
    }
}

#[test]
fn nothing_that_time_does_and_nothing_of_its_own_has_a_server_replaced() {
    let never = |why: Distrust, shown: &dyn Fn(&World) -> Fingerprint, change: &dyn Fn(&mut World)| {
        let mut world = World::settled(shop("{}"));
        run(&mut world, "shop-redis-tls");
        settle(&mut world);
        let (begun, shown) = (world.now, shown(&world));
        world.now += AGAIN;
        shows_foreign(&mut world, why, shown, begun);
        change(&mut world);
        assert_eq!((world.credentials().tls.replacement, written_set(&world.plan())), (None, None));
    };
    let strange = |_: &World| stranger();
    never(Distrust::Expired, &strange, &|_| {});
    never(Distrust::NotYetValid, &strange, &|_| {});
    never(Distrust::UnknownIssuer, &|world| served(world).leaf.fingerprint(), &|_| {});
    // The latest look is too old to say anything.
    never(Distrust::UnknownIssuer, &strange, &|world| world.now += AGAIN);
    // Another pod has taken its place.
    never(Distrust::UnknownIssuer, &strange, &|world| Arc::make_mut(&mut world.observed.pods[0]).metadata.uid = None);
    never(Distrust::UnknownIssuer, &strange, &|world| world.observed.pods.clear());
    // There is none that it could serve instead.
    never(Distrust::UnknownIssuer, &strange, &|world| world.observed.server_certificate = Found::Absent);
    // Nothing was shown at all.
    never(Distrust::UnknownIssuer, &strange, &|world| {
        world.observed.samples = vec![sample(world, Err(Fault::from(Distrust::Other("no authority".to_owned()))))];
    });
}
