//! `interlink organization new | list | show | quota`.

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::{Output, every, print_json, print_table, text};
use crate::client::Client;

/// What is done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Makes an organization known, and prints its id.
    New {
        /// What people call it.
        name: String,
        /// Of what kind it is.
        #[arg(long, value_enum)]
        kind: Kind,
    },
    /// Lists organizations with what the assets of their processes hold.
    List,
    /// Shows an organization: what the assets of its processes hold together, and how much that may be.
    Show {
        /// Its id.
        id: String,
    },
    /// Sets how many assets its processes may have, and how many bytes these may have together; what is not given is as many
    /// as any may have.
    Quota {
        /// Its id.
        id: String,
        /// Assets.
        #[arg(long)]
        assets: Option<u64>,
        /// Bytes of state and blobs of all of them.
        #[arg(long)]
        state_bytes: Option<u64>,
    },
}

/// Of what kind an organization is.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Kind {
    /// A public administration.
    PublicAdministration,
    /// Citizens, with or without a form.
    Citizens,
    /// An association, a foundation.
    NonProfit,
    /// A company.
    ForProfit,
}

/// Runs the command.
pub fn run(command: &Command, client: &Client, output: Output) -> Result<(), String> {
    match command {
        Command::New { name, kind } => {
            let kind = kind.to_possible_value().map(|kind| kind.get_name().to_owned());
            let body = json!({"name": name, "kind": kind}).to_string();
            let made = client.post("/v1/organizations", "application/json", body.as_bytes())?;
            show(&made, &format!("{} is organization {}", text(&made["name"]), text(&made["id"])), output);
        }
        Command::List => {
            let all = every("/v1/organizations", client)?;
            if output == Output::Json {
                print_json(&json!({ "items": all }));
                return Ok(());
            }
            let row = |one: &Value| {
                let held = [&one["held"]["assets"], &one["held"]["state_bytes"]].map(text);
                ["id", "name", "kind"].map(|key| text(&one[key])).into_iter().chain(held).collect()
            };
            let rows: Vec<_> = all.iter().map(row).collect();
            print_table(&["id", "name", "kind", "assets", "state_bytes"], &rows);
        }
        Command::Show { id } => {
            let found = client.get(&format!("/v1/organizations/{id}"))?;
            let [name, kind] = ["name", "kind"].map(|key| text(&found[key]));
            let (held, quota) = (&found["held"], &found["quota"]);
            let of = |key: &str| format!("{} of at most {}", held[key], quota[key]);
            let sentence = format!("{name}, {kind}\nassets       {}\nstate_bytes  {}", of("assets"), of("state_bytes"));
            show(&found, &sentence, output);
        }
        Command::Quota { id, assets, state_bytes } => {
            let body = json!({"assets": assets, "state_bytes": state_bytes});
            let quota = client.put(&format!("/v1/organizations/{id}/quota"), &body)?;
            let (assets, bytes) = (&quota["assets"], &quota["state_bytes"]);
            show(&quota, &format!("{id}  at most {assets} assets with {bytes} bytes together"), output);
        }
    }
    Ok(())
}

fn show(answer: &Value, sentence: &str, output: Output) {
    if output == Output::Json { print_json(answer) } else { println!("{sentence}") }
}

#[cfg(test)]
mod tests {
    use interlink_model::organization::OrganizationKind;

    use super::*;

    #[test]
    fn the_kinds_of_the_command_line_are_those_of_the_model() {
        let words = Kind::value_variants().iter().filter_map(Kind::to_possible_value);
        let words: Vec<_> = words.map(|word| word.get_name().to_owned()).collect();
        assert_eq!(words, OrganizationKind::ALL.map(OrganizationKind::as_str));
    }
}
