//! strace, with which the tests record what a real server writes and syncs.
//!
//! It is asked for and not insisted on: where it cannot be had the test that needs it says so and is skipped.

use std::process::{Command, Stdio};

use interlink_author::output_of;

/// Debian's package.
const PACKAGE: &str = "strace";

/// Installs strace where it is not there and may be installed.
pub fn set_up() {
    if is_there() {
        return;
    }
    println!("installing {PACKAGE}");
    let installed = output_of(Command::new("apt-get").arg("update")).and_then(|_| {
        output_of(Command::new("apt-get").args(["install", "--yes", "--no-install-recommends", PACKAGE]))
    });
    if let Err(error) = installed {
        println!(
            "there is no {PACKAGE}, and it cannot be installed ({error}): power cuts of the real server are skipped"
        );
    }
}

fn is_there() -> bool {
    let answer = Command::new(PACKAGE).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    answer.is_ok_and(|status| status.success())
}
