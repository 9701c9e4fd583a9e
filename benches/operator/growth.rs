//! How cost grows with the number of caches.

use std::path::Path;

use crate::cold::{self, Started};
use crate::operator::Memory;
use crate::report::{Report, each, megabytes, memory_goal, milliseconds_each};
use crate::steady::Restart;
use crate::world::Settled;

/// What was measured with some number of caches.
pub struct Point {
    caches: usize,
    /// By the names of [`ROWS`].
    figures: [f64; ROWS.len()],
}

const ROWS: [&str; 9] = [
    "cold start: requests for each owned object",
    "cold start: owned objects a second",
    "cold start: CPU for each cache, ms",
    "cold start: memory after it, MB",
    "restart: until ready, s",
    "restart: until the last answer, s",
    "restart: requests for each cache",
    "restart: CPU for each cache, ms",
    "restart: memory after it, MB",
];

impl Point {
    /// Of an operator that was started, and started again.
    pub fn of(started: &Started, memory: Memory, restart: &Restart) -> Self {
        let caches = started.world.caches();
        let (Settled { tally, cpu }, again) = (&started.settled, &restart.settled);
        let figures = [
            each(tally.requests(), tally.objects()),
            tally.objects_a_second(),
            milliseconds_each(*cpu, caches),
            megabytes(memory.resident),
            restart.ready.as_secs_f64(),
            again.tally.until_answered().as_secs_f64(),
            each(again.tally.requests_beside_watches(), caches),
            milliseconds_each(again.cpu, caches),
            megabytes(restart.memory.resident),
        ];
        Self { caches, figures }
    }
}

/// Measures with so many caches each, without what was measured `before`; and memory with a quarter more than the last.
pub async fn measure(program: &Path, sizes: &[usize], before: Option<Point>, report: &mut Report) {
    let mut points: Vec<Point> = before.into_iter().filter(|point| sizes.contains(&point.caches)).collect();
    let mut after = None;
    for &size in sizes {
        if points.iter().any(|point| point.caches == size) {
            continue;
        }
        let mut started = cold::start(program, size).await;
        let memory = started.operator.memory();
        let restart = started.restart(program).await;
        points.push(Point::of(&started, memory, &restart));
        if Some(&size) == sizes.last() {
            let (mark, most) = (started.world.mark(), size + size / 4);
            started.world.grow(most).await;
            started.world.settled(&started.operator, mark, most - size).await;
            after = Some((most, megabytes(started.operator.memory().resident)));
        }
    }
    points.sort_by_key(|point| point.caches);
    for (caches, memory) in points.iter().map(|point| (point.caches, point.figures[3])).chain(after) {
        report.figure(format!("memory with {caches} caches"), memory, "MB", memory_goal(caches));
    }
    report.section("How cost grows", table(&points));
}

fn table(points: &[Point]) -> String {
    let row = |name: &str, cell: &dyn Fn(&Point) -> String| {
        let cells: Vec<String> = points.iter().map(cell).collect();
        format!("| {name} | {} |\n", cells.join(" | "))
    };
    let mut text = row("caches", &|point| point.caches.to_string()) + &row("---", &|_| "---".to_owned());
    for (index, name) in ROWS.iter().enumerate() {
        text += &row(name, &|point| format!("{:.2}", point.figures[index]));
    }
    text
}
