//! Holds a server to the boundary of Interlinkers.

use std::process::ExitCode;

use clap::Parser;
use interlink_conformance::Options;

fn main() -> ExitCode {
    match Options::parse().run(&mut std::io::stdout()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
