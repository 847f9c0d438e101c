//! Blobs of an asset: parts in its stream, read from the journal when somebody asks for them.
//!
//! A fork takes the blobs of its assets along by where their parts stand, not by their bytes: those are in no state, may be 256
//! MiB of each asset, and do not fit into the one append that makes a fork. They are sealed under the key of the process in
//! which they were written, so whatever erases that one erases them in its forks, too.

use std::sync::Arc;

use interlink_host::{Blobs, Put};
use interlink_model::asset::{Asset, BLOB_PART_BYTES, Blob};
use interlink_model::event::decode;
use interlink_model::facts::{AssetEvent, BlobKept, BlobPartWritten, BlobTakenAlong};
use interlink_model::id::StreamKind;
use interlink_model::sealed::Sealed;

use crate::core::Core;
use crate::draft::{AnyEvent, stream};
use crate::error::{Outcome, Trouble};
use crate::keys::SealingKey;

/// Blobs of an asset as it is at a version.
pub(crate) struct Kept {
    pub core: Arc<Core>,
    pub asset: Arc<Asset>,
    pub key: SealingKey,
}

impl Blobs for Kept {
    fn size(&self, digest: &str) -> Option<u64> {
        self.asset.blobs.get(digest).map(|blob| blob.size_bytes)
    }

    fn total(&self) -> (usize, u64) {
        (self.asset.blobs.len(), self.asset.blob_bytes())
    }

    fn read(&self, digest: &str, offset: u64, limit: usize) -> Result<Option<Vec<u8>>, String> {
        let Some(blob) = self.asset.blobs.get(digest) else { return Ok(None) };
        self.part(blob, offset, limit).map(Some).map_err(|trouble| trouble.to_string())
    }
}

impl Kept {
    /// At most `limit` bytes of a blob from `offset` on.
    pub fn part(&self, blob: &Blob, offset: u64, limit: usize) -> Outcome<Vec<u8>> {
        let end = offset.saturating_add(limit as u64).min(blob.size_bytes);
        if offset >= end {
            return Ok(Vec::new());
        }
        let part = BLOB_PART_BYTES as u64;
        let (first, last) = (offset / part, (end - 1) / part);
        let id = blob.of.unwrap_or(self.asset.id);
        let at = stream(StreamKind::Asset, id.bytes());
        let damaged = || Trouble::Damaged { what: "blob of asset", id: id.to_string() };
        let unread = |error| Trouble::of_read(error, "blob of asset", &id);
        let position = self.core.journal.position_of(&at, blob.first + last).map_err(unread)?.ok_or_else(damaged)?;
        let records = self.core.journal.read_back(&at, blob.first + first, position).map_err(unread)?;
        let key = self.key_of(blob, records.first().map_or(0, |record| record.key))?;
        let mut bytes = Vec::with_capacity((end - offset) as usize);
        for (number, record) in (first..=last).zip(&records) {
            let (event, _) = decode::<AssetEvent>(&record.body).map_err(|_| damaged())?;
            let mut event = AnyEvent::Asset(event);
            event.open(&at, &key);
            let AnyEvent::Asset(AssetEvent::BlobPartWritten(written)) = event else { return Err(damaged()) };
            let content = written.content.opened().filter(|_| u64::from(written.number) == number);
            let content = content.ok_or_else(damaged)?;
            let within = |to: u64| to.saturating_sub(number * part).min(content.len() as u64) as usize;
            bytes.extend_from_slice(&content[within(offset)..within(end)]);
        }
        if bytes.len() as u64 == end - offset { Ok(bytes) } else { Err(damaged()) }
    }

    /// What opens a blob's parts, which are sealed under a key of this number.
    fn key_of(&self, blob: &Blob, number: u64) -> Outcome<SealingKey> {
        let Some(of) = blob.of else { return Ok(self.key.clone()) };
        let erased = |_| Trouble::NotFound { what: "blob any more: it was erased with asset", id: of.to_string() };
        self.core.keys.key(number).map_err(erased)
    }
}

/// The events that take the blobs of an asset along into a copy of it.
pub(crate) fn taken_along(from: &Asset) -> impl Iterator<Item = AssetEvent> + '_ {
    from.blobs.iter().map(|(digest, blob)| {
        let Blob { media_type, size_bytes, first, parts, of } = blob.clone();
        let asset = of.unwrap_or(from.id);
        BlobTakenAlong { digest: digest.clone(), media_type, size_bytes, parts, asset, first }.into()
    })
}

/// The events that keep a blob.
pub(crate) fn events_of(digest: &str, put: Put) -> impl Iterator<Item = AssetEvent> + use<> {
    let Put { media_type, content } = put;
    let parts: Vec<_> = content.chunks(BLOB_PART_BYTES).map(<[u8]>::to_vec).collect();
    let (size_bytes, count) = (content.len() as u64, parts.len() as u32);
    let kept = BlobKept { digest: digest.into(), media_type, size_bytes, parts: count };
    let parts = parts.into_iter().zip(0..).map(|(content, number)| {
        BlobPartWritten { number, content: Sealed::Open(serde_bytes::ByteBuf::from(content)) }.into()
    });
    parts.chain([kept.into()])
}
