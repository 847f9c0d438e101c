//! The registry of usage and the counters of adoption: folded from events, made again from nothing.
//!
//! A projection's row reads no other row: what it needs stands in the event or in the head of its asset, whose
//! Interlinker, process and task never change with a call.

pub mod adoption;
pub mod held;
pub mod registry;

use std::collections::BTreeMap;
use std::sync::Arc;

use interlink_journal::Position;
use interlink_model::asset::Asset;
use interlink_model::event::Stamp;
use interlink_model::facts::{AssetEvent, UsageEvent, UseKind, UseOutcome};
use interlink_model::id::ProcessId;
use serde::{Deserialize, Serialize};

pub use registry::{Use, UseFilter};

use crate::state::{Found, State, Value, key, table};

/// Counters of one Interlinker's uses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Uses of every kind and outcome.
    pub total: u64,
    /// By kind.
    pub by_kind: BTreeMap<String, u64>,
    /// By outcome.
    pub by_outcome: BTreeMap<String, u64>,
}

/// The word for a kind of use.
pub fn kind_word(kind: UseKind) -> &'static str {
    match kind {
        UseKind::Instantiate => "instantiate",
        UseKind::View => "view",
        UseKind::Action => "action",
        UseKind::Failure => "failure",
        UseKind::Remove => "remove",
    }
}

/// The word for what came of a use.
pub fn outcome_word(outcome: UseOutcome) -> &'static str {
    match outcome {
        UseOutcome::Done => "done",
        UseOutcome::Refused => "refused",
        UseOutcome::Failed => "failed",
    }
}

/// The use that an asset's event is, if it is one.
pub fn use_of_asset(asset: &Asset, event: &AssetEvent, stamp: &Stamp) -> Option<Use> {
    let (kind, action, duration_us) = match event {
        AssetEvent::InterlinkerInstantiated(event) => (UseKind::Instantiate, None, event.duration_us),
        AssetEvent::ActionPerformed(event) => (UseKind::Action, Some(event.action.clone()), event.duration_us),
        AssetEvent::AssetRemoved(_) => (UseKind::Remove, None, 0),
        AssetEvent::OutcomeDeclared(_) => return None,
    };
    Some(Use {
        at: stamp.at,
        actor: stamp.actor,
        kind,
        outcome: UseOutcome::Done,
        interlinker: asset.interlinker.clone(),
        process: asset.process,
        task: asset.task.clone(),
        asset: Some(asset.id),
        action,
        reason: None,
        duration_us,
    })
}

/// The use that a usage event is.
pub fn use_of_usage(process: ProcessId, event: &UsageEvent, stamp: &Stamp) -> Use {
    let UsageEvent::InterlinkerUsed(event) = event;
    Use {
        at: stamp.at,
        actor: stamp.actor,
        kind: event.kind,
        outcome: event.outcome,
        interlinker: event.interlinker.clone(),
        process,
        task: event.task.clone(),
        asset: event.asset,
        action: event.action.clone(),
        reason: event.reason.clone(),
        duration_us: event.duration_us,
    }
}

/// Puts a use into the registry and counts it. One that is there already changes nothing.
pub fn record(state: &State, position: Position, used: &Use) {
    let process = used.process.bytes();
    let order = position.to_be_bytes();
    let counters_key = key(table::COUNTERS, &[used.interlinker.name.as_bytes()]);
    let (counted, mut counters) = counters_at(state, &counters_key);
    let entry = rmp_serde::to_vec(used).expect("ids, words and numbers encode");
    let mut rows = vec![
        (key(table::USE, &[&process, &order]), Value::bytes(entry)),
        (key(table::USE_ORDER, &[&order]), Value::bytes(process)),
    ];
    if counted < position {
        counters.total += 1;
        *counters.by_kind.entry(kind_word(used.kind).into()).or_default() += 1;
        *counters.by_outcome.entry(outcome_word(used.outcome).into()).or_default() += 1;
        rows.push((counters_key, Value::bytes(rmp_serde::to_vec(&counters).expect("words and numbers encode"))));
    }
    state.put(position, rows);
}

/// The row that notes when a person was last active, for what a person did.
pub fn activity(stamp: &Stamp) -> Option<(Vec<u8>, Value)> {
    let person = stamp.actor.person()?;
    Some((key(table::ACTIVE, &[&person.bytes()]), Value::bytes(stamp.at.0.to_le_bytes())))
}

fn counters_at(state: &State, row_key: &[u8]) -> (Position, Counters) {
    match state.get(row_key) {
        Some(found) => (position_of(&found), decode(&found).unwrap_or_default()),
        None => (0, Counters::default()),
    }
}

/// The position of the last event in a row.
pub fn position_of(found: &Found) -> Position {
    match found {
        Found::Live(position, _) => *position,
        Found::Stored(stored) => stored.position,
    }
}

/// A row's bytes.
pub fn bytes_of(found: &Found) -> Arc<[u8]> {
    match found {
        Found::Live(_, Value::Bytes(bytes)) => Arc::clone(bytes),
        Found::Live(..) => Arc::default(),
        Found::Stored(stored) => stored.payload.as_slice().into(),
    }
}

/// A row that is MessagePack.
pub fn decode<T: serde::de::DeserializeOwned>(found: &Found) -> Option<T> {
    rmp_serde::from_slice(&bytes_of(found)).ok()
}
