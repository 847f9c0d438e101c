//! The registry of usage and the counters of adoption: folded from events, made again from nothing.
//!
//! A projection's row reads no other row: what it needs stands in the event or in the head of its asset, whose
//! process and task never change, and which knows the Interlinker that it had at each of its versions.

pub mod adoption;
pub mod held;
pub mod registry;
pub mod services;

use std::collections::BTreeMap;
use std::sync::Arc;

use interlink_journal::Position;
use interlink_model::asset::Asset;
use interlink_model::event::Stamp;
use interlink_model::facts::{AssetEvent, Noted, UsageEvent, UseKind, UseOutcome};
use interlink_model::id::ProcessId;
use serde::{Deserialize, Serialize};

pub use registry::{Use, UseFilter};

use crate::draft::AnyEvent;
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
    /// What they say happened, in the Interlinker's words: the amounts together. So many words are told apart.
    #[serde(default)]
    pub by_word: BTreeMap<String, i64>,
}

/// Words of one Interlinker that are counted apart.
pub const WORDS_MAX: usize = 64;
/// Under which the others are counted together.
pub const OTHER_WORDS: &str = "other";

/// Counts words: so many are told apart, the others go under one.
pub(crate) fn count_words(words: &mut BTreeMap<String, i64>, noted: &[Noted]) {
    for Noted { word, amount } in noted {
        let is_known = words.contains_key(word) || words.len() < WORDS_MAX;
        let counted = words.entry(if is_known { word.clone() } else { OTHER_WORDS.into() }).or_default();
        *counted = counted.saturating_add(*amount);
    }
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
pub fn use_of_asset(asset: &Asset, version: u64, event: &AssetEvent, stamp: &Stamp) -> Option<Use> {
    let mut call = None;
    let (kind, action, duration_us, noted, service) = match event {
        AssetEvent::InterlinkerInstantiated(event) => {
            call = event.call;
            (UseKind::Instantiate, None, event.duration_us, event.noted.clone(), None)
        }
        AssetEvent::ActionPerformed(event) => {
            call = event.call;
            let (action, service) = (Some(event.action.clone()), event.service.clone());
            (UseKind::Action, action, event.duration_us, event.noted.clone(), service)
        }
        AssetEvent::AlarmRang(event) => {
            call = event.call;
            (UseKind::Action, Some(alarm_word(&event.name)), event.duration_us, event.noted.clone(), None)
        }
        AssetEvent::AssetRemoved(_) => (UseKind::Remove, None, 0, Vec::new(), None),
        AssetEvent::OutcomeDeclared(_)
        | AssetEvent::PeopleNotified(_)
        | AssetEvent::AlarmSet(_)
        | AssetEvent::AlarmCancelled(_)
        | AssetEvent::AlarmFailed(_)
        | AssetEvent::BlobPartWritten(_)
        | AssetEvent::BlobKept(_)
        | AssetEvent::BlobTakenAlong(_)
        | AssetEvent::AssetUpgraded(_)
        | AssetEvent::AssetRolledBack(_) => return None,
    };
    Some(Use {
        at: stamp.at,
        actor: stamp.actor,
        kind,
        outcome: UseOutcome::Done,
        interlinker: asset.interlinker_at(version).clone(),
        process: asset.process,
        task: asset.task.clone(),
        asset: Some(asset.id),
        action,
        reason: None,
        duration_us,
        service,
        noted,
        call,
    })
}

/// The word by which the registry knows an alarm that rings: no action is called so.
pub fn alarm_word(name: &str) -> String {
    format!("alarm:{name}")
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
        service: event.service.clone(),
        noted: Vec::new(),
        call: event.call,
    }
}

/// Whether an event is a use at a service's door: it is counted there, and is no part of co-production.
pub(crate) fn is_at_door(event: &AnyEvent) -> bool {
    match event {
        AnyEvent::Asset(AssetEvent::ActionPerformed(event)) => event.service.is_some(),
        AnyEvent::Usage(UsageEvent::InterlinkerUsed(event)) => event.service.is_some(),
        _ => false,
    }
}

/// Puts a use into the registry and counts it. One that is there already changes nothing.
pub fn record(state: &State, position: Position, used: &Use) {
    let process = used.process.bytes();
    let order = position.to_be_bytes();
    let entry = rmp_serde::to_vec(used).expect("ids, words and numbers encode");
    let mut rows = vec![
        (key(table::USE, &[&process, &order]), Value::bytes(entry)),
        (key(table::USE_ORDER, &[&order]), Value::bytes(process)),
    ];
    if let Some(service) = &used.service {
        rows.extend(services::rows(state, position, service, used));
        return state.put(position, rows);
    }
    let counters_key = key(table::COUNTERS, &[used.interlinker.name.as_bytes()]);
    let (counted, mut counters) = counters_at(state, &counters_key);
    if counted < position {
        counters.total += 1;
        *counters.by_kind.entry(kind_word(used.kind).into()).or_default() += 1;
        *counters.by_outcome.entry(outcome_word(used.outcome).into()).or_default() += 1;
        count_words(&mut counters.by_word, &used.noted);
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

#[cfg(test)]
mod tests {
    use interlink_model::event::Actor;
    use interlink_model::id::{Micros, PersonId};

    use super::*;

    #[test]
    fn nobody_was_active_in_what_a_pseudonym_did() {
        let person = PersonId::from_bytes([7; 16]);
        let by = |actor| activity(&Stamp { at: Micros(1), actor, correlation: None, causation: None });
        assert!(by(Actor::Person(person)).is_some());
        assert_eq!(by(Actor::Pseudonym(uuid::Uuid::from_bytes([7; 16]))).map(|(key, _)| key), None);
    }

    #[test]
    fn so_many_words_are_told_apart_and_the_others_are_counted_together() {
        let noted = |word: String, amount| Noted { word, amount };
        let mut words = BTreeMap::new();
        let many: Vec<_> = (0..WORDS_MAX + 5).map(|number| noted(format!("word-{number:03}"), 1)).collect();
        count_words(&mut words, &many);
        count_words(&mut words, &[noted("word-000".into(), 4), noted("new".into(), 2)]);
        assert_eq!(words.len(), WORDS_MAX + 1);
        assert_eq!((words["word-000"], words[OTHER_WORDS]), (5, 7));
    }
}
