//! libFuzzer around one of the targets: the one that `FUZZ_TARGET` names. `cargo xtask fuzz` builds and runs it.
//!
//! One binary for all targets, because building is what takes time; coverage is counted by what a run reaches, so the
//! others do not disturb.

#![no_main]

mod targets;

use std::panic::{PanicHookInfo, catch_unwind};
use std::sync::{LazyLock, Mutex};

use libfuzzer_sys::fuzz_target;
use peak_alloc::PeakAlloc;

use crate::targets::Target;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// The environment variable that names the target.
const TARGET: &str = "FUZZ_TARGET";

static CHOSEN: LazyLock<&'static Target> = LazyLock::new(|| {
    let name = std::env::var(TARGET).unwrap_or_default();
    let known = targets::ALL.iter().find(|target| target.name == name);
    known.unwrap_or_else(|| {
        let names: Vec<_> = targets::ALL.iter().map(|target| target.name).collect();
        eprintln!("{TARGET} names none of {}", names.join(", "));
        std::process::exit(2)
    })
});

/// What the last panic said, for when nobody catches it.
static SAID: Mutex<String> = Mutex::new(String::new());

fuzz_target!(init: std::panic::set_hook(Box::new(remember)), |data: &[u8]| examine(&CHOSEN, data));

/// The hook of libFuzzer's crate ends the process at every panic; but those of the `cel` crate are caught by whoever calls
/// it, and are no finding.
fn remember(panic: &PanicHookInfo) {
    if let Ok(mut said) = SAID.lock() {
        *said = panic.to_string();
    }
}

/// Runs a target. What panics, or takes more memory than it may, ends the process, so that libFuzzer keeps the input.
fn examine(target: &Target, data: &[u8]) {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    if catch_unwind(|| (target.run)(data)).is_err() {
        let said = SAID.lock().map(|said| said.clone()).unwrap_or_default();
        eprintln!("\n{}: {said}", target.name);
        std::process::abort();
    }
    let taken = MEMORY.peak_usage().saturating_sub(before);
    if taken > target.memory_bytes_max {
        eprintln!("\n{}: {taken} bytes of memory where {} are the limit", target.name, target.memory_bytes_max);
        std::process::abort();
    }
}
