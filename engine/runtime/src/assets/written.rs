//! What a call leaves: events of the asset, rows of the state, an entry of the registry.

use std::sync::Arc;

use interlink_host::{AlarmChange, Besides, Failure};
use interlink_journal::Position;
use interlink_model::asset::Asset;
use interlink_model::event::Stamp;
use interlink_model::facts::*;
use interlink_model::id::{AssetId, Micros, ProcessId};
use interlink_model::sealed::Sealed;
use serde_json::Value as Json;

use super::blobs;
use super::rows::{asset_key, put_event};
use crate::core::Core;
use crate::draft::{AnyEvent, Written};
use crate::error::Trouble;
use crate::keys::SealingKey;
use crate::notices;
use crate::processes::note_activity;
use crate::schedule;
use crate::state::Value;
use crate::usage::is_at_door;

/// A use that did what it was to do, of no asset yet.
pub(super) fn used(kind: UseKind, interlinker: &InterlinkerRef, task: &str, duration_us: u64) -> InterlinkerUsed {
    let (interlinker, task) = (interlinker.clone(), task.to_owned());
    let outcome = UseOutcome::Done;
    InterlinkerUsed {
        kind,
        outcome,
        interlinker,
        task,
        asset: None,
        action: None,
        call: None,
        reason: None,
        duration_us,
        service: None,
    }
}

/// What a failed call is for the caller, and for the registry: a slug, nothing that a person wrote.
pub(super) fn failed(used: InterlinkerUsed, failure: Failure) -> (Trouble, InterlinkerUsed) {
    match failure {
        Failure::Refused(problem) => {
            let reason = Some(problem.slug().to_owned());
            (Trouble::Refused(problem), InterlinkerUsed { outcome: UseOutcome::Refused, reason, ..used })
        }
        Failure::NotBegun => unreachable!("a call that was not begun is no use"),
        Failure::Failed(fault) => {
            let (kind, outcome, reason) = (UseKind::Failure, UseOutcome::Failed, Some(fault.limit().to_owned()));
            (Trouble::Failed(fault), InterlinkerUsed { kind, outcome, reason, ..used })
        }
    }
}

pub(super) fn changes_of(changes: &[(String, Option<Arc<[u8]>>)]) -> Vec<Change> {
    let change = |(name, value): &(String, Option<Arc<[u8]>>)| Change {
        key: name.clone(),
        value: value.as_ref().map(|value| Sealed::Open(serde_bytes::ByteBuf::from(value.to_vec()))),
    };
    changes.iter().map(change).collect()
}

/// All that a call did: its own event, and what it wanted besides.
pub(super) fn with_besides(core: &Core, event: AssetEvent, outcome: Option<Json>, besides: Besides) -> Vec<AssetEvent> {
    let Besides { noted: _, messages, alarms, blobs } = besides;
    let declared = outcome.map(|outcome| OutcomeDeclared { outcome: Sealed::Open(outcome) }.into());
    let told = messages.into_iter().filter_map(|message| notices::event_of(core, message));
    let rung = alarms.into_iter().map(|(name, change)| match change {
        AlarmChange::Set { at, input } => AlarmSet { name, at: Micros(at), input: Sealed::Open(input) }.into(),
        AlarmChange::Cancelled => AlarmCancelled { name }.into(),
    });
    let kept = blobs.into_iter().flat_map(|(digest, put)| blobs::events_of(&digest, put));
    [event].into_iter().chain(declared).chain(told).chain(rung).chain(kept).collect()
}

/// Seals events of an asset and applies them; `before` is absent for a new one.
pub(crate) fn written_events(
    core: &Core,
    at: interlink_journal::Stream,
    before: Option<&Asset>,
    process: ProcessId,
    key: &SealingKey,
    stamp: Stamp,
    events: impl IntoIterator<Item = AssetEvent>,
) -> (Vec<Written>, Arc<Asset>) {
    let mut asset = before.cloned();
    let mut written = Vec::new();
    for event in events {
        let mut event = AnyEvent::Asset(event);
        event.close(&*core.ambient, &at, key);
        let AnyEvent::Asset(closed) = &event else { unreachable!("closing keeps the family") };
        match (&mut asset, closed) {
            (None, AssetEvent::InterlinkerInstantiated(made)) => {
                asset = Some(Asset::created(AssetId::from_bytes(at.id), made, &stamp));
            }
            (Some(asset), event) => asset.apply(event, &stamp),
            (None, _) => unreachable!("an asset begins with its instantiation"),
        }
        let version = asset.as_ref().map_or(0, |asset| asset.version);
        written.push(Written { stream: at, version, process: Some(process), key: key.number, stamp, event });
    }
    (written, Arc::new(asset.expect("an asset has events")))
}

/// Puts what an asset's events changed into the state, once they are durable.
pub(crate) fn settle_events(
    core: &Arc<Core>,
    written: Vec<Written>,
    before: Option<Arc<Asset>>,
    asset: Arc<Asset>,
    key: SealingKey,
    stamp: Stamp,
) -> impl FnOnce(Option<Position>) + Send + 'static {
    let core = Arc::clone(core);
    move |first| {
        let Some(first) = first else { return };
        for (fact, position) in written.iter().zip(first..) {
            if let AnyEvent::Asset(event) = &fact.event {
                put_event(&core.state, position, &asset, fact.version, event, &stamp);
            }
        }
        let last = first + written.len() as u64 - 1;
        let alarm = schedule::alarm_rows(before.as_deref(), &asset);
        let rings = !alarm.is_empty();
        core.state.put(last, alarm.into_iter().chain([(asset_key(asset.id), Value::Asset(asset, key))]));
        if rings {
            core.rouse.notify_one();
        }
        if !written.iter().any(|fact| is_at_door(&fact.event)) {
            note_activity(&core, last, &stamp);
        }
    }
}
