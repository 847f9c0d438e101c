//! Durable calls: what an Interlinker asks the world outside its asset is recorded before it sees the answer.
//!
//! The first question of a call writes `CallStarted` into a stream of the call's own, each answer is an event there, and
//! the append of what came of it ends the stream. Calls that ask for nothing write nothing of this. A call that a crash
//! interrupted is run again: its asset's lane is held for it, so that it sees the state that it saw, it is fed what was
//! recorded, and goes on from there; its idempotency key is held too, so that whoever repeats the request has the answer
//! of this one call. One whose answer or outcome could not be written goes on when it is asked for again, by its key or by
//! its effect's next attempt. What was changed meanwhile is not what it saw: it ends then, and another begins.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use interlink_host::{Ambience, Company, Durable, Grants, Kind, Outbound, Record, RecordFault, Recorded};
use interlink_journal::{Position, Stream};
use interlink_model::event::{Actor, Stamp};
use interlink_model::facts::*;
use interlink_model::id::{AssetId, CallId, ProcessId, StreamKind};
use interlink_model::sealed::Sealed;
use parking_lot::Mutex;
use serde_json::Value as Json;
use tokio::sync::Notify;

use crate::ambient::call_id;
use crate::catalogue::{Catalogue, events_of};
use crate::core::Core;
use crate::draft::{AnyEvent, Written, stream};
use crate::error::{Outcome, Trouble};
use crate::gate::Gate;
use crate::keys::SealingKey;
use crate::organizations::Organizations;
use crate::processes::ProcessCell;
use crate::state::{Value, key, table};
use crate::usage::bytes_of;

/// What a call is, before it is run: all that a second run needs to be the same.
#[derive(Clone)]
pub(crate) struct Calling {
    pub interlinker: InterlinkerRef,
    pub task: String,
    pub asset: AssetId,
    /// The asset's version; absent for an instantiation.
    pub version: Option<u64>,
    /// The action; absent for an instantiation.
    pub action: Option<String>,
    pub input: Json,
    pub name: Option<String>,
    pub language: String,
    pub effect: Option<u64>,
    pub answer: Option<AnswerScope>,
    /// Whether `action` names an alarm.
    pub alarm: bool,
    /// What it is besides an instantiation, an action or an alarm.
    pub aside: Option<Aside>,
    /// The settings and grants that it began with, where there were any.
    pub given: Option<Json>,
    /// The service at whose door it is made.
    pub service: Option<String>,
}

/// A call that was begun and has not ended: what a second run begins with.
pub(crate) struct Interrupted {
    pub id: CallId,
    pub calling: Calling,
    pub process: ProcessId,
    pub stamp: Stamp,
    pub recorded: Vec<Recorded>,
    /// How it failed, where it did.
    pub failed: Option<CallFailed>,
    /// The version that the next event of its stream takes.
    next: u64,
}

/// The record of one call, as it is being made.
pub(crate) struct Recorder {
    core: Arc<Core>,
    id: CallId,
    calling: Calling,
    process: ProcessId,
    key: SealingKey,
    stamp: Stamp,
    /// The version that the next event takes: 0 while nothing was asked.
    next: Mutex<u64>,
    /// How it failed, once it has.
    failed: Mutex<Option<CallFailed>>,
}

impl Recorder {
    /// The record of a new call.
    pub fn new(core: &Arc<Core>, process: &ProcessCell, actor: Actor, calling: Calling) -> Arc<Self> {
        let stamp = core.stamp(core.now(), actor);
        let (id, key) = (call_id(&*core.ambient), process.key.clone());
        Arc::new(Self {
            core: Arc::clone(core),
            id,
            calling,
            process: process.id,
            key,
            stamp,
            next: Mutex::new(0),
            failed: Mutex::default(),
        })
    }

    /// The record of a call that goes on.
    pub fn resumed(core: &Arc<Core>, process: &ProcessCell, call: &Interrupted) -> Arc<Self> {
        let (calling, key) = (call.calling.clone(), process.key.clone());
        let (id, stamp, next) = (call.id, call.stamp, Mutex::new(call.next));
        let failed = Mutex::default();
        Arc::new(Self { core: Arc::clone(core), id, calling, process: process.id, key, stamp, next, failed })
    }

    /// When the call began: what it is told the time is, in every run.
    pub fn began_at(&self) -> interlink_model::id::Micros {
        self.stamp.at
    }

    /// The call's id, where there is a record of it: it has asked for something, or failed.
    pub fn call(&self) -> Option<CallId> {
        (*self.next.lock() > 0 || self.failed.lock().is_some()).then_some(self.id)
    }

    /// Notes how the call failed: it is written with its end, and with its beginning where that was not.
    pub fn note_failure(&self, limit: &str, detail: String, logs: Json) {
        let (detail, logs) = (Sealed::Open(detail), Sealed::Open(logs));
        *self.failed.lock() = Some(CallFailed { limit: limit.into(), detail, logs });
    }

    /// The call's id, whether it has asked for anything or not.
    pub fn id(&self) -> CallId {
        self.id
    }

    /// The name of its Interlinker.
    pub fn interlinker(&self) -> &str {
        &self.calling.interlinker.name
    }

    /// The settings and grants that it began with.
    pub fn given(&self) -> Option<&Json> {
        self.calling.given.as_ref()
    }

    fn stream(&self) -> Stream {
        stream(StreamKind::Call, self.id.bytes())
    }

    fn written(&self, version: u64, stamp: Stamp, event: CallEvent) -> Written {
        let at = self.stream();
        let mut event = AnyEvent::Call(event);
        event.close(&*self.core.ambient, &at, &self.key);
        Written { stream: at, version, process: Some(self.process), key: self.key.number, stamp, event }
    }

    /// The events that end the call, for the append of what came of it; nothing where there is no record of it.
    pub fn end(&self, stamp: Stamp, outcome: UseOutcome) -> Vec<Written> {
        let (mut next, failed) = (*self.next.lock(), self.failed.lock().clone());
        let mut written = Vec::new();
        if next == 0 && failed.is_some() {
            let began = Stamp { at: self.stamp.at, ..stamp };
            written.push(self.written(0, began, self.beginning().into()));
            next = 1;
        }
        if next > 0 {
            let events = failed.map(CallEvent::from).into_iter().chain([CallEnded { outcome }.into()]);
            written.extend((next..).zip(events).map(|(version, event)| self.written(version, stamp, event)));
        }
        written
    }

    /// What the call is, as its record begins.
    fn beginning(&self) -> CallStarted {
        let calling = self.calling.clone();
        CallStarted {
            interlinker: calling.interlinker,
            process: self.process,
            task: calling.task,
            asset: calling.asset,
            version: calling.version,
            action: calling.action,
            input: Sealed::Open(calling.input),
            name: calling.name.map(Sealed::Open),
            language: calling.language,
            effect: calling.effect,
            answer: calling.answer,
            service: calling.service,
            alarm: calling.alarm,
            aside: calling.aside,
            given: calling.given.map(Sealed::Open),
        }
    }

    /// Writes an event and waits until it is durable. Called on a guest's thread.
    fn write(&self, event: CallEvent) -> Result<(), RecordFault> {
        let mut next = self.next.lock();
        // The beginning has the time that the call was told: a second run is told the same.
        let at = if *next == 0 { self.stamp.at } else { self.core.now().max(self.stamp.at) };
        let written = self.written(*next, Stamp { at, ..self.stamp }, event);
        let (core, row) = (Arc::clone(&self.core), open_row(self.id, self.process, self.calling.asset));
        let is_first = *next == 0;
        let (tell, told) = std::sync::mpsc::channel();
        let fate = self.core.commit(std::slice::from_ref(&written), None, move |first| {
            if let Some(position) = first.filter(|_| is_first) {
                core.state.put(position, [row]);
            }
            // Waited for below.
            let _ = tell.send(first.is_some());
        });
        drop(fate);
        match told.recv() {
            Ok(true) => {
                *next += 1;
                Ok(())
            }
            _ => {
                self.core.has_open_calls.store(true, Ordering::Release);
                Err(RecordFault { reason: "the journal takes nothing".into() })
            }
        }
    }
}

impl Record for Recorder {
    fn started(&self) -> Result<(), RecordFault> {
        // A run after one that was interrupted before its first answer says so again.
        if *self.next.lock() > 0 {
            return Ok(());
        }
        self.write(self.beginning().into())
    }

    fn answered(&self, number: u32, kind: Kind, request: &[u8], answer: &[u8]) -> Result<(), RecordFault> {
        let bytes = |bytes: &[u8]| Sealed::Open(serde_bytes::ByteBuf::from(bytes.to_vec()));
        let (request, answer) = (bytes(request), bytes(answer));
        self.write(CallAnswered { number, kind: kind_word(kind).into(), request, answer }.into())
    }
}

pub(crate) fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Clock => "clock",
        Kind::Random => "random",
        Kind::Http => "http",
        Kind::Secret => "secret",
        Kind::People => "people",
        Kind::Asset => "asset",
    }
}

fn kind_of(word: &str) -> Option<Kind> {
    let all = [Kind::Clock, Kind::Random, Kind::Http, Kind::Secret, Kind::People, Kind::Asset];
    all.into_iter().find(|kind| kind_word(*kind) == word)
}

/// The row of a call that has not ended.
pub(crate) fn open_row(id: CallId, process: ProcessId, asset: AssetId) -> (Vec<u8>, Value) {
    (key(table::CALL, &[&id.bytes()]), Value::bytes([process.bytes(), asset.bytes()].concat()))
}

/// The same for one that has.
pub(crate) fn ended_row(id: CallId) -> (Vec<u8>, Value) {
    (key(table::CALL, &[&id.bytes()]), Value::Gone)
}

/// Calls that have not ended, in the order in which they were begun.
pub(crate) fn open_calls(core: &Core) -> Vec<CallId> {
    let rows = core.state.scan(&[table::CALL], None, usize::MAX);
    rows.iter().filter_map(|(row_key, _)| Some(CallId::from_bytes(row_key.get(1..)?.try_into().ok()?))).collect()
}

/// What a call is for: it is asked for again under the same.
#[derive(Clone, Copy)]
pub(crate) enum Cause<'a> {
    /// An effect of its process.
    Effect(u64),
    /// A request with an idempotency key.
    Request(&'a AnswerScope),
    /// An alarm of an asset.
    Alarm(AssetId, &'a str),
}

/// The call of a process that was left open and that is asked for again.
pub(crate) fn left_open(core: &Core, process: ProcessId, cause: Cause<'_>) -> Option<Interrupted> {
    if !core.has_open_calls.load(Ordering::Acquire) {
        return None;
    }
    let rows = core.state.scan(&[table::CALL], None, usize::MAX);
    let own = rows.iter().filter(|(_, found)| bytes_of(found).starts_with(&process.bytes()));
    let ids = own.filter_map(|(row_key, _)| Some(CallId::from_bytes(row_key.get(1..)?.try_into().ok()?)));
    let mut open =
        ids.filter_map(|id| read(core, id).ok()).filter_map(|(call, has_ended)| (!has_ended).then_some(call));
    let is_it = |call: &Interrupted| match cause {
        Cause::Effect(effect) => call.calling.effect == Some(effect),
        Cause::Request(scope) => call.calling.answer.as_ref() == Some(scope),
        Cause::Alarm(asset, name) => {
            let Calling { alarm, asset: of, action, .. } = &call.calling;
            *alarm && *of == asset && action.as_deref() == Some(name)
        }
    };
    open.find(is_it)
}

/// A call with what was recorded of it, from its stream.
pub(crate) fn read(core: &Core, id: CallId) -> Outcome<(Interrupted, bool)> {
    let at = stream(StreamKind::Call, id.bytes());
    let damaged = || Trouble::Damaged { what: "record of call", id: id.to_string() };
    if core.head(&at)?.is_none() {
        return Err(Trouble::NotFound { what: "call", id: id.to_string() });
    }
    let events = events_of::<CallEvent>(core, &at, "record of call", &id)?;
    let next = events.len() as u64;
    let mut events = events.into_iter().map(|(event, stamp, _, number)| {
        let mut event = AnyEvent::Call(event);
        let key = core.keys.key(number).map_err(|error| Trouble::Unknown(error.to_string()))?;
        event.open(&at, &key);
        Ok::<_, Trouble>((event, stamp))
    });
    let Some(Ok((AnyEvent::Call(CallEvent::CallStarted(started)), stamp))) = events.next() else {
        return Err(damaged());
    };
    let input = started.input.opened().cloned().ok_or_else(damaged)?;
    let calling = Calling {
        interlinker: started.interlinker,
        task: started.task,
        asset: started.asset,
        version: started.version,
        action: started.action,
        input,
        name: started.name.and_then(|name| name.opened().cloned()),
        language: started.language,
        effect: started.effect,
        answer: started.answer,
        alarm: started.alarm,
        aside: started.aside,
        given: started.given.and_then(|given| given.opened().cloned()),
        service: started.service,
    };
    let mut recorded = Vec::new();
    let (mut has_ended, mut failed) = (false, None);
    for event in events {
        match event? {
            (AnyEvent::Call(CallEvent::CallAnswered(answered)), _) => {
                let open = |bytes: &Sealed<serde_bytes::ByteBuf>| bytes.opened().map(|bytes| bytes.to_vec());
                let kind = kind_of(&answered.kind).ok_or_else(damaged)?;
                let (request, answer) = (open(&answered.request), open(&answered.answer));
                let (request, answer) = request.zip(answer).ok_or_else(damaged)?;
                recorded.push(Recorded { kind, request, answer });
            }
            (AnyEvent::Call(CallEvent::CallFailed(how)), _) => failed = Some(how),
            _ => has_ended = true,
        }
    }
    Ok((Interrupted { id, calling, process: started.process, stamp, recorded, failed, next }, has_ended))
}

/// What calls ask the world outside with: the clock, randomness, secrets; and who sends requests.
pub(crate) struct World {
    pub core: Arc<Core>,
    pub catalogue: Arc<Catalogue>,
    pub organizations: Arc<Organizations>,
    pub outbound: Arc<dyn Outbound>,
    pub gate: Arc<Gate>,
}

impl Ambience for World {
    fn now(&self) -> i64 {
        self.core.now().0
    }

    fn random(&self, bytes: &mut [u8]) {
        self.core.ambient.random(bytes);
    }

    fn secret(&self, name: &str) -> Option<String> {
        self.catalogue.secret(name)
    }
}

/// Nobody: an engine that was given no way to send refuses every request.
pub(crate) struct NoOutbound;

impl Outbound for NoOutbound {
    fn send(
        &self,
        _: &interlink_host::HttpRequest,
    ) -> Result<interlink_host::HttpResponse, interlink_host::OutboundError> {
        Err(interlink_host::OutboundError::Refused { reason: "this server sends nothing".into() })
    }
}

/// What makes a call durable.
pub(crate) fn durable(
    world: &Arc<World>,
    grants: Grants,
    recorder: &Arc<Recorder>,
    recorded: Vec<Recorded>,
    company: Option<Arc<dyn Company>>,
) -> Durable {
    Durable {
        id: recorder.id.to_string(),
        grants,
        ambience: Arc::<World>::clone(world),
        outbound: Arc::clone(&world.outbound),
        company,
        record: Arc::<Recorder>::clone(recorder),
        recorded,
    }
}

/// Assets whose lane is held for a call that goes on.
#[derive(Default)]
pub(crate) struct HeldLanes {
    held: Mutex<HashMap<AssetId, HashSet<CallId>>>,
    released: Notify,
}

impl HeldLanes {
    /// Holds an asset's lane for a call.
    pub fn hold(&self, asset: AssetId, call: CallId) {
        self.held.lock().entry(asset).or_default().insert(call);
    }

    /// A call holds its asset's lane no longer, if it did.
    pub fn release(&self, asset: AssetId, call: CallId) {
        let mut held = self.held.lock();
        if let Some(calls) = held.get_mut(&asset) {
            calls.remove(&call);
            if calls.is_empty() {
                held.remove(&asset);
            }
        }
        drop(held);
        self.released.notify_waiters();
    }

    /// Waits until nothing holds an asset's lane.
    pub async fn free(&self, asset: AssetId) {
        loop {
            let released = self.released.notified();
            if !self.held.lock().contains_key(&asset) {
                return;
            }
            released.await;
        }
    }
}

/// What an asset's call was, for whoever looks at it later.
#[derive(Debug, Clone)]
pub struct CallView {
    /// Its id.
    pub id: CallId,
    /// On which asset.
    pub asset: AssetId,
    /// In which process.
    pub process: ProcessId,
    /// Of which Interlinker.
    pub interlinker: InterlinkerRef,
    /// The action; absent for an instantiation.
    pub action: Option<String>,
    /// When and by whom.
    pub stamp: Stamp,
    /// Whether it has ended.
    pub has_ended: bool,
    /// What was asked and answered.
    pub recorded: Vec<Recorded>,
    /// How it failed, where it did.
    pub failed: Option<CallFailed>,
}

impl CallView {
    pub(crate) fn of(call: Interrupted, has_ended: bool) -> Self {
        let Interrupted { id, calling, process, stamp, recorded, failed, .. } = call;
        let Calling { asset, interlinker, action, .. } = calling;
        Self { id, asset, process, interlinker, action, stamp, has_ended, recorded, failed }
    }
}

/// Puts the end of a call into the state; one whose end could not be written is open.
pub(crate) fn settle_end(core: &Core, first: Option<Position>, call: Option<CallId>) {
    match (first, call) {
        (_, None) => {}
        (Some(position), Some(call)) => core.state.put(position, [ended_row(call)]),
        (None, Some(_)) => core.has_open_calls.store(true, Ordering::Release),
    }
}

/// Nothing but the record: for a call that is run again to be looked at.
struct Offline;

impl Ambience for Offline {
    fn now(&self) -> i64 {
        0
    }

    fn random(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }

    fn secret(&self, _: &str) -> Option<String> {
        None
    }
}

impl Record for Offline {
    fn started(&self) -> Result<(), RecordFault> {
        Err(RecordFault { reason: "nothing was recorded of it".into() })
    }

    fn answered(&self, number: u32, _: Kind, _: &[u8], _: &[u8]) -> Result<(), RecordFault> {
        Err(RecordFault { reason: format!("its record ends before question {number}") })
    }
}

/// What a call is run again with, offline: its record, and nobody to ask.
pub(crate) fn offline(call: &Interrupted) -> Durable {
    Durable {
        id: call.id.to_string(),
        grants: Grants::default(),
        ambience: Arc::new(Offline),
        outbound: Arc::new(NoOutbound),
        company: None,
        record: Arc::new(Offline),
        recorded: call.recorded.clone(),
    }
}
