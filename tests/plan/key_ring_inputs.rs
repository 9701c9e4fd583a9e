//! Certificates and rings that the user provides, pass by pass, on values: what is written, and what is said.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::ResourceExt;
use rcgen::{CertificateParams, KeyPair};
use tokencache_operator::{
    api::v1alpha1::KeyRingStatus,
    condition::Reason,
    data_protection::{
        certificate::Certificate,
        findings::{changes, finding},
        key::read::{self, Element},
        ring::certificates,
        settings::Settings,
    },
    kubernetes::{
        identity::Found,
        read::{
            process::{Process, Processes},
            workload::Workload,
        },
    },
};

use super::key_ring::Keys;
use super::world::{START, World, shop};

const DAY: SignedDuration = SignedDuration::from_hours(24);
/// A spec with a certificate.
const CERTIFIED: &str = "dataProtection: {certificate: {secretName: mine}}";
/// A spec with a ring to take over.
const IMPORTING: &str = "dataProtection: {import: {secretName: old-ring}}";
/// The name of a key that nobody here can use.
const FOREIGN: &str = "80732141-ec8f-4b80-af9c-c4d2d1ff8901";

fn vector(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/data-protection").join(name)).unwrap()
}

/// The files of one of ASP.NET Core's own rings.
pub fn vectors(ring: &str) -> BTreeMap<String, Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/data-protection").join(ring);
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap()))
        .collect()
}

/// The same as the one file that Azure Blob Storage would have.
fn repository(ring: &str) -> Vec<u8> {
    let texts = vectors(ring).into_values().map(|bytes| String::from_utf8(bytes).unwrap());
    let elements: Vec<String> = texts.map(|text| text[text.find("<key").unwrap()..].to_owned()).collect();
    format!("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<repository>{}</repository>", elements.concat()).into_bytes()
}

/// A key that Key Vault protects.
fn of_key_vault() -> Vec<u8> {
    let (_, bytes) = vectors("cert-current").pop_first().unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let id = text.split('"').find(|word| word.len() == FOREIGN.len() && word.contains('-')).unwrap().to_owned();
    let vault = "Azure.Extensions.AspNetCore.DataProtection.Keys.AzureKeyVaultXmlDecryptor";
    let ours = "Microsoft.AspNetCore.DataProtection.XmlEncryption.EncryptedXmlDecryptor";
    text.replace(ours, vault).replace(&id, FOREIGN).into_bytes()
}

fn thumbprint(name: &str) -> String {
    Certificate::parse(&vector(&format!("{name}.crt.pem"))).unwrap().thumbprint().to_string()
}

impl Keys {
    pub fn provide(&mut self, name: &str, data: BTreeMap<String, Vec<u8>>) {
        let data = data.into_iter().map(|(key, bytes)| (key, ByteString(bytes))).collect();
        self.inputs.provided.insert(name.to_owned(), Arc::new(Secret { data: Some(data), ..Secret::default() }));
    }

    /// Puts a certificate of the vectors into a Secret, with a private key of the vectors.
    pub fn certify(&mut self, secret: &str, certificate: &str, key: &str) {
        let (certificate, key) = (vector(&format!("{certificate}.crt.pem")), vector(&format!("{key}.key.pem")));
        self.provide(secret, BTreeMap::from([("tls.crt".to_owned(), certificate), ("tls.key".to_owned(), key)]));
    }

    /// With a key that is encrypted to a certificate.
    pub fn certified() -> Self {
        let mut ring = Self::of(CERTIFIED);
        ring.certify("mine", "previous", "previous");
        assert_eq!(ring.pass(), ["Secret shop-keys-certificates", "mint", "Secret shop-keys"]);
        ring
    }

    /// With a ring to take over, at a time at which one of its keys encrypts.
    pub fn importing() -> Self {
        let mut ring = Self::of(IMPORTING);
        ring.now = START + DAY * 328;
        ring
    }

    pub fn spec(&mut self, spec: &str) {
        self.cache.spec = shop(spec).spec;
    }

    pub fn in_certificates(&mut self, change: impl FnOnce(&mut Secret)) {
        let mut secret = Secret::clone(self.inputs.certificates.owned().unwrap());
        change(&mut secret);
        self.inputs.certificates = Found::Owned(Arc::new(secret));
    }

    /// The names of the files beside the ring, with the certificates by the names of their vectors.
    fn certificates(&self) -> BTreeSet<String> {
        let data = self.inputs.certificates.owned().unwrap().data.clone().unwrap();
        let named = |name: String| {
            ["previous", "current"].iter().fold(name, |name, vector| name.replace(&thumbprint(vector), vector))
        };
        data.into_keys().map(named).collect()
    }

    /// What each published key is encrypted to, in the order of their first use.
    fn encrypted_to(&self) -> Vec<Option<String>> {
        let keys = self.published().into_values().filter_map(|bytes| match read::read(&bytes.0).unwrap() {
            Element::Key(key) => Some(key),
            Element::Revocation(_) => None,
        });
        let mut keys: Vec<_> = keys.collect();
        keys.sort_by_key(|key| key.activates);
        keys.iter().map(|key| Some(key.encrypted()?.thumbprint().to_string())).collect()
    }

    /// What is said, with the certificates by the names of their vectors.
    pub fn says(&self, what: &str) -> String {
        named(&self.told(what))
    }
}

fn named(text: &str) -> String {
    let certificates = ["previous", "current", "rsa4096"];
    certificates.iter().fold(text.to_owned(), |text, name| {
        let (thumbprint, told) = (thumbprint(name), format!("<{name}>"));
        text.replace(&thumbprint, &told).replace(&thumbprint[..8], &told)
    })
}

#[test]
fn certificates_are_published_before_the_key_that_needs_one_and_then_there_is_nothing_to_do() {
    let ring = Keys::certified();
    assert!(ring.plan().is_empty());
    assert_eq!(ring.encrypted_to(), [Some(thumbprint("previous"))]);
    let files = ["previous.crt", "previous.key", "previous.pfx"].map(str::to_owned);
    assert_eq!(ring.certificates(), files.into());
    let secret = ring.inputs.certificates.owned().unwrap();
    assert_eq!(secret.metadata.owner_references, None);
    let since = certificates::Copies::read(secret).candidates(&[], &[], START + DAY)[0].published;
    assert_eq!(since, START);
}

#[test]
fn after_a_renewal_the_earlier_certificate_stays_published_and_the_keys_stay_readable() {
    let mut ring = Keys::certified();
    ring.certify("mine", "current", "current");
    assert_eq!(ring.pass(), ["Secret shop-keys-certificates"]);
    assert_eq!(ring.certificates().len(), 6);
    assert!(ring.plan().is_empty());
    let made = ["mint", "Secret shop-keys"].map(str::to_owned).to_vec();
    assert_eq!(ring.until(100), [(87, made)]);
    assert_eq!(ring.encrypted_to(), [Some(thumbprint("previous")), Some(thumbprint("current"))]);
    assert!(ring.status().keys.iter().all(|key| key.state != tokencache_operator::api::v1alpha1::KeyState::Unreadable));
}

/// The one pod of Deployment web, which runs since this time.
fn web(started: Timestamp) -> Processes {
    let workload = Workload { kind: "Deployment".to_owned(), name: "web".to_owned() };
    Processes::Known(vec![Process { workload, pod: "web-1".to_owned(), started: Some(started), deleted: None }])
}

#[test]
fn while_a_process_runs_that_has_not_read_the_renewed_certificate_new_keys_are_for_the_earlier_one() {
    let mut ring = Keys::certified();
    ring.inputs.processes = Some(web(START + DAY));
    ring.now = START + DAY * 2;
    ring.certify("mine", "current", "current");
    ring.pass();
    let said = ring.says("it waits");
    for words in
        ["waits for pods that started before 2026-01-03T00:02:00Z: Deployment web (1 pod: web-1)", "rollout restart"]
    {
        assert!(said.contains(words), "{said}");
    }
    let minute = SignedDuration::from_mins(1);
    assert_eq!(ring.standing().next_wake(ring.now), Some(ring.now + minute), "nobody tells of a restart");
    ring.until(88);
    assert_eq!(ring.encrypted_to(), [Some(thumbprint("previous")), Some(thumbprint("previous"))]);
    let before = ring.status();
    ring.inputs.processes = Some(web(START + DAY * 100));
    ring.pass();
    let after = ring.status();
    let told = changes::renewed(&after, Some(&before)).unwrap();
    let names = |status: &KeyRingStatus| status.certificate.clone().unwrap();
    assert!(
        told.contains(&names(&before)) && told.contains(&names(&after)) && names(&before) != names(&after),
        "{told}"
    );
    assert_eq!(changes::renewed(&after, Some(&after)), None, "it is told once");
    assert_eq!(changes::renewed(&after, None), None, "a status that was lost makes no news");
    ring.until(180);
    assert_eq!(ring.encrypted_to().last().unwrap(), &Some(thumbprint("current")));
}

#[test]
fn certificates_that_were_edited_or_deleted_are_published_again_as_far_as_they_are_there() {
    let mut begun = Keys::certified();
    begun.now += DAY;
    begun.certify("mine", "current", "current");
    begun.pass();
    let after = |change: &dyn Fn(&mut Keys)| {
        let mut ring = begun.clone();
        change(&mut ring);
        let written = ring.pass();
        assert!(ring.plan().is_empty());
        (named(&written.join(", ")), ring.certificates().len())
    };
    let again = "Secret shop-keys-certificates".to_owned();
    // The earlier one is nowhere else, and its key is lost with it: so another one comes.
    let replaced = format!("{again}, mint, Secret shop-keys");
    assert_eq!(after(&|ring| ring.inputs.certificates = Found::Absent), (replaced, 3));
    let lost = |secret: &mut Secret| {
        secret.data.as_mut().unwrap().remove(&format!("{}.pfx", thumbprint("previous"))).unwrap();
    };
    assert_eq!(after(&|ring| ring.in_certificates(lost)), (again.clone(), 6));
    let undated = |secret: &mut Secret| secret.metadata.annotations = None;
    assert_eq!(after(&|ring| ring.in_certificates(undated)), (again.clone(), 6));
    let stray = |secret: &mut Secret| {
        secret.data.as_mut().unwrap().insert("mine.pfx".to_owned(), ByteString(vec![1]));
    };
    assert_eq!(after(&|ring| ring.in_certificates(stray)), (again + " without [\"mine.pfx\"]", 6));
}

/// A ring whose first key needs a certificate that only the operator has by now: the user's Secret was renewed.
fn renewed() -> Keys {
    let mut ring = Keys::certified();
    ring.certify("mine", "current", "current");
    ring.pass();
    ring
}

type Files = BTreeMap<String, ByteString>;
/// What somebody does to files.
type Change<'change> = &'change dyn Fn(&mut Files);

/// What becomes of the files beside the ring after somebody changed them: the files, and what is said.
fn files_after(change: impl Fn(&mut Files)) -> (Files, Files, String) {
    let mut ring = renewed();
    ring.in_certificates(|secret| change(secret.data.as_mut().unwrap()));
    let changed = ring.inputs.certificates.owned().unwrap().data.clone().unwrap();
    ring.pass();
    assert_eq!(ring.pass(), [""; 0], "and then there is nothing to do");
    let after = ring.inputs.certificates.owned().unwrap().data.clone().unwrap();
    (changed, after, ring.says("after"))
}

/// The name of a file of the certificate that only the operator has.
fn file(extension: &str) -> String {
    format!("{}.{extension}", thumbprint("previous"))
}

fn garbled() -> ByteString {
    ByteString(b"-----BEGIN nonsense".to_vec())
}

#[test]
fn what_one_file_of_a_certificate_lost_is_made_again_from_the_others() {
    let whole = renewed().inputs.certificates.owned().unwrap().data.clone().unwrap();
    assert_eq!(whole.len(), 6);
    let current = |extension: &str| format!("{}.{extension}", thumbprint("current"));
    let cases: [(&str, Change<'_>); 14] = [
        ("the key is deleted", &|files| drop(files.remove(&file("key")).unwrap())),
        ("the key is garbled", &|files| drop(files.insert(file("key"), garbled()))),
        ("the key is empty", &|files| drop(files.insert(file("key"), ByteString(Vec::new())))),
        ("the keys are swapped", &|files| {
            let (one, other) = (files[&file("key")].clone(), files[&current("key")].clone());
            files.insert(file("key"), other);
            files.insert(current("key"), one);
        }),
        ("the keys are swapped, and there is no other file of them", &|files| {
            let (one, other) = (files[&file("key")].clone(), files[&current("key")].clone());
            files.insert(file("key"), other);
            files.insert(current("key"), one);
            files.retain(|name, _| name.strip_suffix(".pfx").is_none());
        }),
        ("the certificate is deleted", &|files| drop(files.remove(&file("crt")).unwrap())),
        ("the certificate is another's", &|files| drop(files.insert(file("crt"), files[&current("crt")].clone()))),
        ("the pfx is garbled", &|files| drop(files.insert(file("pfx"), garbled()))),
        ("the pfx is another's", &|files| drop(files.insert(file("pfx"), files[&current("pfx")].clone()))),
        ("only the pfx is left", &|files| {
            files.insert(file("crt"), garbled());
            files.remove(&file("key"));
        }),
        // The certificate stands in the key that is encrypted to it.
        ("only the key is left", &|files| {
            files.insert(file("pfx"), garbled());
            files.remove(&file("crt"));
        }),
        ("another pair stands in the place of this one", &|files| {
            for extension in ["crt", "key"] {
                files.insert(file(extension), files[&current(extension)].clone());
            }
        }),
        ("the files have other names", &|files| {
            for (extension, name) in [("key", "backup.KEY"), ("crt", "backup.CRT")] {
                let bytes = files.remove(&file(extension)).unwrap();
                files.insert(name.to_owned(), bytes);
            }
            files.remove(&file("pfx"));
        }),
        ("there is a file beside", &|files| drop(files.insert("notes.txt".to_owned(), garbled()))),
    ];
    for (what, change) in cases {
        let (changed, after, said) = files_after(change);
        assert_ne!(changed, whole, "{what}");
        assert_eq!(after, whole, "{what}");
        assert!(said.contains("Published") || said.contains("DriftCorrected"), "{what}: {said}");
    }
}

#[test]
fn a_certificate_that_a_stored_entry_may_need_is_an_outage_and_any_other_a_risk() {
    let mut ring = renewed();
    ring.ask();
    while !ring.pass().is_empty() {}
    ring.in_certificates(|secret| {
        secret.data.as_mut().unwrap().retain(|name, _| !name.starts_with(&thumbprint("previous")));
    });
    let standing = ring.standing();
    let sealed: Vec<String> = standing.ring.as_ref().unwrap().sealed().map(|(id, _)| id.to_string()).collect();
    let [sealed] = &sealed[..] else { panic!("{sealed:?}") };
    let reason = |unused: &[&str]| {
        finding(&ring.settings(), &ring.observed(), &standing, (&[], unused), ring.now).unwrap().reason
    };
    assert_eq!(reason(&[]), Reason::CertificateMissing);
    assert_eq!(reason(&[sealed]), Reason::UnusedCertificateMissing);
}

#[test]
fn what_cannot_be_made_again_stays_as_it_is_and_nothing_beside_it_goes() {
    let cases: [(&str, Change<'_>, &[&str]); 4] = [
        (
            "the private key is in no file",
            &|files| {
                files.insert(file("key"), garbled());
                files.insert(file("pfx"), garbled());
            },
            &[".crt is the certificate without its private key", ".key and .pfx is unreadable"],
        ),
        (
            "every file is garbled",
            &|files| ["crt", "key", "pfx"].iter().for_each(|of| drop(files.insert(file(of), garbled()))),
            &[".crt, .key and .pfx is unreadable"],
        ),
        (
            "a file of another name may hold it",
            &|files| {
                files.retain(|name, _| !name.starts_with(&thumbprint("previous")));
                files.insert("old.pfx".to_owned(), garbled());
            },
            &["needs certificate <previous>", "Secret shop-keys-certificates has no file of it"],
        ),
        (
            "the names are in lower case",
            &|files| {
                files.retain(|name, _| !name.starts_with(&thumbprint("previous")));
                files.insert(file("key").to_ascii_lowercase(), garbled());
            },
            &[".key is unreadable"],
        ),
    ];
    for (what, change, words) in cases {
        let (changed, after, said) = files_after(change);
        assert_eq!(after, changed, "{what}");
        assert!(said.contains("CertificateMissing"), "{what}: {said}");
        for words in words {
            assert!(said.contains(words), "{what}: {said}");
        }
    }
}

#[test]
fn a_renewed_certificate_with_the_same_private_key_gives_it_back_to_the_earlier_one() {
    let mut ring = Keys::certified();
    let key = KeyPair::from_pem(&String::from_utf8(vector("previous.key.pem")).unwrap()).unwrap();
    let renewed = CertificateParams::default().self_signed(&key).unwrap().pem().into_bytes();
    let data = [("tls.crt", renewed), ("tls.key", vector("previous.key.pem"))];
    ring.provide("mine", data.map(|(name, bytes)| (name.to_owned(), bytes)).into());
    ring.pass();
    let whole = ring.inputs.certificates.owned().unwrap().data.clone();
    ring.in_certificates(|secret| {
        secret.data.as_mut().unwrap().retain(|name, _| !name.starts_with(&thumbprint("previous")));
    });
    ring.pass();
    assert_eq!(ring.inputs.certificates.owned().unwrap().data, whole);
}

#[test]
fn while_a_key_cannot_be_read_no_certificate_goes_that_it_may_need() {
    let mut ring = renewed();
    let files = ring.certificates();
    ring.garble_first_key();
    ring.until(3);
    assert_eq!(ring.certificates(), files);
    ring.in_certificates(|secret| drop(secret.data.as_mut().unwrap().insert("old.pfx".to_owned(), garbled())));
    ring.until(3);
    assert_eq!(ring.certificates().len(), files.len() + 1);
}

#[test]
fn certificates_that_somebody_made_immutable_are_left_alone_and_no_key_is_made_for_another() {
    let mut ring = Keys::certified();
    ring.in_certificates(|secret| secret.immutable = Some(true));
    assert!(ring.plan().is_empty());
    assert!(ring.says("whole").contains("Published"));
    ring.certify("mine", "current", "current");
    assert_eq!(ring.until(100), [], "no key is made that nobody could read");
    let said = ring.says("lacking");
    assert!(said.contains("WriteForbidden") && said.contains("It is immutable"), "{said}");
    assert!(said.contains("Secret shop-keys-certificates lacks certificate <current>"), "{said}");
    assert!(
        said.contains("reconcile=paused") && said.contains("replace --force -f shop-keys-certificates.yaml"),
        "{said}"
    );
}

#[test]
fn keys_that_are_plain_stay_plain_when_a_certificate_is_set_and_encrypted_ones_stay_readable_without() {
    let mut ring = Keys::begun();
    let first = ring.published();
    ring.spec(CERTIFIED);
    ring.certify("mine", "current", "current");
    assert_eq!(ring.pass(), ["Secret shop-keys-certificates"]);
    ring.until(91);
    assert!(first.iter().all(|(name, file)| ring.published().get(name) == Some(file)));
    assert_eq!(ring.encrypted_to(), [None, Some(thumbprint("current"))]);
    ring.spec("{}");
    ring.inputs.provided.clear();
    assert!(ring.plan().is_empty());
    ring.until(181);
    assert_eq!(ring.encrypted_to(), [None, Some(thumbprint("current")), None]);
    assert_eq!(ring.certificates().len(), 3);
}

#[test]
fn without_a_usable_certificate_no_first_key_is_made_not_even_in_plain() {
    for provide in [&|_: &mut Keys| {}, &|ring: &mut Keys| ring.provide("mine", BTreeMap::new()), &|ring: &mut Keys| {
        ring.certify("mine", "current", "previous");
    }] as [&dyn Fn(&mut Keys); 3]
    {
        let mut ring = Keys::of(CERTIFIED);
        provide(&mut ring);
        ring.ask();
        assert!(ring.plan().is_empty());
    }
    let mut ring = Keys::of(CERTIFIED);
    ring.certify("mine", "current", "current");
    ring.inputs.certificates = Found::Foreign("Deployment web".to_owned());
    assert!(ring.plan().is_empty());
}

#[test]
fn a_ring_is_taken_over_as_it_is_and_goes_on_and_its_secret_may_go() {
    for files in [vectors("cbc-hmac"), BTreeMap::from([("keys.xml".to_owned(), repository("cbc-hmac"))])] {
        let mut ring = Keys::importing();
        ring.provide("old-ring", files);
        assert_eq!(ring.pass(), ["create", "create", "create", "Secret shop-keys"]);
        assert_eq!(ring.files.values().filter(|secret| secret.immutable == Some(true)).count(), 3);
        assert_eq!(ring.published().len(), 3);
        assert!(ring.plan().is_empty());
        let before = ring.status();
        ring.inputs.provided.clear();
        assert!(ring.plan().is_empty());
        assert_eq!(ring.status(), before);
        assert_eq!(ring.finding(&[]).unwrap().status.as_str(), "True");
    }
    // A file is a key and no more: byte for byte it is what was there.
    let mut ring = Keys::importing();
    ring.provide("old-ring", vectors("cbc-hmac"));
    ring.pass();
    let published: BTreeMap<String, Vec<u8>> = ring.published().into_iter().map(|(name, it)| (name, it.0)).collect();
    assert_eq!(published, vectors("cbc-hmac"));
}

#[test]
fn an_import_that_stopped_midway_goes_on_and_what_is_added_later_is_taken_over_too() {
    let mut ring = Keys::importing();
    ring.provide("old-ring", vectors("cbc-hmac"));
    let first = ring.files().swap_remove(0);
    ring.store(first);
    assert_eq!(ring.pass(), ["create", "create", "Secret shop-keys"]);
    let mut more = vectors("cbc-hmac");
    more.extend(vectors("gcm"));
    ring.provide("old-ring", more);
    assert_eq!(ring.pass(), ["create", "create", "create", "Secret shop-keys"]);
    assert_eq!(ring.status().keys.len(), 6);
}

#[test]
fn no_first_key_is_made_before_the_ring_that_is_to_be_taken_over_was_read() {
    let mut ring = Keys::importing();
    ring.ask();
    assert!(ring.plan().is_empty());
    ring.provide("old-ring", BTreeMap::new());
    assert!(ring.plan().is_empty());
    ring.provide("old-ring", BTreeMap::from([("key.xml".to_owned(), of_key_vault())]));
    assert!(ring.plan().is_empty());
    ring.spec("{}");
    assert_eq!(ring.pass(), ["mint", "Secret shop-keys"]);
}

/// Of entries that its keys encrypted none is lost before it was taken over.
#[test]
fn until_a_ring_is_taken_over_as_a_whole_keys_may_be_missing() {
    let mut ring = Keys::begun();
    ring.spec(IMPORTING);
    let lacks =
        |ring: &Keys| ring.gap().is_some_and(|gap| gap.contains("Secret old-ring, which spec.dataProtection.import"));
    assert!(lacks(&ring), "its Secret may come yet");
    ring.provide("old-ring", vectors("cbc-hmac"));
    assert!(lacks(&ring), "it is there");
    ring.pass();
    assert_eq!(ring.gap(), None);
    ring.provide("old-ring", BTreeMap::from([("key.xml".to_owned(), of_key_vault())]));
    assert!(lacks(&ring), "applications have a key that the operator cannot use");
    ring.spec("{}");
    assert_eq!(ring.gap(), None, "it is to go on without it");
    // Nothing of these was taken over: one has no room, the other is filled later.
    let mut large = Keys::begun();
    large.spec(IMPORTING);
    large.provide("old-ring", (0..1100).map(super::key_ring_limits::file).collect());
    large.pass();
    assert!(large.told("whole").contains("ImportRefused"));
    assert!(lacks(&large), "its keys are with the applications");
    let mut empty = Keys::begun();
    empty.spec(IMPORTING);
    empty.provide("old-ring", BTreeMap::new());
    assert!(lacks(&empty), "it is empty");
}

#[test]
fn a_ring_of_certificates_is_readable_once_they_are_named_and_no_plain_key_comes_before() {
    let mut ring = Keys::importing();
    ring.provide("old-ring", vectors("cert-previous"));
    assert_eq!(ring.pass(), ["create", "create", "create", "Secret shop-keys"]);
    assert!(ring.plan().is_empty());
    ring.spec(
        "dataProtection: {import: {secretName: old-ring}, previous: [{secretName: theirs}], certificate: {secretName: mine}}",
    );
    ring.certify("mine", "current", "current");
    assert_eq!(ring.pass(), ["Secret shop-keys-certificates"]);
    assert!(ring.plan().is_empty(), "the one that is named may come yet");
    ring.certify("theirs", "previous", "previous");
    assert_eq!(ring.pass(), ["Secret shop-keys-certificates"]);
    assert!(ring.plan().is_empty());
    assert!(ring.status().active.is_some());
}

#[test]
fn an_owner_is_taken_from_what_outlives_every_owner() {
    let mut ring = Keys::certified();
    let owner = OwnerReference { kind: "Deployment".to_owned(), name: "web".to_owned(), ..OwnerReference::default() };
    let (_, key) = ring.files.iter_mut().next().unwrap();
    Arc::make_mut(key).metadata.owner_references = Some(vec![owner.clone()]);
    ring.in_certificates(|secret| secret.metadata.owner_references = Some(vec![owner]));
    let told = ring.told("before");
    assert!(told.contains("False Provisioning") && told.contains("was given owner Deployment web"), "{told}");
    let mended = ring.mends();
    assert_eq!(ring.pass(), ["disown", "disown"]);
    assert!(ring.plan().is_empty());
    let told = ring.told_with("after", &mended);
    assert!(told.contains("True DriftCorrected") && told.contains("the owner was removed"), "{told}");
    ring.annotate("tokencache.dev/reconcile", "paused");
    let (_, key) = ring.files.iter_mut().next().unwrap();
    Arc::make_mut(key).metadata.owner_references = Some(vec![OwnerReference::default()]);
    assert!(ring.plan().is_empty());
    assert!(ring.told("paused").contains("False DriftWhilePaused"));
}

#[test]
fn a_key_that_was_made_is_told_once_with_the_reason_and_one_of_an_earlier_cache_or_on_request_is_not() {
    let mut ring = Keys::begun();
    let first = ring.minted(None);
    assert!(first.len() == 1 && first[0].contains("because there was none"), "{first:?}");
    let before = ring.status();
    assert!(ring.minted(Some(&before)).is_empty());
    ring.until(88);
    let second = ring.minted(Some(&before));
    let next = ring.status().keys[1].activates.0.to_string();
    assert!(second.len() == 1 && second[0].contains("because rotation is due"), "{second:?}");
    assert!(second[0].contains(&next), "{second:?}");
    assert_eq!(ring.minted(None), second, "a status that was lost is no news of the first one");
    let before = ring.status();
    ring.ask();
    ring.pass();
    assert!(ring.minted(Some(&before)).is_empty());
    let mut ring = Keys::begun();
    ring.cache.metadata.creation_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(START + DAY));
    assert!(ring.minted(None).is_empty());
}

#[test]
fn with_a_certificate_keys_change_every_thirty_days_at_most() {
    let refused = |data_protection: &str| {
        let cache = shop(&format!("dataProtection: {data_protection}"));
        Settings::parse(World::new(cache.clone()).settings().owner, &cache)
    };
    let why = refused("{certificate: {secretName: mine}, rotation: {every: 29d}}").unwrap_err().to_string();
    assert!(why.contains("must be 30d or more with a certificate"), "{why}");
    let settings = refused("{mode: None, certificate: {secretName: mine}, previous: [{secretName: a}]}").unwrap();
    assert_eq!(settings.named().count(), 0, "nothing is read for what is not made");
}

#[test]
fn what_is_said_of_certificates() {
    let of = |what: &str, change: &dyn Fn(&mut Keys)| {
        let mut ring = Keys::of(CERTIFIED);
        change(&mut ring);
        ring.says(what)
    };
    let begun = Keys::certified();
    let after = |what: &str, change: &dyn Fn(&mut Keys)| {
        let mut ring = begun.clone();
        change(&mut ring);
        ring.says(what)
    };
    let elliptic = |ring: &mut Keys| {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::default().self_signed(&key).unwrap();
        let data = [("tls.crt", certificate.pem()), ("tls.key", key.serialize_pem())];
        ring.provide("mine", data.map(|(name, text)| (name.to_owned(), text.into_bytes())).into());
    };
    let renew = |ring: &mut Keys| {
        ring.certify("mine", "current", "current");
        ring.pass();
    };
    let told = [
        of("there is no Secret yet", &|_| {}),
        of("there is no Secret yet, and a key is asked for", &Keys::ask),
        of("the Secret is empty", &|ring| ring.provide("mine", BTreeMap::new())),
        of("an elliptic curve", &elliptic),
        of("the key of another", &|ring| ring.certify("mine", "current", "previous")),
        of("the place of the certificates is somebody's", &|ring| {
            ring.certify("mine", "current", "current");
            ring.inputs.certificates = Found::Foreign("Deployment web".to_owned());
        }),
        begun.says("a key"),
        after("the Secret is gone", &|ring| ring.inputs.provided.clear()),
        after("renewed, with a process that has not read it", &|ring| {
            ring.inputs.processes = Some(web(START + DAY));
            ring.now = START + DAY * 2;
            renew(ring);
        }),
        after("renewed, and nobody uses it", &renew),
        after("renewed, while paused", &|ring| {
            ring.annotate("tokencache.dev/reconcile", "paused");
            renew(ring);
        }),
        after("edited, while paused", &|ring| {
            ring.annotate("tokencache.dev/reconcile", "paused");
            ring.in_certificates(|secret| {
                secret.data.as_mut().unwrap().insert("mine.pfx".to_owned(), ByteString(vec![1]));
            });
        }),
        {
            let mut ring = begun.clone();
            ring.in_certificates(|secret| {
                secret.data.as_mut().unwrap().insert("mine.pfx".to_owned(), ByteString(vec![1]));
            });
            let mended = ring.mends();
            ring.pass();
            named(&ring.told_with("edited, and put right", &mended))
        },
        after("the certificate is lost, and there is another", &|ring| {
            ring.inputs.certificates = Found::Absent;
            renew(ring);
        }),
        after("the certificate is lost, and another is named that is not there", &|ring| {
            ring.inputs.certificates = Found::Absent;
            ring.certify("mine", "current", "current");
            ring.spec("dataProtection: {certificate: {secretName: mine}, previous: [{secretName: theirs}]}");
            ring.pass();
        }),
        after("the certificate is lost, and none is named", &|ring| {
            ring.inputs.certificates = Found::Absent;
            ring.spec("{}");
            ring.pass();
        }),
        after("there are encrypted keys, and no certificate is named any more", &|ring| ring.spec("{}")),
        after("one that no key needs is not there", &|ring| {
            ring.spec("dataProtection: {certificate: {secretName: mine}, previous: [{secretName: theirs}]}");
        }),
        {
            let mut ring = Keys::begun();
            ring.spec(CERTIFIED);
            ring.certify("mine", "current", "current");
            ring.pass();
            ring.says("a plain key, and a certificate")
        },
    ];
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn what_is_said_of_a_ring_that_is_taken_over() {
    let of = |what: &str, change: &dyn Fn(&mut Keys)| {
        let mut ring = Keys::importing();
        change(&mut ring);
        ring.says(what)
    };
    let mixed = || {
        let mut files = vectors("cbc-hmac");
        files.insert("a-vault.xml".to_owned(), of_key_vault());
        files.insert("notes.txt".to_owned(), b"<oops".to_vec());
        files
    };
    let told = [
        of("there is no Secret yet", &|_| {}),
        of("there is nothing in it", &|ring| ring.provide("old-ring", BTreeMap::new())),
        of("nobody can read it", &|ring| {
            ring.provide("old-ring", BTreeMap::from([("a-vault.xml".to_owned(), of_key_vault())]));
        }),
        of("nobody can read a part of it", &|ring| {
            ring.provide("old-ring", mixed());
            ring.pass();
        }),
        of("it is another key of the same name", &|ring| {
            ring.provide("old-ring", vectors("cbc-hmac"));
            ring.pass();
            let (name, bytes) = vectors("cbc-hmac").pop_first().unwrap();
            let other = String::from_utf8(bytes).unwrap().replace("HMACSHA256", "HMACSHA512").into_bytes();
            ring.provide("old-ring", BTreeMap::from([(name, other)]));
        }),
        of("it waits while paused", &|ring| {
            ring.annotate("tokencache.dev/reconcile", "paused");
            ring.provide("old-ring", vectors("cbc-hmac"));
            ring.pass();
        }),
        of("it is taken over", &|ring| {
            ring.provide("old-ring", vectors("cbc-hmac"));
            ring.pass();
        }),
        of("it was taken over, and is gone", &|ring| {
            ring.provide("old-ring", vectors("cbc-hmac"));
            ring.pass();
            ring.inputs.provided.clear();
        }),
        of("its certificate is wanting", &|ring| {
            ring.provide("old-ring", vectors("cert-previous"));
            ring.pass();
        }),
        {
            let mut ring = Keys::begun();
            ring.spec(IMPORTING);
            ring.says("there are keys, and no Secret")
        },
    ];
    let told = told.join("\n").replace(FOREIGN, "<a foreign key>");
    insta::assert_snapshot!(told);
}

#[test]
fn of_what_is_provided_nothing_secret_prints_itself() {
    let mut ring = Keys::certified();
    ring.provide("old-ring", vectors("cbc-hmac"));
    ring.spec("dataProtection: {certificate: {secretName: mine}, import: {secretName: old-ring}}");
    let printed =
        format!("{:?} {:?} {:?}", ring.standing(), ring.plan(), ring.files.values().next().unwrap().name_any());
    let master = vectors("cbc-hmac").into_values().map(|bytes| String::from_utf8(bytes).unwrap());
    for text in master {
        let value = text.split("<value>").nth(1).unwrap().split("</value>").next().unwrap();
        assert!(!printed.contains(&value[..16]), "{value}");
    }
    let key = String::from_utf8(vector("previous.key.pem")).unwrap();
    assert!(!printed.contains(key.lines().nth(1).unwrap()));
}
