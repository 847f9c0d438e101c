//! Start-up, memory, one command and a backup with many processes, each with a timer that waits.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::time::Instant;

use interlink_model::process::Command;
use interlink_runtime::backup::{self, Packed, Restore};
use interlink_runtime::{Engine, Options};
use serde_json::{Value, json};

use super::Outcome;
use super::engine::{BUDGET, TASK, command, many, open, open_with, with_deadline};
use super::measured::Measured;

/// Commands that are measured.
const COMMANDS: usize = 2_000;

/// Makes the processes; measured is how fast.
pub async fn make(place: &Path, processes: usize) -> Outcome<Value> {
    let (engine, caller) = open_with(place, Options::default(), &with_deadline()).await?;
    let (_, made) = many(&engine, &caller, BUDGET, processes).await?;
    engine.close();
    Ok(json!({"made_per_second": made.per_second}))
}

/// Starts on what was made, in a process that has made nothing.
pub async fn look(place: &Path, processes: usize) -> Outcome<Value> {
    let began = Instant::now();
    let (engine, caller) = open(place).await?;
    let started = began.elapsed();
    let resident = resident_bytes();
    let mut ids = Vec::new();
    while ids.len() < processes {
        let page = engine.process_ids(ids.last().copied(), 1_000).map_err(|trouble| trouble.to_string())?;
        if page.is_empty() {
            return Err(format!("{} processes are there, {processes} were made", ids.len()));
        }
        ids.extend(page);
    }
    let mut taken = Vec::new();
    let began = Instant::now();
    for number in 0..COMMANDS {
        // A step that shares no factor with the number of processes goes through all of them.
        let id = ids[(number * 7_919) % ids.len()];
        let claimed = Instant::now();
        let process = engine.process(id).map_err(|trouble| trouble.to_string())?.process;
        let wish = match process.tasks[0].stage.person() {
            Some(_) => Command::Release(TASK.into()),
            None => Command::Claim(TASK.into()),
        };
        command(&engine, &caller, id, &wish).await?;
        taken.push(claimed.elapsed());
    }
    let commands = Measured::of(taken, began.elapsed());
    let backup = backed_up(&engine, place)?;
    engine.close();
    Ok(json!({
        "processes": processes,
        "start_s": started.as_secs_f64(),
        "resident_mb": resident as f64 / 1e6,
        "command": commands.json(),
        "backup": backup,
    }))
}

/// Takes a backup and restores it, as `interlink backup` and `interlink restore` do.
fn backed_up(engine: &Engine, place: &Path) -> Outcome<Value> {
    let [file, keys, data] = ["bench.backup", "bench.keys", "restored"].map(|name| place.join(name));
    let began = Instant::now();
    let packed = engine.backup_data().map_err(|error| error.to_string())?;
    written(&packed, &file)?;
    written(&engine.backup_keys(&packed.id()).map_err(|error| error.to_string())?, &keys)?;
    let (taken_s, began) = (began.elapsed().as_secs_f64(), Instant::now());
    let wanted = Restore { file, keys, data, erasures: None, despite_damage: false };
    backup::restore(&wanted, &mut |_| {}).map_err(|error| error.to_string())?;
    let (megabytes, restored_s) = (packed.bytes() as f64 / 1e6, began.elapsed().as_secs_f64());
    Ok(json!({"mb": megabytes, "taken_mb_per_s": megabytes / taken_s, "restored_mb_per_s": megabytes / restored_s}))
}

fn written(packed: &Packed, path: &Path) -> Outcome<()> {
    let mut to = BufWriter::new(File::create(path).map_err(|error| error.to_string())?);
    packed.write_to(&mut to).map_err(|error| error.to_string())?;
    let file = to.into_inner().map_err(|error| error.to_string())?;
    file.sync_all().map_err(|error| error.to_string())
}

/// Memory that this process holds, in bytes.
pub fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * 4_096
}
