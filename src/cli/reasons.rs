//! `tokencache-operator reasons`.

use std::io::{self, Write};

use crate::condition::Reason;

/// The table of all reasons, in Markdown.
#[must_use]
pub fn table() -> String {
    let mut reasons: Vec<(&str, &str, Vec<String>)> =
        Reason::ALL.iter().map(|reason| (reason.as_str(), reason.effect().as_str(), reason.texts())).collect();
    reasons.sort();
    let row = |(name, effect, texts): &(&str, &str, Vec<String>)| {
        let name = if texts.len() > 1 { format!("[`{name}`](#{})", name.to_lowercase()) } else { format!("`{name}`") };
        format!("| {name} | {effect} | {} |\n", texts[0])
    };
    let section = |(name, _, texts): &(&str, &str, Vec<String>)| format!("\n## {name}\n\n{}\n", texts.join("\n\n"));
    let rows: Vec<String> = reasons.iter().map(row).collect();
    let sections: Vec<String> = reasons.iter().filter(|(.., texts)| texts.len() > 1).map(section).collect();
    [HEAD, &rows.concat(), &sections.concat()].concat()
}

const HEAD: &str = "# Reasons

Each condition and each Event of a TokenCache has one of these reasons. `make generate` writes this table from the code.

- **Outage**: applications fail now, or what was asked for is not there yet. A condition that is False for it makes `Ready` False, and one
  that is Unknown for it makes `Ready` Unknown. Its Event is a Warning.
- **Risk**: applications will fail, or may. A condition that is False for it is a warning: it is counted in `status.warnings`, and named in
  `status.warned` (column WARNINGS). Its Event is a Warning. So is a condition that is True and has a reason
  that is no note.
- **Note**: worth knowing. Its Event is Normal.

| reason | effect | what it says |
|---|---|---|
";

pub(super) fn main() -> io::Result<()> {
    io::stdout().write_all(table().as_bytes())
}
