//! Where one pod lives on the host: its address, its folder, and what its processes find there.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use k8s_openapi::api::core::v1::{Container, Pod};
use kube::ResourceExt;

use super::process::{Run, find};
use super::rewrite::Rewrite;
use super::volumes::References;
use super::{Fault, Shared};

/// The port whose listener marks an address as taken, for all test processes on this machine.
const MARKER_PORT: u16 = 10_777;
const TERMINATION_LOG: &str = "/dev/termination-log";
/// Programs that would look for a server on the pod's own loopback, or offer one on all its addresses.
const CLIENTS: [&str; 2] = ["redis-cli", "valkey-cli"];
const SERVERS: [&str; 2] = ["redis-server", "valkey-server"];

/// One pod's place.
pub struct Place {
    /// The pod as last seen.
    pub pod: Pod,
    /// Its own address on the loopback device.
    pub address: IpAddr,
    /// What to replace in commands: paths, and the loopback address.
    pub words: Rewrite,
    paths: Rewrite,
    folder: PathBuf,
    references: References,
    shared: Arc<Shared>,
    _marker: TcpListener,
}

impl Place {
    /// Takes an address and makes the folders.
    pub fn new(pod: Pod, shared: Arc<Shared>) -> Self {
        let (address, marker) = free_address();
        let folder = shared.folder.path().join(format!("{}-{}", pod.name_any(), pod.uid().unwrap_or_default()));
        for part in ["bin", "logs", "root", "volumes"] {
            fs::create_dir_all(folder.join(part)).expect("a folder");
        }
        write_programs(&folder.join("bin"), address);

        let mut paths = Rewrite::default();
        for container in pod.spec.iter().flat_map(|spec| &spec.containers) {
            for mount in container.volume_mounts.iter().flatten() {
                let target =
                    folder.join("volumes").join(&mount.name).join(mount.sub_path.as_deref().unwrap_or_default());
                paths.add(&mount.mount_path, &target.to_string_lossy());
            }
            let log = container.termination_message_path.as_deref().unwrap_or(TERMINATION_LOG);
            paths.add(log, &folder.join("termination-log").to_string_lossy());
        }
        let mut words = paths.clone();
        words.add("localhost", &address.to_string());
        words.add("127.0.0.1", &address.to_string());
        words.add("/usr/local/bin", &folder.join("bin").to_string_lossy());
        let references = References::new(&shared.client, &shared.namespace);
        Self { pod, address, words, paths, folder, references, shared, _marker: marker }
    }

    /// Makes the volumes hold what they should now; what is missing is the `Err`.
    pub async fn mount(&self) -> Result<(), String> {
        let claims = self.shared.claims();
        self.references.render(&self.pod, &self.folder.join("volumes"), &claims, &self.paths).await
    }

    /// What to run for a container; a Secret or `ConfigMap` that is missing is the `Err`.
    pub async fn run(&self, container: &Container, fault: Option<&Fault>) -> Result<Run, String> {
        let inherited = std::env::var("PATH").unwrap_or_default();
        let mut variables = BTreeMap::from([
            ("PATH".to_owned(), format!("{}:{inherited}", self.folder.join("bin").display())),
            ("HOME".to_owned(), self.folder.join("root").display().to_string()),
            ("HOSTNAME".to_owned(), self.pod.name_any()),
            // As in the image, which trusts nobody. This machine's list costs each redis-cli more than all else that it does.
            ("SSL_CERT_FILE".to_owned(), "/dev/null".to_owned()),
        ]);
        for (name, value) in self.references.environment(&self.pod, container, &self.address.to_string()).await? {
            let value = self.paths.apply(&expand(&value, &variables));
            variables.insert(name, value);
        }
        let words = match fault {
            Some(Fault::Instead(words)) => words.clone(),
            _ => command(container),
        };
        let words = words.iter().map(|word| self.words.apply(&expand(word, &variables))).collect();
        let directory = container.working_dir.as_deref().map(|folder| PathBuf::from(self.paths.apply(folder)));
        let directory = directory.filter(|folder| folder.is_dir()).unwrap_or_else(|| self.folder.join("root"));
        // A message of an earlier run is none of this one.
        let _ = fs::remove_file(self.folder.join("termination-log"));
        Ok(Run { words, environment: variables.into_iter().collect(), directory })
    }

    /// The fault that a test injected, if any.
    pub fn fault(&self) -> Option<Fault> {
        self.shared.slot(&self.pod.name_any(), |slot| slot.fault.clone())
    }

    /// Whether the image can't be had.
    pub fn unpullable(&self, container: &Container) -> bool {
        self.fault() == Some(Fault::UnpullableImage)
            || container.image.as_ref().is_some_and(|image| self.shared.lacks_image(image))
    }

    /// Whether the kernel is said to have killed it just now.
    pub fn take_out_of_memory(&self) -> bool {
        self.shared.slot(&self.pod.name_any(), |slot| std::mem::take(&mut slot.out_of_memory))
    }

    /// Whether a container that ended so is started again.
    pub fn restarts_after(&self, code: i32) -> bool {
        match self.pod.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref()) {
            Some("Never") => false,
            Some("OnFailure") => code != 0,
            _ => true,
        }
    }

    /// The pod's UID.
    pub fn uid(&self) -> String {
        self.pod.uid().unwrap_or_default()
    }

    /// A log that is appended to.
    pub fn log(&self, name: &str, restarts: i32) -> File {
        let path = self.log_path(name, restarts);
        OpenOptions::new().create(true).append(true).open(path).expect("a log")
    }

    fn log_path(&self, name: &str, restarts: i32) -> PathBuf {
        self.folder.join("logs").join(format!("{name}-{restarts}.log"))
    }

    /// The pod's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the container says of its end: its own message, or the end of its log (80 lines, 2048 bytes) if the pod asks
    /// for that and it failed.
    pub fn termination_message(&self, container: &Container, restarts: i32, code: i32) -> Option<String> {
        let own = fs::read_to_string(self.folder.join("termination-log")).unwrap_or_default();
        if !own.is_empty() {
            return Some(own);
        }
        if code == 0 || container.termination_message_policy.as_deref() != Some("FallbackToLogsOnError") {
            return None;
        }
        let log = fs::read(self.log_path(&container.name, restarts)).unwrap_or_default();
        let text = String::from_utf8_lossy(&log[log.len().saturating_sub(2048)..]).into_owned();
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        Some(lines[lines.len().saturating_sub(80)..].concat()).filter(|message| !message.is_empty())
    }
}

/// Everything that the processes of the pod with this folder printed.
pub fn logs(folder: &Path) -> String {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder.join("logs")).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.sort();
    let read = |path: &PathBuf| format!("--- {}\n{}", path.display(), fs::read_to_string(path).unwrap_or_default());
    files.iter().map(read).collect()
}

/// The images' own entry points know Redis's arguments without its name.
fn command(container: &Container) -> Vec<String> {
    let arguments = container.args.clone().unwrap_or_default();
    match container.command.clone().filter(|command| !command.is_empty()) {
        Some(command) => [command, arguments].concat(),
        None if arguments.first().is_none_or(|first| first.starts_with('-') || first.contains('/')) => {
            let valkey = container.image.as_ref().is_some_and(|image| image.contains("valkey"));
            [vec![SERVERS[usize::from(valkey)].to_owned()], arguments].concat()
        }
        None => arguments,
    }
}

/// `$(NAME)` becomes the variable's value, where there is such a variable.
fn expand(text: &str, variables: &BTreeMap<String, String>) -> String {
    variables.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("$({name})"), value))
}

/// An address of 127/8 that no pod of any test process has; the listener marks it.
fn free_address() -> (IpAddr, TcpListener) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Processes that start together begin far from each other; the marker settles the rest.
    let begin = std::process::id().wrapping_mul(7919);
    (0..4096)
        .find_map(|_| {
            let number = begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
            let [_, high, middle, low] = number.to_be_bytes();
            let address = Ipv4Addr::new(127, 64 + high % 128, middle, 1 + low % 254);
            TcpListener::bind((address, MARKER_PORT)).ok().map(|marker| (IpAddr::V4(address), marker))
        })
        .expect("a free address in 127/8")
}

fn write_programs(bin: &Path, address: IpAddr) {
    let path = std::env::var("PATH").unwrap_or_default();
    let write = |name: &str, arguments: &str| {
        if let Some(program) = find(name, &path) {
            let script = bin.join(name);
            fs::write(&script, format!("#!/bin/sh\nexec {} {arguments}\n", program.display())).expect("a script");
            fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("a script can be executable");
        }
    };
    // The last argument wins, so a client's own -h does, and a server's own bind doesn't.
    for name in CLIENTS {
        write(name, &format!("-h {address} \"$@\""));
    }
    for name in SERVERS {
        write(name, &format!("\"$@\" --bind {address}"));
    }
}
