//! `tokencache-operator edits`.

use std::io::{self, Write};

use clap::Args;

use crate::api::v1alpha1::{Consequence, EDITS, Edit, edits_chart_template};

#[derive(Debug, Args)]
pub(super) struct EditsArguments {
    /// Print the chart's template that warns of what an edit costs instead.
    #[arg(long)]
    chart: bool,
}

/// The table of all edits, in Markdown.
#[must_use]
pub fn table() -> String {
    let row = |edit: &Edit| format!("| `{}` | {} | {} |\n", edit.field, told(edit.consequence), edit.beside);
    format!("{HEAD}{}", EDITS.iter().map(row).collect::<String>())
}

fn told(consequence: Consequence) -> &'static str {
    match consequence {
        Consequence::Nothing => "nothing",
        Consequence::Running => "changes, and goes on",
        Consequence::Restart => "**restarts**",
        Consequence::RestartUnlessItSuits => "changes, and goes on, while its container suits that; else **restarts**",
        Consequence::Refused => "the API server refuses the edit",
    }
}

const HEAD: &str = "# Edits

What an edit of each field of the spec does to Redis. `make generate` writes this table from the code; tests edit each of them.

A restart replaces the pod: some seconds of outage, and **without `redis.persistence` every entry is lost**, so that users sign in
again. With it the entries come back. Nothing else in the spec empties a cache. Where the chart is installed for all namespaces, the
API server warns of what an edit costs when it is made (value `editWarnings.enabled`).

The container suits `maxMemory` while it has at least a quarter more (with `redis.persistence` half more) and 64Mi, and, without
`redis.persistence`, at most twice what a new one would get. A new one gets half more and 64Mi.

| field of `spec` | Redis | beside |
|---|---|---|
";

pub(super) fn main(arguments: &EditsArguments) -> io::Result<()> {
    let text = if arguments.chart { edits_chart_template() } else { table() };
    io::stdout().write_all(text.as_bytes())
}
