//! `interlink repair`: on a data directory that no server has.

use std::path::PathBuf;

use clap::Args;
use interlink_journal::DamageKind;
use interlink_runtime::repair::{self, Fate, Mended, Place};
use serde_json::json;

use super::{Output, print_json};

/// What is mended, and with what.
#[derive(Debug, Args)]
pub struct Repair {
    /// The data directory.
    #[arg(long, default_value = "interlink-data", env = "INTERLINK_DATA_DIR")]
    data: PathBuf,
    /// A backup of the same journal: what is damaged here and sound there is put back. Its keys are not needed.
    #[arg(long)]
    from: Option<PathBuf>,
    /// Lets what is damaged still go on from the state, where the state has all of it. The events that are damaged are given
    /// up for good: a backup is better.
    #[arg(long)]
    from_state: bool,
}

/// Mends a data directory; an error where anything is damaged still.
pub fn repair(wanted: &Repair, output: Output) -> Result<(), String> {
    let asked = repair::Repair { data: wanted.data.clone(), from: wanted.from.clone(), from_state: wanted.from_state };
    let mended = repair::repair(&asked).map_err(|error| error.to_string())?;
    let is_plan = asked.from.is_none() && !asked.from_state;
    if output == Output::Json {
        let place = |place: &Place| {
            json!({
                "file": place.damage.file, "offset": place.damage.offset, "damage": place.damage.to_string(),
                "stream": place.damage.stream().map(|stream| stream.to_string()), "version": place.damage.version(),
                "done": done(place, is_plan),
            })
        };
        let unused: Vec<_> =
            mended.unused.iter().map(|(file, reason)| json!({"segment": file, "reason": reason})).collect();
        print_json(&json!({"places": mended.places.iter().map(place).collect::<Vec<_>>(), "unused": unused}));
    } else {
        tell(&mended, is_plan);
    }
    match mended.left() {
        0 => Ok(()),
        left => Err(format!("damaged still: {left}")),
    }
}

fn tell(mended: &Mended, is_plan: bool) {
    for place in &mended.places {
        println!("{}: {}", place.damage, done(place, is_plan));
    }
    for (segment, reason) in &mended.unused {
        println!("segment {segment} of the backup was not used: {reason}");
    }
    if mended.places.is_empty() {
        println!("nothing is damaged");
    }
}

/// What was done about damage, or could be, in words.
fn done(place: &Place, is_plan: bool) -> String {
    match &place.fate {
        Fate::Left(_) if is_plan && matches!(place.damage.kind, DamageKind::Header | DamageKind::Batch) => {
            "put back from what says the same, with --from or --from-state; where that is damaged too, from a backup"
                .into()
        }
        Fate::PutBack => "put back".into(),
        Fate::GoesOn([from, to]) => format!("its stream goes on from the state; versions {from} to {to} are lost"),
        Fate::Known([from, to]) => format!("known, mended from the state before; versions {from} to {to} are lost"),
        Fate::Left(Ok([from, to])) if is_plan => format!(
            "a backup that has it puts it back (--from); or its stream goes on from the state, which gives up versions \
             {from} to {to} for good (--from-state)"
        ),
        Fate::Left(Err(reason)) if is_plan => {
            format!("a backup that has it puts it back (--from); not from the state: {reason}")
        }
        Fate::Left(Ok([from, to])) => {
            format!("damaged still; from the state (--from-state) it would go on without versions {from} to {to}")
        }
        Fate::Left(Err(reason)) => format!("damaged still; not from the state: {reason}"),
    }
}
