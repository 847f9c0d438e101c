//! `interlink trust list | add | remove | require`: whose signatures of components a server trusts.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use interlink_model::signature::NamedKey;
use serde_json::{Value, json};

use super::{Output, print_json, print_table, text};
use crate::client::Client;

/// What is done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Lists the keys that are trusted or were, and says whether a signature is asked for.
    List,
    /// Trusts a key.
    Add {
        /// Its public half: the `.pub` that `interlink interlinker keygen` made.
        file: PathBuf,
        /// Whose it is.
        #[arg(long)]
        owner: String,
        /// From when on, such as 2027-05-01T00:00:00Z.
        #[arg(long)]
        from: Option<String>,
        /// Until when.
        #[arg(long)]
        until: Option<String>,
    },
    /// Trusts a key no more; what it signed stays.
    Remove {
        /// The key's id.
        id: String,
    },
    /// Says whether a component that is published has to be signed by a trusted key.
    Require {
        /// Whether.
        signatures: Switch,
    },
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// It has to be.
    On,
    /// It need not be.
    Off,
}

/// Runs the command.
pub fn run(command: &Command, client: &Client, output: Output) -> Result<(), String> {
    match command {
        Command::List => list(client, output),
        Command::Add { file, owner, from, until } => {
            let line = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
            let NamedKey { id, key } =
                NamedKey::parse(&line).map_err(|error| format!("{}: {error}", file.display()))?;
            let body = json!({"public_key": key.to_string(), "owner": owner, "from": from, "until": until});
            let added = client.put(&format!("/v1/trust/keys/{id}"), &body)?;
            show(&added, &format!("trusted {id} of {owner} on {}", client.server()), output);
            Ok(())
        }
        Command::Remove { id } => {
            let removed = client.delete(&format!("/v1/trust/keys/{id}"))?;
            show(&removed, &format!("{id} is not trusted any more; what it signed stays"), output);
            Ok(())
        }
        Command::Require { signatures } => {
            let required = *signatures == Switch::On;
            let set = client.put("/v1/trust", &json!({"require_signatures": required}))?;
            show(&set, if required { "signatures are asked for" } else { "no signature is asked for" }, output);
            Ok(())
        }
    }
}

fn show(answer: &Value, sentence: &str, output: Output) {
    if output == Output::Json { print_json(answer) } else { println!("{sentence}") }
}

fn list(client: &Client, output: Output) -> Result<(), String> {
    let trust = client.get("/v1/trust")?;
    if output == Output::Json {
        print_json(&trust);
        return Ok(());
    }
    let header = ["id", "owner", "from", "until", "removed_at"];
    let row = |key: &Value| header.map(|field| text(&key[field])).to_vec();
    print_table(&header, &trust["keys"].as_array().into_iter().flatten().map(row).collect::<Vec<_>>());
    println!("require_signatures: {}", trust["require_signatures"]);
    Ok(())
}
