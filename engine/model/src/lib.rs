//! What Interlink decides: schemas, processes, services, people, catalogue.
//!
//! Pure: no I/O, no clock, no randomness. Everything that comes from outside comes in as an argument, so a rule is
//! tested in a line, and replay cannot differ from the first run.

pub mod asset;
pub mod condition;
pub mod event;
pub mod facts;
pub mod id;
pub mod keyvalues;
pub mod manifest;
mod near;
pub mod organization;
pub mod process;
pub mod schema;
pub mod sealed;
pub mod service;
pub mod signature;
pub mod time;
pub mod upcast;
