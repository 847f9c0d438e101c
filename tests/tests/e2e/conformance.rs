//! A server is held to the boundary of Interlinkers, as any server is that speaks the routes.

use interlink_conformance::{Group, Need, Server as Subject, Stage, Verdict, cases};

use crate::server::{Server, interlink, printed};

#[test]
fn a_server_keeps_to_the_boundary_and_says_what_it_cannot_be_asked() {
    let mut server = Server::start();
    let mut subject = Subject::new(&server.address(), server.operator().token());
    let mut stage = Stage::new(&mut subject, "e2e").expect("a port");
    let all = cases::all();
    let verdicts: Vec<_> = all.iter().map(|case| (case, stage.run(case))).collect();
    let broken: Vec<_> = verdicts
        .iter()
        .filter_map(|(case, verdict)| match verdict {
            Verdict::Broken(why) => Some(format!("{}: {why}", case.name)),
            _ => None,
        })
        .collect();
    assert!(broken.is_empty(), "{broken:#?}");
    // What it is not asked needs what no route gives; every other case is asked.
    for (case, verdict) in &verdicts {
        let needs_more = case.needs.iter().any(|need| *need != Need::Outside);
        assert_eq!(matches!(verdict, Verdict::NotAsked(_)), needs_more, "{}: {verdict:?}", case.name);
    }
    let asked = |group: Group| verdicts.iter().filter(|(case, _)| case.group == group && case.needs.is_empty()).count();
    assert!(asked(Group::Deputy) > 10 && asked(Group::Import) > 15 && asked(Group::Abuse) > 40);
    drop(stage);
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
