//! What is kept for people and assets besides state: notices, blobs, and the versions of Interlinkers that assets move to.

use std::sync::Arc;

use interlink_host::{Put, is_media_type};
use interlink_journal::Position;
use interlink_model::asset::{BLOB_BYTES_MAX, BLOBS_BYTES_MAX, BLOBS_MAX, Blob};
use interlink_model::facts::{AssetEvent, InterlinkerRef};
use interlink_model::id::{AssetId, StreamKind};

use super::Engine;
use crate::assets::blobs::{Kept, events_of};
use crate::assets::upgrading::Moved;
use crate::catalogue::CatalogueEntry;
use crate::error::{Outcome, Trouble};
use crate::gate::{Answer, Permit};
use crate::notices::{self, Notice};
use crate::people::Caller;
use crate::usage::held::Hosted;

/// Events of blobs that go into one append, at most: so many parts fit.
const PARTS_AT_ONCE: usize = 3;

impl Engine {
    /// What somebody was told before a position, the newest first; and where to go on.
    pub fn notices(&self, caller: &Caller, before: Position, limit: usize) -> Outcome<(Vec<Notice>, Option<Position>)> {
        notices::page(&self.core, &self.catalogue, caller.person, before, limit)
    }

    /// Keeps a blob for an asset; answers what it is known by, and whether it is new.
    pub async fn keep_blob(&self, caller: &Caller, id: AssetId, put: Put) -> Outcome<(String, bool)> {
        let Put { media_type, content } = &put;
        if !is_media_type(media_type) {
            return Err(Trouble::InTheWay {
                slug: "not-a-media-type",
                detail: format!("{media_type:?} is no media type"),
            });
        }
        if content.len() > BLOB_BYTES_MAX {
            let detail = format!("{} bytes; a blob has at most {BLOB_BYTES_MAX}", content.len());
            return Err(Trouble::TooLarge(detail));
        }
        let (size, digest) = (content.len() as u64, interlink_host::digest(content));
        let cell = self.asset_cell(id)?;
        let process = self.processes.cell(cell.snapshot().asset.process)?;
        let _place = crate::assets::Place::take(&cell.waiting)?;
        self.assets.held.free(cell.id).await;
        let mut lane = cell.enter().await;
        cell.admit(&lane, None).await?;
        crate::archive::admit(&process).await?;
        // What is told here is told of what is durable.
        cell.settled_ahead(&lane).await?;
        let asset = Arc::clone(&lane.ahead.asset);
        if asset.blobs.contains_key(&digest) {
            return Ok((digest, false));
        }
        if asset.blobs.len() >= BLOBS_MAX {
            let detail = format!("an asset has at most {BLOBS_MAX} blobs");
            return Err(Trouble::InTheWay { slug: "too-many-blobs", detail });
        }
        if asset.blob_bytes() + size > BLOBS_BYTES_MAX {
            let detail = format!("the blobs of an asset have at most {BLOBS_BYTES_MAX} bytes together");
            return Err(Trouble::InTheWay { slug: "too-many-blobs", detail });
        }
        let more = i64::try_from(size).unwrap_or(i64::MAX);
        let _room = self.assets.room(Hosted::of_asset(&asset), &asset.interlinker.name, 0, more)?;
        let events: Vec<AssetEvent> = events_of(&digest, put).collect();
        let mut fate = None;
        for chunk in events.chunks(PARTS_AT_ONCE) {
            if let Some(fate) = fate.take() {
                crate::core::settled(fate).await?;
            }
            let kept = (chunk.to_vec(), lane.ahead.values.clone());
            let (answer, permit) = (Answer::default(), Permit::default());
            let handed = self.assets.hand_over_alone(&process, &cell, &mut lane, kept, caller.actor(), answer, permit);
            fate = Some(handed.0);
        }
        drop(lane);
        if let Some(fate) = fate {
            crate::core::settled(fate).await?;
        }
        Ok((digest, true))
    }

    /// A blob of an asset: its head, and how to read it, off the asynchronous workers.
    pub fn blob(
        &self,
        id: AssetId,
        digest: &str,
    ) -> Outcome<(Blob, impl FnOnce() -> Outcome<Vec<u8>> + Send + 'static)> {
        let cell = self.asset_cell(id)?;
        let asset = cell.snapshot().asset;
        let blob = asset.blobs.get(digest).cloned();
        let blob = blob.ok_or_else(|| Trouble::NotFound { what: "blob", id: digest.into() })?;
        let kept = Kept { core: Arc::clone(&self.core), asset, key: cell.key.clone() };
        let wanted = blob.clone();
        Ok((blob, move || kept.part(&wanted, 0, wanted.size_bytes as usize)))
    }

    /// Moves an asset to a newer version of its Interlinker, or says what that would do.
    pub async fn upgrade_asset(
        &self,
        caller: &Caller,
        id: AssetId,
        version: &str,
        expected: Option<u64>,
        how: (bool, bool),
        answer: impl FnOnce(&Moved) -> Answer + Send,
        permit: Permit,
    ) -> Outcome<Answer> {
        let cell = self.asset_cell(id)?;
        let asset = cell.snapshot().asset;
        let process = self.processes.cell(asset.process)?;
        let wanted = format!("{}@{version}", asset.interlinker.name);
        let names = || Trouble::Names { what: "Interlinker", id: wanted.clone(), pointer: "/version".into() };
        let target = self.catalogue.interlinker(&wanted).ok_or_else(names)?;
        self.catalogue.not_revoked(&target.reference)?;
        let old = format!("{}@{}", asset.interlinker.name, asset.interlinker.version);
        let old = self.catalogue.interlinker(&old).ok_or_else(names)?;
        let CatalogueEntry::Software(old) = &old.entry else { return Err(names()) };
        let guest = self.load(&target.reference).await?;
        self.assets.upgrade(&process, &cell, old, &guest, caller.actor(), expected, how, answer, permit).await
    }

    /// Takes an asset back to the version of its Interlinker before.
    pub async fn roll_asset_back(
        &self,
        caller: &Caller,
        id: AssetId,
        expected: Option<u64>,
        discard: bool,
        answer: impl FnOnce(&InterlinkerRef, u64) -> Answer + Send,
        permit: Permit,
    ) -> Outcome<Answer> {
        let cell = self.asset_cell(id)?;
        let process = self.processes.cell(cell.snapshot().asset.process)?;
        let then = |version| self.snapshot_at(id, version);
        self.assets.roll_back(&process, &cell, caller.actor(), expected, discard, then, answer, permit).await
    }

    /// Assets in the order of their making, those after one, at most `limit`, of which `wanted` says which; and the last that
    /// was looked at, where there may be more. Call it off the asynchronous workers.
    pub fn assets(
        &self,
        after: Option<AssetId>,
        limit: usize,
        wanted: impl Fn(&super::AssetView) -> bool,
    ) -> Outcome<(Vec<super::AssetView>, Option<AssetId>)> {
        const LOOKED_AT_ONCE: usize = 10_000;
        let (mut found, mut after, mut looked) = (Vec::new(), after, 0);
        loop {
            let streams = self.core.journal.streams(StreamKind::Asset as u8, after.map(AssetId::bytes), 256);
            let streams = streams.map_err(|error| Trouble::of_read(error, "journal", &"of assets"))?;
            let is_end = streams.len() < 256;
            for stream in streams {
                let id = AssetId::from_bytes(stream.id);
                after = Some(id);
                looked += 1;
                match self.asset(id) {
                    Ok(view) => found.extend(Some(view).filter(&wanted)),
                    Err(unread @ Trouble::Unread(_)) => return Err(unread),
                    // Removed or damaged.
                    Err(_) => {}
                }
                if found.len() == limit || looked == LOOKED_AT_ONCE {
                    return Ok((found, after));
                }
            }
            if is_end {
                return Ok((found, None));
            }
        }
    }
}
