//! One container of a pod as kubelet would run it: a real process, its restarts and its probes.

use std::time::Duration;

use k8s_openapi::api::core::v1::{
    self as core, ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting,
    ContainerStatus, Probe,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use rustix::process::Signal;
use tokio::time::Instant;

use super::place::Place;
use super::probe::{self, Check, Prober};
use super::process::{Process, Run};
use super::{Fault, messages};

/// A container, running or not.
pub struct Container {
    spec: core::Container,
    state: State,
    last: Option<ContainerStateTerminated>,
    restarts: i32,
    /// Ends in a row, each soon after its start.
    crashes: u32,
    ready: bool,
    started: bool,
}

enum State {
    Waiting { reason: &'static str, message: String, until: Instant },
    Running(Box<Running>),
    Terminated(ContainerStateTerminated),
}

struct Running {
    /// `None` while a test's own listener stands where the server was.
    process: Option<Process>,
    fault: Option<Fault>,
    run: Run,
    since: Instant,
    started_at: Time,
    startup: Option<Prober>,
    readiness: Option<Prober>,
    liveness: Option<Prober>,
}

impl Container {
    /// Not started yet.
    pub fn new(spec: core::Container) -> Self {
        let state = State::Waiting { reason: "ContainerCreating", message: String::new(), until: Instant::now() };
        Self { spec, state, last: None, restarts: 0, crashes: 0, ready: false, started: false }
    }

    /// The process id, while there is one.
    pub fn process_id(&self) -> Option<i32> {
        let State::Running(running) = &self.state else { return None };
        running.process.as_ref().map(Process::id)
    }

    /// One look, and what follows from it.
    pub async fn step(&mut self, place: &Place) {
        let fault = place.fault();
        match &mut self.state {
            State::Waiting { reason, until, .. } => {
                let healed = matches!(*reason, messages::ERR_IMAGE_PULL | messages::IMAGE_PULL_BACK_OFF)
                    && !place.unpullable(&self.spec);
                if healed || Instant::now() >= *until {
                    self.start(place, fault).await;
                }
            }
            State::Running(running) => {
                if running.fault != fault {
                    change_of_fault(running, fault, place, &self.spec.name, self.restarts);
                }
                if let Some(code) = running.process.as_mut().and_then(Process::exited) {
                    self.ended(place, code);
                } else {
                    self.probe(place);
                }
            }
            State::Terminated(end) => {
                if place.restarts_after(end.exit_code) {
                    self.last = Some(end.clone());
                    if self.crashes <= 1 {
                        self.start(place, fault).await;
                    } else {
                        self.back_off(place);
                    }
                }
            }
        }
    }

    async fn start(&mut self, place: &Place, fault: Option<Fault>) {
        if place.unpullable(&self.spec) && self.last.is_none() {
            return self.fail_to_pull();
        }
        if let Some(message) = messages::invalid_image_name(self.spec.image.as_deref().unwrap_or_default()) {
            return self.wait("InvalidImageName", message, Duration::from_secs(2));
        }
        let run = match place.run(&self.spec, fault.as_ref()).await {
            Ok(run) => run,
            Err(message) => return self.wait("CreateContainerConfigError", message, Duration::from_millis(500)),
        };
        if self.last.is_some() {
            self.restarts += 1;
        }
        let now = Time(Timestamp::now());
        let process = match Process::spawn(&run, &place.log(&self.spec.name, self.restarts)) {
            Ok(process) => process,
            Err(message) => {
                self.crashes += 1;
                let end = ContainerStateTerminated {
                    exit_code: 128,
                    reason: Some("StartError".into()),
                    message: Some(message),
                    started_at: Some(now.clone()),
                    finished_at: Some(now),
                    ..ContainerStateTerminated::default()
                };
                self.state = State::Terminated(end);
                return;
            }
        };
        if fault == Some(Fault::OutOfMemory) {
            process.signal(Signal::KILL);
        }
        let check = |probe: &Probe| self.check(place, &run, probe);
        let startup = self.spec.startup_probe.as_ref().map(|probe| Prober::quick(probe, check(probe)));
        let readiness = self.spec.readiness_probe.as_ref().map(|probe| Prober::quick(probe, check(probe)));
        let liveness = self.spec.liveness_probe.as_ref().map(|probe| Prober::patient(probe, check(probe)));
        self.ready = readiness.is_none() && startup.is_none();
        self.started = startup.is_none();
        let (process, since) = (Some(process), Instant::now());
        let running = Running { process, fault, run, since, started_at: now, startup, readiness, liveness };
        self.state = State::Running(Box::new(running));
    }

    fn check(&self, place: &Place, run: &Run, probe: &Probe) -> Check {
        if let Some(exec) = &probe.exec {
            let words = exec.command.iter().flatten().map(|word| place.words.apply(word)).collect();
            return Check::Exec(Run { words, ..run.clone() });
        }
        let socket = probe.tcp_socket.as_ref().expect("the stand-in for kubelet knows probes by exec and by tcpSocket");
        Check::Connect(place.address, probe::port(&socket.port, &self.spec))
    }

    fn probe(&mut self, place: &Place) {
        let State::Running(running) = &mut self.state else { return };
        let log = place.log(&format!("{}-probes", self.spec.name), self.restarts);
        if let Some(startup) = running.startup.as_mut().filter(|_| !self.started) {
            match startup.poll(&log) {
                Some(true) => self.started = true,
                Some(false) => running.process.iter().for_each(|process| process.signal(Signal::KILL)),
                None => {}
            }
            if !self.started {
                return;
            }
        }
        match &mut running.readiness {
            None => self.ready = true,
            Some(readiness) => self.ready = readiness.poll(&log).unwrap_or(self.ready),
        }
        if running.liveness.as_mut().and_then(|liveness| liveness.poll(&log)) == Some(false) {
            running.process.iter().for_each(|process| process.signal(Signal::KILL));
        }
    }

    fn ended(&mut self, place: &Place, code: i32) {
        let State::Running(running) = &self.state else { return };
        let starved = place.take_out_of_memory() || running.fault == Some(Fault::OutOfMemory);
        let reason = match code {
            0 => "Completed",
            137 if starved => "OOMKilled",
            _ => "Error",
        };
        self.crashes = if running.since.elapsed() > Duration::from_secs(10) { 1 } else { self.crashes + 1 };
        let end = ContainerStateTerminated {
            exit_code: code,
            reason: Some(reason.into()),
            message: place.termination_message(&self.spec, self.restarts, code),
            started_at: Some(running.started_at.clone()),
            finished_at: Some(Time(Timestamp::now())),
            container_id: Some(self.id(place)),
            ..ContainerStateTerminated::default()
        };
        (self.ready, self.started) = (false, false);
        self.state = State::Terminated(end);
    }

    /// The message tells the waiting time of a real kubelet, which a test has no time for.
    fn back_off(&mut self, place: &Place) {
        let doublings = (self.crashes - 2).min(5);
        let message = messages::crash_loop_back_off(doublings, &self.spec.name, &place.pod);
        let pause = Duration::from_millis(500) * 2_u32.pow(doublings.min(3));
        self.wait("CrashLoopBackOff", message, pause);
    }

    fn fail_to_pull(&mut self) {
        let image = self.spec.image.clone().unwrap_or_default();
        let failed_before = matches!(self.state, State::Waiting { reason: messages::ERR_IMAGE_PULL, .. });
        if failed_before {
            self.wait(messages::IMAGE_PULL_BACK_OFF, messages::back_off_pulling(&image), Duration::from_secs(2));
        } else {
            self.wait(messages::ERR_IMAGE_PULL, messages::image_not_found(&image), Duration::from_millis(500));
        }
    }

    fn wait(&mut self, reason: &'static str, message: String, pause: Duration) {
        self.state = State::Waiting { reason, message, until: Instant::now() + pause };
    }

    /// Asks the process to end, as when its pod is deleted; true when it is gone.
    pub fn stop(&mut self, ask: bool, force: bool) -> bool {
        let State::Running(running) = &mut self.state else { return true };
        let Some(process) = &mut running.process else { return true };
        if force {
            process.signal(Signal::KILL);
        } else if ask {
            process.signal(Signal::TERM);
        }
        process.exited().is_some()
    }

    fn id(&self, place: &Place) -> String {
        format!("containerd://{}-{}-{}", place.uid(), self.spec.name, self.restarts)
    }

    /// What kubelet reports of it.
    pub fn status(&self, place: &Place) -> ContainerStatus {
        let mut state = ContainerState::default();
        match &self.state {
            State::Waiting { reason, message, .. } => {
                let message = Some(message.clone()).filter(|message| !message.is_empty());
                state.waiting = Some(ContainerStateWaiting { reason: Some((*reason).to_owned()), message });
            }
            State::Running(running) => {
                state.running = Some(ContainerStateRunning { started_at: Some(running.started_at.clone()) });
            }
            State::Terminated(end) => state.terminated = Some(end.clone()),
        }
        let ran = self.last.is_some() || state.waiting.is_none();
        let image = self.spec.image.clone().unwrap_or_default();
        ContainerStatus {
            name: self.spec.name.clone(),
            state: Some(state),
            last_state: Some(ContainerState { terminated: self.last.clone(), ..ContainerState::default() }),
            ready: self.ready,
            started: Some(self.started),
            restart_count: self.restarts,
            image_id: if ran { format!("{image}@sha256:{}", "0".repeat(64)) } else { String::new() },
            container_id: ran.then(|| self.id(place)),
            image,
            ..ContainerStatus::default()
        }
    }
}

/// A fault that comes or goes while the container runs.
fn change_of_fault(running: &mut Running, fault: Option<Fault>, place: &Place, name: &str, restarts: i32) {
    let was_vacant = running.fault == Some(Fault::Vacant);
    match &fault {
        Some(Fault::Vacant) => running.process = None,
        // A test's listener has gone: the server is back, and nobody was told.
        _ if was_vacant => running.process = Process::spawn(&running.run, &place.log(name, restarts)).ok(),
        Some(Fault::OutOfMemory | Fault::Instead(_)) => {
            running.process.iter().for_each(|process| process.signal(Signal::KILL));
        }
        None if running.fault.is_some() => {
            running.process.iter().for_each(|process| process.signal(Signal::KILL));
        }
        // The image is there and the pod has its node.
        None | Some(Fault::UnpullableImage | Fault::Unschedulable) => {}
    }
    running.fault = fault;
}
