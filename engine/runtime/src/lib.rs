//! What makes things happen: commands to events to state, and the door that the API uses.
//!
//! ```text
//! command ─▶ gate ─▶ mailbox or lane ─▶ decide ─▶ seal ─▶ journal ─▶ synced ─▶ state ─▶ answer
//! ```
//!
//! Rules live in `interlink-model`, history in `interlink-journal`, guests in `interlink-host`. Here is the order in
//! which they meet: nothing is answered before it is durable, and nothing that is not durable is shown.

pub mod ambient;
mod archive;
mod assets;
pub mod audit;
pub mod backup;
mod calls;
pub mod catalogue;
mod cells;
mod core;
mod dispatch;
pub mod draft;
mod effects;
mod engine;
pub mod error;
mod fork;
mod gate;
pub mod guard;
mod history;
pub mod keys;
mod mailbox;
mod mended;
pub mod notices;
mod offload;
mod organizations;
mod past;
mod people;
mod processes;
pub mod provision;
mod reading;
mod recover;
mod reminding;
pub mod repair;
mod schedule;
mod scrub;
pub mod state;
mod telling;
mod under_way;
pub mod usage;

pub use assets::upgrading::Moved;
pub use assets::{Acted, NewAsset};
pub use calls::CallView;
pub use dispatch::{Begun, ByHand};
pub use engine::{
    Answers, AssetView, Drive, Engine, Happened, IncidentView, OpenError, Opened, Options, ProcessView, Replayed,
    TakenCall,
};
pub use error::{Outcome, Trouble};
pub use fork::{FORKED_BYTES_MAX, Fork};
pub use gate::{ANSWER_BYTES_MAX, Answer, Entry, Permit, REMEMBERED_US, Request};
pub use offload::offload;
pub use organizations::quota_of;
pub use past::{AsOf, Diff};
pub use people::Caller;
pub use processes::Done;
pub use reading::{MARKED_AT_ONCE_MAX, Marks, UNREAD_COUNTED_MAX};
pub use under_way::{EFFECTS_OF_ONE_MAX, EFFECTS_OF_PROCESS_MAX, EFFECTS_UNDER_WAY_MAX};
