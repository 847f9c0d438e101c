//! The program that holds a server to the boundary, in a binary whose path the tests know.

use std::process::ExitCode;

fn main() -> ExitCode {
    interlink_conformance::main()
}
