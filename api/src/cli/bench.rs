//! `interlink bench`: the numbers, on this machine.

use clap::Args;

use super::Output;

/// What is measured.
#[derive(Debug, Args)]
pub struct Bench {}

/// Measures.
pub fn run(_: &Bench, _: Output) -> Result<(), String> {
    Err("not yet".into())
}
