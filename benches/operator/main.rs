//! `make bench`: what the operator costs, on a real API server with its audit log, beside what it would have to cost.
//!
//! Speed is told as the ratio of two measurements of one run, work as counts: both say the same on other machines.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bare;
mod cold;
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
    pub mod process;
}

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::report::Report;

/// What to measure; without any, everything.
#[derive(Parser)]
struct Arguments {
    /// The parts to measure.
    parts: Vec<Part>,
    /// How many `TokenCache`s there are.
    #[arg(long, default_value_t = 1000)]
    caches: usize,
    /// Another build of the operator.
    #[arg(long, default_value = env!("CARGO_BIN_EXE_tokencache-operator"))]
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
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    let mut report = Report::default();
    steady_world(&arguments, &mut report).await;
    println!("{report}");
}

impl Arguments {
    fn wants(&self, part: Part) -> bool {
        self.parts.is_empty() || self.parts.contains(&part)
    }
}

/// The parts that share one world, since it takes long to make.
async fn steady_world(arguments: &Arguments, report: &mut Report) {
    if ![Part::Cold, Part::Idle, Part::Edited, Part::Restart].into_iter().any(|part| arguments.wants(part)) {
        return;
    }
    let mut started = cold::start(&arguments.operator, arguments.caches).await;
    if arguments.wants(Part::Cold) {
        started.tell(report);
    }
    if arguments.wants(Part::Idle) {
        started.idle(report).await;
    }
    if arguments.wants(Part::Restart) {
        started.restart(&arguments.operator, report).await;
    }
    if arguments.wants(Part::Edited) {
        started.edited(report).await;
    }
    if arguments.wants(Part::Cold) {
        started.beside_the_bare_program(report).await;
    }
}
