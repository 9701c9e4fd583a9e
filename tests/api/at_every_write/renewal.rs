//! The operator dies at every write of a renewal, before it was sent and after: of a certificate, of an authority, and of
//! the first certificate that a new authority signs. Whoever reads the published bundle connects at any time.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::ByteString;
use serde_json::{Value, json};
use tokencache_operator::redis::{
    credentials::tls::mounted,
    tls::{
        certificate::{Authorities, Certificate, Pair, PrivateKey, signed},
        issue::{self, Issued},
        schedule::{AUTHORITY_AHEAD, AUTHORITY_LIFETIME, OVERLAP},
    },
};

use crate::support::api_server::api_server;
use crate::support::eventually::{eventually, never};
use crate::support::faults::{Death, Writes};
use crate::support::operator::{Operator, PROBE_PERIOD, USER_AGENT};
use crate::survival::world::{POD, SHOP, World, condition};

const DAY: SignedDuration = SignedDuration::from_hours(24);
const SIGNED: &str = "signed by the current authority";
/// Longer than a renewal takes with every death in it.
const ALWAYS: Duration = Duration::from_mins(10);

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Renewal {
    Certificate,
    Authority,
    /// Clients know the new authority by now.
    FirstOfAuthority,
}

use Renewal::{Authority, FirstOfAuthority};

/// What the Secrets say of certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    authority: Certificate,
    previous: Option<Certificate>,
    is_published: bool,
    leaf: Certificate,
    bundle: String,
    mounted_bundle: String,
}

/// What is true when a renewal has ended: the same in every run.
type End = Vec<&'static str>;

fn certificate(pem: &str) -> Option<Certificate> {
    Some(Authorities::parse(pem.as_bytes())?.first().clone())
}

impl Seen {
    async fn of(world: &World) -> Self {
        let [mut authority, mut server, mut binding] =
            join_all(["shop-redis-ca", "shop-redis-tls", "shop-redis"].map(|name| world.secret(name)))
                .await
                .try_into()
                .unwrap();
        let pair = Pair::parse(server["tls.crt"].as_bytes(), server["tls.key"].as_bytes()).unwrap();
        let take = |secret: &mut BTreeMap<String, String>, key: &str| secret.remove(key).unwrap_or_default();
        Self {
            authority: certificate(&authority["tls.crt"]).unwrap(),
            previous: certificate(&take(&mut authority, "previous.crt")),
            is_published: !take(&mut authority, "published").is_empty(),
            leaf: pair.leaf,
            bundle: take(&mut binding, "ca.crt"),
            mounted_bundle: take(&mut server, "ca.crt"),
        }
    }

    fn end(&self, before: &Self) -> End {
        let facts = [
            (self.authority != before.authority, "another authority"),
            (self.previous.as_ref() == Some(&before.authority), "that knows the one before"),
            (self.is_published, "and since when clients know it"),
            (self.leaf != before.leaf, "another certificate"),
            (signed(&self.authority, &self.leaf), SIGNED),
            (self.bundle == self.mounted_bundle, "the same are trusted everywhere"),
            (self.bundle.matches("BEGIN CERTIFICATE").count() == 2, "two authorities are trusted"),
        ];
        facts.into_iter().filter(|(holds, _)| *holds).map(|(_, fact)| fact).collect()
    }
}

/// Makes a renewal due, while no operator runs, and has the server load what is said to be there.
async fn age(world: &World, renewal: Renewal) -> Seen {
    let now = Timestamp::now();
    let names = Seen::of(world).await.leaf.names;
    let authority = |dice: u8, made: Timestamp| issue::authority("shop-redis", &[dice; 128], made).unwrap();
    let leaf = |authority: &Issued, made: Timestamp| {
        issue::certificate(&names, authority, now + DAY * 300, &[23; 128], made).unwrap()
    };
    let gone = json!({"previous.crt": null, "previous.key": null, "published": null});
    let (current, previous, leaf) = match renewal {
        Renewal::Certificate => {
            let secret = world.secret("shop-redis-ca").await;
            let key = PrivateKey::new(secret["tls.key"].clone());
            let current = Issued { certificate: secret["tls.crt"].clone(), key };
            let leaf = leaf(&current, now - DAY * 61);
            (current, None, leaf)
        }
        Authority => {
            let current = authority(21, now - AUTHORITY_LIFETIME + AUTHORITY_AHEAD - DAY);
            let leaf = leaf(&current, now);
            (current, None, leaf)
        }
        FirstOfAuthority => {
            let (current, previous) = (authority(22, now - DAY * 2), authority(21, now - DAY * 300));
            let leaf = leaf(&previous, now - DAY);
            (current, Some(previous), leaf)
        }
    };
    let bundle: String =
        [Some(&current), previous.as_ref()].into_iter().flatten().map(|one| one.certificate.as_str()).collect();
    let mut content = json!({"tls.crt": current.certificate, "tls.key": current.key.reveal()});
    let mut emptied = gone;
    if let Some(previous) = previous {
        content["previous.crt"] = previous.certificate.into();
        content["previous.key"] = previous.key.reveal().into();
        content["published"] = (now - OVERLAP - SignedDuration::from_hours(1)).to_string().into();
        emptied = json!({});
    }
    let edit = async |name: &str, content: Value, emptied: &Value| {
        world.edit("Secret", name, json!({"data": emptied, "stringData": content})).await;
    };
    edit("shop-redis-ca", content, &emptied).await;
    let pair = Pair::parse(leaf.certificate.as_bytes(), leaf.key.reveal().as_bytes()).unwrap();
    let own_file = tokencache_operator::redis::server::config::file(&pair.leaf.fingerprint());
    let before = world.secret("shop-redis-tls").await.into_keys().filter(|name| name.strip_suffix(".pem").is_some());
    let emptied: Value = before.map(|name| (name, Value::Null)).collect();
    let text = |bytes: ByteString| Value::from(String::from_utf8(bytes.0).unwrap());
    let content: Value = mounted::data(&pair, &bundle).into_iter().map(|(name, bytes)| (name, text(bytes))).collect();
    edit("shop-redis-tls", content, &emptied).await;
    let configuration = world.config_map("shop-redis-config").await["redis.conf"].clone();
    let is_named = |word: &&str| word.strip_suffix(".pem").is_some();
    let before = configuration.split(['/', '\n']).find(is_named).unwrap().to_owned();
    let configuration = configuration.replace(&before, &own_file);
    world.edit("ConfigMap", "shop-redis-config", json!({"data": {"redis.conf": configuration}})).await;
    edit("shop-redis", json!({"ca.crt": bundle}), &json!({})).await;

    let server = world.kubelet.pod(POD).incarnation().await;
    world.delete("Pod", POD).await;
    eventually("another server serves the certificate that is due", async || {
        if world.kubelet.pod(POD).incarnation().await == server {
            return Err("the same server".to_owned());
        }
        world.ping_trusting_the_bundle().await
    })
    .await;
    Seen::of(world).await
}

/// Waits until the renewal is complete, and served.
async fn complete(world: &World, renewal: Renewal, before: &Seen) -> Seen {
    let seen = eventually(&format!("{renewal:?} is renewed"), async || {
        let seen = Seen::of(world).await;
        let renewed = match renewal {
            Authority => seen.authority != before.authority && seen.is_published,
            Renewal::Certificate | FirstOfAuthority => seen.leaf != before.leaf,
        };
        if renewed { Ok(seen) } else { Err(format!("{:?}", seen.end(before))) }
    })
    .await;
    let fingerprint = seen.leaf.fingerprint();
    world
        .status(SHOP, "the renewed certificate is served", |status| {
            let told = condition(status, "TlsReady");
            told["reason"] == "CertificateServed"
                && told["message"].as_str().is_some_and(|text| text.contains(fingerprint.short()))
        })
        .await;
    world.ready(SHOP).await;
    world.quiet().await;
    Seen::of(world).await
}

/// Lets an operator die in a renewal, and another one go on from there.
async fn renew(world: &World, renewal: Renewal, writes: &Writes) -> End {
    let before = age(world, renewal).await;
    let (server, passwords) = (world.kubelet.pod(POD).incarnation().await, world.passwords().await);
    let aged = world.private_keys().await;
    let renewed = async {
        let client = api_server().client_through(USER_AGENT, writes).await;
        let mortal = Operator::start_with(client, &world.namespace, PROBE_PERIOD);
        tokio::select! {
            () = writes.death() => {}
            _ = complete(world, renewal, &before) => {}
        }
        mortal.kill().await;
        let left = world.private_keys().await;
        let heir = Operator::start(&world.namespace).await;
        let end = complete(world, renewal, &before).await.end(&before);
        for ((left, now), aged) in left.iter().zip(&world.private_keys().await).zip(&aged) {
            assert!(left == now || left == aged, "{renewal:?}: a key was made twice\n{writes}");
        }
        heir.kill().await;
        end
    };
    let unreachable = async || world.ping_trusting_the_bundle().await.err();
    let end = tokio::select! {
        end = renewed => end,
        () = never(ALWAYS, "whoever reads the bundle now connects", unreachable) => panic!("it took {ALWAYS:?}\n{writes}"),
    };
    assert_eq!(world.kubelet.pod(POD).incarnation().await, server, "Redis was not restarted");
    assert_eq!(world.passwords().await, passwords);
    end
}

/// A cache that is ready, and no operator.
async fn left_alone() -> World {
    let (world, operator) = World::with_shop("renewal").await;
    world.quiet().await;
    operator.kill().await;
    world
}

/// Every death in one renewal, of one kind.
async fn survives(renewal: Renewal, deaths: impl Iterator<Item = Death>, wanted: &End) -> usize {
    let world = left_alone().await;
    let mut died = 0;
    for death in deaths {
        let writes = Writes::until(death);
        assert_eq!(&renew(&world, renewal, &writes).await, wanted, "{renewal:?}: {death:?}\n{writes}");
        died += usize::from(writes.dead());
    }
    died
}

/// Every death in a renewal, which takes at least so many writes and a status.
async fn survives_all(renewal: Renewal, least: usize) {
    let writes = Writes::counted();
    let wanted = renew(&left_alone().await, renewal, &writes).await;
    let count = writes.log().len();
    println!("{renewal:?}: {wanted:?}\n{writes}");
    assert!(wanted.contains(&SIGNED) == (renewal != Authority) && count > least, "{wanted:?}\n{writes}");
    let (before, after) = tokio::join!(
        survives(renewal, (0..count).map(Death::BeforeWrite), &wanted),
        survives(renewal, (0..count).map(Death::AfterWrite), &wanted),
    );
    assert!(before > least && after > least, "{renewal:?}: only {before} and {after} operators died at {count} writes");
}

#[tokio::test]
async fn an_operator_that_dies_at_any_write_of_a_certificates_renewal_leaves_what_another_one_completes() {
    survives_all(Renewal::Certificate, 1).await;
}

#[tokio::test]
async fn an_operator_that_dies_at_any_write_of_an_authoritys_renewal_leaves_what_another_one_completes() {
    survives_all(Authority, 4).await;
}

#[tokio::test]
async fn an_operator_that_dies_as_a_new_authority_begins_to_sign_leaves_what_another_one_completes() {
    survives_all(FirstOfAuthority, 1).await;
}
