//! The program that holds a server to the boundary.

use std::io::Write;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Parser;

use crate::cases;
use crate::run::{Stage, Verdict};
use crate::server::Server;
use crate::subject::Subject;

/// Holds a server to the boundary of Interlinkers: a line for each case, and a summary.
#[derive(Debug, Parser)]
#[command(name = "interlink-conformance")]
pub struct Options {
    /// Where it listens: `http://127.0.0.1:8080`.
    #[arg(long)]
    pub server: String,
    /// The token of an operator.
    #[arg(long, env = "INTERLINK_TOKEN", hide_env_values = true)]
    pub token: String,
    /// Also the cases that write some hundred megabytes.
    #[arg(long)]
    pub room: bool,
    /// Only cases of this group, or with this in their name.
    #[arg(default_value = "")]
    pub only: String,
}

impl Options {
    /// Runs the cases; answers whether the server keeps to the boundary, as far as it was asked, which is once at
    /// least.
    ///
    /// # Errors
    ///
    /// When there is no port for the service that guests ask, or nobody reads what is said.
    pub fn run(&self, out: &mut impl Write) -> std::io::Result<bool> {
        let Self { server, token, room, only } = self;
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut server = Server::new(server, token);
        if *room {
            server = server.with_room();
        }
        let name = server.name();
        let mut stage = Stage::new(&mut server, &since.as_millis().to_string())?;
        let (mut kept, mut broken, mut not_asked) = (0, 0, 0);
        for case in cases::all().iter().filter(|case| case.name.contains(only) || case.group.as_str() == only) {
            let (count, word, why) = match stage.run(case) {
                Verdict::Kept => (&mut kept, "kept", String::new()),
                Verdict::Broken(why) => (&mut broken, "BROKEN", format!(": {why}")),
                Verdict::NotAsked(why) => (&mut not_asked, "not asked", format!(": {why}")),
            };
            *count += 1;
            writeln!(out, "{word:>9}  {:<10}  {}{why}", case.group.as_str(), case.name)?;
        }
        writeln!(out, "{name}: {kept} kept, {broken} broken, {not_asked} not asked")?;
        Ok(broken == 0 && kept > 0)
    }
}

/// The program: asks what its arguments say, and ends with 0 where all of that is kept.
pub fn main() -> ExitCode {
    match Options::parse().run(&mut std::io::stdout()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
