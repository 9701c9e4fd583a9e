//! Of every message that a snapshot holds.

use std::path::Path;

use crate::support::plain::assert_plain;

#[test]
fn no_snapshot_holds_what_debug_writes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plan/snapshots");
    let snapshots = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut lines = 0;
    for snapshot in snapshots {
        let text = std::fs::read_to_string(snapshot).unwrap();
        let (_, text) = text.split_once("\n---\n").unwrap();
        lines += text.lines().inspect(|line| assert_plain(line)).count();
    }
    assert!(lines > 1000, "only {lines} lines were read");
}
