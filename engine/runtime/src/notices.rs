//! What people were told: by an index over them, newest first. The words stand in the history of whoever told them.

use interlink_host::Message;
use interlink_journal::Position;
use interlink_model::event::decode;
use interlink_model::facts::{AssetEvent, PeopleNotified};
use interlink_model::id::{AssetId, Micros, PersonId, StreamKind};
use interlink_model::sealed::Sealed;
use serde_json::json;

use crate::assets::rows::{from_stream, head_of};
use crate::core::Core;
use crate::draft::{AnyEvent, stream};
use crate::error::Outcome;
use crate::state::{Found, Value, key, table};
use crate::usage::bytes_of;

/// Something that a person was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Its place in the one order.
    pub position: Position,
    /// When it was told.
    pub at: Micros,
    /// The asset that told it.
    pub asset: AssetId,
    /// Its Interlinker.
    pub interlinker: String,
    /// Its process.
    pub process: interlink_model::id::ProcessId,
    /// Its task.
    pub task: String,
    /// In a line; nothing where its key was destroyed.
    pub title: Option<String>,
    /// What was said.
    pub text: Option<String>,
}

/// The row of a notice: newer ones come first.
pub(crate) fn row(person: PersonId, position: Position, asset: AssetId, version: u64) -> (Vec<u8>, Value) {
    (row_key(person, position), Value::bytes([&asset.bytes()[..], &version.to_be_bytes()].concat()))
}

fn row_key(person: PersonId, position: Position) -> Vec<u8> {
    key(table::NOTICE, &[&person.bytes(), &(u64::MAX - position).to_be_bytes()])
}

fn read_row(row_key: &[u8], found: &Found) -> Option<(Position, AssetId, u64)> {
    let (_, newest_first) = row_key.split_last_chunk::<8>()?;
    let position = u64::MAX - u64::from_be_bytes(*newest_first);
    let row = bytes_of(found);
    let (asset, version) = row.split_first_chunk::<16>()?;
    Some((position, AssetId::from_bytes(*asset), u64::from_be_bytes(version.try_into().ok()?)))
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
    for (position, asset, version) in found {
        match notice(core, position, asset, version) {
            Ok(notice) => notices.extend(notice),
            Err(unread @ crate::error::Trouble::Unread(_)) => return Err(unread),
            Err(trouble) => tracing::warn!(%asset, %trouble, "what a person was told cannot be read"),
        }
    }
    Ok((notices, more))
}

fn notice(core: &Core, position: Position, id: AssetId, version: u64) -> Outcome<Option<Notice>> {
    let at = stream(StreamKind::Asset, id.bytes());
    let unread = |error| crate::error::Trouble::of_read(error, "asset", &id);
    let records = core.journal.read_back(&at, version, position).map_err(unread)?;
    let Some(record) = records.into_iter().find(|record| record.version == version) else { return Ok(None) };
    let Ok((event, stamp)) = decode::<AssetEvent>(&record.body) else { return Ok(None) };
    let mut event = AnyEvent::Asset(event);
    if let Ok(key) = core.keys.key(record.key) {
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
        asset: id,
        interlinker: asset.interlinker.name.clone(),
        process: asset.process,
        task: asset.task.clone(),
        title: text("title"),
        text: text("text"),
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
        assert_eq!(read_row(&rows[1].0, &found), Some((9, asset, 109)));
    }
}
