//! The HTTP API and the command line of Interlink.
//!
//! The only crate that knows HTTP. Its types are the contract and not the engine's own, so that either can change alone;
//! `openapi.json` is generated from the handlers, committed, and compared by a test.

pub mod app;
pub mod cli;
pub mod client;
pub mod cursor;
pub mod identity;
pub mod language;
pub mod outbound;
pub mod problem;
pub mod rates;
pub mod request;
pub mod routes;
pub mod server;
pub mod taken;
pub mod views;
pub mod visits;
