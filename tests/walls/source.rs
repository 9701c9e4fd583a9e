//! Reads the text of a crate: which modules it has, which names each of them imports, and which paths it mentions.
//!
//! In: texts of files. Out: what they say, as written; [`super::graph`] finds out what is meant. What is compiled for tests only
//! is passed over, as are comments.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::Visit;

use super::{item::is_of_tests, reader::Reader};

/// A path as it is written. A leading `::` is the first segment.
pub type Written = Vec<String>;

/// One module, whether it has a file of its own or not.
#[derive(Debug, Default)]
pub struct Module {
    /// From the root on, such as `crate`, `redis`, `acl`.
    pub path: Written,
    pub file: String,
    /// What names of the module stand for: imports, renamed imports, and types that are other types.
    pub aliases: BTreeMap<String, Vec<Written>>,
    /// From where all names are imported.
    pub globs: Vec<Written>,
    /// What is defined here, and the modules in it.
    pub items: BTreeSet<String>,
    pub children: BTreeSet<String>,
    pub mentions: Vec<Mention>,
    /// What stands between quotes, with the line.
    pub texts: Vec<(usize, String)>,
}

/// A path somewhere in a module.
#[derive(Debug)]
pub struct Mention {
    pub line: usize,
    pub path: Written,
    pub kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `use a::b`
    Import,
    /// `use a::*`
    Glob,
    /// A path in a type, an expression, a pattern, an attribute, or the tokens of a macro.
    Path,
    /// `a::b!`
    Macro,
    /// `#[a::b(…)]`, or a word in one.
    Attribute,
}

/// The modules of a crate, from its root file on. `read` has the text of each file.
pub fn modules(root: &str, name: &str, read: &dyn Fn(&str) -> Option<String>) -> Vec<Module> {
    let mut modules = Vec::new();
    let mut files = vec![(root.to_owned(), vec![name.to_owned()])];
    while let Some((file, path)) = files.pop() {
        let text = read(&file).unwrap_or_else(|| panic!("there is no {file}"));
        let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
        if is_of_tests(&parsed.attrs) {
            continue;
        }
        let first = Module { path, file: file.clone(), ..Module::default() };
        let mut reader = Reader::new(first);
        reader.visit_file(&parsed);
        for path in reader.declared {
            files.push((child(&file, &path, read), path));
        }
        modules.extend(reader.modules);
    }
    modules
}

/// The file of a module that is declared in another one.
fn child(file: &str, path: &[String], read: &dyn Fn(&str) -> Option<String>) -> String {
    let name = path.last().map_or("", String::as_str);
    let (folder, own) = file.rsplit_once('/').unwrap_or(("", file));
    let stem = own.strip_suffix(".rs").unwrap_or(own);
    let folder = if matches!(stem, "mod" | "lib" | "main") { folder.to_owned() } else { format!("{folder}/{stem}") };
    let candidates = [format!("{folder}/{name}.rs"), format!("{folder}/{name}/mod.rs")];
    let found = candidates.into_iter().find(|candidate| read(candidate).is_some());
    found.unwrap_or_else(|| panic!("{file} declares mod {name}, and there is no file for it"))
}
