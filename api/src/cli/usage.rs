//! `interlink usage` and `interlink adoption`.

use clap::Args;
use serde_json::Value;

use super::{Output, print_json, print_table, text};
use crate::client::Client;

/// What of the registry is shown.
#[derive(Debug, Args)]
pub struct Usage {
    /// Of this process only.
    #[arg(long)]
    process: Option<String>,
    /// Of this Interlinker only.
    #[arg(long)]
    interlinker: Option<String>,
    /// At this service's door only.
    #[arg(long)]
    service: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 100)]
    limit: usize,
}

/// Shows the registry of usage.
pub fn run(usage: &Usage, client: &Client, output: Output) -> Result<(), String> {
    let mut path = format!("/v1/usage?limit={}", usage.limit);
    let filters = [("process", &usage.process), ("interlinker", &usage.interlinker), ("service", &usage.service)];
    for (name, value) in filters {
        if let Some(value) = value {
            path += &format!("&{name}={value}");
        }
    }
    let page = client.get(&path)?;
    if output == Output::Json {
        print_json(&page);
        return Ok(());
    }
    let row = |item: &Value| {
        let interlinker = &item["interlinker"];
        vec![
            text(&item["at"]),
            text(&item["kind"]),
            format!("{} {}", text(&interlinker["name"]), text(&interlinker["version"])),
            text(&item["task"]),
            text(&item["action"]),
            text(&item["outcome"]),
            text(&item["actor"]),
        ]
    };
    let rows: Vec<_> = page["items"].as_array().into_iter().flatten().map(row).collect();
    print_table(&["at", "kind", "Interlinker", "task", "action", "outcome", "who"], &rows);
    if page["next_cursor"].is_string() {
        println!("… and more: --limit, or --output json for the cursor");
    }
    Ok(())
}

/// Shows the summary of adoption.
pub fn adoption(client: &Client, output: Output) -> Result<(), String> {
    let adoption = client.get("/v1/adoption")?;
    if output == Output::Json {
        print_json(&adoption);
        return Ok(());
    }
    for part in ["processes", "tasks", "people"] {
        let figures = adoption[part].as_object().into_iter().flatten();
        let figures: Vec<_> = figures.map(|(name, figure)| format!("{figure} {name}")).collect();
        println!("{part:<10} {}", figures.join(" · "));
    }
    let uses = &adoption["uses"];
    let by = uses["by_interlinker"].as_object().into_iter().flatten();
    let by: Vec<_> = by.map(|(name, figure)| format!("{figure} {name}")).collect();
    println!("{:<10} {} in all: {}", "uses", uses["total"], by.join(" · "));
    for (name, service) in adoption["services"].as_object().into_iter().flatten() {
        let (uses, people) = (&service["uses"]["total"], &service["people"]["active"]);
        println!("{:<10} {name} is {}: {uses} uses by {people} people", "service", text(&service["status"]));
    }
    Ok(())
}
