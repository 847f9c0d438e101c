//! `cargo xtask …`: what this repository needs done that cargo alone does not do.

mod component;
mod demo;
mod guests;
mod sources;
mod toolchain;

use std::process::ExitCode;

/// The environment variable by which tests find INTERLINK's published data.
const PUBLISHED_DATA: &str = "INTERLINK_DATA";

const USAGE: &str = "\
cargo xtask demo [--exit]                        a real process from nothing to its end; keeps serving
cargo xtask test                                 run every test
cargo xtask guests [--ship] [--toolchain NAME]   build interlinkers/* into target/guests; --ship: into interlinkers/dist, too
cargo xtask guests --check                       fail when interlinkers/dist is older than its sources";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["guests", options @ ..] => guests::run(options),
        ["demo", options @ ..] => demo::run(options),
        ["test"] => test(),
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

/// Runs every test: the shipped components are those of these sources, guests build, and then the workspace. Published
/// data is read where it lies beside the checkout.
fn test() -> Result<(), Box<dyn std::error::Error>> {
    guests::run(&["--check"])?;
    guests::run(&[])?;
    let mut tests = std::process::Command::new(env!("CARGO"));
    tests.current_dir(guests::workspace_root()).args(["test", "--workspace"]);
    let published = guests::workspace_root().join("../shared/interlink-data").canonicalize();
    match (std::env::var_os(PUBLISHED_DATA), published) {
        (Some(_), _) => {}
        (None, Ok(folder)) => {
            tests.env(PUBLISHED_DATA, folder);
        }
        (None, Err(_)) => println!("{PUBLISHED_DATA} is not set: tests with published data are skipped"),
    }
    if tests.status()?.success() { Ok(()) } else { Err("tests failed".into()) }
}
