//! `interlink service list | show | activate | pause | retire`.

use clap::Subcommand;
use serde_json::{Value, json};

use super::{Output, print_json, print_table, text};
use crate::client::Client;

/// What is done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Lists services with their status.
    List,
    /// Shows a service: its assets, its history, what has drifted from its file, how it is used.
    Show {
        /// Its name.
        name: String,
    },
    /// Opens a service to the people whom it serves.
    Activate(Step),
    /// Closes a service for a while.
    Pause(Step),
    /// Ends a service, for good.
    Retire(Step),
}

/// Which service, and why.
#[derive(Debug, clap::Args)]
pub struct Step {
    /// Its name.
    name: String,
    /// Why; kept in its history, and told to whoever comes while it is closed.
    #[arg(long)]
    reason: Option<String>,
}

/// Runs the command.
pub fn run(command: Command, client: &Client, output: Output) -> Result<(), String> {
    match command {
        Command::List => list(client, output),
        Command::Show { name } => show(client, &name, output),
        Command::Activate(step) => take(client, "activate", step, output),
        Command::Pause(step) => take(client, "pause", step, output),
        Command::Retire(step) => take(client, "retire", step, output),
    }
}

/// Every service, page by page.
pub(super) fn all(client: &Client) -> Result<Vec<Value>, String> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("/v1/services?limit=1000{cursor}"))?;
        items.extend(page["items"].as_array().cloned().unwrap_or_default());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(items),
        }
    }
}

fn list(client: &Client, output: Output) -> Result<(), String> {
    let items = all(client)?;
    if output == Output::Json {
        print_json(&Value::Array(items));
        return Ok(());
    }
    let row = |item: &Value| {
        let assets = item["assets"].as_object().map_or(0, serde_json::Map::len);
        let names = ["name", "status", "process", "provisioned_at"].map(|key| text(&item[key]));
        let [name, status, process, at] = names;
        vec![name, status, assets.to_string(), process, at]
    };
    let rows: Vec<_> = items.iter().map(row).collect();
    print_table(&["name", "status", "assets", "process", "provisioned"], &rows);
    Ok(())
}

fn show(client: &Client, name: &str, output: Output) -> Result<(), String> {
    let service = client.get(&format!("/v1/services/{name}"))?;
    let used = client.get(&format!("/v1/adoption/services/{name}"))?;
    if output == Output::Json {
        let mut shown = service;
        shown["adoption"] = used;
        print_json(&shown);
        return Ok(());
    }
    println!("service    {} is {}", text(&service["name"]), text(&service["status"]));
    println!("process    {}", text(&service["process"]));
    for (id, asset) in service["assets"].as_object().into_iter().flatten() {
        println!("asset      {id} is {}", text(asset));
    }
    for step in service["history"].as_array().into_iter().flatten() {
        let reason = step["reason"].as_str().map(|reason| format!(": {reason}")).unwrap_or_default();
        println!("history    {}  {} by {}{reason}", text(&step["at"]), text(&step["step"]), text(&step["by"]));
    }
    for change in service["drift"].as_array().into_iter().flatten() {
        println!("drift      {} {}: {}", text(&change["kind"]), text(&change["name"]), text(&change["detail"]));
    }
    let by = used["uses"]["by_action"].as_object().into_iter().flatten();
    let by: Vec<_> = by.map(|(action, uses)| format!("{uses} {action}")).collect();
    let (uses, people) = (&used["uses"], &used["people"]);
    println!("uses       {} in all: {}", uses["total"], by.join(" · "));
    println!("people     {} visitors · {} members", people["visitors"], people["members"]);
    Ok(())
}

fn take(client: &Client, step: &str, wanted: Step, output: Output) -> Result<(), String> {
    let Step { name, reason } = wanted;
    let body = json!({"reason": reason}).to_string();
    let service = client.post(&format!("/v1/services/{name}/{step}"), "application/json", body.as_bytes())?;
    match output {
        Output::Json => print_json(&service),
        Output::Table => println!("service {name} is {}", text(&service["status"])),
    }
    Ok(())
}
