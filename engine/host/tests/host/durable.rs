//! What is answered from outside: recorded before it is seen, fed when the call is run again, and held against.

use std::sync::Arc;

use interlink_host::{Called, Fault, Kind, Limits, RecordFault, Recorded};
use serde_json::{Value, json};

use super::asking::Asking;
use super::given::{action, done, fault, given, instantiate, shared, small, view};
use super::guest::Guest;
use super::town::{NOON, Town, durable, kept, request};

const URL: &str = "https://example.org/hooks/1?token=t0ps3cret";

/// A guest that asks for one thing of each kind.
fn each_kind() -> Asking {
    let post = json!({
        "method": "POST", "url": URL, "headers": [["Authorization", "Bearer t0ps3cret"]], "timeout_ms": 1_500,
    });
    Asking::new().now().random(6).http(&post.to_string(), b"hello").secret("mail")
}

/// The record of a whole run.
fn record_of(asking: Asking) -> Vec<Recorded> {
    let town = Arc::new(Town::new());
    done(shared().act_in(&town, &asking.guest(), Vec::new()));
    town.recorded()
}

/// How a guest leaves a record; nobody outside is asked.
fn diverged(asking: Asking, recorded: Vec<Recorded>) -> (u32, String, String) {
    let town = Arc::new(Town::new());
    let called = shared().act_in(&town, &asking.guest(), recorded);
    assert_eq!(town.notes(), [] as [&str; 0]);
    match fault(called) {
        Fault::Diverged { position, expected, found } => (position, expected, found),
        other => panic!("{other:?}"),
    }
}

fn lines(called: &Called) -> Vec<(&str, bool)> {
    called.logs.iter().map(|line| (line.message.as_str(), line.replayed)).collect()
}

#[test]
fn a_guest_is_answered_by_all_that_is_outside() {
    let town = Arc::new(Town::new());
    let done = done(shared().act_in(&town, &each_kind().guest(), Vec::new()));
    assert_eq!(done.state.get("1/now").map(|now| now.to_vec()), Some(NOON.to_le_bytes().to_vec()));
    let kept = kept(&done);
    assert_eq!(kept["2/random"], "\u{4}".repeat(6));
    assert_eq!(kept["3/body"], "hello");
    let head: Value = serde_json::from_str(&kept["3/head"]).expect("a head is JSON");
    assert_eq!(head, json!({"status": 200, "headers": [["content-type", "text/plain"]]}));
    assert_eq!(kept["4/secret"], "the mail secret");
}

#[test]
fn an_asset_is_made_with_an_outside_too() {
    let town = Arc::new(Town::new());
    let guest = Guest::instantiating("(drop (call $now)) (call $null)").asking_outside();
    done(shared().enter_durably(&guest, instantiate(json!({})), durable(&town, Vec::new())));
    assert_eq!(town.notes(), ["started", "clock", "recorded 1"]);
}

#[test]
fn the_call_is_announced_once_and_each_answer_recorded_before_the_next_question() {
    let town = Arc::new(Town::new());
    done(shared().act_in(&town, &each_kind().guest(), Vec::new()));
    let post = format!("POST {URL}");
    let expected = [
        "started",
        "clock",
        "recorded 1",
        "random",
        "recorded 2",
        post.as_str(),
        "recorded 3",
        "secret mail",
        "recorded 4",
    ];
    assert_eq!(town.notes(), expected);
}

#[test]
fn a_record_shows_requests_in_one_form_and_no_body_of_theirs() {
    let recorded = record_of(each_kind());
    let requests: Vec<_> = recorded.iter().map(|one| String::from_utf8_lossy(&one.request).into_owned()).collect();
    let digest = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    let http = format!(
        r#"{{"body_bytes":5,"body_digest":"{digest}","headers":[["authorization","Bearer t0ps3cret"]],"method":"POST","#
    ) + &format!(r#""timeout_ms":1500,"url":"{URL}"}}"#);
    assert_eq!(requests, ["{}", r#"{"count":6}"#, http.as_str(), r#"{"name":"mail"}"#]);
    assert_eq!(recorded[0].answer, NOON.to_string().into_bytes());
    assert!(recorded[2].answer.ends_with(b"\nhello"));
}

#[test]
fn an_answer_that_is_not_recorded_is_not_seen() {
    let full = RecordFault { reason: "the disk is full".into() };
    for number in 1..=4 {
        let town = Arc::new(Town::new().full_at(number));
        let called = shared().act_in(&town, &each_kind().guest(), Vec::new());
        // The guest logs after each step: it never came to the one behind this answer.
        assert_eq!(called.logs.len() as u32, number - 1);
        assert_eq!(fault(called), Fault::NotRecorded(full.clone()));
        assert_eq!(town.recorded().len() as u32, number - 1);
    }
}

#[test]
fn a_call_whose_start_is_not_recorded_asks_nobody() {
    let town = Arc::new(Town::new().full());
    let called = shared().act_in(&town, &each_kind().guest(), Vec::new());
    assert_eq!(fault(called).limit(), "not-recorded");
    assert_eq!(town.notes(), [] as [&str; 0]);
}

#[test]
fn a_call_that_uses_its_state_only_announces_and_records_nothing() {
    let town = Arc::new(Town::new());
    done(shared().act_in(&town, &Asking::new().then("nop").guest(), Vec::new()));
    assert_eq!(town.notes(), [] as [&str; 0]);
}

#[test]
fn a_call_that_is_run_again_asks_nobody_and_comes_to_the_same() {
    let first = Arc::new(Town::new());
    let guest = each_kind().guest();
    let before = done(shared().act_in(&first, &guest, Vec::new()));
    let second = Arc::new(Town::answering(|_| panic!("nobody is asked")));
    let again = done(shared().act_in(&second, &guest, first.recorded()));
    assert_eq!(second.notes(), [] as [&str; 0]);
    assert_eq!((again.changes, again.output), (before.changes, before.output));
}

#[test]
fn a_call_that_was_cut_off_goes_on_where_its_record_ends_with_the_same_key() {
    let guest = each_kind().guest();
    for number in 1..=4 {
        let cut = Arc::new(Town::new().full_at(number));
        shared().act_in(&cut, &guest, Vec::new()).result.expect_err("the call was cut off");
        let town = Arc::new(Town::new());
        let called = shared().act_in(&town, &guest, cut.recorded());
        let numbers: Vec<_> = town.notes().into_iter().filter(|note| note.starts_with("recorded")).collect();
        assert_eq!(numbers, (number..=4).map(|at| format!("recorded {at}")).collect::<Vec<_>>());
        assert_eq!(town.notes().contains(&"started".into()), number == 1);
        let keys = [cut.sent(), town.sent()].concat();
        // Sent again only where its answer was not recorded.
        assert_eq!(keys.len(), if number == 3 { 2 } else { 1 });
        for sent in keys {
            assert_eq!(sent.headers.last(), Some(&("idempotency-key".into(), "call-7-3".into())));
        }
        assert_eq!(kept(&done(called))["3/body"], "hello");
    }
}

#[test]
fn what_a_guest_logs_while_it_is_fed_is_marked() {
    let recorded = record_of(each_kind());
    let town = Arc::new(Town::new());
    let called = shared().act_in(&town, &each_kind().guest(), recorded[..2].to_vec());
    // Behind the second answer nothing is left to feed: an earlier run may not have come so far.
    assert_eq!(lines(&called), [("step 1", true), ("step 2", false), ("step 3", false), ("step 4", false)]);
    let called = shared().act_in(&town, &each_kind().guest(), Vec::new());
    assert!(called.logs.iter().all(|line| !line.replayed));
}

#[test]
fn another_kind_than_recorded_is_told_with_its_position() {
    let recorded = record_of(Asking::new().now().now());
    let (position, expected, found) = diverged(Asking::new().now().random(16), recorded);
    assert_eq!((position, expected.as_str(), found.as_str()), (2, "the clock", "16 random bytes"));
}

#[test]
fn another_request_than_recorded_is_told_with_its_position() {
    let recorded = record_of(Asking::new().secret("mail"));
    let (position, expected, found) = diverged(Asking::new().secret("unset"), recorded);
    assert_eq!((position, expected.as_str(), found.as_str()), (1, "the secret `mail`", "the secret `unset`"));
    let recorded = record_of(Asking::new().random(16));
    assert_eq!(diverged(Asking::new().random(17), recorded).0, 1);
}

#[test]
fn a_request_that_differs_in_any_part_diverges_without_telling_what_is_secret() {
    let with = |method: &str, url: &str, header: &str, timeout_ms: u64| {
        let headers = json!([["authorization", header]]);
        json!({"method": method, "url": url, "headers": headers, "timeout_ms": timeout_ms}).to_string()
    };
    let recorded = record_of(Asking::new().http(&with("POST", URL, "Bearer t0ps3cret", 900), b"hello"));
    for (request, body) in [
        (with("GET", URL, "Bearer t0ps3cret", 900), "hello"),
        (with("POST", &URL.replace("s3", "s4"), "Bearer t0ps3cret", 900), "hello"),
        (with("POST", URL, "Bearer t0ps4cret", 900), "hello"),
        (with("POST", URL, "Bearer t0ps3cret", 901), "hello"),
        (with("POST", URL, "Bearer t0ps3cret", 900), "hullo"),
    ] {
        let (position, expected, found) = diverged(Asking::new().http(&request, body.as_bytes()), recorded.clone());
        assert_eq!(position, 1);
        assert_ne!(expected, found);
        assert!(expected.starts_with("POST https://example.org/hooks/1 (sha256:"), "{expected}");
        assert!(!format!("{expected}{found}").contains("cret"), "{expected} {found}");
    }
    // The same request, written in another order and case.
    let url = URL;
    let same = format!(
        r#"{{"timeout_ms": 900, "headers": [["Authorization", "Bearer t0ps3cret"]], "url": "{url}", "method": "POST"}}"#
    );
    let town = Arc::new(Town::new());
    done(shared().act_in(&town, &Asking::new().http(&same, b"hello").guest(), recorded));
    assert_eq!(town.notes(), [] as [&str; 0]);
}

#[test]
fn a_guest_that_ends_with_answers_left_over_has_diverged() {
    let recorded = record_of(Asking::new().now().random(3));
    let (position, expected, found) = diverged(Asking::new().now(), recorded.clone());
    assert_eq!((position, expected.as_str(), found.as_str()), (2, "3 random bytes", "the end of the call"));
    let (position, expected, _) = diverged(Asking::new(), recorded);
    assert_eq!((position, expected.as_str()), (1, "the clock"));
}

#[test]
fn a_guest_that_refuses_with_answers_left_over_has_diverged_too() {
    let recorded = record_of(Asking::new().now());
    // The second word is where the problem's code stands: an empty text.
    let refusing = "(i32.store8 (i32.const 1024) (i32.const 1)) (return (i32.const 1024))";
    let (position, _, found) = diverged(Asking::new().then(refusing), recorded);
    assert_eq!((position, found.as_str()), (1, "the end of the call"));
}

#[test]
fn a_guest_that_asks_for_more_than_is_recorded_goes_on_outside() {
    let recorded = record_of(Asking::new().now());
    let town = Arc::new(Town::new());
    done(shared().act_in(&town, &Asking::new().now().random(2).guest(), recorded));
    assert_eq!(town.notes(), ["random", "recorded 2"]);
}

#[test]
fn fuel_is_no_part_of_the_comparison() {
    let recorded = record_of(Asking::new().now().now());
    let idle = "(drop (memory.grow (i32.const 0)))".repeat(1_000);
    let town = Arc::new(Town::new());
    done(shared().act_in(&town, &Asking::new().now().now().then(&idle).guest(), recorded.clone()));
    let endless = Asking::new().now().then("(loop $again (br $again))").guest();
    assert_eq!(fault(shared().act_in(&town, &endless, recorded)).limit(), "fuel");
}

#[test]
fn limits_are_no_part_of_the_comparison() {
    let guest = || Asking::new().http(&request("GET", URL), b"").guest();
    let first = Arc::new(Town::new());
    done(shared().act_in(&first, &guest(), Vec::new()));
    let later = given(Limits { http_timeout_ms: 77, ..small() });
    done(later.act_in(&Arc::new(Town::answering(|_| panic!("nobody is asked"))), &guest(), first.recorded()));
}

#[test]
fn a_recorded_answer_that_is_none_is_told_with_its_position() {
    let broken = |mut recorded: Vec<Recorded>, answer: &[u8]| {
        recorded[1].answer = answer.to_vec();
        recorded
    };
    let get = request("GET", "https://example.org/");
    for (kind, answer) in [("clock", b"noon".as_slice()), ("random", b"1234567"), ("http", b"{}"), ("secret", b"mail")]
    {
        let asking = || match kind {
            "clock" => Asking::new().now().now(),
            "random" => Asking::new().now().random(6),
            "http" => Asking::new().now().http(&get, b""),
            _ => Asking::new().now().secret("mail"),
        };
        let recorded = broken(record_of(asking()), answer);
        let called = shared().act_in(&Arc::new(Town::new()), &asking().guest(), recorded);
        assert_eq!(fault(called), Fault::RecordUnreadable { position: 2 }, "{kind}");
    }
}

#[test]
fn a_call_without_an_outside_ends_where_it_asks_for_it() {
    let get = request("GET", "https://example.org/");
    for (asking, kind) in [
        (Asking::new().now(), Kind::Clock),
        (Asking::new().random(1), Kind::Random),
        (Asking::new().http(&get, b""), Kind::Http),
        (Asking::new().secret("mail"), Kind::Secret),
    ] {
        let found = fault(shared().act(&asking.guest()));
        assert_eq!((found.limit(), found), ("not-granted", Fault::NotGranted { kind }));
    }
}

#[test]
fn a_view_has_no_outside_whatever_it_is_given() {
    let town = Arc::new(Town::new());
    let called = shared().enter_durably(&Asking::new().now().view(), view(), durable(&town, Vec::new()));
    assert_eq!(fault(called), Fault::NotGranted { kind: Kind::Clock });
    assert_eq!(town.notes(), [] as [&str; 0]);
    // A view that asks for nothing shows the asset as ever.
    done(shared().enter_durably(&Guest::new(), view(), durable(&town, Vec::new())));
}

#[test]
fn a_record_is_written_and_read_as_json() {
    let recorded = record_of(each_kind());
    let json = serde_json::to_string(&recorded).expect("a record is JSON");
    assert!(json.contains(r#""kind":"http""#), "{json}");
    assert_eq!(serde_json::from_str::<Vec<Recorded>>(&json).expect("and reads back"), recorded);
    assert!(!format!("{recorded:?}").contains("t0ps3cret"), "a record is not told where it is debugged");
}

#[test]
fn an_action_of_a_guest_without_an_outside_is_the_same_with_one() {
    let town = Arc::new(Town::new());
    let guest = Guest::calling("(call $set (i32.const 32) (i32.const 3) (i32.const 16) (i32.const 4)) (call $null)");
    let with = done(shared().enter_durably(&guest, action("go", json!({})), durable(&town, Vec::new())));
    assert_eq!(with.changes, done(shared().act(&guest)).changes);
}
