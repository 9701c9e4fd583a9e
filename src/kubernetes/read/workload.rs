//! The workloads whose pods use a Secret or a `ConfigMap`: whom to restart when it has changed.
//!
//! In: pods, and what is asked about. Out: each workload, and since when it runs. It reads nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::IpAddr,
};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, ContainerStatus, EnvFromSource, EnvVar, Pod, Volume};
use kube::ResourceExt;

use super::process::Process;
use crate::kubernetes::identity::labels::POD_TEMPLATE_HASH;

/// How many of a kind a sentence names.
const NAMED: usize = 3;
/// How many digits a `CronJob` appends to its name for that of a Job: the minute that the Job is for, since 1970.
const MINUTE_DIGITS: usize = 8;

/// What containers take files or variables from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A `ConfigMap`, by its name.
    ConfigMap(String),
    /// A Secret, by its name.
    Secret(String),
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConfigMap(name) => write!(formatter, "ConfigMap {name}"),
            Self::Secret(name) => write!(formatter, "Secret {name}"),
        }
    }
}

/// What is restarted as a whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Workload {
    /// Its kind: that of the pod's controller, or `Deployment`, or `CronJob`; `Pod` where there is none.
    pub kind: String,
    /// Its name.
    pub name: String,
}

impl Workload {
    /// The one that a pod is of.
    #[must_use]
    pub fn of(pod: &Pod) -> Self {
        let controller = pod.owner_references().iter().find(|owner| owner.controller == Some(true));
        let Some(controller) = controller else { return Self::new("Pod", &pod.name_any()) };
        let name = controller.name.as_str();
        let hash = pod.labels().get(POD_TEMPLATE_HASH);
        let above = match controller.kind.as_str() {
            "ReplicaSet" => hash.and_then(|hash| Some(("Deployment", name.strip_suffix(hash)?.strip_suffix('-')?))),
            "Job" => name.rsplit_once('-').filter(|(_, minute)| is_minute(minute)).map(|(name, _)| ("CronJob", name)),
            _ => None,
        };
        let (kind, name) = above.unwrap_or((&controller.kind, name));
        Self::new(kind, name)
    }

    fn new(kind: &str, name: &str) -> Self {
        Self { kind: kind.to_owned(), name: name.to_owned() }
    }

    /// Whether its pods end by themselves. Nobody restarts it, and its pods come and go.
    fn ends(&self) -> bool {
        matches!(self.kind.as_str(), "Job" | "CronJob")
    }

    /// What `kubectl rollout restart` calls it; `None` for what it does not restart.
    #[must_use]
    fn rollout_target(&self) -> Option<String> {
        let restarts = matches!(self.kind.as_str(), "Deployment" | "StatefulSet" | "DaemonSet");
        restarts.then(|| format!("{}/{}", self.kind.to_ascii_lowercase(), self.name))
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.kind, self.name)
    }
}

fn is_minute(text: &str) -> bool {
    text.len() == MINUTE_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A workload that uses what was asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumer {
    /// Which one.
    pub workload: Workload,
    /// The start of the longest-running of its containers that use it, over all its pods: what was there since then, each of
    /// them has read. `None` where none of them has started; [`Timestamp::MIN`] where it is not known since when one runs.
    pub started: Option<Timestamp>,
}

/// Who uses what was asked about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Consumers {
    /// It could not be found out.
    #[default]
    Unknown,
    /// These, in order, each once; nobody, perhaps.
    Known(Vec<Consumer>),
}

impl Consumers {
    /// Whom to restart, as a part of a sentence: the first few by name, or else by what they use. Jobs are never named: they
    /// end by themselves, and what is said would change with every run.
    #[must_use]
    pub fn named(&self, source: &Source) -> String {
        let Self::Known(consumers) = self else { return format!("the workloads that use {source}") };
        let workloads = consumers.iter().map(|consumer| &consumer.workload);
        let names: Vec<String> = workloads.filter(|workload| !workload.ends()).map(ToString::to_string).collect();
        if names.is_empty() { format!("the workloads that use {source}") } else { listed(&names, " and ") }
    }

    /// The command that restarts them; `None` where there is none for what they are, or it is not known who they are.
    #[must_use]
    pub fn restart(&self, namespace: &str) -> Option<String> {
        let Self::Known(consumers) = self else { return None };
        restart(namespace, consumers.iter().map(|consumer| &consumer.workload))
    }

    /// Since when the longest-running of them runs; `None` where none runs, or it is not known.
    #[must_use]
    pub fn oldest_start(&self) -> Option<Timestamp> {
        match self {
            Self::Unknown => None,
            Self::Known(consumers) => consumers.iter().filter_map(|consumer| consumer.started).min(),
        }
    }
}

/// The command that restarts these; `None` where there is none for what they are.
#[must_use]
pub fn restart<'of>(namespace: &str, workloads: impl Iterator<Item = &'of Workload>) -> Option<String> {
    let targets: Vec<String> = workloads.filter_map(Workload::rollout_target).collect();
    (!targets.is_empty()).then(|| format!("kubectl -n {namespace} rollout restart {}", targets.join(" ")))
}

/// The first few names as a part of a sentence, with `last` before the last one.
#[must_use]
pub fn listed(names: &[String], last: &str) -> String {
    match names {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., end] if names.len() <= NAMED => format!("{}{last}{end}", first.join(", ")),
        all => format!("{} and {} more", all[..NAMED].join(", "), all.len() - NAMED),
    }
}

/// What pods were seen to use, and since when.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uses(BTreeMap<(Workload, Source), BTreeMap<String, Run>>);

/// How a pod runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Run {
    started: Option<Timestamp>,
    deleted: Option<Timestamp>,
}

impl Uses {
    /// Adds what a pod uses, of what is asked about. One that has ended uses nothing any more.
    pub fn add(&mut self, pod: &Pod, is_asked_about: impl Fn(&Source) -> bool) {
        if matches!(phase(pod), Some("Succeeded" | "Failed")) {
            return;
        }
        let workload = Workload::of(pod);
        let deleted = pod.metadata.deletion_timestamp.as_ref().map(|deleted| deleted.0);
        for (used, started) in uses(pod).filter(|(used, _)| is_asked_about(used)) {
            let pods = self.0.entry((workload.clone(), used)).or_default();
            let run = pods.entry(pod.name_any()).or_insert(Run { started: None, deleted });
            run.started = earlier(run.started, started);
        }
    }

    /// Who uses any of these. Pods that are being deleted do not count.
    #[must_use]
    pub fn consumers(&self, sources: &[Source]) -> Vec<Consumer> {
        let mut consumers: Vec<Consumer> = Vec::new();
        for process in self.processes(sources).into_iter().filter(|process| process.deleted.is_none()) {
            let Process { workload, started, .. } = process;
            match consumers.last_mut().filter(|last| last.workload == workload) {
                Some(last) => last.started = earlier(last.started, started),
                None => consumers.push(Consumer { workload, started }),
            }
        }
        consumers
    }

    /// Every pod that uses any of these, by workload.
    #[must_use]
    pub fn processes(&self, sources: &[Source]) -> Vec<Process> {
        let mut processes: BTreeMap<(&Workload, &String), Run> = BTreeMap::new();
        for ((workload, _), pods) in self.0.iter().filter(|((_, source), _)| sources.contains(source)) {
            for (pod, run) in pods {
                let known = processes.entry((workload, pod)).or_insert_with(|| run.clone());
                known.started = earlier(known.started, run.started);
            }
        }
        let process = |((workload, pod), Run { started, deleted }): ((&Workload, &String), Run)| Process {
            workload: workload.clone(),
            pod: pod.clone(),
            started,
            deleted,
        };
        processes.into_iter().map(process).collect()
    }
}

fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    [one, other].into_iter().flatten().min()
}

fn phase(pod: &Pod) -> Option<&str> {
    pod.status.as_ref()?.phase.as_deref()
}

/// The addresses of a pod; none where it has those of its node, by which no policy of the network knows it.
#[must_use]
pub fn addresses(pod: &Pod) -> Vec<IpAddr> {
    if pod.spec.as_ref().is_some_and(|spec| spec.host_network == Some(true)) {
        return Vec::new();
    }
    let status = pod.status.as_ref();
    let all = status.and_then(|status| status.pod_ips.as_deref()).unwrap_or_default().iter().map(|ip| ip.ip.as_str());
    let first = status.and_then(|status| status.pod_ip.as_deref());
    all.chain(first).filter_map(|address| address.parse().ok()).collect()
}

/// What each container of a pod uses, and since when.
fn uses(pod: &Pod) -> impl Iterator<Item = (Source, Option<Timestamp>)> {
    let (spec, status) = (pod.spec.as_ref(), pod.status.as_ref());
    let volumes = spec.and_then(|spec| spec.volumes.as_deref()).unwrap_or_default();
    let statuses = status.and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
    let of_init = status.and_then(|status| status.init_container_statuses.as_deref()).unwrap_or_default();
    let containers = spec.map(|spec| spec.containers.as_slice()).unwrap_or_default();
    let init = spec.and_then(|spec| spec.init_containers.as_deref()).unwrap_or_default();
    // Of a pod that runs, kubelet tells the state of each container; where it does not, nobody knows since when.
    let unsaid = matches!(phase(pod), Some("Running" | "Unknown")).then_some(Timestamp::MIN);
    let containers = containers.iter().map(move |container| {
        let status = statuses.iter().find(|status| status.name == container.name);
        (container, status.map_or(unsaid, running_since))
    });
    let init = init.iter().map(move |container| {
        let status = of_init.iter().find(|status| status.name == container.name);
        (container, status.map_or(unsaid, |status| running_since(status).or_else(|| done_since(status))))
    });
    containers
        .chain(init)
        .flat_map(|(container, started)| used_by(container, volumes).into_iter().map(move |source| (source, started)))
}

/// Not the start of the pod: a container that was restarted in it has read everything anew.
fn running_since(status: &ContainerStatus) -> Option<Timestamp> {
    let running = status.state.as_ref()?.running.as_ref()?;
    Some(running.started_at.as_ref().map_or(Timestamp::MIN, |started| started.0))
}

/// What an init container has left in the pod, such as a copy, is what it read then.
fn done_since(status: &ContainerStatus) -> Option<Timestamp> {
    let terminated = status.state.as_ref()?.terminated.as_ref()?;
    Some(terminated.started_at.as_ref().map_or(Timestamp::MIN, |started| started.0))
}

fn used_by(container: &Container, volumes: &[Volume]) -> BTreeSet<Source> {
    let mounted = |volume: &&Volume| container.volume_mounts.iter().flatten().any(|mount| mount.name == volume.name);
    let files = volumes.iter().filter(mounted).flat_map(of_volume);
    let variables = container.env.iter().flatten().flat_map(of_variable);
    let all_variables = container.env_from.iter().flatten().flat_map(of_all_variables);
    files.chain(variables).chain(all_variables).collect()
}

fn of_volume(volume: &Volume) -> Vec<Source> {
    let secret = volume.secret.as_ref().and_then(|source| source.secret_name.clone()).map(Source::Secret);
    let config_map = volume.config_map.as_ref().map(|source| Source::ConfigMap(source.name.clone()));
    let projected = volume.projected.iter().flat_map(|projected| projected.sources.iter().flatten());
    let projected = projected.flat_map(|source| {
        let secret = source.secret.as_ref().map(|source| Source::Secret(source.name.clone()));
        secret.into_iter().chain(source.config_map.as_ref().map(|source| Source::ConfigMap(source.name.clone())))
    });
    secret.into_iter().chain(config_map).chain(projected).collect()
}

fn of_variable(variable: &EnvVar) -> impl Iterator<Item = Source> {
    let source = variable.value_from.as_ref();
    let secret = source.and_then(|source| source.secret_key_ref.as_ref()).map(|key| Source::Secret(key.name.clone()));
    let config_map = source.and_then(|source| source.config_map_key_ref.as_ref());
    secret.into_iter().chain(config_map.map(|key| Source::ConfigMap(key.name.clone())))
}

fn of_all_variables(source: &EnvFromSource) -> impl Iterator<Item = Source> {
    let secret = source.secret_ref.as_ref().map(|source| Source::Secret(source.name.clone()));
    secret.into_iter().chain(source.config_map_ref.as_ref().map(|source| Source::ConfigMap(source.name.clone())))
}
