//! Processes: a mailbox each, loaded when it is needed and put away when it is not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use interlink_journal::{NewRecord, Position};
use interlink_model::event::{Actor, Stamp};
use interlink_model::facts::{InterlinkerUsed, ProcessEvent, UsageEvent};
use interlink_model::id::{ProcessId, StreamKind};
use interlink_model::process::{Command, Context, Plan, Process, create, decide};
use interlink_model::sealed::SealedFields;
use parking_lot::{Mutex, RwLock};

use crate::ambient::process_id;
use crate::catalogue::{Catalogue, events_of};
use crate::cells::Cells;
use crate::core::{Core, Durable, Fate, settled};
use crate::draft::{AnyEvent, Written, stream};
use crate::error::{Outcome, Trouble};
use crate::gate::{Answer, Permit};
use crate::keys::SealingKey;
use crate::mailbox::{Mailbox, NotTaken};
use crate::people::Caller;
use crate::state::{Found, Stored, Value, key, table};
use crate::usage;

/// Processes that are kept in memory while nothing waits in them.
pub const CELLS_MAX: usize = 50_000;

/// A process in memory.
pub(crate) struct ProcessCell {
    pub id: ProcessId,
    pub key: SealingKey,
    mailbox: Mutex<Mailbox>,
    committed: RwLock<Arc<Process>>,
    /// The version that is durable, for refusals that wait for it.
    durable: Durable,
}

impl ProcessCell {
    fn new(process: Arc<Process>, key: SealingKey, next_use: u64) -> Self {
        Self {
            id: process.id,
            key,
            durable: Durable::new(process.version),
            committed: RwLock::new(Arc::clone(&process)),
            mailbox: Mutex::new(Mailbox::new(process, next_use)),
        }
    }

    /// The process as it is durable.
    pub fn process(&self) -> Arc<Process> {
        Arc::clone(&self.committed.read())
    }

    /// Opens the sealed name of the process.
    pub fn name(&self, process: &Process) -> Option<String> {
        let mut name = process.name.clone();
        open_field(&mut name, &self.key, StreamKind::Process, self.id.bytes(), "name");
        name.opened().cloned()
    }

    /// An append is durable: its state is what readers see.
    fn synced(&self, process: &Arc<Process>) {
        let mut mailbox = self.mailbox.lock();
        mailbox.synced(Arc::clone(process));
        *self.committed.write() = Arc::clone(mailbox.committed());
        self.durable.reached(process.version);
    }

    fn failed(&self) {
        self.mailbox.lock().failed();
        self.durable.failed();
    }
}

/// Opens one sealed field of a thing.
pub(crate) fn open_field<T: serde::Serialize + serde::de::DeserializeOwned>(
    field: &mut interlink_model::sealed::Sealed<T>,
    key: &SealingKey,
    kind: StreamKind,
    id: [u8; 16],
    name: &'static str,
) {
    use interlink_model::sealed::SealedField;
    field.open(&mut |sealed| key.open(&[&[kind as u8], &id, name.as_bytes()], sealed));
}

/// What a command did.
pub struct Done<'a> {
    /// The process afterwards.
    pub process: &'a Process,
    /// What happened.
    pub events: &'a [ProcessEvent],
}

/// Events that go with a process's own, of another stream.
pub(crate) struct Beside {
    pub written: Vec<Written>,
    /// Called when they are durable, with the position of the first of them.
    pub settle: Box<dyn FnOnce(Option<Position>) + Send>,
}

/// What is asked of a process.
pub(crate) struct Ask<'a> {
    pub command: &'a Command,
    pub note: Option<&'a str>,
    /// The version that the caller saw.
    pub expected: Option<u64>,
}

/// What a process is made of.
pub(crate) struct NewProcess {
    pub plan: Arc<Plan>,
    pub name: String,
    pub language: Option<String>,
    /// Whether it begins at once.
    pub start: bool,
}

/// All processes.
pub(crate) struct Processes {
    cells: Cells<ProcessId, ProcessCell>,
    /// Uses whose record could not be written: a view answers all the same.
    pub uses_lost: Arc<AtomicU64>,
}

impl Processes {
    pub fn new() -> Self {
        Self { cells: Cells::new(CELLS_MAX), uses_lost: Arc::default() }
    }

    /// The cell of a process, loaded where it is not in memory.
    pub fn cell(&self, core: &Core, catalogue: &Catalogue, id: ProcessId) -> Outcome<Arc<ProcessCell>> {
        if let Some(cell) = self.cells.get(&id) {
            return Ok(cell);
        }
        let at = stream(StreamKind::Process, id.bytes());
        let Some(head) = core.journal.head(&at) else {
            return Err(Trouble::NotFound { what: "process", id: id.to_string() });
        };
        let row_key = key(table::PROCESS, &[&id.bytes()]);
        let found = match core.state.get(&row_key) {
            Some(Found::Live(_, Value::Process(process, key))) => Some((process, key)),
            Some(Found::Stored(stored)) => from_row(core, catalogue, id, &row_key, &stored),
            _ => None,
        };
        // A row that is not as new as the journal says was lost or damaged: the stream makes it again.
        let (process, key) = match found.filter(|(process, _)| process.version == head.version) {
            Some(found) => found,
            None => from_stream(core, catalogue, id)?,
        };
        let usage = stream(StreamKind::Usage, id.bytes());
        let next_use = core.journal.head(&usage).map_or(0, |head| head.version + 1);
        Ok(self.cells.insert(id, ProcessCell::new(process, key, next_use)))
    }

    /// Makes a process, and starts it where that is asked. `beside` makes events of other streams that go with it.
    pub async fn create(
        &self,
        core: &Arc<Core>,
        caller: &Caller,
        new: NewProcess,
        beside: impl FnOnce(&Stamp, ProcessId, &SealingKey) -> Option<Beside> + Send,
        answer: impl FnOnce(&Process, &str) -> (Answer, Option<NewRecord>) + Send,
        permit: Permit,
    ) -> Outcome<(Arc<Process>, Answer)> {
        let NewProcess { plan, name, language, start } = new;
        let id = process_id(&*core.ambient);
        let key = core.keys.draw().map_err(|error| Trouble::Unknown(error.to_string()))?;
        let at = stream(StreamKind::Process, id.bytes());
        let actor = caller.actor();
        let stamp = core.stamp(core.now(), actor);
        let mut created = create(&plan, name.clone(), language);
        created.sealed_fields(&mut |field, value| {
            value.close(&mut |plain| key.seal(&*core.ambient, &[&[at.kind], &at.id, field.as_bytes()], plain));
        });
        let mut process = Process::created(id, &created, &stamp, plan);
        let mut events: Vec<ProcessEvent> = vec![created.into()];
        if start {
            let context = Context { at: stamp.at, actor };
            let started = decide(&process, &Command::Start, None, &context);
            let started = started.map_err(|rejection| Trouble::Rejected(rejection, Arc::new(process.clone())))?;
            started.iter().for_each(|event| process.apply(event, &stamp));
            events.extend(started);
        }
        let process = Arc::new(process);
        let (answer, record) = answer(&process, &name);
        let mut written: Vec<_> = events
            .into_iter()
            .zip(0..)
            .map(|(event, version)| Written {
                stream: at,
                version,
                process: Some(id),
                key: key.number,
                stamp,
                event: AnyEvent::Process(event),
            })
            .collect();
        let own = written.len() as u64;
        let settle_beside = beside(&stamp, id, &key).map(|Beside { written: more, settle }| {
            written.extend(more);
            settle
        });
        let shared = Arc::clone(core);
        let row = (crate::state::key(table::PROCESS, &[&id.bytes()]), Value::Process(Arc::clone(&process), key));
        let fate = core.commit(&written, record, move |first| {
            if let Some(first) = first {
                let last = first + own - 1;
                shared.state.put(last, [row].into_iter().chain(usage::activity(&stamp)));
            }
            if let Some(settle) = settle_beside {
                settle(first.map(|first| first + own));
            }
            drop(permit);
        });
        settled(fate).await?;
        Ok((process, answer))
    }

    /// Runs a command. `beside` makes the events of other streams that go with it, if there are any; `answer` makes the
    /// answer from what will be.
    pub async fn command(
        &self,
        core: &Arc<Core>,
        cell: &Arc<ProcessCell>,
        actor: Actor,
        ask: Ask<'_>,
        beside: impl FnOnce(&Stamp) -> Option<Beside> + Send,
        answer: impl FnOnce(&Done<'_>) -> (Answer, Option<NewRecord>) + Send,
        permit: Permit,
    ) -> Outcome<Answer> {
        let decided = {
            let mut mailbox = cell.mailbox.lock();
            let at = mailbox.time(core.now());
            match mailbox.decide(ask.command, ask.note, ask.expected, &Context { at, actor }) {
                Ok(events) => {
                    let stamp = core.stamp(at, actor);
                    Ok(submit(core, cell, &mut mailbox, events, stamp, beside(&stamp), answer, permit))
                }
                Err(refused) => Err((refused, Arc::clone(mailbox.ahead()))),
            }
        };
        match decided {
            Ok((fate, answer)) => {
                settled(fate).await?;
                Ok(answer)
            }
            Err((refused, ahead)) => {
                cell.durable.wait(ahead.version).await?;
                Err(match refused {
                    NotTaken::Rejected(rejection) => Trouble::Rejected(rejection, ahead),
                    NotTaken::WrongVersion { found } => {
                        Trouble::WrongVersion { expected: ask.expected.unwrap_or(found), found }
                    }
                    NotTaken::Full => {
                        Trouble::Busy { what: "this process has too much waiting".into(), retry_after_s: 1 }
                    }
                })
            }
        }
    }

    /// Records a use that changes nothing. The answer to whoever looked does not wait for it.
    pub fn record_use(
        &self,
        core: &Arc<Core>,
        cell: &Arc<ProcessCell>,
        actor: Actor,
        used: InterlinkerUsed,
        answer: Option<NewRecord>,
        permit: Permit,
    ) -> Fate {
        let mut mailbox = cell.mailbox.lock();
        let at = mailbox.time(core.now());
        let stamp = core.stamp(at, actor);
        let event = UsageEvent::InterlinkerUsed(used);
        let entry = usage::use_of_usage(cell.id, &event, &stamp);
        let written = [Written {
            stream: stream(StreamKind::Usage, cell.id.bytes()),
            version: mailbox.next_use(),
            process: Some(cell.id),
            key: cell.key.number,
            stamp,
            event: AnyEvent::Usage(event),
        }];
        let shared = Arc::clone(core);
        let lost = Arc::clone(&self.uses_lost);
        // Held until the fate is known: a cell that was loaded meanwhile would give the same version again.
        let cell = Arc::clone(cell);
        let at = written[0].stream;
        core.commit(&written, answer, move |first| {
            match first {
                Some(position) => {
                    usage::record(&shared.state, position, &entry);
                    note_activity(&shared, position, &stamp);
                }
                None => {
                    lost.fetch_add(1, Ordering::Relaxed);
                    cell.mailbox.lock().use_failed(shared.journal.head(&at).map_or(0, |head| head.version + 1));
                }
            }
            drop(permit);
        })
    }
}

/// Seals, applies and hands over what was decided. Called under the mailbox's lock, so that the journal gets appends in
/// the order in which they were decided.
fn submit(
    core: &Arc<Core>,
    cell: &Arc<ProcessCell>,
    mailbox: &mut Mailbox,
    events: Vec<ProcessEvent>,
    stamp: Stamp,
    beside: Option<Beside>,
    answer: impl FnOnce(&Done<'_>) -> (Answer, Option<NewRecord>),
    permit: Permit,
) -> (Fate, Answer) {
    let at = stream(StreamKind::Process, cell.id.bytes());
    let first_version = mailbox.ahead().version + 1;
    let mut written: Vec<_> = events
        .into_iter()
        .zip(first_version..)
        .map(|(event, version)| {
            let mut event = AnyEvent::Process(event);
            event.close(&*core.ambient, &at, &cell.key);
            Written { stream: at, version, process: Some(cell.id), key: cell.key.number, stamp, event }
        })
        .collect();
    let events: Vec<_> = written
        .iter()
        .filter_map(|written| match &written.event {
            AnyEvent::Process(event) => Some(event.clone()),
            _ => None,
        })
        .collect();
    let process = mailbox.push(&events, &stamp);
    let (answer, record) = answer(&Done { process: &process, events: &events });
    let own = written.len() as u64;
    let beside = beside.map(|Beside { written: more, settle }| {
        written.extend(more);
        settle
    });
    let shared = Arc::clone(core);
    let cell = Arc::clone(cell);
    let fate = core.commit(&written, record, move |first| {
        match first {
            Some(position) => {
                cell.synced(&process);
                let last = position + own - 1;
                let row_key = key(table::PROCESS, &[&cell.id.bytes()]);
                let row = (row_key, Value::Process(process, cell.key.clone()));
                shared.state.put(last, [row].into_iter().chain(usage::activity(&stamp)));
            }
            None => cell.failed(),
        }
        if let Some(settle) = beside {
            settle(first.map(|first| first + own));
        }
        drop(permit);
    });
    (fate, answer)
}

/// Notes in the state that a person did something.
pub(crate) fn note_activity(core: &Core, position: Position, stamp: &Stamp) {
    core.state.put(position, usage::activity(stamp));
}

fn from_row(
    core: &Core,
    catalogue: &Catalogue,
    id: ProcessId,
    row_key: &[u8],
    stored: &Stored,
) -> Option<(Arc<Process>, SealingKey)> {
    let key = core.keys.key(stored.key).ok()?;
    let row = crate::state::open_process_row(&key, row_key, stored)?;
    let process = Process::from_row(id, &row, |schema| catalogue.plan(&schema.digest))?;
    Some((Arc::new(process), key))
}

/// Folds a process from its stream.
pub(crate) fn from_stream(core: &Core, catalogue: &Catalogue, id: ProcessId) -> Outcome<(Arc<Process>, SealingKey)> {
    let at = stream(StreamKind::Process, id.bytes());
    let events = events_of::<ProcessEvent>(core, &at, "process", &id)?;
    let damaged = || Trouble::Damaged { what: "process", id: id.to_string() };
    let mut process: Option<Process> = None;
    let mut number = 0;
    for (event, stamp, _, key) in &events {
        number = *key;
        match (&mut process, event) {
            (None, ProcessEvent::ProcessCreated(created)) => {
                let plan = catalogue.plan(&created.schema.digest).ok_or_else(damaged)?;
                process = Some(Process::created(id, created, stamp, plan));
            }
            (None, _) => return Err(damaged()),
            (Some(process), event) => process.apply(event, stamp),
        }
    }
    let key = core.keys.key(number).map_err(|error| Trouble::Unknown(error.to_string()))?;
    process.map(|process| (Arc::new(process), key)).ok_or_else(damaged)
}
