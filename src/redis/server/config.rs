//! `redis.conf`: what every server starts with.
//!
//! In: the settings, and where the certificate is. Out: the file's text. No secret is in it.

use super::objects::{CONFIG_DIR, DATA_DIR, TLS_DIR, USERS_DIR};
use crate::redis::{
    settings::{Settings, client_limits::ClientLimits},
    tls::{AUTHORITIES_KEY, CERTIFICATE_KEY, PRIVATE_KEY, certificate::Fingerprint},
};

/// The file's name in the `ConfigMap`.
pub const FILE: &str = "redis.conf";

/// `appendfsync` where entries are kept: what is written reaches the disk within about a second, and no write waits for it.
pub const APPEND_FSYNC: &str = "everysec";

/// A port that is closed, as Redis spells it.
pub const NO_PORT: &str = "0";

/// The settings that name files with a certificate, with its key, and with authorities.
const CERTIFICATE_SETTINGS: [&str; 3] = ["tls-cert-file", "tls-key-file", "tls-ca-cert-file"];

/// `appendonly`, as Redis spells it.
#[must_use]
pub fn append_only(kept: bool) -> &'static str {
    if kept { "yes" } else { "no" }
}

/// The text of `redis.conf`. When the append-only file is written anew is left to Redis: at twice its size, from 64 MB.
#[must_use]
pub fn redis_conf(settings: &Settings, certificate: &Place) -> String {
    let kept = settings.persistence.is_some();
    let fsync = if kept { format!("appendfsync {APPEND_FSYNC}\n") } else { String::new() };
    format!(
        "# Made by tokencache-operator from TokenCache {namespace}/{name}. Edits here are undone.\n\
         bind * -::*\n\
         {listen}\
         dir {DATA_DIR}\n\
         aclfile {USERS_DIR}/{users}\n\
         maxmemory {max_memory}\n\
         maxmemory-policy {policy}\n\
         save \"\"\n\
         appendonly {append_only}\n\
         {fsync}\
         tcp-keepalive 60\n\
         {limits}\
         lazyfree-lazy-eviction yes\n\
         lazyfree-lazy-expire yes\n",
        listen = listen(settings, certificate),
        namespace = settings.owner.namespace,
        name = settings.owner.name,
        users = crate::redis::server::objects::USERS_FILE,
        max_memory = settings.max_memory.bytes(),
        policy = settings.eviction_policy.as_str(),
        append_only = append_only(kept),
        limits = ClientLimits::of(settings.max_memory).lines(),
    )
}

/// The settings that name the files with the certificate, with the paths at which the container finds them; an empty path for
/// one that is not set.
#[must_use]
pub fn certificate_files(place: &Place) -> Vec<(String, String)> {
    let path = |file: String| if file.is_empty() { file } else { format!("{TLS_DIR}/{file}") };
    CERTIFICATE_SETTINGS.map(str::to_owned).into_iter().zip(place.files().map(path)).collect()
}

/// The place of the certificate that a text of `redis.conf` names, if it is one of the operator's.
#[must_use]
pub fn place(text: &str) -> Option<Place> {
    let [setting, ..] = CERTIFICATE_SETTINGS;
    let path = text.lines().find_map(|line| line.strip_prefix(setting)?.strip_prefix(' '))?;
    Place::of(path.strip_prefix(TLS_DIR)?.strip_prefix('/')?)
}

/// One port, for TLS or for plain text; the other is closed. Clients prove who they are by their password.
fn listen(settings: &Settings, certificate: &Place) -> String {
    let port = settings.port();
    if settings.has_tls() {
        let files = certificate_files(certificate).into_iter().filter(|(_, path)| !path.is_empty());
        let files: String = files.map(|(setting, path)| [&setting, " ", &path, "\n"].concat()).collect();
        format!("port {NO_PORT}\ntls-port {port}\n{files}tls-auth-clients no\n")
    } else {
        format!("port {port}\n")
    }
}

/// Where the container finds the file.
#[must_use]
pub fn path() -> String {
    format!("{CONFIG_DIR}/{FILE}")
}

/// Where a server finds its certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In the file that is named after it: nothing else can be in there that counts.
    Named(Fingerprint),
    /// In `tls.crt` and `tls.key`, which anything may be in.
    Unnamed,
}

impl Place {
    /// The names of the files: with the certificate, with the key, with authorities. Of a file that is named after its pair
    /// Redis needs nothing else; authorities are for clients that show certificates.
    #[must_use]
    pub fn files(&self) -> [String; 3] {
        match self {
            Self::Named(fingerprint) => [file(fingerprint), file(fingerprint), String::new()],
            Self::Unnamed => [CERTIFICATE_KEY, PRIVATE_KEY, AUTHORITIES_KEY].map(str::to_owned),
        }
    }

    /// The place of a file with a certificate, by its name; `None` where the operator names none so.
    #[must_use]
    pub fn of(file: &str) -> Option<Self> {
        if file == CERTIFICATE_KEY {
            return Some(Self::Unnamed);
        }
        named_after(file).map(Self::Named)
    }
}

pub(crate) fn named_after(file: &str) -> Option<Fingerprint> {
    Fingerprint::parse(file.strip_suffix(EXTENSION)?)
}

/// What the names of files end with that hold a pair.
pub(crate) const EXTENSION: &str = ".pem";

/// The name of the file with a pair.
#[must_use]
pub fn file(fingerprint: &Fingerprint) -> String {
    [fingerprint.as_hex(), EXTENSION].concat()
}
