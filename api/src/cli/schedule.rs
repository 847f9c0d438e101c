//! `interlink schedule preview`: what a schedule comes to. Needs no server.

use clap::Subcommand;
use interlink_model::id::Micros;
use serde_json::Value;

use super::{Output, print_json, print_table, text};
use crate::routes::schedules::{PREVIEW_MAX, instant, runs};

/// What is asked of a schedule.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Shows the next runs.
    Preview {
        /// Five fields as Unix's cron, six with seconds in front, or a name such as `@daily`.
        cron: String,
        /// The zone by whose clocks it goes.
        #[arg(long, default_value = "UTC")]
        zone: String,
        /// From when on, as RFC 3339; now, where it is left out.
        #[arg(long)]
        from: Option<String>,
        /// How many.
        #[arg(long, default_value_t = 5)]
        count: usize,
    },
}

/// Runs the command.
pub fn run(command: &Command, output: Output) -> Result<(), String> {
    let Command::Preview { cron, zone, from, count } = command;
    let from = match from {
        None => Micros(jiff::Timestamp::now().as_microsecond()),
        Some(text) => instant(text).ok_or_else(|| format!("`{text}` is no time; write 2027-05-01T09:00:00Z"))?,
    };
    if !(1..=PREVIEW_MAX).contains(count) {
        return Err(format!("`--count` is a number from 1 to {PREVIEW_MAX}"));
    }
    let items = runs(cron, zone, from, *count).map_err(|(_, why)| why)?;
    match output {
        Output::Json => print_json(&Value::Array(items)),
        Output::Table => {
            let row = |item: &Value| vec![text(&item["local"]), text(&item["at"])];
            print_table(&["local", "UTC"], &items.iter().map(row).collect::<Vec<_>>());
        }
    }
    Ok(())
}
