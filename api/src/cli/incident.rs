//! `interlink incident list | show | retry | skip | resolve`.

use clap::Subcommand;
use serde_json::{Value, json};

use super::{Output, print_json, print_table, text};
use crate::client::Client;

/// What is done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Lists what failed past its policy.
    List {
        /// Only those of a process.
        #[arg(long)]
        process: Option<String>,
        /// Only those of an Interlinker.
        #[arg(long)]
        interlinker: Option<String>,
        /// Only those of a status: open, retried, skipped, resolved or dropped.
        #[arg(long)]
        status: Option<String>,
    },
    /// Shows an incident with every attempt.
    Show {
        /// Its id.
        id: String,
    },
    /// Tries what failed again, from the first attempt.
    Retry(Closing),
    /// Leaves the task out.
    Skip(Closing),
    /// Says that it was done by other means: the task is completed.
    Resolve(Closing),
}

/// Which incident, and why.
#[derive(Debug, clap::Args)]
pub struct Closing {
    /// Its id.
    id: String,
    /// Why; kept in the history.
    #[arg(long)]
    reason: Option<String>,
}

/// Runs the command.
pub fn run(command: Command, client: &Client, output: Output) -> Result<(), String> {
    match command {
        Command::List { process, interlinker, status } => {
            let filters = [("process", process), ("interlinker", interlinker), ("status", status)];
            let filters = filters.into_iter().filter_map(|(name, value)| value.map(|value| format!("&{name}={value}")));
            list(client, &filters.collect::<String>(), output)
        }
        Command::Show { id } => show(&client.get(&format!("/v1/incidents/{id}"))?, output),
        Command::Retry(closing) => close(client, "retry", closing, output),
        Command::Skip(closing) => close(client, "skip", closing, output),
        Command::Resolve(closing) => close(client, "resolve", closing, output),
    }
}

fn list(client: &Client, filters: &str, output: Output) -> Result<(), String> {
    let mut items = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = client.get(&format!("/v1/incidents?limit=1000{filters}{cursor}"))?;
        items.extend(page["items"].as_array().cloned().unwrap_or_default());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    if output == Output::Json {
        print_json(&Value::Array(items));
        return Ok(());
    }
    let row = |item: &Value| {
        ["id", "status", "cause", "attempts", "task", "interlinker"].map(|key| text(&item[key])).to_vec()
    };
    let rows: Vec<_> = items.iter().map(row).collect();
    print_table(&["id", "status", "cause", "attempts", "task", "interlinker"], &rows);
    Ok(())
}

fn show(incident: &Value, output: Output) -> Result<(), String> {
    if output == Output::Json {
        print_json(incident);
        return Ok(());
    }
    for key in ["id", "status", "process", "task", "interlinker", "cause", "attempts", "raised_at", "closed_at"] {
        println!("{key:<12} {}", text(&incident[key]));
    }
    for event in incident["history"].as_array().into_iter().flatten() {
        println!("{}  {:<20} {}", text(&event["at"]), text(&event["kind"]), text(&event["data"]["detail"]));
    }
    Ok(())
}

fn close(client: &Client, what: &str, closing: Closing, output: Output) -> Result<(), String> {
    let body = json!({"reason": closing.reason}).to_string();
    let path = format!("/v1/incidents/{}/{what}", closing.id);
    show(&client.post(&path, "application/json", body.as_bytes())?, output)
}
