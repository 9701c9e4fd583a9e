//! Tests of these tests: on small crates, a forbidden import of each form is seen, and what is none is not.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    graph::Graph,
    homes::named,
    rooms::{Arrow, Table},
    source,
};

const TABLE: &str = "
room low
room high may low     # and nothing else
room between may low high
room far may between
room deep may low high::second
  first
  second
  third  only low
  mod
";

/// A crate of these files, beside those that every one has here.
fn graph(files: &[(&str, &str)]) -> Graph {
    let rooms = "pub mod low; pub mod high; pub mod between; pub mod far; pub mod deep;";
    let mut all = BTreeMap::from([
        ("src/lib.rs", rooms),
        ("src/low.rs", ""),
        (
            "src/high.rs",
            "pub struct Thing; pub enum Choice { One } pub mod part { pub struct Inner; pub fn call() {} }",
        ),
        ("src/between.rs", "pub use crate::high::Thing as Passed; pub use crate::high::part::*; pub struct Own;"),
        ("src/far.rs", ""),
        (
            "src/deep/mod.rs",
            "pub mod first; pub mod second; pub mod third; pub use self::first::First; pub struct Door;",
        ),
        ("src/deep/first.rs", "pub struct First;"),
        ("src/deep/second.rs", ""),
        ("src/deep/third.rs", ""),
    ]);
    all.extend(files.iter().copied());
    Graph::new(source::modules("src/lib.rs", "crate", &|file| all.get(file).map(|text| (*text).to_owned())))
}

fn forbidden(file: &str, text: &str) -> Vec<String> {
    Table::read(TABLE).forbidden(&graph(&[(file, text)])).keys().map(ToString::to_string).collect()
}

#[test]
fn a_forbidden_import_is_seen_in_each_form() {
    for text in [
        "use crate::high;",
        "use crate::high::Thing;",
        "use crate::high::Thing as Other;",
        "use crate::high::*;",
        "use crate::high::{self, Choice};",
        "use crate::{high::{Thing, Choice::{self, One}}};",
        "use {crate::{self as us, high::Choice::*}};",
        "use crate as us; use us::high::Thing;",
        "use crate as us; fn f() { us::high::f() }",
        "use crate::*; fn f() { high::f() }",
        "extern crate self as us; fn f(_: us::high::Thing) {}",
        "use super::high::Thing;",
        "use self::super::high::Thing;",
        "use super::*; fn f(_: high::Thing) {}",
        "mod inner { use super::super::high::Thing; }",
        "mod inner { mod inmost { fn f(_: super::super::super::high::Thing) {} } }",
        "pub use crate::high::Thing;",
        "pub(crate) use crate::high as renamed;",
        "fn f() { use crate::high::Thing; }",
        "fn f(_: crate::high::Thing) {}",
        "fn f() -> Option<Vec<crate::high::Thing>> { None }",
        "fn f() { crate::high::part::call() }",
        "fn f() { let f = crate::high::part::call; }",
        "fn f<T: crate::high::Trait>() {}",
        "fn f<T>() where T: Into<crate::high::Thing> {}",
        "fn f(_: &dyn crate::high::Trait) {}",
        "fn f(it: u8) { match it { crate::high::ONE => {} _ => {} } }",
        "fn f() { if let crate::high::Choice::One = it {} }",
        "fn f() { crate::high::Thing { a: 1 }; }",
        "struct Mine(crate::high::Thing);",
        "struct Mine { #[cfg(feature = \"x\")] it: crate::high::Thing }",
        "enum Mine { It(crate::high::Thing) }",
        "type Mine = crate::high::Thing;",
        "const MINE: crate::high::Thing = 1;",
        "static MINE: u8 = crate::high::ONE;",
        "impl crate::high::Trait for Mine {}",
        "impl Mine { fn f() { crate::high::f() } }",
        "trait Mine: crate::high::Trait { fn f() { crate::high::f() } }",
        "fn f() { <crate::high::Thing>::new() }",
        "fn f() { <crate::high::Thing as Default>::default() }",
        "fn f() { <u8 as crate::high::Trait>::f() }",
        "fn f() { let _ = || async { crate::high::f().await }; }",
        "fn f() { vec![1, crate::high::ONE] }",
        "fn f() { format!(\"{}\", g(&crate::high::ONE)) }",
        "fn f() { assert!(matches!(it, crate::high::Choice::One)) }",
        "macro_rules! mine { () => { $crate::high::f() } }",
        "macro_rules! mine { () => { use crate::{high::{Thing}}; } }",
        "fn f() { crate::high::mine!() }",
        "#[derive(crate::high::Mine)] struct Mine;",
        "#[serde(with = \"crate::high\")] struct Mine;",
        "struct Mine { #[serde(default = \"crate::high::f\")] it: u8 }",
        "#[crate::high::mine] fn f() {}",
        "#[cfg(not(test))] use crate::high::Thing;",
        "#[cfg(any(test, feature = \"x\"))] use crate::high::Thing;",
    ] {
        let seen = forbidden("src/low.rs", text);
        assert!(seen.iter().any(|arrow| arrow.contains(" -> high")), "{text}: {seen:?}");
    }
}

#[test]
fn the_table_of_this_source_forbids_what_it_is_there_for() {
    let planted = [
        ("src/api/mod.rs", "api", "redis::settings"),
        ("src/condition/mod.rs", "condition", "data_protection"),
        ("src/kubernetes/mod.rs", "kubernetes", "api::v1alpha1"),
        ("src/data_protection/mod.rs", "data_protection", "redis"),
        ("src/redis/mod.rs", "redis", "controller"),
        ("src/telemetry/mod.rs", "telemetry", "controller"),
    ];
    let read = |file: &str| {
        let text = super::read(file)?;
        let Some((_, _, to)) = planted.iter().find(|(planted, ..)| *planted == file) else { return Some(text) };
        let (room, rest) = to.split_once("::").unwrap_or((to, "*"));
        Some(format!("{text}\nuse crate::{{{room}::{{{rest}}}}};"))
    };
    let forbidden = super::TABLE.forbidden(&Graph::new(source::modules("src/lib.rs", "crate", &read)));
    for (_, from, to) in planted {
        let arrow = Arrow { from: from.to_owned(), to: to.to_owned() };
        assert!(forbidden.contains_key(&arrow), "{arrow}");
    }
}

#[test]
fn what_is_no_import_is_not_taken_for_one() {
    for text in [
        "// use crate::high::Thing;",
        "//! See [`crate::high`].\n/// And [`crate::high::Thing`].\nfn f() {}",
        "/* crate::high::f() */",
        "fn f() -> &'static str { \"crate::high::Thing\" }",
        "#[cfg(test)] use crate::high::Thing;",
        "#![cfg(test)] use crate::high::Thing;",
        "#[cfg(test)] mod tests { use crate::high::Thing; fn f() { crate::high::f() } }",
        "#[cfg(all(test, feature = \"x\"))] fn f(_: crate::high::Thing) {}",
        "struct Mine; impl Mine { #[cfg(test)] fn f() { crate::high::f() } }",
        "fn f() { #[cfg(test)] let it = crate::high::f(); }",
        "struct Mine { #[cfg(test)] it: crate::high::Thing }",
        "#[test] fn f() { crate::high::f() }",
        "#[cfg_attr(test, derive(crate::high::Mine))] struct Mine;",
        "pub(in crate::high) fn f() {}",
        "fn f(high: u8) { let it = high; g!(high, it.high) }",
        "use high::Thing;",
        "use ::high::Thing;",
        "mod high { pub struct Thing; } use self::high::Thing; fn f() { high::f() }",
        "enum Own { High } use self::Own::*;",
    ] {
        assert_eq!(forbidden("src/low.rs", text), [""; 0], "{text}");
    }
}

#[test]
fn a_module_in_a_file_of_its_own_is_read_unless_it_is_of_tests() {
    let files = [("src/low/inner.rs", "use super::super::high;"), ("src/low.rs", "mod inner; #[cfg(test)] mod tests;")];
    let arrows = Table::read(TABLE).forbidden(&graph(&files));
    assert_eq!(arrows.keys().map(ToString::to_string).collect::<Vec<_>>(), ["low::inner -> high"]);
    let place = format!("{:?}", arrows.values().next().unwrap());
    assert_eq!(place, "[src/low/inner.rs:1 (low::inner)]");
}

#[test]
fn what_another_room_passes_on_is_still_whose_it_was() {
    for (text, to) in [
        ("use crate::between::Passed;", "high"),
        ("use crate::between as b; fn f(_: b::Passed) {}", "high"),
        ("use crate::between::Inner;", "high::part"),
        ("use crate::between::*; fn f(_: Inner) {}", "high::part"),
    ] {
        assert!(forbidden("src/far.rs", text).contains(&format!("far -> {to}")), "{text}");
    }
    assert_eq!(forbidden("src/far.rs", "use crate::between::Own;"), [""; 0]);
}

#[test]
fn within_a_room_a_part_imports_those_above_it_only() {
    let of_second = |text| forbidden("src/deep/second.rs", text);
    assert_eq!(of_second("use super::first::First;"), [""; 0]);
    assert_eq!(of_second("use super::third;"), ["deep::second -> deep::third"]);
    assert_eq!(of_second("use super::Door;"), ["deep::second -> deep"]);
    assert_eq!(of_second("use super::First;"), ["deep::second -> deep"], "it passes by what is below");
    assert_eq!(forbidden("src/deep/first.rs", "use crate::deep::second;"), ["deep::first -> deep::second"]);
    assert_eq!(forbidden("src/deep/mod.rs", "pub mod first; pub mod second; pub mod third; use third;"), [""; 0]);
}

#[test]
fn a_room_or_a_part_may_import_what_is_said_of_it() {
    assert_eq!(forbidden("src/between.rs", "use crate::{low, high};"), [""; 0]);
    assert_eq!(forbidden("src/high.rs", "use crate::between;"), ["high -> between"]);
    assert_eq!(forbidden("src/deep/first.rs", "use crate::{low, high};"), ["deep::first -> high"], "a part of it only");
    let only = "use crate::{low, between};";
    assert_eq!(forbidden("src/deep/third.rs", only), ["deep::third -> between"]);
    let door = "room deep\n  inner\n  mod\nroom user may deep::mod";
    let modules = |text: &'static str| {
        let files = BTreeMap::from([
            ("src/lib.rs", "mod deep; mod user;"),
            ("src/deep/mod.rs", "pub mod inner; pub use self::inner::Offered;"),
            ("src/deep/inner.rs", "pub struct Offered;"),
            ("src/user.rs", text),
        ]);
        Graph::new(source::modules("src/lib.rs", "crate", &|file| files.get(file).map(|text| (*text).to_owned())))
    };
    let through_the_door = Table::read(door).forbidden(&modules("use crate::deep::Offered;"));
    assert!(through_the_door.is_empty(), "{through_the_door:?}");
    assert_eq!(Table::read(door).forbidden(&modules("use crate::deep::inner::Offered;")).len(), 1);
}

#[test]
fn a_table_that_does_not_fit_the_source_is_told() {
    let modules: BTreeSet<String> = ["low", "deep", "deep::first", "deep::stray", "nowhere"].map(str::to_owned).into();
    let table = Table::read("room low may gone\nroom deep may low\n  first\n  later\n  mod");
    assert_eq!(
        table.errors(&modules),
        [
            "deep::stray is in no part of the room deep",
            "nowhere is in no room",
            "low may import gone, which is neither a room nor a part of one",
        ]
    );
    assert_eq!(table.empty(&modules), ["deep::later"]);
}

#[test]
fn a_name_that_has_one_home_is_seen_however_it_is_imported() {
    let clocks = ["jiff::Timestamp::now", "std::time::SystemTime", "tokio::time::sleep", "option_env!"];
    for text in [
        "fn f() { jiff::Timestamp::now() }",
        "use jiff::Timestamp; fn f() { Timestamp::now() }",
        "use jiff::Timestamp as T; fn f() { let clock = T::now; }",
        "use jiff as j; fn f() { <j::Timestamp>::now() }",
        "use jiff::*; fn f() {}",
        "type T = jiff::Timestamp; fn f() { T::now() }",
        "use super::high::T; fn f() { T::now() }",
        "fn f() { g!(jiff::Timestamp::now()) }",
        "use std::{time::{self, Duration}}; fn f() { time::SystemTime::now() }",
        "use ::std::time::SystemTime;",
        "use tokio::time; async fn f() { time::sleep(it).await }",
        "use tokio::{time::sleep as wait};",
        "async fn f() { tokio::select! { () = tokio::time::sleep(it) => {} } }",
        "fn f() { option_env!(\"HOME\") }",
        "fn f() { g!(option_env!(\"HOME\")) }",
    ] {
        let graph = graph(&[("src/low.rs", text), ("src/high.rs", "pub use jiff::Timestamp as T;")]);
        let seen = named(&graph, &clocks);
        assert!(seen.iter().any(|(place, _)| place.module == "low"), "{text}: {seen:?}");
    }
    for text in [
        "use jiff::Timestamp; fn f(now: Timestamp) { now.now() }",
        "use tokio::time::{Duration, timeout};",
        "struct Timestamp; impl Timestamp { fn now() {} } fn f() { Timestamp::now() }",
        "fn f(sleep: u8) { sleep }",
        "mod jiff { pub struct Timestamp; } fn f() { jiff::Timestamp::now() }",
        "// jiff::Timestamp::now()\nfn f() { \"tokio::time::sleep\" }",
        "#[cfg(test)] mod tests { use std::time::SystemTime; }",
    ] {
        assert_eq!(named(&graph(&[("src/low.rs", text)]), &clocks), [], "{text}");
    }
}
