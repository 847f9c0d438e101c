//! How services are used at their doors: counted apart from the co-production of their processes.

use std::collections::BTreeMap;

use interlink_journal::Position;
use interlink_model::event::Actor;
use interlink_model::facts::UseKind;
use interlink_model::id::PersonId;
use serde::{Deserialize, Serialize};

use super::registry::Use;
use super::{decode, kind_word, outcome_word, position_of};
use crate::provision::anybody;
use crate::state::{State, Value, key, table};

/// Rows that one look at the state takes.
const SCAN_ROWS: usize = 1_024;

/// Counters of one service's uses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceCounters {
    /// Uses of every kind and outcome.
    pub total: u64,
    /// Those of nobody in particular: without a token, or of actions that are anonymous.
    pub anonymous: u64,
    /// By action; what was looked at is `view`.
    pub by_action: BTreeMap<String, u64>,
    /// By outcome.
    pub by_outcome: BTreeMap<String, u64>,
}

/// How a service is used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceUse {
    /// Its uses.
    pub uses: ServiceCounters,
    /// Visitors who used it.
    pub visitors: u64,
    /// Members who used it, as themselves.
    pub members: u64,
}

/// Whether somebody who used a service came as a visitor or as a member.
const VISITOR: u8 = b'v';
const MEMBER: u8 = b'm';

/// Key of a service's counters. A name has no zero byte in it.
fn counters_key(service: &str) -> Vec<u8> {
    key(table::SERVED, &[service.as_bytes(), &[0]])
}

/// Key of somebody whom a service served.
fn person_key(service: &str, kind: u8, person: PersonId) -> Vec<u8> {
    key(table::SERVED, &[service.as_bytes(), &[0, kind], &person.bytes()])
}

/// The rows that a use at a service's door changes. One that was counted already changes no counter.
pub(super) fn rows(state: &State, position: Position, service: &str, used: &Use) -> Vec<(Vec<u8>, Value)> {
    let mut rows = Vec::new();
    let person = match used.actor {
        Actor::Visitor(visitor) if visitor == anybody(service) => None,
        Actor::Visitor(visitor) => Some((VISITOR, visitor)),
        actor => actor.person().map(|person| (MEMBER, person)),
    };
    let own = counters_key(service);
    let found = state.get(&own);
    if found.as_ref().is_none_or(|found| position_of(found) < position) {
        let mut counters: ServiceCounters = found.as_ref().and_then(decode).unwrap_or_default();
        let action = used.action.as_deref().unwrap_or(kind_word(UseKind::View));
        counters.total += 1;
        counters.anonymous += u64::from(person.is_none());
        *counters.by_action.entry(action.into()).or_default() += 1;
        *counters.by_outcome.entry(outcome_word(used.outcome).into()).or_default() += 1;
        rows.push((own, Value::bytes(rmp_serde::to_vec(&counters).expect("words and numbers encode"))));
    }
    rows.extend(person.map(|(kind, id)| (person_key(service, kind, id), Value::bytes(used.at.0.to_le_bytes()))));
    rows
}

/// How a service is used. Goes through a row of everybody whom it served.
pub fn of(state: &State, service: &str) -> ServiceUse {
    let uses = state.get(&counters_key(service)).as_ref().and_then(decode).unwrap_or_default();
    let count = |kind: u8| {
        let prefix = key(table::SERVED, &[service.as_bytes(), &[0, kind]]);
        let (mut counted, mut after): (u64, Option<Vec<u8>>) = (0, None);
        loop {
            let rows = state.scan(&prefix, after.as_deref(), SCAN_ROWS);
            counted += rows.len() as u64;
            match rows.last() {
                Some((last, _)) if rows.len() == SCAN_ROWS => after = Some(last.clone()),
                _ => return counted,
            }
        }
    };
    ServiceUse { uses, visitors: count(VISITOR), members: count(MEMBER) }
}
