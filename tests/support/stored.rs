//! Entries that Microsoft.Identity.Web stored, and the rings that read them: see tests/vectors/README.md.

use std::path::{Path, PathBuf};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use tokencache_operator::data_protection::{
    key::{
        id::KeyId,
        read::{self, Element},
    },
    ring::open::KeyRing,
};

/// The older key of `ring`, and the one that encrypts.
pub const KEYS: [&str; 2] = ["89c124f1-5cf8-4e31-813c-67ccf7852c9f", "b8a897fe-24c2-41aa-bcdd-9ee3bb632b99"];
/// The key of `ring-other`.
pub const OTHER_KEY: &str = "06e86d92-8f91-4234-a04f-d35d111bf923";
/// The name under which most of them are encrypted.
pub const APPLICATION: &str = "fx-app";

/// An entry.
#[derive(Debug, Deserialize)]
pub struct Stored {
    pub key: String,
    fields: Fields,
    key_id: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Fields {
    data: String,
}

impl Stored {
    pub fn data(&self) -> Vec<u8> {
        STANDARD.decode(&self.fields.data).unwrap()
    }

    pub fn key_id(&self) -> Option<KeyId> {
        self.key_id.as_deref().and_then(KeyId::parse)
    }

    pub fn is_of(&self, prefix: &str) -> bool {
        self.key.starts_with(prefix)
    }
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/cache-entries").join(name)
}

/// Every entry.
pub fn stored() -> Vec<Stored> {
    serde_json::from_slice(&std::fs::read(folder("entries.json")).unwrap()).unwrap()
}

/// The files of a ring, by name.
pub fn files(ring: &str) -> Vec<(String, String)> {
    let paths = std::fs::read_dir(folder(ring)).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    paths.map(|path| (name(&path), std::fs::read_to_string(&path).unwrap())).collect()
}

/// A ring, opened.
pub fn ring(name: &str) -> KeyRing {
    let key = |(name, text): (String, String)| match read::read(text.as_bytes()) {
        Ok(Element::Key(key)) => *key,
        other => panic!("{name}: {other:?}"),
    };
    let keys: Vec<_> = files(name).into_iter().map(key).collect();
    KeyRing::open(&keys, &[], &[], &KeyRing::default())
}

/// The words of the command that stores bytes as an entry does: a client on the command line takes no bytes.
pub fn command(key: &str, data: &[u8]) -> [String; 5] {
    const SCRIPT: &str = "local bytes = ARGV[1]:gsub('..', function(digits) return string.char(tonumber(digits, 16)) end) \
                          redis.call('HMSET', KEYS[1], 'absexp', '-1', 'sldexp', '-1', 'data', bytes) \
                          return redis.call('EXPIRE', KEYS[1], 3600)";
    ["EVAL".to_owned(), SCRIPT.to_owned(), "1".to_owned(), key.to_owned(), hex::encode(data)]
}
