//! A server is held to the boundary of Interlinkers, as any server is that speaks the routes.

use std::process::{Command, Output};

use interlink_conformance::{Group, Need, cases};

use crate::server::{Server, interlink, printed};

/// The program that holds a server to the boundary.
const PROGRAM: &str = env!("CARGO_BIN_EXE_interlink-conformance-under-test");

/// What the program says of a server, with these arguments.
fn asked(server: &Server, arguments: &[&str]) -> Output {
    let mut program = Command::new(PROGRAM);
    program.args(["--server", &server.address()]).args(arguments).env("INTERLINK_TOKEN", server.operator().token());
    program.output().expect("it runs")
}

#[test]
fn a_server_keeps_blobs_of_so_many_bytes_and_tells_people_and_guests_that_there_is_no_more_room() {
    let mut server = Server::start();
    let output = asked(&server, &["--room", "an asset keeps blobs of so many bytes"]);
    let said = printed(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.ends_with(": 1 kept, 0 broken, 0 not asked\n"), "{said}");
    server.audit();
}

#[test]
fn the_program_sees_a_server_keep_to_the_boundary_and_says_what_it_cannot_be_asked() {
    let mut server = Server::start();
    let output = asked(&server, &[]);
    let said = printed(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let mut lines: Vec<_> = said.lines().collect();
    let summary = lines.pop().unwrap_or_default();
    let all = cases::all();
    assert_eq!(lines.len(), all.len(), "a line for each case: {said}");
    // What it is not asked needs what no route gives; every other case is kept.
    for (case, line) in all.iter().zip(&lines) {
        let needs_more = case.needs.iter().any(|need| *need != Need::Outside);
        let word = if needs_more { "not asked" } else { "kept" };
        let wanted = format!("{word:>9}  {:<10}  {}", case.group.as_str(), case.name);
        assert!(line.starts_with(&wanted), "{line:?} does not begin with {wanted:?}");
    }
    let many = |word: &str| lines.iter().filter(|line| line.trim_start().starts_with(word)).count();
    let told = format!(": {} kept, 0 broken, {} not asked", many("kept"), many("not asked"));
    assert!(summary.ends_with(&told), "{summary:?} does not end with {told:?}");
    let kept = |group: Group| {
        let word = format!("{:>9}  {:<10}  ", "kept", group.as_str());
        lines.iter().filter(|line| line.starts_with(&word)).count()
    };
    assert!(kept(Group::Deputy) > 10 && kept(Group::Import) > 15 && kept(Group::Abuse) > 40, "{said}");
    // What guests noted, the largest numbers among it, is counted all the same.
    server.operator().get("/v1/adoption").is(200);
    server.audit();
}

#[test]
fn a_component_that_fails_where_it_should_refuse_is_told_so_with_its_input() {
    let of = |name: &str| format!("{}/../{name}", env!("CARGO_MANIFEST_DIR"));
    let checked = |name: &str| interlink(&["interlinker", "check", &of(name)]);
    let good = checked("interlinkers/dist/booking.wasm");
    assert!(good.status.success() && !printed(&good).contains("BROKEN"), "{}", printed(&good));
    let probe = checked("engine/host/tests/fixtures/world-1.0.0/probe.wasm");
    let said = printed(&probe);
    assert!(!probe.status.success(), "{said}");
    assert!(
        said.contains("BROKEN  it answers or refuses, and never fails") && said.contains("`put-blob` with {"),
        "{said}"
    );
    assert!(said.contains(" kept   its view changes nothing and is the same twice"), "{said}");
    let none = checked("README.md");
    assert!(!none.status.success() && printed(&none).contains("BROKEN  it can be published"), "{}", printed(&none));
}
