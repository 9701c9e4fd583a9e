//! `tokencache-operator reasons`.

use std::io::{self, Write};

use crate::condition::Reason;

/// The table of all reasons, in Markdown.
#[must_use]
pub fn table() -> String {
    let row = |reason: &Reason| {
        let (name, effect, meaning) = (reason.as_str(), reason.effect().as_str(), reason.meaning());
        format!("| `{name}` | {effect} | {meaning} |\n")
    };
    let mut rows: Vec<String> = Reason::ALL.iter().map(row).collect();
    rows.sort();
    format!("{HEAD}{}", rows.concat())
}

const HEAD: &str = "# Reasons

Each condition and each Event of a TokenCache has one of these reasons. `make generate` writes this table from the code.

- **Outage**: applications fail now, or what was asked for is not there yet. A condition that is False for it makes `Ready` False, and one
  that is Unknown for it makes `Ready` Unknown. Its Event is a Warning.
- **Risk**: applications will fail, or may. A condition that is False for it is a warning: it is counted in `status.warnings`, and named in
  `status.warned` (column WARNINGS) and in the message of `Ready`. Its Event is a Warning. So is a condition that is True and has a reason
  that is no note.
- **Note**: worth knowing. Its Event is Normal.

| reason | effect | what it says |
|---|---|---|
";

pub(super) fn main() -> io::Result<()> {
    io::stdout().write_all(table().as_bytes())
}
