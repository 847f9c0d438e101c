//! The program, where nobody answers.

use std::process::Command;

#[test]
fn a_server_that_is_not_there_keeps_nothing_and_the_program_says_so() {
    let program = env!("CARGO_BIN_EXE_interlink-conformance");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let nobody = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let run =
        |only: &str| Command::new(program).args(["--server", &nobody, "--token", "t", only]).output().expect("it runs");
    let output = run("world");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("   BROKEN  world ") && said.contains(": 0 kept, "), "{said}");
    assert_eq!(run("no case has this in its name").status.code(), Some(1), "nothing was asked");
    assert_ne!(Command::new(program).output().expect("it runs").status.code(), Some(0), "it wants a server");
}
