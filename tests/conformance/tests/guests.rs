//! What ships, and what was built for each world, does what a good guest does; and guests that do not are seen.

use interlink_conformance::guest::{CHECKS, Findings, check};
use interlink_conformance::hand::Guest;
use interlink_conformance::hand::asking::{Asking, KEEP};
use serde_json::json;

#[track_caller]
fn checked(component: &[u8]) -> Findings {
    check(component, None).expect("a host can be made")
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

/// Shows what stands under a key of three letters: whatever an asset was made with.
const SHOWS: &str = "(call $get (i32.const 32) (i32.const 3) (i32.const 2048))
    (call $answer (i32.load offset=4 (i32.const 2048)) (i32.load offset=8 (i32.const 2048)))";

/// One that keeps what it is made with, and shows it.
fn keeper(version: &str, title: &str) -> Guest {
    let shown = json!({"properties": {"title": {"type": "string"}}, "required": ["title"]});
    let opened = json!({"input": {"type": "object", "properties": {"title": {"const": title}}, "required": ["title"]}});
    good()
        .made_by(KEEP)
        .whose_view(SHOWS)
        .saying("version", json!(version))
        .saying("instantiate", opened)
        .saying("view", json!({"output": shown}))
}

/// What is wrong with how a guest takes over what an earlier one left, of which one thing is said.
#[track_caller]
fn takes_over_wrongly(earlier: &Guest, later: &Guest, says: &str) {
    let findings = check(&later.bytes(), Some(&earlier.bytes())).expect("a host can be made");
    let said = findings.0.get(CHECKS[11]).cloned().unwrap_or_default().join("\n");
    assert!(said.contains(says), "{said:?} does not say {says:?}: {findings:#?}");
}

#[test]
fn a_version_that_takes_over_what_the_earlier_one_left_is_good() {
    let earlier = keeper("0.9.0", "Old");
    let later = || keeper("1.0.0", "New");
    for guest in [later(), later().migrating("(call $null)")] {
        let findings = check(&guest.bytes(), Some(&earlier.bytes())).expect("a host can be made");
        assert!(findings.is_good(), "{findings:#?}");
    }
}

#[test]
fn a_version_that_does_not_take_over_what_the_earlier_one_left_is_seen() {
    let earlier = || keeper("0.9.0", "Old");
    let later = || keeper("1.0.0", "New");
    let migrating = |body: &str| later().migrating(&format!("{body} (call $null)"));
    let text = "{\"title\":\"Lost\"}";
    let data = format!("(data (i32.const 4096) \"{}\")", text.replace('"', "\\\""));
    let lost = format!("(call $set (i32.const 32) (i32.const 3) (i32.const 4096) (i32.const {}))", text.len());
    takes_over_wrongly(
        &earlier(),
        &later().migrating("(call $refuse (i32.const 48) (i32.const 5))"),
        "it refuses what 0.9.0 left",
    );
    takes_over_wrongly(&earlier(), &migrating("(call $delete (i32.const 32) (i32.const 3))"), "nothing is there");
    takes_over_wrongly(&earlier(), &migrating(&lost).with(&data), "`title` of its view was \"Old\" and is \"Lost\"");
    takes_over_wrongly(&earlier(), &keeper("0.9.0", "New"), "no earlier version");
    takes_over_wrongly(&earlier().saying("name", json!("other")), &later(), "no earlier version");
    let never_made = earlier().made_by("(call $refuse (i32.const 48) (i32.const 5))");
    takes_over_wrongly(&never_made, &later(), "makes no asset");
    let sets = Asking::new().set_alarm("remind", i64::MAX / 2, "{}").whole();
    let sets = sets.saying("version", json!("0.9.0")).saying("alarms", json!(["remind"])).ringing("(call $null)");
    takes_over_wrongly(&sets, &later(), "the alarm `remind` is set");
}

#[test]
fn a_version_that_fails_on_what_the_earlier_one_left_is_seen_where_it_fails() {
    let earlier = keeper("0.9.0", "Old");
    let broken = |guest: Guest, check_number: usize| {
        let findings = check(&guest.bytes(), Some(&earlier.bytes())).expect("a host can be made");
        assert!(findings.0.contains_key(CHECKS[check_number]), "{findings:#?}");
        assert!(check(&guest.bytes(), None).expect("a host can be made").is_good(), "alone it is good");
    };
    // Of its own version it takes over everything; the earlier one is shorter by a letter in no place but its number.
    let traps = "(if (i32.eq (i32.load8_u (local.get 0)) (i32.const 48)) (then unreachable)) (call $null)";
    broken(keeper("1.0.0", "New").migrating(traps), 4);
    let form = json!({"properties": {"title": {"enum": ["New"]}}, "required": ["title"]});
    broken(keeper("1.0.0", "New").saying("view", json!({"output": form})), 10);
}

#[test]
fn an_answer_that_the_manifest_does_not_say_is_seen() {
    let says = |output: serde_json::Value| good().saying("actions", json!([{"name": "go", "output": output}]));
    wrong(&says(json!({"type": "null"})), &[]);
    wrong(&says(json!({"type": "object"})), &[10]);
}

#[test]
fn what_was_built_for_an_earlier_world_leaves_what_the_shipped_one_takes_over() {
    let of = |path: &str| std::fs::read(format!("{}/../../{path}", env!("CARGO_MANIFEST_DIR"))).expect("it is there");
    let shipped = of("interlinkers/dist/poll.wasm");
    for world in ["0.1.0", "0.1.1"] {
        let earlier = called(of(&format!("engine/host/tests/fixtures/world-{world}/poll.wasm")), "0.9.0");
        let findings = check(&shipped, Some(&earlier)).expect("a host can be made");
        assert!(findings.is_good(), "{world}: {findings:#?}");
    }
    assert!(check(&shipped, Some(b"no component")).is_err_and(|error| error.contains("the earlier version")));
}

/// A component under another version of the same length.
fn called(mut component: Vec<u8>, version: &str) -> Vec<u8> {
    let (now, then) = (b"\"version\":\"1.0.0\"", format!("\"version\":\"{version}\""));
    let at = component.windows(now.len()).position(|part| part == now).expect("its manifest says its version");
    component[at..at + now.len()].copy_from_slice(then.as_bytes());
    component
}
