//! The door: everything that the API and the command line ask of the engine.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use interlink_host::{Grants, Host, HostConfig, Interlinker, Outbound};
use interlink_journal::{Body, FileJournal, Journal, NewRecord, Position, RecordKind, Stream};
use interlink_model::asset::Asset;
use interlink_model::event::{Actor, Stamp};
use interlink_model::facts::{AssetEvent, InterlinkerRef, ProcessEvent, SchemaSource};
use interlink_model::id::{AssetId, CallId, IncidentId, Micros, PersonId, ProcessId, StreamKind};
use interlink_model::process::{Command, Incident, NewProcess, Process};
use interlink_model::schema::authoring::Parsed;
use parking_lot::Mutex;
use serde_json::Value as Json;

use crate::ambient::{Ambient, System};
use crate::assets::{Acted, AssetCell, Assets, For, Instantiation, NewAsset, Use as AssetUse, guest_of};
use crate::backup::Source;
use crate::calls::{CallView, Interrupted, NoOutbound, World};
use crate::catalogue::{Catalogue, InterlinkerVersion, Made, Pause, ProblemProfile, SchemaVersion, events_of};
use crate::core::Core;
use crate::dispatch::{ByHand, Dispatcher};
use crate::draft::{AnyEvent, stream};
use crate::effects::Workshop;
use crate::error::{Outcome, Trouble};
use crate::gate::{Answer, Entry, Gate, Permit, Request};
use crate::keys::{KeyError, Keys, mac};
use crate::people::{Caller, People};
use crate::processes::{Ask, Done, Making, Processes};
use crate::recover::replay;
use crate::scrub::Scrubber;
use crate::state::{Checkpointer, State, StateError};
use crate::usage::adoption::{self, Adoption, Reach};
use crate::usage::registry::{self, UseFilter, UsePage};

/// How an engine is opened.
#[derive(Clone)]
pub struct Options {
    /// Time and randomness.
    pub ambient: Arc<dyn Ambient>,
    /// How its journal is opened.
    pub journal: interlink_journal::Options,
    /// Threads on which Interlinkers run.
    pub guest_threads: usize,
    /// Who makes happen what nobody asks for.
    pub drive: Drive,
    /// The host on which Interlinkers run; one of its own where there is none.
    pub host: Option<Host>,
    /// What sends the requests of Interlinkers; nothing does where there is none.
    pub outbound: Option<Arc<dyn Outbound>>,
}

/// Who makes timers fire, effects happen and checkpoints be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drive {
    /// The engine's own threads.
    Threads,
    /// Whoever holds it, step by step: a simulation ([`Engine::by_hand`], [`Engine::checkpoint`]).
    ByHand,
}

impl Default for Options {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            ambient: Arc::new(System),
            journal: interlink_journal::Options::default(),
            guest_threads: threads.max(2),
            drive: Drive::Threads,
            host: None,
            outbound: None,
        }
    }
}

/// Why an engine could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has the directory.
    #[error("{0} is in use by another interlink; one server at a time has a data directory")]
    InUse(PathBuf),
    /// The operating system refused.
    #[error("{what}: {source}")]
    Io {
        /// What was attempted.
        what: String,
        /// The reason.
        source: std::io::Error,
    },
    /// The journal.
    #[error(transparent)]
    Journal(#[from] interlink_journal::OpenError),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The state.
    #[error(transparent)]
    State(#[from] StateError),
    /// The host of Interlinkers.
    #[error("the Interlinker host: {0}")]
    Host(String),
}

/// Takes a data directory, so that nobody else does.
pub(crate) fn lock(data: &Path) -> Result<File, OpenError> {
    let io = |what: &str| {
        let what = what.to_owned();
        move |source| OpenError::Io { what, source }
    };
    let path = data.join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(path).map_err(io("opening the lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(OpenError::InUse(data.into())),
        Err(std::fs::TryLockError::Error(source)) => Err(OpenError::Io { what: "locking".into(), source }),
    }
}

/// What opening found.
#[derive(Debug, Clone, Copy, Default)]
pub struct Opened {
    /// Records that the state did not include.
    pub replayed: u64,
    /// Damage in the journal.
    pub damaged: usize,
}

/// The engine on one data directory.
pub struct Engine {
    pub(crate) core: Arc<Core>,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) processes: Arc<Processes>,
    pub(crate) assets: Arc<Assets>,
    people: People,
    gate: Arc<Gate>,
    /// Calls that a crash interrupted, until they go on.
    interrupted: Mutex<Vec<(Interrupted, Permit)>>,
    checkpointer: Mutex<Option<Checkpointer>>,
    dispatcher: Mutex<Option<Dispatcher>>,
    scrubber: Mutex<Option<Scrubber>>,
    pub(crate) provisioning: tokio::sync::Mutex<()>,
    /// Where a backup is taken from; nothing for a journal without files.
    pub(crate) source: Option<Source>,
    opened: Opened,
    /// Held as long as the engine lives.
    _lock: Option<File>,
}

/// An event as it is shown.
#[derive(Debug, Clone)]
pub struct Happened {
    /// Its place in the one order.
    pub position: Position,
    /// Its stream.
    pub stream: Stream,
    /// Its version there.
    pub version: u64,
    /// What happened.
    pub kind: &'static str,
    /// When and by whom.
    pub stamp: Stamp,
    /// Its fields, opened where their key exists.
    pub data: Json,
}

/// An asset as it is shown.
#[derive(Debug, Clone)]
pub struct AssetView {
    /// The head.
    pub asset: Arc<Asset>,
    /// What people call it.
    pub name: Option<String>,
    /// What it declared last.
    pub outcome: Option<Json>,
}

/// Something that failed past its policy, as it is shown.
#[derive(Debug, Clone)]
pub struct IncidentView {
    /// Its id.
    pub id: IncidentId,
    /// The process in which it was raised.
    pub process: Arc<Process>,
    /// What is known of it.
    pub incident: Incident,
}

/// A process as it is shown.
#[derive(Debug, Clone)]
pub struct ProcessView {
    /// The state.
    pub process: Arc<Process>,
    /// What people call it; nothing where its key was destroyed.
    pub name: Option<String>,
}

impl Engine {
    /// Opens the engine on a data directory, which it makes where it is new: recovers the journal, brings the state up
    /// to it, reads the catalogue. `progress` is told how many records have been replayed.
    pub fn open(data: &Path, options: Options, progress: &mut dyn FnMut(u64)) -> Result<Self, OpenError> {
        std::fs::create_dir_all(data)
            .map_err(|source| OpenError::Io { what: format!("making {}", data.display()), source })?;
        let lock = lock(data)?;
        let files = Arc::new(FileJournal::open_on(data, options.journal.clone())?);
        let source = Source { data: data.into(), journal: Arc::clone(&files) };
        let mut engine = Self::on(data, files, Some(lock), options, progress)?;
        engine.source = Some(source);
        Ok(engine)
    }

    /// Opens the engine on a journal that is open. Keys, state and components are in the data directory; whoever calls sees
    /// to it that nobody else has it, or hands over the lock.
    pub fn on(
        data: &Path,
        journal: Arc<dyn Journal>,
        lock: Option<File>,
        options: Options,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self, OpenError> {
        let damaged = journal.damage();
        damaged.iter().for_each(|damage| tracing::error!(%damage, "the journal is damaged"));
        let keys = Keys::open(data, journal.highest_key(), Arc::clone(&options.ambient))?;
        let host = match options.host {
            Some(host) => host,
            None => {
                let config = HostConfig {
                    threads: options.guest_threads,
                    cache: Some(data.join("cache")),
                    secret: keys.secrets().integrity,
                    limits: interlink_host::Limits::default(),
                };
                Host::new(config).map_err(|error| OpenError::Host(error.to_string()))?
            }
        };
        let (state, included) = State::open(data, journal.identity(), journal.durable().unwrap_or(0))?;
        let identity = journal.identity();
        let threads = options.drive == Drive::Threads;
        let checkpointer =
            threads.then(|| Checkpointer::start(Arc::clone(&state), identity, Arc::clone(&options.ambient)));
        let checkpointer =
            checkpointer.transpose().map_err(|source| OpenError::Io { what: "starting checkpoints".into(), source })?;
        let core = Arc::new(Core::new(journal, state, keys, host, options.ambient));
        let catalogue =
            Catalogue::new(data).map_err(|source| OpenError::Io { what: "making components/".into(), source })?;
        let catalogue = Arc::new(catalogue);
        for trouble in catalogue.read(&core) {
            tracing::error!(trouble, "an entry of the catalogue cannot be read");
        }
        let replayed = replay(&core, &catalogue, included, progress);
        let outbound = options.outbound.unwrap_or_else(|| Arc::new(NoOutbound));
        let world = World { core: Arc::clone(&core), catalogue: Arc::clone(&catalogue), outbound };
        let processes = Arc::new(Processes::new(Arc::clone(&core), Arc::clone(&catalogue)));
        let assets = Arc::new(Assets::new(Arc::clone(&processes), Arc::new(world)));
        let gate = Arc::new(Gate::default());
        let interrupted = interrupted(&core, &gate, &assets);
        // Nothing is dispatched before recovery has ended.
        let workshop = Workshop {
            core: Arc::clone(&core),
            catalogue: Arc::clone(&catalogue),
            processes: Arc::clone(&processes),
            assets: Arc::clone(&assets),
        };
        let dispatcher = threads.then(|| Dispatcher::start(workshop));
        let dispatcher = dispatcher
            .transpose()
            .map_err(|source| OpenError::Io { what: "starting the dispatcher".into(), source })?;
        let scrub = || Scrubber::start(Arc::clone(&core), Arc::clone(&processes));
        let scrubber = threads.then(scrub).transpose();
        let scrubber = scrubber.map_err(|source| OpenError::Io { what: "starting the scrub".into(), source })?;
        Ok(Self {
            core,
            catalogue,
            processes,
            assets,
            dispatcher: Mutex::new(dispatcher),
            scrubber: Mutex::new(scrubber),
            people: People::default(),
            gate,
            interrupted: Mutex::new(interrupted),
            checkpointer: Mutex::new(checkpointer),
            provisioning: tokio::sync::Mutex::default(),
            source: None,
            opened: Opened { replayed, damaged: damaged.len() },
            _lock: lock,
        })
    }

    /// What opening found.
    pub fn opened(&self) -> Opened {
        self.opened
    }

    /// How many processes there are, and the last position.
    pub fn size(&self) -> (usize, Position) {
        let processes = self.core.journal.stream_count(StreamKind::Process as u8);
        (processes, self.core.journal.durable().unwrap_or(0))
    }

    /// Which journal this is: cursors carry it.
    pub fn identity(&self) -> interlink_journal::Identity {
        self.core.journal.identity()
    }

    /// The secret that signs the directory's own tokens.
    pub fn token_secret(&self) -> [u8; 32] {
        self.core.keys.secrets().tokens
    }

    /// The time.
    pub fn now(&self) -> Micros {
        self.core.now()
    }

    /// Writes a signed checkpoint into the journal: position and hash of the last batch.
    pub fn write_checkpoint(&self) {
        let at = stream(StreamKind::Checkpoint, [0; 16]);
        let version = self.core.journal.head(&at).map_or(0, |head| head.version + 1);
        let position = self.core.journal.durable().unwrap_or(0);
        let (batch_hash, _) = self.core.journal.last_batch();
        let checkpoint = Checkpoint::signed(position, batch_hash, &self.core.keys.secrets().integrity);
        let record = NewRecord {
            stream: at,
            version,
            process: [0; 16],
            kind: RecordKind::Checkpoint,
            key: 0,
            body: Body::new(checkpoint.to_body()),
        };
        let (tell, told) = std::sync::mpsc::channel();
        let told_of = move |_| {
            // Waited for below.
            let _ = tell.send(());
        };
        drop(self.core.commit(&[], Some(record), told_of));
        // One that cannot be written is missing, and nothing else is.
        let _ = told.recv();
    }

    /// Stops in order: a last checkpoint, everything that waits written.
    pub fn close(&self) {
        if let Some(mut dispatcher) = self.dispatcher.lock().take() {
            dispatcher.stop();
        }
        drop(self.scrubber.lock().take());
        self.write_checkpoint();
        self.core.journal.close();
        if let Some(checkpointer) = self.checkpointer.lock().as_mut() {
            checkpointer.stop();
        }
    }

    /// What happens by itself, for whoever drives the engine by hand.
    pub fn by_hand(&self) -> ByHand {
        ByHand::new(Workshop {
            core: Arc::clone(&self.core),
            catalogue: Arc::clone(&self.catalogue),
            processes: Arc::clone(&self.processes),
            assets: Arc::clone(&self.assets),
        })
    }

    /// Writes a checkpoint of the state, where no thread does.
    pub fn checkpoint(&self) -> Result<(), StateError> {
        self.core.state.checkpoint(self.core.journal.identity(), &*self.core.ambient)
    }

    /// What of a process the dispatcher would not find: nothing, unless an index has lost it.
    pub fn unscheduled(&self, id: ProcessId) -> Option<&'static str> {
        let process = self.process(id).ok()?.process;
        crate::schedule::missing(&self.core.state, &process)
    }

    /// Why the journal takes nothing, while it does not: a full disk, a failed write. Reads go on, and it takes appends
    /// again by itself.
    pub fn read_only(&self) -> Option<Arc<str>> {
        self.core.journal.read_only()
    }

    /// The last position whose changes the state has taken in.
    pub fn state_position(&self) -> Position {
        self.core.state.applied()
    }

    /// Views whose record could not be written.
    pub fn uses_lost(&self) -> u64 {
        self.processes.uses_lost.load(Ordering::Relaxed)
    }

    /// Waits until there is room for more changes in memory; refuses where the journal takes nothing.
    pub async fn room(&self) -> Outcome<()> {
        self.core.state.room().await;
        self.read_only().map_or(Ok(()), |reason| Err(Trouble::ReadOnly(reason)))
    }

    // People and requests.

    /// The person of a login, made on first use.
    pub async fn caller(&self, issuer: &str, login: &str, operator: bool) -> Outcome<Caller> {
        self.people.caller(&self.core, issuer, login, operator).await
    }

    /// The login that a person came with, for themselves.
    pub fn login_of(&self, caller: &Caller) -> Option<String> {
        crate::people::login_of(&self.core, caller)
    }

    /// Lets a request with an idempotency key in.
    pub async fn enter(&self, caller: &Caller, request: Request<'_>) -> Outcome<Entry> {
        self.gate.enter(&self.core, caller, request).await
    }

    /// Remembers an answer that changed nothing.
    pub async fn remember(&self, permit: Permit, answer: &Answer) -> Outcome<()> {
        permit.remember(&self.core, answer).await
    }

    // The catalogue.

    /// Imports a schema.
    pub async fn import_schema(
        &self,
        parsed: Parsed,
        source: SchemaSource,
        actor: Actor,
        answer: impl FnOnce(&SchemaVersion) -> Answer,
        permit: &Permit,
    ) -> Outcome<Made<SchemaVersion>> {
        let settle = |version: &SchemaVersion| self.with_record(permit, || answer(version));
        self.catalogue.import(&self.core, parsed, source, actor, settle).await
    }

    /// All schemas, each in its newest version.
    pub fn schemas(&self) -> Vec<SchemaVersion> {
        self.catalogue.schemas()
    }

    /// The schema of `name` or `name@version`.
    pub fn schema(&self, wanted: &str) -> Outcome<SchemaVersion> {
        self.catalogue.schema(wanted).ok_or_else(|| Trouble::NotFound { what: "schema", id: wanted.into() })
    }

    /// All versions of a schema.
    pub fn schema_versions(&self, name: &str) -> Vec<SchemaVersion> {
        self.catalogue.schema_versions(name)
    }

    /// Publishes a component.
    pub async fn publish(
        &self,
        bytes: &[u8],
        actor: Actor,
        answer: impl FnOnce(&InterlinkerVersion) -> Answer,
        permit: &Permit,
    ) -> Outcome<Made<InterlinkerVersion>> {
        let settle = |version: &InterlinkerVersion| self.with_record(permit, || answer(version));
        self.catalogue.publish(&self.core, bytes, actor, settle).await
    }

    /// Describes an Interlinker that does not run here.
    pub async fn describe(
        &self,
        reference: InterlinkerRef,
        entry: Json,
        actor: Actor,
        answer: impl FnOnce(&InterlinkerVersion) -> Answer,
        permit: &Permit,
    ) -> Outcome<Made<InterlinkerVersion>> {
        let settle = |version: &InterlinkerVersion| self.with_record(permit, || answer(version));
        self.catalogue.describe(&self.core, reference, entry, actor, settle).await
    }

    /// All Interlinkers, each in its newest version.
    pub fn interlinkers(&self) -> Vec<InterlinkerVersion> {
        self.catalogue.interlinkers()
    }

    /// The Interlinker of `name` or `name@version`.
    pub fn interlinker(&self, wanted: &str) -> Outcome<InterlinkerVersion> {
        self.catalogue.interlinker(wanted).ok_or_else(|| Trouble::NotFound { what: "Interlinker", id: wanted.into() })
    }

    /// All versions of an Interlinker.
    pub fn interlinker_versions(&self, name: &str) -> Vec<InterlinkerVersion> {
        self.catalogue.interlinker_versions(name)
    }

    /// All problem profiles.
    pub fn problem_profiles(&self) -> Vec<ProblemProfile> {
        self.catalogue.profiles()
    }

    /// Describes a problem profile.
    pub async fn describe_profile(
        &self,
        profile: ProblemProfile,
        actor: Actor,
        answer: &Answer,
        permit: &Permit,
    ) -> Outcome<Made<ProblemProfile>> {
        let record = permit.record(&self.core, answer);
        self.catalogue.describe_profile(&self.core, profile, actor, record).await
    }

    fn with_record(&self, permit: &Permit, answer: impl FnOnce() -> Answer) -> Option<NewRecord> {
        if permit.is_open() { permit.record(&self.core, &answer()) } else { None }
    }

    // Processes.

    /// Makes a process.
    pub async fn create_process(
        &self,
        caller: &Caller,
        schema: &SchemaVersion,
        new: NewProcess,
        answer: impl FnOnce(&Process, &str) -> Answer + Send,
        permit: Permit,
    ) -> Outcome<(Arc<Process>, Answer)> {
        let remember = permit.clone();
        let settle = |process: &Process, name: &str| {
            let answer = answer(process, name);
            let record = remember.record(&self.core, &answer);
            (answer, record)
        };
        let making = Making { id: None, plan: Arc::clone(&schema.plan), new, before: Vec::new(), first: None };
        self.processes.create(caller.actor(), making, |_, _, _| None, settle, permit).await
    }

    /// A process.
    pub fn process(&self, id: ProcessId) -> Outcome<ProcessView> {
        let cell = self.processes.cell(id)?;
        let process = cell.process();
        let name = cell.name(&process);
        Ok(ProcessView { process, name })
    }

    /// A process with its values that conditions can name.
    pub fn process_data(&self, id: ProcessId) -> Outcome<(Arc<Process>, BTreeMap<String, Json>)> {
        let cell = self.processes.cell(id)?;
        let process = cell.process();
        let data = cell.data(&process);
        Ok((process, data))
    }

    /// Processes in the order of their creation, those after one, at most `limit`. Damaged ones are left out.
    pub fn process_ids(&self, after: Option<ProcessId>, limit: usize) -> Vec<ProcessId> {
        let after = after.map(ProcessId::bytes);
        let streams = self.core.journal.streams(StreamKind::Process as u8, after, limit);
        streams.into_iter().map(|found| ProcessId::from_bytes(found.id)).collect()
    }

    /// Runs a command on a process.
    pub async fn command(
        &self,
        caller: &Caller,
        id: ProcessId,
        command: &Command,
        note: Option<&str>,
        expected: Option<u64>,
        answer: impl FnOnce(&Done<'_>, Option<String>) -> Answer + Send,
        permit: Permit,
    ) -> Outcome<Answer> {
        let cell = self.processes.cell(id)?;
        let remember = permit.clone();
        let settle = |done: &Done<'_>| {
            let answer = answer(done, cell.name(done.process));
            let record = remember.record(&self.core, &answer);
            (answer, record)
        };
        let ask = Ask { command, note, expected };
        self.processes.command(&cell, caller.actor(), ask, |_| None, settle, permit).await
    }

    /// The history of a process, its assets' included: events behind a position, in order, at most `limit`.
    pub fn events(&self, id: ProcessId, after: Position, limit: usize) -> Outcome<Vec<Happened>> {
        let cell = self.processes.cell(id)?;
        let at = stream(StreamKind::Process, id.bytes());
        let own = events_of::<ProcessEvent>(&self.core, &at, "process", &id)?;
        let assets = own.iter().filter_map(|(event, ..)| match event {
            ProcessEvent::AssetAdded(added) => Some(added.asset),
            _ => None,
        });
        let mut happened = Vec::new();
        for asset in assets {
            let at = stream(StreamKind::Asset, asset.bytes());
            let events = events_of::<AssetEvent>(&self.core, &at, "asset", &asset)?;
            happened.extend(
                events.into_iter().zip(0..).map(|((event, stamp, position, _), version)| {
                    (AnyEvent::Asset(event), stamp, position, at, version)
                }),
            );
        }
        happened.extend(
            own.into_iter()
                .zip(0..)
                .map(|((event, stamp, position, _), version)| (AnyEvent::Process(event), stamp, position, at, version)),
        );
        happened.retain(|(_, _, position, ..)| *position > after);
        happened.sort_by_key(|(_, _, position, ..)| *position);
        happened.truncate(limit);
        let shown = happened.into_iter().map(|(mut event, stamp, position, stream, version)| {
            event.open(&stream, &cell.key);
            Happened { position, stream, version, kind: event.kind(), stamp, data: event.data() }
        });
        Ok(shown.collect())
    }

    // Incidents and pauses.

    /// What failed past its policy: the process and what it knows of it.
    pub fn incident(&self, id: IncidentId) -> Outcome<IncidentView> {
        let gone = || Trouble::NotFound { what: "incident", id: id.to_string() };
        let row = crate::schedule::incident(&self.core.state, id).ok_or_else(gone)?;
        self.incident_view(id, row.process).ok_or_else(gone)
    }

    fn incident_view(&self, id: IncidentId, process: ProcessId) -> Option<IncidentView> {
        let process = self.process(process).ok()?.process;
        let incident = process.incidents.get(&id)?.clone();
        Some(IncidentView { id, process, incident })
    }

    /// Incidents in the order in which they were raised, those after one, at most `limit`; and the last that was looked at,
    /// where there may be more. `wanted` says which.
    pub fn incidents(
        &self,
        after: Option<IncidentId>,
        limit: usize,
        wanted: impl Fn(&IncidentView) -> bool,
    ) -> (Vec<IncidentView>, Option<IncidentId>) {
        let (mut found, mut after) = (Vec::new(), after);
        loop {
            let rows = crate::schedule::incidents(&self.core.state, after, limit);
            let is_end = rows.len() < limit;
            for (id, row) in rows {
                after = Some(id);
                found.extend(self.incident_view(id, row.process).filter(&wanted));
                if found.len() == limit {
                    return (found, after);
                }
            }
            if is_end {
                return (found, None);
            }
        }
    }

    /// Stops calls of an Interlinker, or lets them be made again.
    pub async fn set_paused(
        &self,
        caller: &Caller,
        name: &str,
        paused: bool,
        reason: Option<String>,
        answer: &Answer,
        permit: &Permit,
    ) -> Outcome<()> {
        let record = permit.record(&self.core, answer);
        self.catalogue.set_paused(&self.core, caller, name, paused, reason, record).await?;
        self.core.rouse.notify_one();
        Ok(())
    }

    /// Whether calls of an Interlinker are stopped.
    pub fn pause(&self, name: &str) -> Option<Pause> {
        self.catalogue.pause(name)
    }

    fn not_paused(&self, name: &str) -> Outcome<()> {
        match self.catalogue.pause(name) {
            Some(pause) => Err(Trouble::Paused { name: name.into(), pause }),
            None => Ok(()),
        }
    }

    // Assets.

    /// The host on which Interlinkers run.
    pub fn host(&self) -> &Host {
        &self.core.host
    }

    /// The component of an Interlinker, ready to run.
    pub async fn load(&self, reference: &InterlinkerRef) -> Outcome<Arc<Interlinker>> {
        self.catalogue.load(&self.core, reference).await
    }

    /// Instantiates an Interlinker on a task.
    pub async fn instantiate(
        &self,
        caller: &Caller,
        id: ProcessId,
        new: NewAsset,
        language: &str,
        answer: impl FnOnce(Result<(&Asset, &str), &Trouble>) -> Answer + Send,
        permit: Permit,
    ) -> Outcome<Answer> {
        let cell = self.processes.cell(id)?;
        if cell.process().plan.outline.task_index(&new.task).is_none() {
            return Err(Trouble::NotFound { what: "task", id: new.task });
        }
        let guest = self.load(&new.interlinker).await?;
        let remember = permit.clone();
        let settle = |made: Result<(&Asset, &str), &Trouble>| {
            let keep = matches!(made, Ok(_) | Err(Trouble::Refused(_)));
            let answer = answer(made);
            let record = if keep { remember.record(&self.core, &answer) } else { None };
            (answer, record)
        };
        self.not_paused(&new.interlinker.name)?;
        let wanted = Instantiation { new, purpose: For::Evidence, language, resumed: None };
        self.assets.instantiate(&cell, &guest, caller.actor(), wanted, settle, permit).await
    }

    fn asset_cell(&self, id: AssetId) -> Outcome<Arc<AssetCell>> {
        self.assets.cell(id)
    }

    /// An asset.
    pub fn asset(&self, id: AssetId) -> Outcome<AssetView> {
        let cell = self.asset_cell(id)?;
        let asset = cell.snapshot().asset;
        let (name, outcome) = (cell.name(&asset), cell.outcome(&asset));
        Ok(AssetView { asset, name, outcome })
    }

    /// Runs an action of an asset.
    pub async fn act(
        &self,
        caller: &Caller,
        id: AssetId,
        action: &str,
        input: Json,
        language: &str,
        expected: Option<u64>,
        answer: impl FnOnce(Result<&Acted<'_>, &Trouble>) -> Answer + Send,
        permit: Permit,
    ) -> Outcome<Answer> {
        let cell = self.asset_cell(id)?;
        let asset = cell.snapshot().asset;
        let process = self.processes.cell(asset.process)?;
        let guest = guest_of(&self.core, &self.catalogue, &asset).await?;
        let remember = permit.clone();
        let settle = |acted: Result<&Acted<'_>, &Trouble>| {
            let keep = matches!(acted, Ok(_) | Err(Trouble::Refused(_)));
            let answer = answer(acted);
            let record = if keep { remember.record(&self.core, &answer) } else { None };
            (answer, record)
        };
        let asked = AssetUse { language, expected, effect: None, resumed: None, with: None };
        let actor = caller.actor();
        self.not_paused(&asset.interlinker.name)?;
        self.assets.act(&process, &cell, &guest, actor, action, input, asked, settle, permit).await
    }

    /// Shows an asset.
    pub async fn view(&self, caller: &Caller, id: AssetId, query: Json, language: &str) -> Outcome<(Arc<Asset>, Json)> {
        let cell = self.asset_cell(id)?;
        let asset = cell.snapshot().asset;
        let process = self.processes.cell(asset.process)?;
        let guest = guest_of(&self.core, &self.catalogue, &asset).await?;
        self.not_paused(&asset.interlinker.name)?;
        let actor = caller.actor();
        let snapshot = cell.snapshot();
        self.assets.view(&process, &guest, snapshot, actor, query, language).await
    }

    /// Removes an asset.
    pub async fn remove_asset(
        &self,
        caller: &Caller,
        id: AssetId,
        expected: Option<u64>,
        answer: Answer,
    ) -> Outcome<Answer> {
        let cell = self.asset_cell(id)?;
        let process = cell.snapshot().asset.process;
        let process = self.processes.cell(process)?;
        self.assets.remove(&process, &cell, caller.actor(), expected, answer).await
    }

    // Calls that ask the world outside.

    /// Lets the calls that a crash interrupted go on, side by side; `answers` says how what came of them looks to whoever
    /// asked. Requests that repeat them wait until then, and so does everything behind them in their asset's lane.
    pub async fn resume(self: &Arc<Self>, answers: Arc<dyn Answers>) {
        let interrupted = std::mem::take(&mut *self.interrupted.lock());
        let going: Vec<_> = interrupted
            .into_iter()
            .map(|(call, permit)| {
                let (engine, answers) = (Arc::clone(self), Arc::clone(&answers));
                tokio::spawn(async move {
                    let (id, asset, version) = (call.id, call.calling.asset, call.calling.version);
                    if let Err(trouble) = engine.go_on(call, &*answers, permit).await {
                        tracing::warn!(call = %id, %trouble, "a call that was interrupted ended so");
                    }
                    if version.is_some() {
                        engine.assets.held.release(asset, id);
                    }
                })
            })
            .collect();
        for call in going {
            // One that panicked has told so.
            let _ = call.await;
        }
    }

    async fn go_on(&self, call: Interrupted, answers: &dyn Answers, permit: Permit) -> Outcome<Answer> {
        let cell = self.processes.cell(call.process)?;
        let guest = self.load(&call.calling.interlinker).await?;
        let (actor, calling, remember) = (call.stamp.actor, call.calling.clone(), permit.clone());
        let language = calling.language.clone();
        let keep = |kept: bool, answer: Answer| {
            let record = if kept { remember.record(&self.core, &answer) } else { None };
            (answer, record)
        };
        match calling.action {
            Some(action) => {
                let asset = self.asset_cell(calling.asset)?;
                let settle = |acted: Result<&Acted<'_>, &Trouble>| match acted {
                    Ok(acted) => keep(true, answers.acted(acted)),
                    Err(trouble) => keep(matches!(trouble, Trouble::Refused(_)), answers.refused(trouble)),
                };
                let asked =
                    AssetUse { language: &language, expected: None, effect: None, resumed: Some(call), with: None };
                let input = calling.input;
                self.assets.act(&cell, &asset, &guest, actor, &action, input, asked, settle, permit).await
            }
            None => {
                let settle = |made: Result<(&Asset, &str), &Trouble>| match made {
                    Ok((asset, name)) => keep(true, answers.instantiated(asset, name)),
                    Err(trouble) => keep(matches!(trouble, Trouble::Refused(_)), answers.refused(trouble)),
                };
                let (interlinker, task, input) = (calling.interlinker, calling.task, calling.input);
                let new = NewAsset { task, interlinker, name: calling.name.unwrap_or_default(), input };
                let wanted = Instantiation { new, purpose: For::Evidence, language: &language, resumed: Some(call) };
                self.assets.instantiate(&cell, &guest, actor, wanted, settle, permit).await
            }
        }
    }

    /// A recorded call of an asset.
    pub fn call_record(&self, asset: AssetId, id: CallId) -> Outcome<CallView> {
        let gone = || Trouble::NotFound { what: "call", id: id.to_string() };
        let (call, has_ended) = crate::calls::read(&self.core, id)?;
        let view = CallView::of(call, has_ended);
        if view.asset == asset { Ok(view) } else { Err(gone()) }
    }

    /// Runs a recorded call again, on the state that it saw, fed with what was recorded, asking nobody and changing
    /// nothing; answers what came of it. A call that had not ended stops where its record does.
    pub async fn replay_call(&self, asset: AssetId, id: CallId) -> Outcome<Replayed> {
        let (call, has_ended) = crate::calls::read(&self.core, id)?;
        if call.calling.asset != asset {
            return Err(Trouble::NotFound { what: "call", id: id.to_string() });
        }
        let cell = self.processes.cell(call.process)?;
        let guest = self.load(&call.calling.interlinker).await?;
        let values = match call.calling.version {
            Some(version) => self.values_at(asset, version)?,
            None => interlink_model::keyvalues::KeyValues::default(),
        };
        let calling = &call.calling;
        let (actor, at) = (call.stamp.actor, call.stamp.at);
        let context = crate::assets::call_context(actor, &cell, &calling.task, asset, &calling.language, at);
        let entry = match &calling.action {
            Some(name) => interlink_host::Entry::Action { name: name.clone(), input: calling.input.clone() },
            None => interlink_host::Entry::Instantiate { input: calling.input.clone() },
        };
        let durable = crate::calls::offline(&call);
        let called = crate::assets::run(&self.core, &guest, entry, values, context, Some(durable)).await;
        let result = called.result.map(|done| done.output).map_err(|failure| match failure {
            interlink_host::Failure::Refused(problem) => format!("refused: {}", problem.detail),
            interlink_host::Failure::Failed(fault) => fault.to_string(),
        });
        let logs = called.logs.into_iter().map(|line| (line.level, line.message)).collect();
        Ok(Replayed { call: CallView::of(call, has_ended), result, logs })
    }

    /// Grants an Interlinker what it may ask the world outside for.
    pub async fn grant(
        &self,
        actor: Actor,
        name: &str,
        grants: &Grants,
        answer: &Answer,
        permit: &Permit,
    ) -> Outcome<()> {
        let record = permit.record(&self.core, answer);
        self.catalogue.grant(&self.core, actor, name, grants, record).await
    }

    /// What an Interlinker may ask the world outside for.
    pub fn grants(&self, name: &str) -> Grants {
        self.catalogue.grants(name)
    }

    /// Sets a secret, or removes it.
    pub async fn set_secret(
        &self,
        actor: Actor,
        name: &str,
        value: Option<String>,
        answer: &Answer,
        permit: &Permit,
    ) -> Outcome<()> {
        let record = permit.record(&self.core, answer);
        self.catalogue.set_secret(&self.core, actor, name, value, record).await
    }

    // Usage and adoption. They go through many rows: call them off the asynchronous workers.

    /// A page of the registry of usage.
    pub fn uses(&self, filter: &UseFilter, after: Position, limit: usize) -> Outcome<UsePage> {
        self.whole(registry::page(&self.core.state, filter, after, limit))
    }

    /// The summary of adoption over all processes.
    pub fn adoption(&self) -> Outcome<Adoption> {
        self.whole(adoption::summary(&self.core.state, self.core.now()))
    }

    /// Who and what a filter of the registry reaches.
    pub fn reach(&self, filter: &UseFilter) -> Outcome<Reach> {
        self.whole(adoption::reach(&self.core.state, filter))
    }

    /// What was read from many rows, unless the state was found damaged, at the latest by this reading: rows may be missing,
    /// and no figure is better than a wrong one.
    fn whole<T>(&self, read: T) -> Outcome<T> {
        if self.core.state.is_damaged() { Err(Trouble::StateDamaged) } else { Ok(read) }
    }

    /// People who did something in a process.
    pub fn people_of(&self, id: ProcessId) -> Outcome<Vec<PersonId>> {
        let at = stream(StreamKind::Process, id.bytes());
        let events = events_of::<ProcessEvent>(&self.core, &at, "process", &id)?;
        let mut people: Vec<_> = events.iter().filter_map(|(_, stamp, ..)| stamp.actor.person()).collect();
        people.sort();
        people.dedup();
        Ok(people)
    }
}

/// How what came of a call looks to whoever asked for it: the API's part, for calls that outlive the request.
pub trait Answers: Send + Sync {
    /// An action was run.
    fn acted(&self, acted: &Acted<'_>) -> Answer;
    /// An Interlinker was instantiated.
    fn instantiated(&self, asset: &Asset, name: &str) -> Answer;
    /// It was refused, or failed.
    fn refused(&self, trouble: &Trouble) -> Answer;
}

/// What came of running a recorded call again.
#[derive(Debug, Clone)]
pub struct Replayed {
    /// The call.
    pub call: CallView,
    /// What the Interlinker answered, or why it did not.
    pub result: Result<Json, String>,
    /// What it logged: level and line.
    pub logs: Vec<(String, String)>,
}

/// Reads the calls that a crash interrupted, and holds their lanes and keys for them. Those of effects go on with their
/// effect's next attempt.
fn interrupted(core: &Arc<Core>, gate: &Arc<Gate>, assets: &Assets) -> Vec<(Interrupted, Permit)> {
    let mut found = Vec::new();
    for id in crate::calls::open_calls(core) {
        core.has_open_calls.store(true, Ordering::Release);
        let call = match crate::calls::read(core, id) {
            Ok((call, false)) => call,
            Ok((_, true)) => continue,
            Err(trouble) => {
                tracing::error!(call = %id, %trouble, "a call that was interrupted cannot go on");
                continue;
            }
        };
        if call.calling.version.is_some() {
            assets.held.hold(call.calling.asset, id);
        }
        if call.calling.effect.is_some() {
            continue;
        }
        let permit = call.calling.answer.as_ref().and_then(|scope| {
            let key = core.keys.key(scope.key).ok()?;
            gate.hold(scope, Caller { person: scope.person, operator: scope.operator, key })
        });
        found.push((call, permit.unwrap_or_default()));
    }
    found
}

/// Where the journal stood: position and hash of the last batch, signed, so that a journal that was cut short or written
/// anew does not pass for the one that was.
#[derive(serde::Serialize, serde::Deserialize)]
pub(crate) struct Checkpoint {
    position: Position,
    batch_hash: serde_bytes::ByteBuf,
    mac: serde_bytes::ByteBuf,
}

impl Checkpoint {
    fn signed(position: Position, batch_hash: [u8; 32], secret: &[u8; 32]) -> Self {
        let mac = mac(secret, &[b"checkpoint", &position.to_be_bytes(), &batch_hash]);
        Self { position, batch_hash: batch_hash.to_vec().into(), mac: mac.to_vec().into() }
    }

    fn to_body(&self) -> Vec<u8> {
        rmp_serde::to_vec_named(self).expect("numbers and bytes encode")
    }

    /// Whether a checkpoint's body is one that was signed with this secret.
    pub fn is_sound(body: &[u8], secret: &[u8; 32]) -> bool {
        let Ok(read) = rmp_serde::from_slice::<Self>(body) else { return false };
        let Ok(batch_hash) = <[u8; 32]>::try_from(read.batch_hash.as_slice()) else { return false };
        Self::signed(read.position, batch_hash, secret).mac == read.mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_sound_under_the_secret_that_signed_it_and_as_it_was() {
        let body = Checkpoint::signed(7, [3; 32], &[1; 32]).to_body();
        assert!(Checkpoint::is_sound(&body, &[1; 32]));
        assert!(!Checkpoint::is_sound(&body, &[2; 32]));
        let moved = Checkpoint { position: 8, ..Checkpoint::signed(7, [3; 32], &[1; 32]) };
        assert!(!Checkpoint::is_sound(&moved.to_body(), &[1; 32]));
        assert!(!Checkpoint::is_sound(b"", &[1; 32]));
    }
}
