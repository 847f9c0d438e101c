//! An asset in the state: a head row, a row for each key, and how both are made again from the asset's stream.
//!
//! A row's value is the sealed value of the event that changed it; it is opened when the asset is loaded. The head has the
//! number of keys, so that a row that sled lost is noticed and the stream makes the asset again.

use std::collections::BTreeMap;
use std::sync::Arc;

use interlink_journal::{Position, Stream};
use interlink_model::asset::Asset;
use interlink_model::event::{Stamp, decode};
use interlink_model::facts::AssetEvent;
use interlink_model::id::{AssetId, StreamKind};
use interlink_model::keyvalues::KeyValues;
use interlink_model::sealed::{Sealed, SealedField};

use crate::archive;
use crate::assets::Snapshot;
use crate::core::Core;
use crate::draft::stream;
use crate::error::{Outcome, Trouble};
use crate::keys::SealingKey;
use crate::mended::{self, Mended};
use crate::notices;
use crate::schedule;
use crate::state::{Found, State, Value, key, table};
use crate::usage;

/// Puts what one event of an asset changed into the state, its head apart: the keys, and the use that it is.
pub(crate) fn put_event(
    state: &State,
    position: Position,
    asset: &Asset,
    version: u64,
    event: &AssetEvent,
    stamp: &Stamp,
) {
    let rows = event.changes().iter().map(|change| {
        let value = match &change.value {
            Some(Sealed::Closed(sealed)) => Value::bytes(sealed.as_slice()),
            _ => Value::Gone,
        };
        (value_key(asset.id, &change.key), value)
    });
    state.put(position, rows);
    usage::held::record(state, position, asset, event);
    if let AssetEvent::PeopleNotified(told) = event {
        state.put(position, told.to.iter().map(|person| notices::row(*person, position, asset.id, version)));
    }
    if let Some(used) = usage::use_of_asset(asset, version, event, stamp) {
        usage::record(state, position, &used);
    }
}

/// Key of an asset's head.
pub(crate) fn asset_key(id: AssetId) -> Vec<u8> {
    key(table::ASSET, &[&id.bytes()])
}

/// Key of one key of an asset's state.
pub(crate) fn value_key(id: AssetId, name: &str) -> Vec<u8> {
    key(table::VALUE, &[&id.bytes(), name.as_bytes()])
}

/// The head of an asset from its row.
pub(crate) fn head_of(core: &Core, id: AssetId) -> Option<(Arc<Asset>, SealingKey)> {
    let row_key = asset_key(id);
    match core.state.get(&row_key)? {
        Found::Live(_, Value::Asset(asset, key)) => Some((asset, key)),
        Found::Stored(stored) => {
            let key = core.keys.key(stored.key).ok()?;
            Some((Arc::new(crate::state::open_asset(&key, &row_key, &stored)?), key))
        }
        Found::Live(..) => None,
    }
}

/// An asset from its rows; `None` where one is missing or damaged.
pub(crate) fn from_rows(core: &Core, id: AssetId) -> Option<(Snapshot, SealingKey)> {
    let (asset, key) = head_of(core, id)?;
    let mut values = KeyValues::default();
    let at = stream(StreamKind::Asset, id.bytes());
    let prefix = value_key(id, "");
    let mut after: Option<Vec<u8>> = None;
    loop {
        const ROWS: usize = 1_024;
        let rows = core.state.scan(&prefix, after.as_deref(), ROWS);
        for (row_key, found) in &rows {
            let name = std::str::from_utf8(&row_key[prefix.len()..]).ok()?;
            values.set(name, open_value(&key, &at, &usage::bytes_of(found))?);
        }
        match rows.last() {
            Some((last, _)) if rows.len() == ROWS => after = Some(last.clone()),
            _ => break,
        }
    }
    (values.len() as u64 == asset.keys).then_some((Snapshot { asset, values }, key))
}

fn open_value(key: &SealingKey, at: &Stream, sealed: &[u8]) -> Option<Arc<[u8]>> {
    let mut value = Sealed::<serde_bytes::ByteBuf>::Closed(sealed.to_vec());
    value.open(&mut |sealed| key.open(&[&[at.kind], &at.id, b"changes"], sealed));
    value.opened().map(|value| value.as_slice().into())
}

/// An asset as its stream gives it, its values sealed.
struct Folded {
    asset: Asset,
    values: BTreeMap<String, Vec<u8>>,
    key: SealingKey,
}

/// Folds an asset from its stream, up to a position.
fn folded(core: &Core, id: AssetId, until: Position) -> Outcome<Folded> {
    let at = stream(StreamKind::Asset, id.bytes());
    let damaged = || Trouble::Damaged { what: "asset", id: id.to_string() };
    let records = core.journal.read_stream(&at, 0, until);
    let records = records.map_err(|error| or_lost(core, id, Trouble::of_read(error, "asset", &id)))?;
    let number = records.first().map(|record| record.key);
    let number = number.ok_or_else(|| Trouble::NotFound { what: "asset", id: id.to_string() })?;
    let key = core.keys.key(number).map_err(|error| Trouble::Unknown(error.to_string()))?;
    let mut asset: Option<Asset> = None;
    let mut values = BTreeMap::new();
    for record in &records {
        if let Some(mended) = Mended::of(record) {
            asset = Some(mended.asset().ok_or_else(damaged)?);
            values = mended.values.into_iter().map(|(name, sealed)| (name, sealed.into_vec())).collect();
            continue;
        }
        let (event, stamp) = decode::<AssetEvent>(&record.body).map_err(|_| damaged())?;
        match (&mut asset, &event) {
            (None, AssetEvent::InterlinkerInstantiated(made)) => asset = Some(Asset::created(id, made, &stamp)),
            (None, _) => return Err(damaged()),
            (Some(asset), event) => asset.apply(event, &stamp),
        }
        if let AssetEvent::AssetRemoved(_) = event {
            values.clear();
        }
        for change in event.changes() {
            match &change.value {
                Some(Sealed::Closed(sealed)) => drop(values.insert(change.key.clone(), sealed.clone())),
                _ => drop(values.remove(&change.key)),
            }
        }
    }
    Ok(Folded { asset: asset.ok_or_else(damaged)?, values, key })
}

/// Why an asset cannot be told as it was: its history is damaged, or lost for good.
fn or_lost(core: &Core, id: AssetId, trouble: Trouble) -> Trouble {
    match (&trouble, mended::last(core, &stream(StreamKind::Asset, id.bytes()))) {
        (Trouble::Damaged { .. }, Some((_, mended))) => mended.lost("asset", &id),
        _ => trouble,
    }
}

/// An asset as its stream gives it up to a position, its values opened.
pub(crate) fn from_stream(core: &Core, id: AssetId, until: Position) -> Outcome<(Snapshot, SealingKey)> {
    let at = stream(StreamKind::Asset, id.bytes());
    let Folded { asset, values: sealed, key } = folded(core, id, until)?;
    let damaged = || Trouble::Damaged { what: "asset", id: id.to_string() };
    let mut values = KeyValues::default();
    for (name, sealed) in &sealed {
        values.set(name, open_value(&key, &at, sealed).ok_or_else(damaged)?);
    }
    Ok((Snapshot { asset: Arc::new(asset), values }, key))
}

/// The rows of an asset as its stream gives them up to a position: its head, and every key. Nothing where it was not there
/// yet.
pub(crate) fn rows(core: &Core, id: AssetId, until: Position) -> Outcome<Vec<(Vec<u8>, Value)>> {
    let Folded { asset, values, key } = folded(core, id, until)?;
    let values = values.into_iter().map(|(name, sealed)| (value_key(id, &name), Value::bytes(sealed)));
    let alarm = schedule::alarm_rows(None, &asset);
    Ok([(asset_key(id), Value::Asset(Arc::new(asset), key))].into_iter().chain(values).chain(alarm).collect())
}

/// What the state has of an asset, its values sealed; nothing where a row is missing or does not open.
pub(crate) fn sealed_rows(core: &Core, id: AssetId) -> Option<(Asset, BTreeMap<String, Vec<u8>>, SealingKey)> {
    let (snapshot, key) = from_rows(core, id)?;
    let prefix = value_key(id, "");
    let rows = core.state.scan(&prefix, None, usize::MAX);
    let named = rows.iter().map(|(row_key, found)| {
        let name = std::str::from_utf8(&row_key[prefix.len()..]).ok()?;
        Some((name.to_owned(), usage::bytes_of(found).to_vec()))
    });
    Some(((*snapshot.asset).clone(), named.collect::<Option<_>>()?, key))
}

/// Compares the rows of an asset with what its events give, where they are as new as the journal. `included` is the position
/// that the state says it includes.
pub(crate) fn compare(core: &Core, included: Position, id: AssetId) -> Result<(), String> {
    let (folded, _) = from_stream(core, id, Position::MAX).map_err(|trouble| trouble.to_string())?;
    let head = core.head(&stream(StreamKind::Asset, id.bytes())).map_err(|trouble| trouble.to_string())?;
    let Some(head) = head else { return Ok(()) };
    let found = core.state.get(&asset_key(id)).map(|found| usage::position_of(&found));
    let process = folded.asset.process;
    match (archive::row(&core.state, process).map(|left| usage::position_of(&left)), found) {
        (Some(_), None) => return Ok(()),
        (Some(archived), Some(found)) if found <= archived => {
            return Err("its process is archived, and its row is there".into());
        }
        _ => {}
    }
    match found {
        Some(position) if position >= head.position => {}
        // A state that is behind: the next start brings it up.
        _ if head.position > included => return Ok(()),
        Some(_) => return Err("its row is older than the state says".into()),
        None if archive::may_be_gone(core, process, included) => return Ok(()),
        None => return Err("its row is missing".into()),
    }
    let (kept, _) = from_rows(core, id).ok_or("a row of its state is missing or does not open")?;
    if kept.asset != folded.asset {
        return Err("its row is not what its events give".into());
    }
    if kept.values != folded.values {
        return Err("its keys are not what its events give".into());
    }
    Ok(())
}
