//! A process with a long history: what it costs to load it, and to go on.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use interlink_model::process::Command;
use interlink_runtime::{AsOf, Options};
use serde_json::{Value, json};

use super::Outcome;
use super::engine::{command, open_with, start_of};
use super::measured::Measured;

/// Tasks that people claim and release side by side.
const TASKS: usize = 64;
/// Events of the page of history that is measured.
const PAGE: usize = 100;
/// Commands that are measured.
const COMMANDS: usize = 2_000;

fn schema() -> String {
    let tasks: Vec<_> = (0..TASKS).map(|number| format!("{{ id: t{number} }}")).collect();
    let tasks = tasks.join(", ");
    format!("name: long\nversion: 1.0.0\nphases: [{{ id: p, objectives: [{{ id: o, tasks: [{tasks}] }}] }}]\n")
}

/// Tasks claimed and released in turn, `number` of them before.
fn wish(task: usize, number: usize) -> Command {
    let task = format!("t{task}");
    if number.is_multiple_of(2) { Command::Claim(task) } else { Command::Release(task) }
}

/// Makes a process and has so many events happen to it.
pub async fn make(place: &Path, events: usize) -> Outcome<Value> {
    let (engine, caller) = open_with(place, Options::default(), &schema()).await?;
    let id = start_of(&engine, &caller, "long", "A long one").await?;
    let numbers = Arc::new(AtomicUsize::new(0));
    let began = Instant::now();
    let people: Vec<_> = (0..TASKS)
        .map(|task| {
            let (engine, caller, numbers) = (Arc::clone(&engine), caller.clone(), Arc::clone(&numbers));
            tokio::spawn(async move {
                let mut own = 0;
                // An even number each, so that every task is free in the end.
                while own % 2 == 1 || numbers.fetch_add(2, Ordering::Relaxed) < events {
                    command(&engine, &caller, id, &wish(task, own)).await?;
                    own += 1;
                }
                Ok::<_, String>(())
            })
        })
        .collect();
    for person in people {
        person.await.map_err(|error| error.to_string())??;
    }
    let per_second = events as f64 / began.elapsed().as_secs_f64();
    engine.close();
    Ok(json!({"made_per_second": per_second}))
}

/// Loads it, in a process that has made nothing.
pub async fn look(place: &Path) -> Outcome<Value> {
    let text = |trouble: interlink_runtime::Trouble| trouble.to_string();
    let (engine, caller) = open_with(place, Options::default(), &schema()).await?;
    let id = *engine.process_ids(None, 1).map_err(text)?.first().ok_or("the process is not there")?;
    let timed = |at: Option<AsOf>| -> Outcome<(Duration, u64)> {
        let began = Instant::now();
        let shown = match at {
            None => engine.process(id),
            Some(at) => engine.process_as_of(id, at),
        };
        let version = shown.map_err(text)?.process.version;
        Ok((began.elapsed(), version))
    };
    let (from_row, version) = timed(None)?;
    let (folded, folded_version) = timed(Some(AsOf::Version(version)))?;
    if folded_version != version {
        return Err(format!("folded it is at version {folded_version}, and from its row at {version}"));
    }
    let (half_way, _) = timed(Some(AsOf::Version(version / 2)))?;
    let began = Instant::now();
    // Positions are of the whole journal, in which hardly anything but this process is.
    let page = engine.events(id, engine.size().1 / 2, PAGE).map_err(text)?;
    let page_took = began.elapsed();
    if page.len() != PAGE {
        return Err(format!("a page of history has {} events, and {PAGE} were asked for", page.len()));
    }
    let mut taken = Vec::new();
    let began = Instant::now();
    for number in 0..COMMANDS {
        let began = Instant::now();
        command(&engine, &caller, id, &wish(0, number)).await?;
        taken.push(began.elapsed());
    }
    let commands = Measured::of(taken, began.elapsed());
    engine.close();
    Ok(json!({
        "events": version + 1,
        "from_row_us": from_row.as_secs_f64() * 1e6,
        "folded_us": folded.as_secs_f64() * 1e6,
        "half_way_us": half_way.as_secs_f64() * 1e6,
        "page_us": page_took.as_secs_f64() * 1e6,
        "command": commands.json(),
    }))
}
