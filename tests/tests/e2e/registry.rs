//! The registry of Interlinkers: what becomes of a version after it was published.

mod consent;
pub mod oci;
mod provenance;
mod signing;
mod withdrawal;

use crate::given::shipped;
use crate::server::Server;

const WASM: &str = "application/wasm";

/// The poll that ships, in another version.
fn poll(version: &str) -> Vec<u8> {
    in_version("poll", version)
}

/// An Interlinker that ships, in another version.
fn in_version(name: &str, version: &str) -> Vec<u8> {
    let mut component = shipped(name);
    let before = b"\"version\":\"1.0.0\"";
    let after = format!("\"version\":\"{version}\"");
    assert_eq!(before.len(), after.len(), "the manifest keeps its length");
    let place = component.windows(before.len()).rposition(|bytes| bytes == before).expect("its manifest says so");
    component[place..place + after.len()].copy_from_slice(after.as_bytes());
    component
}

/// Publishes the poll that ships in another version.
#[track_caller]
pub fn publish_poll(server: &Server, version: &str) {
    server.operator().send("/v1/interlinkers", WASM, poll(version)).is(201);
}
