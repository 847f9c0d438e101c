//! Processes: a mailbox each, loaded when it is needed and put away when it is not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use interlink_journal::{NewRecord, Position};
use interlink_model::event::{Actor, Stamp};
use interlink_model::facts::{InterlinkerUsed, ProcessEvent, UsageEvent};
use interlink_model::id::{AssetId, Micros, ProcessId, StreamKind};
use interlink_model::process::{Command, Context, NewProcess, Plan, Process, Rule, create, decide};
use interlink_model::schema::authoring::BUILT_IN_ROLES;
use interlink_model::sealed::{Sealed, SealedFields};
use parking_lot::{Mutex, RwLock};

use crate::ambient::{correlation_id, process_id};
use crate::calls::{Recorder, settle_end};
use crate::catalogue::Catalogue;
use crate::cells::Cells;
use crate::core::{Ahead, Core, Durable, Fate, settled};
use crate::draft::{AnyEvent, Written, stream};
use crate::error::{Outcome, Trouble};
use crate::gate::{Answer, Permit};
use crate::history::{Folded, fold, from_row, is_snapshot_due, snapshot_record};
use crate::keys::SealingKey;
use crate::mailbox::{Mailbox, NotTaken};
use crate::notices;
use crate::schedule::{self, Planned};
use crate::state::{Found, Value, key, table};
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
    fn new(process: Arc<Process>, key: SealingKey, next_use: u64, next_snapshot: u64) -> Self {
        Self {
            id: process.id,
            key,
            durable: Durable::new(process.version),
            committed: RwLock::new(Arc::clone(&process)),
            mailbox: Mutex::new(Mailbox::new(process, next_use, next_snapshot)),
        }
    }

    /// The process as it is durable.
    pub fn process(&self) -> Arc<Process> {
        Arc::clone(&self.committed.read())
    }

    /// The process as it will be when all that was handed over is durable, and what to wait for until it is.
    pub fn ahead(&self) -> (Arc<Process>, Ahead) {
        let mailbox = self.mailbox.lock();
        (Arc::clone(mailbox.ahead()), self.durable.ahead(mailbox.ahead().version))
    }

    /// Waits until what was ahead is durable.
    pub async fn wait_for(&self, ahead: Ahead) -> Outcome<()> {
        self.durable.wait(ahead).await
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

    /// Decides a command on what is ahead, with everything that a decision needs to know.
    fn decide(&self, mailbox: &Mailbox, ask: &Ask<'_>, stamp: &Stamp) -> Result<Vec<ProcessEvent>, NotTaken> {
        let ahead = mailbox.ahead();
        let roles = roles_in(stamp.actor, &ahead.plan);
        let mut data = ahead.data.clone();
        if let Some(data) = &mut data {
            open_field(data, &self.key, StreamKind::Process, self.id.bytes(), "data");
        }
        let context = Context {
            roles: &roles,
            data: data.as_ref().and_then(Sealed::opened),
            draw: stamp.correlation.unwrap_or_default(),
            ..Context::new(stamp.at, stamp.actor)
        };
        mailbox.decide(ask.command, ask.note, ask.expected, &context)
    }

    /// What the process is to hear of an asset's outcome, where the asset does a task's work.
    pub fn wants_outcome(&self, asset: AssetId) -> Option<Command> {
        let mailbox = self.mailbox.lock();
        let held = mailbox.ahead().assets.get(&asset)?;
        (held.is_work && !held.outcome).then_some(Command::NoteOutcome(asset))
    }

    /// The process's values, where its key exists.
    pub fn data(&self, process: &Process) -> BTreeMap<String, serde_json::Value> {
        let Some(mut data) = process.data.clone() else { return BTreeMap::new() };
        open_field(&mut data, &self.key, StreamKind::Process, self.id.bytes(), "data");
        data.opened().cloned().unwrap_or_default()
    }

    fn failed(&self, core: &Core) {
        // Where it cannot be read for now, the next append that brings a snapshot conflicts, and this is asked again.
        let next = core.next_version(&stream(StreamKind::Snapshot, self.id.bytes())).ok();
        let mut mailbox = self.mailbox.lock();
        mailbox.failed(next);
        // Under the lock under which what is ahead is looked at.
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

/// How a process is made.
pub(crate) struct Making {
    /// The id that it gets; a new one where there is none.
    pub id: Option<ProcessId>,
    pub plan: Arc<Plan>,
    pub new: NewProcess,
    /// What has happened to it already, where it begins where another was.
    pub before: Vec<ProcessEvent>,
    /// What is asked of it at once, one after the other.
    pub first: Vec<Command>,
}

/// Roles of somebody in a process. Until there are teams, every member contributes and an operator is everything.
pub(crate) fn roles_in(actor: Actor, plan: &Plan) -> Vec<&str> {
    match actor {
        Actor::Operator(_) => {
            let own = plan.schema.roles.iter().map(String::as_str);
            ["operator"].into_iter().chain(BUILT_IN_ROLES).chain(own).collect()
        }
        Actor::Person(_) | Actor::Pseudonym(_) => vec!["contributor"],
        Actor::System | Actor::Visitor(_) => Vec::new(),
    }
}

/// A command that was not taken, with the state that it was decided on.
pub(crate) struct RefusedAhead {
    refused: NotTaken,
    ahead: Arc<Process>,
    /// What it waits for before it is told.
    until: Ahead,
}

impl RefusedAhead {
    /// What to tell whoever asked, once what it was decided on is durable; or that it never will be.
    pub async fn told(self, cell: &ProcessCell, expected: Option<u64>) -> Trouble {
        if let Err(lost) = cell.durable.wait(self.until).await {
            return lost;
        }
        match self.refused {
            NotTaken::Rejected(rejection) => Trouble::Rejected(rejection, self.ahead),
            NotTaken::WrongVersion { found } => Trouble::WrongVersion { expected: expected.unwrap_or(found), found },
            NotTaken::Full => Trouble::Busy { what: "this process has too much waiting".into(), retry_after_s: 1 },
        }
    }
}

/// What a tick came to.
pub(crate) enum Ticked {
    /// Something happened: its fate, and the next timer of what it gives.
    Fired(Fate, Option<Micros>),
    /// Nothing was due.
    Nothing,
}

/// All processes.
pub(crate) struct Processes {
    core: Arc<Core>,
    catalogue: Arc<Catalogue>,
    cells: Cells<ProcessId, ProcessCell>,
    /// Uses whose record could not be written: a view answers all the same.
    pub uses_lost: Arc<AtomicU64>,
}

impl Processes {
    pub fn new(core: Arc<Core>, catalogue: Arc<Catalogue>) -> Self {
        Self { core, catalogue, cells: Cells::new(CELLS_MAX), uses_lost: Arc::default() }
    }

    /// The cell of a process, loaded where it is not in memory.
    pub fn cell(&self, id: ProcessId) -> Outcome<Arc<ProcessCell>> {
        let (core, catalogue) = (&*self.core, &*self.catalogue);
        if let Some(cell) = self.cells.get(&id) {
            return Ok(cell);
        }
        let at = stream(StreamKind::Process, id.bytes());
        let Some(head) = core.head(&at)? else {
            return Err(Trouble::NotFound { what: "process", id: id.to_string() });
        };
        let row_key = key(table::PROCESS, &[&id.bytes()]);
        let found = match core.state.get(&row_key) {
            Some(Found::Live(_, Value::Process(process, key))) => Some((process, key)),
            Some(Found::Stored(stored)) => from_row(core, catalogue, id, &row_key, &stored),
            _ => None,
        };
        if let Some((process, _)) = found.as_ref().filter(|(process, _)| process.version > head.version) {
            core.check_not_ahead(&at, process.version, "process", id)?;
        }
        // A row that is not as new as the journal says was lost or damaged: the stream makes it again.
        let (process, key) = match found.filter(|(process, _)| process.version == head.version) {
            Some(found) => found,
            None => {
                let Folded { process, key } = fold(core, catalogue, id, Position::MAX)?;
                (process, key)
            }
        };
        let next = |kind| core.next_version(&stream(kind, id.bytes()));
        let (next_use, next_snapshot) = (next(StreamKind::Usage)?, next(StreamKind::Snapshot)?);
        Ok(self.cells.insert(id, ProcessCell::new(process, key, next_use, next_snapshot)))
    }

    /// A process as the state has it, without keeping it in memory; nothing where the state does not have it.
    pub fn peek(&self, id: ProcessId) -> Option<Arc<Process>> {
        let (core, catalogue) = (&*self.core, &*self.catalogue);
        if let Some(cell) = self.cells.get(&id) {
            return Some(cell.process());
        }
        let row_key = key(table::PROCESS, &[&id.bytes()]);
        match core.state.get(&row_key)? {
            Found::Live(_, Value::Process(process, _)) => Some(process),
            Found::Stored(stored) => from_row(core, catalogue, id, &row_key, &stored).map(|(process, _)| process),
            Found::Live(..) => None,
        }
    }

    /// Makes a process, and starts it where that is asked. `beside` makes events of other streams that go with it.
    pub async fn create(
        &self,
        actor: Actor,
        making: Making,
        beside: impl FnOnce(&Stamp, ProcessId, &SealingKey) -> Option<Beside> + Send,
        answer: impl FnOnce(&Process, &str) -> (Answer, Option<NewRecord>) + Send,
        permit: Permit,
    ) -> Outcome<(Arc<Process>, Answer)> {
        let core = &self.core;
        let Making { id, plan, new, before, first } = making;
        let id = id.unwrap_or_else(|| process_id(&*core.ambient));
        let name = new.name.clone();
        let data = new.data.clone();
        let key = core.keys.draw().map_err(|error| Trouble::Unknown(error.to_string()))?;
        let at = stream(StreamKind::Process, id.bytes());
        let stamp = core.stamp(core.now(), actor);
        let mut created = create(&plan, new);
        created.sealed_fields(&mut |field, value| {
            value.close(&mut |plain| key.seal(&*core.ambient, &[&[at.kind], &at.id, field.as_bytes()], plain));
        });
        let mut process = Process::created(id, &created, &stamp, plan);
        let mut events: Vec<ProcessEvent> = vec![created.into()];
        for event in before {
            process.apply(&event, &stamp);
            events.push(event);
        }
        for (number, first) in first.into_iter().enumerate() {
            let plan = Arc::clone(&process.plan);
            let roles = roles_in(actor, &plan);
            // What is drawn in one decision is not drawn again in the next.
            let draw = match number {
                0 => stamp.correlation.unwrap_or_default(),
                _ => correlation_id(&*core.ambient),
            };
            let context = Context { roles: &roles, data: Some(&data), draw, ..Context::new(stamp.at, actor) };
            let followed = match decide(&process, &first, None, &context) {
                Err(rejection) if rejection.rule == Rule::NothingToDo => Vec::new(),
                followed => followed.map_err(|rejection| Trouble::Rejected(rejection, Arc::new(process.clone())))?,
            };
            for event in followed {
                let mut event = AnyEvent::Process(event);
                event.close(&*core.ambient, &at, &key);
                let AnyEvent::Process(event) = event else { unreachable!("closing keeps the family") };
                process.apply(&event, &stamp);
                events.push(event);
            }
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
        let rows = schedule::rows(None, &process, &key);
        let made = Arc::clone(&process);
        let fate = core.commit(&written, record, move |first| {
            if let Some(first) = first {
                let last = first + own - 1;
                shared.state.put(last, rows.into_iter().chain(usage::activity(&stamp)));
                shared.rouse(&made);
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
        cell: &Arc<ProcessCell>,
        actor: Actor,
        ask: Ask<'_>,
        beside: impl FnOnce(&Stamp) -> Option<Beside> + Send,
        answer: impl FnOnce(&Done<'_>) -> (Answer, Option<NewRecord>) + Send,
        permit: Permit,
    ) -> Outcome<Answer> {
        match self.hand_over(cell, actor, &ask, beside, answer, permit) {
            Ok((fate, answer)) => {
                settled(fate).await?;
                Ok(answer)
            }
            Err(refused) => Err(refused.told(cell, ask.expected).await),
        }
    }

    /// Decides a command and hands what follows over, without waiting for anything. What is refused was decided on what
    /// may not be durable yet.
    pub fn hand_over(
        &self,
        cell: &Arc<ProcessCell>,
        actor: Actor,
        ask: &Ask<'_>,
        beside: impl FnOnce(&Stamp) -> Option<Beside>,
        answer: impl FnOnce(&Done<'_>) -> (Answer, Option<NewRecord>),
        permit: Permit,
    ) -> Result<(Fate, Answer), RefusedAhead> {
        let core = &self.core;
        let mut mailbox = cell.mailbox.lock();
        let stamp = core.stamp(mailbox.time(core.now()), actor);
        match cell.decide(&mailbox, ask, &stamp) {
            Ok(events) => Ok(submit(core, cell, &mut mailbox, events, stamp, beside(&stamp), answer, permit)),
            Err(refused) => {
                let (ahead, until) = (Arc::clone(mailbox.ahead()), cell.durable.ahead(mailbox.ahead().version));
                Err(RefusedAhead { refused, ahead, until })
            }
        }
    }

    /// Lets what is due by an instant happen. The append is handed over when this returns, so that appends of several
    /// processes are in the journal in the order of the calls.
    pub fn tick(&self, cell: &Arc<ProcessCell>, until: Micros) -> Ticked {
        let core = &self.core;
        let mut mailbox = cell.mailbox.lock();
        let stamp = core.stamp(mailbox.time(core.now()), Actor::System);
        let ask = Ask { command: &Command::Tick { until }, note: None, expected: None };
        match cell.decide(&mailbox, &ask, &stamp) {
            Ok(events) => {
                let answer = |_: &Done<'_>| (Answer::default(), None);
                let (fate, _) = submit(core, cell, &mut mailbox, events, stamp, None, answer, Permit::default());
                Ticked::Fired(fate, mailbox.ahead().next_timer())
            }
            Err(_) => Ticked::Nothing,
        }
    }

    /// Puts what the state should have of a process, where it lacks a place; says which. Not while something of it waits for
    /// its sync, which moves the places.
    pub fn put_back(&self, cell: &ProcessCell) -> Option<&'static str> {
        let core = &self.core;
        let mailbox = cell.mailbox.lock();
        if !mailbox.is_idle() {
            return None;
        }
        let process = mailbox.committed();
        let has_row = core.state.get(&key(table::PROCESS, &[&cell.id.bytes()])).is_some();
        let lost = if has_row { schedule::missing(&core.state, process)? } else { "row" };
        core.state.put(core.state.applied(), schedule::rows(None, process, &cell.key));
        Some(lost)
    }

    /// Removes places of a process from the indexes that are no longer true: what is left of a row that was made again from
    /// its stream.
    pub fn tidy(&self, cell: &ProcessCell, place: Planned) {
        let core = &self.core;
        let mailbox = cell.mailbox.lock();
        // While something waits for its sync, the rows are about to move.
        if !mailbox.is_idle() {
            return;
        }
        let process = mailbox.committed();
        let position = core.state.applied();
        let wrong = [(table::DUE, schedule::next_due(process)), (table::WORK, schedule::next_work(process))];
        let wrong = wrong.into_iter().filter(|(_, now)| *now != Some(place));
        core.state.put(position, wrong.map(|(index, _)| schedule::gone(index, place)));
    }

    /// Records a use that changes nothing. The answer to whoever looked does not wait for it.
    pub fn record_use(
        &self,
        cell: &Arc<ProcessCell>,
        actor: Actor,
        mut used: InterlinkerUsed,
        recorder: Option<&Arc<Recorder>>,
        answer: Option<NewRecord>,
        permit: Permit,
    ) -> Fate {
        let core = &self.core;
        used.call = recorder.and_then(|recorder| recorder.call());
        let (call, outcome) = (used.call, used.outcome);
        let mut mailbox = cell.mailbox.lock();
        let at = mailbox.time(core.now());
        let stamp = core.stamp(at, actor);
        let event = UsageEvent::InterlinkerUsed(used);
        let entry = usage::use_of_usage(cell.id, &event, &stamp);
        let mut written = vec![Written {
            stream: stream(StreamKind::Usage, cell.id.bytes()),
            version: mailbox.next_use(),
            process: Some(cell.id),
            key: cell.key.number,
            stamp,
            event: AnyEvent::Usage(event),
        }];
        written.extend(recorder.map(|recorder| recorder.end(stamp, outcome)).unwrap_or_default());
        let shared = Arc::clone(core);
        let lost = Arc::clone(&self.uses_lost);
        // Held until the fate is known: a cell that was loaded meanwhile would give the same version again.
        let cell = Arc::clone(cell);
        let at = written[0].stream;
        core.commit(&written, answer, move |first| {
            match first {
                Some(position) => {
                    usage::record(&shared.state, position, &entry);
                    if entry.service.is_none() {
                        note_activity(&shared, position, &stamp);
                    }
                }
                None => {
                    lost.fetch_add(1, Ordering::Relaxed);
                    // Where it cannot be read for now, the next use conflicts, and this is asked again.
                    if let Ok(next) = shared.next_version(&at) {
                        cell.mailbox.lock().use_failed(next);
                    }
                }
            }
            settle_end(&shared, first, call);
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
    let before = Arc::clone(mailbox.ahead());
    let process = mailbox.push(&events, &stamp);
    // Where snapshots are damaged none is brought: they save time, and nothing waits for them.
    let is_due =
        is_snapshot_due(&before, &process) && !core.journal.is_damaged(&stream(StreamKind::Snapshot, cell.id.bytes()));
    let snapshot = is_due.then(|| snapshot_record(&process, &cell.key, mailbox.next_snapshot()));
    let (answer, record) = answer(&Done { process: &process, events: &events });
    let own = written.len() as u64;
    let telling = events.iter().zip(first_version..).enumerate();
    let telling = telling.filter(|(_, (event, _))| !notices::told_by(event).is_empty());
    let telling: Vec<_> = telling.map(|(place, (event, version))| (place as u64, version, event.clone())).collect();
    let settle_beside = beside.map(|Beside { written: more, settle }| {
        written.extend(more);
        settle
    });
    let shared = Arc::clone(core);
    let cell = Arc::clone(cell);
    let beside = record.into_iter().chain(snapshot);
    let fate = core.commit(&written, beside, move |first| {
        match first {
            Some(position) => {
                if let Some(last) = (position + own).checked_sub(1).filter(|_| own > 0) {
                    let rows = schedule::rows(Some(&cell.process()), &process, &cell.key);
                    shared.state.put(last, rows.into_iter().chain(usage::activity(&stamp)));
                }
                for (place, version, event) in &telling {
                    notices::put_of_process(&shared.state, position + place, cell.id, *version, event);
                }
                cell.synced(&process);
                shared.rouse(&process);
            }
            None => cell.failed(&shared),
        }
        if let Some(settle) = settle_beside {
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
