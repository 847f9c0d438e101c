//! A row in sled: what it is, how far it reaches, and a checksum, so that damage is noticed row by row.

use interlink_journal::Position;
use interlink_model::asset::Asset;
use interlink_model::id::Micros;
use interlink_model::process::{Process, ProcessStatus, Stage};

use super::{Entry, Value};
use crate::ambient::Ambient;
use crate::keys::SealingKey;

/// Version of all rows: one of another is made again from the journal.
const ROW_VERSION: u16 = 4;
const HEAD_BYTES: usize = 2 + 4 + 8 + 8;

/// A row that was read from sled and fits its checksum.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Position of the last event in it.
    pub position: Position,
    /// Number of the key under which its payload is sealed, 0 for none.
    pub key: u64,
    /// What it holds.
    pub payload: Vec<u8>,
}

impl Stored {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut row = Vec::with_capacity(HEAD_BYTES + self.payload.len());
        row.extend_from_slice(&ROW_VERSION.to_le_bytes());
        row.extend_from_slice(&[0; 4]);
        row.extend_from_slice(&self.position.to_le_bytes());
        row.extend_from_slice(&self.key.to_le_bytes());
        row.extend_from_slice(&self.payload);
        let sum = crc32c::crc32c(&row[6..]);
        row[2..6].copy_from_slice(&sum.to_le_bytes());
        row
    }

    pub(super) fn decode(row: &[u8]) -> Option<Self> {
        let (head, payload) = row.split_at_checked(HEAD_BYTES)?;
        let version = u16::from_le_bytes(head[..2].try_into().ok()?);
        let sum = u32::from_le_bytes(head[2..6].try_into().ok()?);
        if version != ROW_VERSION || sum != crc32c::crc32c(&row[6..]) {
            return None;
        }
        Some(Self {
            position: u64::from_le_bytes(head[6..14].try_into().ok()?),
            key: u64::from_le_bytes(head[14..22].try_into().ok()?),
            payload: payload.to_vec(),
        })
    }
}

/// What adoption counts of a process, readable without opening its row: numbers and a time, nothing of anybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Status.
    pub status: ProcessStatus,
    /// Tasks completed.
    pub done: u32,
    /// Tasks neither completed nor skipped.
    pub open: u32,
    /// When anything happened to it last.
    pub touched_at: Micros,
}

impl Summary {
    const BYTES: usize = 17;

    /// The summary of a process.
    pub fn of(process: &Process) -> Self {
        let count = |wanted: fn(&Stage) -> bool| process.tasks.iter().filter(|task| wanted(&task.stage)).count() as u32;
        Self {
            status: process.status,
            done: count(|stage| *stage == Stage::Completed),
            open: count(|stage| !stage.is_finished()),
            touched_at: process.touched_at,
        }
    }

    /// The summary as it stands in a row.
    pub fn encode(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[0] = self.status as u8;
        bytes[1..5].copy_from_slice(&self.done.to_le_bytes());
        bytes[5..9].copy_from_slice(&self.open.to_le_bytes());
        bytes[9..17].copy_from_slice(&self.touched_at.0.to_le_bytes());
        bytes
    }

    /// The summary at the beginning of a process's row.
    pub fn decode(payload: &[u8]) -> Option<Self> {
        let bytes = payload.get(..Self::BYTES)?;
        Some(Self {
            status: *ProcessStatus::ALL.get(usize::from(bytes[0]))?,
            done: u32::from_le_bytes(bytes[1..5].try_into().ok()?),
            open: u32::from_le_bytes(bytes[5..9].try_into().ok()?),
            touched_at: Micros(i64::from_le_bytes(bytes[9..17].try_into().ok()?)),
        })
    }

    /// What stands behind the summary: the sealed row.
    pub fn rest(payload: &[u8]) -> &[u8] {
        payload.get(Self::BYTES..).unwrap_or_default()
    }
}

/// Encodes a row for sled; `None` where it is gone. Processes and assets are sealed as a whole.
pub(super) fn encode(ambient: &dyn Ambient, row_key: &[u8], entry: &Entry) -> Option<Vec<u8>> {
    let sealed = |key: &SealingKey, plain: Vec<u8>| key.seal(ambient, &[b"row", row_key], &plain);
    let (key, payload) = match &entry.value {
        Value::Gone => return None,
        Value::Bytes(bytes) => (0, bytes.to_vec()),
        Value::Process(process, key) => {
            let summary = Summary::of(process).encode();
            (key.number, [&summary[..], &sealed(key, process.to_row())].concat())
        }
        Value::Asset(asset, key) => (key.number, sealed(key, asset.to_row())),
    };
    Some(Stored { position: entry.position, key, payload }.encode())
}

/// Opens the head of an asset.
pub fn open_asset(key: &SealingKey, row_key: &[u8], stored: &Stored) -> Option<Asset> {
    Asset::from_row(&key.open(&[b"row", row_key], &stored.payload)?)
}

/// Opens the row of a process.
pub fn open_process_row(key: &SealingKey, row_key: &[u8], stored: &Stored) -> Option<Vec<u8>> {
    key.open(&[b"row", row_key], Summary::rest(&stored.payload))
}
