//! `interlink trust list | add | remove | require`: whose signatures of components a server trusts.

use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};
use interlink_model::signature::{NamedKey, Succession};
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
        /// Its public half, the `.pub` that `interlink interlinker keygen` made; or a `.succession`, with which a key that is
        /// trusted vouches for it.
        file: PathBuf,
        /// Whose it is. A successor is whose the key before it was.
        #[arg(long)]
        owner: Option<String>,
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
            let (id, mut body) = wanted(file, owner.as_deref())?;
            (body["from"], body["until"]) = (json!(from), json!(until));
            let added = client.put(&format!("/v1/trust/keys/{id}"), &body)?;
            let mut sentence = format!("trusted {id} of {} on {}", text(&added["owner"]), client.server());
            if let Some(before) = added["succeeds"].as_str() {
                sentence += &format!("; {before} vouched for it, and stays trusted until it is removed");
            }
            show(&added, &sentence, output);
            Ok(())
        }
        Command::Remove { id } => {
            let removed = client.delete(&format!("/v1/trust/keys/{id}"))?;
            let mut sentence = format!("{id} is not trusted any more; what it signed stays");
            for heir in removed["heirs"].as_array().into_iter().flatten() {
                sentence += &format!("\n{} is trusted because {id} vouched for it", text(heir));
            }
            show(&removed, &sentence, output);
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

/// The id of the key in a file, and what is asked for it.
fn wanted(file: &Path, owner: Option<&str>) -> Result<(String, Value), String> {
    let told = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let line = std::fs::read_to_string(file).map_err(|error| told(&error))?;
    if let Ok(said) = Succession::parse(&line) {
        return match owner {
            Some(_) => Err(told(&"a successor is whose the key before it was: leave --owner out")),
            None => Ok((said.next.id.to_string(), json!({"succession": said.to_string()}))),
        };
    }
    let NamedKey { id, key } = NamedKey::parse(&line).map_err(|error| told(&error))?;
    let owner = owner.ok_or_else(|| told(&"say with --owner whose this key is"))?;
    Ok((id.to_string(), json!({"public_key": key.to_string(), "owner": owner})))
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
