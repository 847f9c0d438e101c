//! `interlink interlinker grant`, and the question that `publish` asks: what an Interlinker asks for beyond its own state, with
//! its reasons, and whether it may.

use std::io::{BufRead, IsTerminal, Write};

use interlink_host::Grants;
use interlink_model::manifest::Asked;
use interlink_model::schema::Text;
use serde_json::Value;

use super::signing::entry_of;
use crate::cli::{Output, print_json, text};
use crate::client::Client;

/// Grants an Interlinker what it asks for, after whoever runs this was asked.
pub fn grant(wanted: &str, yes: bool, client: &Client, output: Output) -> Result<(), String> {
    let entry = entry_of(wanted, client)?;
    let (name, missing) = missing(&entry);
    if missing == Asked::default() {
        return done(&format!("{name} asks for nothing that it was not granted"), &granted(&name, client)?, output);
    }
    if !yes && !is_granted_by(&name, &missing, &mut std::io::stdin().lock()) {
        return Err(format!("{name} was granted nothing more"));
    }
    let grants = give(&name, &missing, client)?;
    done(&format!("{name} was granted what it asks for"), &grants, output)
}

/// Whether what an Interlinker asks for is granted when it is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Granting {
    /// All of it.
    All,
    /// What whoever sits at the terminal says.
    Asked,
    /// Nothing; it is told what it asks for.
    Told,
}

impl Granting {
    /// As the command line says, where somebody can be asked.
    pub fn of(yes: bool) -> Self {
        match (yes, std::io::stdin().is_terminal()) {
            (true, _) => Self::All,
            (false, true) => Self::Asked,
            (false, false) => Self::Told,
        }
    }
}

/// What becomes of the wishes of an Interlinker that was published.
pub fn after_publishing(entry: &Value, granting: Granting, client: &Client) -> Result<(), String> {
    let (name, missing) = missing(entry);
    if missing == Asked::default() {
        return Ok(());
    }
    let is_granted = match granting {
        Granting::All => true,
        Granting::Asked => is_granted_by(&name, &missing, &mut std::io::stdin().lock()),
        Granting::Told => false,
    };
    if !is_granted {
        eprintln!("{name} asks for what was not granted:\n{}", wishes(&missing).join("\n"));
        eprintln!("grant it with: interlink interlinker grant {name}");
        return Ok(());
    }
    give(&name, &missing, client)?;
    eprintln!("{name} was granted what it asks for");
    Ok(())
}

fn done(sentence: &str, grants: &Grants, output: Output) -> Result<(), String> {
    match output {
        Output::Json => print_json(&serde_json::json!(grants)),
        Output::Table => println!("{sentence}"),
    }
    Ok(())
}

/// The name of an entry of the catalogue, and what it asks for and was not granted.
fn missing(entry: &Value) -> (String, Asked) {
    let asked = serde_json::from_value(entry["not_granted"].clone()).unwrap_or_default();
    (text(&entry["name"]), asked)
}

fn granted(name: &str, client: &Client) -> Result<Grants, String> {
    let granted = client.get(&format!("/v1/interlinkers/{name}/grants"))?;
    serde_json::from_value(granted).map_err(|error| format!("what was granted cannot be read: {error}"))
}

fn give(name: &str, missing: &Asked, client: &Client) -> Result<Grants, String> {
    let grants = granted(name, client)?.with(missing);
    client.put(&format!("/v1/interlinkers/{name}/grants"), &serde_json::json!(grants))?;
    Ok(grants)
}

/// Shows the wishes, and reads whether they are granted: only `y` and `yes` grant them.
fn is_granted_by(name: &str, missing: &Asked, answers: &mut impl BufRead) -> bool {
    eprint!("{name} asks for:\n{}\ngrant it? [y/N] ", wishes(missing).join("\n"));
    // Where nobody reads the question, its answer is none.
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    let is_read = answers.read_line(&mut answer).is_ok();
    is_read && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

/// Each wish in a line, with its reason in English or the first language that it has.
fn wishes(asked: &Asked) -> Vec<String> {
    let reason =
        |reason: &Text| reason.pick(&["en".to_owned()], &[]).map_or(String::new(), |(_, text)| text.to_owned());
    let line = |what: String, why: &Text| format!("  {what}: {}", reason(why));
    let http = asked.http.iter().map(|wish| line(format!("{} {}", wish.methods.join(", "), wish.origin), &wish.reason));
    let secrets = asked.secrets.iter().map(|wish| line(format!("the secret {}", wish.name), &wish.reason));
    let people = asked.people.iter().map(|wish| line("to know who takes part".into(), &wish.reason));
    let notify = asked.notify.iter().map(|wish| line("to tell people something".into(), &wish.reason));
    let assets = asked
        .assets
        .iter()
        .map(|wish| line(format!("to run {} of {}", wish.actions.join(", "), wish.interlinker), &wish.reason));
    http.chain(secrets).chain(people).chain(notify).chain(assets).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked() -> Asked {
        let why = json!({"en": "So that it works."});
        let asked = json!({
            "http": [{"origin": "https://example.org", "methods": ["GET", "POST"], "reason": why}],
            "secrets": [{"name": "token", "reason": why}],
            "people": {"reason": why},
            "notify": {"reason": why},
            "assets": [{"interlinker": "poll", "actions": ["vote"], "reason": why}],
        });
        serde_json::from_value(asked).expect("wishes")
    }

    #[test]
    fn nothing_but_a_yes_grants_what_is_asked_for() {
        let granted = |answer: &str| is_granted_by("walks", &asked(), &mut answer.as_bytes());
        assert!(["y\n", "yes", " YES \n"].into_iter().all(granted));
        assert!(!["", "\n", "n\n", "no\n", "yesterday\n", "true\n"].into_iter().any(granted));
    }

    #[test]
    fn every_wish_has_its_line_with_its_reason() {
        let lines = wishes(&asked());
        assert_eq!(lines.len(), 5);
        assert!(lines.iter().all(|line| line.ends_with(": So that it works.")), "{lines:?}");
        assert_eq!(lines[0], "  GET, POST https://example.org: So that it works.");
    }
}
