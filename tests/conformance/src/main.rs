//! Holds a server to the boundary of Interlinkers.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Parser;
use interlink_conformance::{Server, Stage, Verdict, cases};

/// Holds a server to the boundary of Interlinkers: a line for each case, and a summary.
#[derive(Debug, Parser)]
struct Options {
    /// Where it listens: `http://127.0.0.1:8080`.
    #[arg(long)]
    server: String,
    /// The token of an operator.
    #[arg(long, env = "INTERLINK_TOKEN", hide_env_values = true)]
    token: String,
    /// Only cases with this in their name or group.
    #[arg(default_value = "")]
    only: String,
}

fn main() -> ExitCode {
    let Options { server, token, only } = Options::parse();
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut server = Server::new(&server, &token);
    let mut stage = match Stage::new(&mut server, &since.as_millis().to_string()) {
        Ok(stage) => stage,
        Err(error) => {
            eprintln!("error: no port for the service that guests ask: {error}");
            return ExitCode::FAILURE;
        }
    };
    let (mut kept, mut broken, mut not_asked) = (0, 0, 0);
    for case in cases::all().iter().filter(|case| case.name.contains(&only) || case.group.as_str() == only) {
        let (word, why) = match stage.run(case) {
            Verdict::Kept => {
                kept += 1;
                ("kept", String::new())
            }
            Verdict::Broken(why) => {
                broken += 1;
                ("BROKEN", format!(": {why}"))
            }
            Verdict::NotAsked(why) => {
                not_asked += 1;
                ("not asked", format!(": {why}"))
            }
        };
        println!("{word:>9}  {:<10}  {}{why}", case.group.as_str(), case.name);
    }
    println!("{kept} kept, {broken} broken, {not_asked} not asked");
    if broken == 0 && kept > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
