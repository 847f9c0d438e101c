//! The `interlink` binary: server and command line.

use clap::Parser;

fn main() -> std::process::ExitCode {
    interlink_api::cli::run(interlink_api::cli::Cli::parse())
}
