//! What lies of a process in the state: its row, and the indexes over all processes that tell what is to happen next.
//!
//! A process has one row in each index: its earliest timer, its oldest effect. The rest is in the process itself, so a
//! million timers cost a million short keys in sled, none of them in memory, and arming one costs nothing but the row that
//! moves with it.

use std::sync::Arc;

use interlink_model::asset::Asset;
use interlink_model::id::{AssetId, IncidentId, Micros, ProcessId};
use interlink_model::process::{Incident, Process};
use serde::{Deserialize, Serialize};

use crate::archive;
use crate::keys::SealingKey;
use crate::state::{Found, State, Value, key, table};
use crate::usage::decode;

/// A place in an index: when, and which process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Planned {
    pub at: Micros,
    pub process: ProcessId,
}

impl Planned {
    fn row_key(self, index: u8) -> Vec<u8> {
        // Instants before 1970 sort first too.
        let at = (self.at.0 as u64) ^ (1 << 63);
        key(index, &[&at.to_be_bytes(), &self.process.bytes()])
    }

    fn of_key(row_key: &[u8]) -> Option<Self> {
        let (at, process) = row_key.get(1..)?.split_first_chunk::<8>()?;
        let at = Micros((u64::from_be_bytes(*at) ^ (1 << 63)) as i64);
        Some(Self { at, process: ProcessId::from_bytes(process.try_into().ok()?) })
    }
}

/// The timer of a process that fires first.
pub(crate) fn next_due(process: &Process) -> Option<Planned> {
    process.next_timer().map(|at| Planned { at, process: process.id })
}

/// The effect of a process that has waited longest.
pub(crate) fn next_work(process: &Process) -> Option<Planned> {
    let oldest = process.pending_effects().map(|(_, effect)| effect.requested_at).min();
    oldest.map(|at| Planned { at, process: process.id })
}

/// What is known of an incident without opening its process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IncidentRow {
    pub process: ProcessId,
    pub is_open: bool,
}

/// A process's place in an index.
type PlaceOf = fn(&Process) -> Option<Planned>;

/// The rows that an event changed: the process, and where its place in an index has moved.
pub(crate) fn rows(before: Option<&Process>, after: &Arc<Process>, sealing: &SealingKey) -> Vec<(Vec<u8>, Value)> {
    let mut rows = archive::process_rows(before, after, sealing);
    let places: [(u8, PlaceOf); 2] = [(table::DUE, next_due), (table::WORK, next_work)];
    for (index, place) in places {
        let (old, new) = (before.and_then(place), place(after));
        if old != new {
            rows.extend(old.map(|old| (old.row_key(index), Value::Gone)));
            rows.extend(new.map(|new| (new.row_key(index), Value::bytes([]))));
        }
    }
    let known = |id: &IncidentId| before.and_then(|before| before.incidents.get(id));
    let changed = after.incidents.iter().filter(|(id, incident)| known(id) != Some(*incident));
    rows.extend(changed.map(|(id, incident)| incident_row(after.id, *id, incident)));
    rows
}

fn incident_row(process: ProcessId, id: IncidentId, incident: &Incident) -> (Vec<u8>, Value) {
    let row = IncidentRow { process, is_open: incident.closed.is_none() };
    (key(table::INCIDENT, &[&id.bytes()]), Value::bytes(rmp_serde::to_vec(&row).expect("an id and a flag encode")))
}

/// An incident.
pub(crate) fn incident(state: &State, id: IncidentId) -> Option<IncidentRow> {
    state.get(&key(table::INCIDENT, &[&id.bytes()])).and_then(|found| decode(&found))
}

/// Incidents in the order in which they were raised, those after one, at most `limit`.
pub(crate) fn incidents(state: &State, after: Option<IncidentId>, limit: usize) -> Vec<(IncidentId, IncidentRow)> {
    let after = after.map(|after| key(table::INCIDENT, &[&after.bytes()]));
    let found = state.scan(&[table::INCIDENT], after.as_deref(), limit);
    let read = |(row_key, found): &(Vec<u8>, Found)| {
        let id = IncidentId::from_bytes(row_key.get(1..)?.try_into().ok()?);
        Some((id, decode(found)?))
    };
    found.iter().filter_map(read).collect()
}

/// Places in an index in their order, those after one, at most `limit`.
pub(crate) fn places(state: &State, index: u8, after: Option<Planned>, limit: usize) -> Vec<Planned> {
    let after = after.map(|after| after.row_key(index));
    let found = state.scan(&[index], after.as_deref(), limit);
    found.iter().filter_map(|(row_key, _)| Planned::of_key(row_key)).collect()
}

/// Which place of a process the indexes do not have.
pub(crate) fn missing(state: &State, process: &Process) -> Option<&'static str> {
    let there =
        |index: u8, place: Option<Planned>| place.is_none_or(|place| state.get(&place.row_key(index)).is_some());
    if !there(table::DUE, next_due(process)) {
        return Some("next timer");
    }
    (!there(table::WORK, next_work(process))).then_some("next effect")
}

/// An alarm in the index: when, and of which asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ringing {
    pub at: Micros,
    pub asset: AssetId,
}

/// What the index knows of an asset whose alarm rings: so much is looked at before the asset itself is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RingingOf {
    pub process: ProcessId,
    pub interlinker: String,
}

impl Ringing {
    fn row_key(self) -> Vec<u8> {
        let at = (self.at.0 as u64) ^ (1 << 63);
        key(table::ALARM, &[&at.to_be_bytes(), &self.asset.bytes()])
    }

    fn of_key(row_key: &[u8]) -> Option<Self> {
        let (at, asset) = row_key.get(1..)?.split_first_chunk::<8>()?;
        let at = Micros((u64::from_be_bytes(*at) ^ (1 << 63)) as i64);
        Some(Self { at, asset: AssetId::from_bytes(asset.try_into().ok()?) })
    }

    fn of(asset: &Asset) -> Option<Self> {
        asset.next_alarm().map(|(_, alarm)| Self { at: alarm.at, asset: asset.id })
    }
}

/// The rows of an asset's next alarm, where it has moved.
pub(crate) fn alarm_rows(before: Option<&Asset>, after: &Asset) -> Vec<(Vec<u8>, Value)> {
    let (old, new) = (before.and_then(Ringing::of), Ringing::of(after));
    if old == new {
        return Vec::new();
    }
    let of = RingingOf { process: after.process, interlinker: after.interlinker.name.clone() };
    let row = || Value::bytes(rmp_serde::to_vec(&of).expect("an id and a name encode"));
    let gone = old.map(|old| (old.row_key(), Value::Gone));
    gone.into_iter().chain(new.map(|new| (new.row_key(), row()))).collect()
}

/// Alarms in their order, those after one, at most `limit`.
pub(crate) fn alarms(state: &State, after: Option<Ringing>, limit: usize) -> Vec<(Ringing, RingingOf)> {
    let after = after.map(Ringing::row_key);
    let found = state.scan(&[table::ALARM], after.as_deref(), limit);
    found.iter().filter_map(|(row_key, found)| Some((Ringing::of_key(row_key)?, decode(found)?))).collect()
}

/// Whether the index has lost an asset's next alarm.
pub(crate) fn alarm_is_missing(state: &State, asset: &Asset) -> bool {
    Ringing::of(asset).is_some_and(|next| state.get(&next.row_key()).is_none())
}

/// The row of an alarm that turned out to be no longer true.
pub(crate) fn alarm_gone(place: Ringing) -> (Vec<u8>, Value) {
    (place.row_key(), Value::Gone)
}

/// The row of a place that turned out to be no longer true.
pub(crate) fn gone(index: u8, place: Planned) -> (Vec<u8>, Value) {
    (place.row_key(index), Value::Gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_sort_by_instant_and_read_back() {
        let place = |at, process| Planned { at: Micros(at), process: ProcessId::from_bytes([process; 16]) };
        let places = [place(-5, 9), place(0, 1), place(0, 2), place(7, 0)];
        let keys: Vec<_> = places.iter().map(|place| place.row_key(table::DUE)).collect();
        assert!(keys.is_sorted());
        assert!(keys.iter().zip(places).all(|(row_key, place)| Planned::of_key(row_key) == Some(place)));
    }
}
