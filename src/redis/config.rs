//! `redis.conf`: what every server starts with.
//!
//! In: the settings. Out: the file's text. No secret is in it.

use super::{
    client_limits::ClientLimits,
    objects::{CONFIG_DIR, DATA_DIR, TLS_DIR, USERS_DIR},
    settings::Settings,
    tls::{AUTHORITIES_KEY, CERTIFICATE_KEY, PRIVATE_KEY},
};

/// The file's name in the `ConfigMap`.
pub const FILE: &str = "redis.conf";

/// `appendfsync` where entries are kept: what is written reaches the disk within about a second, and no write waits for it.
pub const APPEND_FSYNC: &str = "everysec";

/// A port that is closed, as Redis spells it.
pub const NO_PORT: &str = "0";

/// `appendonly`, as Redis spells it.
#[must_use]
pub fn append_only(kept: bool) -> &'static str {
    if kept { "yes" } else { "no" }
}

/// The text of `redis.conf`. When the append-only file is written anew is left to Redis: at twice its size, from 64 MB.
#[must_use]
pub fn redis_conf(settings: &Settings) -> String {
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
        listen = listen(settings),
        namespace = settings.owner.namespace,
        name = settings.owner.name,
        users = super::objects::USERS_FILE,
        max_memory = settings.max_memory.bytes(),
        policy = settings.eviction_policy.as_str(),
        append_only = append_only(kept),
        limits = ClientLimits::of(settings.max_memory).lines(),
    )
}

/// The settings that name the files with the certificate, with the paths at which the container finds them.
#[must_use]
pub fn certificate_files() -> Vec<(String, String)> {
    let file = |setting: &str, key: &str| (setting.to_owned(), format!("{TLS_DIR}/{key}"));
    vec![
        file("tls-cert-file", CERTIFICATE_KEY),
        file("tls-key-file", PRIVATE_KEY),
        file("tls-ca-cert-file", AUTHORITIES_KEY),
    ]
}

/// One port, for TLS or for plain text; the other is closed. Clients prove who they are by their password.
fn listen(settings: &Settings) -> String {
    let port = settings.port();
    if settings.has_tls() {
        let files = certificate_files();
        let files: String = files.iter().map(|(setting, path)| [setting, " ", path, "\n"].concat()).collect();
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
