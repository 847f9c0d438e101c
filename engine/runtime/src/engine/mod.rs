//! The door: everything that the API and the command line ask of the engine.

mod happened;
mod hosting;
mod keeping;
mod opening;
mod resuming;
mod serving;
mod settings;
mod signed;
mod trusting;
mod withdrawing;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use interlink_host::{Host, Interlinker, Rendered};
use interlink_journal::{NewRecord, Position};
use interlink_model::asset::Asset;
use interlink_model::event::Actor;
use interlink_model::facts::{InterlinkerRef, SchemaSource};
use interlink_model::id::{AssetId, IncidentId, Micros, PersonId, ProcessId, StreamKind};
use interlink_model::process::{Command, Incident, NewProcess, Process};
use interlink_model::schema::authoring::Parsed;
use interlink_model::signature::Signature;
use parking_lot::Mutex;
use serde_json::Value as Json;

pub use self::happened::Happened;
pub(crate) use self::opening::lock;
pub use self::opening::{Drive, OpenError, Opened, Options};
pub use self::resuming::{Answers, Replayed, TakenCall};
pub(crate) use self::signed::Checkpoint;
use crate::assets::{
    Acted, AssetCell, Assets, Deed, For, Instantiation, NewAsset, Use as AssetUse, anonymous, guest_of,
};
use crate::backup::Source;
use crate::calls::Interrupted;
use crate::catalogue::{
    Catalogue, CatalogueEntry, InterlinkerVersion, Made, Pause, ProblemProfile, SchemaVersion, Withdrawal,
};
use crate::core::Core;
use crate::dispatch::{ByHand, Dispatcher};
use crate::draft::stream;
use crate::effects::Workshop;
use crate::error::{Outcome, Trouble};
use crate::gate::{Answer, Entry, Gate, Permit, Request};
use crate::guard::{BreakerView, Tally};
use crate::mended::{Backwards, RECORDS_AT_ONCE};
use crate::organizations::Organizations;
use crate::people::{Caller, People};
use crate::processes::{Ask, Done, Making, Processes};
use crate::scrub::Scrubber;
use crate::state::{Checkpointer, StateError};
use crate::telling::Teller;
use crate::usage::adoption::{self, Adoption, Reach};
use crate::usage::held::{self, Held, Quota};
use crate::usage::registry::{self, UseFilter, UsePage};

/// The engine on one data directory.
pub struct Engine {
    pub(crate) core: Arc<Core>,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) organizations: Arc<Organizations>,
    pub(crate) processes: Arc<Processes>,
    pub(crate) assets: Arc<Assets>,
    pub(crate) people: People,
    gate: Arc<Gate>,
    /// Calls that a crash interrupted, until they go on.
    interrupted: Mutex<Vec<(Interrupted, Permit)>>,
    checkpointer: Mutex<Option<Checkpointer>>,
    dispatcher: Mutex<Option<Dispatcher>>,
    scrubber: Mutex<Option<Scrubber>>,
    teller: Mutex<Option<Teller>>,
    pub(crate) provisioning: tokio::sync::Mutex<()>,
    /// Where a backup is taken from; nothing for a journal without files.
    pub(crate) source: Option<Source>,
    opened: Opened,
    /// Held as long as the engine lives.
    _lock: Option<File>,
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
    /// That its Interlinker's version was deprecated or revoked.
    pub withdrawal: Option<Withdrawal>,
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

    /// Stops in order: a last checkpoint, everything that waits written.
    pub fn close(&self) {
        if let Some(mut dispatcher) = self.dispatcher.lock().take() {
            dispatcher.stop();
        }
        drop(self.scrubber.lock().take());
        drop(self.teller.lock().take());
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

    /// Publishes a component, with its signature where it has one.
    pub async fn publish(
        &self,
        bytes: &[u8],
        signature: Option<&Signature>,
        actor: Actor,
        answer: impl FnOnce(&InterlinkerVersion) -> Answer,
        permit: &Permit,
    ) -> Outcome<Made<InterlinkerVersion>> {
        let settle = |version: &InterlinkerVersion| self.with_record(permit, || answer(version));
        self.catalogue.publish(&self.core, bytes, signature, actor, settle).await
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

    /// All Interlinkers, each in the version that its bare name means.
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
        let making = Making { id: None, plan: Arc::clone(&schema.plan), new, before: Vec::new(), first: Vec::new() };
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
    pub fn process_ids(&self, after: Option<ProcessId>, limit: usize) -> Outcome<Vec<ProcessId>> {
        let after = after.map(ProcessId::bytes);
        let streams = self.core.journal.streams(StreamKind::Process as u8, after, limit);
        let streams = streams.map_err(|error| Trouble::of_read(error, "journal", &"of processes"))?;
        Ok(streams.into_iter().map(|found| ProcessId::from_bytes(found.id)).collect())
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

    /// What the assets of an Interlinker hold together, and how much that may be.
    pub fn held(&self, name: &str) -> (Held, Quota) {
        (held::of_interlinker(&self.core.state, name), self.catalogue.quota(name))
    }

    /// Decides how many assets of an Interlinker there may be, and how many bytes of state they may have together.
    pub async fn set_quota(
        &self,
        actor: Actor,
        name: &str,
        quota: (Option<u64>, Option<u64>),
        answer: &Answer,
        permit: &Permit,
    ) -> Outcome<()> {
        let record = permit.record(&self.core, answer);
        self.catalogue.set_quota(&self.core, actor, name, quota, record).await
    }

    /// How the breaker of a version stands.
    pub fn breaker(&self, interlinker: &InterlinkerRef) -> BreakerView {
        self.core.guards.view(interlinker, self.core.now())
    }

    /// Closes the breakers of all versions of an Interlinker: what waited for them goes on.
    pub fn reset_breaker(&self, name: &str) -> Outcome<()> {
        self.interlinker(name)?;
        self.core.guards.reset(name);
        self.core.rouse.notify_one();
        Ok(())
    }

    /// What came of the calls of every version since the start, in the order of their first calls.
    pub fn tallies(&self) -> Vec<Tally> {
        self.core.guards.tallies(self.core.now())
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
        self.catalogue.may_be_called(&new.interlinker)?;
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
        let withdrawal = self.catalogue.withdrawal(&asset.interlinker);
        Ok(AssetView { asset, name, outcome, withdrawal })
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
        let asked = AssetUse { language, expected, effect: None, resumed: None, with: None, service: None, by: None };
        self.act_as(caller.actor(), id, action, input, asked, answer, permit).await
    }

    /// Whom the answer to an action is remembered for, where that is not who asks: the pseudonym, where it is anonymous.
    pub fn remembered_as(&self, caller: &Caller, id: AssetId, action: &str) -> Option<Caller> {
        let cell = self.asset_cell(id).ok()?;
        let InterlinkerRef { name, version, .. } = &cell.snapshot().asset.interlinker;
        let CatalogueEntry::Software(manifest) = self.interlinker(&format!("{name}@{version}")).ok()?.entry else {
            return None;
        };
        let is_anonymous = manifest.actions.iter().any(|declared| declared.name == action && declared.anonymous);
        is_anonymous.then(|| anonymous::remembered_as(&cell.key, id, caller))
    }

    /// The same, in the process or at a service's door.
    async fn act_as(
        &self,
        actor: Actor,
        id: AssetId,
        action: &str,
        input: Json,
        asked: AssetUse<'_>,
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
        self.catalogue.may_be_called(&asset.interlinker)?;
        let deed = Deed::Action { name: action, input };
        self.assets.perform(&process, &cell, &guest, actor, deed, asked, settle, permit).await
    }

    /// Shows an asset.
    pub async fn view(&self, caller: &Caller, id: AssetId, query: Json, language: &str) -> Outcome<(Arc<Asset>, Json)> {
        self.view_as(caller.actor(), id, query, language, None).await
    }

    /// The same, in the process or at a service's door.
    async fn view_as(
        &self,
        actor: Actor,
        id: AssetId,
        query: Json,
        language: &str,
        service: Option<&str>,
    ) -> Outcome<(Arc<Asset>, Json)> {
        let cell = self.asset_cell(id)?;
        let asset = cell.snapshot().asset;
        let process = self.processes.cell(asset.process)?;
        let guest = guest_of(&self.core, &self.catalogue, &asset).await?;
        self.catalogue.not_paused(&asset.interlinker.name)?;
        let snapshot = cell.snapshot();
        self.assets.view(&process, &guest, snapshot, actor, query, language, service).await
    }

    /// Renders the Markdown in what an asset showed, where its schema marks any.
    pub async fn rendered(&self, asset: &Asset, shown: &Json) -> Outcome<Rendered> {
        let guest = guest_of(&self.core, &self.catalogue, asset).await?;
        let shown = shown.clone();
        let rendering = tokio::task::spawn_blocking(move || guest.render_view(&shown));
        rendering.await.map_err(|_| Trouble::Unknown("what it shows could not be rendered".into()))
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
        let mut history = Backwards::of(&*self.core.journal, at, "process", &id)?;
        let mut people = BTreeSet::new();
        while let Some(actors) = history.actors(RECORDS_AT_ONCE)? {
            people.extend(actors.into_iter().filter_map(Actor::person));
        }
        Ok(people.into_iter().collect())
    }
}
