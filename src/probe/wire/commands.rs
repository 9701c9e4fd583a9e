//! The commands of which a look is made. A command that is added here needs a right in `redis::access::acl`.
//!
//! In: values. Out: commands. Nothing is sent.

use ::redis::{Cmd, cmd};

use crate::redis::access::acl::{Passwords, User};

/// `INFO` of what a probe reads. Several sections in one command: Redis 7.0 and later, every Valkey.
pub(crate) fn info() -> Cmd {
    let mut command = cmd("INFO");
    command.arg("server").arg("clients").arg("replication").arg("persistence");
    command
}

/// `CONFIG GET` of both memory settings.
pub(crate) fn memory_settings() -> Cmd {
    let mut command = cmd("CONFIG");
    command.arg("GET").arg("maxmemory").arg("maxmemory-policy");
    command
}

/// `CONFIG GET` of how what is written is saved.
pub(crate) fn append_settings() -> Cmd {
    let mut command = cmd("CONFIG");
    command.arg("GET").arg("appendonly").arg("appendfsync");
    command
}

/// `CONFIG GET` of what clients may take. What a server does not know is not in its answer.
pub(crate) fn client_limits(settings: &[&str]) -> Cmd {
    let mut command = cmd("CONFIG");
    command.arg("GET").arg(settings);
    command
}

/// `CONFIG GET` of the port for plain text.
pub(crate) fn plain_port() -> Cmd {
    let mut command = cmd("CONFIG");
    command.arg("GET").arg("port");
    command
}

/// `CONFIG SET` of one setting.
pub(crate) fn set(parameter: &str, value: &str) -> Cmd {
    let mut command = cmd("CONFIG");
    command.arg("SET").arg(parameter).arg(value);
    command
}

/// `CONFIG GET` of the files with the certificate.
pub(crate) fn certificate_files() -> Cmd {
    let mut command = cmd("CONFIG");
    command.arg("GET").arg("tls-cert-file").arg("tls-key-file").arg("tls-ca-cert-file");
    command
}

/// `CONFIG SET` of the files with the certificate, in one command: that loads them, also where their paths are the same.
pub(crate) fn load_certificate(files: &[(String, String)]) -> Cmd {
    let mut command = cmd("CONFIG");
    command.arg("SET");
    for (parameter, path) in files {
        command.arg(parameter).arg(path);
    }
    command
}

/// `ACL LIST`.
pub(crate) fn users() -> Cmd {
    let mut command = cmd("ACL");
    command.arg("LIST");
    command
}

/// `ACL SETUSER` of a whole user.
pub(crate) fn set_user(user: &User, knows_7_2: bool) -> Cmd {
    let mut command = cmd("ACL");
    command.arg("SETUSER").arg(user.name).arg(user.words(knows_7_2));
    command
}

/// `ACL SETUSER` that gives a user further passwords, and changes nothing else of it.
pub(crate) fn add_passwords(user: &User) -> Cmd {
    let hashes = match &user.passwords {
        Passwords::These(hashes) => hashes.as_slice(),
        Passwords::Off | Passwords::AsFound => &[],
    };
    let words: Vec<String> = hashes.iter().map(|hash| format!("#{}", hash.as_hex())).collect();
    let mut command = cmd("ACL");
    command.arg("SETUSER").arg(user.name).arg(words);
    command
}

/// `ACL DELUSER`.
pub(crate) fn delete_users(names: &[&str]) -> Cmd {
    let mut command = cmd("ACL");
    command.arg("DELUSER").arg(names);
    command
}

/// `ACL LOG` of so many of the latest entries, which stay there for others to read.
pub(crate) fn refusals(entries: usize) -> Cmd {
    let mut command = cmd("ACL");
    command.arg("LOG").arg(entries);
    command
}
