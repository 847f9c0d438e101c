//! An asset: one instance of an Interlinker on a task.
//!
//! Its rules are the Interlinker's own, so there is no `decide` here: a call's outcome is a fact. What the call changed
//! is kept in rows of its own, one for each key; this is the head.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::event::{Actor, Stamp};
use crate::facts::{AssetEvent, InterlinkerInstantiated, InterlinkerRef};
use crate::id::{AssetId, Micros, ProcessId};
use crate::sealed::Sealed;

/// The head of an asset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asset {
    /// Its id.
    pub id: AssetId,
    /// Of which Interlinker, in which version.
    pub interlinker: InterlinkerRef,
    /// On which process.
    pub process: ProcessId,
    /// On which task.
    pub task: String,
    /// What people call it.
    pub name: Sealed<String>,
    /// The last event's version: it moves with every change of its state.
    pub version: u64,
    /// Who made it.
    pub created_by: Actor,
    /// When.
    pub created_at: Micros,
    /// When it changed last.
    pub touched_at: Micros,
    /// What it declared last.
    pub outcome: Option<Sealed<Value>>,
    /// When it was removed.
    pub removed_at: Option<Micros>,
    /// How many keys its state has: rows that are missing are noticed.
    pub keys: u64,
    /// How many bytes of state it has, or had when it was removed.
    #[serde(default)]
    pub bytes: u64,
}

impl Asset {
    /// The asset that its first event makes.
    pub fn created(id: AssetId, event: &InterlinkerInstantiated, stamp: &Stamp) -> Self {
        Self {
            id,
            interlinker: event.interlinker.clone(),
            process: event.process,
            task: event.task.clone(),
            name: event.name.clone(),
            version: 0,
            created_by: stamp.actor,
            created_at: stamp.at,
            touched_at: stamp.at,
            outcome: None,
            removed_at: None,
            keys: event.counts.get("").copied().unwrap_or(0),
            bytes: u64::try_from(event.grown_bytes).unwrap_or(0),
        }
    }

    /// Takes in an event.
    pub fn apply(&mut self, event: &AssetEvent, stamp: &Stamp) {
        self.version += 1;
        self.touched_at = stamp.at;
        match event {
            AssetEvent::InterlinkerInstantiated(_) => {}
            AssetEvent::ActionPerformed(event) => {
                self.keys = event.counts.get("").copied().unwrap_or(self.keys);
                self.bytes = self.bytes.saturating_add_signed(event.grown_bytes);
            }
            AssetEvent::OutcomeDeclared(event) => self.outcome = Some(event.outcome.clone()),
            AssetEvent::AssetRemoved(_) => {
                self.removed_at = Some(stamp.at);
                self.keys = 0;
            }
        }
    }

    /// The row.
    pub fn to_row(&self) -> Vec<u8> {
        rmp_serde::to_vec(self).expect("a row whose fields are sealed encodes")
    }

    /// The asset of a row.
    pub fn from_row(bytes: &[u8]) -> Option<Self> {
        rmp_serde::from_slice(bytes).ok()
    }
}
