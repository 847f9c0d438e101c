//! What ships, and what was built for each world, does what a good guest does; and guests that do not are seen.

use interlink_conformance::guest::{CHECKS, Findings, check};
use interlink_conformance::hand::Guest;
use serde_json::json;

#[track_caller]
fn checked(component: &[u8]) -> Findings {
    check(component).expect("a host can be made")
}

/// Components below a directory, by the name of their files.
fn components(below: &str) -> Vec<(String, Vec<u8>)> {
    let directory = format!("{}/../../{below}", env!("CARGO_MANIFEST_DIR"));
    let entries = std::fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path());
    let files = entries.filter(|path| path.extension().is_some_and(|extension| extension == "wasm"));
    files.map(|path| (path.display().to_string(), std::fs::read(path).expect("it can be read"))).collect()
}

#[test]
fn what_ships_does_what_a_good_guest_does() {
    let all = components("interlinkers/dist");
    assert!(all.len() >= 4);
    let found: Vec<_> = all.iter().map(|(name, component)| (name, checked(component))).collect();
    assert!(found.iter().all(|(_, findings)| findings.is_good()), "{found:#?}");
}

#[test]
fn guests_of_every_world_do_what_a_good_guest_does() {
    let worlds = ["0.1.0", "0.1.1", "1.0.0"].map(|world| format!("engine/host/tests/fixtures/world-{world}"));
    let all: Vec<_> = worlds.iter().flat_map(|below| components(below)).collect();
    assert_eq!(all.len(), 4);
    for (name, component) in all {
        let findings = checked(&component);
        // The probe fails, and refuses with what is no word, where it is told to.
        let told_to = |check: &&str| [CHECKS[4], CHECKS[6], CHECKS[9]].contains(check);
        let is_probe = name.ends_with("probe.wasm");
        assert!(findings.is_good() || (is_probe && findings.0.keys().all(told_to)), "{name}: {findings:#?}");
    }
}

/// What is wrong with a guest, by the numbers of the checks.
#[track_caller]
fn wrong(guest: &Guest, checks: &[usize]) {
    let findings = checked(&guest.bytes());
    let found: Vec<_> = findings.0.keys().copied().collect();
    let mut wanted: Vec<_> = checks.iter().map(|check| CHECKS[*check]).collect();
    wanted.sort_unstable();
    assert_eq!(found, wanted, "{findings:#?}");
}

/// One that refuses what it does not know, and answers `go`.
fn good() -> Guest {
    Guest::calling("(call $refuse (i32.const 48) (i32.const 5))")
        .saying("actions", json!([]))
        .acting("go", "(call $null)")
        .asking_for_all()
}

#[test]
fn a_good_guest_has_nothing_wrong() {
    wrong(&good(), &[]);
}

#[test]
fn a_guest_that_is_not_good_is_seen() {
    let refusing = |code: &str| {
        let text = format!("(data (i32.const 4096) \"{code}\")");
        good().acting("no", &format!("(call $refuse (i32.const 4096) (i32.const {}))", code.len())).with(&text)
    };
    let cases: [(&str, Guest, &[usize]); 11] = [
        ("no component of a world", good().of_version("9.0.0"), &[0]),
        ("no title in a language", good().saying("languages", json!(["en"])), &[1]),
        ("alarms and nothing that rings", good().saying("alarms", json!(["rings"])), &[2]),
        ("it cannot be made", good().made_by("(call $refuse (i32.const 48) (i32.const 5))"), &[3]),
        ("it traps", good().acting("trap", "unreachable"), &[4, 9]),
        ("it traps at what is deep", good().acting("deep", "(if (i32.gt_u (local.get 1) (i32.const 150)) (then unreachable)) (call $null)"), &[4, 9]),
        ("it answers whatever is asked", Guest::new().asking_for_all(), &[5]),
        ("its code is no word", refusing("Not A Word!"), &[6]),
        ("its view changes something", good().whose_view("(call $set (i32.const 32) (i32.const 3) (i32.const 16) (i32.const 4)) (call $null)"), &[7]),
        ("it traps where it is granted nothing", good().acting("ask", "(call $people (i32.const 2048)) (if (i32.load8_u (i32.const 2048)) (then unreachable)) (call $null)").saying("grants", json!({"people": {"reason": {"en": "To know."}}})), &[9]),
        ("its alarm traps", good().ringing("unreachable"), &[4, 9]),
    ];
    for (what, guest, checks) in cases {
        println!("{what}");
        wrong(&guest, checks);
    }
}
