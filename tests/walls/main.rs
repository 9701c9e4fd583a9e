//! The walls between the rooms of `src/`: who may import whom, and where the clock, the environment and the like are at home.
//! A failure tells file and line.
//!
//! `rooms` says which module stands where, and what it may import. `arrows` lists what the table forbids and the source still
//! does: an arrow that is gone leaves the list, and none is added.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod graph;
mod homes;
mod item;
mod proof;
mod reader;
mod rooms;
mod source;

use std::{collections::BTreeSet, fmt::Write as _, path::Path, sync::LazyLock};

use graph::Graph;
use rooms::{Arrow, Table};

const ROOMS: &str = include_str!("rooms");
const ARROWS: &str = include_str!("arrows");

static LIBRARY: LazyLock<Graph> = LazyLock::new(|| {
    let modules =
        [("src/lib.rs", "crate"), ("src/main.rs", "main")].map(|(root, name)| source::modules(root, name, &read));
    let graph = Graph::new(modules.into_iter().flatten().collect());
    assert!(graph.paths().len() > 100, "only these modules were found: {:?}", graph.paths());
    graph
});

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::read(ROOMS));

fn read(file: &str) -> Option<String> {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).ok()
}

/// The modules of the library.
fn modules() -> BTreeSet<String> {
    LIBRARY.paths().into_iter().filter(|module| module != "main").collect()
}

#[test]
fn every_module_has_a_place_in_the_table_of_rooms() {
    let errors = TABLE.errors(&modules());
    assert!(errors.is_empty(), "tests/walls/rooms: {errors:#?}");
}

#[test]
fn a_module_imports_what_the_table_of_rooms_lets_it_and_what_is_left_of_before_only_shrinks() {
    let (known, now) = (Arrow::listed(ARROWS), TABLE.forbidden(&LIBRARY));
    let mut said = String::new();
    for (arrow, places) in now.iter().filter(|(arrow, _)| !known.contains(arrow)) {
        let _ = writeln!(said, "forbidden by tests/walls/rooms: {arrow}, at {places:?}");
    }
    for arrow in known.iter().filter(|arrow| !now.contains_key(arrow)) {
        let _ = writeln!(said, "gone, so take it out of tests/walls/arrows: {arrow}");
    }
    assert!(said.is_empty(), "\n{said}");
}

#[test]
fn once_nothing_is_left_of_before_the_table_names_only_what_there_is() {
    let empty = TABLE.empty(&modules());
    assert!(!Arrow::listed(ARROWS).is_empty() || empty.is_empty(), "tests/walls/rooms: nothing stands in {empty:?}");
}
