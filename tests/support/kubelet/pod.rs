//! The life of one pod, from the node that it gets to its removal.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Binding, ObjectReference, Pod, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Status};
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Error, ResourceExt};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, interval, sleep};

use super::container::Container;
use super::place::Place;
use super::{Fault, Live, Shared, status};

const TICK: Duration = Duration::from_millis(50);
/// How long kubelet may serve an older content of a Secret; a minute in reality.
const REFRESH: Duration = Duration::from_secs(1);
/// The most that a container gets between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(5);

/// Runs a pod until it is gone.
pub async fn live(shared: Arc<Shared>, mut seen: watch::Receiver<Pod>) {
    let pod = seen.borrow_and_update().clone();
    let api: Api<Pod> = Api::namespaced(shared.client.clone(), &shared.namespace);
    let mut report = Report { api, name: pod.name_any(), written: pod.status.clone().unwrap_or_default() };
    if pod.spec.as_ref().is_none_or(|spec| spec.node_name.is_none()) {
        schedule(&shared, &mut report).await;
    }
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers).cloned().map(Container::new).collect();
    let mut life = Life { place: Place::new(pod, shared.clone()), containers, mounted: None };
    let mut ticks = interval(TICK);
    loop {
        ticks.tick().await;
        life.place.pod = seen.borrow_and_update().clone();
        if life.place.pod.metadata.deletion_timestamp.is_some() {
            life.end(&report).await;
            return;
        }
        life.step().await;
        shared.slot(&report.name, |slot| slot.live = Some(life.seen()));
        report.write(life.status(&report.written)).await;
    }
}

/// Stands in for the scheduler.
async fn schedule(shared: &Shared, report: &mut Report) {
    while shared.slot(&report.name, |slot| slot.fault == Some(Fault::Unschedulable)) {
        report.write(status::unschedulable(&report.written)).await;
        sleep(TICK).await;
    }
    let target =
        ObjectReference { kind: Some("Node".into()), name: Some(shared.node.clone()), ..ObjectReference::default() };
    let metadata = ObjectMeta { name: Some(report.name.clone()), ..ObjectMeta::default() };
    let binding = Binding { metadata, target };
    let bound: Result<Status, Error> =
        report.api.create_subresource("binding", &report.name, &PostParams::default(), &binding).await;
    report.check("binding", bound.map(drop));
}

struct Life {
    place: Place,
    containers: Vec<Container>,
    /// When the volumes were last made to hold what they should.
    mounted: Option<Instant>,
}

impl Life {
    async fn step(&mut self) {
        if self.mounted.is_none_or(|at| at.elapsed() >= REFRESH) {
            match self.place.mount().await {
                Ok(()) => self.mounted = Some(Instant::now()),
                // What runs keeps what it has; what does not waits.
                Err(_) if self.mounted.is_some() => self.mounted = Some(Instant::now()),
                Err(_) => return sleep(TICK * 5).await,
            }
        }
        for container in &mut self.containers {
            container.step(&self.place).await;
        }
    }

    fn status(&self, before: &PodStatus) -> PodStatus {
        let containers: Vec<_> = self.containers.iter().map(|each| each.status(&self.place)).collect();
        let over = containers.iter().all(|each| {
            let end = each.state.as_ref().and_then(|state| state.terminated.as_ref());
            end.is_some_and(|end| !self.place.restarts_after(end.exit_code))
        });
        status::on_node(before, self.place.address, containers, over)
    }

    fn seen(&self) -> Live {
        Live {
            uid: self.place.uid(),
            address: self.place.address,
            folder: self.place.folder().to_owned(),
            process: self.containers.first().and_then(Container::process_id),
        }
    }

    async fn end(&mut self, report: &Report) {
        let deadline = Instant::now() + GRACE;
        let mut ask = true;
        loop {
            let force = Instant::now() >= deadline;
            // Every one is asked, also when the first is not gone.
            let left = self.containers.iter_mut().filter_map(|each| (!each.stop(ask, force)).then_some(())).count();
            if left == 0 {
                break;
            }
            ask = false;
            sleep(TICK).await;
        }
        let preconditions = Preconditions { uid: Some(self.place.uid()), resource_version: None };
        let now = DeleteParams::default().grace_period(0).preconditions(preconditions);
        report.check("removal", report.api.delete(&report.name, &now).await.map(drop));
    }
}

/// The one writer of a pod's status.
struct Report {
    api: Api<Pod>,
    name: String,
    written: PodStatus,
}

impl Report {
    /// Writes it, if it is not written yet.
    async fn write(&mut self, status: PodStatus) {
        if status == self.written {
            return;
        }
        let patch = Patch::Merge(json!({ "status": status }));
        let written = self.api.patch_status(&self.name, &PatchParams::default(), &patch).await;
        if written.is_ok() {
            self.written = status;
        }
        self.check("status", written.map(drop));
    }

    /// A pod may go at any moment; anything else is a defect of this stand-in.
    fn check(&self, what: &str, outcome: Result<(), Error>) {
        match outcome {
            Ok(()) => {}
            Err(Error::Api(status)) if status.code == 404 || status.code == 409 => {}
            Err(error) => eprintln!("stand-in for kubelet: {what} of pod {}: {error}", self.name),
        }
    }
}
