//! The command line. Every flag and environment variable is read here and nowhere else.

mod crd;
mod doctor;
pub mod edits;
pub mod reasons;
mod run;

use clap::{Parser, Subcommand};

/// A Kubernetes operator for the token caches of Microsoft.Identity.Web and MSAL.NET applications.
#[derive(Debug, Parser)]
#[command(name = "tokencache-operator")]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the operator until it is told to stop.
    Run(run::RunArguments),
    /// Print the definition of the custom resource.
    Crd(crd::CrdArguments),
    /// Print what each reason of a condition means.
    Reasons,
    /// Print what an edit of each field of the spec does to Redis.
    Edits(edits::EditsArguments),
    /// Look at what a pod has, as an application would.
    Doctor(doctor::DoctorArguments),
}

/// Why the program ended.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// `run` ended.
    #[error(transparent)]
    Run(#[from] run::RunError),
    /// `crd` ended.
    #[error(transparent)]
    Crd(#[from] crd::CrdError),
    /// Standard output is closed.
    #[error("standard output: {0}")]
    Output(#[from] std::io::Error),
    /// `doctor` found something, or found nothing out.
    #[error(transparent)]
    Doctor(#[from] doctor::DoctorError),
}

/// Does what the command line says.
///
/// # Errors
/// What kept it from being done.
pub fn main(arguments: Arguments) -> Result<(), CliError> {
    match arguments.command {
        Command::Run(arguments) => Ok(run::main(&arguments)?),
        Command::Crd(arguments) => Ok(crd::main(&arguments)?),
        Command::Reasons => Ok(reasons::main()?),
        Command::Edits(arguments) => Ok(edits::main(&arguments)?),
        Command::Doctor(arguments) => Ok(doctor::main(&arguments)?),
    }
}
