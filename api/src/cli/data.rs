//! `interlink audit verify` and `interlink state rebuild`: on a data directory that no server has.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;

use super::{Output, print_json};

/// What is audited.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Walks both hash chains and every checksum, and compares the state with the journal.
    Verify {
        /// The data directory.
        #[arg(long, default_value = "interlink-data", env = "INTERLINK_DATA_DIR")]
        data: PathBuf,
    },
}

/// What is done with the state.
#[derive(Debug, Subcommand)]
pub enum StateCommand {
    /// Makes the state again from the journal.
    Rebuild {
        /// The data directory.
        #[arg(long, default_value = "interlink-data", env = "INTERLINK_DATA_DIR")]
        data: PathBuf,
    },
}

/// Audits a data directory; an error where anything is wrong.
pub fn audit(command: &Audit, output: Output) -> Result<(), String> {
    let Audit::Verify { data } = command;
    let began = std::time::Instant::now();
    let audit = interlink_runtime::audit::verify(data).map_err(|error| error.to_string())?;
    let journal = &audit.journal;
    let wrong: Vec<String> =
        journal.damage.iter().map(ToString::to_string).chain(audit.differences.iter().cloned()).collect();
    let told = |(damage, [from, to]): &(interlink_journal::Damage, [u64; 2])| {
        format!("{damage}: known, mended from the state; versions {from} to {to} of its stream are lost")
    };
    let known: Vec<_> = audit.known.iter().map(told).collect();
    if output == Output::Json {
        print_json(&json!({
            "processes": audit.processes, "assets": audit.assets, "records": journal.records, "streams": journal.streams,
            "segments": journal.segments, "torn": journal.torn, "known": known, "wrong": wrong,
        }));
    } else {
        for torn in &journal.torn {
            println!("{torn} ends in what was never acknowledged; the next start cuts it off");
        }
        known.iter().for_each(|known| println!("{known}"));
        println!(
            "checked {} processes, {} assets, {} records in {} streams, {}, in {:.1} s",
            audit.processes,
            audit.assets,
            journal.records,
            journal.streams,
            if wrong.is_empty() { "every chain whole" } else { "and found what follows" },
            began.elapsed().as_secs_f64()
        );
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// Works on the state of a data directory.
pub fn state(command: &StateCommand) -> Result<(), String> {
    let StateCommand::Rebuild { data } = command;
    let began = std::time::Instant::now();
    let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let mut progress = |taken: u64| {
        if is_terminal {
            eprint!("\r{taken} records");
        }
    };
    let taken = interlink_runtime::audit::rebuild(data, &mut progress).map_err(|error| error.to_string())?;
    println!("made again from {taken} records in {:.1} s", began.elapsed().as_secs_f64());
    Ok(())
}
