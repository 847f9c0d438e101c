//! The host of Interlinkers: runs components that anybody may have written, and answers for what they do.
//!
//! A component sees nothing but the imports of our WIT world: state, context, outcome, log, and for calls that are
//! given them a clock, randomness, HTTP and secrets. Each call runs in a fresh instance from a pool, on a thread of
//! the host's own, on a copy of the asset's state that costs nothing; what it changed comes back as a value, and
//! whoever called decides whether it is committed. A guest that loops, grows, floods or traps costs its own call and
//! nothing else: every limit is a clean failure that says which one and how far.
//!
//! What could be answered otherwise next time is recorded before the guest sees it, so that a call that a crash cut
//! off is run again and comes to the same: see [`Durable`].
//!
//! What a schema says is HTML or Markdown is made safe before anybody sees it: see `markup`.
//!
//! This is the only crate that knows wasmtime.

mod answers;
mod asking;
mod besides;
mod budget;
mod call;
mod durable;
mod examples;
mod fault;
mod grants;
mod guest;
mod http;
mod idle;
mod imports;
mod interlinker;
mod limits;
mod markup;
mod origin;
mod outbound;
mod outside;
mod precompiled;
mod publish;
mod queue;
mod run;
mod threads;

pub use answers::Answers;
pub use besides::{
    ALARM_CHANGES_MAX, ALARM_INPUT_BYTES_MAX, AlarmChange, Besides, Blobs, Given, MESSAGE_BYTES_MAX, MESSAGES_MAX,
    Message, NOTES_MAX, PUT_BYTES_MAX, Put, RECIPIENTS_MAX, is_media_type,
};
pub use budget::BURST_MS_MIN;
pub use call::{
    Call, CallContext, Called, Change, Cost, Done, Entry, Failure, LogLine, PROBLEM_CODE_BYTES_MAX, Problem, is_code,
};
pub use durable::{Ambience, Company, Durable, Kind, Record, RecordFault, Recorded};
pub use examples::{ExampleError, check_examples};
pub use fault::{Fault, HttpPart};
pub use grants::{AssetGrant, Grants, HttpGrant};
pub use interlinker::{InputError, Interlinker};
pub use limits::Limits;
pub use markup::{
    MARKUP_BYTES_MAX, MARKUP_PLACES_MAX, MARKUP_TOTAL_BYTES_MAX, MarkupFault, Rendered, safe_html, safe_markdown,
};
pub use origin::{Origin, OriginError};
pub use outbound::{HttpRequest, HttpResponse, Outbound, OutboundError};
pub use publish::{Inspected, PublishError, WORLD, digest};
pub use queue::{Load, MayBegin};
pub use threads::{Host, HostConfig, HostError};
