//! What Interlink decides: schemas, processes, people, catalogue.
//!
//! Pure: no I/O, no clock, no randomness. Everything that comes from outside comes in as an argument.

pub mod schema;
