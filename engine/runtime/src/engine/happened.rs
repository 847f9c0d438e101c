//! The history of a process, a page at a time: its own events and those of its assets, in the one order of the journal.
//!
//! A page reads what is on it, and what it takes to know which assets there were: the process as it was where the page begins.

use std::collections::BTreeSet;

use interlink_journal::{Position, ReadError, Record, Stream};
use interlink_model::event::{Stamp, decode, envelope};
use interlink_model::facts::ProcessEvent;
use interlink_model::id::{AssetId, ProcessId, StreamKind};
use serde_json::{Value as Json, json};

use super::Engine;
use crate::archive::{assets_ever, assets_in};
use crate::core::Core;
use crate::draft::{AnyEvent, stream};
use crate::error::{Outcome, Trouble};
use crate::history::fold;
use crate::keys::SealingKey;
use crate::mended::{Mended, whole};

/// How it is told that events are lost, and that their stream goes on from its state.
const LOST: &str = "HistoryLost";
/// Events before a page that are looked at first for what was done in one append.
const LOOK_BACK: u64 = 32;

/// An event as it is shown.
#[derive(Debug, Clone)]
pub struct Happened {
    /// Its place in the one order.
    pub position: Position,
    /// Its stream.
    pub stream: Stream,
    /// Its version there.
    pub version: u64,
    /// What happened.
    pub kind: &'static str,
    /// When and by whom.
    pub stamp: Stamp,
    /// Its fields, opened where their key exists.
    pub data: Json,
}

impl Engine {
    /// The history of a process, its assets' included: events behind a position, in order, at most `limit`. Where events were
    /// lost and the stream goes on from its state, that stands at the place from which it goes on.
    pub fn events(&self, id: ProcessId, after: Position, limit: usize) -> Outcome<Vec<Happened>> {
        let cell = self.processes.cell(id)?;
        let at = stream(StreamKind::Process, id.bytes());
        let mut records = behind(&self.core, &at, "process", &id, after, limit)?;
        for asset in self.assets_behind(id, after, &records)? {
            let at = stream(StreamKind::Asset, asset.bytes());
            records.extend(behind(&self.core, &at, "asset", &asset, after, limit)?);
        }
        records.sort_by_key(|record| record.position);
        records.truncate(limit);
        records.iter().map(|record| shown(record, &cell.key)).collect()
    }

    /// The assets of which there may be events behind a position: those that the process had there, and those that it got
    /// since, as far as its own events go.
    fn assets_behind(&self, id: ProcessId, after: Position, own: &[Record]) -> Outcome<BTreeSet<AssetId>> {
        let mut assets: BTreeSet<_> = own.iter().flat_map(assets_in).collect();
        if after == 0 {
            return Ok(assets);
        }
        let then = fold(&self.core, &self.catalogue, id, after);
        match then.and_then(|then| Ok((then.process, dropped_at(&self.core, id, after)?))) {
            Ok((process, dropped)) => assets.extend(process.assets.keys().copied().chain(dropped)),
            Err(unread @ Trouble::Unread(_)) => return Err(unread),
            // The process was not there yet, or its history is lost there.
            Err(_) => assets.extend(assets_ever(&self.core, id)?),
        }
        Ok(assets)
    }
}

/// Assets that the process dropped in the append in the middle of which a position may be: their own last event, in the same
/// append, comes behind it.
fn dropped_at(core: &Core, id: ProcessId, after: Position) -> Outcome<Vec<AssetId>> {
    let at = stream(StreamKind::Process, id.bytes());
    let damaged = |error| Trouble::of_read(error, "process", &id);
    let Some(head) = core.journal.head_at(&at, after).map_err(damaged)? else { return Ok(Vec::new()) };
    let mut look_back = LOOK_BACK;
    loop {
        let from = head.version.saturating_sub(look_back);
        let records = core.journal.read_back(&at, from, head.position).map_err(damaged)?;
        let belongs_to = |record: &Record| envelope(&record.body).ok().and_then(|(_, _, stamp)| stamp.correlation);
        let last = records.last().and_then(belongs_to);
        let is_of_it = |record: &&Record| last.is_some() && belongs_to(record) == last;
        if records.first().is_some_and(|first| first.version == from && from > 0 && is_of_it(&first)) {
            look_back = look_back.saturating_mul(2);
            continue;
        }
        let of_append = records.iter().rev().take_while(is_of_it);
        let dropped = of_append.filter_map(|record| match decode::<ProcessEvent>(&record.body) {
            Ok((ProcessEvent::AssetDropped(dropped), _)) => Some(dropped.asset),
            _ => None,
        });
        return Ok(dropped.collect());
    }
}

/// The first records of a stream behind a position, at most `limit`.
fn behind(
    core: &Core,
    at: &Stream,
    what: &'static str,
    id: &dyn std::fmt::Display,
    after: Position,
    limit: usize,
) -> Outcome<Vec<Record>> {
    match in_a_row(core, at, after, limit) {
        Ok(Some(records)) => Ok(records),
        // Something of it is damaged or lost: whatever can be read is gone through.
        Ok(None) | Err(ReadError::Damaged { .. }) => {
            let mut records = whole(core, at, what, id)?;
            records.retain(|record| record.position > after);
            records.truncate(limit);
            Ok(records)
        }
        Err(unread) => Err(Trouble::of_read(unread, what, id)),
    }
}

/// The same, where they stand in a row.
fn in_a_row(core: &Core, at: &Stream, after: Position, limit: usize) -> Result<Option<Vec<Record>>, ReadError> {
    let journal = &core.journal;
    let Some(head) = journal.head(at)?.filter(|head| head.position > after) else { return Ok(Some(Vec::new())) };
    let before = if after == 0 { None } else { journal.head_at(at, after)? };
    let from = before.map_or(0, |before| before.version + 1);
    let to = head.version.min(from.saturating_add((limit as u64).saturating_sub(1)));
    let last = if to == head.version { Some(head.position) } else { journal.position_of(at, to)? };
    let Some(last) = last else { return Ok(None) };
    let records = journal.read_back(at, from, last)?;
    Ok(records.first().is_some_and(|first| first.version == from).then_some(records))
}

/// A record as it is shown.
fn shown(record: &Record, key: &SealingKey) -> Outcome<Happened> {
    let Record { position, stream, version, .. } = *record;
    if let Some(mended) = Mended::of(record) {
        let data = json!({"from": mended.lost_from, "to": mended.lost_to});
        return Ok(Happened { position, stream, version, kind: LOST, stamp: mended.stamp(), data });
    }
    let damaged = || Trouble::Damaged { what: "event of stream", id: stream.to_string() };
    let (mut event, stamp) = AnyEvent::decode(&stream, &record.body).ok().flatten().ok_or_else(damaged)?;
    event.open(&stream, key);
    Ok(Happened { position, stream, version, kind: event.kind(), stamp, data: event.data() })
}
