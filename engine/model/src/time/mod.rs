//! Time as people write it and as the engine reckons with it: zones, recurrences, moments and spans.
//!
//! Nothing here reads a clock. A moment comes in as [`Micros`](crate::id::Micros), a zone's rules come from the
//! database that is compiled in, so the same question has the same answer on every machine and at every replay.

pub mod cron;
pub mod misfire;
pub mod moment;
mod part;
pub mod span;
pub mod zone;
