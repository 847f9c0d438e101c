//! What people were told, by Interlinkers and by the server itself: by an index over them, newest first. The words stand in the
//! history of whoever told them.

use interlink_host::Message;
use interlink_journal::{Position, Stream};
use interlink_model::event::{Event, Stamp, decode};
use interlink_model::facts::{AssetEvent, PeopleNotified, ProcessEvent, TimerKind, Withdrawn};
use interlink_model::id::{AssetId, Micros, PersonId, ProcessId, StreamKind};
use interlink_model::sealed::Sealed;
use serde_json::json;

use crate::assets::rows::{from_stream, head_of};
use crate::catalogue::Catalogue;
use crate::core::Core;
use crate::draft::{AnyEvent, stream};
use crate::error::{Outcome, Trouble};
use crate::state::{Found, State, Value, key, table};
use crate::usage::bytes_of;

/// What stands behind the id and version of a row whose words are a process's.
const OF_PROCESS: u8 = 1;

/// Something that a person was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Its place in the one order.
    pub position: Position,
    /// When it was told.
    pub at: Micros,
    /// The asset that told it, or of which it tells; nothing where it tells of a task.
    pub asset: Option<AssetId>,
    /// Its Interlinker.
    pub interlinker: Option<String>,
    /// Its process.
    pub process: ProcessId,
    /// Its task.
    pub task: String,
    /// What was said.
    pub said: Said,
}

/// What people were told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// What an Interlinker wanted to be told.
    Message {
        /// In a line; nothing where its key was destroyed.
        title: Option<String>,
        /// What was said.
        text: Option<String>,
    },
    /// That the version on which an asset stands was withdrawn.
    Withdrawn {
        /// The version.
        version: String,
        /// How.
        how: Withdrawn,
        /// Why, as it holds now; nothing where it was withdrawn otherwise since, or the key of whoever said it was destroyed.
        reason: Option<String>,
    },
    /// That a task is not finished.
    Unfinished {
        /// Why now: a reminder or an escalation.
        of: TimerKind,
        /// The role to which it was escalated.
        role: Option<String>,
    },
}

/// Where it stands what people were told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Asset(AssetId),
    Process(ProcessId),
}

/// The row of what an asset told a person: newer ones come first.
pub(crate) fn row(person: PersonId, position: Position, asset: AssetId, version: u64) -> (Vec<u8>, Value) {
    (row_key(person, position), Value::bytes([&asset.bytes()[..], &version.to_be_bytes()].concat()))
}

/// Puts what an event of a process tells people.
pub(crate) fn put_of_process(state: &State, position: Position, id: ProcessId, version: u64, event: &ProcessEvent) {
    let value = [&id.bytes()[..], &version.to_be_bytes(), &[OF_PROCESS]].concat();
    let row = |person: &PersonId| (row_key(*person, position), Value::bytes(value.clone()));
    state.put(position, told_by(event).iter().map(row));
}

/// Whom an event of a process tells something.
pub(crate) fn told_by(event: &ProcessEvent) -> &[PersonId] {
    match event {
        ProcessEvent::AssetWithdrawn(told) => &told.to,
        ProcessEvent::PeopleTold(told) => &told.to,
        _ => &[],
    }
}

/// Key of the row of what a person was told at a position: newer ones come first.
pub(crate) fn row_key(person: PersonId, position: Position) -> Vec<u8> {
    key(table::NOTICE, &[&person.bytes(), &(u64::MAX - position).to_be_bytes()])
}

fn read_row(row_key: &[u8], found: &Found) -> Option<(Position, Source, u64)> {
    let (_, newest_first) = row_key.split_last_chunk::<8>()?;
    let position = u64::MAX - u64::from_be_bytes(*newest_first);
    let row = bytes_of(found);
    let (id, rest) = row.split_first_chunk::<16>()?;
    let (version, kind) = rest.split_first_chunk::<8>()?;
    let source = match kind {
        [] => Source::Asset(AssetId::from_bytes(*id)),
        [OF_PROCESS] => Source::Process(ProcessId::from_bytes(*id)),
        _ => return None,
    };
    Some((position, source, u64::from_be_bytes(*version)))
}

/// The fact that a message becomes: for those of its people who are known here. Nothing where nobody is.
pub(crate) fn event_of(core: &Core, message: Message) -> Option<AssetEvent> {
    let Message { to, title, text } = message;
    let is_known = |person: &PersonId| {
        let at = stream(StreamKind::Person, person.bytes());
        core.head(&at).is_ok_and(|head| head.is_some())
    };
    let mut to: Vec<_> = to.iter().filter_map(|id| PersonId::parse(id)).filter(is_known).collect();
    to.sort_unstable();
    to.dedup();
    let message = Sealed::Open(json!({"title": title, "text": text}));
    (!to.is_empty()).then(|| PeopleNotified { to, message }.into())
}

/// What a person was told before a position, the newest first, at most `limit`; and the last position that was looked at,
/// where there may be more.
pub(crate) fn page(
    core: &Core,
    catalogue: &Catalogue,
    person: PersonId,
    before: Position,
    limit: usize,
) -> Outcome<(Vec<Notice>, Option<Position>)> {
    let prefix = key(table::NOTICE, &[&person.bytes()]);
    let behind = row_key(person, before);
    let rows = core.state.scan(&prefix, Some(&behind), limit);
    let found: Vec<_> = rows.iter().filter_map(|(row_key, found)| read_row(row_key, found)).collect();
    let more = (rows.len() == limit).then(|| found.last().map(|(position, ..)| *position)).flatten();
    let mut notices = Vec::with_capacity(found.len());
    for (position, source, version) in found {
        let notice = match source {
            Source::Asset(id) => of_asset(core, position, id, version),
            Source::Process(id) => of_process(core, catalogue, position, id, version),
        };
        match notice {
            Ok(notice) => notices.extend(notice),
            Err(unread @ Trouble::Unread(_)) => return Err(unread),
            Err(trouble) => tracing::warn!(?source, %trouble, "what a person was told cannot be read"),
        }
    }
    Ok((notices, more))
}

/// An event and the record that holds it.
fn event_at<E: Event>(
    core: &Core,
    at: &Stream,
    id: &dyn std::fmt::Display,
    position: Position,
    version: u64,
) -> Outcome<Option<(E, Stamp, u64)>> {
    let what = if at.kind == StreamKind::Asset as u8 { "asset" } else { "process" };
    let records = core.journal.read_back(at, version, position).map_err(|error| Trouble::of_read(error, what, id))?;
    let found = records.into_iter().find(|record| record.version == version);
    Ok(found.and_then(|record| decode::<E>(&record.body).ok().map(|(event, stamp)| (event, stamp, record.key))))
}

fn of_process(
    core: &Core,
    catalogue: &Catalogue,
    position: Position,
    id: ProcessId,
    version: u64,
) -> Outcome<Option<Notice>> {
    let at = stream(StreamKind::Process, id.bytes());
    let (told, stamp) = match event_at(core, &at, &id, position, version)? {
        Some((ProcessEvent::AssetWithdrawn(told), stamp, _)) => (told, stamp),
        Some((ProcessEvent::PeopleTold(told), stamp, _)) => {
            let said = Said::Unfinished { of: told.of, role: told.role };
            let (asset, interlinker) = (None, None);
            return Ok(Some(Notice { position, at: stamp.at, asset, interlinker, process: id, task: told.task, said }));
        }
        _ => return Ok(None),
    };
    let withdrawal = catalogue.withdrawal(&told.interlinker).filter(|withdrawal| withdrawal.how == told.how);
    let reason = withdrawal.and_then(|withdrawal| withdrawal.reason);
    Ok(Some(Notice {
        position,
        at: stamp.at,
        asset: Some(told.asset),
        interlinker: Some(told.interlinker.name),
        process: id,
        task: told.task,
        said: Said::Withdrawn { version: told.interlinker.version, how: told.how, reason },
    }))
}

fn of_asset(core: &Core, position: Position, id: AssetId, version: u64) -> Outcome<Option<Notice>> {
    let at = stream(StreamKind::Asset, id.bytes());
    let Some((event, stamp, key)) = event_at::<AssetEvent>(core, &at, &id, position, version)? else { return Ok(None) };
    let mut event = AnyEvent::Asset(event);
    if let Ok(key) = core.keys.key(key) {
        event.open(&at, &key);
    }
    let AnyEvent::Asset(AssetEvent::PeopleNotified(told)) = event else { return Ok(None) };
    let asset = match head_of(core, id) {
        Some((asset, _)) => asset,
        None => from_stream(core, id, position)?.0.asset,
    };
    let text = |name: &str| told.message.opened().and_then(|said| said[name].as_str()).map(str::to_owned);
    Ok(Some(Notice {
        position,
        at: stamp.at,
        asset: Some(id),
        interlinker: Some(asset.interlinker.name.clone()),
        process: asset.process,
        task: asset.task.clone(),
        said: Said::Message { title: text("title"), text: text("text") },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_notices_come_first_and_read_back() {
        let (person, asset) = (PersonId::from_bytes([1; 16]), AssetId::from_bytes([2; 16]));
        let rows: Vec<_> = [3, 9, 1].map(|position| row(person, position, asset, position + 100)).into();
        let mut sorted: Vec<_> = rows.iter().map(|(row_key, _)| row_key.clone()).collect();
        sorted.sort();
        assert_eq!(sorted, [rows[1].0.clone(), rows[0].0.clone(), rows[2].0.clone()]);
        let found = Found::Live(9, rows[1].1.clone());
        assert_eq!(read_row(&rows[1].0, &found), Some((9, Source::Asset(asset), 109)));
    }
}
