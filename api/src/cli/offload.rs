//! `interlink offload`: old history on another disk.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{Output, print_json};

/// Segments of the journal that stay where they are, where nobody says how many.
const KEPT: usize = 4;

/// What is moved where.
#[derive(Debug, Args)]
pub struct Offload {
    /// A directory on another disk.
    #[arg(long)]
    to: PathBuf,
    /// The last segments, which stay; the one that is written always does.
    #[arg(long, default_value_t = KEPT)]
    keep: usize,
    /// The data directory.
    #[arg(long, default_value = "interlink-data", env = "INTERLINK_DATA_DIR")]
    data: PathBuf,
}

/// Moves old segments, and says which.
pub fn run(wanted: &Offload, output: Output) -> Result<(), String> {
    let moved = interlink_runtime::offload(&wanted.data, &wanted.to, wanted.keep).map_err(|error| error.to_string())?;
    let bytes: u64 = moved.iter().map(|segment| segment.bytes).sum();
    if output == Output::Json {
        let moved: Vec<_> = moved
            .iter()
            .map(|segment| json!({"to": segment.to.display().to_string(), "bytes": segment.bytes}))
            .collect();
        print_json(&json!({"moved": moved, "bytes": bytes}));
    } else {
        moved.iter().for_each(|segment| println!("{}", segment.to.display()));
        println!("{} segments moved, {:.1} MB", moved.len(), bytes as f64 / 1e6);
    }
    Ok(())
}
