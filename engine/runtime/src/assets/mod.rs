//! Assets: a lane each, in which its changing calls run one at a time.
//!
//! A call runs on the state that the queued calls before it will give; its changes and its outcome go into one append.
//! The lane is free for the next call as soon as that append is handed over, and the answer waits for its sync: ten
//! thousand votes share theirs, and a guest that loops holds up its own asset, not its process. Views run outside
//! lanes, on what is durable.

mod alarms;
pub(crate) mod anonymous;
pub(crate) mod blobs;
mod calling;
mod company;
mod failures;
mod lane;
pub(crate) mod rows;
mod tried;
pub(crate) mod upgrading;
mod written;

use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use interlink_host::{Besides, CallContext, Entry, Failure, Fault, Interlinker, Problem, Rendered};
use interlink_journal::{NewRecord, Position};
use interlink_model::asset::Asset;
use interlink_model::event::{Actor, Stamp};
use interlink_model::facts::*;
use interlink_model::id::{AssetId, Micros, ProcessId, StreamKind};
use interlink_model::keyvalues::KeyValues;
use interlink_model::process::Command;
use interlink_model::sealed::Sealed;
use parking_lot::Mutex;
use serde_json::Value as Json;

pub(crate) use self::alarms::{Rung, put_back};
pub(crate) use self::calling::{Seen, call_context, given_of, run};
use self::calling::{log, roles_of};
pub(crate) use self::company::taking_part;
use self::failures::KeptFailures;
use self::lane::Lane;
pub(crate) use self::lane::Place;
pub use self::lane::Snapshot;
pub(crate) use self::lane::{AssetCell, name_of, outcome_of};
use self::rows::{from_rows, from_stream, value_key};
pub(crate) use self::tried::Tried;
use self::written::{changes_of, failed, used, with_besides};
pub(crate) use self::written::{settle_events, written_events};
use crate::ambient::asset_id;
use crate::archive;
use crate::calls::{Calling, Cause, HeldLanes, Interrupted, Recorder, World, left_open, settle_end};
use crate::catalogue::Catalogue;
use crate::cells::Cells;
use crate::core::{Core, Fate, settled};
use crate::draft::stream;
use crate::error::{Outcome, Trouble};
use crate::gate::{Answer, Permit};
use crate::guard::Who;
use crate::processes::{Ask, Beside, ProcessCell, Processes, RefusedAhead};
use crate::state::Value;
use crate::usage;
use crate::usage::held::{Held as HeldBytes, Reserved, Room};

/// Assets that are kept in memory while nothing waits in them: each holds its whole state.
pub const CELLS_MAX: usize = 4_096;
/// What a call did to an asset.
pub struct Acted<'a> {
    /// The asset afterwards.
    pub asset: &'a Asset,
    /// What the Interlinker answered.
    pub output: &'a Json,
    /// What the Markdown in it comes to.
    pub rendered: &'a Rendered,
}

/// What is asked of an asset.
pub(crate) struct Use<'a> {
    /// The language to answer in.
    pub language: &'a str,
    /// The version that the caller saw.
    pub expected: Option<u64>,
    /// The effect for which it is.
    pub effect: Option<u64>,
    /// The call that goes on, where it is none of its own.
    pub resumed: Option<Interrupted>,
    /// What the process hears of it in the same append, where it is not an outcome that it waits for.
    pub with: Option<Command>,
    /// The service at whose door it is, where it is at one.
    pub service: Option<String>,
    /// The asset that runs this action for whoever calls it, and how long it waits for its turn. Such a call has no outside.
    pub by: Option<(AssetId, Duration)>,
}

/// What is done with an asset.
pub(crate) enum Deed<'a> {
    /// An action is run.
    Action {
        /// Which.
        name: &'a str,
        /// With what.
        input: Json,
    },
    /// An alarm rings that was set for this time.
    Alarm {
        /// Which.
        name: &'a str,
        /// When.
        at: Micros,
    },
}

/// What a new asset is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    /// Somebody wants it on a task.
    Evidence,
    /// A task wants it: the effect of this number, which drew its id.
    Effect(u64, AssetId),
}

/// How an Interlinker is to be instantiated.
pub(crate) struct Instantiation<'a> {
    /// What is made.
    pub new: NewAsset,
    /// For what.
    pub purpose: For,
    /// The language to answer in.
    pub language: &'a str,
    /// The call that goes on, where it is none of its own.
    pub resumed: Option<Interrupted>,
}

/// What a new asset is made of.
pub struct NewAsset {
    /// On which task.
    pub task: String,
    /// Of which Interlinker.
    pub interlinker: InterlinkerRef,
    /// What people call it.
    pub name: String,
    /// What it is instantiated with.
    pub input: Json,
}

/// All assets.
pub(crate) struct Assets {
    core: Arc<Core>,
    processes: Arc<Processes>,
    cells: Cells<AssetId, AssetCell>,
    /// What calls ask the world outside with.
    world: Arc<World>,
    /// Lanes that wait for a call that a crash interrupted.
    pub held: HeldLanes,
    /// For calls that ask for other assets.
    me: Weak<Assets>,
    kept_failures: Mutex<KeptFailures>,
    /// What was let in of assets and their state, and is not durable yet.
    reserved: Reserved,
}

/// Bytes of the blobs that a call keeps.
fn kept_bytes(besides: &Besides) -> i64 {
    besides.blobs.iter().fold(0, |bytes, (_, put)| bytes + i64::try_from(put.content.len()).unwrap_or(i64::MAX))
}

impl Assets {
    pub fn new(processes: Arc<Processes>, world: Arc<World>) -> Arc<Self> {
        let core = Arc::clone(&world.core);
        Arc::new_cyclic(|me| Self {
            core,
            processes,
            cells: Cells::new(CELLS_MAX),
            world,
            held: HeldLanes::default(),
            me: me.clone(),
            kept_failures: Mutex::default(),
            reserved: Reserved::default(),
        })
    }

    /// The cell of an asset, loaded where it is not in memory. A removed asset is not there.
    pub fn cell(&self, id: AssetId) -> Outcome<Arc<AssetCell>> {
        let core = &*self.core;
        let gone = || Trouble::NotFound { what: "asset", id: id.to_string() };
        let cell = match self.cells.get(&id) {
            Some(cell) => cell,
            None => {
                let at = stream(StreamKind::Asset, id.bytes());
                let head = core.head(&at)?.ok_or_else(gone)?;
                let found = from_rows(core, id);
                if let Some((snapshot, _)) = found.as_ref().filter(|(found, _)| found.asset.version > head.version) {
                    core.check_not_ahead(&at, snapshot.asset.version, "asset", id)?;
                }
                let (snapshot, key) = match found.filter(|(found, _)| found.asset.version == head.version) {
                    Some(found) => found,
                    None => from_stream(core, id, Position::MAX)?,
                };
                self.cells.insert(id, AssetCell::new(snapshot, key))
            }
        };
        if cell.snapshot().asset.removed_at.is_some() {
            return Err(gone());
        }
        Ok(cell)
    }

    /// Instantiates an Interlinker on a task.
    pub async fn instantiate(
        &self,
        process: &Arc<ProcessCell>,
        guest: &Arc<Interlinker>,
        actor: Actor,
        wanted: Instantiation<'_>,
        answer: impl FnOnce(Result<(&Asset, &str), &Trouble>) -> (Answer, Option<NewRecord>) + Send,
        permit: Permit,
    ) -> Outcome<Answer> {
        let core = &self.core;
        let Instantiation { new, purpose, language, resumed } = wanted;
        guest.check_instantiate(&new.input).map_err(Trouble::Input)?;
        let effect = match purpose {
            For::Effect(effect, _) => Some(effect),
            For::Evidence => None,
        };
        let resumed = resumed.or_else(|| self.left_open(process.id, effect, &permit));
        let id = match (purpose, &resumed) {
            (For::Effect(_, id), _) => id,
            (For::Evidence, Some(resumed)) => resumed.calling.asset,
            (For::Evidence, None) => asset_id(&*core.ambient),
        };
        let recorder = match &resumed {
            Some(resumed) => Recorder::resumed(core, process, resumed),
            None => {
                let calling = Calling {
                    interlinker: new.interlinker.clone(),
                    task: new.task.clone(),
                    asset: id,
                    version: None,
                    action: None,
                    input: new.input.clone(),
                    name: Some(new.name.clone()),
                    language: language.to_owned(),
                    effect,
                    answer: permit.scope(),
                    alarm: false,
                    aside: None,
                    given: self.given(&new.interlinker.name),
                    service: None,
                };
                Recorder::new(core, process, actor, calling)
            }
        };
        let recorded = resumed.map(|resumed| resumed.recorded);
        // Asked before the guest runs, and again when it is known what it holds. A call that a crash cut off was let in.
        let is_new = recorded.is_none();
        if is_new {
            drop(self.room(process.id, &new.interlinker.name, 1, 0)?);
        }
        let context = call_context(actor, process, &new.task, id, language, recorder.began_at());
        let entry = Entry::Instantiate { input: new.input.clone() };
        let seen = Seen { values: KeyValues::default(), given: given_of(recorder.given(), None) };
        let company = self.company(process, id, actor, &recorder, language);
        let called = self.call(guest, entry, seen, context, &recorder, recorded, company).await?;
        log(&called, &new.interlinker);
        let duration_us = called.cost.instantiate_us + called.cost.call_us;
        let used = used(UseKind::Instantiate, &new.interlinker, &new.task, duration_us);
        let done = match called.result {
            Ok(done) => done,
            Err(Failure::Failed(fault @ Fault::NotRecorded(_))) => return Err(Trouble::Unknown(fault.to_string())),
            Err(failure) => {
                self.keep_failure(&failure, &called.logs, &recorder);
                let (trouble, used) = failed(used, failure);
                let (_, record) = answer(Err(&trouble));
                let fate = self.processes.record_use(process, actor, used, Some(&recorder), record, permit);
                settled(fate).await?;
                return Err(trouble);
            }
        };
        let grown_bytes = i64::try_from(done.state.bytes()).unwrap_or(i64::MAX);
        let more = grown_bytes.saturating_add(kept_bytes(&done.besides));
        let room = if is_new { self.room(process.id, &new.interlinker.name, 1, more).map(Some) } else { Ok(None) };
        let _room = match room {
            Ok(room) => room,
            Err(trouble) => return self.end_over_quota(process, actor, trouble, used, &recorder).await,
        };
        let interlinker = new.interlinker.name.clone();
        let command = match purpose {
            For::Evidence => Command::AddAsset { task: new.task.clone(), asset: id, interlinker },
            For::Effect(effect, _) => {
                Command::EffectDone { effect, asset: Some(interlinker), outcome: done.outcome.is_some() }
            }
        };
        let at = stream(StreamKind::Asset, id.bytes());
        let key = process.key.clone();
        let made: OnceLock<Arc<Asset>> = OnceLock::new();
        let name = new.name.clone();
        let beside = |stamp: &Stamp| {
            let instantiated = InterlinkerInstantiated {
                interlinker: new.interlinker.clone(),
                process: process.id,
                task: new.task.clone(),
                name: Sealed::Open(new.name),
                input: Sealed::Open(new.input),
                output: Sealed::Open(done.output),
                changes: changes_of(&done.changes),
                call: recorder.call(),
                counts: done.counts,
                grown_bytes,
                noted: done.besides.noted.clone(),
                duration_us,
            };
            let events = with_besides(core, instantiated.into(), done.outcome, done.besides);
            let (mut written, asset) = written_events(core, at, None, process.id, &key, *stamp, events);
            let _ = made.set(Arc::clone(&asset));
            let put = settle_events(core, written.clone(), None, asset, key, *stamp);
            written.extend(recorder.end(*stamp, UseOutcome::Done));
            let (shared, call) = (Arc::clone(core), recorder.call());
            let settle = move |first| {
                put(first);
                settle_end(&shared, first, call);
            };
            Some(Beside { written, settle: Box::new(settle) })
        };
        // `beside` runs before `answer`: the asset is there.
        let answer = |_: &crate::processes::Done<'_>| answer(Ok((made.get().expect("made beside"), &name)));
        let ask = Ask { command: &command, note: None, expected: None };
        let made = self.processes.command(process, actor, ask, beside, answer, permit).await;
        if let Err(trouble) = &made {
            self.end_rejected(process, actor, trouble, used, &recorder).await?;
        }
        made
    }

    /// The call that a request or an effect asks for again.
    fn left_open(&self, process: ProcessId, effect: Option<u64>, permit: &Permit) -> Option<Interrupted> {
        match effect {
            Some(effect) => left_open(&self.core, process, Cause::Effect(effect)),
            None => permit.scope().and_then(|scope| left_open(&self.core, process, Cause::Request(&scope))),
        }
    }

    /// Room for more assets of an Interlinker on a process, and for so much more state and blobs; what shrinks needs none.
    pub(crate) fn room(&self, process: ProcessId, name: &str, assets: u64, grown_bytes: i64) -> Outcome<Room<'_>> {
        let more = HeldBytes { assets, state_bytes: u64::try_from(grown_bytes).unwrap_or(0) };
        self.reserved.room(&self.core.state, name, self.world.catalogue.quota(name), process, more)
    }

    /// Ends a call that did what it was to do, where there is no room for what that leaves.
    async fn end_over_quota(
        &self,
        process: &Arc<ProcessCell>,
        actor: Actor,
        trouble: Trouble,
        used: InterlinkerUsed,
        recorder: &Arc<Recorder>,
    ) -> Outcome<Answer> {
        let used = InterlinkerUsed { outcome: UseOutcome::Refused, reason: Some("quota-exceeded".into()), ..used };
        settled(self.processes.record_use(process, actor, used, Some(recorder), None, Permit::default())).await?;
        Err(trouble)
    }

    /// Ends a call that asked the world outside and whose outcome the process does not take. One of which it is not known
    /// what became stays open.
    async fn end_rejected(
        &self,
        process: &Arc<ProcessCell>,
        actor: Actor,
        trouble: &Trouble,
        used: InterlinkerUsed,
        recorder: &Arc<Recorder>,
    ) -> Outcome<()> {
        let Trouble::Rejected(rejection, _) = trouble else { return Ok(()) };
        if recorder.call().is_some() {
            let reason = Some(rejection.rule.slug().to_owned());
            let used = InterlinkerUsed { outcome: UseOutcome::Refused, reason, ..used };
            settled(self.processes.record_use(process, actor, used, Some(recorder), None, Permit::default())).await?;
        }
        Ok(())
    }

    /// Runs an action, or rings an alarm.
    pub async fn perform(
        &self,
        process: &Arc<ProcessCell>,
        cell: &Arc<AssetCell>,
        guest: &Arc<Interlinker>,
        actor: Actor,
        deed: Deed<'_>,
        asked: Use<'_>,
        answer: impl FnOnce(Result<&Acted<'_>, &Trouble>) -> (Answer, Option<NewRecord>) + Send,
        permit: Permit,
    ) -> Outcome<Answer> {
        let mut actor = actor;
        if let Deed::Action { name, input } = &deed {
            let is_anonymous = may_run(guest, actor, name, &asked)?;
            if asked.resumed.is_none() {
                anonymous::check_permit(&permit, is_anonymous)?;
            }
            guest.check_action(name, input).map_err(Trouble::Input)?;
            if is_anonymous {
                actor = anonymous::pseudonym(&cell.key, cell.id, actor);
            }
        }
        let (fate, answer, _room) = {
            let _place = Place::take(&cell.waiting)?;
            let resumed = asked.resumed.or_else(|| self.left_open(process.id, asked.effect, &permit));
            let turn = async {
                if resumed.is_none() {
                    // A call that a crash interrupted comes before every other.
                    self.held.free(cell.id).await;
                }
                cell.enter().await
            };
            let mut lane = match asked.by {
                None => turn.await,
                Some((_, patience)) => tokio::time::timeout(patience, turn).await.map_err(|_| {
                    let what = "another call of that asset takes long".into();
                    Trouble::Busy { what, retry_after_s: 1 }
                })?,
            };
            let Snapshot { asset, values } = lane.ahead.clone();
            cell.admit(&lane, asked.expected).await?;
            archive::admit(process).await?;
            let (name, input, alarm) = match deed {
                Deed::Action { name, input } => (name, input, false),
                Deed::Alarm { name, at } => match asset.alarms.get(name).filter(|alarm| alarm.at == at) {
                    Some(alarm) => (name, alarms::input_of(cell, &alarm.input), true),
                    // It rang, or was taken away.
                    None => return Ok(Answer::default()),
                },
            };
            let word = if alarm { usage::alarm_word(name) } else { name.to_owned() };
            let recorder = match &resumed {
                Some(resumed) => Recorder::resumed(&self.core, process, resumed),
                None => {
                    let calling = Calling {
                        interlinker: asset.interlinker.clone(),
                        task: asset.task.clone(),
                        asset: cell.id,
                        version: Some(asset.version),
                        action: Some(name.to_owned()),
                        input: input.clone(),
                        name: None,
                        language: asked.language.to_owned(),
                        effect: asked.effect,
                        answer: permit.scope(),
                        alarm,
                        aside: None,
                        given: self.given(&asset.interlinker.name),
                        service: asked.service.clone(),
                    };
                    Recorder::new(&self.core, process, actor, calling)
                }
            };
            let was_at = resumed.as_ref().map(|resumed| resumed.calling.version);
            let recorded = resumed.map(|resumed| resumed.recorded);
            let used = used(UseKind::Action, &asset.interlinker, &asset.task, 0);
            let service = asked.service.clone();
            let used = InterlinkerUsed { asset: Some(cell.id), action: Some(word), service, ..used };
            if was_at.is_some_and(|version| version != Some(asset.version)) {
                let used = InterlinkerUsed {
                    kind: UseKind::Failure,
                    outcome: UseOutcome::Failed,
                    reason: Some("overtaken".into()),
                    ..used
                };
                let fate = self.processes.record_use(process, actor, used, Some(&recorder), None, Permit::default());
                drop(lane);
                settled(fate).await?;
                let what = "the asset has changed since this call was interrupted".into();
                return Err(Trouble::Busy { what, retry_after_s: 1 });
            }
            let (is_new, held_bytes) = (recorded.is_none(), values.bytes());
            let context = call_context(actor, process, &asset.task, cell.id, asked.language, recorder.began_at());
            let context = CallContext { by: asked.by.map(|(by, _)| by.to_string()), ..context };
            let entry = match alarm {
                true => Entry::Ring { name: name.into(), input: input.clone() },
                false => Entry::Action { name: name.into(), input: input.clone() },
            };
            let seen = Seen { values, given: given_of(recorder.given(), Some(self.kept(cell, &asset))) };
            let called = match asked.by {
                Some(_) => self.run_guarded(guest, Who::of(actor), seen.called(entry, context), None).await?,
                None => {
                    let company = self.company(process, cell.id, actor, &recorder, asked.language);
                    self.call(guest, entry, seen, context, &recorder, recorded, company).await?
                }
            };
            log(&called, &asset.interlinker);
            let duration_us = called.cost.instantiate_us + called.cost.call_us;
            let used = InterlinkerUsed { duration_us, ..used };
            match called.result {
                Ok(done) => {
                    let bytes = |bytes: usize| i64::try_from(bytes).unwrap_or(i64::MAX);
                    let grown_bytes = bytes(done.state.bytes()) - bytes(held_bytes);
                    let more = grown_bytes.saturating_add(kept_bytes(&done.besides));
                    let of = &asset.interlinker.name;
                    let room = if is_new { self.room(process.id, of, 0, more).map(Some) } else { Ok(None) };
                    let room = match room {
                        Ok(room) => room,
                        Err(trouble) => {
                            drop(lane);
                            return self.end_over_quota(process, actor, trouble, used, &recorder).await;
                        }
                    };
                    let with =
                        asked.with.or_else(|| done.outcome.as_ref().and_then(|_| process.wants_outcome(cell.id)));
                    let (output, changes) = (Sealed::Open(done.output.clone()), changes_of(&done.changes));
                    let (call, counts, noted) = (recorder.call(), done.counts, done.besides.noted.clone());
                    let name = name.to_owned();
                    let performed = match alarm {
                        true => {
                            AlarmRang { name, output, changes, call, counts, grown_bytes, noted, duration_us }.into()
                        }
                        false => ActionPerformed {
                            action: name,
                            input: Sealed::Open(input),
                            output,
                            changes,
                            call,
                            counts,
                            grown_bytes,
                            noted,
                            by: asked.by.map(|(by, _)| by),
                            duration_us,
                            service: asked.service,
                        }
                        .into(),
                    };
                    let call = Performed {
                        before: asset,
                        events: with_besides(&self.core, performed, done.outcome, done.besides),
                        values: done.state,
                        output: done.output,
                        rendered: done.rendered,
                        recorder: Some(Arc::clone(&recorder)),
                    };
                    match self.hand_over(process, cell, &mut lane, call, actor, with, answer, permit) {
                        Ok((fate, answer)) => (fate, answer, room),
                        Err(refused) => {
                            drop(lane);
                            let trouble = refused.told(process, None).await;
                            self.end_rejected(process, actor, &trouble, used, &recorder).await?;
                            return Err(trouble);
                        }
                    }
                }
                Err(Failure::Failed(fault @ Fault::NotRecorded(_))) => return Err(Trouble::Unknown(fault.to_string())),
                Err(failure) => {
                    self.keep_failure(&failure, &called.logs, &recorder);
                    let (trouble, used) = failed(used, failure);
                    // Decided on what calls before it will have left: its record is behind theirs in the journal.
                    let (_, record) = answer(Err(&trouble));
                    let fate = self.processes.record_use(process, actor, used, Some(&recorder), record, permit);
                    drop(lane);
                    settled(fate).await?;
                    return Err(trouble);
                }
            }
        };
        settled(fate).await?;
        Ok(answer)
    }

    /// Hands the events of a call over, together with what the process hears of it, and takes what they give as what is
    /// ahead.
    fn hand_over(
        &self,
        process: &Arc<ProcessCell>,
        cell: &Arc<AssetCell>,
        lane: &mut Lane,
        call: Performed,
        actor: Actor,
        with: Option<Command>,
        answer: impl FnOnce(Result<&Acted<'_>, &Trouble>) -> (Answer, Option<NewRecord>) + Send,
        permit: Permit,
    ) -> Result<(Fate, Answer), RefusedAhead> {
        let core = &self.core;
        let at = stream(StreamKind::Asset, cell.id.bytes());
        let Performed { before, events, values, output, rendered, recorder } = call;
        let prepare = |stamp: Stamp| {
            let (mut written, asset) = written_events(core, at, Some(&before), process.id, &cell.key, stamp, events);
            let snapshot = Snapshot { asset: Arc::clone(&asset), values };
            let (was, is) = (Arc::clone(&before), Arc::clone(&asset));
            let put = settle_events(core, written.clone(), Some(was), is, cell.key.clone(), stamp);
            let recorder = recorder.as_ref();
            written.extend(recorder.map(|recorder| recorder.end(stamp, UseOutcome::Done)).unwrap_or_default());
            let (shared, call) = (Arc::clone(core), recorder.and_then(|recorder| recorder.call()));
            let settling = Arc::clone(cell);
            let ahead = snapshot.clone();
            let settle = move |first: Option<Position>| {
                match first {
                    Some(_) => settling.synced(snapshot),
                    None => settling.failed(),
                }
                put(first);
                settle_end(&shared, first, call);
            };
            (written, asset, ahead, settle)
        };
        let Some(command) = with else {
            let stamp = core.stamp(lane.time(core.now()), actor);
            let (written, asset, ahead, settle) = prepare(stamp);
            let (answer, record) = answer(Ok(&Acted { asset: &asset, output: &output, rendered: &rendered }));
            lane.ahead = ahead;
            let fate = core.commit(&written, record, move |first| {
                settle(first);
                drop(permit);
            });
            return Ok((fate, answer));
        };
        let least = lane.last_at;
        let made: OnceLock<(Arc<Asset>, Snapshot)> = OnceLock::new();
        let beside = |stamp: &Stamp| {
            let (written, asset, ahead, settle) = prepare(Stamp { at: stamp.at.max(least), ..*stamp });
            let _ = made.set((asset, ahead));
            Some(Beside { written, settle: Box::new(settle) })
        };
        // `beside` runs before `answer`: the asset is there.
        let answer = |_: &crate::processes::Done<'_>| {
            let (asset, _) = made.get().expect("made beside");
            answer(Ok(&Acted { asset, output: &output, rendered: &rendered }))
        };
        let ask = Ask { command: &command, note: None, expected: None };
        let handed = self.processes.hand_over(process, actor, &ask, beside, answer, permit)?;
        if let Some((asset, ahead)) = made.into_inner() {
            lane.time(asset.touched_at);
            lane.ahead = ahead;
        }
        Ok(handed)
    }

    /// Hands events over that the process hears nothing of.
    pub(crate) fn hand_over_alone(
        &self,
        process: &Arc<ProcessCell>,
        cell: &Arc<AssetCell>,
        lane: &mut Lane,
        (events, values): (Vec<AssetEvent>, KeyValues),
        actor: Actor,
        answer: Answer,
        permit: Permit,
    ) -> (Fate, Answer) {
        let before = Arc::clone(&lane.ahead.asset);
        let (output, rendered) = (Json::Null, Rendered::new());
        let performed = Performed { before, events, values, output, rendered, recorder: None };
        let record = permit.record(&self.core, &answer);
        let answer = |_: Result<&Acted<'_>, &Trouble>| (answer, record);
        let Ok(handed) = self.hand_over(process, cell, lane, performed, actor, None, answer, permit) else {
            unreachable!("only what a process hears of can be refused")
        };
        handed
    }

    /// Removes an asset from its task; its history stays.
    pub async fn remove(
        &self,
        process: &Arc<ProcessCell>,
        cell: &Arc<AssetCell>,
        actor: Actor,
        expected: Option<u64>,
        answer: Answer,
    ) -> Outcome<Answer> {
        let core = &self.core;
        let _place = Place::take(&cell.waiting)?;
        self.held.free(cell.id).await;
        let lane = cell.enter().await;
        let Snapshot { asset, values } = lane.ahead.clone();
        cell.admit(&lane, expected).await?;
        let lane = parking_lot::Mutex::new(lane);
        let beside = |stamp: &Stamp| {
            let at = stream(StreamKind::Asset, cell.id.bytes());
            let events = vec![AssetRemoved {}.into()];
            let (written, removed) = written_events(core, at, Some(&asset), process.id, &cell.key, *stamp, events);
            let keys: Vec<_> = values.iter().map(|(name, _)| value_key(cell.id, name)).collect();
            let snapshot = Snapshot { asset: Arc::clone(&removed), values: KeyValues::default() };
            lane.lock().ahead = snapshot.clone();
            let stamp = *stamp;
            let put = settle_events(core, written.clone(), Some(Arc::clone(&asset)), removed, cell.key.clone(), stamp);
            let shared = Arc::clone(core);
            let removing = Arc::clone(cell);
            let settle = move |first: Option<Position>| {
                match first {
                    Some(position) => {
                        removing.synced(snapshot);
                        shared.state.put(position, keys.into_iter().map(|name| (name, Value::Gone)));
                    }
                    None => removing.failed(),
                }
                put(first);
            };
            Some(Beside { written, settle: Box::new(settle) })
        };
        let command = Command::DropAsset(cell.id);
        let ask = Ask { command: &command, note: None, expected: None };
        let permit = Permit::default();
        self.processes.command(process, actor, ask, beside, |_| (answer, None), permit).await
    }

    /// Shows an asset as it is or was. That it was looked at is recorded; the answer does not wait for the record.
    pub async fn view(
        &self,
        process: &Arc<ProcessCell>,
        guest: &Arc<Interlinker>,
        snapshot: Snapshot,
        actor: Actor,
        query: Json,
        language: &str,
        service: Option<&str>,
    ) -> Outcome<(Arc<Asset>, Json)> {
        guest.check_view(&query).map_err(Trouble::Input)?;
        let Snapshot { asset, values } = snapshot;
        let context = call_context(actor, process, &asset.task, asset.id, language, self.core.now());
        let kept = blobs::Kept { core: Arc::clone(&self.core), asset: Arc::clone(&asset), key: process.key.clone() };
        let seen = Seen { values, given: given_of(self.given(&asset.interlinker.name).as_ref(), Some(kept)) };
        let asked = query.clone();
        let called = self.run_guarded(guest, Who::of(actor), seen.called(Entry::View { query }, context), None).await?;
        log(&called, &asset.interlinker);
        let duration_us = called.cost.instantiate_us + called.cost.call_us;
        let used = used(UseKind::View, &asset.interlinker, &asset.task, duration_us);
        let used = InterlinkerUsed { asset: Some(asset.id), service: service.map(str::to_owned), ..used };
        let (shown, used, recorder) = match called.result {
            Ok(done) => (Ok((asset, done.output)), used, None),
            Err(failure) => {
                let service = service.map(str::to_owned);
                let aside = (Aside::View, asked, asset.interlinker.clone(), service);
                let recorder = self.failed_aside(process, &asset, actor, language, aside, (&failure, &called.logs));
                let (trouble, used) = failed(used, failure);
                (Err(trouble), used, Some(recorder))
            }
        };
        drop(self.processes.record_use(process, actor, used, recorder.as_ref(), None, Permit::default()));
        shown
    }
}

/// Checks that an action is there, and that somebody has a role that may run it; says whether it is anonymous.
fn may_run(guest: &Interlinker, actor: Actor, name: &str, asked: &Use<'_>) -> Outcome<bool> {
    let Some(declared) = guest.action(name) else {
        return Err(Trouble::NotFound { what: "action", id: name.into() });
    };
    let allowed = |role: &String| declared.allow.contains(role);
    // What a service's file opens is open to everybody: an operator said so.
    let is_open = asked.service.is_some() || actor == Actor::System || declared.allow.is_empty();
    // A call that goes on was let in as who its person is, which is no longer known.
    let is_open = is_open || asked.resumed.is_some();
    if !is_open && !roles_of(actor).iter().any(allowed) {
        return Err(Trouble::Forbidden { what: name.into(), roles: declared.allow.clone() });
    }
    if declared.anonymous && asked.by.is_some() {
        // The other asset's call is recorded with its person, at the same time.
        let detail = format!("`{name}` is anonymous: a person runs it, and no other asset does so for them");
        return Err(Trouble::Refused(Problem { code: "not-allowed".into(), detail, pointer: None, data: None }));
    }
    Ok(declared.anonymous)
}

/// What a call did, before it is written.
struct Performed {
    before: Arc<Asset>,
    events: Vec<AssetEvent>,
    /// The state that it left.
    values: KeyValues,
    output: Json,
    rendered: Rendered,
    /// The record of the call; nothing where no call did it.
    recorder: Option<Arc<Recorder>>,
}

/// The catalogue's component for an asset.
pub(crate) async fn guest_of(core: &Core, catalogue: &Catalogue, asset: &Asset) -> Outcome<Arc<Interlinker>> {
    catalogue.load(core, &asset.interlinker).await
}
