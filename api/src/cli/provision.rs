//! `interlink provision plan | apply`.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::Value;

use super::{Output, print_json, text};
use crate::client::Client;

/// What is done with a service's file.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Says what applying a file would do.
    Plan {
        /// The file, in YAML or JSON.
        file: PathBuf,
    },
    /// Makes a service what its file says, once, however often it is applied.
    Apply {
        /// The file, in YAML or JSON.
        file: PathBuf,
    },
}

/// Runs the command.
pub fn run(command: Command, client: &Client, output: Output) -> Result<(), String> {
    let read = |file: &Path| std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()));
    let (answer, applied) = match command {
        Command::Plan { file } => {
            (client.post("/v1/provisions?dry_run=true", "application/yaml", &read(&file)?)?, false)
        }
        Command::Apply { file } => (client.post("/v1/provisions", "application/yaml", &read(&file)?)?, true),
    };
    if output == Output::Json {
        print_json(&answer);
        return Ok(());
    }
    let changes = answer["changes"].as_array().cloned().unwrap_or_default();
    for change in &changes {
        let sign = match change["action"].as_str() {
            Some("keep") => "=",
            Some("create") => "+",
            Some("update") => "~",
            _ => "!",
        };
        let field = |name: &str| text(&change[name]);
        println!("{sign} {:<12} {:<28} {}", field("kind"), field("name"), field("detail"));
    }
    let obstacles = changes.iter().filter(|change| matches!(change["action"].as_str(), Some("missing" | "conflict")));
    match (applied, obstacles.count()) {
        (true, _) => println!("service {} is as its file says; process {}", text(&answer["service"]), process(&answer)),
        (false, 0) => println!("apply would make it so"),
        (false, many) => println!("{many} in the way: apply would be refused"),
    }
    Ok(())
}

fn process(answer: &Value) -> String {
    text(&answer["process"])
}
