//! `cargo xtask …`: what this repository needs done that cargo alone does not do.

mod bench;
mod demo;
mod fuzz;
mod guests;
mod sources;
mod strace;

use std::process::ExitCode;

/// The environment variable by which tests find INTERLINK's published data.
const PUBLISHED_DATA: &str = "INTERLINK_DATA";

const USAGE: &str = "\
cargo xtask demo [--exit]                        a real process from nothing to its end; keeps serving
cargo xtask test                                 run every test
cargo xtask bench [--short | --full]             the numbers of this machine, an Interlinker of each language included
cargo xtask fuzz [TARGET…] [--seconds N]         hostile bytes for every reader, led by coverage; a minute each
cargo xtask simulate [--seeds N] [--first S]     the runtime on a simulated clock, scheduler and journal: N orders of events
cargo xtask guests [--ship] [--toolchain NAME]   build interlinkers/* into target/guests; --ship: into interlinkers/dist, too
cargo xtask guests --check                       fail when interlinkers/dist is older than its sources";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["guests", options @ ..] => guests::run(options),
        ["demo", options @ ..] => demo::run(options),
        ["test"] => test(),
        ["bench", options @ ..] => bench::run(options),
        ["fuzz", options @ ..] => fuzz::run(options),
        ["simulate", options @ ..] => simulate(options),
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

/// Runs the simulation, optimised, over as many seeds as are asked for. One that fails is printed with the command that
/// makes it fail again.
fn simulate(options: &[&str]) -> Result<(), Box<dyn std::error::Error>> {
    let (mut seeds, mut first) = ("10000", "1");
    let mut rest = options;
    while let [name, value, more @ ..] = rest {
        match *name {
            "--seeds" => seeds = value,
            "--first" => first = value,
            _ => return Err(USAGE.into()),
        }
        rest = more;
    }
    if !rest.is_empty() || seeds.parse::<u64>().is_err() || first.parse::<u64>().is_err() {
        return Err(USAGE.into());
    }
    let mut tests = std::process::Command::new(env!("CARGO"));
    tests.current_dir(guests::workspace_root()).env("SIMULATE_SEEDS", seeds).env("SIMULATE_FIRST", first);
    tests.args([
        "test",
        "--release",
        "-p",
        "interlink-runtime",
        "--test",
        "engine",
        "simulation::whatever",
        "--",
        "--nocapture",
    ]);
    if tests.status()?.success() { Ok(()) } else { Err("a seed failed".into()) }
}

/// Runs every test: the shipped components are those of these sources, guests build, then the workspace, and then the fuzzer
/// for a moment. Published data is read where it lies beside the checkout.
fn test() -> Result<(), Box<dyn std::error::Error>> {
    guests::run(&["--check"])?;
    guests::run(&[])?;
    strace::set_up();
    let mut tests = std::process::Command::new(env!("CARGO"));
    tests.current_dir(guests::workspace_root()).args(["test", "--workspace", "--no-fail-fast"]);
    let published = guests::workspace_root().join("../shared/interlink-data").canonicalize();
    match (std::env::var_os(PUBLISHED_DATA), published) {
        (Some(_), _) => {}
        (None, Ok(folder)) => {
            tests.env(PUBLISHED_DATA, folder);
        }
        (None, Err(_)) => println!("{PUBLISHED_DATA} is not set: tests with published data are skipped"),
    }
    if !tests.status()?.success() {
        return Err("tests failed".into());
    }
    fuzz::test()
}
