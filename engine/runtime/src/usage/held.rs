//! What assets hold, counted for each Interlinker, each process and each organization; and how much that may be.
//!
//! The counts are rows of the state, moved by each event of an asset by what stands in the event and in the asset's head: no
//! call looks at more than three rows. What has been let in and is not durable yet is reserved in memory, so that many at once do
//! not get past a limit that each of them keeps.

use std::collections::HashMap;

use interlink_journal::Position;
use interlink_model::asset::Asset;
use interlink_model::facts::AssetEvent;
use interlink_model::id::{OrganizationId, ProcessId};
use interlink_model::process::Process;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::{decode, position_of};
use crate::error::{Outcome, Trouble};
use crate::state::{State, Value, key, table};

/// Assets of one Interlinker, where its operator says nothing else.
pub const ASSETS_OF_INTERLINKER_MAX: u64 = 10_000_000;
/// Bytes of state and blobs of all of them.
pub const STATE_BYTES_OF_INTERLINKER_MAX: u64 = 64 << 30;
/// Assets of one process.
pub const ASSETS_OF_PROCESS_MAX: u64 = 10_000;
/// Bytes of state and blobs of all of them.
pub const STATE_BYTES_OF_PROCESS_MAX: u64 = 1 << 30;

/// Assets of one organization's processes, where an operator says nothing else.
pub const ASSETS_OF_ORGANIZATION_MAX: u64 = 1_000_000;
/// Bytes of state and blobs of all of them.
pub const STATE_BYTES_OF_ORGANIZATION_MAX: u64 = 16 << 30;

/// How many assets there are, and how many bytes they hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Assets.
    pub assets: u64,
    /// Bytes of state, keys included, and of blobs.
    pub state_bytes: u64,
}

/// How much may be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Assets.
    pub assets: u64,
    /// Bytes of state, keys included, and of blobs.
    pub state_bytes: u64,
}

impl Quota {
    /// Of an Interlinker of which nobody said anything.
    pub const OF_INTERLINKER: Self =
        Self { assets: ASSETS_OF_INTERLINKER_MAX, state_bytes: STATE_BYTES_OF_INTERLINKER_MAX };
    /// Of a process.
    pub const OF_PROCESS: Self = Self { assets: ASSETS_OF_PROCESS_MAX, state_bytes: STATE_BYTES_OF_PROCESS_MAX };
    /// Of an organization of which no operator said anything.
    pub const OF_ORGANIZATION: Self =
        Self { assets: ASSETS_OF_ORGANIZATION_MAX, state_bytes: STATE_BYTES_OF_ORGANIZATION_MAX };

    /// Which limit more would cross, with what there would be and what there may be. What does not grow crosses none.
    fn crossed(self, held: Held, more: Held) -> Option<(&'static str, u64, u64)> {
        let parts = [
            ("assets", held.assets, more.assets, self.assets),
            ("state_bytes", held.state_bytes, more.state_bytes, self.state_bytes),
        ];
        let crossed = |(what, held, more, max): (&'static str, u64, u64, u64)| {
            let wanted = held.saturating_add(more);
            (more > 0 && wanted > max).then_some((what, wanted, max))
        };
        parts.into_iter().find_map(crossed)
    }
}

/// Whose the count of an asset is, beside its Interlinker's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hosted {
    /// Its process.
    pub process: ProcessId,
    /// The organization that hosts the process.
    pub organization: Option<OrganizationId>,
}

impl Hosted {
    /// What is in a process.
    pub fn of(process: &Process) -> Self {
        Self { process: process.id, organization: process.organization }
    }

    /// An asset that is there.
    pub fn of_asset(asset: &Asset) -> Self {
        Self { process: asset.process, organization: asset.organization }
    }
}

/// Whose count it is.
fn interlinker_key(name: &str) -> Vec<u8> {
    key(table::HELD, &[b"i", name.as_bytes()])
}

fn process_key(id: ProcessId) -> Vec<u8> {
    key(table::HELD, &[b"p", &id.bytes()])
}

fn organization_key(id: OrganizationId) -> Vec<u8> {
    key(table::HELD, &[b"o", &id.bytes()])
}

fn at(state: &State, row_key: &[u8]) -> (Position, Held) {
    let found = state.get(row_key);
    found.map_or((0, Held::default()), |found| (position_of(&found), decode(&found).unwrap_or_default()))
}

/// What the assets of an Interlinker hold.
pub fn of_interlinker(state: &State, name: &str) -> Held {
    at(state, &interlinker_key(name)).1
}

/// What the assets of a process hold.
pub fn of_process(state: &State, id: ProcessId) -> Held {
    at(state, &process_key(id)).1
}

/// What the assets of an organization's processes hold.
pub fn of_organization(state: &State, id: OrganizationId) -> Held {
    at(state, &organization_key(id)).1
}

/// Counts what an event of an asset, which has taken it in, moved. One that is counted already changes nothing.
pub fn record(state: &State, position: Position, asset: &Asset, event: &AssetEvent) {
    let (assets, bytes) = match event {
        AssetEvent::InterlinkerInstantiated(_) => (1, event.grown_bytes()),
        AssetEvent::AssetRemoved(_) => (-1, -i64::try_from(asset.bytes).unwrap_or(i64::MAX)),
        _ => (0, event.grown_bytes()),
    };
    if (assets, bytes) == (0, 0) {
        return;
    }
    let own = [interlinker_key(&asset.interlinker.name), process_key(asset.process)];
    let moved = own.into_iter().chain(asset.organization.map(organization_key)).filter_map(|row_key| {
        let (counted, held) = at(state, &row_key);
        let next = Held {
            assets: held.assets.saturating_add_signed(assets),
            state_bytes: held.state_bytes.saturating_add_signed(bytes),
        };
        let row = Value::bytes(rmp_serde::to_vec(&next).expect("numbers encode"));
        (counted < position).then_some((row_key, row))
    });
    let moved: Vec<_> = moved.collect();
    state.put(position, moved);
}

/// What was let in and is not durable yet.
#[derive(Default)]
pub(crate) struct Reserved {
    all: Mutex<HashMap<Vec<u8>, Held>>,
}

/// Room that is held until it is used, or given back.
pub(crate) struct Room<'a> {
    of: &'a Reserved,
    keys: Vec<Vec<u8>>,
    more: Held,
}

impl Reserved {
    /// Takes room for more of an Interlinker, of a process and of the organization that hosts it, where all of them have it.
    pub fn room(
        &self,
        state: &State,
        (name, quota): (&str, Quota),
        process: ProcessId,
        organization: Option<(OrganizationId, Quota)>,
        more: Held,
    ) -> Outcome<Room<'_>> {
        let own = [
            (interlinker_key(name), format!("Interlinker `{name}`"), quota),
            (process_key(process), format!("process {process}"), Quota::OF_PROCESS),
        ];
        let host = organization.map(|(id, quota)| (organization_key(id), format!("organization {id}"), quota));
        let (mut keys, mut all) = (Vec::with_capacity(3), self.all.lock());
        for (row_key, whose, quota) in own.into_iter().chain(host) {
            let (held, reserved) = (at(state, &row_key).1, all.get(&row_key).copied().unwrap_or_default());
            let held = Held {
                assets: held.assets.saturating_add(reserved.assets),
                state_bytes: held.state_bytes.saturating_add(reserved.state_bytes),
            };
            if let Some((what, wanted, max)) = quota.crossed(held, more) {
                return Err(Trouble::Quota { whose, what, wanted, max });
            }
            keys.push(row_key);
        }
        for row_key in &keys {
            let reserved = all.entry(row_key.clone()).or_default();
            reserved.assets += more.assets;
            reserved.state_bytes += more.state_bytes;
        }
        Ok(Room { of: self, keys, more })
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        let mut all = self.of.all.lock();
        for row_key in &self.keys {
            if let Some(reserved) = all.get_mut(row_key) {
                reserved.assets -= self.more.assets;
                reserved.state_bytes -= self.more.state_bytes;
                if *reserved == Held::default() {
                    all.remove(row_key);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_crossed_by_one_more_and_never_by_what_does_not_grow() {
        for quota in [Quota::OF_INTERLINKER, Quota::OF_PROCESS, Quota::OF_ORGANIZATION] {
            let Quota { assets, state_bytes } = quota;
            let full = Held { assets, state_bytes };
            let (one, byte) = (Held { assets: 1, state_bytes: 0 }, Held { assets: 0, state_bytes: 1 });
            assert_eq!(quota.crossed(Held { assets: assets - 1, state_bytes }, one), None);
            assert_eq!(quota.crossed(full, one), Some(("assets", assets + 1, assets)));
            assert_eq!(quota.crossed(Held { assets, state_bytes: state_bytes - 1 }, byte), None);
            assert_eq!(quota.crossed(full, byte), Some(("state_bytes", state_bytes + 1, state_bytes)));
            let over = Held { assets: assets + 7, state_bytes: state_bytes + 7 };
            assert_eq!(quota.crossed(over, Held::default()), None, "what shrinks is let in");
        }
    }
}
