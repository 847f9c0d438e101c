//! `cargo xtask …`: what this repository needs done that cargo alone does not do.

mod component;
mod guests;
mod sources;
mod toolchain;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask guests [--ship] [--toolchain NAME]   build interlinkers/* into target/guests; --ship: into interlinkers/dist, too
cargo xtask guests --check                       fail when interlinkers/dist is older than its sources";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["guests", options @ ..] => guests::run(options),
        _ => Err(USAGE.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
