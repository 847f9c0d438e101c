//! HTTP, secrets and randomness: what is granted, what is sent, and every limit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use interlink_host::{Fault, Grants, HttpPart, HttpResponse, Limits, OutboundError};
use serde_json::{Value, json};

use super::asking::Asking;
use super::given::{action, done, fault, given, shared, small};
use super::town::{Town, durable, grants, kept, request, response};

const URL: &str = "https://example.org/hooks/1";
/// The largest record of the journal.
const RECORD_BYTES_MAX: usize = 1 << 20;

/// What a request is answered, as the guest keeps it: the code of a problem, or the status.
fn answered(town: &Arc<Town>, request: &str, body: &[u8]) -> String {
    let done = done(shared().act_in(town, &Asking::new().http(request, body).guest(), Vec::new()));
    let kept = kept(&done);
    match kept.get("1/code") {
        Some(code) => code.clone(),
        None => serde_json::from_str::<Value>(&kept["1/head"]).expect("a head is JSON")["status"].to_string(),
    }
}

/// How a guest fails under such limits.
fn failed(limits: Limits, town: Town, asking: Asking) -> Fault {
    fault(given(limits).act_in(&Arc::new(town), &asking.guest(), Vec::new()))
}

fn small_http() -> Limits {
    Limits { http_url_bytes: 30, http_headers: 2, http_header_bytes: 20, http_request_bytes: 10, ..small() }
}

#[test]
fn a_request_is_sent_as_it_was_asked_for_with_a_key_of_its_own() {
    let town = Arc::new(Town::new());
    let asked = json!({"method": "POST", "url": URL, "headers": [["X-One", "1"]], "timeout_ms": 700}).to_string();
    let guest = Asking::new().http(&asked, b"hello").http(&request("GET", URL), b"").guest();
    done(shared().act_in(&town, &guest, Vec::new()));
    let [first, second] = &town.sent()[..] else { panic!("two were sent") };
    assert_eq!((first.method.as_str(), first.url.as_str(), first.body.as_slice()), ("POST", URL, b"hello".as_slice()));
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(first.headers, [header("x-one", "1"), header("idempotency-key", "call-7-1")]);
    assert_eq!(first.timeout, Duration::from_millis(700));
    assert_eq!(first.response_bytes_max, small().http_response_bytes);
    assert_eq!(second.headers, [header("idempotency-key", "call-7-2")]);
    assert_eq!(second.timeout, Duration::from_millis(small().http_timeout_ms), "where none is named");
}

#[test]
fn what_is_not_granted_is_a_problem_is_recorded_and_is_not_sent() {
    for (method, url) in [
        ("DELETE", URL),
        ("GET", "http://example.org/"),
        ("GET", "https://example.org:8443/"),
        ("GET", "https://sub.example.org/"),
        ("GET", "https://example.org.evil.org/"),
        ("GET", "http://127.0.0.1/"),
    ] {
        let town = Arc::new(Town::new());
        assert_eq!(answered(&town, &request(method, url), b""), "not-granted", "{method} {url}");
        assert_eq!(town.notes(), ["started", "recorded 1"]);
    }
}

#[test]
fn a_grant_that_is_taken_away_changes_nothing_that_was_answered() {
    let town = Arc::new(Town::new());
    let guest = Asking::new().http(&request("GET", URL), b"").secret("mail").guest();
    let before = done(shared().act_in(&town, &guest, Vec::new()));
    let mut again = durable(&town, town.recorded());
    again.grants = Grants::default();
    let after = done(shared().enter_durably(&guest, action("go", json!({})), again));
    assert_eq!(before.changes, after.changes);
}

#[test]
fn grants_are_written_and_read_as_json() {
    let written = serde_json::to_value(grants()).expect("grants are JSON");
    let http = json!([{"methods": ["GET", "POST"], "origin": "https://example.org"}]);
    assert_eq!(written, json!({"http": http, "secrets": ["mail", "unset"]}));
    assert_eq!(serde_json::from_value::<Grants>(written).expect("and read back"), grants());
    assert_eq!(serde_json::from_value::<Grants>(json!({})).expect("nothing is granted"), Grants::default());
    let path = json!({"http": [{"methods": ["GET"], "origin": "https://example.org/api"}]});
    assert!(serde_json::from_value::<Grants>(path).is_err());
}

#[test]
fn a_request_that_cannot_be_read_is_a_problem_of_the_guest_and_is_nowhere_recorded() {
    let header = |name: &str, value: &str| json!({"method": "GET", "url": URL, "headers": [[name, value]]}).to_string();
    for wrong in [
        "{".to_owned(),
        "[]".to_owned(),
        json!({"method": "GET"}).to_string(),
        json!({"method": "GET", "url": URL, "follow_redirects": true}).to_string(),
        json!({"method": "GET", "url": URL, "timeout_ms": 0}).to_string(),
        request("get", URL),
        request("", URL),
        request("CONNECT", URL),
        request("TRACE", URL),
        request("GET / HTTP/1.1\r\n", URL),
        request("GET", "https://example.org@evil.org/"),
        request("GET", "file:///etc/passwd"),
        header("", "x"),
        header("x y", "x"),
        header("x:y", "x"),
        header("x", "a\r\nhost: evil.org"),
        header("x", "ñ"),
        header("Host", "evil.org"),
        header("Content-Length", "3"),
        header("Transfer-Encoding", "chunked"),
        header("Idempotency-Key", "mine"),
    ] {
        let town = Arc::new(Town::new());
        assert_eq!(answered(&town, &wrong, b""), "invalid-request", "{wrong}");
        assert_eq!(town.notes(), [] as [&str; 0], "{wrong}");
    }
}

#[test]
fn what_goes_wrong_outside_is_a_problem_and_a_fact() {
    type Outcome = Result<HttpResponse, OutboundError>;
    let huge = || Ok(response(200, &vec![0; small().http_response_bytes + 1]));
    let headed = || {
        let headers = vec![("x".to_owned(), "y".repeat(small().http_header_bytes))];
        Ok(HttpResponse { headers, ..response(200, b"") })
    };
    let cases: [(fn() -> Outcome, &str); 4] = [
        (|| Err(OutboundError::Timeout), "timeout"),
        (|| Err(OutboundError::Unreachable { reason: "no route".into() }), "unreachable"),
        (|| Err(OutboundError::Refused { reason: "10.0.0.1 is private".into() }), "not-sent"),
        (|| Err(OutboundError::TooLarge { max: 7 }), "response-too-large"),
    ];
    for (outcome, code) in cases {
        let town = Arc::new(Town::answering(move |_| outcome()));
        assert_eq!(answered(&town, &request("GET", URL), b""), code);
        assert_eq!(town.recorded().len(), 1);
    }
    for town in [Town::answering(move |_| huge()), Town::answering(move |_| headed())] {
        let town = Arc::new(town);
        assert_eq!(answered(&town, &request("GET", URL), b""), "response-too-large");
        assert!(town.recorded()[0].answer.len() < 200, "what is too large is not recorded");
    }
    let redirecting = Arc::new(Town::answering(|_| Ok(response(302, b""))));
    assert_eq!(answered(&redirecting, &request("GET", URL), b""), "302");
    assert_eq!(redirecting.sent().len(), 1);
}

#[test]
fn a_client_that_panics_costs_its_call_and_no_thread() {
    // A panic without a message on standard error.
    let town = Arc::new(Town::answering(|_| std::panic::resume_unwind(Box::new("no client"))));
    for _ in 0..4 {
        let called = shared().act_in(&town, &Asking::new().http(&request("GET", URL), b"").guest(), Vec::new());
        assert_eq!(fault(called).limit(), "trap");
    }
    assert_eq!(town.recorded(), []);
}

#[test]
fn a_response_with_line_breaks_comes_through_whole() {
    let body = b"\n{\n\0\xff\n".as_slice();
    let town = Arc::new(Town::answering(move |_| Ok(response(200, body))));
    let guest = Asking::new().http(&request("GET", URL), b"").guest();
    for recorded in [Vec::new(), {
        shared().act_in(&town, &guest, Vec::new());
        town.recorded()
    }] {
        let done = done(shared().act_in(&town, &guest, recorded));
        assert_eq!(done.state.get("1/body").map(|body| body.to_vec()), Some(body.to_vec()));
    }
}

#[test]
fn a_secret_is_read_where_it_is_granted_and_set() {
    let town = Arc::new(Town::new());
    let guest = Asking::new().secret("mail").secret("unset").secret("tax").guest();
    let kept = kept(&done(shared().act_in(&town, &guest, Vec::new())));
    assert_eq!(kept.keys().collect::<Vec<_>>(), ["1/secret", "2/none", "3/none"]);
    let asked: Vec<_> = town.notes().into_iter().filter(|note| note.starts_with("secret")).collect();
    assert_eq!(asked, ["secret mail", "secret unset"], "what is not granted is not even looked up");
}

#[test]
fn a_secrets_name_has_a_longest_length() {
    let (fits, wanted) = ("n".repeat(128), 129);
    done(shared().act_in(&Arc::new(Town::new()), &Asking::new().secret(&fits).guest(), Vec::new()));
    let fault = failed(small(), Town::new(), Asking::new().secret(&"n".repeat(wanted)));
    assert_eq!(fault, Fault::SecretName { wanted, max: 128 });
}

#[test]
fn host_calls_that_are_recorded_are_counted_fed_or_not() {
    let given = given(Limits { durable_calls: 3, ..small() });
    let town = Arc::new(Town::new());
    done(given.act_in(&town, &Asking::new().now().random(1).now().guest(), Vec::new()));
    let four = Asking::new().now().random(1).now().now().guest();
    for recorded in [Vec::new(), town.recorded()] {
        let found = fault(given.act_in(&Arc::new(Town::new()), &four, recorded));
        assert_eq!((found.limit(), found), ("durable-calls", Fault::DurableCalls { max: 3 }));
    }
}

#[test]
fn a_loop_of_host_calls_is_stopped() {
    let town = Arc::new(Town::new());
    let called = shared().act_in(&town, &Asking::new().now().repeated(), Vec::new());
    let max = Limits::default().durable_calls;
    assert_eq!(fault(called), Fault::DurableCalls { max });
    assert_eq!(town.recorded().len() as u32, max);
}

#[test]
fn random_bytes_are_counted_together() {
    let max = small().random_bytes;
    let half = max as u32 / 2;
    done(shared().act_in(&Arc::new(Town::new()), &Asking::new().random(half).random(half).guest(), Vec::new()));
    let more = Asking::new().random(half).random(half).random(1);
    assert_eq!(failed(small(), Town::new(), more), Fault::RandomBytes { wanted: max + 1, max });
    let huge = Asking::new().random(u32::MAX).random(u32::MAX);
    assert_eq!(failed(small(), Town::new(), huge), Fault::RandomBytes { wanted: u32::MAX as usize, max });
}

#[test]
fn a_request_is_as_large_as_it_may_be_in_each_part_and_not_larger() {
    let headers = |headers: &[(&str, &str)]| json!({"method": "GET", "url": URL, "headers": headers}).to_string();
    let url = |bytes: usize| format!("https://example.org/{}", "x".repeat(bytes - 20));
    let timeout = |timeout_ms: u64| json!({"method": "GET", "url": URL, "timeout_ms": timeout_ms}).to_string();
    let longest = small().http_timeout_ms;
    let wide = "v".repeat(19);
    let wider = "v".repeat(20);
    for (request, body, crossed) in [
        (request("GET", &url(30)), 10, None),
        (request("GET", URL), 11, Some((HttpPart::Body, 11, 10))),
        (request("GET", &url(31)), 0, Some((HttpPart::Url, 31, 30))),
        (headers(&[("a", "1"), ("b", "2")]), 0, None),
        (headers(&[("a", "1"), ("b", "2"), ("c", "3")]), 0, Some((HttpPart::Headers, 3, 2))),
        (headers(&[("a", &wide)]), 0, None),
        (headers(&[("a", &wider)]), 0, Some((HttpPart::HeaderBytes, 21, 20))),
        (timeout(longest), 0, None),
        (timeout(longest + 1), 0, Some((HttpPart::Timeout, longest + 1, longest))),
    ] {
        let town = Arc::new(Town::answering(|_| Ok(HttpResponse { headers: Vec::new(), ..response(200, b"") })));
        let called =
            given(small_http()).act_in(&town, &Asking::new().http(&request, &vec![b'x'; body]).guest(), Vec::new());
        match crossed {
            None => assert_eq!(kept(&done(called)).get("1/code"), None, "{request}"),
            Some((part, wanted, max)) => {
                assert_eq!(fault(called), Fault::Http { part, wanted, max });
                assert_eq!(town.notes(), [] as [&str; 0]);
            }
        }
    }
}

#[test]
fn the_largest_exchange_comes_through_and_fits_into_one_record() {
    let limits = Limits::default();
    let (request_bytes, response_bytes) = (limits.http_request_bytes, limits.http_response_bytes);
    // Control characters take most room as JSON.
    let header = ("x".to_owned(), "\u{1}".repeat(limits.http_header_bytes - 1));
    let (body, given) = (vec![0xff; response_bytes], given(limits));
    let town = Arc::new(Town::answering(move |_| {
        Ok(HttpResponse { status: 200, headers: vec![header.clone()], body: body.clone() })
    }));
    let post = request("POST", URL);
    let called = given.act_in(&town, &Asking::new().http_large(&post, request_bytes).guest(), Vec::new());
    // The head alone is larger than a value of the state, which is how the guest shows that it had it.
    assert_eq!(fault(called).limit(), "value");
    assert_eq!(town.sent()[0].body.len(), request_bytes);
    let recorded = &town.recorded()[0];
    assert!(recorded.answer.len() > response_bytes);
    assert!(
        recorded.request.len() + recorded.answer.len() < RECORD_BYTES_MAX - (64 << 10),
        "with room for its envelope"
    );
    let called = given.act_in(&town, &Asking::new().http_large(&post, request_bytes + 1).guest(), Vec::new());
    let (wanted, max) = (request_bytes as u64 + 1, request_bytes as u64);
    assert_eq!(fault(called), Fault::Http { part: HttpPart::Body, wanted, max });
}

#[test]
fn what_is_sent_and_answered_is_not_told_where_it_is_debugged() {
    let town = Arc::new(Town::new());
    let asked = json!({"method": "POST", "url": format!("{URL}?t0p"), "headers": [["x", "t0p"]]}).to_string();
    done(shared().act_in(&town, &Asking::new().http(&asked, b"t0p").guest(), Vec::new()));
    let debugged = format!("{:?} {:?}", town.sent()[0], response(200, b"t0p"));
    assert!(debugged.contains(URL) && debugged.contains("3 bytes") && !debugged.contains("t0p"), "{debugged}");
}

#[test]
fn a_response_is_as_large_as_it_may_be() {
    let limits = Limits { http_response_bytes: 1_000, ..small() };
    let town = Arc::new(Town::answering(|_| Ok(response(200, &[b'x'; 1_000]))));
    let guest = Asking::new().http(&request("GET", URL), b"").guest();
    let kept = kept(&done(given(limits).act_in(&town, &guest, Vec::new())));
    assert_eq!(kept["1/body"].len(), 1_000);
}

#[test]
fn what_is_answered_counts_as_handed_out() {
    let limits = Limits { host_bytes: 10_000, ..small() };
    let town = Town::answering(|_| Ok(response(200, &[b'x'; 6_000])));
    let twice = Asking::new().http(&request("GET", URL), b"").http(&request("GET", URL), b"");
    assert_eq!(failed(limits, town, twice).limit(), "host-bytes");
}

#[test]
fn waiting_for_a_response_does_not_count_for_the_deadline() {
    let given = given(Limits { fuel: u64::MAX, deadline_ms: 200, ..small() });
    let town = Arc::new(Town::slow(300));
    let twice = Asking::new().http(&request("GET", URL), b"").http(&request("GET", URL), b"");
    done(given.act_in(&town, &twice.guest(), Vec::new()));
    // Computing does, behind a response as before it.
    let began = Instant::now();
    let endless = Asking::new().http(&request("GET", URL), b"").then("(loop $again (br $again))").guest();
    assert_eq!(fault(given.act_in(&town, &endless, Vec::new())), Fault::Deadline { max_ms: 200 });
    assert!(began.elapsed() >= Duration::from_millis(480), "{:?}", began.elapsed());
}

#[test]
fn a_client_that_overruns_a_timeout_costs_the_call_its_own_time() {
    let given = given(Limits { deadline_ms: 200, ..small() });
    let hurried = json!({"method": "GET", "url": URL, "timeout_ms": 20}).to_string();
    let town = Arc::new(Town::slow(400));
    let guest = Asking::new().http(&hurried, b"").now().guest();
    let found = fault(given.act_in(&town, &guest, Vec::new()));
    assert_eq!(found, Fault::Deadline { max_ms: 200 });
}

#[test]
fn requests_have_so_much_time_together() {
    let given = given(Limits { http_timeout_ms: 150, http_total_ms: 200, ..small() });
    let town = Arc::new(Town::slow(110));
    let get = request("GET", URL);
    let guest = Asking::new().http(&get, b"").http(&get, b"").http(&get, b"").guest();
    let found = fault(given.act_in(&town, &guest, Vec::new()));
    assert_eq!((found.limit(), found), ("http-time", Fault::HttpTime { max_ms: 200 }));
    let timeouts: Vec<_> = town.sent().iter().map(|sent| sent.timeout).collect();
    assert_eq!(timeouts.len(), 2);
    assert_eq!(timeouts[0], Duration::from_millis(150));
    assert!(timeouts[1] <= Duration::from_millis(90), "{timeouts:?}");
}
