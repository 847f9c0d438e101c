//! `interlink bench`: the numbers, on this machine, in one run.
//!
//! Durable commands are measured beside the least that could be done: an append-only file of 300-byte records with one
//! shared `fdatasync`, driven by the same number of writers. Figures of two machines compare badly; the ratio in one run
//! compares well.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use interlink_host::{Call, CallContext, Entry as GuestEntry};
use interlink_model::event::Actor;
use interlink_model::facts::SchemaSource;
use interlink_model::id::ProcessId;
use interlink_model::keyvalues::KeyValues;
use interlink_model::process::{Command, NewProcess};
use interlink_model::schema::authoring::{Syntax, parse};
use interlink_runtime::{Answer, Caller, Engine, NewAsset, Options, Permit};
use serde_json::{Value, json};

use super::{Output, print_json, print_table};

/// The schema whose processes are driven.
const SCHEMA: &str = include_str!("../../../examples/schemas/participatory-budget.yaml");
const POLL: &[u8] = include_bytes!("../../../interlinkers/dist/poll.wasm");
const DOCUMENT: &[u8] = include_bytes!("../../../interlinkers/dist/document.wasm");
/// Writers that are measured.
const WRITERS: [usize; 4] = [1, 16, 64, 256];
/// Processes with which start-up and commands are measured.
const SCALES: [usize; 3] = [1_000, 10_000, 100_000];
/// The first task of the schema: claimed and released.
const TASK: &str = "agree-aim";
/// Bytes of a record of the append-only file.
const RECORD_BYTES: usize = 300;

/// What is measured.
#[derive(Debug, Args)]
pub struct Bench {
    /// Seconds for each figure of durable commands.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Where to write; a directory of its own below it is made and removed.
    #[arg(long, default_value = ".")]
    directory: PathBuf,
    /// Leaves out the measurements with many processes.
    #[arg(long)]
    short: bool,
    /// Measures with so many processes only, and prints JSON: each scale is measured in a process of its own.
    #[arg(long, hide = true)]
    scale: Option<usize>,
}

type Outcome<T> = Result<T, String>;

/// A directory that is removed afterwards.
struct Place(PathBuf);

impl Place {
    fn new(below: &Path, name: &str) -> Outcome<Self> {
        let path = below.join(format!("interlink-bench-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What cannot be removed is named after the bench.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Measures.
pub fn run(bench: &Bench, output: Output) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    if let Some(processes) = bench.scale {
        let place = Place::new(&bench.directory, "scale")?;
        println!("{}", runtime.block_on(scale(&place.0, processes))?);
        return Ok(());
    }
    let length = Duration::from_secs(bench.seconds);
    let mut commands = Vec::new();
    for writers in WRITERS {
        let place = Place::new(&bench.directory, "file")?;
        let raw = runtime.block_on(raw_file(&place.0, writers, length))?;
        let place = Place::new(&bench.directory, "engine")?;
        let ours = runtime.block_on(durable_commands(&place.0, writers, length))?;
        commands.push((writers, ours, raw));
    }
    let place = Place::new(&bench.directory, "calls")?;
    let calls = runtime.block_on(interlinker_calls(&place.0))?;
    let place = Place::new(&bench.directory, "disk")?;
    let disk = runtime.block_on(bytes_on_disk(&place.0))?;
    let mut scales = Vec::new();
    if !bench.short {
        for processes in SCALES {
            scales.push(in_a_process_of_its_own(bench, processes)?);
        }
    }
    report(output, &commands, &calls, &disk, &scales);
    Ok(())
}

/// Rate and latency of something.
#[derive(Debug, Clone, Copy)]
struct Measured {
    per_second: f64,
    p50_us: f64,
    p99_us: f64,
}

impl Measured {
    fn of(mut taken: Vec<Duration>, length: Duration) -> Self {
        taken.sort();
        let at = |share: f64| match taken.len() {
            0 => 0.0,
            many => taken[((many - 1) as f64 * share) as usize].as_secs_f64() * 1e6,
        };
        Self { per_second: taken.len() as f64 / length.as_secs_f64(), p50_us: at(0.5), p99_us: at(0.99) }
    }

    fn json(self) -> Value {
        json!({"per_second": self.per_second, "p50_us": self.p50_us, "p99_us": self.p99_us})
    }
}

/// Runs `work` again and again in so many tasks, each with its number.
async fn measure<F, W>(writers: usize, length: Duration, work: F) -> Outcome<Measured>
where
    F: Fn(usize) -> W + Clone + Send + Sync + 'static,
    W: Future<Output = Outcome<()>> + Send,
{
    let until = Instant::now() + length;
    let tasks: Vec<_> = (0..writers)
        .map(|writer| {
            let work = work.clone();
            tokio::spawn(async move {
                let mut taken = Vec::new();
                while Instant::now() < until {
                    let began = Instant::now();
                    work(writer).await?;
                    taken.push(began.elapsed());
                }
                Ok::<_, String>(taken)
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.map_err(|error| error.to_string())??);
    }
    Ok(Measured::of(all, length))
}

/// The least that durability costs: one file, records appended, one sync shared by all that wait.
async fn raw_file(place: &Path, writers: usize, length: Duration) -> Outcome<Measured> {
    let mut file = File::create(place.join("log")).map_err(|error| error.to_string())?;
    type Waiting = tokio::sync::oneshot::Sender<()>;
    let (send, waiting) = std::sync::mpsc::channel::<Waiting>();
    let committer = std::thread::spawn(move || {
        let mut buffer = Vec::new();
        while let Ok(first) = waiting.recv() {
            let all: Vec<_> = [first].into_iter().chain(waiting.try_iter()).collect();
            buffer.clear();
            buffer.resize(all.len() * RECORD_BYTES, 7u8);
            if file.write_all(&buffer).and_then(|()| file.sync_data()).is_err() {
                return;
            }
            for writer in all {
                // A writer whose time is over does not wait.
                let _ = writer.send(());
            }
        }
    });
    let measured = measure(writers, length, move |_| {
        let send = send.clone();
        async move {
            let (tell, told) = tokio::sync::oneshot::channel();
            send.send(tell).map_err(|_| "the file cannot be written")?;
            told.await.map_err(|_| "the file cannot be written".to_owned())
        }
    })
    .await?;
    committer.join().map_err(|_| "the file's committer failed".to_owned())?;
    Ok(measured)
}

async fn open(place: &Path) -> Outcome<(Arc<Engine>, Caller)> {
    let engine = Engine::open(place, Options::default(), &mut |_| {}).map_err(|error| error.to_string())?;
    let engine = Arc::new(engine);
    let caller = engine.caller("bench", "ana", true).await.map_err(|trouble| trouble.to_string())?;
    if engine.schemas().is_empty() {
        let parsed = parse(SCHEMA.as_bytes(), Syntax::Yaml).map_err(|refusal| refusal.to_string())?;
        let imported =
            engine.import_schema(parsed, SchemaSource::Authored, Actor::System, |_| empty(), &Permit::default()).await;
        imported.map_err(|trouble| trouble.to_string())?;
        for component in [POLL, DOCUMENT] {
            let published = engine.publish(component, Actor::System, |_| empty(), &Permit::default()).await;
            published.map_err(|trouble| trouble.to_string())?;
        }
    }
    Ok((engine, caller))
}

fn empty() -> Answer {
    Answer { status: 200, content_type: String::new(), body: Vec::new(), location: None, etag: None }
}

/// Makes a process and starts it.
async fn new_process(engine: &Engine, caller: &Caller, name: &str) -> Outcome<ProcessId> {
    let schema = engine.schema("participatory-budget").map_err(|trouble| trouble.to_string())?;
    let new = NewProcess { name: name.into(), ..NewProcess::default() };
    let made = engine.create_process(caller, &schema, new, |_, _| empty(), Permit::default()).await;
    let (process, _) = made.map_err(|trouble| trouble.to_string())?;
    command(engine, caller, process.id, &Command::Start).await?;
    Ok(process.id)
}

async fn command(engine: &Engine, caller: &Caller, id: ProcessId, command: &Command) -> Outcome<()> {
    engine.room().await.map_err(|trouble| trouble.to_string())?;
    let done = engine.command(caller, id, command, None, None, |_, _| empty(), Permit::default()).await;
    done.map(|_| ()).map_err(|trouble| trouble.to_string())
}

/// Tasks claimed and released, each writer on a process of its own.
async fn durable_commands(place: &Path, writers: usize, length: Duration) -> Outcome<Measured> {
    let (engine, caller) = open(place).await?;
    let mut ids = Vec::new();
    for writer in 0..writers {
        ids.push((
            new_process(&engine, &caller, &format!("bench {writer}")).await?,
            std::sync::atomic::AtomicBool::new(false),
        ));
    }
    let ids = Arc::new(ids);
    let working = Arc::clone(&engine);
    let measured = measure(writers, length, move |writer| {
        let (engine, caller, ids) = (Arc::clone(&working), caller.clone(), Arc::clone(&ids));
        async move {
            let (id, claimed) = &ids[writer];
            let was = claimed.fetch_xor(true, std::sync::atomic::Ordering::Relaxed);
            let wish = if was { Command::Release(TASK.into()) } else { Command::Claim(TASK.into()) };
            command(&engine, &caller, *id, &wish).await
        }
    })
    .await;
    engine.close();
    measured
}

/// What a call of an Interlinker costs, part by part.
struct Calls {
    instantiate: Measured,
    call: Measured,
    both: Measured,
    with_commit: Measured,
}

async fn interlinker_calls(place: &Path) -> Outcome<Calls> {
    const CALLS: usize = 5_000;
    let (engine, caller) = open(place).await?;
    let text = |trouble: interlink_runtime::Trouble| trouble.to_string();
    let poll = engine.interlinker("poll").map_err(text)?.reference;
    let guest = engine.load(&poll).await.map_err(text)?;
    let input = json!({"question": "Which park first?", "options": ["A", "B"], "quorum": 3});
    let context = || CallContext { at: "2027-01-01T00:00:00Z".into(), language: "en".into(), ..CallContext::default() };
    let call = |entry: GuestEntry, state: KeyValues| {
        let (tell, told) = tokio::sync::oneshot::channel();
        let call = Call { entry, state, context: context() };
        engine.host().call(&guest, call, Box::new(move |called| drop(tell.send(called))));
        async { told.await.map_err(|error| error.to_string()) }
    };
    let opened = call(GuestEntry::Instantiate { input: input.clone() }, KeyValues::default()).await?;
    let state = opened.result.map_err(|failure| format!("{failure:?}"))?.state;
    let (mut instantiate, mut inside, mut both) = (Vec::new(), Vec::new(), Vec::new());
    let began = Instant::now();
    for _ in 0..CALLS {
        let called = call(GuestEntry::View { query: json!({}) }, state.clone()).await?;
        called.result.map_err(|failure| format!("{failure:?}"))?;
        let micros = Duration::from_micros;
        instantiate.push(micros(called.cost.instantiate_us));
        inside.push(micros(called.cost.call_us));
        both.push(micros(called.cost.instantiate_us + called.cost.call_us));
    }
    let length = began.elapsed();
    let process = new_process(&engine, &caller, "calls").await?;
    let document = engine.interlinker("document").map_err(text)?.reference;
    let new = NewAsset {
        task: TASK.into(),
        interlinker: document,
        name: "What we want".into(),
        input: json!({"title": "What we want"}),
    };
    let made = std::sync::OnceLock::new();
    let note = |asset: Result<(&interlink_model::asset::Asset, &str), &interlink_runtime::Trouble>| {
        if let Ok((asset, _)) = asset {
            let _ = made.set(asset.id);
        }
        empty()
    };
    engine.instantiate(&caller, process, new, "en", note, Permit::default()).await.map_err(text)?;
    let asset = *made.get().ok_or("no asset was made")?;
    let mut committed = Vec::new();
    let began_committing = Instant::now();
    for number in 0..CALLS / 5 {
        let began = Instant::now();
        let input = json!({"section": "aim", "text": format!("Places where children play, written {number} times.")});
        let acted = engine.act(&caller, asset, "write", input, "en", None, |_| empty(), Permit::default()).await;
        acted.map_err(text)?;
        committed.push(began.elapsed());
    }
    let with_commit = Measured::of(committed, began_committing.elapsed());
    engine.close();
    Ok(Calls {
        instantiate: Measured::of(instantiate, length),
        call: Measured::of(inside, length),
        both: Measured::of(both, length),
        with_commit,
    })
}

/// Bytes that a process takes when it has been driven to its end.
struct Disk {
    journal: f64,
    state: f64,
    commands: f64,
}

async fn bytes_on_disk(place: &Path) -> Outcome<Disk> {
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

/// Start-up, memory and a command with so many processes.
async fn scale(place: &Path, processes: usize) -> Outcome<Value> {
    const COMMANDS: usize = 2_000;
    let (engine, caller) = open(place).await?;
    let began = Instant::now();
    let numbers = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let makers: Vec<_> = (0..64)
        .map(|_| {
            let (engine, caller, numbers) = (Arc::clone(&engine), caller.clone(), Arc::clone(&numbers));
            tokio::spawn(async move {
                loop {
                    let number = numbers.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if number >= processes {
                        return Ok::<_, String>(());
                    }
                    engine.room().await.map_err(|trouble| trouble.to_string())?;
                    new_process(&engine, &caller, &format!("scale {number}")).await?;
                }
            })
        })
        .collect();
    for maker in makers {
        maker.await.map_err(|error| error.to_string())??;
    }
    let made = began.elapsed();
    engine.close();
    drop(engine);
    // A fresh process would start with this memory; what was used to make the processes is given back.
    let before = resident_bytes();
    let began = Instant::now();
    let (engine, caller) = open(place).await?;
    let started = began.elapsed();
    let after = resident_bytes();
    let mut ids = Vec::new();
    while ids.len() < processes {
        let page = engine.process_ids(ids.last().copied(), 1_000);
        if page.is_empty() {
            break;
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
    engine.close();
    Ok(json!({
        "processes": processes,
        "made_per_second": processes as f64 / made.as_secs_f64(),
        "start_s": started.as_secs_f64(),
        "resident_mb": after as f64 / 1e6,
        "resident_before_mb": before as f64 / 1e6,
        "command": commands.json(),
    }))
}

/// Memory that this process holds, in bytes.
fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * 4_096
}

fn in_a_process_of_its_own(bench: &Bench, processes: usize) -> Outcome<Value> {
    let binary = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut child = std::process::Command::new(binary);
    child.args(["bench", "--scale", &processes.to_string(), "--directory"]).arg(&bench.directory);
    let output = child.output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())
}

fn report(output: Output, commands: &[(usize, Measured, Measured)], calls: &Calls, disk: &Disk, scales: &[Value]) {
    if output == Output::Json {
        let commands = commands.iter().map(|(writers, ours, raw)| {
            json!({"writers": writers, "engine": ours.json(), "file": raw.json(), "share": ours.per_second / raw.per_second})
        });
        print_json(&json!({
            "commands": commands.collect::<Vec<_>>(),
            "calls": {"instantiate": calls.instantiate.json(), "call": calls.call.json(), "both": calls.both.json(),
                "with_commit": calls.with_commit.json()},
            "disk": {"journal_bytes": disk.journal, "state_bytes": disk.state, "commands": disk.commands},
            "scales": scales,
        }));
        return;
    }
    println!("Durable commands a second, beside an append-only file with a shared fdatasync\n");
    let row = |(writers, ours, raw): &(usize, Measured, Measured)| {
        vec![
            writers.to_string(),
            format!("{:.0}", ours.per_second),
            format!("{:.0}", ours.p50_us),
            format!("{:.0}", ours.p99_us),
            format!("{:.0}", raw.per_second),
            format!("{:.0}", raw.p50_us),
            format!("{:.0}", raw.p99_us),
            format!("{:.2}", ours.per_second / raw.per_second),
        ]
    };
    let header = ["writers", "engine/s", "p50 µs", "p99 µs", "file/s", "p50 µs", "p99 µs", "share"];
    print_table(&header, &commands.iter().map(row).collect::<Vec<_>>());
    println!("\nA call of an Interlinker (a view of `poll`; with commit: `write` of `document`), one caller\n");
    let row = |what: &str, measured: Measured| {
        vec![
            what.to_owned(),
            format!("{:.0}", measured.p50_us),
            format!("{:.0}", measured.p99_us),
            format!("{:.0}", measured.per_second),
        ]
    };
    let rows = [
        row("instantiate", calls.instantiate),
        row("call", calls.call),
        row("both, without commit", calls.both),
        row("with input check, seal, commit", calls.with_commit),
    ];
    print_table(&["part", "p50 µs", "p99 µs", "calls/s"], &rows);
    println!(
        "\nA process of {:.0} commands driven to its end: {:.0} bytes of journal, {:.0} of state",
        disk.commands, disk.journal, disk.state
    );
    if scales.is_empty() {
        return;
    }
    println!("\nWith many processes\n");
    let rows: Vec<_> = scales
        .iter()
        .map(|scale| {
            let figure = |value: &Value| format!("{:.1}", value.as_f64().unwrap_or_default());
            vec![
                scale["processes"].to_string(),
                format!("{:.0}", scale["made_per_second"].as_f64().unwrap_or_default()),
                format!("{:.2}", scale["start_s"].as_f64().unwrap_or_default()),
                figure(&scale["resident_mb"]),
                figure(&scale["command"]["p50_us"]),
                figure(&scale["command"]["p99_us"]),
            ]
        })
        .collect();
    print_table(&["processes", "made and started/s", "start s", "memory MB", "command p50 µs", "p99 µs"], &rows);
}
