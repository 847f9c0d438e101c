//! The engine that is measured: opened with its schemas, and told what to do.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use interlink_host::Limits;
use interlink_model::event::Actor;
use interlink_model::facts::SchemaSource;
use interlink_model::id::ProcessId;
use interlink_model::process::{Command, NewProcess};
use interlink_model::schema::authoring::{Syntax, parse};
use interlink_runtime::{Answer, Caller, Engine, Options, Permit};

use super::Outcome;
use super::measured::Measured;

/// The schema whose processes are driven.
pub const SCHEMA: &str = include_str!("../../../../examples/schemas/participatory-budget.yaml");
/// Its name.
pub const BUDGET: &str = "participatory-budget";
/// The first task of that schema: claimed and released.
pub const TASK: &str = "agree-aim";
const POLL: &[u8] = include_bytes!("../../../../interlinkers/dist/poll.wasm");
const DOCUMENT: &[u8] = include_bytes!("../../../../interlinkers/dist/document.wasm");
const WEBHOOK: &[u8] = include_bytes!("../../../../interlinkers/dist/webhook.wasm");
/// Who makes processes side by side, where many are made.
const MAKERS: usize = 64;

/// Opens the engine with the schema and the Interlinkers.
pub async fn open(place: &Path) -> Outcome<(Arc<Engine>, Caller)> {
    open_with(place, Options::default(), SCHEMA).await
}

/// The schema with a deadline: each process of it that was started has a timer that waits.
pub fn with_deadline() -> String {
    SCHEMA.replacen("licence:", "deadline: 30 days after start\nlicence:", 1)
}

/// The same with everything that can be chosen. A directory that has a schema keeps what it has.
pub async fn open_with(place: &Path, options: Options, schema: &str) -> Outcome<(Arc<Engine>, Caller)> {
    let engine = Arc::new(Engine::open(place, options, &mut |_| {}).map_err(|error| error.to_string())?);
    let caller = engine.caller("bench", "ana", true).await.map_err(|trouble| trouble.to_string())?;
    if engine.schemas().is_empty() {
        let parsed = parse(schema.as_bytes(), Syntax::Yaml).map_err(|refusal| refusal.to_string())?;
        let imported =
            engine.import_schema(parsed, SchemaSource::Authored, Actor::System, |_| empty(), &Permit::default()).await;
        imported.map_err(|trouble| trouble.to_string())?;
        for component in [POLL, DOCUMENT, WEBHOOK] {
            let published = engine.publish(component, None, Actor::System, |_| empty(), &Permit::default()).await;
            published.map_err(|trouble| trouble.to_string())?;
        }
    }
    Ok((engine, caller))
}

/// Options with which an Interlinker that is called without a pause stays within its CPU time, so that what is measured is what a
/// call costs, and not how it gives way to others.
pub fn within_budget() -> Options {
    let options = Options::default();
    let cpu_ms_per_s = u32::try_from(options.guest_threads).unwrap_or(1) * 1_000;
    let limits = Limits { cpu_ms_per_s, cpu_burst_ms: 1_000, ..Limits::default() };
    Options { limits, ..options }
}

/// An answer of which nobody reads anything.
pub fn empty() -> Answer {
    Answer { status: 200, content_type: String::new(), body: Vec::new(), location: None, etag: None }
}

/// Makes a process of the one schema and starts it.
pub async fn new_process(engine: &Engine, caller: &Caller, name: &str) -> Outcome<ProcessId> {
    start_of(engine, caller, BUDGET, name).await
}

/// Makes a process of a schema and starts it.
pub async fn start_of(engine: &Engine, caller: &Caller, schema: &str, name: &str) -> Outcome<ProcessId> {
    let schema = engine.schema(schema).map_err(|trouble| trouble.to_string())?;
    let new = NewProcess { name: name.into(), ..NewProcess::default() };
    let made = engine.create_process(caller, &schema, new, |_, _| empty(), Permit::default()).await;
    let (process, _) = made.map_err(|trouble| trouble.to_string())?;
    command(engine, caller, process.id, &Command::Start).await?;
    Ok(process.id)
}

/// Has a command done.
pub async fn command(engine: &Engine, caller: &Caller, id: ProcessId, command: &Command) -> Outcome<()> {
    engine.room().await.map_err(|trouble| trouble.to_string())?;
    let done = engine.command(caller, id, command, None, None, |_, _| empty(), Permit::default()).await;
    done.map(|_| ()).map_err(|trouble| trouble.to_string())
}

/// Makes and starts so many processes side by side.
pub async fn many(
    engine: &Arc<Engine>,
    caller: &Caller,
    schema: &'static str,
    count: usize,
) -> Outcome<(Vec<ProcessId>, Measured)> {
    let began = Instant::now();
    let numbers = Arc::new(AtomicUsize::new(0));
    let makers: Vec<_> = (0..MAKERS)
        .map(|_| {
            let (engine, caller, numbers) = (Arc::clone(engine), caller.clone(), Arc::clone(&numbers));
            tokio::spawn(async move {
                let mut made: Vec<(ProcessId, Duration)> = Vec::new();
                loop {
                    let number = numbers.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return Ok::<_, String>(made);
                    }
                    let began = Instant::now();
                    engine.room().await.map_err(|trouble| trouble.to_string())?;
                    let id = start_of(&engine, &caller, schema, &format!("{schema} {number}")).await?;
                    made.push((id, began.elapsed()));
                }
            })
        })
        .collect();
    let (mut ids, mut taken) = (Vec::new(), Vec::new());
    for maker in makers {
        for (id, took) in maker.await.map_err(|error| error.to_string())?? {
            ids.push(id);
            taken.push(took);
        }
    }
    Ok((ids, Measured::of(taken, began.elapsed())))
}
