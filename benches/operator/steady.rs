//! A world in which all is done: nothing happens, one cache is edited, the operator starts again.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::cold::Started;
use crate::operator::{Memory, Operator, USER_AGENT};
use crate::report::Goal::AtMost;
use crate::report::{Report, each, megabytes, memory_goal, milliseconds_each};
use crate::world::Settled;

const A_MINUTE: Duration = Duration::from_mins(1);

impl Started {
    /// A minute in which nothing changes.
    pub async fn idle(&self, report: &mut Report) {
        let caches = self.world.caches();
        let (mark, before) = (self.world.mark(), self.operator.cpu());
        tokio::time::sleep(A_MINUTE).await;
        let cpu = self.operator.cpu().saturating_sub(before);
        let tally = self.world.asked_since(mark, USER_AGENT);
        let of = |figure: &str| format!("a minute with {caches} unchanged caches: {figure}");
        report.figure(of("requests"), each(tally.requests(), 1), "", AtMost(0.0));
        if tally.requests() > 0 {
            report.detail(of("requests by verb, resource and answer"), tally.to_string());
        }
        report.figure(of("CPU a second"), milliseconds_each(cpu, 60), "ms", AtMost(10.0));
    }

    /// One cache is edited.
    pub async fn edited(&self, report: &mut Report) {
        let caches = self.world.caches();
        let mark = self.world.mark();
        self.world.edit_one().await;
        let Settled { tally, .. } = self.world.settled(&self.operator, mark, 1).await;
        let of = |figure: &str| format!("one of {caches} caches is edited: {figure}");
        report.figure(of("requests"), each(tally.requests(), 1), "", AtMost(3.0));
        report.detail(of("requests by verb, resource and answer"), tally.to_string());
    }

    /// The operator starts again.
    pub async fn restart(&mut self, program: &Path) -> Restart {
        self.operator.end().await;
        let begun = Instant::now();
        let listed = self.world.kubectl(&["get", "tokencaches", "--all-namespaces", "--no-headers"]).await;
        let kubectl = begun.elapsed();
        assert_eq!(listed.lines().count(), self.world.caches());
        let mark = self.world.mark();
        self.operator = Operator::start(&self.world.setup(program));
        let ready = self.operator.ready().await;
        let settled = self.world.settled(&self.operator, mark, 0).await;
        Restart { caches: self.world.caches(), kubectl, ready, settled, memory: self.operator.memory() }
    }
}

/// What it took the operator to start where all was done.
pub struct Restart {
    caches: usize,
    /// How long `kubectl get tokencaches` took.
    kubectl: Duration,
    /// From its start until it was ready.
    pub ready: Duration,
    pub settled: Settled,
    pub memory: Memory,
}

impl Restart {
    pub fn tell(&self, report: &mut Report) {
        let Self { caches, kubectl, ready, settled: Settled { tally, cpu }, memory } = self;
        let of = |figure: &str| format!("restart with {caches} caches: {figure}");
        let ratio = ready.as_secs_f64() / kubectl.as_secs_f64();
        report.figure(of("until ready, to `kubectl get tokencaches`"), ratio, "", AtMost(3.0));
        report.figure(of("writes"), each(tally.writes(), 1), "", AtMost(0.0));
        report.figure(of("requests for each cache"), each(tally.requests_beside_watches(), *caches), "", AtMost(7.0));
        report.detail(of("requests by verb, resource and answer"), tally.to_string());
        report.figure(of("CPU for each cache"), milliseconds_each(*cpu, *caches), "ms", AtMost(2.0));
        report.figure(of("memory after it"), megabytes(memory.resident), "MB", memory_goal(*caches));
    }
}
