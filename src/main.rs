//! The door: reads the command line and does what it says.

use std::process::ExitCode;

use clap::Parser;
use tokencache_operator::cli;

fn main() -> ExitCode {
    // Without a provider every TLS configuration that names none would panic. A second call changes nothing.
    let _installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match cli::main(cli::Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tokencache-operator: {error}");
            ExitCode::FAILURE
        }
    }
}
