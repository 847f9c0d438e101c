//! Replay: from the position that the state includes to the end of the journal. Rebuilding is the same from nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use interlink_journal::{Position, ReadError, Record, RecordKind};
use interlink_model::asset::Asset;
use interlink_model::event::Stamp;
use interlink_model::facts::{AssetEvent, CallEvent, LoginEvent, PersonEvent, ProcessEvent};
use interlink_model::id::{AssetId, CallId, PersonId, ProcessId, StreamKind};
use interlink_model::process::Process;
use serde_bytes::ByteBuf;

use crate::archive;
use crate::assets::rows::{asset_key, from_stream, put_event, value_key};
use crate::calls::{ended_row, open_row};
use crate::catalogue::Catalogue;
use crate::core::Core;
use crate::draft::AnyEvent;
use crate::history::{fold, step};
use crate::keys::SealingKey;
use crate::mended::Mended;
use crate::notices;
use crate::people::login_row;
use crate::processes::note_activity;
use crate::reading;
use crate::schedule;
use crate::state::{Found, Value, key, open_asset, open_process_row, table};
use crate::usage;

/// Brings the state up to the journal. `progress` is told how many records have been taken in, now and then.
///
/// A reading that fails ends it: a state that lacks what was not read would pass for one that has it.
pub(crate) fn replay(
    core: &Core,
    catalogue: &Catalogue,
    after: Position,
    progress: &mut dyn FnMut(u64),
) -> Result<u64, ReadError> {
    let mut taken = 0;
    core.journal.read_all(Some(after), &mut |record| {
        take_in(core, catalogue, &record);
        core.state.advance(record.position);
        taken += 1;
        if taken % 10_000 == 0 {
            progress(taken);
        }
        while core.state.is_full() {
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    })?;
    Ok(taken)
}

/// Takes in one record. What cannot be read is left out: its stream refuses work by itself.
fn take_in(core: &Core, catalogue: &Catalogue, record: &Record) {
    if record.kind == RecordKind::Answer {
        return crate::gate::put_answer_again(core, record);
    }
    if let Some(mended) = Mended::of(record) {
        return go_on(core, catalogue, record, &mended);
    }
    let (event, stamp) = match AnyEvent::decode(&record.stream, &record.body) {
        Ok(Some(decoded)) => decoded,
        Ok(None) => return,
        Err(error) => return tracing::error!(stream = %record.stream, record.version, %error, "unreadable event"),
    };
    let id = record.stream.id;
    match &event {
        AnyEvent::Process(event) => process(core, catalogue, record, event, &stamp),
        AnyEvent::Asset(event) => asset(core, record, event, &stamp),
        AnyEvent::Usage(event) => {
            let used = usage::use_of_usage(ProcessId::from_bytes(id), event, &stamp);
            usage::record(&core.state, record.position, &used);
        }
        AnyEvent::Call(event) => {
            let id = CallId::from_bytes(id);
            match event {
                CallEvent::CallStarted(started) => {
                    core.state.put(record.position, [open_row(id, started.process, started.asset)]);
                }
                CallEvent::CallAnswered(_) | CallEvent::CallFailed(_) => {}
                CallEvent::CallEnded(_) => core.state.put(record.position, [ended_row(id)]),
            }
        }
        AnyEvent::Person(PersonEvent::NoticesRead(read)) => {
            reading::put(&core.state, record.position, PersonId::from_bytes(id), read);
        }
        AnyEvent::Login(LoginEvent::LoginLinked(linked)) => {
            core.state.put(record.position, [login_row(id, linked.person, record.key)]);
        }
        _ => {}
    }
    let of_work = [StreamKind::Process, StreamKind::Asset, StreamKind::Usage].map(|kind| kind as u8);
    if of_work.contains(&record.stream.kind) && !usage::is_at_door(&event) {
        note_activity(core, record.position, &stamp);
    }
}

/// Takes in that a stream goes on from its state, which stands in the record.
fn go_on(core: &Core, catalogue: &Catalogue, record: &Record, mended: &Mended) {
    let Ok(key) = core.keys.key(record.key) else { return };
    let id = record.stream.id;
    if record.stream.kind == StreamKind::Process as u8 {
        let id = ProcessId::from_bytes(id);
        match mended.process(catalogue, id) {
            Some(process) => put_process(core, record.position, &Arc::new(process), &key),
            None => tracing::error!(process = %id, "the process cannot be made from the record that mends it"),
        }
    } else if record.stream.kind == StreamKind::Asset as u8 {
        let id = AssetId::from_bytes(id);
        match mended.asset() {
            Some(asset) => put_asset(core, record.position, asset, &mended.values, key),
            None => tracing::error!(asset = %id, "the asset cannot be made from the record that mends it"),
        }
    }
}

/// Puts a process that goes on from its state into it, unless what is there is newer.
pub(crate) fn put_process(core: &Core, position: Position, process: &Arc<Process>, sealing: &SealingKey) {
    let found = core.state.get(&key(table::PROCESS, &[&process.id.bytes()]));
    if found.is_none_or(|found| usage::position_of(&found) < position) {
        core.state.put(position, schedule::rows(None, process, sealing));
    }
}

/// The same for an asset and all its keys.
pub(crate) fn put_asset(
    core: &Core,
    position: Position,
    asset: Asset,
    values: &BTreeMap<String, ByteBuf>,
    sealing: SealingKey,
) {
    let (id, row_key) = (asset.id, asset_key(asset.id));
    if core.state.get(&row_key).is_some_and(|found| usage::position_of(&found) >= position) {
        return;
    }
    let stale = core.state.scan(&value_key(id, ""), None, usize::MAX);
    let gone = stale.into_iter().map(|(row_key, _)| (row_key, Value::Gone));
    let kept = values.iter().map(|(name, sealed)| (value_key(id, name), Value::bytes(sealed.as_slice())));
    let rows: Vec<_> = gone.chain(kept).chain([(row_key, Value::Asset(Arc::new(asset), sealing))]).collect();
    core.state.put(position, rows);
}

fn process(core: &Core, catalogue: &Catalogue, record: &Record, event: &ProcessEvent, stamp: &Stamp) {
    let id = ProcessId::from_bytes(record.stream.id);
    archive::replay_assets(core, id, event, record.position);
    notices::put_of_process(&core.state, record.position, id, record.version, event);
    let row_key = key(table::PROCESS, &[&record.stream.id]);
    let found = core.state.get(&row_key);
    if archive::row(&core.state, id).is_some_and(|row| usage::position_of(&row) >= record.position) {
        return;
    }
    if found.as_ref().is_some_and(|found| usage::position_of(found) >= record.position) {
        return;
    }
    let known: Option<(Process, SealingKey)> = match found {
        Some(Found::Live(_, Value::Process(process, key))) => Some(((*process).clone(), key)),
        Some(Found::Stored(stored)) => core.keys.key(stored.key).ok().and_then(|key| {
            let row = open_process_row(&key, &row_key, &stored)?;
            Some((Process::from_row(id, &row, |schema| catalogue.plan(&schema.digest))?, key))
        }),
        _ => None,
    };
    let before = known.as_ref().map(|(process, _)| process.clone());
    let next = match (known, event) {
        (None, ProcessEvent::ProcessCreated(_)) => {
            let key = core.keys.key(record.key).ok();
            step(catalogue, id, None, event.clone(), stamp).zip(key)
        }
        (Some((process, key)), event) if process.version + 1 == record.version => {
            step(catalogue, id, Some(process), event.clone(), stamp).map(|process| (process, key))
        }
        // The row was lost or does not fit: the whole stream makes it again.
        _ => fold(core, catalogue, id, Position::MAX).ok().map(|folded| ((*folded.process).clone(), folded.key)),
    };
    match next {
        Some((process, key)) => {
            let position = if process.version == record.version {
                record.position
            } else {
                core.head(&record.stream).ok().flatten().map_or(record.position, |head| head.position)
            };
            core.state.put(position, schedule::rows(before.as_ref(), &Arc::new(process), &key));
        }
        None => tracing::error!(process = %id, "the process cannot be made from its stream"),
    }
}

fn asset(core: &Core, record: &Record, event: &AssetEvent, stamp: &Stamp) {
    let id = AssetId::from_bytes(record.stream.id);
    let row_key = asset_key(id);
    let found = core.state.get(&row_key);
    let newer = found.as_ref().is_some_and(|found| usage::position_of(found) >= record.position);
    let known: Option<(Asset, SealingKey)> = match found {
        Some(Found::Live(_, Value::Asset(asset, key))) => Some(((*asset).clone(), key)),
        Some(Found::Stored(stored)) => core.keys.key(stored.key).ok().and_then(|key| {
            let asset = open_asset(&key, &row_key, &stored)?;
            Some((asset, key))
        }),
        _ => None,
    };
    let before = known.as_ref().map(|(asset, _)| asset.clone());
    let next = match (known, event) {
        (Some(known), _) if newer => Some(known),
        (Some((mut asset, key)), event) => {
            asset.apply(event, stamp);
            Some((asset, key))
        }
        (None, AssetEvent::InterlinkerInstantiated(made)) => {
            core.keys.key(record.key).ok().map(|key| (Asset::created(id, made, stamp), key))
        }
        // Archived since, in a state that was written in part: its rows come and go once more.
        (None, _) => {
            let folded = from_stream(core, id, record.position).ok();
            folded.map(|(snapshot, key)| ((*snapshot.asset).clone(), key))
        }
    };
    let Some((asset, key)) = next else {
        return tracing::error!(asset = %id, "the asset cannot be made from its stream");
    };
    if let AssetEvent::AssetRemoved(_) = event {
        let rows = core.state.scan(&value_key(id, ""), None, usize::MAX);
        core.state.put(record.position, rows.into_iter().map(|(row_key, _)| (row_key, Value::Gone)));
    }
    put_event(&core.state, record.position, &asset, record.version, event, stamp);
    if !newer {
        core.state.put(record.position, schedule::alarm_rows(before.as_ref(), &asset));
        core.state.put(record.position, [(row_key, Value::Asset(Arc::new(asset), key))]);
    }
}
