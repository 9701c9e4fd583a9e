//! The vectors: rings, certificates, payloads, and entries of a cache, all made by ASP.NET Core 10 and Microsoft.Identity.Web.

use std::path::{Path, PathBuf};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use tokencache_operator::data_protection::{
    certificate::Pair,
    key::{
        Key,
        read::{self, Element},
        revocation::Revocation,
    },
    payload::Purposes,
    ring::open::KeyRing,
};

/// The rings of `data-protection`, but for those with revocations.
pub const RINGS: [&str; 6] = ["cbc-hmac", "cbc-hmac512", "gcm", "cert-current", "cert-previous", "cert-rsa4096"];
/// The certificates beside them.
const CERTIFICATES: [&str; 3] = ["current", "previous", "rsa4096"];

/// A protected payload.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payload {
    pub ring: String,
    pub application_name: String,
    purposes: Vec<String>,
    pub key_id: Option<String>,
    plaintext: String,
    #[serde(rename = "protectedPayload")]
    protected: String,
    #[serde(default)]
    pub must_fail: bool,
}

impl Payload {
    pub fn purposes(&self) -> Purposes {
        let purposes: Vec<&str> = self.purposes.iter().map(String::as_str).collect();
        Purposes::new(&self.application_name, &purposes)
    }

    pub fn plaintext(&self) -> Vec<u8> {
        STANDARD.decode(&self.plaintext).unwrap()
    }

    pub fn protected(&self) -> Vec<u8> {
        STANDARD.decode(&self.protected).unwrap()
    }
}

/// What ASP.NET Core said of a key.
#[derive(Debug, Deserialize)]
pub struct Told {
    pub id: String,
    pub created: jiff::Timestamp,
    pub activates: jiff::Timestamp,
    pub expires: jiff::Timestamp,
}

pub fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name)
}

/// The files of a ring, by name.
pub fn files(ring: &str) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder(ring)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap()))
        .collect();
    files.sort();
    files
}

pub fn parts(ring: &str) -> (Vec<Key>, Vec<Revocation>) {
    let (mut keys, mut revocations) = (Vec::new(), Vec::new());
    for (_, bytes) in files(ring) {
        match read::read(&bytes).unwrap() {
            Element::Key(key) => keys.push(*key),
            Element::Revocation(revocation) => revocations.push(revocation),
        }
    }
    (keys, revocations)
}

pub fn pair(name: &str) -> Pair {
    let read = |suffix: &str| std::fs::read(folder("data-protection").join(format!("{name}.{suffix}.pem"))).unwrap();
    Pair::parse(&read("crt"), &read("key")).unwrap()
}

pub fn pairs() -> Vec<Pair> {
    CERTIFICATES.iter().map(|name| pair(name)).collect()
}

/// A ring with every key opened that can be.
pub fn open(keys: &[Key], revocations: &[Revocation], pairs: &[Pair]) -> KeyRing {
    KeyRing::open(keys, revocations, pairs, &KeyRing::default())
}

/// A ring with every key opened.
pub fn ring(name: &str) -> KeyRing {
    let (keys, revocations) = parts(name);
    open(&keys, &revocations, &pairs())
}

pub fn payloads() -> Vec<Payload> {
    let text = std::fs::read(folder("data-protection/payloads.json")).unwrap();
    let payloads: Vec<Payload> = serde_json::from_slice(&text).unwrap();
    assert!(payloads.len() > 100, "{}", payloads.len());
    payloads
}

pub fn told(ring: &str) -> Vec<Told> {
    let text = std::fs::read(folder(&format!("data-protection/{ring}.keys.json"))).unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// Bytes that look random, and are the same in every run.
pub fn dice<const N: usize>(seed: u64) -> [u8; N] {
    let mut state = seed;
    std::array::from_fn(|_| {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).to_be_bytes()[0]
    })
}
