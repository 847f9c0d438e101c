//! `interlink provision plan | apply | status`.

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
    /// Says of every service, or of one, whether it is still what its file says.
    Status {
        /// The service.
        name: Option<String>,
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
        Command::Status { name } => return status(name, client, output),
    };
    if output == Output::Json {
        print_json(&answer);
        return Ok(());
    }
    let changes = answer["changes"].as_array().cloned().unwrap_or_default();
    changes.iter().for_each(print_change);
    let obstacles = changes.iter().filter(|change| matches!(change["action"].as_str(), Some("missing" | "conflict")));
    match (applied, obstacles.count()) {
        (true, _) => println!("service {} is as its file says; process {}", text(&answer["service"]), process(&answer)),
        (false, 0) => println!("apply would make it so"),
        (false, many) => println!("{many} in the way: apply would be refused"),
    }
    Ok(())
}

fn print_change(change: &Value) {
    let sign = match change["action"].as_str() {
        Some("keep") => "=",
        Some("create") => "+",
        Some("update") => "~",
        _ => "!",
    };
    let field = |name: &str| text(&change[name]);
    println!("{sign} {:<12} {:<28} {}", field("kind"), field("name"), field("detail"));
}

/// What has drifted. That something has is no failure of the command.
fn status(name: Option<String>, client: &Client, output: Output) -> Result<(), String> {
    let names = match name {
        Some(name) => vec![name],
        None => super::service::all(client)?.iter().map(|service| text(&service["name"])).collect(),
    };
    let mut services = Vec::new();
    for name in names {
        services.push(client.get(&format!("/v1/services/{name}"))?);
    }
    if output == Output::Json {
        print_json(&Value::Array(services));
        return Ok(());
    }
    for service in &services {
        let drift = service["drift"].as_array().cloned().unwrap_or_default();
        let is = match drift.len() {
            0 => "as its file says".into(),
            1 => "1 thing is not as its file says".to_owned(),
            many => format!("{many} things are not as its file says"),
        };
        println!("service {} is {}; {is}", text(&service["name"]), text(&service["status"]));
        drift.iter().for_each(print_change);
    }
    if services.is_empty() {
        println!("no service was provisioned; `interlink provision apply FILE` does");
    }
    Ok(())
}

fn process(answer: &Value) -> String {
    text(&answer["process"])
}
