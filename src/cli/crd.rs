//! `tokencache-operator crd`.

use std::io::{self, Write};

use clap::Args;

use crate::api::v1alpha1::{crd_chart_template, crd_yaml};

#[derive(Debug, Args)]
pub struct CrdArguments {
    /// Print it as the chart's template instead.
    #[arg(long)]
    chart: bool,
}

/// Why the definition was not printed.
#[derive(Debug, thiserror::Error)]
pub enum CrdError {
    /// It cannot be written as YAML.
    #[error("the definition cannot be written as YAML: {0}")]
    Yaml(#[from] serde_yaml::Error),
    /// Standard output is closed.
    #[error("standard output: {0}")]
    Output(#[from] io::Error),
}

pub fn main(arguments: &CrdArguments) -> Result<(), CrdError> {
    let text = if arguments.chart { crd_chart_template()? } else { crd_yaml()? };
    Ok(io::stdout().write_all(text.as_bytes())?)
}
