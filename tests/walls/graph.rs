//! Finds out what the paths of a crate mean: which module of ours, or what of which other crate.
//!
//! In: modules as they are written. Out: for every mention all that it reaches, through renamed imports, globs and re-exports.
//! What is defined where it is used (a local variable, a parameter) means nothing here.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
};

use super::source::{Kind, Mention, Module, Written};

/// The crate by its own name, as its program writes it.
const OWN_NAME: &str = "tokencache_operator";

/// All modules of a crate.
pub struct Graph {
    modules: Vec<Module>,
    by_path: HashMap<Written, usize>,
}

/// What a mention reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    pub place: Place,
    pub to: To,
}

/// Where something stands.
#[derive(Clone, PartialEq, Eq)]
pub struct Place {
    /// The module, without `crate`, such as `redis::acl`.
    pub module: String,
    pub file: String,
    pub line: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum To {
    /// A module of ours, `""` being the root; and through which other one it was reached, if it is re-exported there.
    Module { path: String, through: Option<String> },
    /// Something of another crate, or a name that nothing here defines, such as `kube::Client`, `option_env!` or `String::new`.
    Other { path: String, kind: Kind },
}

impl fmt::Debug for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{} ({})", self.file, self.line, self.module)
    }
}

/// A path from the root of a crate on: ours, where that is `crate`.
type Absolute = Vec<String>;

impl Graph {
    pub fn new(modules: Vec<Module>) -> Self {
        let by_path = modules.iter().enumerate().map(|(index, module)| (module.path.clone(), index)).collect();
        Self { modules, by_path }
    }

    /// The modules, without `crate`, but for the root.
    pub fn paths(&self) -> BTreeSet<String> {
        self.modules.iter().map(|module| joined(&module.path)).filter(|path| !path.is_empty()).collect()
    }

    /// Every text between quotes.
    pub fn texts(&self) -> impl Iterator<Item = (Place, &str)> {
        let of = |module: &Module, line| Place { module: joined(&module.path), file: module.file.clone(), line };
        self.modules
            .iter()
            .flat_map(move |module| module.texts.iter().map(move |(line, text)| (of(module, *line), text.as_str())))
    }

    /// Every mention, as it is written.
    pub fn mentions(&self) -> impl Iterator<Item = (Place, &Mention)> {
        let of = |module: &Module, line| Place { module: joined(&module.path), file: module.file.clone(), line };
        self.modules.iter().flat_map(move |module| module.mentions.iter().map(move |it| (of(module, it.line), it)))
    }

    /// What all mentions reach.
    pub fn reaches(&self) -> Vec<Reach> {
        let mut reaches = Vec::new();
        for module in &self.modules {
            for mention in &module.mentions {
                let place = Place { module: joined(&module.path), file: module.file.clone(), line: mention.line };
                let mut found = Vec::new();
                for path in self.named(module, &mention.path, mention.kind, &mut Vec::new()) {
                    self.follow(&path, mention.kind, None, &mut Vec::new(), &mut found);
                }
                found.dedup();
                reaches.extend(found.into_iter().map(|to| Reach { place: place.clone(), to }));
            }
        }
        reaches
    }

    /// What a path stands for in a module, by its first name.
    fn named(&self, module: &Module, path: &[String], kind: Kind, asked: &mut Vec<String>) -> Vec<Absolute> {
        let [first, rest @ ..] = path else { return Vec::new() };
        let with = |before: &[String]| vec![[before, rest].concat()];
        match first.as_str() {
            "::" => return vec![rest.to_vec()],
            "crate" => return with(&["crate".to_owned()]),
            OWN_NAME if module.path[0] != "crate" => return with(&["crate".to_owned()]),
            "self" if rest.first().is_some_and(|next| next == "super") => return self.named(module, rest, kind, asked),
            "self" => return with(&module.path),
            "super" => {
                let Some(above) = self.above(module) else { return Vec::new() };
                let is_last = !matches!(rest.first().map(String::as_str), Some("super"));
                return if is_last { with(&above.path) } else { self.named(above, rest, kind, asked) };
            }
            _ => {}
        }
        if module.children.contains(first) {
            return vec![[&module.path, path].concat()];
        }
        // `use redis;` imports a crate under its own name.
        let is_asked = asked.contains(first);
        asked.push(first.clone());
        let mut found = Vec::new();
        for alias in module.aliases.get(first).into_iter().flatten().filter(|_| !is_asked) {
            let targets = self.named(module, alias, Kind::Import, asked);
            found.extend(targets.into_iter().map(|target| [target, rest.to_vec()].concat()));
        }
        for glob in module.globs.iter().filter(|_| !is_asked) {
            for target in self.named(module, glob, Kind::Glob, asked) {
                if self.module(&target).is_some_and(|within| self.has(within, first)) {
                    found.push([target.as_slice(), path].concat());
                }
            }
        }
        asked.pop();
        if !found.is_empty() || module.items.contains(first) {
            return found;
        }
        // The name of another crate stands for nothing by itself, but where it is imported.
        let is_of_other_crate = path.len() > 1 || kind != Kind::Path;
        if is_of_other_crate { vec![path.to_vec()] } else { Vec::new() }
    }

    /// Whether a module has something under a name, of its own or imported.
    fn has(&self, module: &Module, name: &String) -> bool {
        module.children.contains(name)
            || module.items.contains(name)
            || module.aliases.contains_key(name)
            || module.globs.iter().any(|glob| {
                let named = self.named(module, glob, Kind::Glob, &mut vec![name.clone()]);
                named.iter().filter_map(|target| self.module(target)).any(|within| {
                    within.path != module.path && (within.items.contains(name) || within.children.contains(name))
                })
            })
    }

    /// Where a path leads, by every module on the way.
    fn follow(
        &self,
        path: &Absolute,
        kind: Kind,
        through: Option<&Module>,
        followed: &mut Vec<Absolute>,
        found: &mut Vec<To>,
    ) {
        if followed.contains(path) {
            return;
        }
        followed.push(path.clone());
        let Some(module) = self.longest(path) else {
            let sign = if kind == Kind::Macro { "!" } else { "" };
            return found.push(To::Other { path: path.join("::") + sign, kind });
        };
        let through = through.map(|module| joined(&module.path));
        found.push(To::Module { path: joined(&module.path), through });
        let rest = &path[module.path.len()..];
        let Some(name) = rest.first() else { return };
        if module.items.contains(name) && !module.aliases.contains_key(name) {
            return;
        }
        if module.aliases.contains_key(name) || !module.globs.is_empty() {
            for target in self.named(module, rest, kind, &mut Vec::new()) {
                // What is defined nowhere here, such as the variant of an enum, is of no other crate.
                let is_ours = target.first().is_some_and(|first| first == "crate");
                if is_ours || target != rest {
                    self.follow(&target, kind, Some(module), followed, found);
                }
            }
        }
    }

    fn module(&self, path: &[String]) -> Option<&Module> {
        self.by_path.get(path).map(|index| &self.modules[*index])
    }

    fn above(&self, module: &Module) -> Option<&Module> {
        self.module(&module.path[..module.path.len() - 1])
    }

    /// The innermost module that a path names, or in which it names something.
    fn longest(&self, path: &[String]) -> Option<&Module> {
        (1..=path.len()).rev().find_map(|length| self.module(&path[..length]))
    }
}

/// A path without the root's name.
fn joined(path: &[String]) -> String {
    let rest = if path.first().is_some_and(|first| first == "crate") { &path[1..] } else { path };
    rest.join("::")
}
