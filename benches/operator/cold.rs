//! Cold start: caches are there, and nothing else.

use std::path::Path;

use crate::bare;
use crate::operator::Operator;
use crate::report::Goal::{self, AtLeast, AtMost};
use crate::report::{Report, each, megabytes, memory_goal, milliseconds_each};
use crate::world::{Settled, World};

/// A world whose caches have all that they need, and the operator that saw to it.
pub struct Started {
    pub world: World,
    pub operator: Operator,
    pub settled: Settled,
}

/// Starts the operator in a new world of so many caches, and waits until nothing is left to do.
pub async fn start(program: &Path, caches: usize) -> Started {
    let world = World::with(caches).await;
    let mark = world.mark();
    let operator = Operator::start(&world.setup(program));
    let settled = world.settled(&operator, mark, caches).await;
    world.check_statuses().await;
    Started { world, operator, settled }
}

impl Started {
    /// What the start cost.
    pub fn tell(&self, report: &mut Report) {
        let caches = self.world.caches();
        let Settled { tally, cpu } = &self.settled;
        let memory = self.operator.memory();
        let of = |figure: &str| format!("cold start of {caches} caches: {figure}");
        let made = tally.created.iter().map(|(kind, count)| format!("{count:>8}  {}\n", kind.resource));
        report.detail(of("requests by verb, resource and answer"), tally.to_string());
        report.detail(of("what was made"), made.collect::<String>());
        report.figure(of("requests for each owned object"), each(tally.requests(), tally.objects()), "", AtMost(1.35));
        report.figure(of("CPU for each cache"), milliseconds_each(*cpu, caches), "ms", AtMost(8.0));
        report.figure(of("memory after it"), megabytes(memory.resident), "MB", memory_goal(caches));
        report.figure(of("memory at most"), megabytes(memory.peak), "MB", Goal::None);
        report.figure(of("until the last object"), tally.until_created().as_secs_f64(), "s", Goal::None);
        report.figure(of("until the last answer"), tally.until_answered().as_secs_f64(), "s", Goal::None);
    }

    /// Ends this world, and sees how quick the bare program is in another.
    pub async fn beside_the_bare_program(self, report: &mut Report) {
        let Self { world, operator, settled: Settled { tally, cpu: of_operator } } = self;
        let caches = world.caches();
        let objects = world.owned(tally.created.keys()).await;
        assert_eq!(objects.len(), tally.objects(), "objects that are there, and creations in the audit log");
        let bytes = objects.iter().map(|(_, object)| serde_json::to_vec(object).unwrap().len()).sum();
        drop((operator, world));
        let (bare, cpu) = bare::create(caches, objects).await;
        let of = |figure: &str| format!("the bare program's {} objects: {figure}", bare.objects());
        report.figure("JSON of the objects of a cache", each(bytes, caches) / 1000.0, "kB", Goal::None);
        report.figure(of("CPU for each cache"), milliseconds_each(cpu, caches), "ms", Goal::None);
        let times = of_operator.as_secs_f64() / cpu.as_secs_f64();
        report.figure("CPU of a cold start, the operator to the bare program", times, "", Goal::None);
        report.figure(of("until the last object"), bare.until_created().as_secs_f64(), "s", Goal::None);
        let ratio = tally.objects_a_second() / bare.objects_a_second();
        report.figure("objects a second, the operator to the bare program", ratio, "", AtLeast(0.7));
    }
}
