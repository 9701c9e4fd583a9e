//! Encrypted connections: what the operator makes itself, what a Secret of the user's provides, and plain text on request.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use tokencache_operator::redis::{
    credentials::tls::replacement::WAIT,
    tls::{
        issue::{self, Issued},
        schedule::AUTHORITY_LIFETIME,
    },
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::scene::{PERIOD, POD, SHOP, World, condition, has_been, operated, operator_of, shop};
use crate::support::api_server::api_server;
use crate::support::audit::Mark;
use crate::support::eventually::{eventually, never, within};
use crate::support::operator::USER_AGENT;
use crate::survival::world::ping_over_tls;

const MINE: &str = "my-certificate";

fn with_tls(mode: &str) -> Value {
    match mode {
        "Secret" => json!({"redis": {"tls": {"mode": mode, "secretName": MINE}}}),
        _ => json!({"redis": {"tls": {"mode": mode}}}),
    }
}

/// A user's authority.
fn authority() -> Issued {
    issue::authority("somebody", &[3; 128], Timestamp::now()).unwrap()
}

/// The content of a user's Secret: a certificate for this name, made so long ago.
fn content(authority: &Issued, dice: u8, name: &str, age: SignedDuration) -> Value {
    let now = Timestamp::now();
    let issued =
        issue::certificate(&[name.to_owned()], authority, now + AUTHORITY_LIFETIME, &[dice; 128], now - age).unwrap();
    json!({"tls.crt": issued.certificate, "tls.key": issued.key.reveal(), "ca.crt": authority.certificate})
}

/// The content of a Secret with an authority that another one signed, which is nowhere.
fn below_a_root_that_is_not_told(name: &str) -> Value {
    let (root, own, server) = (authority(), KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let root_key = KeyPair::from_pem(root.key.reveal()).unwrap();
    let mut below = CertificateParams::default();
    below.distinguished_name.push(DnType::CommonName, "below");
    below.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let below = below.signed_by(&own, &Issuer::from_ca_cert_pem(&root.certificate, root_key).unwrap()).unwrap();
    let issuer = Issuer::from_ca_cert_pem(&below.pem(), own).unwrap();
    let leaf = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&server, &issuer).unwrap();
    json!({"tls.crt": leaf.pem() + &below.pem(), "tls.key": server.serialize_pem(), "ca.crt": below.pem()})
}

impl World {
    fn host(&self) -> String {
        format!("shop-redis.{}.svc", self.namespace)
    }

    /// A certificate that fits, of a user's.
    fn fitting(&self, dice: u8) -> Value {
        content(&authority(), dice, &self.host(), SignedDuration::ZERO)
    }

    async fn provide(&self, content: Value) {
        let secret = json!({"metadata": {"name": MINE}, "type": "kubernetes.io/tls", "stringData": content});
        self.make("Secret", secret).await.unwrap();
    }

    /// What `TlsReady` says of the certificate that is served, once it is.
    async fn certificate(&self) -> String {
        self.condition(SHOP, "TlsReady", "True", "CertificateServed").await
    }

    /// Waits until another one is served than the one of which this was said.
    async fn another_certificate(&self, before: &str) {
        self.status(SHOP, "another certificate is served", |status| {
            let told = condition(status, "TlsReady");
            told["reason"] == "CertificateServed" && told["message"] != before
        })
        .await;
    }
}

#[tokio::test]
async fn who_trusts_the_published_bundle_connects_and_plain_text_finds_no_port() {
    let (world, _operator) = shop("tls").await;
    assert_eq!(world.ping_trusting_the_bundle().await, Ok(()));
    let (binding, address) = (world.secret("shop-redis").await, world.kubelet.pod(POD).address().await);
    let stranger = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(stranger.path(), authority().certificate).unwrap();
    let refused = ping_over_tls(&binding, &address.to_string(), stranger.path()).await;
    assert!(refused.contains("certificate verify failed"), "{refused}");
    assert!(tokio::net::TcpStream::connect((address, 6379)).await.is_err(), "plain text finds no port");
    let message = world.certificate().await;
    assert!(
        message.contains("notAfter ") && message.contains("SHA-256 ") && message.contains(&world.host()),
        "{message}"
    );
    let mounted = world.get("StatefulSet", "shop-redis").await.to_string();
    assert!(
        mounted.contains("shop-redis-tls") && !mounted.contains("shop-redis-ca"),
        "nothing mounts the authority's key"
    );
}

#[tokio::test]
async fn a_lost_certificate_is_made_anew_and_loaded_without_a_restart() {
    let (world, _operator) = shop("lost-tls").await;
    let (before, bundle) = (world.certificate().await, world.secret("shop-redis").await["ca.crt"].clone());
    let server = world.kubelet.pod(POD).incarnation().await;
    world.delete("Secret", "shop-redis-tls").await;
    world.another_certificate(&before).await;
    world.ready(SHOP).await;
    assert_eq!(world.kubelet.pod(POD).incarnation().await, server, "Redis was not restarted");
    assert_eq!(world.secret("shop-redis").await["ca.crt"], bundle, "the authority is the same");
}

#[tokio::test]
async fn a_certificate_and_an_authority_that_were_spoilt_by_hand_are_made_anew_in_their_place() {
    let (world, _operator) = shop("spoilt").await;
    let before = world.certificate().await;
    let server = world.kubelet.pod(POD).incarnation().await;
    for name in ["shop-redis-tls", "shop-redis-ca"] {
        let uid = world.uid("Secret", name).await;
        world.edit("Secret", name, json!({"stringData": {"tls.key": "nonsense"}})).await;
        eventually("the key is one again", async || {
            let key = world.secret(name).await["tls.key"].clone();
            if key.starts_with("-----BEGIN PRIVATE KEY-----") { Ok(()) } else { Err(format!("{} bytes", key.len())) }
        })
        .await;
        assert_eq!(world.uid("Secret", name).await, uid, "{name} was changed, not made anew");
        world.quiet().await;
    }
    assert_eq!(
        world.certificate().await,
        before,
        "it stands in a file of its own, and its authority is known to clients"
    );
    world.ready(SHOP).await;
    let authority = world.secret("shop-redis-ca").await;
    assert!(authority["previous.crt"].contains("BEGIN CERTIFICATE"), "clients know the one before");
    assert!(authority["published"].parse::<Timestamp>().is_ok(), "and when the new one was published");
    assert_eq!(world.kubelet.pod(POD).incarnation().await, server, "Redis was not restarted");
}

#[tokio::test]
async fn a_lost_authority_is_followed_by_another_and_clients_trust_both_before_it_signs() {
    let (world, _operator) = shop("lost-ca").await;
    let (before, old) = (world.certificate().await, world.secret("shop-redis").await["ca.crt"].clone());
    world.delete("Secret", "shop-redis-ca").await;
    eventually("both authorities are published", async || {
        let now = world.secret("shop-redis").await["ca.crt"].clone();
        if now.matches("BEGIN CERTIFICATE").count() == 2 && now.contains(old.trim()) { Ok(()) } else { Err(now) }
    })
    .await;
    eventually("and it is noted since when", async || {
        let authority = world.secret("shop-redis-ca").await;
        authority.get("published").cloned().ok_or_else(|| format!("{:?}", authority.keys()))
    })
    .await;
    world.quiet().await;
    assert_eq!(world.certificate().await, before, "the old certificate is served meanwhile");
    world.ready(SHOP).await;
}

#[tokio::test]
async fn a_certificate_of_the_users_is_served_and_a_renewed_one_is_loaded_without_a_restart() {
    let (world, _operator) = operated("provided").await;
    world.create(SHOP, with_tls("Secret")).await;
    let message = world.condition(SHOP, "TlsReady", "False", "CertificateMissing").await;
    assert!(message.contains(MINE) && message.contains(&world.host()), "{message}");
    assert!(world.uid("StatefulSet", "shop-redis").await.is_none(), "Redis is not started without a certificate");
    let first = world.fitting(4);
    world.provide(first.clone()).await;
    world.ready(SHOP).await;
    assert_eq!(world.secret("shop-redis").await["ca.crt"], first["ca.crt"].as_str().unwrap());
    assert!(world.uid("Secret", "shop-redis-ca").await.is_none());
    assert_eq!(
        world.secret("shop-redis-tls").await["tls.crt"],
        first["tls.crt"].as_str().unwrap(),
        "a copy is mounted"
    );

    let (before, server) = (world.certificate().await, world.kubelet.pod(POD).incarnation().await);
    world.edit("Secret", MINE, json!({"stringData": world.fitting(5)})).await;
    world.another_certificate(&before).await;
    assert_eq!(world.kubelet.pod(POD).incarnation().await, server, "Redis was not restarted");
    let requests = api_server().audit_log().since(Mark::default(), &world.namespace);
    let lists = requests.iter().filter(|request| {
        request.user_agent.starts_with(USER_AGENT)
            && request.object_ref.resource == "secrets"
            && ["list", "watch"].contains(&request.verb.as_str())
    });
    let mine = format!("fieldSelector=metadata.name%3D{MINE}");
    let (mine, others): (Vec<_>, Vec<_>) = lists.map(|request| &request.uri).partition(|uri| uri.contains(&mine));
    assert!(!mine.is_empty() && others.iter().all(|uri| uri.contains("labelSelector=")), "{mine:?} {others:?}");
}

#[tokio::test]
async fn a_certificate_of_another_authority_of_the_users_is_loaded_and_both_are_trusted_until_it_is() {
    let (world, _operator) = operated("other-ca").await;
    let first = world.fitting(4);
    world.provide(first.clone()).await;
    world.create(SHOP, with_tls("Secret")).await;
    world.ready(SHOP).await;
    let (before, server) = (world.certificate().await, world.kubelet.pod(POD).incarnation().await);
    let other = issue::authority("another", &[11; 128], Timestamp::now()).unwrap();
    let second = content(&other, 5, &world.host(), SignedDuration::ZERO);
    world.edit("Secret", MINE, json!({"stringData": second})).await;
    let renewed = world.another_certificate(&before);
    let trusted = async {
        loop {
            assert_eq!(world.ping_trusting_the_bundle().await, Ok(()), "whoever reads the bundle now connects");
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = renewed => {}
        () = trusted => {}
    }
    eventually("the authority before is trusted no more", async || {
        let bundle = world.secret("shop-redis").await["ca.crt"].clone();
        if bundle == second["ca.crt"].as_str().unwrap() { Ok(()) } else { Err(bundle) }
    })
    .await;
    world.ready(SHOP).await;
    assert_eq!(world.kubelet.pod(POD).incarnation().await, server, "Redis was not restarted");
}

#[tokio::test]
async fn a_secret_that_cannot_be_used_has_its_own_reason_and_the_server_goes_on() {
    let (world, _operator) = operated("unusable").await;
    let good = world.fitting(4);
    world.provide(good.clone()).await;
    world.create(SHOP, with_tls("Secret")).await;
    world.ready(SHOP).await;
    let (host, years) = (world.host(), SignedDuration::from_hours(24 * 400));
    let part = |key: &str, value: &str| {
        let mut content = good.clone();
        content[key] = value.into();
        content
    };
    let other = content(&authority(), 7, &host, SignedDuration::ZERO);
    let stranger = issue::authority("stranger", &[9; 128], Timestamp::now()).unwrap();
    let cases = [
        (part("tls.crt", "nonsense"), "CertificateMalformed", "tls.crt in", "Put the certificate into tls.crt"),
        (part("tls.key", "nonsense"), "CertificateMalformed", "tls.key in", "Put the private key into tls.key"),
        (part("ca.crt", ""), "CertificateMalformed", "ca.crt in", "Put the CA certificate into ca.crt"),
        (
            part("tls.key", other["tls.key"].as_str().unwrap()),
            "KeyMismatch",
            "does not belong",
            "Put the key of tls.crt",
        ),
        (
            part("ca.crt", &stranger.certificate),
            "CertificateUntrusted",
            "no CA in ca.crt",
            "Put the CA that signed tls.crt",
        ),
        (below_a_root_that_is_not_told(&host), "CertificateUntrusted", "lacks the root", "Add the root to ca.crt"),
        (content(&authority(), 5, &host, years), "CertificateExpired", "expired at", "Renew the certificate"),
        (
            content(&authority(), 5, &host, -years),
            "CertificateNotYetValid",
            "not valid before",
            "correct the operator's clock",
        ),
        (
            content(&authority(), 5, "elsewhere.example", SignedDuration::ZERO),
            "CertificateNameMismatch",
            "elsewhere.example",
            "to the certificate's names",
        ),
    ];
    let pod = world.kubelet.pod(POD);
    let (server, before, binding) =
        (pod.incarnation().await, world.certificate().await, world.secret("shop-redis").await);
    for (content, reason, words, remedy) in cases {
        world.edit("Secret", MINE, json!({"stringData": content})).await;
        world.condition_says(SHOP, "TlsReady", words).await;
        let message = world.condition(SHOP, "TlsReady", "False", reason).await;
        assert!(message.contains(MINE) && message.contains(words) && message.contains(remedy), "{message}");
        // kubelet brings the bad one to the pod as well: the operator does not have it loaded.
        never(PERIOD, "the good certificate is served", async || world.ping_trusting_the_bundle().await.err()).await;
        assert!(tokio::net::TcpStream::connect((pod.address().await, 6379)).await.is_err(), "plain text finds no port");
        assert_eq!(world.secret("shop-redis").await, binding, "applications connect as before");
    }
    assert_eq!(pod.incarnation().await, server);
    world.edit("Secret", MINE, json!({"stringData": good})).await;
    world.ready(SHOP).await;
    assert_eq!(world.certificate().await, before);
}

#[tokio::test]
async fn plain_text_on_request_has_no_certificate_and_no_condition_about_one() {
    let (world, _operator) = operated("plain").await;
    world.create(SHOP, with_tls("Disabled")).await;
    let status = world.ready(SHOP).await;
    assert!(condition(&status, "TlsReady").is_null());
    let binding = world.secret("shop-redis").await;
    assert_eq!((binding["port"].as_str(), binding["ssl"].as_str()), ("6379", "false"));
    assert!(binding["uri"].starts_with("redis://") && !binding.contains_key("ca.crt"));
    assert!(
        world.uid("Secret", "shop-redis-ca").await.is_none() && world.uid("Secret", "shop-redis-tls").await.is_none()
    );
    let login = Some(("app", binding["password"].as_str()));
    assert_eq!(world.kubelet.pod(POD).redis_cli(6379, login, &["PING"]).await, "PONG");
}

#[tokio::test]
async fn tls_can_be_asked_for_later_and_what_made_it_goes_when_it_is_not_wanted_any_more() {
    let (world, _operator) = operated("switch").await;
    world.create(SHOP, with_tls("Disabled")).await;
    world.ready(SHOP).await;
    world.edit("TokenCache", SHOP, json!({"spec": with_tls("Managed")})).await;
    world.certificate().await;
    world.ready(SHOP).await;
    assert_eq!(world.app(SHOP, &["PING"]).await, "PONG");
    world.edit("TokenCache", SHOP, json!({"spec": with_tls("Disabled")})).await;
    eventually("the certificate's Secrets are gone", async || {
        let left = [world.uid("Secret", "shop-redis-ca").await, world.uid("Secret", "shop-redis-tls").await];
        if left == [None, None] { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await;
    world.ready(SHOP).await;
}

#[tokio::test]
async fn a_connection_in_plain_text_says_nothing_of_whom_to_trust_also_where_it_was_encrypted_once() {
    let (world, _operator) = shop("bundle").await;
    let before = world.secret("shop-redis").await;
    assert!(before.contains_key("ca.crt"));
    // What somebody else put there stays.
    world.edit("Secret", "shop-redis", json!({"stringData": {"note": "mine"}})).await;
    world.edit("TokenCache", SHOP, json!({"spec": with_tls("Disabled")})).await;
    eventually("the bundle is gone", async || {
        let now = world.secret("shop-redis").await;
        if now.contains_key("ca.crt") || now["ssl"] == "true" { Err(format!("{:?}", now.keys())) } else { Ok(()) }
    })
    .await;
    world.ready(SHOP).await;
    let now = world.secret("shop-redis").await;
    assert_eq!((&now["password"], now["note"].as_str()), (&before["password"], "mine"));
    world.quiet().await;
    world.edit("TokenCache", SHOP, json!({"spec": with_tls("Managed")})).await;
    world.certificate().await;
    world.ready(SHOP).await;
    assert_eq!(world.ping_trusting_the_bundle().await, Ok(()));
}

#[tokio::test]
async fn plain_text_where_tls_was_asked_for_is_told_and_never_fallen_back_to() {
    let (world, _operator) = shop("fall-back").await;
    let pod = world.kubelet.pod(POD);
    let listener = pod.replace(6380).await;
    let listening = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut heard = [0; 1024];
                while let Ok(count @ 1..) = stream.read(&mut heard).await {
                    assert!(!String::from_utf8_lossy(&heard[..count]).contains("AUTH"), "no login in plain text");
                    let _ = stream.write_all(b"-NOAUTH Authentication required.\r\n").await;
                }
            });
        }
    });
    let message = world.condition(SHOP, "TlsReady", "False", "PlainText").await;
    assert!(message.ends_with("restart pod shop-redis-0"), "{message}");
    assert!(world.remedies(SHOP, "TlsReady").await.contains("delete pod shop-redis-0"));
    let status = world.get("TokenCache", SHOP).await["status"].clone();
    assert_eq!(condition(&status, "Ready")["reason"], "PlainText");
    assert_eq!(condition(&status, "RedisAvailable")["reason"], "TlsNotReady");
    listening.abort();
    assert!(listening.await.unwrap_err().is_cancelled());
    pod.heal();
    world.ready(SHOP).await;
}

#[tokio::test]
async fn wrong_combinations_are_refused_with_the_remedy() {
    let world = World::new("tls-spec").await;
    let cases = [
        (json!({"mode": "Secret"}), "tls.mode Secret needs tls.secretName"),
        (json!({"secretName": MINE}), "set tls.mode to Secret"),
        (json!({"mode": "Disabled", "secretName": MINE}), "remove tls.secretName"),
        (json!({"mode": "Secret", "secretName": "shop-redis-tls"}), "rename yours"),
        (json!({"mode": "Secret", "secretName": "No Name"}), "lower-case letters"),
        (json!({"mode": "Maybe"}), "Unsupported value"),
    ];
    for (tls, words) in cases {
        let refused = world.try_create(SHOP, json!({"redis": {"tls": tls}})).await.unwrap_err().to_string();
        assert!(refused.contains(words), "{refused}");
    }
}

/// The certificate and the key of somebody whom nobody trusts.
fn foreign(host: &str, dice: u8) -> Value {
    let stranger = issue::authority("stranger", &[dice; 128], Timestamp::now()).unwrap();
    content(&stranger, dice, host, SignedDuration::ZERO)
}

impl World {
    /// What the server answers somebody who may do everything.
    async fn as_root(&self, words: &[&str]) -> String {
        let pod = self.kubelet.pod(POD);
        eventually(&format!("{words:?} is answered"), async || {
            self.intruder(SHOP, &["ACL", "SETUSER", "mallory", "on", ">sesame", "~*", "&*", "+@all"]).await;
            let answer = pod.try_redis_cli(6380, Some(("mallory", "sesame")), words).await?;
            // One whom the operator threw out between the two is refused.
            let refused = ["NOAUTH", "WRONGPASS", "AUTH failed"].iter().any(|code| answer.contains(code));
            if refused { Err(answer) } else { Ok(answer) }
        })
        .await
    }

    /// How often the server was told to change a setting.
    async fn settings_changed(&self) -> String {
        let stats = self.as_root(&["INFO", "commandstats"]).await;
        let of_config = stats.lines().find(|line| line.contains("config|set")).unwrap_or("no line of it,");
        of_config.split(',').next().unwrap().to_owned()
    }

    /// The folder in which the server finds its certificate.
    async fn folder(&self) -> std::path::PathBuf {
        let named = self.as_root(&["CONFIG", "GET", "tls-cert-file"]).await;
        std::path::Path::new(named.lines().last().unwrap()).parent().unwrap().to_owned()
    }

    /// Writes an entry, which a restart would lose.
    async fn put_entry(&self) {
        assert_eq!(self.app(SHOP, &["HSET", "shop:kept", "data", "yes"]).await, "1");
    }

    /// Makes sure that neither the server nor its entries are others, and that whoever trusts the bundle connects for a while.
    async fn kept(&self, server: &(String, i32)) {
        never(PERIOD, "the right certificate is served", async || self.ping_trusting_the_bundle().await.err()).await;
        assert_eq!(self.app(SHOP, &["HMGET", "shop:kept", "data"]).await, "yes");
        assert_eq!(self.kubelet.pod(POD).incarnation().await, *server, "Redis was not restarted");
    }

    /// Waits until a Secret holds this again.
    async fn holds(&self, name: &str, data: &BTreeMap<String, String>) {
        eventually(&format!("{name} holds what it held"), async || {
            let now = self.secret(name).await;
            if now == *data { Ok(()) } else { Err(format!("{:?}", now.keys())) }
        })
        .await;
    }

    /// Somebody has the server load a pair that they brought themselves.
    async fn serve_by_hand(&self, content: &Value) {
        let path = self.folder().await.join("by-hand");
        let text = [content["tls.crt"].as_str().unwrap(), content["tls.key"].as_str().unwrap()].concat();
        let path_text = path.display().to_string();
        eventually("the pair is loaded", async || {
            std::fs::write(&path, &text).unwrap();
            let set = ["CONFIG", "SET", "tls-cert-file", &path_text, "tls-key-file", &path_text];
            match self.as_root(&set).await {
                answer if answer == "OK" => Ok(()),
                // What does not belong there does not stay there for long.
                other => Err(other),
            }
        })
        .await;
    }

    /// The file that redis.conf names.
    async fn starts_with(&self) -> String {
        let text = self.config_map("shop-redis-config").await["redis.conf"].clone();
        let path = text.lines().find_map(|line| line.strip_prefix("tls-cert-file ")).unwrap().to_owned();
        path.rsplit('/').next().unwrap().to_owned()
    }

    /// Waits until the server, and whatever is started in its place, has its certificate from a file that is named after it.
    async fn named(&self) -> String {
        eventually("the file is named after what is in it", async || {
            let (name, secret) = (self.starts_with().await, self.secret("shop-redis-tls").await);
            let text = secret.get(&name).ok_or_else(|| format!("{name} is not among {:?}", secret.keys()))?;
            let alias = format!("{}{}", secret["tls.crt"], secret["tls.key"]);
            if *text == alias && name.strip_suffix(".pem").is_some() { Ok(name) } else { Err(name) }
        })
        .await
    }
}

#[tokio::test]
async fn a_pair_that_somebody_put_into_the_secret_is_never_served_and_never_loaded() {
    let (world, _operator) = shop("overwritten").await;
    world.named().await;
    world.put_entry().await;
    let (server, before) = (world.kubelet.pod(POD).incarnation().await, world.certificate().await);
    let (secret, changed) = (world.secret("shop-redis-tls").await, world.settings_changed().await);
    assert!(changed.contains("config|set:calls="), "{changed}");
    let host = world.host();
    let only = |content: Value, keys: &[&str]| {
        keys.iter().map(|&key| (key.to_owned(), content[key].clone())).collect::<serde_json::Map<_, _>>()
    };
    let pair = ["tls.crt", "tls.key"];
    let patches = [
        only(foreign(&host, 21), &pair),
        // Twice in a row.
        only(foreign(&host, 22), &pair),
        only(foreign(&host, 23), &["tls.crt", "tls.key", "ca.crt"]),
        only(foreign(&host, 24), &["ca.crt"]),
        // Certificate and key do not belong together.
        only(foreign(&host, 25), &["tls.crt"]),
        only(foreign(&host, 26), &["tls.key"]),
        only(foreign("elsewhere.example", 27), &pair),
        only(json!({"tls.crt": "nonsense", "tls.key": ""}), &pair),
    ];
    for (index, patch) in patches.into_iter().enumerate() {
        world.edit("Secret", "shop-redis-tls", json!({"stringData": patch})).await;
        // The second comes while the first is being put right.
        if index > 0 {
            world.holds("shop-redis-tls", &secret).await;
        }
    }
    world.kept(&server).await;
    assert_eq!(world.certificate().await, before);
    assert_eq!(world.settings_changed().await, changed, "nothing was loaded at all");
    world.ready(SHOP).await;
}

#[tokio::test]
async fn where_the_file_itself_was_overwritten_another_certificate_is_made_and_the_foreign_one_is_never_served() {
    let (world, _operator) = shop("own-file").await;
    let name = world.named().await;
    world.put_entry().await;
    let (server, before) = (world.kubelet.pod(POD).incarnation().await, world.certificate().await);
    let mut patch = foreign(&world.host(), 31);
    patch[&name] = [patch["tls.crt"].as_str().unwrap(), patch["tls.key"].as_str().unwrap()].concat().into();
    world.edit("Secret", "shop-redis-tls", json!({"stringData": patch})).await;
    let trusted =
        never(PERIOD * 3, "the right certificate is served", async || world.ping_trusting_the_bundle().await.err());
    tokio::join!(trusted, world.another_certificate(&before));
    assert_ne!(world.named().await, name);
    world.kept(&server).await;
    world.ready(SHOP).await;
    let files = world.secret("shop-redis-tls").await;
    assert!(!files.contains_key(&name), "what is not what its name says does not stay: {:?}", files.keys());
}

#[tokio::test]
async fn a_server_that_restarts_beside_an_overwritten_secret_while_no_operator_runs_starts_with_its_own_certificate() {
    let (world, operator) = shop("no-operator").await;
    world.named().await;
    let (secret, before) = (world.secret("shop-redis-tls").await, world.certificate().await);
    operator.kill().await;
    world.edit("Secret", "shop-redis-tls", json!({"stringData": foreign(&world.host(), 41)})).await;
    let pod = world.kubelet.pod(POD);
    let (uid, restarts) = pod.incarnation().await;
    pod.kill().await;
    eventually("Redis runs again", async || {
        if pod.incarnation().await == (uid.clone(), restarts) {
            return Err("it is the same".to_owned());
        }
        world.ping_trusting_the_bundle().await
    })
    .await;
    let _operator = operator_of(&world).await;
    world.holds("shop-redis-tls", &secret).await;
    world.ready(SHOP).await;
    assert_eq!(world.certificate().await, before);
}

#[tokio::test]
async fn a_foreign_certificate_that_somebody_had_loaded_by_hand_is_replaced_without_a_restart() {
    let (world, _operator) = shop("by-hand").await;
    world.named().await;
    world.put_entry().await;
    let server = world.kubelet.pod(POD).incarnation().await;
    let history = world.watch(SHOP).await;
    world.serve_by_hand(&foreign(&world.host(), 51)).await;
    has_been(&history, "TlsReady", "True", "DriftCorrected").await;
    world.kept(&server).await;
    world.ready(SHOP).await;
    world.certificate().await;
}

/// It takes two minutes, and so begins ahead of the others.
pub async fn a_server_that_serves_what_nobody_trusts_is_replaced_when_there_is_no_other_way_and_its_entries_are_kept() {
    let (world, operator) = operated("last-resort").await;
    world.create(SHOP, json!({"redis": {"maxMemory": "64Mi", "persistence": {"size": "256Mi"}}})).await;
    world.ready(SHOP).await;
    world.named().await;
    world.put_entry().await;
    operator.kill().await;
    let (uid, _) = world.kubelet.pod(POD).incarnation().await;
    world.serve_by_hand(&foreign(&world.host(), 61)).await;
    let _operator = operator_of(&world).await;
    let message = world.condition(SHOP, "TlsReady", "False", "CertificateUntrusted").await;
    assert!(message.contains("stranger") && message.contains("The pod is replaced at 20"), "{message}");
    let clients = world.as_root(&["CLIENT", "LIST"]).await;
    assert!(clients.contains("user=mallory") && !clients.contains("user=operator"), "no login was sent: {clients}");
    within(WAIT.unsigned_abs() * 3, "the pod is replaced", async || {
        let (now, _) = world.kubelet.pod(POD).incarnation().await;
        if now == uid { Err(now) } else { Ok(()) }
    })
    .await;
    world.ready(SHOP).await;
    assert_eq!(world.app(SHOP, &["HMGET", "shop:kept", "data"]).await, "yes");
    let told = world.events(SHOP).await.into_iter().filter_map(|event| event.note).collect::<Vec<_>>().join("\n");
    assert!(told.contains("The pod is replaced at 20"), "{told}");
}

#[tokio::test]
async fn a_cache_that_an_earlier_version_made_gets_named_files_without_a_restart() {
    let (world, operator) = shop("earlier").await;
    let name = world.named().await;
    world.put_entry().await;
    let (server, before) = (world.kubelet.pod(POD).incarnation().await, world.certificate().await);
    operator.kill().await;
    // As an earlier version left it.
    let text = world.config_map("shop-redis-config").await["redis.conf"].clone();
    let text = text.replacen(&name, "tls.crt", 1).replacen(&name, "tls.key", 1);
    world.edit("ConfigMap", "shop-redis-config", json!({"data": {"redis.conf": text}})).await;
    world.edit("Secret", "shop-redis-tls", json!({"data": {name.clone(): null}})).await;
    let folder = world.folder().await;
    eventually("the file is gone from the pod", async || {
        if folder.join(&name).exists() { Err(folder.display().to_string()) } else { Ok(()) }
    })
    .await;
    let files = ["crt", "key"].map(|of| folder.join(format!("tls.{of}")).display().to_string());
    let set = ["CONFIG", "SET", "tls-cert-file", &files[0], "tls-key-file", &files[1]];
    assert_eq!(world.as_root(&set).await, "OK");
    let _operator = operator_of(&world).await;
    assert_eq!(world.named().await, name);
    world.kept(&server).await;
    world.ready(SHOP).await;
    assert_eq!(world.certificate().await, before);
    let loaded = world.as_root(&["CONFIG", "GET", "tls-cert-file"]).await;
    assert!(loaded.ends_with(&name), "{loaded}");
}

#[tokio::test]
async fn a_users_secret_that_was_garbled_reaches_no_server_not_even_one_that_restarts() {
    let (world, _operator) = operated("garbled").await;
    let good = world.fitting(4);
    world.provide(good.clone()).await;
    world.create(SHOP, with_tls("Secret")).await;
    world.ready(SHOP).await;
    world.named().await;
    let before = world.certificate().await;
    for garbled in [json!({"tls.crt": "nonsense", "tls.key": ""}), foreign(&world.host(), 71)] {
        let mut garbled = garbled;
        garbled["ca.crt"] = good["ca.crt"].clone();
        world.edit("Secret", MINE, json!({"stringData": garbled})).await;
        world
            .condition(
                SHOP,
                "TlsReady",
                "False",
                if garbled["tls.key"] == "" { "CertificateMalformed" } else { "CertificateUntrusted" },
            )
            .await;
        let pod = world.kubelet.pod(POD);
        let server = pod.incarnation().await;
        pod.kill().await;
        eventually("Redis runs again, with the certificate that it had", async || {
            if pod.incarnation().await == server {
                Err("it is the same".to_owned())
            } else {
                world.ping_trusting_the_bundle().await
            }
        })
        .await;
    }
    world.edit("Secret", MINE, json!({"stringData": good})).await;
    world.ready(SHOP).await;
    assert_eq!(world.certificate().await, before);
}
