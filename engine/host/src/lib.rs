//! The host of Interlinkers: runs components that anybody may have written, and answers for what they do.
//!
//! A component sees nothing but the imports of our WIT world: state, context, outcome, log. Each call runs in a fresh
//! instance from a pool, on a thread of the host's own, on a copy of the asset's state that costs nothing; what it
//! changed comes back as a value, and whoever called decides whether it is committed. A guest that loops, grows, floods
//! or traps costs its own call and nothing else: every limit is a clean failure that says which one and how far.
//!
//! This is the only crate that knows wasmtime.

mod call;
mod fault;
mod guest;
mod interlinker;
mod limits;
mod precompiled;
mod publish;
mod threads;

pub use call::{Call, CallContext, Called, Change, Cost, Done, Entry, Failure, LogLine, Problem};
pub use fault::Fault;
pub use interlinker::{InputError, Interlinker};
pub use limits::Limits;
pub use publish::{Inspected, PublishError, WORLD};
pub use threads::{Host, HostConfig, HostError};
