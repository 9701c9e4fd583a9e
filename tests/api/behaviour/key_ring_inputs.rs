//! Certificates and rings that the user provides: followed, published, kept, and what is said of them.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use tokencache_operator::data_protection::{
    certificate::{Pair, Thumbprint},
    key::{
        Key, KeyDates,
        encrypted_xml::EncryptedSecret,
        read::{self, Element},
    },
    ring::{certificates, directory::Directory},
};

use super::scene::{PERIOD, SHOP, World, condition, operated, shop};
use crate::support::eventually::{eventually, never};

/// The user's Secrets.
const MINE: &str = "mine";
const OLD_RING: &str = "old-ring";
/// The Secret with the certificates, for applications to mount.
const CERTIFICATES: &str = "shop-keys-certificates";
const DAY: SignedDuration = SignedDuration::from_hours(24);

fn vector(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/data-protection");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

/// One of the certificates that ASP.NET Core made rings with, as cert-manager would write it.
pub fn certificate(name: &str) -> Value {
    json!({"tls.crt": vector(&format!("{name}.crt.pem")), "tls.key": vector(&format!("{name}.key.pem"))})
}

fn thumbprint(name: &str) -> Thumbprint {
    let [certificate, key] = ["crt", "key"].map(|part| vector(&format!("{name}.{part}.pem")));
    Pair::parse(certificate.as_bytes(), key.as_bytes()).unwrap().thumbprint()
}

/// A ring that ASP.NET Core made.
fn vectors(ring: &str) -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/data-protection").join(ring);
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.map(|name| (name.clone(), vector(&format!("{ring}/{name}")))).collect()
}

/// The same as the one file that Azure Blob Storage would have.
fn repository(ring: &str) -> String {
    let elements: Vec<String> =
        vectors(ring).into_values().map(|text| text[text.find("<key").unwrap()..].to_owned()).collect();
    format!("<?xml version=\"1.0\" encoding=\"utf-8\"?><repository>{}</repository>", elements.concat())
}

/// A key that Key Vault protects.
fn of_key_vault() -> String {
    let text = vectors("cert-current").into_values().next().unwrap();
    let ours = "Microsoft.AspNetCore.DataProtection.XmlEncryption.EncryptedXmlDecryptor";
    text.replace(ours, "Azure.Extensions.AspNetCore.DataProtection.Keys.AzureKeyVaultXmlDecryptor")
}

/// The files of a ring that is so many days old, with a key for each of these seeds, of which the last one encrypts.
pub fn old_ring(days: i32, seeds: &[u8]) -> BTreeMap<String, String> {
    let now = Timestamp::now();
    let files = seeds.iter().zip(0..).map(|(seed, index)| {
        let activates = now - DAY * days + SignedDuration::from_secs(index);
        let order = KeyDates { created: activates, activates, expires: activates + DAY * 180 };
        order.make(None, &[*seed; 128]).unwrap().file().unwrap()
    });
    files.map(|file| (file.name, String::from_utf8(file.content.to_vec()).unwrap())).collect()
}

/// The certificates in these files.
fn pairs(files: &BTreeMap<String, Vec<u8>>) -> Vec<Pair> {
    certificates::read(files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())))
}

/// The keys in these files, by their first use.
fn keys(ring: &BTreeMap<String, String>) -> Vec<Key> {
    let key = |text: &String| match read::read(text.as_bytes()).unwrap() {
        Element::Key(key) => Some(*key),
        Element::Revocation(_) => None,
    };
    let mut keys: Vec<Key> = ring.values().filter_map(key).collect();
    keys.sort_by_key(|key| key.activates);
    keys
}

/// What each key is encrypted to, by their first use.
pub fn encrypted_to(ring: &BTreeMap<String, String>) -> Vec<Option<Thumbprint>> {
    keys(ring).iter().map(|key| key.encrypted().map(EncryptedSecret::thumbprint)).collect()
}

pub fn with_certificate() -> Value {
    json!({"dataProtection": {"certificate": {"secretName": MINE}}})
}

pub fn with_import() -> Value {
    json!({"dataProtection": {"mode": "Managed", "import": {"secretName": OLD_RING}}})
}

impl World {
    /// Makes the Secret with the certificate.
    pub async fn certify(&self, content: Value) {
        let secret = json!({"metadata": {"name": MINE}, "type": "kubernetes.io/tls", "stringData": content});
        self.make("Secret", secret).await.unwrap();
    }

    /// Puts another certificate into it, as a renewal does.
    pub async fn renew(&self, content: Value) {
        self.edit("Secret", MINE, json!({"stringData": content})).await;
    }

    /// Makes the Secret with the ring that is to be taken over.
    pub async fn provide_ring(&self, files: impl serde::Serialize) {
        self.make("Secret", json!({"metadata": {"name": OLD_RING}, "stringData": files})).await.unwrap();
    }

    /// Waits until these certificates are published, by the names of their vectors, and returns the files.
    pub async fn certificates(&self, names: &[&str]) -> BTreeMap<String, Vec<u8>> {
        let mut wanted: Vec<Thumbprint> = names.iter().map(|name| thumbprint(name)).collect();
        wanted.sort();
        eventually(&format!("the certificates {names:?} are published"), async || {
            let files = self.files(CERTIFICATES).await;
            let mut seen: Vec<Thumbprint> = pairs(&files).iter().map(Pair::thumbprint).collect();
            seen.sort();
            let is_whole = files.len() == 3 * wanted.len();
            if seen == wanted && is_whole { Ok(files) } else { Err(format!("{:?}", files.keys())) }
        })
        .await
    }

    /// Makes sure that an application with what is published reads every key.
    pub async fn reads_all(&self) {
        let (ring, files) = (self.secret("shop-keys").await, self.files(CERTIFICATES).await);
        let files = Directory::read(ring.iter().map(|(name, text)| (name.as_str(), text.as_bytes())), &pairs(&files));
        let report = files.unwrap().report(Timestamp::now()).join("\n");
        assert!(report.contains("encrypts with") && !report.contains("cannot be"), "{report}");
    }

    /// Waits until every one of these files is published, each in a Secret of its own.
    async fn has_taken_over(&self, files: &BTreeMap<String, String>) {
        eventually("the ring is taken over", async || {
            let ring: BTreeMap<String, String> = self.keys().await.into_values().flatten().collect();
            let published = self.files("shop-keys").await;
            let is_there = |(name, text): (&String, &String)| {
                ring.get(name) == Some(text) && published.get(name).map(Vec::as_slice) == Some(text.as_bytes())
            };
            if files.iter().all(is_there) { Ok(()) } else { Err(format!("{:?}", ring.keys())) }
        })
        .await;
    }

    /// A pod that has used the ring since a time.
    async fn process_since(&self, started: Timestamp) {
        let variables = json!([{"secretRef": {"name": "shop-keys"}}]);
        let containers = json!([{"name": "app", "image": "registry.example/app:1", "envFrom": variables}]);
        let pod = json!({"metadata": {"name": "web"}, "spec": {"nodeName": "elsewhere", "containers": containers}});
        self.make("Pod", pod).await.unwrap();
        self.runs_since(started).await;
    }

    async fn runs_since(&self, started: Timestamp) {
        let status = json!({"status": {"phase": "Running", "containerStatuses": [{
            "name": "app", "image": "", "imageID": "", "ready": true, "restartCount": 0,
            "state": {"running": {"startedAt": started.to_string()}},
        }]}});
        let pods: kube::Api<k8s_openapi::api::core::v1::Pod> =
            kube::Api::namespaced(self.client.clone(), &self.namespace);
        pods.patch_status("web", &kube::api::PatchParams::default(), &kube::api::Patch::Merge(status)).await.unwrap();
    }
}

#[tokio::test]
async fn a_key_is_encrypted_to_a_certificate_that_is_published_with_it_and_outlives_the_cache() {
    let (world, _operator) = operated("certified").await;
    world.certify(certificate("current")).await;
    world.create(SHOP, with_certificate()).await;
    world.ready(SHOP).await;
    let ring = world.ring(1).await;
    assert_eq!(encrypted_to(&ring), [Some(thumbprint("current"))]);
    let files = world.certificates(&["current"]).await;
    world.reads_all().await;
    let metadata = world.get("Secret", CERTIFICATES).await["metadata"].clone();
    assert_eq!(metadata["ownerReferences"], Value::Null);
    let since = metadata["annotations"][format!("tokencache.dev/published-{}", thumbprint("current"))].as_str();
    assert!(since.unwrap().parse::<Timestamp>().unwrap() <= keys(&ring)[0].activates.timestamp(), "{since:?}");
    world.condition_says(SHOP, "KeyRingReady", "(notAfter ").await;
    world.quiet().await;
    // What is edited or deleted there comes back.
    world.delete("Secret", CERTIFICATES).await;
    assert_eq!(world.certificates(&["current"]).await, files);
    world.edit("Secret", CERTIFICATES, json!({"stringData": {"mine.pfx": "nonsense"}})).await;
    let note = world.event(SHOP, "DriftCorrected").await;
    assert!(note.contains("mine.pfx"), "{note}");
    assert_eq!(world.certificates(&["current"]).await, files);
    world.reads_all().await;
    world.quiet().await;
    world.delete("TokenCache", SHOP).await;
    eventually("what the cache owned is collected", async || {
        if world.uid("Secret", "shop-keys").await.is_none() { Ok(()) } else { Err("the ring is there".to_owned()) }
    })
    .await;
    assert_eq!(world.files(CERTIFICATES).await, files);
}

#[tokio::test]
async fn after_a_renewal_the_earlier_certificate_stays_published_and_old_keys_stay_readable() {
    let (world, _operator) = operated("renewed").await;
    world.certify(certificate("previous")).await;
    world.create(SHOP, with_certificate()).await;
    world.ready(SHOP).await;
    world.ring(1).await;
    world.renew(certificate("current")).await;
    world.certificates(&["current", "previous"]).await;
    world.ask_for_key(&Timestamp::now().to_string()).await;
    world.key_operation("Completed", "").await;
    let ring = world.ring(2).await;
    assert_eq!(encrypted_to(&ring), ["previous", "current"].map(|name| Some(thumbprint(name))));
    world.reads_all().await;
    // Nothing is forgotten when it is gone.
    world.delete("Secret", MINE).await;
    let message = world.condition(SHOP, "KeyRingReady", "False", "NextCertificateUnusable").await;
    assert!(message.contains("Secret mine, which spec.dataProtection.certificate names, does not exist"), "{message}");
    world.quiet().await;
    world.certificates(&["current", "previous"]).await;
    world.reads_all().await;
}

#[tokio::test]
async fn the_last_copy_of_a_private_key_is_never_removed_and_makes_the_other_files_whole_again() {
    let (world, _operator) = operated("last-copy").await;
    world.certify(certificate("previous")).await;
    world.create(SHOP, with_certificate()).await;
    world.ready(SHOP).await;
    world.renew(certificate("current")).await;
    let files = world.certificates(&["current", "previous"]).await;
    let file = |extension: &str| format!("{}.{extension}", thumbprint("previous"));
    for garbled in [vec!["key"], vec!["pfx"], vec!["crt"], vec!["crt", "key"], vec!["crt", "pfx"]] {
        let nonsense: Value = garbled.iter().map(|of| (file(of), Value::from("nonsense"))).collect();
        world.edit("Secret", CERTIFICATES, json!({"stringData": nonsense})).await;
        eventually(&format!("{garbled:?} of the earlier certificate are whole again"), async || {
            let now = world.files(CERTIFICATES).await;
            if now == files { Ok(()) } else { Err(format!("{:?}", now.keys())) }
        })
        .await;
        world.reads_all().await;
    }
    world.quiet().await;
    // What nobody can make again stays, and so does what may be it.
    let nonsense = json!({file("key"): "nonsense", file("pfx"): "nonsense", "old.pfx": "perhaps it is this"});
    world.edit("Secret", CERTIFICATES, json!({"stringData": nonsense})).await;
    let message = world.condition(SHOP, "KeyRingReady", "False", "CertificateMissing").await;
    assert!(message.contains(".crt is the certificate without its private key"), "{message}");
    world.quiet().await;
    let left = world.files(CERTIFICATES).await;
    assert_eq!((left.len(), &left[&file("crt")]), (7, &files[&file("crt")]));
    assert_eq!(
        (left[&file("key")].as_slice(), left["old.pfx"].as_slice()),
        (&b"nonsense"[..], &b"perhaps it is this"[..])
    );
    // Put back under whatever name, it is found.
    let key = String::from_utf8(files[&file("key")].clone()).unwrap();
    world.edit("Secret", CERTIFICATES, json!({"stringData": {"backup": key}})).await;
    assert_eq!(world.certificates(&["current", "previous"]).await, files);
    world.reads_all().await;
}

#[tokio::test]
async fn a_renewed_certificate_is_not_used_while_a_process_runs_that_cannot_know_it() {
    let (world, _operator) = operated("old-process").await;
    world.certify(certificate("previous")).await;
    world.create(SHOP, with_certificate()).await;
    world.ready(SHOP).await;
    world.ring(1).await;
    world.process_since(Timestamp::now()).await;
    world.renew(certificate("current")).await;
    world.certificates(&["current", "previous"]).await;
    world.condition_says(SHOP, "KeyRingReady", "waits for pods that started before").await;
    world.ask_for_key(&Timestamp::now().to_string()).await;
    world.key_operation("Published", "").await;
    assert_eq!(encrypted_to(&world.ring(2).await), [Some(thumbprint("previous")); 2]);
    world.quiet().await;
}

#[tokio::test]
async fn without_a_certificate_that_can_be_used_no_first_key_is_made_and_one_that_comes_is_seen_at_once() {
    let (world, _operator) = operated("uncertified").await;
    world.create(SHOP, with_certificate()).await;
    let message = world.condition(SHOP, "KeyRingReady", "False", "CertificateMissing").await;
    assert!(message.contains("No first key is made"), "{message}");
    let key = KeyPair::generate().unwrap();
    let elliptic = CertificateParams::default().self_signed(&key).unwrap();
    world.certify(json!({"tls.crt": elliptic.pem(), "tls.key": key.serialize_pem()})).await;
    let message = world.condition(SHOP, "KeyRingReady", "False", "CertificateNotRsa").await;
    assert!(message.contains("an elliptic curve (EC)") && message.contains("not RSA"), "{message}");
    world.renew(json!({"tls.crt": vector("current.crt.pem"), "tls.key": vector("previous.key.pem")})).await;
    world.condition(SHOP, "KeyRingReady", "False", "KeyMismatch").await;
    world.renew(json!({"tls.crt": "nonsense"})).await;
    world.condition(SHOP, "KeyRingReady", "False", "CertificateMalformed").await;
    assert!(world.keys().await.is_empty());
    world.renew(certificate("current")).await;
    world.ready(SHOP).await;
    assert_eq!(encrypted_to(&world.ring(1).await), [Some(thumbprint("current"))]);
    world.quiet().await;
}

#[tokio::test]
async fn plain_keys_stay_as_they_are_when_a_certificate_is_set() {
    let (world, _operator) = shop("plain-first").await;
    let before = world.ring(1).await;
    world.certify(certificate("current")).await;
    world.edit("TokenCache", SHOP, json!({"spec": with_certificate()})).await;
    world.condition_says(SHOP, "KeyRingReady", "1 of 1 keys is not encrypted").await;
    world.ask_for_key(&Timestamp::now().to_string()).await;
    world.key_operation("Completed", "").await;
    let ring = world.ring(2).await;
    assert!(before.iter().all(|(name, text)| ring.get(name) == Some(text)));
    assert_eq!(encrypted_to(&ring), [None, Some(thumbprint("current"))]);
    world.reads_all().await;
}

#[tokio::test]
async fn a_stranger_under_the_name_of_the_certificates_is_told_and_no_key_is_made_until_it_is_gone() {
    let (world, _operator) = operated("stranger").await;
    world.make("Secret", json!({"metadata": {"name": CERTIFICATES}, "stringData": {"theirs": "yes"}})).await.unwrap();
    world.certify(certificate("current")).await;
    world.create(SHOP, with_certificate()).await;
    let message = world.condition(SHOP, "KeyRingReady", "False", "NameTaken").await;
    assert!(message.contains("Secret shop-keys-certificates lacks this TokenCache's labels"), "{message}");
    world.condition(SHOP, "RedisAvailable", "True", "Available").await;
    never(2 * PERIOD, "it is left alone, and no key is made", async || {
        let (theirs, keys) = (world.files(CERTIFICATES).await, world.keys().await);
        (theirs.len() != 1 || !keys.is_empty()).then(|| format!("{:?} {:?}", theirs.keys(), keys.keys()))
    })
    .await;
    world.delete("Secret", CERTIFICATES).await;
    world.ready(SHOP).await;
    world.ring(1).await;
    world.reads_all().await;
}

#[tokio::test]
async fn a_ring_is_taken_over_before_any_key_is_made_and_goes_on_without_its_secret() {
    let (world, _operator) = operated("import").await;
    world.create(SHOP, with_import()).await;
    let message = world.condition(SHOP, "KeyRingReady", "False", "ImportMissing").await;
    assert!(
        message
            .contains("Secret old-ring, which spec.dataProtection.import names, does not exist. No first key is made"),
        "{message}"
    );
    world.ask_for_key(&Timestamp::now().to_string()).await;
    world.key_operation("Waiting", "see KeyRingReady").await;
    world.condition(SHOP, "RedisAvailable", "True", "Available").await;
    world.quiet().await;
    assert!(world.keys().await.is_empty());
    world
        .edit("TokenCache", SHOP, json!({"metadata": {"annotations": {"tokencache.dev/rotate-key-requested": null}}}))
        .await;
    let files = old_ring(10, &[1, 2]);
    world.provide_ring(&files).await;
    world.has_taken_over(&files).await;
    assert_eq!(world.ring(2).await, files);
    let status = world.ready(SHOP).await;
    let newest = keys(&files).last().unwrap().id.short();
    assert_eq!(status["keyRing"]["active"], newest);
    world
        .condition_says(
            SHOP,
            "KeyRingReady",
            "2 files of Secret old-ring are taken over. Costs nothing: delete Secret old-ring",
        )
        .await;
    world.quiet().await;
    world.delete("Secret", OLD_RING).await;
    world.condition_says(SHOP, "KeyRingReady", "old-ring, which is gone").await;
    world.ready(SHOP).await;
    assert_eq!(world.ring(2).await, files);
    // What is added later is taken over too.
    let more = old_ring(20, &[3]);
    world.provide_ring(&more).await;
    world.has_taken_over(&more).await;
    world.ring(3).await;
    world.quiet().await;
}

#[tokio::test]
async fn a_ring_that_is_due_goes_on_with_a_key_that_is_told() {
    let (world, _operator) = operated("due").await;
    let files = old_ring(88, &[1]);
    world.provide_ring(&files).await;
    world.create(SHOP, with_import()).await;
    let ring = world.ring(2).await;
    let next = keys(&ring).pop().unwrap();
    let note = world.event(SHOP, "KeyMinted").await;
    assert!(note.contains(&next.id.short()) && note.contains("because rotation is due"), "{note}");
    assert!(note.contains(&next.activates.to_string()), "{note}");
    let status = world.ready(SHOP).await;
    assert_eq!(status["keyRing"]["active"], keys(&files)[0].id.short());
    world.quiet().await;
}

#[tokio::test]
async fn rings_that_asp_net_core_made_are_taken_over_byte_for_byte_also_from_a_blob() {
    let (world, _operator) = operated("vectors").await;
    let (files, certified) = (vectors("cbc-hmac"), vectors("cert-previous"));
    let mut provided = files.clone();
    provided.extend(certified.clone());
    provided.insert("keys.xml".to_owned(), repository("gcm"));
    world.provide_ring(&provided).await;
    world.certify(certificate("previous")).await;
    let spec = json!({"dataProtection": {"import": {"secretName": OLD_RING}, "previous": [{"secretName": MINE}]}});
    world.create(SHOP, spec).await;
    world.has_taken_over(&files).await;
    world.has_taken_over(&certified).await;
    let status = world.ready(SHOP).await;
    let known: Vec<&str> =
        status["keyRing"]["keys"].as_array().unwrap().iter().map(|key| key["id"].as_str().unwrap()).collect();
    for key in [keys(&files), keys(&certified), keys(&vectors("gcm"))].concat() {
        assert!(known.contains(&key.id.to_string().as_str()), "{} is not in {known:?}", key.id);
    }
    world.certificates(&["previous"]).await;
    world.reads_all().await;
    world.quiet().await;
}

#[tokio::test]
async fn a_key_of_key_vault_is_refused_by_the_name_of_its_decryptor_and_with_it_the_whole_ring() {
    let (world, _operator) = operated("vault").await;
    world.provide_ring(json!({"vault.xml": of_key_vault()})).await;
    world.create(SHOP, with_import()).await;
    let message = world.condition(SHOP, "KeyRingReady", "False", "ImportRefused").await;
    for words in ["vault.xml", "AzureKeyVaultXmlDecryptor", "is not taken over, and no first key is made"] {
        assert!(message.contains(words), "{message}");
    }
    assert!(world.keys().await.is_empty());
    let files = old_ring(10, &[1]);
    world.edit("Secret", OLD_RING, json!({ "stringData": files })).await;
    world.quiet().await;
    let message = world.condition(SHOP, "KeyRingReady", "False", "ImportRefused").await;
    assert!(message.contains("AzureKeyVaultXmlDecryptor"), "{message}");
    assert!(world.keys().await.is_empty(), "half a ring is none");
    // Who can do without it says so.
    world.edit("Secret", OLD_RING, json!({"data": {"vault.xml": null}})).await;
    world.has_taken_over(&files).await;
    world.ready(SHOP).await;
    assert_eq!(world.ring(1).await, files);
}

#[tokio::test]
async fn an_owner_that_a_key_was_given_by_hand_is_taken_away_before_it_takes_the_key_with_it() {
    let (world, _operator) = operated("owned").await;
    world.certify(certificate("current")).await;
    world.create(SHOP, with_certificate()).await;
    world.ready(SHOP).await;
    let ring = world.ring(1).await;
    world.make("ConfigMap", json!({"metadata": {"name": "release"}})).await.unwrap();
    let uid = world.uid("ConfigMap", "release").await.unwrap();
    let owner = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "release", "uid": uid}]);
    let key = world.keys().await.into_keys().next().unwrap();
    for secret in [key.as_str(), CERTIFICATES] {
        world.edit("Secret", secret, json!({"metadata": {"ownerReferences": owner}})).await;
        eventually("it has no owner", async || {
            let owners = world.get("Secret", secret).await["metadata"]["ownerReferences"].clone();
            if owners.is_null() { Ok(()) } else { Err(owners.to_string()) }
        })
        .await;
        eventually("it is told", async || {
            let notes: Vec<_> = world.events(SHOP).await.into_iter().filter_map(|event| event.note).collect();
            let words = format!("Secret {secret} was given owner ConfigMap release, and would have been deleted");
            if notes.iter().any(|note| note.contains(&words)) { Ok(()) } else { Err(notes.join("\n")) }
        })
        .await;
        world.condition(SHOP, "KeyRingReady", "True", "Published").await;
    }
    world.delete("ConfigMap", "release").await;
    world.quiet().await;
    assert_eq!(world.ring(1).await, ring);
    world.reads_all().await;
    let status = world.ready(SHOP).await;
    assert_eq!(condition(&status, "KeyRingReady")["reason"], "Published");
}

#[tokio::test]
async fn what_makes_no_sense_of_certificates_and_imports_is_refused_with_its_field() {
    let world = World::new("input-rules").await;
    let named = |name: &str| json!({"secretName": name});
    for (spec, words) in [
        (json!({"mode": "None", "certificate": named("a")}), "say nothing with dataProtection.mode None"),
        (json!({"mode": "None", "previous": [named("a")]}), "say nothing with dataProtection.mode None"),
        (json!({"mode": "None", "import": named("a")}), "say nothing with dataProtection.mode None"),
        (json!({"certificate": named("a"), "rotation": {"every": "29d"}}), "rotation.every must be at least 30d"),
        (json!({"certificate": named("A")}), "lower-case letters"),
        (json!({"import": named("a..b")}), "lower-case letters"),
        (json!({"previous": [named("a-")]}), "lower-case letters"),
        (json!({"previous": [named("a"), named("a")]}), "Duplicate value"),
        (json!({"import": named("")}), "secretName"),
        (json!({"import": {}}), "secretName"),
        (json!({"import": named("shop-keys")}), "that the operator makes itself"),
        (json!({"certificate": named("shop-keys-certificates")}), "that the operator makes itself"),
    ] {
        let refused = world.try_create(SHOP, json!({ "dataProtection": spec })).await.unwrap_err();
        assert!(refused.to_string().contains(words), "{spec}: {refused}");
    }
    let many: Vec<_> = (0..17).map(|index| named(&format!("a{index}"))).collect();
    assert!(world.try_create(SHOP, json!({"dataProtection": {"previous": many}})).await.is_err());
    let whole = json!({
        "certificate": named("a.b-c"), "previous": many[..16], "import": named("other-keys"), "rotation": {"every": "30d"},
    });
    world.create(SHOP, json!({ "dataProtection": whole })).await;
}
