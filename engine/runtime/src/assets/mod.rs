//! Assets: a lane each, in which its changing calls run one at a time.
//!
//! A call runs on the state that the queued calls before it will give; its changes and its outcome go into one append.
//! The lane is free for the next call as soon as that append is handed over, and the answer waits for its sync: ten
//! thousand votes share theirs, and a guest that loops holds up its own asset, not its process. Views run outside
//! lanes, on what is durable.

mod alarms;
pub(crate) mod anonymous;
pub(crate) mod blobs;
mod calling;
mod company;
mod failures;
mod handover;
mod lane;
mod making;
mod performing;
pub(crate) mod rows;
mod tried;
pub(crate) mod upgrading;
mod viewing;
mod written;

use std::sync::{Arc, Weak};
use std::time::Duration;

use interlink_host::{Interlinker, Rendered};
use interlink_journal::Position;
use interlink_model::asset::Asset;
use interlink_model::facts::InterlinkerRef;
use interlink_model::id::{AssetId, Micros, ProcessId, StreamKind};
use interlink_model::process::Command;
use parking_lot::Mutex;
use serde_json::Value as Json;

pub(crate) use self::alarms::{Rung, put_back};
pub(crate) use self::calling::{Seen, call_context, given_of, run};
use self::calling::{log, roles_of};
pub(crate) use self::company::{taking_part, taking_part_as};
use self::failures::KeptFailures;
pub(crate) use self::lane::Place;
pub use self::lane::Snapshot;
pub(crate) use self::lane::{AssetCell, alarms_of, name_of, outcome_of};
use self::rows::{from_rows, from_stream};
pub(crate) use self::tried::Tried;
pub(crate) use self::written::{settle_events, written_events};
use crate::calls::{Cause, HeldLanes, Interrupted, World, left_open};
use crate::catalogue::Catalogue;
use crate::cells::Cells;
use crate::core::Core;
use crate::draft::stream;
use crate::error::{Outcome, Trouble};
use crate::gate::Permit;
use crate::processes::Processes;
use crate::usage::held::{Held as HeldBytes, Hosted, Reserved, Room};

/// Assets that are kept in memory while nothing waits in them: each holds its whole state.
pub const CELLS_MAX: usize = 4_096;
/// What a call did to an asset.
pub struct Acted<'a> {
    /// The asset afterwards.
    pub asset: &'a Asset,
    /// What the Interlinker answered.
    pub output: &'a Json,
    /// What the Markdown in it comes to.
    pub rendered: &'a Rendered,
}

/// What is asked of an asset.
pub(crate) struct Use<'a> {
    /// The language to answer in.
    pub language: &'a str,
    /// The version that the caller saw.
    pub expected: Option<u64>,
    /// The effect for which it is.
    pub effect: Option<u64>,
    /// The call that goes on, where it is none of its own.
    pub resumed: Option<Interrupted>,
    /// What the process hears of it in the same append, where it is not an outcome that it waits for.
    pub with: Option<Command>,
    /// The service at whose door it is, where it is at one.
    pub service: Option<String>,
    /// The asset that runs this action for whoever calls it, and how long it waits for its turn. Such a call has no outside.
    pub by: Option<(AssetId, Duration)>,
}

/// What is done with an asset.
pub(crate) enum Deed<'a> {
    /// An action is run.
    Action {
        /// Which.
        name: &'a str,
        /// With what.
        input: Json,
    },
    /// An alarm rings that was set for this time.
    Alarm {
        /// Which.
        name: &'a str,
        /// When.
        at: Micros,
    },
}

/// What a new asset is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    /// Somebody wants it on a task.
    Evidence,
    /// A task wants it: the effect of this number, which drew its id.
    Effect(u64, AssetId),
}

/// How an Interlinker is to be instantiated.
pub(crate) struct Instantiation<'a> {
    /// What is made.
    pub new: NewAsset,
    /// For what.
    pub purpose: For,
    /// The language to answer in.
    pub language: &'a str,
    /// The call that goes on, where it is none of its own.
    pub resumed: Option<Interrupted>,
}

/// What a new asset is made of.
pub struct NewAsset {
    /// On which task.
    pub task: String,
    /// Of which Interlinker.
    pub interlinker: InterlinkerRef,
    /// What people call it.
    pub name: String,
    /// What it is instantiated with.
    pub input: Json,
}

/// All assets.
pub(crate) struct Assets {
    core: Arc<Core>,
    processes: Arc<Processes>,
    cells: Cells<AssetId, AssetCell>,
    /// What calls ask the world outside with.
    world: Arc<World>,
    /// Lanes that wait for a call that a crash interrupted.
    pub held: HeldLanes,
    /// For calls that ask for other assets.
    me: Weak<Assets>,
    kept_failures: Mutex<KeptFailures>,
    /// What was let in of assets and their state, and is not durable yet.
    reserved: Reserved,
}

impl Assets {
    pub fn new(processes: Arc<Processes>, world: Arc<World>) -> Arc<Self> {
        let core = Arc::clone(&world.core);
        Arc::new_cyclic(|me| Self {
            core,
            processes,
            cells: Cells::new(CELLS_MAX),
            world,
            held: HeldLanes::default(),
            me: me.clone(),
            kept_failures: Mutex::default(),
            reserved: Reserved::default(),
        })
    }

    /// The cell of an asset, loaded where it is not in memory. A removed asset is not there.
    pub fn cell(&self, id: AssetId) -> Outcome<Arc<AssetCell>> {
        let core = &*self.core;
        let gone = || Trouble::NotFound { what: "asset", id: id.to_string() };
        let cell = match self.cells.get(&id) {
            Some(cell) => cell,
            None => {
                let at = stream(StreamKind::Asset, id.bytes());
                let head = core.head(&at)?.ok_or_else(gone)?;
                let found = from_rows(core, id);
                if let Some((snapshot, _)) = found.as_ref().filter(|(found, _)| found.asset.version > head.version) {
                    core.check_not_ahead(&at, snapshot.asset.version, "asset", id)?;
                }
                let (snapshot, key) = match found.filter(|(found, _)| found.asset.version == head.version) {
                    Some(found) => found,
                    None => from_stream(core, id, Position::MAX)?,
                };
                self.cells.insert(id, AssetCell::new(snapshot, key))
            }
        };
        if cell.snapshot().asset.removed_at.is_some() {
            return Err(gone());
        }
        Ok(cell)
    }

    /// The call that a request or an effect asks for again.
    fn left_open(&self, process: ProcessId, effect: Option<u64>, permit: &Permit) -> Option<Interrupted> {
        match effect {
            Some(effect) => left_open(&self.core, process, Cause::Effect(effect)),
            None => permit.scope().and_then(|scope| left_open(&self.core, process, Cause::Request(&scope))),
        }
    }

    /// Room for more assets of an Interlinker on a process, and for so much more state and blobs; what shrinks needs none.
    pub(crate) fn room(&self, of: Hosted, name: &str, assets: u64, grown_bytes: i64) -> Outcome<Room<'_>> {
        let more = HeldBytes { assets, state_bytes: u64::try_from(grown_bytes).unwrap_or(0) };
        let quota = self.world.catalogue.quota(name);
        let organization = of.organization.map(|id| (id, self.world.organizations.quota(id)));
        self.reserved.room(&self.core.state, (name, quota), of.process, organization, more)
    }
}

/// The catalogue's component for an asset.
pub(crate) async fn guest_of(core: &Core, catalogue: &Catalogue, asset: &Asset) -> Outcome<Arc<Interlinker>> {
    catalogue.load(core, &asset.interlinker).await
}
