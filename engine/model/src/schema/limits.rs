//! How large a schema may be.
//!
//! Every number that an author can make grow stands here once, with the reason for it, and a test crosses each.

/// Bytes of an authored document, and of its canonical JSON. A record of the journal holds 1 MiB and carries the
/// canonical document whole, beside its envelope and what sealing adds, so a quarter is left free.
pub const DOCUMENT_BYTES_MAX: usize = 768 * 1024;

/// Lists and maps inside each other. A schema needs eight; what `x-…` keys carry may go deeper. The readers and
/// everything that later walks a document are recursive, so this bounds the stack.
pub const NESTING_MAX: usize = 64;

/// Values in a document after YAML aliases are expanded, so that nine aliases of nine aliases stay small.
pub const NODES_MAX: usize = 100_000;

/// Phases, objectives and tasks together. The largest published schema has 72; a process keeps a state for each, and
/// its tree is answered in one piece.
pub const ITEMS_MAX: usize = 2_000;

/// Bytes of an id, a name of a role, a tag or a problem profile: they are parts of paths and keys.
pub const ID_BYTES_MAX: usize = 128;

/// Bytes of a title or a name in one language: they are shown in one line.
pub const NAME_BYTES_MAX: usize = 1_000;

/// Bytes of a description in one language: several pages.
pub const DESCRIPTION_BYTES_MAX: usize = 32 * 1024;

/// Languages of one text and of a schema. The European Union has 24 official ones, and regions have more.
pub const LANGUAGES_MAX: usize = 64;

/// Prerequisites that one item names. More than this says "the whole phase", which is one prerequisite.
pub const PREREQUISITES_MAX: usize = 64;

/// Roles, tags, and problem profiles of one item, each.
pub const NAMES_MAX: usize = 64;

/// Findings reported at once. Whoever has more to mend begins with these, and an answer stays readable.
pub const FINDINGS_MAX: usize = 100;

/// Bytes of a zip as it is sent; INTERLINK's largest bundle takes 170 KB before it is compressed.
pub const ZIP_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Entries of a zip: a phase is a file, and a bundle may carry a few that are not read.
pub const ZIP_ENTRIES_MAX: usize = 256;

/// Bytes that a zip may inflate to, over all entries. Counted while inflating: what headers say is not trusted.
pub const ZIP_INFLATED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How many times larger than itself an entry may become. Text reaches 10 or 20; a bomb reaches 1,000.
pub const ZIP_RATIO_MAX: usize = 100;

/// Below this an entry's ratio says nothing: a small file of spaces is no bomb.
pub const ZIP_RATIO_FREE_BYTES: usize = 256 * 1024;

/// Bytes of a path in a bundle.
pub const PATH_BYTES_MAX: usize = 512;

/// Bytes of a moment, a schedule, a zone or a condition as written: a line, or a few for a condition.
pub const EXPRESSION_BYTES_MAX: usize = 2_000;

/// Reminders of one task. Each is a timer.
pub const REMINDERS_MAX: usize = 8;

/// Runs of a task that comes again a given number of times: once a minute for two months.
pub const RUNS_MAX: u32 = 100_000;

/// Votes that a quorum may ask for: more than any city that votes in one process has inhabitants.
pub const QUORUM_MAX: u32 = 10_000_000;

/// Attempts of a retry policy, the first included.
pub const ATTEMPTS_MAX: u32 = 100;

/// By how much a pause between attempts may grow each time.
pub const FACTOR_MAX: f64 = 100.0;

/// Bytes of the input that a schema gives to an Interlinker, as JSON.
pub const INPUT_BYTES_MAX: usize = 64 * 1024;

/// A pause between two attempts, in milliseconds: 30 days.
pub const PAUSE_MS_MAX: u64 = 30 * 86_400_000;
