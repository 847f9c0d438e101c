//! How a call fails: which limit, and how far.

use std::fmt;

use interlink_model::keyvalues::{CHANGES_BYTES_MAX, KeyFault, STATE_BYTES_MAX, VALUE_BYTES_MAX};

use crate::durable::{Kind, RecordFault};
use crate::markup::MarkupFault;

/// A part of an HTTP request that has a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpPart {
    /// The body, in bytes.
    Body,
    /// The URL, in bytes.
    Url,
    /// The number of headers.
    Headers,
    /// The headers' names and values, in bytes.
    HeaderBytes,
    /// The time that it may take, in milliseconds.
    Timeout,
}

impl fmt::Display for HttpPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Body => "bytes of body",
            Self::Url => "bytes of URL",
            Self::Headers => "headers",
            Self::HeaderBytes => "bytes of headers",
            Self::Timeout => "ms of timeout",
        })
    }
}

/// Why a call failed. Nothing that it did is kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It computed too long.
    #[error("it ran out of fuel: a call has {max} instructions")]
    Fuel {
        /// The limit.
        max: u64,
    },
    /// It took too long.
    #[error("it passed its deadline of {max_ms} ms")]
    Deadline {
        /// The limit.
        max_ms: u64,
    },
    /// Its memories grew too large together.
    #[error("it asked for {wanted} bytes of memory, all memories together; a call has {max}")]
    Memory {
        /// What it would have had.
        wanted: usize,
        /// The limit.
        max: usize,
    },
    /// Its tables grew too large together.
    #[error("it asked for {wanted} table elements, all tables together; a call has {max}")]
    Table {
        /// What it would have had.
        wanted: usize,
        /// The limit.
        max: usize,
    },
    /// It recursed too deep.
    #[error("it recursed beyond its stack of {max} bytes")]
    Stack {
        /// The limit.
        max: usize,
    },
    /// It handed over too much at once.
    #[error("it handed over more than {max} bytes at once")]
    Transfer {
        /// The limit.
        max: usize,
    },
    /// It had the host hand out too much.
    #[error("it read {wanted} bytes from the host; a call may read {max}")]
    HostBytes {
        /// What it would have read.
        wanted: usize,
        /// The limit.
        max: usize,
    },
    /// It called the host too often.
    #[error("it called the host more than {max} times")]
    HostCalls {
        /// The limit.
        max: u64,
    },
    /// It used a key that is none.
    #[error("{0}")]
    Key(KeyFault),
    /// It stored a value that is too large.
    #[error("the value of `{key}` has {bytes} bytes; a value has at most {VALUE_BYTES_MAX}")]
    Value {
        /// The key.
        key: String,
        /// The value's size.
        bytes: usize,
    },
    /// It read as text a value that is none.
    #[error("the value of `{key}` is not UTF-8, and was read as text")]
    NotText {
        /// The key.
        key: String,
    },
    /// It changed too much.
    #[error("it changed {bytes} bytes of state; a call changes at most {CHANGES_BYTES_MAX}")]
    Changes {
        /// What it would have changed.
        bytes: usize,
    },
    /// The asset's state would be too large.
    #[error("the asset would hold {bytes} bytes; an asset holds at most {STATE_BYTES_MAX}")]
    State {
        /// What it would have held.
        bytes: usize,
    },
    /// A view changed state, or declared an outcome.
    #[error("a view changes nothing, and this one tried to")]
    ViewChanges,
    /// A migration did more than change state.
    #[error("a migration changes the asset's state and nothing else, and this one tried to")]
    MigrationWants,
    /// It answered what is no JSON.
    #[error("its answer is not JSON: {reason}")]
    Output {
        /// Why not.
        reason: String,
    },
    /// The HTML or Markdown in its answer is more than is made safe.
    #[error("its answer: {0}")]
    Markup(MarkupFault),
    /// It trapped.
    #[error("it trapped: {message}")]
    Trap {
        /// What it said, or where it was.
        message: String,
    },
    /// It asked for what this call is not given.
    #[error("it asked for {kind}, which this call is not given, and a view never is")]
    NotGranted {
        /// What it asked for.
        kind: Kind,
    },
    /// It asked the world outside its asset too often.
    #[error("it asked for the clock, randomness, HTTP, secrets, people and other assets more than {max} times")]
    DurableCalls {
        /// The limit.
        max: u32,
    },
    /// It asked for too many random bytes.
    #[error("it asked for {wanted} random bytes in all; a call has {max}")]
    RandomBytes {
        /// What it would have had.
        wanted: usize,
        /// The limit.
        max: usize,
    },
    /// It asked for a secret whose name is too long.
    #[error("it asked for a secret by a name of {wanted} bytes; a name has at most {max}")]
    SecretName {
        /// The name's size.
        wanted: usize,
        /// The limit.
        max: usize,
    },
    /// Its HTTP request is too large in some part.
    #[error("its request has {wanted} {part}; a request has at most {max}")]
    Http {
        /// Which part.
        part: HttpPart,
        /// What it has.
        wanted: u64,
        /// The limit.
        max: u64,
    },
    /// Its HTTP requests took too long together.
    #[error("its requests took {max_ms} ms together, which is all that a call has for them")]
    HttpTime {
        /// The limit.
        max_ms: u64,
    },
    /// What it was answered could not be recorded.
    #[error("what it was answered could not be recorded: {0}")]
    NotRecorded(RecordFault),
    /// Run again, it asked for something else than it had.
    #[error("run again, it left its record at host call {position}: recorded was {expected}, and now it was {found}")]
    Diverged {
        /// The number of the host call, counted from 1.
        position: u32,
        /// What the record has there, without what may be secret in it.
        expected: String,
        /// What came instead.
        found: String,
    },
    /// A recorded answer is none for what was asked.
    #[error("the recorded answer to host call {position} cannot be read")]
    RecordUnreadable {
        /// The number of the host call, counted from 1.
        position: u32,
    },
    /// It lacks an export that this call is of.
    #[error("it does not export `{export}`")]
    Absent {
        /// Which.
        export: String,
    },
    /// A blob that is there cannot be read now.
    #[error("a blob of the asset cannot be read: {reason}")]
    BlobUnread {
        /// Why not.
        reason: String,
    },
    /// It computed for long, and so many others do.
    #[error("it computes for long, as {max} calls under way do, which is all that may")]
    Crowded {
        /// The limit.
        max: usize,
    },
    /// It computed for long, and waited too long for others meanwhile.
    #[error("it computes for long, and others came before it for {max_ms} ms in all, which is as long as a call waits")]
    Aside {
        /// The limit.
        max_ms: u64,
    },
    /// Its Interlinker has used its CPU time up, and too many of its calls wait for more.
    #[error(
        "this Interlinker has used {owed_ms} ms of CPU time more than the {ms_per_s} ms a second that it has, and \
         {waiting} of its calls wait behind others already"
    )]
    OverBudget {
        /// What it owes.
        owed_ms: u64,
        /// What it has a second.
        ms_per_s: u32,
        /// How many wait.
        waiting: usize,
        /// When it owes nothing any more, where it computes nothing meanwhile.
        retry_after_s: u32,
    },
    /// Too many calls of this Interlinker wait already.
    #[error("{waiting} calls of this Interlinker wait already")]
    Busy {
        /// How many wait.
        waiting: usize,
    },
}

impl Fault {
    /// Whether it is the Interlinker's own fault, which the next call is likely to have too: neither that too much else was
    /// going on, nor that something of ours failed, nor that an asset is full of what people put there.
    pub fn is_its_own(&self) -> bool {
        !matches!(
            self,
            Self::State { .. }
                | Self::NotRecorded(_)
                | Self::RecordUnreadable { .. }
                | Self::Crowded { .. }
                | Self::Aside { .. }
                | Self::OverBudget { .. }
                | Self::Busy { .. }
        )
    }

    /// A word for the limit: what metrics and the registry of usage know it by.
    pub fn limit(&self) -> &'static str {
        match self {
            Self::Fuel { .. } => "fuel",
            Self::Deadline { .. } => "deadline",
            Self::Memory { .. } => "memory",
            Self::Table { .. } => "table",
            Self::Stack { .. } => "stack",
            Self::Transfer { .. } => "transfer",
            Self::HostBytes { .. } => "host-bytes",
            Self::HostCalls { .. } => "host-calls",
            Self::Key(_) => "key",
            Self::Value { .. } => "value",
            Self::NotText { .. } => "not-text",
            Self::Changes { .. } => "changes",
            Self::State { .. } => "state",
            Self::ViewChanges => "view-changes",
            Self::MigrationWants => "migration-wants",
            Self::Output { .. } => "output",
            Self::Markup(_) => "markup",
            Self::Trap { .. } => "trap",
            Self::NotGranted { .. } => "not-granted",
            Self::DurableCalls { .. } => "durable-calls",
            Self::RandomBytes { .. } => "random-bytes",
            Self::SecretName { .. } => "secret-name",
            Self::Http { .. } => "http",
            Self::HttpTime { .. } => "http-time",
            Self::NotRecorded(_) => "not-recorded",
            Self::Diverged { .. } => "diverged",
            Self::RecordUnreadable { .. } => "record-unreadable",
            Self::Absent { .. } => "absent",
            Self::BlobUnread { .. } => "blob-unread",
            Self::Crowded { .. } => "crowded",
            Self::Aside { .. } => "aside",
            Self::OverBudget { .. } => "cpu",
            Self::Busy { .. } => "busy",
        }
    }
}
