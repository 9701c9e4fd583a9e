//! The walls between the rooms of `src/`: who may import whom, and where the clock, the environment and the like are at home.
//! A failure tells file and line.
//!
//! `rooms` says which module stands where, and what it may import.
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
use rooms::Table;

const ROOMS: &str = include_str!("rooms");

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
fn a_module_imports_what_the_table_of_rooms_lets_it_and_nothing_else() {
    let mut said = String::new();
    for (arrow, places) in TABLE.forbidden(&LIBRARY) {
        let _ = writeln!(said, "forbidden by tests/walls/rooms: {arrow}, at {places:?}");
    }
    assert!(said.is_empty(), "\n{said}");
}

#[test]
fn the_table_names_only_what_there_is() {
    let empty = TABLE.empty(&modules());
    assert!(empty.is_empty(), "tests/walls/rooms: nothing stands in {empty:?}");
}
