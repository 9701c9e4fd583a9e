//! Who may import whom: the table of rooms, and the arrows between modules that it forbids.
//!
//! In: the table as text, and what the modules of the crate reach. Out: arrows.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::graph::{Graph, Place, To};

/// The rooms, and what each may import.
#[derive(Debug, Default)]
pub struct Table {
    rooms: Vec<Room>,
    /// Which modules stand in which part of which room: by their path, or one of those above it.
    places: BTreeMap<String, Spot>,
}

#[derive(Debug)]
struct Room {
    name: String,
    /// Whether it has no clock, no environment, no randomness, and no input and output.
    is_pure: bool,
    /// Other rooms, and parts of them.
    may: Vec<String>,
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    name: String,
    /// What it may import of other rooms, if that is less than the room may.
    only: Option<Vec<String>>,
}

/// A place in the table: a room, and one of its parts, if it has any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Spot {
    room: usize,
    part: Option<usize>,
}

/// That one module imports another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrow {
    pub from: String,
    pub to: String,
}

impl fmt::Display for Arrow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} -> {}", self.from, self.to)
    }
}

fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let stated = text.lines().enumerate().map(|(index, line)| (index + 1, line.split('#').next().unwrap_or_default()));
    stated.map(|(number, line)| (number, line.trim_end())).filter(|(_, line)| !line.is_empty())
}

impl Table {
    /// Reads a table: a line `room NAME pure may ROOM PART…` for each room, and below it, indented, one for each of its parts: its
    /// name, then perhaps `only …`.
    pub fn read(text: &str) -> Self {
        let mut table = Self::default();
        for (number, line) in lines(text) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let from = |word: &str| {
                let rest = words.iter().skip_while(|it| **it != word).skip(1);
                rest.take_while(|it| !matches!(**it, "may" | "only")).map(|it| (*it).to_owned()).collect::<Vec<_>>()
            };
            let has = |word: &str| words.contains(&word);
            let (name, spot) = if line.starts_with(' ') {
                let index =
                    table.rooms.len().checked_sub(1).unwrap_or_else(|| panic!("line {number}: a part of no room"));
                let room = &mut table.rooms[index];
                let only = has("only").then(|| from("only"));
                room.parts.push(Part { name: words[0].to_owned(), only });
                let own = if words[0] == "mod" { room.name.clone() } else { format!("{}::{}", room.name, words[0]) };
                (own, Spot { room: index, part: Some(room.parts.len() - 1) })
            } else {
                assert!(words[0] == "room" && words.len() > 1, "line {number}: {line:?} is neither a room nor a part");
                table.rooms.push(Room {
                    name: words[1].to_owned(),
                    is_pure: has("pure"),
                    may: from("may"),
                    parts: Vec::new(),
                });
                (words[1].to_owned(), Spot { room: table.rooms.len() - 1, part: None })
            };
            table.places.insert(name, spot);
        }
        table
    }

    /// What a table says that is not so: modules without a place, rooms that are none.
    pub fn errors(&self, modules: &BTreeSet<String>) -> Vec<String> {
        let mut errors = Vec::new();
        for module in modules {
            match self.spot(module) {
                None => errors.push(format!("{module} is in no room")),
                Some(Spot { room, part: None }) if !self.rooms[room].parts.is_empty() => {
                    errors.push(format!("{module} is in no part of the room {}", self.rooms[room].name));
                }
                Some(_) => {}
            }
        }
        for room in &self.rooms {
            for named in room.parts.iter().flat_map(|part| part.only.iter().flatten()).chain(&room.may) {
                if !self.rooms.iter().any(|room| room.is_named(named)) {
                    errors.push(format!("{} may import {named}, which is neither a room nor a part of one", room.name));
                }
            }
        }
        errors
    }

    /// The parts in which nothing stands.
    pub fn empty(&self, modules: &BTreeSet<String>) -> Vec<String> {
        let taken: Vec<Spot> = modules.iter().filter_map(|module| self.spot(module)).collect();
        let spots = self.rooms.iter().enumerate().flat_map(|(room, it)| {
            let parts: Vec<Option<usize>> =
                if it.parts.is_empty() { vec![None] } else { (0..it.parts.len()).map(Some).collect() };
            parts.into_iter().map(move |part| Spot { room, part })
        });
        spots.filter(|spot| !taken.contains(spot)).map(|spot| self.name(spot)).collect()
    }

    /// Where a module stands, such as `kubernetes::read`; the name of its room alone, where that has no parts.
    pub fn place(&self, module: &str) -> Option<String> {
        self.spot(module).map(|spot| self.name(spot))
    }

    /// Whether a module stands in a room that is pure.
    pub fn is_pure(&self, module: &str) -> bool {
        self.spot(module).is_some_and(|spot| self.rooms[spot.room].is_pure)
    }

    /// The arrows that it forbids, each with the places at which it is.
    pub fn forbidden(&self, graph: &Graph) -> BTreeMap<Arrow, Vec<Place>> {
        let mut forbidden = BTreeMap::<Arrow, Vec<Place>>::new();
        for reach in graph.reaches() {
            let To::Module { path, through } = reach.to else { continue };
            // The root has no content of its own, and may import all.
            let (Some(from), Some(to)) = (self.spot(&reach.place.module), self.spot(&path)) else { continue };
            // What a room offers of its own under another name is its own business.
            let offered =
                through.and_then(|through| self.spot(&through)).is_some_and(|through| through.room == to.room);
            if (offered && to.room != from.room) || self.allows(from, to) {
                continue;
            }
            let arrow = Arrow { from: reach.place.module.clone(), to: path };
            let places = forbidden.entry(arrow).or_default();
            if !places.contains(&reach.place) {
                places.push(reach.place);
            }
        }
        forbidden
    }

    fn allows(&self, from: Spot, to: Spot) -> bool {
        if from.room == to.room {
            return to.part <= from.part;
        }
        let room = &self.rooms[from.room];
        let only = from.part.and_then(|part| room.parts[part].only.as_ref());
        let target = &self.rooms[to.room].name;
        only.unwrap_or(&room.may).iter().any(|named| named == target || *named == self.name(to))
    }

    fn spot(&self, module: &str) -> Option<Spot> {
        let mut path = module;
        loop {
            if let Some(spot) = self.places.get(path) {
                // Of a room that has parts, its own file is one of them, and what stands beside it is in none.
                let is_room = self.rooms[spot.room].name == path;
                return Some(if is_room && path != module { Spot { part: None, ..*spot } } else { *spot });
            }
            path = path.rsplit_once("::")?.0;
        }
    }

    fn name(&self, Spot { room, part }: Spot) -> String {
        let room = &self.rooms[room];
        part.map_or_else(|| room.name.clone(), |part| format!("{}::{}", room.name, room.parts[part].name))
    }
}

impl Room {
    fn is_named(&self, name: &str) -> bool {
        name == self.name || self.parts.iter().any(|part| name == format!("{}::{}", self.name, part.name))
    }
}
