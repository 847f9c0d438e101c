//! `interlink interlinker list | deprecate | revoke`: what a server has, and what its operator says of it.

use clap::Args;
use serde_json::{Value, json};

use crate::cli::{Output, every, print_json, print_table, text};
use crate::client::Client;

/// A version, and why it is withdrawn.
#[derive(Debug, Args)]
pub struct Withdrawing {
    /// Its name.
    name: String,
    /// Its version.
    version: String,
    /// Why: everybody who uses it reads this.
    #[arg(long)]
    reason: String,
}

/// Lists the Interlinkers of a server, or the versions of one.
pub fn list(name: Option<&str>, client: &Client, output: Output) -> Result<(), String> {
    let path = match name {
        None => "/v1/interlinkers".to_owned(),
        Some(name) => format!("/v1/interlinkers/{name}/versions"),
    };
    let all = every(&path, client)?;
    if output == Output::Json {
        print_json(&json!({ "items": all }));
        return Ok(());
    }
    let row = |one: &Value| {
        let mut row = ["name", "version", "nature", "title"].map(|key| text(&one[key])).to_vec();
        row.push(standing(one));
        row
    };
    print_table(&["name", "version", "nature", "title", "standing"], &all.iter().map(row).collect::<Vec<_>>());
    Ok(())
}

/// Whether a version was withdrawn, and why; or whether its breaker is not closed, and what failed last.
fn standing(version: &Value) -> String {
    let withdrawn = ["deprecated", "revoked"].into_iter().find(|how| version[*how].is_object());
    let withdrawn = withdrawn.map(|how| format!("{how}: {}", text(&version[how]["reason"])));
    let breaker = &version["breaker"];
    let failing = breaker["status"].as_str().filter(|status| *status != "closed").map(|status| {
        let (last, retry_at) = (text(&breaker["last"]["detail"]), text(&breaker["retry_at"]));
        format!("breaker {status} until {retry_at}: {last}")
    });
    withdrawn.or(failing).unwrap_or_else(|| "-".into())
}

/// Closes the breakers of an Interlinker's versions.
pub fn reset(name: &str, client: &Client, output: Output) -> Result<(), String> {
    let shown = client.post(&format!("/v1/interlinkers/{name}/reset"), "application/json", b"")?;
    if output == Output::Json {
        print_json(&shown);
    } else {
        println!("{}  breaker {}", text(&shown["name"]), text(&shown["breaker"]["status"]));
    }
    Ok(())
}

/// Sets the quota of an Interlinker's assets.
pub fn quota(
    name: &str,
    assets: Option<u64>,
    state_bytes: Option<u64>,
    client: &Client,
    output: Output,
) -> Result<(), String> {
    let body = json!({"assets": assets, "state_bytes": state_bytes});
    let quota = client.put(&format!("/v1/interlinkers/{name}/quota"), &body)?;
    if output == Output::Json {
        print_json(&quota);
    } else {
        println!("{name}  at most {} assets with {} bytes together", quota["assets"], quota["state_bytes"]);
    }
    Ok(())
}

/// Deprecates a version, or revokes it.
pub fn withdraw(how: &str, wanted: &Withdrawing, client: &Client, output: Output) -> Result<(), String> {
    let Withdrawing { name, version, reason } = wanted;
    let path = format!("/v1/interlinkers/{name}/versions/{version}/{how}");
    let body = json!({ "reason": reason }).to_string();
    let shown = client.post(&path, "application/json", body.as_bytes())?;
    if output == Output::Json {
        print_json(&shown);
    } else {
        println!("{} {}  {}", text(&shown["name"]), text(&shown["version"]), standing(&shown));
    }
    Ok(())
}
