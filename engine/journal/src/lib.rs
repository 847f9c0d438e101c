//! The durable log: what happened, in one order, and nothing that was answered is ever lost.
//!
//! The journal knows nothing of what its records mean. It keeps *streams* (one life of one thing each, with a gap-free
//! version), gives every record a position in one order over all streams, and acknowledges an append only when it
//! would survive a power cut. [`Journal`] is the door; [`FileJournal`] is the store that needs nothing but a
//! directory. `docs/journal-format.md` is its byte table.
//!
//! One committer takes everything that waits, writes it as one batch, syncs once and wakes all. The alternatives were
//! measured: an embedded key-value store syncs more slowly and loses the whole directory to one flipped bit, and a
//! sync for each append gives a fiftieth of the throughput at 64 writers.
//!
//! Where streams end is known from tables: a segment that is full gets one as its footer, and footers are merged in the
//! background. So a start reads only the segments that have none, and a million streams cost a few megabytes of memory.

use std::sync::Arc;

mod committer;
mod disk;
mod draft;
mod extent;
#[cfg(any(test, feature = "suite"))]
pub mod faults;
mod file;
mod format;
mod heal;
#[cfg(any(test, feature = "suite"))]
pub mod hostile;
mod index;
#[cfg(any(test, feature = "suite"))]
mod memory;
mod mend;
mod offload;
mod open;
mod prepare;
mod queue;
mod read;
mod recovery;
mod renewal;
mod segment;
mod shared;
mod succession;
#[cfg(any(test, feature = "suite"))]
pub mod suite;
mod survey;
mod verify;

pub use disk::{Disk, RealDisk, sync_directory};
pub use extent::{Extent, FileExtent};
pub use file::{FileJournal, Options, RETRY_PAUSE};
pub use format::{
    APPEND_BYTES_MAX, BATCH_BYTES_MAX, BODY_BYTES_MAX, FORMAT_VERSION, FORMAT_VERSION_MIN, SEGMENT_BYTES,
    SEGMENT_BYTES_MIN,
};
pub use index::keeper::TIER_TABLES;
pub use mend::{Mended, Put, mend};
pub use offload::{Offloaded, offload};
pub use recovery::{Damage, DamageKind};
pub use renewal::renew_incarnation;
pub use verify::{Report, verify};

/// A place in the one order of all records. It only grows; no reader may rely on positions being dense.
pub type Position = u64;

/// A stream's name: a kind byte and an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Stream {
    /// What kind of thing the stream is about; its meaning is the caller's.
    pub kind: u8,
    /// Which one.
    pub id: [u8; 16],
}

impl std::fmt::Display for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:", char::from(self.kind))?;
        self.id.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum RecordKind {
    /// A fact.
    Event = 1,
    /// What was answered to a command that came with an idempotency key.
    Answer = 2,
    /// A stream's state at a version.
    Snapshot = 3,
    /// The stream goes on from here, whatever of it is damaged before: its state at the version before, and what is lost.
    Repaired = 4,
    /// Bodies of a stream were moved elsewhere.
    Archived = 5,
    /// Position and batch hash, signed.
    Checkpoint = 6,
}

impl RecordKind {
    /// The kind that a byte of the format stands for.
    pub fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Event,
            2 => Self::Answer,
            3 => Self::Snapshot,
            4 => Self::Repaired,
            5 => Self::Archived,
            6 => Self::Checkpoint,
            _ => return None,
        })
    }
}

/// A body with its hash, made by whoever has the time, so that the one committer need not.
#[derive(Debug, Clone)]
pub struct Body {
    pub(crate) bytes: Vec<u8>,
    pub(crate) hash: [u8; 32],
}

impl Body {
    /// Hashes `bytes`.
    pub fn new(bytes: Vec<u8>) -> Self {
        let hash = format::sha256(&[&bytes]);
        Self { bytes, hash }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// A record that is to be appended.
#[derive(Debug, Clone)]
pub struct NewRecord {
    /// The stream that it goes to.
    pub stream: Stream,
    /// The version that it takes there: one more than the stream's last, 0 to create it. Anything else is a conflict.
    pub version: u64,
    /// The process to which it belongs, zeros for none.
    pub process: [u8; 16],
    /// What it is.
    pub kind: RecordKind,
    /// Number of the key under which its sealed fields are, 0 for none.
    pub key: u64,
    /// What it holds.
    pub body: Body,
}

/// What is appended together, or not at all. It may span streams and create them.
#[derive(Debug, Clone, Default)]
pub struct Append {
    /// In the order in which they take their positions.
    pub records: Vec<NewRecord>,
    /// The latest time in any of the records, microseconds since 1970; the batch's time is no earlier.
    pub at_us: i64,
}

/// An append that would survive a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// Position of its first record; the others follow.
    pub first: Position,
    /// Position of its last record.
    pub last: Position,
}

/// Why an append was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// A stream is not at the version that the append saw.
    #[error("stream {stream} is at {found:?}, version {wanted} cannot follow")]
    Conflict {
        /// The stream.
        stream: Stream,
        /// The version that was to be written.
        wanted: u64,
        /// The stream's last version, if there is one.
        found: Option<u64>,
    },
    /// A stream is damaged and takes nothing more.
    #[error("stream {stream} is damaged and read-only")]
    Damaged {
        /// The stream.
        stream: Stream,
    },
    /// Where a stream ends could not be read; nothing was written.
    #[error("nothing was written: {reason}")]
    Unread {
        /// What could not be read.
        reason: Arc<str>,
    },
    /// A named limit was crossed.
    #[error("{what} of {bytes} bytes is over the limit of {max}")]
    TooLarge {
        /// What was too large.
        what: &'static str,
        /// How large.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// A write or a sync failed: whether the append is on disk is not known.
    #[error("the journal takes no appends: {reason}")]
    Unavailable {
        /// What failed.
        reason: Arc<str>,
    },
}

/// A record as it was read: head and body have been checked.
#[derive(Debug, Clone)]
pub struct Record {
    /// Its stream.
    pub stream: Stream,
    /// Its version there.
    pub version: u64,
    /// Its place in the one order.
    pub position: Position,
    /// The process to which it belongs, zeros for none.
    pub process: [u8; 16],
    /// What it is.
    pub kind: RecordKind,
    /// Number of the key of its sealed fields, 0 for none.
    pub key: u64,
    /// Position of the stream's previous record.
    pub previous: Option<Position>,
    /// Hash of its head.
    pub hash: [u8; 32],
    /// What it holds.
    pub body: Vec<u8>,
}

/// Where a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The last record's version.
    pub version: u64,
    /// The last record's position.
    pub position: Position,
    /// The last record's hash.
    pub hash: [u8; 32],
}

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The operating system refused. What is on the disk may be sound: the same may be read later.
    #[error("reading {file}: {source}")]
    Io {
        /// File name.
        file: String,
        /// The reason.
        source: std::io::Error,
    },
    /// A record is not what its checksum says.
    #[error("the record at position {position} in {file} is damaged")]
    Damaged {
        /// Where.
        position: Position,
        /// Which version of the stream that was read it is, where that is known.
        version: Option<u64>,
        /// File name.
        file: String,
    },
}

/// Why a journal could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The operating system refused.
    #[error("{what}: {source}")]
    Io {
        /// What was attempted.
        what: String,
        /// The reason.
        source: std::io::Error,
    },
    /// A file that this version cannot read.
    #[error("{file} is of journal format {found}; this server reads formats {FORMAT_VERSION_MIN} to {FORMAT_VERSION}")]
    Format {
        /// File name.
        file: String,
        /// Its format.
        found: u32,
    },
}

/// Which journal this is; cursors carry it, so that one of another life is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Drawn at creation.
    pub journal: [u8; 16],
    /// Renewed by a restore from backup.
    pub incarnation: u64,
}

/// Called once when an append is durable or has failed; for those that are durable, in the order of the appends. It must not
/// block: the committer waits for it.
pub type Done = Box<dyn FnOnce(Result<Committed, AppendError>) + Send>;

/// The durable log.
///
/// A store behind it keeps these promises, which the module `suite` tests: an append is there whole or not at all; it is
/// acknowledged only when it would survive a power cut; versions are gap-free and positions only grow; appends of one
/// caller are taken in the order of its calls; readers never see what a crash could take back, and never block.
///
/// **After a failed write or sync** the journal refuses, in this order: first every new append; then all that was handed
/// over and not acknowledged, by calling `done`. Only when every such `done` has returned, those of appends that came
/// meanwhile included, does it take appends again, behind the last one that was acknowledged. So a caller that decides
/// ahead drops, in `done`, all that it decided on what was refused, and is sure that nothing of that is accepted later:
/// what it handed over before it was told is refused too. It must check that and submit under one lock, which `done`
/// takes as well. Until it takes appends again the journal is read-only, says why in [`Journal::read_only`], and tries to
/// go on by itself; only after a defect, a panic where it writes or in a `done`, it stays so until it is opened again, and of what
/// was being written then nobody is told anything.
pub trait Journal: Send + Sync {
    /// Hands an append over, and returns. `done` is called when its fate is known, and not in this call, so that the
    /// caller may hold a lock that `done` takes; only a journal that is closed or was opened to be read, and has nobody
    /// else to do it, refuses in this call. `done` may submit, but must not wait for what it submits.
    fn submit(&self, append: Append, done: Done);

    /// Where a stream ends, of what is durable.
    fn head(&self, stream: &Stream) -> Result<Option<Head>, ReadError>;

    /// Where a stream ended at a position: its last record there or before. However long the stream is, it is found within
    /// what one segment has of it.
    fn head_at(&self, stream: &Stream, until: Position) -> Result<Option<Head>, ReadError>;

    /// The position of a version of a stream, found as [`Journal::head_at`] finds its place.
    fn position_of(&self, stream: &Stream, version: u64) -> Result<Option<Position>, ReadError>;

    /// Whether a stream was found damaged, by the start or by whoever read it: it can be read up to the damage and takes
    /// nothing more but a record that says that it is mended ([`RecordKind::Repaired`]). Damage before that counts no more.
    fn is_damaged(&self, stream: &Stream) -> bool;

    /// Streams of a kind in order of their ids, those after `after`, at most `limit`.
    fn streams(&self, kind: u8, after: Option<[u8; 16]>, limit: usize) -> Result<Vec<Stream>, ReadError>;

    /// How many streams of a kind there are.
    fn stream_count(&self, kind: u8) -> usize;

    /// A stream's records in order of their versions, from version `from`, those at positions up to `until`: all that it
    /// takes to fold it. Where a record among them says that the stream was mended, they begin with the last such one. Where
    /// one of them is damaged it is told at which position: the records before it are those up to the position before that.
    fn read_stream(&self, stream: &Stream, from: u64, until: Position) -> Result<Vec<Record>, ReadError>;

    /// A stream's records in order of their versions, from version `from` to the one at position `last`, begun as
    /// [`Journal::read_stream`] begins them.
    fn read_back(&self, stream: &Stream, from: u64, last: Position) -> Result<Vec<Record>, ReadError>;

    /// Calls `each` with the durable records after a position, in order, until it returns false. Damaged ones are
    /// left out: [`Journal::damage`] lists them.
    fn read_all(&self, after: Option<Position>, each: &mut dyn FnMut(Record) -> bool) -> Result<(), ReadError>;

    /// Position of the last durable record.
    fn durable(&self) -> Option<Position>;

    /// Hash of the last durable batch and its time in microseconds.
    fn last_batch(&self) -> ([u8; 32], i64);

    /// The highest key number that any record names.
    fn highest_key(&self) -> u64;

    /// Which journal this is.
    fn identity(&self) -> Identity;

    /// What is known to be damaged: what the start found, and what was noticed since by reading. A start does not read
    /// what is sealed; `verify` does.
    fn damage(&self) -> Vec<Damage>;

    /// Why no appends are taken, while none are: after a failure that could not be mended yet, as on a full disk. Reads
    /// go on, and appends are taken again without a restart.
    fn read_only(&self) -> Option<Arc<str>>;

    /// Waits for what was handed over, and stops. Later appends are refused.
    fn close(&self);
}
