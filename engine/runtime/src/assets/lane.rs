//! An asset in memory, and the lane in which its changing calls run one at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use interlink_model::asset::{Alarm, Asset};
use interlink_model::facts::AlarmSet;
use interlink_model::id::{AssetId, Micros, StreamKind};
use interlink_model::keyvalues::KeyValues;
use interlink_model::sealed::Sealed;
use parking_lot::RwLock;
use serde_json::Value as Json;

use crate::core::{Ahead, Durable};
use crate::error::{Outcome, Trouble};
use crate::keys::SealingKey;
use crate::processes::open_field;

/// Calls that may wait for one asset's lane; one more is told to come back.
pub const LANE_MAX: usize = 1_024;

/// An asset with its state, at a version.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The head.
    pub asset: Arc<Asset>,
    /// Its keys, open.
    pub values: KeyValues,
}

/// An asset in memory.
pub(crate) struct AssetCell {
    pub id: AssetId,
    pub key: SealingKey,
    lane: tokio::sync::Mutex<Lane>,
    /// Calls in the lane or waiting for it.
    pub waiting: AtomicUsize,
    /// Whether an append failed: what the lane has ahead will never be durable.
    stale: AtomicBool,
    committed: RwLock<Snapshot>,
    /// The version that is durable, for refusals that wait for it.
    durable: Durable,
}

pub(crate) struct Lane {
    pub ahead: Snapshot,
    /// Appends that had failed when the lane was entered.
    failures: u64,
    pub last_at: Micros,
}

impl Lane {
    pub fn time(&mut self, now: Micros) -> Micros {
        self.last_at = self.last_at.max(now);
        self.last_at
    }
}

impl AssetCell {
    pub fn new(snapshot: Snapshot, key: SealingKey) -> Self {
        let last_at = snapshot.asset.touched_at;
        Self {
            id: snapshot.asset.id,
            key,
            lane: tokio::sync::Mutex::new(Lane { ahead: snapshot.clone(), failures: 0, last_at }),
            waiting: AtomicUsize::new(0),
            stale: AtomicBool::new(false),
            durable: Durable::new(snapshot.asset.version),
            committed: RwLock::new(snapshot),
        }
    }

    /// The asset as it is durable.
    pub fn snapshot(&self) -> Snapshot {
        self.committed.read().clone()
    }

    /// An append is durable: its state is what readers see. Appends are told of in their order.
    pub fn synced(&self, snapshot: Snapshot) {
        let version = snapshot.asset.version;
        *self.committed.write() = snapshot;
        self.durable.reached(version);
    }

    pub fn failed(&self) {
        self.stale.store(true, Ordering::Release);
        self.durable.failed();
    }

    /// Whether a call may run on what is ahead: the asset is there, at the version that the caller saw. A refusal waits for
    /// what it was decided on.
    pub async fn admit(&self, lane: &Lane, expected: Option<u64>) -> Outcome<()> {
        let ahead = &lane.ahead.asset;
        let found = ahead.version;
        let refused = match expected {
            _ if ahead.removed_at.is_some() => Trouble::NotFound { what: "asset", id: self.id.to_string() },
            Some(expected) if expected != found => Trouble::WrongVersion { expected, found },
            _ => return Ok(()),
        };
        self.durable.wait(Ahead { version: found, failures: lane.failures }).await?;
        Err(refused)
    }

    /// Waits until what a lane has ahead is durable.
    pub async fn settled_ahead(&self, lane: &Lane) -> Outcome<()> {
        self.durable.wait(Ahead { version: lane.ahead.asset.version, failures: lane.failures }).await
    }

    /// The lane, once it is this call's turn; what a failed append left ahead is dropped.
    pub async fn enter(&self) -> tokio::sync::MutexGuard<'_, Lane> {
        let mut lane = self.lane.lock().await;
        // Counted first: a failure between the two makes a refusal uncertain, never wrong.
        lane.failures = self.durable.failures();
        if self.stale.swap(false, Ordering::AcqRel) {
            lane.ahead = self.snapshot();
        }
        lane
    }

    /// Its lane, with nothing on its way in it: no call changes the asset while this is held.
    pub async fn hold(&self) -> Outcome<impl Sized + '_> {
        let lane = self.enter().await;
        self.settled_ahead(&lane).await?;
        Ok(lane)
    }

    /// Opens the sealed name of the asset.
    pub fn name(&self, asset: &Asset) -> Option<String> {
        name_of(asset, &self.key)
    }

    /// Opens what the asset declared.
    pub fn outcome(&self, asset: &Asset) -> Option<Json> {
        outcome_of(asset, &self.key)
    }
}

/// The name of an asset that is sealed under a key.
pub(crate) fn name_of(asset: &Asset, key: &SealingKey) -> Option<String> {
    let mut name = asset.name.clone();
    open_field(&mut name, key, StreamKind::Asset, asset.id.bytes(), "name");
    name.opened().cloned()
}

/// What an asset declared, sealed under a key.
pub(crate) fn outcome_of(asset: &Asset, key: &SealingKey) -> Option<Json> {
    let mut outcome = asset.outcome.clone()?;
    open_field(&mut outcome, key, StreamKind::Asset, asset.id.bytes(), "outcome");
    outcome.opened().cloned()
}

/// The alarms that an asset has set, with what each is set with, sealed under a key.
pub(crate) fn alarms_of(asset: &Asset, key: &SealingKey) -> Vec<AlarmSet> {
    let opened = |(name, alarm): (&String, &Alarm)| {
        let mut input = alarm.input.clone();
        open_field(&mut input, key, StreamKind::Asset, asset.id.bytes(), "input");
        let input = Sealed::Open(input.opened().cloned().unwrap_or_default());
        AlarmSet { name: name.clone(), at: alarm.at, input }
    };
    asset.alarms.iter().map(opened).collect()
}

/// A place in a lane's queue, given back when it is dropped.
pub(crate) struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    pub fn take(waiting: &'a AtomicUsize) -> Outcome<Self> {
        if waiting.fetch_add(1, Ordering::AcqRel) >= LANE_MAX {
            waiting.fetch_sub(1, Ordering::AcqRel);
            return Err(Trouble::Busy { what: "too many calls wait for this asset".into(), retry_after_s: 1 });
        }
        Ok(Self(waiting))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_takes_no_more_calls_than_its_limit_and_gives_places_back() {
        let waiting = AtomicUsize::new(0);
        let mut places: Vec<_> = (0..LANE_MAX).map(|_| Place::take(&waiting).expect("room")).collect();
        assert!(matches!(Place::take(&waiting), Err(Trouble::Busy { .. })));
        places.pop();
        assert!(Place::take(&waiting).is_ok());
    }
}
