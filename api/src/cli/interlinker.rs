//! `interlink interlinker replay`: a recorded call, run again.

use clap::Subcommand;
use serde_json::Value;

use super::{Output, print_json, print_table, text};
use crate::client::Client;

/// What is done with Interlinkers.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Runs a recorded call of an asset again, fed with its record, and shows each question to the world outside.
    Replay {
        /// The asset.
        asset: String,
        /// The call: events and the registry of usage name it.
        call: String,
    },
}

/// Runs the command.
pub fn run(command: &Command, client: &Client, output: Output) -> Result<(), String> {
    let Command::Replay { asset, call } = command;
    let replayed = client.post(&format!("/v1/assets/{asset}/calls/{call}/replay"), "application/json", b"")?;
    if output == Output::Json {
        print_json(&replayed);
        return Ok(());
    }
    let interlinker = &replayed["interlinker"];
    println!("{} {}  {}", text(&interlinker["name"]), text(&interlinker["version"]), text(&replayed["action"]));
    let row = |one: &Value| ["number", "kind", "request", "answer"].map(|key| text(&one[key])).to_vec();
    let rows: Vec<_> = replayed["host_calls"].as_array().into_iter().flatten().map(row).collect();
    print_table(&["#", "kind", "request", "answer"], &rows);
    for line in replayed["logs"].as_array().into_iter().flatten() {
        println!("{:<5} {}", text(&line[0]), text(&line[1]));
    }
    match &replayed["failure"] {
        Value::Null => println!("answered {}", replayed["output"]),
        failure => println!("failed: {}", text(failure)),
    }
    Ok(())
}
