//! A server is held to the boundary of Interlinkers, as any server is that speaks the routes.

use interlink_conformance::{Group, Server as Subject, Stage, Verdict, cases};

use crate::server::Server;

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
        let needs_more = case.needs.iter().any(|need| *need != interlink_conformance::Need::Outside);
        assert_eq!(matches!(verdict, Verdict::NotAsked(_)), needs_more, "{}: {verdict:?}", case.name);
    }
    let asked = |group: Group| verdicts.iter().filter(|(case, _)| case.group == group && case.needs.is_empty()).count();
    assert!(asked(Group::Deputy) > 10 && asked(Group::Import) > 15 && asked(Group::Abuse) > 40);
    drop(stage);
    server.audit();
}
