//! `interlink process list | show | guide | diff`.

use clap::Subcommand;
use serde_json::Value;

use super::{Output, print_json, print_table, text};
use crate::client::Client;

/// What is looked at.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Lists processes.
    List,
    /// Shows a process with its tree.
    Show {
        /// Its id.
        id: String,
    },
    /// Shows what has changed in a process between two moments, and who did it.
    Diff {
        /// Its id.
        id: String,
        /// Since when: a version, or a time.
        #[arg(long)]
        from: String,
        /// Until when; now, where it is left out.
        #[arg(long)]
        to: Option<String>,
    },
    /// Shows what to do next in a process, and what waits.
    Guide {
        /// Its id.
        id: String,
    },
}

/// Runs the command.
pub fn run(command: Command, client: &Client, output: Output) -> Result<(), String> {
    match command {
        Command::List => {
            let mut items = Vec::new();
            let mut path = "/v1/processes?limit=1000".to_owned();
            loop {
                let page = client.get(&path)?;
                items.extend(page["items"].as_array().cloned().unwrap_or_default());
                match page["next_cursor"].as_str() {
                    Some(cursor) => path = format!("/v1/processes?limit=1000&cursor={cursor}"),
                    None => break,
                }
            }
            if output == Output::Json {
                print_json(&Value::Array(items));
                return Ok(());
            }
            let row = |item: &Value| {
                let percent = item["progress"].as_f64().unwrap_or_default() * 100.0;
                vec![text(&item["id"]), text(&item["name"]), text(&item["status"]), format!("{percent:.0} %")]
            };
            print_table(&["id", "name", "status", "done"], &items.iter().map(row).collect::<Vec<_>>());
        }
        Command::Show { id } => {
            let process = client.get(&format!("/v1/processes/{id}"))?;
            let tree = client.get(&format!("/v1/processes/{id}/tree"))?;
            if output == Output::Json {
                print_json(&serde_json::json!({"process": process, "tree": tree}));
                return Ok(());
            }
            println!("{}  {}  {}", text(&process["name"]), text(&process["status"]), text(&process["schema"]["name"]));
            for phase in tree["phases"].as_array().into_iter().flatten() {
                println!("{}  {}", text(&phase["name"]), text(&phase["status"]));
                for objective in phase["objectives"].as_array().into_iter().flatten() {
                    println!("  {}  {}", text(&objective["name"]), text(&objective["status"]));
                    for task in objective["tasks"].as_array().into_iter().flatten() {
                        println!("    {:<14} {}  ({})", text(&task["status"]), text(&task["name"]), text(&task["id"]));
                    }
                }
            }
        }
        Command::Diff { id, from, to } => {
            let to = to.map(|to| format!("&to={to}")).unwrap_or_default();
            let diff = client.get(&format!("/v1/processes/{id}/diff?from={from}{to}"))?;
            if output == Output::Json {
                print_json(&diff);
                return Ok(());
            }
            let row = |change: &Value| {
                let last = change["by"].as_array().and_then(|by| by.last()).cloned().unwrap_or_default();
                let both = format!("{} → {}", text(&change["before"]), text(&change["after"]));
                vec![text(&change["item"]), text(&change["field"]), both, text(&last["actor"]), text(&last["at"])]
            };
            let changes: Vec<_> = diff["changes"].as_array().into_iter().flatten().map(row).collect();
            print_table(&["item", "field", "change", "by", "at"], &changes);
        }
        Command::Guide { id } => {
            let guide = client.get(&format!("/v1/processes/{id}/guide"))?;
            if output == Output::Json {
                print_json(&guide);
                return Ok(());
            }
            for next in guide["next"].as_array().into_iter().flatten() {
                let task = &next["task"];
                println!(
                    "▸ {} ({}, {})  {}",
                    text(&task["name"]),
                    text(&task["id"]),
                    text(&task["status"]),
                    text(&next["why"])
                );
            }
            for waiting in guide["waiting"].as_array().into_iter().flatten() {
                let names = waiting["for"].as_array().into_iter().flatten().map(|item| text(&item["name"]));
                let names = names.collect::<Vec<_>>().join(", ");
                println!("  {} waits for {names}", text(&waiting["task"]["name"]));
            }
            if let Some(note) = guide["note"].as_str() {
                println!("{note}");
            }
        }
    }
    Ok(())
}
