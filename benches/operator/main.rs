//! `make bench`: what the operator costs, on a real API server with its audit log, beside what it would have to cost.
//!
//! Speed is told as the ratio of two measurements of one run, work as counts: both say the same on other machines.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bare;
mod cold;
mod entries;
mod growth;
mod image;
mod machine;
mod operator;
mod report;
mod steady;
mod tally;
mod world;

/// What the tests stand on; not every part of it is used here.
#[allow(dead_code)]
#[path = "../../tests/support"]
mod support {
    pub mod api_server;
    pub mod audit;
    pub mod eventually;
    pub mod faults;
    pub mod plain;
    pub mod process;
    pub mod redis_server;
    pub mod remedies;
    pub mod told;
    pub mod witness;
}

/// A server as the operator sets one up; not every part of it is used here.
#[allow(dead_code)]
#[path = "../../tests/redis/scene.rs"]
mod scene;

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::growth::Point;
use crate::report::Report;
use crate::support::api_server::repository;

/// What to measure; without any, everything, and `docs/benchmarks.md` is written.
#[derive(Parser)]
struct Arguments {
    /// The parts to measure.
    parts: Vec<Part>,
    /// How many `TokenCache`s there are.
    #[arg(long, default_value_t = 1000)]
    caches: usize,
    /// With how many `TokenCache`s growth is measured.
    #[arg(long, value_delimiter = ',', default_value = "1,250,1000,4000")]
    sizes: Vec<usize>,
    /// How many entries there are to be removed.
    #[arg(long, default_value_t = 1_000_000)]
    entries: usize,
    /// Another build of the operator.
    #[arg(long, overrides_with = "operator", default_value = env!("CARGO_BIN_EXE_tokencache-operator"))]
    operator: PathBuf,
    /// What cargo says to a benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// From nothing until every cache has its objects and a status, beside a bare program that only creates the objects.
    Cold,
    /// A minute in which nothing changes.
    Idle,
    /// One cache is edited.
    Edited,
    /// The operator starts again.
    Restart,
    /// Cold start, restart and memory with few and with many caches.
    Growth,
    /// Looks at a server with 100,000 entries.
    Looks,
    /// Entries are told apart, and half of them removed.
    Entries,
    /// The image of a release.
    Image,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    let mut report = Report::default();
    let point = steady_world(&arguments, &mut report).await;
    if arguments.wants(Part::Looks) {
        entries::looked_at(100_000, &mut report).await;
    }
    if arguments.wants(Part::Entries) {
        entries::removed(arguments.entries, &mut report).await;
    }
    if arguments.wants(Part::Growth) {
        growth::measure(&arguments.operator, &arguments.sizes, point, &mut report).await;
    }
    if arguments.wants(Part::Image) {
        image::measure(&mut report);
    }
    if arguments.parts.is_empty() {
        let text = format!("{}\n{}\n## Figures\n\n{report}", include_str!("benchmarks.md"), machine::told().await);
        let folder = repository().join("docs");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("benchmarks.md"), text).unwrap();
    } else {
        println!("{report}");
    }
}

impl Arguments {
    fn wants(&self, part: Part) -> bool {
        self.parts.is_empty() || self.parts.contains(&part)
    }
}

/// The parts that share one world, since it takes long to make.
async fn steady_world(arguments: &Arguments, report: &mut Report) -> Option<Point> {
    if ![Part::Cold, Part::Idle, Part::Edited, Part::Restart].into_iter().any(|part| arguments.wants(part)) {
        return None;
    }
    let mut point = None;
    let mut started = cold::start(&arguments.operator, arguments.caches).await;
    let memory = started.operator.memory();
    if arguments.wants(Part::Cold) {
        started.tell(report);
    }
    if arguments.wants(Part::Idle) {
        started.idle(report).await;
    }
    if arguments.wants(Part::Restart) {
        let restart = started.restart(&arguments.operator).await;
        restart.tell(report);
        point = Some(Point::of(&started, memory, &restart));
    }
    if arguments.wants(Part::Edited) {
        started.edited(report).await;
    }
    if arguments.wants(Part::Cold) {
        started.beside_the_bare_program(report).await;
    }
    point
}
