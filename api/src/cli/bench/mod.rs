//! `interlink bench`: the numbers, on this machine, in one run.
//!
//! Durable commands are measured beside the least that could be done: an append-only file of 300-byte records with one
//! shared `fdatasync`, driven by the same number of writers. Figures of two machines compare badly; the ratio in one run
//! compares well.

mod calls;
mod commands;
mod disk;
mod engine;
mod guests;
mod killed;
mod long;
mod measured;
mod pressure;
mod report;
mod scale;
mod timers;
mod town;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::Value;

use self::report::Report;
use super::Output;

/// Writers that are measured.
const WRITERS: [usize; 4] = [1, 16, 64, 256];
/// Processes with which start-up and commands are measured.
const SCALES: [usize; 2] = [10_000, 100_000];
/// The same, with `--full`.
const SCALE_FULL: usize = 1_000_000;
/// Events of the long process.
const EVENTS: usize = 100_000;
/// The same, with `--full`.
const EVENTS_FULL: usize = 1_000_000;

/// What is measured.
#[derive(Debug, Args)]
pub struct Bench {
    /// Seconds for each figure of durable commands, and of the load under which a server is killed.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Where to write; a directory of its own below it is made and removed.
    #[arg(long, default_value = ".")]
    directory: PathBuf,
    /// Leaves out the measurements with many processes and long histories.
    #[arg(long)]
    short: bool,
    /// Measures with a million processes and a million events as well, and kills a server under load.
    #[arg(long, conflicts_with = "short")]
    full: bool,
    /// Measures these Interlinkers as well: components that offer the actions `fill` and `touch` (`cargo xtask bench`).
    #[arg(long = "guest")]
    guests: Vec<PathBuf>,
    /// Measures nothing but those Interlinkers, beside a file.
    #[arg(long, requires = "guests")]
    only_guests: bool,
    /// Does one part in the directory itself, and prints JSON: what is looked at is looked at in a process of its own.
    #[arg(long, hide = true, requires = "count")]
    part: Option<Part>,
    /// How many, of a part.
    #[arg(long, hide = true)]
    count: Option<usize>,
}

/// What a process of its own does.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Part {
    MakeMany,
    LookAtMany,
    MakeLong,
    LookAtLong,
    Guest,
    Pressure,
}

type Outcome<T> = Result<T, String>;

/// A directory that is removed afterwards.
struct Place(PathBuf);

impl Place {
    fn new(below: &Path, name: &str) -> Outcome<Self> {
        let path = below.join(format!("interlink-bench-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What cannot be removed is named after the bench.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Measures.
pub fn run(bench: &Bench, output: Output) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    if let (Some(part), Some(count)) = (bench.part, bench.count) {
        println!("{}", runtime.block_on(one_part(part, bench, count))?);
        return Ok(());
    }
    let length = Duration::from_secs(bench.seconds);
    let place = |name| Place::new(&bench.directory, name);
    let mut guests = Vec::new();
    for file in &bench.guests {
        let in_its_own = |part| in_a_process_of_its_own(&place("guest")?.0, part, 0, Some(file.as_path()));
        let mut guest = in_its_own(Part::Guest)?;
        guest["pressure"] = in_its_own(Part::Pressure)?;
        guests.push(guest);
    }
    if bench.only_guests {
        let file = runtime.block_on(commands::raw_file(&place("file")?.0, 1, length))?;
        report::print_guests(&guests, file, output);
        return Ok(());
    }
    let mut commands = Vec::new();
    for writers in WRITERS {
        let raw = runtime.block_on(commands::raw_file(&place("file")?.0, writers, length))?;
        let ours = runtime.block_on(commands::durable_commands(&place("engine")?.0, writers, length))?;
        commands.push((writers, ours, raw));
    }
    let calls = runtime.block_on(calls::interlinker_calls(&place("calls")?.0))?;
    let disk = runtime.block_on(disk::bytes_on_disk(&place("disk")?.0))?;
    let timers = runtime.block_on(timers::timers(&place("timers")?.0))?;
    let (mut scales, mut long) = (Vec::new(), Vec::new());
    if !bench.short {
        for processes in SCALES.into_iter().chain(bench.full.then_some(SCALE_FULL)) {
            scales.push(made_and_looked_at(bench, Part::MakeMany, Part::LookAtMany, processes)?);
        }
        for events in [EVENTS].into_iter().chain(bench.full.then_some(EVENTS_FULL)) {
            long.push(made_and_looked_at(bench, Part::MakeLong, Part::LookAtLong, events)?);
        }
    }
    let killed = bench.full.then(|| killed::killed(&place("killed")?.0, length)).transpose()?;
    Report { commands, calls, guests, disk, timers, scales, long, killed }.print(output);
    Ok(())
}

async fn one_part(part: Part, bench: &Bench, count: usize) -> Outcome<Value> {
    let place = &bench.directory;
    match part {
        Part::MakeMany => scale::make(place, count).await,
        Part::LookAtMany => scale::look(place, count).await,
        Part::MakeLong => long::make(place, count).await,
        Part::LookAtLong => long::look(place).await,
        Part::Pressure => {
            let file = bench.guests.first().ok_or("pressure is measured with a file")?;
            Ok(pressure::pressure(place, file).await?.unwrap_or_default())
        }
        Part::Guest => {
            let file = bench.guests.first().ok_or("a guest is measured of a file")?;
            Ok(guests::guest(place, file).await?.json())
        }
    }
}

/// Makes something in one process and looks at it in another, so that the memory of the second is its own.
fn made_and_looked_at(bench: &Bench, make: Part, look: Part, count: usize) -> Outcome<Value> {
    let place = Place::new(&bench.directory, "part")?;
    let made = in_a_process_of_its_own(&place.0, make, count, None)?;
    let mut looked = in_a_process_of_its_own(&place.0, look, count, None)?;
    looked["made_per_second"] = made["made_per_second"].clone();
    Ok(looked)
}

fn in_a_process_of_its_own(place: &Path, part: Part, count: usize, guest: Option<&Path>) -> Outcome<Value> {
    let binary = std::env::current_exe().map_err(|error| error.to_string())?;
    let name = part.to_possible_value().ok_or("a part has a name")?;
    let mut child = std::process::Command::new(binary);
    child.args(["bench", "--part", name.get_name(), "--count", &count.to_string(), "--directory"]).arg(place);
    if let Some(guest) = guest {
        child.arg("--guest").arg(guest);
    }
    let output = child.output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())
}
