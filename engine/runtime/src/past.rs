//! Looking back: a process and its assets as they were, and what has changed since.
//!
//! A moment is a version of a process or a time; both become one position of the journal, which holds for all streams of the
//! process. Who may look is decided by what holds today.

use std::collections::BTreeMap;
use std::sync::Arc;

use interlink_journal::{Position, ReadError, Record, Stream};
use interlink_model::asset::Asset;
use interlink_model::event::envelope;
use interlink_model::id::{AssetId, Micros, ProcessId, StreamKind};
use interlink_model::process::Process;
use serde_json::Value as Json;

use crate::archive::assets_ever;
use crate::assets::rows::from_stream;
use crate::assets::{Snapshot, guest_of, name_of, outcome_of};
use crate::core::Core;
use crate::draft::stream;
use crate::engine::{AssetView, Engine, Happened, ProcessView};
use crate::error::{Outcome, Trouble};
use crate::history::fold;
use crate::mended::{self, Mended, whole};
use crate::people::Caller;
use crate::processes::ProcessCell;

/// A moment of a process's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsOf {
    /// After the event of this version.
    Version(u64),
    /// At this time.
    Time(Micros),
}

/// What has changed between two moments.
#[derive(Debug, Clone)]
pub struct Diff {
    /// The process at the first.
    pub from: Arc<Process>,
    /// The process at the second.
    pub to: Arc<Process>,
    /// Its values at the first and at the second.
    pub data: [BTreeMap<String, Json>; 2],
    /// Everything that happened between them, in order.
    pub events: Vec<Happened>,
}

impl Engine {
    /// The position of a moment of a process.
    pub(crate) fn position_at(&self, id: ProcessId, at: AsOf) -> Outcome<Position> {
        let time = match at {
            AsOf::Version(version) => {
                let gone = || Trouble::NotFound { what: "version of the process", id: version.to_string() };
                let at = stream(StreamKind::Process, id.bytes());
                let found = version_at(&self.core, &at, version, "process", &id)?.ok_or_else(gone)?;
                return Ok(self.with_its_assets(id, found));
            }
            AsOf::Time(time) => time,
        };
        // Everything before the first thing that happened later.
        let own = first_later(&self.core, &stream(StreamKind::Process, id.bytes()), time)?;
        let mut first = own.unwrap_or(Position::MAX);
        for asset in self.assets_before(id, first)? {
            let later = first_later(&self.core, &stream(StreamKind::Asset, asset.bytes()), time)?;
            first = later.map_or(first, |later| first.min(later));
        }
        Ok(first.saturating_sub(1))
    }

    /// The position up to which an event of a process and what its assets did in the same append are: there a process's
    /// event comes first.
    fn with_its_assets(&self, id: ProcessId, event: Position) -> Position {
        let at = |record: &Record| envelope(&record.body).ok().map(|(_, _, stamp)| stamp.at);
        let (mut moment, mut last) = (None, event);
        // Where the records behind it cannot be read, what is known is the event itself.
        let _ = self.core.journal.read_all(event.checked_sub(1), &mut |record| {
            if record.position == event {
                moment = at(&record);
                return true;
            }
            let is_of_asset = record.stream.kind == StreamKind::Asset as u8 && at(&record) == moment;
            let is_beside = record.stream.kind == StreamKind::Snapshot as u8;
            let goes_on = record.process == id.bytes() && (is_of_asset || is_beside);
            if goes_on {
                last = record.position;
            }
            goes_on
        });
        last
    }

    /// The assets of which something may have happened just before a position that is not later than something of the process:
    /// those that it had. Of one that it dropped before, the last event is as old as that.
    fn assets_before(&self, id: ProcessId, position: Position) -> Outcome<Vec<AssetId>> {
        match fold(&self.core, &self.catalogue, id, position.saturating_sub(1)) {
            Ok(then) => Ok(then.process.assets.keys().copied().collect()),
            Err(Trouble::NotFound { .. }) => Ok(Vec::new()),
            Err(Trouble::Damaged { .. } | Trouble::Lost { .. }) => assets_ever(&self.core, id),
            Err(trouble) => Err(trouble),
        }
    }

    pub(crate) fn cell_of(&self, id: ProcessId) -> Outcome<Arc<ProcessCell>> {
        self.processes.cell(id)
    }

    /// A process as it was.
    pub fn process_as_of(&self, id: ProcessId, at: AsOf) -> Outcome<ProcessView> {
        let cell = self.cell_of(id)?;
        let until = self.position_at(id, at)?;
        let process = fold(&self.core, &self.catalogue, id, until)?.process;
        let name = cell.name(&process);
        Ok(ProcessView { process, name })
    }

    fn asset_then(&self, id: AssetId, at: AsOf) -> Outcome<(Snapshot, Arc<ProcessCell>)> {
        let (now, _) = from_stream(&self.core, id, Position::MAX)?;
        let cell = self.cell_of(now.asset.process)?;
        let until = match at {
            AsOf::Time(_) => self.position_at(now.asset.process, at)?,
            AsOf::Version(version) => {
                let gone = || Trouble::NotFound { what: "version of the asset", id: version.to_string() };
                let at = stream(StreamKind::Asset, id.bytes());
                version_at(&self.core, &at, version, "asset", &id)?.ok_or_else(gone)?
            }
        };
        let (snapshot, _) = from_stream(&self.core, id, until)?;
        if snapshot.asset.removed_at.is_some() {
            return Err(Trouble::NotFound { what: "asset", id: id.to_string() });
        }
        Ok((snapshot, cell))
    }

    /// An asset at a version.
    pub(crate) fn snapshot_at(&self, id: AssetId, version: u64) -> Outcome<Snapshot> {
        self.asset_then(id, AsOf::Version(version)).map(|(snapshot, _)| snapshot)
    }

    /// An asset as it was.
    pub fn asset_as_of(&self, id: AssetId, at: AsOf) -> Outcome<AssetView> {
        let (snapshot, cell) = self.asset_then(id, at)?;
        let asset = snapshot.asset;
        let (name, outcome) = (name_of(&asset, &cell.key), outcome_of(&asset, &cell.key));
        let withdrawal = self.catalogue.withdrawal(&asset.interlinker);
        Ok(AssetView { asset, name, outcome, withdrawal })
    }

    /// Shows an asset as it was, by the component that it had.
    pub async fn view_as_of(
        &self,
        caller: &Caller,
        id: AssetId,
        at: AsOf,
        query: Json,
        language: &str,
    ) -> Outcome<(Arc<Asset>, Json)> {
        let (snapshot, cell) = self.asset_then(id, at)?;
        let guest = guest_of(&self.core, &self.catalogue, &snapshot.asset).await?;
        let actor = caller.actor();
        self.assets.view(&cell, &guest, snapshot, actor, query, language, None).await
    }

    /// What has changed in a process between two moments.
    pub fn diff(&self, id: ProcessId, from: AsOf, to: AsOf) -> Outcome<Diff> {
        let cell = self.cell_of(id)?;
        let [first, last] = [self.position_at(id, from)?, self.position_at(id, to)?];
        let [from, to] = [first, last].map(|until| fold(&self.core, &self.catalogue, id, until));
        let (from, to) = (from?.process, to?.process);
        let data = [cell.data(&from), cell.data(&to)];
        let mut events = self.events(id, first, usize::MAX)?;
        events.retain(|event| event.position <= last);
        Ok(Diff { from, to, data, events })
    }
}

/// The position of a version of a stream. One that is before what is lost is found from there.
fn version_at(
    core: &Core,
    at: &Stream,
    version: u64,
    what: &'static str,
    id: &dyn std::fmt::Display,
) -> Outcome<Option<Position>> {
    let error = match core.journal.position_of(at, version) {
        Ok(found) => return Ok(found),
        Err(error) => error,
    };
    let Some((_, says)) = mended::last(core, at).filter(|_| matches!(error, ReadError::Damaged { .. })) else {
        return Err(Trouble::of_read(error, what, id));
    };
    let before = says.before.filter(|_| version < says.lost_from).ok_or_else(|| says.lost(what, id))?;
    let records = core.journal.read_back(at, version, before).map_err(|error| Trouble::of_read(error, what, id))?;
    Ok(records.first().map(|record| record.position))
}

/// The position of the first record of a stream that is later than a time: times in a stream never decrease.
fn first_later(core: &Core, at: &Stream, time: Micros) -> Outcome<Option<Position>> {
    let is_later = |record: &Record| match Mended::of(record) {
        Some(mended) => mended.at > time,
        None => envelope(&record.body).is_ok_and(|(_, _, stamp)| stamp.at > time),
    };
    match halved(core, at, &is_later) {
        Ok(found) => Ok(found),
        Err(ReadError::Damaged { .. }) => {
            let records = whole(core, at, "stream", at)?;
            Ok(records.iter().find(|record| is_later(record)).map(|record| record.position))
        }
        Err(unread) => Err(Trouble::of_read(unread, "stream", at)),
    }
}

/// The same by halving the versions of the stream.
fn halved(core: &Core, at: &Stream, is_later: &dyn Fn(&Record) -> bool) -> Result<Option<Position>, ReadError> {
    let Some(head) = core.journal.head(at)? else { return Ok(None) };
    let (mut from, mut to, mut found) = (0, head.version + 1, None);
    while from < to {
        let middle = from + (to - from) / 2;
        let position = core.journal.position_of(at, middle)?;
        let record = position.map(|position| core.journal.read_back(at, middle, position)).transpose()?;
        match record.iter().flatten().next() {
            Some(record) if !is_later(record) => from = middle + 1,
            record => (to, found) = (middle, record.map(|record| record.position).or(found)),
        }
    }
    Ok(found)
}
