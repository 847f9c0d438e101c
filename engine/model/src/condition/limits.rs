//! How large an expression may be, and what it may cost.
//!
//! The unit of cost and weight is one node: a value looked at, copied or compared, of a text every 32 bytes begun.

/// Bytes of an expression. Thirty lines; what needs more is a task for an Interlinker.
pub const SOURCE_BYTES_MAX: usize = 2_048;

/// Words and signs of an expression, those in texts too, so that no second reader has to agree with the parser about
/// where a text ends. It bounds how deep a chain such as `1 + 1 + 1` can nest, before the parser sees it.
pub const TOKENS_MAX: usize = 300;

/// Brackets and `? :` inside each other. The parser is recursive and takes some 12 KB of stack for each; without
/// optimisation 200 KB, which is why the workspace optimises it in every profile.
pub const NESTING_MAX: u16 = 16;

/// Nodes of an expression, with those that `all`, `exists`, `map` and `filter` add.
pub const NODES_MAX: usize = 384;

/// Nodes inside each other: the evaluation is recursive.
pub const DEPTH_MAX: usize = 64;

/// `all`, `exists`, `exists_one`, `map` and `filter` inside each other.
pub const COMPREHENSIONS_MAX: usize = 2;

/// What one evaluation may cost, in nodes. The dearest that was found, reading a time in each of two nested
/// lists, takes a fifth of a second, and most a tenth of that.
pub const COST_MAX: u64 = 4_000_000;

/// What one value may weigh, in nodes: at most some ten megabytes.
pub const WEIGHT_MAX: u64 = 100_000;

/// Entries of a list or map that comes in: as many as a process may have tasks.
pub const INPUT_LENGTH_MAX: usize = crate::schema::limits::ITEMS_MAX;

/// Lists and maps inside each other in what comes in.
pub const INPUT_DEPTH_MAX: usize = 16;

/// What one input may weigh, in nodes.
pub const INPUT_WEIGHT_MAX: u64 = WEIGHT_MAX;

/// Entries that a list is taken to have when an expression is read and nothing is known of its inputs.
pub const LENGTH_ASSUMED: u64 = 50;

/// What an input, a part of it, and a part of that are taken to weigh when an expression is read; deeper ones as the
/// last.
pub const WEIGHTS_ASSUMED: [u64; 3] = [1_000, 40, 10];
