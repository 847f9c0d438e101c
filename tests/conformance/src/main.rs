//! Holds a server to the boundary of Interlinkers.

use std::process::ExitCode;

fn main() -> ExitCode {
    interlink_conformance::main()
}
