//! Our host is held to the boundary, in this process.

use std::sync::Arc;

use interlink_api::outbound::Sender;
use interlink_conformance::{InProcess, Names, Stage, Verdict, cases};

/// Our host, whose requests are sent as those of a server.
fn subject() -> InProcess {
    let names = Arc::new(Names::default());
    let known = Arc::clone(&names);
    let sender = Sender::resolving(move |name| known.resolve(name));
    InProcess::new(Arc::new(sender), names).expect("a host can be made")
}

#[test]
fn our_host_keeps_to_the_boundary() {
    let mut subject = subject();
    let mut stage = Stage::new(&mut subject, "in-process").expect("a port");
    let run = |case| {
        let begun = std::time::Instant::now();
        let verdict = stage.run(case);
        println!("{:>6} ms  {}: {verdict:?}", begun.elapsed().as_millis(), case.name);
        (case.name, verdict)
    };
    let verdicts: Vec<_> = cases::all().iter().map(run).collect();
    let not_kept: Vec<_> = verdicts.iter().filter(|(_, verdict)| *verdict != Verdict::Kept).collect();
    assert!(not_kept.is_empty(), "{not_kept:#?}");
}
