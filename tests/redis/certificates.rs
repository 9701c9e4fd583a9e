//! A server proves who it is, and has the wanted certificate loaded without a restart: Redis and Valkey of every version.

use std::{net::SocketAddr, path::Path};

use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;
use tokencache_operator::{
    probe::{Probe, wire::Limits},
    redis::{
        look::{
            Address, Desired, DesiredCertificate, Server, Trust,
            answer::{Answer, Detour, Reload, Served},
            drift::{Correction, Drift, Parameter},
            fault::Fault,
        },
        tls::{
            certificate::{Authorities, Distrust, Fingerprint, Pair},
            issue::{self, Issued},
            schedule::{AUTHORITY_LIFETIME, CERTIFICATE_LIFETIME},
        },
    },
};

use crate::scene::{admin_over_tls, config, first_look, inspection, login, look, probe, server_of, want};
use crate::servers::each;
use crate::support::redis_server::RedisServer;

const HOST: &str = "shop-redis.web.svc";

/// An authority, and the folder in which a server finds its files.
struct Scene {
    authority: Issued,
    folder: TempDir,
}

/// A certificate with its key.
struct Certificate {
    issued: Issued,
    fingerprint: Fingerprint,
}

fn today() -> Timestamp {
    Timestamp::now()
}

fn issued_by(authority: &Issued, dice: u8, name: &str, made: Timestamp) -> Certificate {
    let ends = today() + AUTHORITY_LIFETIME;
    let issued = issue::certificate(&[name.to_owned()], authority, ends, &[dice; 128], made).unwrap();
    let pair = Pair::parse(issued.certificate.as_bytes(), issued.key.reveal().as_bytes()).unwrap();
    Certificate { fingerprint: pair.leaf.fingerprint(), issued }
}

impl Scene {
    fn new() -> Self {
        let authority = issue::authority("shop-redis", &[1; 128], today()).unwrap();
        Self { authority, folder: tempfile::tempdir().unwrap() }
    }

    fn certificate(&self, dice: u8) -> Certificate {
        issued_by(&self.authority, dice, HOST, today())
    }

    fn put(&self, certificate: &Certificate) {
        self.put_pair(&certificate.issued.certificate, certificate.issued.key.reveal());
    }

    fn put_pair(&self, certificate: &str, key: &str) {
        let write = |name: &str, text: &str| std::fs::write(self.folder.path().join(name), text).unwrap();
        write("tls.crt", certificate);
        write("tls.key", key);
        write("ca.crt", &self.authority.certificate);
    }

    /// A server that starts with this certificate.
    async fn serve(&self, certificate: &Certificate) -> RedisServer {
        self.serve_by("redis-server", certificate).await
    }

    /// The same of this program.
    async fn serve_by(&self, program: &str, certificate: &Certificate) -> RedisServer {
        self.put(certificate);
        RedisServer::start_program(program, &over_tls(self.folder.path())).await
    }

    fn trust(&self, certificate: Option<&Certificate>) -> Trust {
        Trust {
            name: HOST.to_owned(),
            authorities: Authorities::parse(self.authority.certificate.as_bytes()).unwrap(),
            certificate: certificate.map(|certificate| DesiredCertificate {
                fingerprint: certificate.fingerprint.clone(),
                files: files(self.folder.path()).to_vec(),
            }),
        }
    }

    fn want(&self, certificate: &Certificate) -> Desired {
        Desired { trust: Some(self.trust(Some(certificate))), ..want() }
    }
}

/// The settings that name the files of a folder.
fn files(folder: &Path) -> [(String, String); 3] {
    let file = |setting: &str, name: &str| (setting.to_owned(), folder.join(name).display().to_string());
    [file("tls-cert-file", "tls.crt"), file("tls-key-file", "tls.key"), file("tls-ca-cert-file", "ca.crt")]
}

fn over_tls(folder: &Path) -> String {
    let files: String = files(folder).iter().map(|(setting, path)| [setting, " ", path, "\n"].concat()).collect();
    format!("{}port 0\ntls-port 6379\n{files}tls-auth-clients no\n", config())
}

async fn look_once(server: &Server, want: &Desired) -> Result<Answer, Fault> {
    look(&probe(), server, &login(), want).await
}

fn served(answer: Result<Answer, Fault>) -> Served {
    answer.unwrap().certificate.expect("a certificate is served")
}

/// Why a server's certificate was no proof.
fn distrust(outcome: Result<Answer, Fault>) -> Distrust {
    match outcome {
        Err(Fault::Certificate(untrusted)) => untrusted.why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_server_is_reached_by_its_address_and_verified_by_its_name() {
    for program in each() {
        let scene = Scene::new();
        let certificate = scene.certificate(2);
        let redis = scene.serve_by(&program, &certificate).await;
        let served = served(look_once(&server_of(&redis), &scene.want(&certificate)).await);
        assert_eq!((served.fingerprint, served.reload), (certificate.fingerprint, Reload::Done));
        let left = served.not_after.duration_since(today());
        assert!(
            left > CERTIFICATE_LIFETIME - SignedDuration::from_hours(1) && left <= CERTIFICATE_LIFETIME,
            "{left:?}"
        );
    }
}

#[tokio::test]
async fn an_address_that_leads_elsewhere_or_nowhere_is_told_at_the_second_look_and_one_that_leads_here_never() {
    let scene = Scene::new();
    let stranger = Scene { authority: issue::authority("shop-redis", &[9; 128], today()).unwrap(), ..Scene::new() };
    let certificate = scene.certificate(2);
    let redis = scene.serve(&certificate).await;
    let other = stranger.serve(&stranger.certificate(5)).await;
    let (probe, server) = (probe(), server_of(&redis));
    let named = async |host: &str, at: SocketAddr| {
        let address = Some(Address { host: host.to_owned(), at });
        let want = Desired { address, ..scene.want(&certificate) };
        look(&probe, &server, &login(), &want).await.unwrap().detour
    };
    let through = async |at: SocketAddr| named(&at.ip().to_string(), at).await;
    let here = SocketAddr::new(redis.address(), redis.port());
    let told = |why: &str, is_confirmed| Some(Detour { why: why.to_owned(), is_confirmed });
    assert_eq!(named("nowhere.invalid", here).await, None, "perhaps no name is known here");
    for (address, why) in [
        (SocketAddr::new(redis.address(), 1), "connection refused"),
        (SocketAddr::new(other.address(), other.port()), "another server answers there"),
    ] {
        assert_eq!(through(here).await, None);
        assert_eq!(through(address).await, told(why, false));
        assert_eq!(through(address).await, told(why, true));
    }
    assert_eq!(through(here).await, None);
    // What applications look up is its name.
    for (host, why) in [("nowhere.invalid", "its name is not resolved"), ("127.0.0.1", "its name leads elsewhere")] {
        assert_eq!(named(host, here).await, told(why, false));
        assert_eq!(named(host, here).await, told(why, true));
        assert_eq!(through(here).await, None);
    }
}

#[tokio::test]
async fn a_replaced_certificate_is_loaded_without_a_restart_also_over_a_held_connection() {
    for program in each() {
        let scene = Scene::new();
        let (first, second) = (scene.certificate(2), scene.certificate(3));
        let redis = scene.serve_by(&program, &first).await;
        let (probe, server) = (probe(), server_of(&redis));
        let before = served(look(&probe, &server, &login(), &scene.want(&first)).await);
        assert_eq!(before.fingerprint, first.fingerprint);
        scene.put(&second);
        let after = served(look(&probe, &server, &login(), &scene.want(&second)).await);
        assert_eq!((after.fingerprint, after.reload), (second.fingerprint.clone(), Reload::Done));
        assert!(redis.process().ended().is_none());
        assert_eq!(admin_over_tls(&redis, &["ACL", "LOG"]), "", "the operator's user has every right that this needs");
    }
}

#[tokio::test]
async fn a_certificate_that_has_not_reached_the_server_is_waited_for() {
    for program in each() {
        let scene = Scene::new();
        let (first, second) = (scene.certificate(2), scene.certificate(3));
        let redis = scene.serve_by(&program, &first).await;
        let waiting = served(look_once(&server_of(&redis), &scene.want(&second)).await);
        assert_eq!((waiting.fingerprint, waiting.reload), (first.fingerprint, Reload::Pending));
        scene.put(&second);
        assert_eq!(served(look_once(&server_of(&redis), &scene.want(&second)).await).reload, Reload::Done);
    }
}

#[tokio::test]
async fn a_port_for_plain_text_that_somebody_opened_is_told_and_closed() {
    let port = 6390;
    for program in each() {
        let scene = Scene::new();
        let certificate = scene.certificate(2);
        let redis = scene.serve_by(&program, &certificate).await;
        let (probe, server, want) = (probe(), server_of(&redis), scene.want(&certificate));
        assert_eq!(look(&probe, &server, &login(), &want).await.unwrap().drift, []);
        assert_eq!(admin_over_tls(&redis, &["CONFIG", "SET", "port", &port.to_string()]), "OK", "{program}");
        let open = async || tokio::net::TcpStream::connect((redis.address(), port)).await.is_ok();
        assert!(open().await, "{program}");
        let drift = |correction| {
            [Drift { parameter: Parameter::PlainPort, found: port.to_string(), correction, corrected_at: None }]
        };
        let paused = Desired { correct: false, ..want.clone() };
        let seen = look(&probe, &server, &login(), &paused).await.unwrap();
        assert_eq!(seen.drift, drift(Correction::Withheld), "{program}");
        let seen = look(&probe, &server, &login(), &want).await.unwrap();
        assert_eq!(seen.drift, drift(Correction::Corrected), "{program}");
        assert!(!open().await, "{program}");
        assert_eq!(served(Ok(seen)).reload, Reload::Done, "{program}");
    }
}

#[tokio::test]
async fn other_files_that_somebody_named_are_told_and_the_mounted_ones_are_named_again() {
    for program in each() {
        let (scene, elsewhere) = (Scene::new(), Scene::new());
        let (first, second) = (scene.certificate(2), scene.certificate(3));
        let redis = scene.serve_by(&program, &first).await;
        elsewhere.put(&first);
        let set: Vec<String> =
            files(elsewhere.folder.path()).into_iter().flat_map(|(setting, path)| [setting, path]).collect();
        let set: Vec<&str> = ["CONFIG", "SET"].into_iter().chain(set.iter().map(String::as_str)).collect();
        assert_eq!(admin_over_tls(&redis, &set), "OK", "{program}");

        scene.put(&second);
        let paused = Desired { correct: false, ..scene.want(&second) };
        assert_eq!(served(look_once(&server_of(&redis), &paused).await).reload, Reload::Withheld, "{program}");
        let answer = look_once(&server_of(&redis), &scene.want(&second)).await.unwrap();
        let [drift] = answer.drift.as_slice() else { panic!("{program}: {:?}", answer.drift) };
        assert_eq!((drift.parameter, &drift.correction), (Parameter::CertificateFiles, &Correction::Corrected));
        assert!(drift.found.contains(elsewhere.folder.path().join("tls.crt").to_str().unwrap()), "{}", drift.found);
        assert_eq!(served(Ok(answer)).fingerprint, second.fingerprint, "{program}");
        let next = look_once(&server_of(&redis), &scene.want(&second)).await.unwrap();
        assert_eq!(next.drift, [], "{program}");
    }
}

#[tokio::test]
async fn other_files_are_kept_where_the_mounted_ones_hold_no_pair() {
    let (scene, elsewhere) = (Scene::new(), Scene::new());
    let (first, second) = (scene.certificate(2), scene.certificate(3));
    elsewhere.put(&first);
    let redis = RedisServer::start(&over_tls(elsewhere.folder.path())).await;
    let seen = look_once(&server_of(&redis), &scene.want(&second)).await.unwrap();
    assert_eq!(seen.drift, []);
    assert_eq!(served(Ok(seen)).reload, Reload::Pending);
}

#[tokio::test]
async fn a_pair_that_does_not_match_is_refused_and_the_old_one_stays() {
    for program in each() {
        let scene = Scene::new();
        let (first, second) = (scene.certificate(2), scene.certificate(3));
        let redis = scene.serve_by(&program, &first).await;
        scene.put_pair(&second.issued.certificate, first.issued.key.reveal());
        let refused = served(look_once(&server_of(&redis), &scene.want(&second)).await);
        assert_eq!(refused.fingerprint, first.fingerprint);
        match refused.reload {
            Reload::Refused(words) => assert!(words.contains("Unable to update TLS configuration"), "{words}"),
            other => panic!("{other:?}"),
        }
        scene.put(&second);
        assert_eq!(served(look_once(&server_of(&redis), &scene.want(&second)).await).reload, Reload::Done);
    }
}

#[tokio::test]
async fn while_paused_no_certificate_is_loaded() {
    let scene = Scene::new();
    let (first, second) = (scene.certificate(2), scene.certificate(3));
    let redis = scene.serve(&first).await;
    scene.put(&second);
    let paused = Desired { correct: false, ..scene.want(&second) };
    let seen = served(look_once(&server_of(&redis), &paused).await);
    assert_eq!((seen.fingerprint, seen.reload), (first.fingerprint, Reload::Withheld));
}

#[tokio::test]
async fn a_server_that_another_authority_vouches_for_gets_no_login() {
    for program in each() {
        let scene = Scene::new();
        let stranger = issue::authority("shop-redis", &[9; 128], today()).unwrap();
        let redis = scene.serve_by(&program, &issued_by(&stranger, 2, HOST, today())).await;
        let outcome = look_once(&server_of(&redis), &scene.want(&scene.certificate(3))).await;
        assert_eq!(distrust(outcome), Distrust::UnknownIssuer);
    }
}

#[tokio::test]
async fn a_server_of_another_name_gets_no_login() {
    let scene = Scene::new();
    let redis = scene.serve(&issued_by(&scene.authority, 2, "other-redis.web.svc", today())).await;
    let outcome = look_once(&server_of(&redis), &scene.want(&scene.certificate(3))).await;
    assert_eq!(distrust(outcome), Distrust::WrongName);
}

#[tokio::test]
async fn an_expired_certificate_is_told_and_the_next_one_is_loaded_all_the_same() {
    for program in each() {
        let scene = Scene::new();
        let long_ago = today() - CERTIFICATE_LIFETIME - SignedDuration::from_hours(24);
        let expired = issued_by(&scene.authority, 2, HOST, long_ago);
        let redis = scene.serve_by(&program, &expired).await;
        let seen = served(look_once(&server_of(&redis), &scene.want(&expired)).await);
        assert!(seen.not_after < today() && seen.reload == Reload::Done, "{seen:?}");
        let renewed = scene.certificate(3);
        scene.put(&renewed);
        let after = served(look_once(&server_of(&redis), &scene.want(&renewed)).await);
        assert_eq!((after.fingerprint, after.reload), (renewed.fingerprint, Reload::Done));
    }
}

#[tokio::test]
async fn an_expired_certificate_of_a_stranger_is_no_proof() {
    let scene = Scene::new();
    let long_ago = today() - CERTIFICATE_LIFETIME - SignedDuration::from_hours(24);
    let stranger = issue::authority("shop-redis", &[9; 128], long_ago).unwrap();
    let redis = scene.serve(&issued_by(&stranger, 2, HOST, long_ago)).await;
    let outcome = look_once(&server_of(&redis), &scene.want(&scene.certificate(3))).await;
    assert_eq!(distrust(outcome), Distrust::UnknownIssuer);
}

#[tokio::test]
async fn during_a_change_of_authorities_a_certificate_of_either_is_accepted() {
    let scene = Scene::new();
    let next = issue::authority("shop-redis", &[9; 128], today()).unwrap();
    let bundle = next.certificate.clone() + &scene.authority.certificate;
    let (old, new) = (scene.certificate(2), issued_by(&next, 3, HOST, today()));
    let redis = scene.serve(&old).await;
    let wanted = |certificate: &Certificate| {
        let mut want = scene.want(certificate);
        want.trust.as_mut().unwrap().authorities = Authorities::parse(bundle.as_bytes()).unwrap();
        want
    };
    assert_eq!(served(look_once(&server_of(&redis), &wanted(&old)).await).reload, Reload::Done);
    scene.put(&new);
    assert_eq!(served(look_once(&server_of(&redis), &wanted(&new)).await).fingerprint, new.fingerprint);
}

#[tokio::test]
async fn plain_text_where_tls_was_expected_is_told_and_gets_no_login() {
    let scene = Scene::new();
    let redis = RedisServer::start(&config()).await;
    let outcome = look_once(&server_of(&redis), &scene.want(&scene.certificate(2))).await;
    assert_eq!(outcome, Err(Fault::PlainText));
    assert!(first_look(&redis).await.is_ok(), "it is well but for that");
}

#[tokio::test]
async fn a_frozen_server_is_frozen_with_tls_too() {
    let scene = Scene::new();
    let certificate = scene.certificate(2);
    let redis = scene.serve(&certificate).await;
    redis.process().freeze().await;
    assert_eq!(look_once(&server_of(&redis), &scene.want(&certificate)).await, Err(Fault::Frozen));
}

/// A certificate for the same name, by an authority that nobody trusts.
fn foreign() -> Certificate {
    let stranger = issue::authority("stranger", &[9; 128], today()).unwrap();
    issued_by(&stranger, 8, HOST, today())
}

/// A file with a pair in it, as the operator makes them, and the settings that name it.
fn named(folder: &Path, name: &str, pair: &Certificate) -> Vec<(String, String)> {
    let path = folder.join(name);
    std::fs::write(&path, pair.issued.certificate.clone() + pair.issued.key.reveal()).unwrap();
    naming(&path)
}

fn naming(path: &Path) -> Vec<(String, String)> {
    let path = path.display().to_string();
    vec![
        ("tls-cert-file".to_owned(), path.clone()),
        ("tls-key-file".to_owned(), path),
        ("tls-ca-cert-file".to_owned(), String::new()),
    ]
}

impl Scene {
    /// A server that starts with the pair of this file.
    async fn start(&self, program: &str, files: &[(String, String)]) -> RedisServer {
        let set = files.iter().filter(|(_, path)| !path.is_empty());
        let set: String = set.map(|(setting, path)| [setting, " ", path, "\n"].concat()).collect();
        let text = format!("{}port 0\ntls-port 6379\n{set}tls-auth-clients no\n", config());
        RedisServer::start_program(program, &text).await
    }

    fn want_named(&self, certificate: &Certificate, files: Vec<(String, String)>) -> Desired {
        let mut want = self.want(certificate);
        let trust = want.trust.as_mut().unwrap();
        trust.certificate = Some(DesiredCertificate { fingerprint: certificate.fingerprint.clone(), files });
        want
    }
}

fn set(redis: &RedisServer, files: &[(String, String)]) {
    let words: Vec<&str> = files.iter().flat_map(|(setting, path)| [setting.as_str(), path.as_str()]).collect();
    assert_eq!(admin_over_tls(redis, &[&["CONFIG", "SET"], words.as_slice()].concat()), "OK");
}

#[tokio::test]
async fn a_pair_in_one_file_is_loaded_and_named_also_by_a_server_that_named_others_for_the_same() {
    for program in each() {
        let scene = Scene::new();
        let (first, second) = (scene.certificate(2), scene.certificate(3));
        let redis = scene.serve_by(&program, &first).await;
        let server = server_of(&redis);
        let missing = scene.want_named(&first, naming(&scene.folder.path().join("first.pem")));
        let waiting = served(look_once(&server, &missing).await);
        assert_eq!((waiting.reload, waiting.is_named), (Reload::Done, false), "{program}: not there yet");
        let there = scene.want_named(&first, named(scene.folder.path(), "first.pem", &first));
        for _ in 0..2 {
            let answer = look_once(&server, &there).await.unwrap();
            assert_eq!(answer.drift, [], "{program}: nobody did anything");
            let found = served(Ok(answer));
            assert_eq!((found.fingerprint, found.is_named), (first.fingerprint.clone(), true), "{program}");
        }
        let files = named(scene.folder.path(), "second.pem", &second);
        let found = served(look_once(&server, &scene.want_named(&second, files.clone())).await);
        assert_eq!((found.fingerprint, found.reload, found.is_named), (second.fingerprint.clone(), Reload::Done, true));
        // It starts with such a file too.
        let other = scene.start(&program, &files).await;
        let found = served(look_once(&server_of(&other), &scene.want_named(&second, files)).await);
        assert_eq!((found.fingerprint, found.is_named), (second.fingerprint, true), "{program}");
    }
}

#[tokio::test]
async fn a_server_that_was_made_to_serve_what_nobody_trusts_is_won_back_over_the_held_connection() {
    for program in each() {
        let scene = Scene::new();
        let (own, foreign) = (scene.certificate(2), foreign());
        let files = named(scene.folder.path(), "own.pem", &own);
        let redis = scene.start(&program, &files).await;
        let (probe, server, want) = (probe(), server_of(&redis), scene.want_named(&own, files));
        assert!(look(&probe, &server, &login(), &want).await.is_ok());
        set(&redis, &named(scene.folder.path(), "foreign.pem", &foreign));
        // While the file is away it cannot be loaded; the connection is kept for when it is back.
        let (path, away) = (scene.folder.path().join("own.pem"), scene.folder.path().join("away"));
        std::fs::rename(&path, &away).unwrap();
        for _ in 0..2 {
            let paused = Desired { correct: false, ..want.clone() };
            assert_eq!(distrust(look(&probe, &server, &login(), &paused).await), Distrust::UnknownIssuer, "{program}");
            assert_eq!(distrust(look(&probe, &server, &login(), &want).await), Distrust::UnknownIssuer, "{program}");
        }
        std::fs::rename(&away, &path).unwrap();
        let answer = look(&probe, &server, &login(), &want).await.unwrap();
        let [drift] = answer.drift.as_slice() else { panic!("{program}: {:?}", answer.drift) };
        assert_eq!((drift.parameter, &drift.correction), (Parameter::CertificateFiles, &Correction::Corrected));
        assert!(drift.found.contains(foreign.fingerprint.short()), "{}", drift.found);
        let found = served(Ok(answer));
        assert_eq!(
            (found.fingerprint, found.reload, found.is_named),
            (own.fingerprint, Reload::Done, true),
            "{program}"
        );
        assert!(redis.process().ended().is_none());
        assert_eq!(look(&probe, &server, &login(), &want).await.unwrap().drift, [], "{program}");
    }
}

#[tokio::test]
async fn whoever_serves_what_nobody_trusts_gets_no_login_and_it_is_told_what_and_since_when() {
    let scene = Scene::new();
    let (own, foreign) = (scene.certificate(2), foreign());
    let files = named(scene.folder.path(), "foreign.pem", &foreign);
    let redis = scene.start("redis-server", &files).await;
    let want = scene.want_named(&own, named(scene.folder.path(), "own.pem", &own));
    let (probe, server) = (Probe::new(Limits::default(), Timestamp::now), server_of(&redis));
    let untrusted = async || match probe.sample(&server, &login(), &want, &inspection()).await.0.outcome {
        Err(Fault::Certificate(untrusted)) => untrusted,
        other => panic!("{other:?}"),
    };
    let first = untrusted().await;
    let shown = first.shown.clone().unwrap();
    assert_eq!(shown.fingerprint, foreign.fingerprint);
    assert!(shown.issuer.contains("stranger"), "{}", shown.issuer);
    assert!(first.since.is_some());
    assert_eq!(untrusted().await, first, "since the first look that found it");
    let paused = Desired { correct: false, ..want.clone() };
    match probe.sample(&server, &login(), &paused, &inspection()).await.0.outcome {
        Err(Fault::Certificate(untrusted)) => {
            assert_eq!((untrusted.shown, untrusted.since), (first.shown.clone(), None));
        }
        other => panic!("{other:?}"),
    }
    assert!(untrusted().await.since > first.since, "a pause is no time in which it could have been set right");
    let log = admin_over_tls(&redis, &["INFO", "commandstats"]);
    assert!(!log.contains("cmdstat_config"), "{log}");
    assert!(!admin_over_tls(&redis, &["CLIENT", "LIST"]).contains("user=operator"));
    // It is set right by hand.
    set(&redis, &named(scene.folder.path(), "own.pem", &own));
    assert!(probe.sample(&server, &login(), &want, &inspection()).await.0.outcome.is_ok());
    set(&redis, &files);
    assert_eq!(
        served(probe.sample(&server, &login(), &want, &inspection()).await.0.outcome).fingerprint,
        own.fingerprint,
        "and now it is held"
    );
}

#[tokio::test]
async fn what_reached_the_pod_in_place_of_the_checked_pair_is_left_again_at_once() {
    for program in each() {
        let scene = Scene::new();
        let (first, second, foreign) = (scene.certificate(2), scene.certificate(3), foreign());
        let redis = scene.start(&program, &named(scene.folder.path(), "first.pem", &first)).await;
        let want = scene.want_named(&second, named(scene.folder.path(), "second.pem", &foreign));
        let (probe, server) = (probe(), server_of(&redis));
        for _ in 0..2 {
            let found = served(look(&probe, &server, &login(), &want).await);
            assert_eq!((found.fingerprint, found.reload), (first.fingerprint.clone(), Reload::Pending), "{program}");
        }
        named(scene.folder.path(), "second.pem", &second);
        let found = served(look(&probe, &server, &login(), &want).await);
        assert_eq!((found.fingerprint, found.is_named), (second.fingerprint, true), "{program}");
    }
}
