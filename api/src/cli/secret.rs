//! `interlink secret set | remove`.

use std::io::{IsTerminal, Read};

use clap::Subcommand;
use serde_json::json;

use super::{Output, print_json};
use crate::client::Client;

/// What is done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Sets a secret to what comes in on the standard input, less the end of its last line.
    Set {
        /// Its name.
        name: String,
    },
    /// Removes a secret.
    Remove {
        /// Its name.
        name: String,
    },
}

/// Runs the command.
pub fn run(command: &Command, client: &Client, output: Output) -> Result<(), String> {
    let (answer, said) = match command {
        Command::Set { name } => {
            let mut value = String::new();
            if std::io::stdin().is_terminal() {
                eprintln!("type the secret, then Enter and Ctrl-D");
            }
            std::io::stdin().read_to_string(&mut value).map_err(|error| format!("reading the secret: {error}"))?;
            let value = value.strip_suffix('\n').unwrap_or(&value);
            let value = value.strip_suffix('\r').unwrap_or(value);
            let answer = client.put(&format!("/v1/secrets/{name}"), &json!({"value": value}))?;
            (answer, format!("secret {name} is set"))
        }
        Command::Remove { name } => {
            (client.delete(&format!("/v1/secrets/{name}"))?, format!("secret {name} was removed"))
        }
    };
    match output {
        Output::Json => print_json(&answer),
        Output::Table => println!("{said}"),
    }
    Ok(())
}
