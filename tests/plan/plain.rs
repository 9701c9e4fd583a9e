//! Of every message that a snapshot holds.

use std::path::Path;

use crate::support::{plain::assert_plain, remedies::without_cost};

/// Every line of every snapshot.
fn lines() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plan/snapshots");
    let snapshots = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let lines: Vec<String> = snapshots
        .flat_map(|snapshot| {
            let text = std::fs::read_to_string(snapshot).unwrap();
            let (_, text) = text.split_once("\n---\n").unwrap();
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    assert!(lines.len() > 1000, "only {} lines were read", lines.len());
    lines
}

#[test]
fn no_snapshot_holds_what_debug_writes() {
    for line in lines() {
        assert_plain(&line);
    }
}

#[test]
fn every_remedy_says_first_what_it_costs() {
    let found: Vec<String> = lines().iter().filter_map(|line| without_cost(line)).collect();
    assert!(found.is_empty(), "without a cost: {found:#?}");
}
