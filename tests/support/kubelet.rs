//! A stand-in for kubelet and the scheduler, for the pods of one namespace. Pods get an address of their own in 127/8;
//! their containers are processes of this machine, with volumes as folders and mount paths rewritten; their status is what
//! a real kubelet would report. Faults can be put into each pod.
//!
//! It knows what the operator's pods need: command, arguments, environment, `ConfigMap`, Secret, projected, empty and
//! claimed volumes, probes by exec and tcpSocket, restart policies. No init containers, hooks or httpGet probes.

mod container;
mod messages;
mod node;
mod place;
mod pod;
mod probe;
mod process;
mod rewrite;
mod status;
mod volumes;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::api::Api;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Client, ResourceExt};
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use super::api_server::api_server;
use super::eventually::eventually;

/// What can go wrong with a pod. A fault stays until [`PodHandle::heal`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The image can't be pulled. For containers that have not run yet.
    UnpullableImage,
    /// No node has room. For pods that have no node yet: inject it before they are made, or delete them after.
    Unschedulable,
    /// Each start ends by the kernel's OOM killer.
    OutOfMemory,
    /// The container runs this instead of its command.
    Instead(Vec<String>),
    /// No process, and nobody has noticed: see [`PodHandle::replace`].
    Vacant,
}

impl Fault {
    /// The container prints this and fails.
    pub fn crash(last_words: &str) -> Self {
        Self::Instead(["sh", "-c", "echo \"$1\"; exit 1", "sh", last_words].map(str::to_owned).to_vec())
    }
}

/// The stand-in; when it is dropped, everything that it runs is killed.
pub struct Kubelet {
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

struct Shared {
    client: Client,
    namespace: String,
    node: String,
    folder: TempDir,
    slots: Mutex<BTreeMap<String, Slot>>,
    missing_images: Mutex<BTreeSet<String>>,
}

/// What is kept of a pod's name, whichever pod has it.
#[derive(Default)]
struct Slot {
    fault: Option<Fault>,
    out_of_memory: bool,
    live: Option<Live>,
}

#[derive(Clone)]
struct Live {
    uid: String,
    address: IpAddr,
    folder: PathBuf,
    process: Option<i32>,
}

impl Shared {
    fn slot<T>(&self, pod: &str, look: impl FnOnce(&mut Slot) -> T) -> T {
        look(self.slots.lock().expect("no panic while locked").entry(pod.to_owned()).or_default())
    }

    /// Where persistent volumes live, which outlast the pods.
    fn claims(&self) -> PathBuf {
        self.folder.path().join("claims")
    }

    fn lacks_image(&self, image: &str) -> bool {
        self.missing_images.lock().expect("no panic while locked").contains(image)
    }
}

impl Kubelet {
    /// Starts on the pods of `namespace`, with a node of that name. `client` should call itself by a name of its own, so
    /// that its writes can be told from others.
    pub async fn start(client: Client, namespace: &str) -> Self {
        let shared = Arc::new(Shared {
            node: format!("node-of-{namespace}"),
            namespace: namespace.to_owned(),
            folder: tempfile::tempdir_in(api_server().folder()).expect("a folder"),
            slots: Mutex::default(),
            missing_images: Mutex::default(),
            client,
        });
        node::join(&shared).await;
        let mut tasks = JoinSet::new();
        tasks.spawn(follow(shared.clone()));
        Self { shared, _tasks: tasks }
    }

    /// A pod by its name, whether there is one now or not.
    pub fn pod(&self, name: &str) -> PodHandle<'_> {
        PodHandle { kubelet: self, name: name.to_owned() }
    }

    /// From now on this image can't be pulled.
    pub fn remove_image(&self, image: &str) {
        self.shared.missing_images.lock().expect("no panic while locked").insert(image.to_owned());
    }

    /// The folder that is the volume of a claim, made if no pod has had it yet.
    pub fn volume(&self, claim: &str) -> PathBuf {
        let folder = self.shared.claims().join(claim);
        std::fs::create_dir_all(&folder).expect("a folder");
        folder
    }

    /// All that the processes of all pods have printed, for the message of a failing test.
    pub fn logs(&self) -> String {
        let folders = std::fs::read_dir(self.shared.folder.path()).into_iter().flatten().flatten();
        folders.map(|entry| place::logs(&entry.path())).collect()
    }
}

/// A pod, by its name.
pub struct PodHandle<'a> {
    kubelet: &'a Kubelet,
    name: String,
}

impl PodHandle<'_> {
    /// Puts a fault into the pod of this name, and into those that follow it.
    pub fn inject(&self, fault: Fault) {
        self.slot(|slot| slot.fault = Some(fault));
    }

    /// Takes the fault away.
    pub fn heal(&self) {
        self.slot(|slot| slot.fault = None);
    }

    /// Stops the server in the midst of what it does: it accepts connections and never answers.
    pub async fn freeze(&self) {
        self.signal(Signal::STOP).await;
    }

    /// Lets a frozen server go on.
    pub async fn thaw(&self) {
        self.signal(Signal::CONT).await;
    }

    /// Kills the server; it is restarted.
    pub async fn kill(&self) {
        self.signal(Signal::KILL).await;
    }

    /// Kills the server as the kernel does where memory is short; it is restarted.
    pub async fn kill_out_of_memory(&self) {
        self.slot(|slot| slot.out_of_memory = true);
        self.signal(Signal::KILL).await;
    }

    /// Takes the server away without anybody being told, and listens where it stood. The server comes back with
    /// [`Self::heal`], once the listener is dropped.
    pub async fn replace(&self, port: u16) -> TcpListener {
        let address = self.address().await;
        self.inject(Fault::Vacant);
        eventually(&format!("{} leaves {address}:{port}", self.name), async || {
            TcpListener::bind((address, port)).await.map_err(|error| error.to_string())
        })
        .await
    }

    /// The pod's address, once it has one.
    pub async fn address(&self) -> IpAddr {
        self.live(|live| Some(live.address)).await
    }

    /// The pod's UID and its server's process id, once it runs: either differs after a restart.
    pub async fn incarnation(&self) -> (String, i32) {
        self.live(|live| live.process.map(|id| (live.uid.clone(), id))).await
    }

    /// Runs redis-cli against the pod, as `user` where one is given, and returns what it printed. Panics where there is no
    /// answer in time, but not where the answer is an error of Redis. Over TLS on the port for it, whatever the
    /// certificate.
    pub async fn redis_cli(&self, port: u16, user: Option<(&str, &str)>, words: &[&str]) -> String {
        self.try_redis_cli(port, user, words)
            .await
            .unwrap_or_else(|error| panic!("{words:?} on {}: {error}", self.name))
    }

    /// As [`Self::redis_cli`]; where no answer comes in time, or no connection, the `Err` says so.
    pub async fn try_redis_cli(&self, port: u16, user: Option<(&str, &str)>, words: &[&str]) -> Result<String, String> {
        let at = SocketAddr::new(self.address().await, port);
        let mut command = tokio::process::Command::new("redis-cli");
        command.args(["-h", &at.ip().to_string(), "-p", &port.to_string(), "--no-auth-warning"]).kill_on_drop(true);
        if port == 6380 {
            // Whom this machine trusts is not asked, and reading the list would take longest.
            command.args(["--tls", "--insecure"]).env("SSL_CERT_FILE", "/dev/null");
        }
        if let Some((user, password)) = user {
            command.args(["--user", user]).env("REDISCLI_AUTH", password);
        }
        let output = tokio::time::timeout(Duration::from_secs(5), command.args(words).output()).await;
        let output =
            output.map_err(|_| format!("{at} did not answer within 5 s"))?.map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }

    async fn signal(&self, signal: Signal) {
        let (_, id) = self.incarnation().await;
        process::signal_group(id, signal);
    }

    async fn live<T>(&self, look: impl Fn(&Live) -> Option<T>) -> T {
        eventually(&format!("pod {} runs", self.name), async || {
            self.slot(|slot| slot.live.as_ref().and_then(&look)).ok_or_else(|| self.kubelet.logs())
        })
        .await
    }

    fn slot<T>(&self, look: impl FnOnce(&mut Slot) -> T) -> T {
        self.kubelet.shared.slot(&self.name, look)
    }
}

/// Runs a task for each pod, as long as there is that pod.
async fn follow(shared: Arc<Shared>) {
    let pods: Api<Pod> = Api::namespaced(shared.client.clone(), &shared.namespace);
    let mut tasks = JoinSet::new();
    let mut known: HashMap<String, (watch::Sender<Pod>, AbortHandle)> = HashMap::new();
    let mut listed = Vec::new();
    let mut events = pin!(watcher(pods, watcher::Config::default()));
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Apply(pod) | Event::InitApply(pod)) => {
                let uid = pod.uid().unwrap_or_default();
                listed.push(uid.clone());
                if let Some((sender, _)) = known.get(&uid) {
                    sender.send_replace(pod);
                } else {
                    let (sender, receiver) = watch::channel(pod);
                    known.insert(uid, (sender, tasks.spawn(pod::live(shared.clone(), receiver))));
                }
            }
            Ok(Event::Delete(pod)) => {
                if let Some((_, task)) = known.remove(&pod.uid().unwrap_or_default()) {
                    task.abort();
                }
                shared.slot(&pod.name_any(), |slot| {
                    slot.live.take_if(|live| Some(&live.uid) == pod.metadata.uid.as_ref())
                });
            }
            Ok(Event::Init) => listed.clear(),
            Ok(Event::InitDone) => known.retain(|uid, (_, task)| {
                let there = listed.contains(uid);
                if !there {
                    task.abort();
                }
                there
            }),
            Err(error) => eprintln!("stand-in for kubelet: watching pods: {error}"),
        }
    }
}
