//! The log, on standard error.

use std::{io::IsTerminal, str::FromStr};

use tracing_subscriber::{EnvFilter, filter::Directive};

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// A JSON object a line.
    Json,
    /// For people.
    Text,
}

/// Starts the log. `filter` is in the form of the `tracing-subscriber` crate, such as `info,kube=debug`.
///
/// # Errors
/// Where the filter cannot be read.
pub fn start(format: LogFormat, filter: &str) -> Result<(), tracing_subscriber::filter::ParseError> {
    // Where it cannot read an answer, the client warns with all of it, and it may be a Secret's. Where it gets none, whoever has
    // asked says so.
    let filter = EnvFilter::try_new(filter)?.add_directive(Directive::from_str("kube_client::client=off")?);
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Json => lines.json().flatten_event(true).init(),
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).init(),
    }
    Ok(())
}
