//! The server under test: the command line of `interlink`, in a binary whose path the tests know.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    interlink_api::cli::run(interlink_api::cli::Cli::parse())
}
