//! The command line.

mod backup;
mod budget;
mod data;
mod incident;
mod interlinker;
mod offload;
mod organization;
mod process;
mod provision;
mod repair;
mod schedule;
mod schema;
mod secret;
mod service;
mod trust;
mod usage;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use interlink_journal::{SEGMENT_BYTES, SEGMENT_BYTES_MIN};
use serde_json::Value;

use crate::client::Client;
use crate::identity::{Role, mint};
use crate::server::{Settings, serve};

/// The largest segment that may be asked for, MiB: a start reads the last one into memory.
const SEGMENT_MIB_MAX: u64 = 1_024;

/// Co-production of public services: server and command line.
#[derive(Debug, Parser)]
#[command(name = "interlink", version, about, max_term_width = 100)]
pub struct Cli {
    /// The server that commands talk to.
    #[arg(long, global = true, default_value = "http://127.0.0.1:7007", env = "INTERLINK_SERVER")]
    server: String,
    /// How answers are printed.
    #[arg(long, global = true, value_enum, default_value_t = Output::Table)]
    output: Output,
    #[command(subcommand)]
    command: Command,
}

/// How answers are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Table,
    /// For programs.
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the server on a data directory.
    Serve {
        /// The data directory; made where it is not there.
        #[arg(long, default_value = "interlink-data", env = "INTERLINK_DATA_DIR")]
        data: PathBuf,
        /// Where to listen.
        #[arg(long, default_value = "127.0.0.1:7007")]
        listen: SocketAddr,
        /// A directory of components to publish at the start, in place of those that ship.
        #[arg(long)]
        interlinkers: Option<PathBuf>,
        /// Believe the last address of `X-Forwarded-For`: a proxy in front says where requests come from.
        #[arg(long)]
        behind_proxy: bool,
        #[command(flatten)]
        budget: budget::Budget,
        /// Size of the journal's segments, MiB. For tests, which reach the end of a small one sooner.
        #[arg(long, hide = true, default_value_t = SEGMENT_BYTES >> 20)]
        #[arg(value_parser = clap::value_parser!(u64).range(SEGMENT_BYTES_MIN >> 20..=SEGMENT_MIB_MAX))]
        segment_mib: u64,
    },
    /// Prints a token for a login, signed by the data directory's own key.
    Token {
        /// The login.
        user: String,
        /// What the token allows.
        #[arg(long, value_enum, default_value_t = Role::Member)]
        role: Role,
        /// The data directory.
        #[arg(long, default_value = "interlink-data", env = "INTERLINK_DATA_DIR")]
        data: PathBuf,
        /// How long it is good for: a number with s, m, h or d.
        #[arg(long, default_value = "12h")]
        expires: String,
    },
    /// Checks or imports a schema: a file, an INTERLINK bundle's directory or a zip.
    #[command(subcommand)]
    Schema(schema::Command),
    /// Makes organizations known, which host processes, and says how much these may hold.
    #[command(subcommand)]
    Organization(organization::Command),
    /// Looks at processes.
    #[command(subcommand)]
    Process(process::Command),
    /// Shows what a schedule comes to.
    #[command(subcommand)]
    Schedule(schedule::Command),
    /// Writes Interlinkers, publishes them, and looks at what they did.
    #[command(subcommand)]
    Interlinker(interlinker::Command),
    /// Says whose signatures of components are trusted.
    #[command(subcommand)]
    Trust(trust::Command),
    /// Deals with what failed past its policy.
    #[command(subcommand)]
    Incident(incident::Command),
    /// Shows the registry of usage.
    Usage(usage::Usage),
    /// Shows the summary of adoption.
    Adoption,
    /// Plans or applies a service's declarative file, and says what has drifted from it.
    #[command(subcommand)]
    Provision(provision::Command),
    /// Looks at services, and opens, pauses and ends them.
    #[command(subcommand)]
    Service(service::Command),
    /// Sets secrets, which are never read back.
    #[command(subcommand)]
    Secret(secret::Command),
    /// Checks a data directory.
    #[command(subcommand)]
    Audit(data::Audit),
    /// Works on the state of a data directory.
    #[command(subcommand)]
    State(data::StateCommand),
    /// Mends what an audit finds damaged in the journal of a directory that no server has; without anything to mend it with,
    /// says what each would mend and changes nothing.
    Repair(repair::Repair),
    /// Takes a consistent copy of a running server, with its keys in a file of their own.
    Backup(backup::Backup),
    /// Makes a data directory from a backup.
    Restore(backup::Restore),
    /// Moves old history of a data directory to another disk; links stay in its place.
    Offload(offload::Offload),
    /// Measures this machine.
    Bench(crate::cli::bench::Bench),
}

pub mod bench;

/// Runs a command; errors go to standard error.
pub fn run(cli: Cli) -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_env("INTERLINK_LOG");
    let filter = filter.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info,sled=warn"));
    let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    log.with_ansi(is_terminal).init();
    match dispatch(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(cli: Cli) -> Result<(), String> {
    let Cli { server, output, command } = cli;
    let client = || Client::new(&server, std::env::var("INTERLINK_TOKEN").ok());
    match command {
        Command::Serve { data, listen, interlinkers, behind_proxy, budget, segment_mib } => {
            let (segment_bytes, limits) = (segment_mib << 20, budget.limits());
            serve(&Settings { data, listen, interlinkers, segment_bytes, behind_proxy, limits })
        }
        Command::Token { user, role, data, expires } => token(&user, role, &data, &expires),
        Command::Schema(command) => schema::run(command, client, output),
        Command::Organization(command) => organization::run(&command, &client()?, output),
        Command::Process(command) => process::run(command, &client()?, output),
        Command::Schedule(command) => schedule::run(&command, output),
        Command::Interlinker(command) => interlinker::run(command, client, output),
        Command::Trust(command) => trust::run(&command, &client()?, output),
        Command::Incident(command) => incident::run(command, &client()?, output),
        Command::Usage(usage) => usage::run(&usage, &client()?, output),
        Command::Adoption => usage::adoption(&client()?, output),
        Command::Provision(command) => provision::run(command, &client()?, output),
        Command::Service(command) => service::run(command, &client()?, output),
        Command::Secret(command) => secret::run(&command, &client()?, output),
        Command::Audit(command) => data::audit(&command, output),
        Command::State(command) => data::state(&command),
        Command::Repair(wanted) => repair::repair(&wanted, output),
        Command::Backup(wanted) => backup::backup(&wanted, client, output),
        Command::Restore(wanted) => backup::restore(&wanted, output),
        Command::Offload(wanted) => offload::run(&wanted, output),
        Command::Bench(bench) => bench::run(&bench, output),
    }
}

fn token(user: &str, role: Role, data: &std::path::Path, expires: &str) -> Result<(), String> {
    let secrets = interlink_runtime::keys::Secrets::read(data).map_err(|error| error.to_string())?;
    let now_s = jsonwebtoken::get_current_timestamp();
    println!("{}", mint(&secrets.tokens, user, role, now_s, seconds(expires)?)?);
    Ok(())
}

/// A length of time such as `12h`, in seconds.
fn seconds(text: &str) -> Result<u64, String> {
    let refuse = || format!("`{text}` is no length of time; write a number with s, m, h or d, such as 12h");
    let unit = text.chars().last().ok_or_else(refuse)?;
    let number: u64 = text[..text.len() - unit.len_utf8()].parse().map_err(|_| refuse())?;
    let factor = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(refuse()),
    };
    number.checked_mul(factor).filter(|length| *length > 0).ok_or_else(refuse)
}

/// Every entry of a list, page by page.
fn every(path: &str, client: &Client) -> Result<Vec<Value>, String> {
    let mut all = Vec::new();
    let mut after = String::new();
    loop {
        let page = client.get(&format!("{path}?limit=100{after}"))?;
        all.extend(page["items"].as_array().cloned().unwrap_or_default());
        match page["next_cursor"].as_str() {
            Some(cursor) => after = format!("&cursor={cursor}"),
            None => return Ok(all),
        }
    }
}

/// Prints JSON for programs.
fn print_json(value: &Value) {
    println!("{}", serde_json::to_string_pretty(value).unwrap_or_default());
}

/// Prints rows as a table with a header.
fn print_table(header: &[&str], rows: &[Vec<String>]) {
    let mut widths: Vec<usize> = header.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<_> = cells.zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        println!("{}", padded.join("  ").trim_end());
    };
    line(&mut header.iter().copied());
    rows.iter().for_each(|row| line(&mut row.iter().map(String::as_str)));
}

/// A field as text.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".into(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_as_large_as_it_may_be_and_no_larger() {
        let asked = |mib: u64| Cli::try_parse_from(["interlink", "serve", "--segment-mib", &mib.to_string()]);
        let least = SEGMENT_BYTES_MIN >> 20;
        assert!([least, SEGMENT_BYTES >> 20, SEGMENT_MIB_MAX].into_iter().all(|mib| asked(mib).is_ok()));
        assert!([0, least - 1, SEGMENT_MIB_MAX + 1, u64::MAX].into_iter().all(|mib| asked(mib).is_err()));
    }

    #[test]
    fn lengths_of_time_have_units() {
        assert_eq!(seconds("12h"), Ok(43_200));
        assert_eq!(seconds("90s"), Ok(90));
        for bad in ["", "h", "12", "12w", "-1h", "0h", "é"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
