//! How a call fails: which limit, and how far.

use interlink_model::keyvalues::{CHANGES_BYTES_MAX, KeyFault, STATE_BYTES_MAX, VALUE_BYTES_MAX};

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
    /// It answered what is no JSON.
    #[error("its answer is not JSON: {reason}")]
    Output {
        /// Why not.
        reason: String,
    },
    /// It trapped.
    #[error("it trapped: {message}")]
    Trap {
        /// What it said, or where it was.
        message: String,
    },
    /// Too many calls of this Interlinker wait already.
    #[error("{waiting} calls of this Interlinker wait already")]
    Busy {
        /// How many wait.
        waiting: usize,
    },
}

impl Fault {
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
            Self::Changes { .. } => "changes",
            Self::State { .. } => "state",
            Self::ViewChanges => "view-changes",
            Self::Output { .. } => "output",
            Self::Trap { .. } => "trap",
            Self::Busy { .. } => "busy",
        }
    }
}
