//! What a process takes on disk.

use std::path::Path;

use interlink_model::process::Command;

use super::Outcome;
use super::engine::{command, new_process, open};

/// Bytes that a process takes when it has been driven to its end.
pub struct Disk {
    pub journal: f64,
    pub state: f64,
    pub commands: f64,
}

pub async fn bytes_on_disk(place: &Path) -> Outcome<Disk> {
    const PROCESSES: u64 = 200;
    let (engine, caller) = open(place).await?;
    engine.close();
    drop(engine);
    let before = (journal_bytes(place)?, state_bytes(place)?);
    let (engine, _) = open(place).await?;
    let mut commands = 0;
    for number in 0..PROCESSES {
        let id = new_process(&engine, &caller, &format!("disk {number}")).await?;
        commands += 2;
        loop {
            let process = engine.process(id).map_err(|trouble| trouble.to_string())?.process;
            let Some(next) = process.guide().next.first().map(|next| next.task) else { break };
            let task = process.plan.outline.tasks[next].id.clone();
            for wish in [Command::StartTask(task.clone()), Command::Complete(task.clone())] {
                command(&engine, &caller, id, &wish).await?;
                commands += 1;
            }
        }
    }
    engine.close();
    drop(engine);
    let each = |before: u64, after: u64| after.saturating_sub(before) as f64 / PROCESSES as f64;
    Ok(Disk {
        journal: each(before.0, journal_bytes(place)?),
        state: each(before.1, state_bytes(place)?),
        commands: f64::from(commands) / PROCESSES as f64,
    })
}

/// Bytes that the journal's segments hold, without the zeros that wait for more.
fn journal_bytes(place: &Path) -> Outcome<u64> {
    let mut total = 0;
    for entry in std::fs::read_dir(place.join("journal")).map_err(|error| error.to_string())? {
        let path = entry.map_err(|error| error.to_string())?.path();
        if path.extension().is_some_and(|extension| extension == "segment") {
            let bytes = std::fs::read(&path).map_err(|error| error.to_string())?;
            total += (bytes.len() - bytes.iter().rev().take_while(|byte| **byte == 0).count()) as u64;
        }
    }
    Ok(total)
}

fn state_bytes(place: &Path) -> Outcome<u64> {
    let mut total = 0;
    for entry in std::fs::read_dir(place.join("state")).map_err(|error| error.to_string())? {
        let meta = entry.and_then(|entry| entry.metadata()).map_err(|error| error.to_string())?;
        total += if meta.is_file() { meta.len() } else { 0 };
    }
    Ok(total)
}
