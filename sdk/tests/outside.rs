//! What an Interlinker asks the world outside its asset for, and how a test answers.

use interlink_sdk::http::{BODY_BYTES_MAX, TIMEOUT_MS_MAX};
use interlink_sdk::manifest::{Grants, HttpGrant, SecretGrant, text};
use interlink_sdk::prelude::*;
use interlink_sdk::session::{Host, Session};
use interlink_sdk::{Interlinker, call::RANDOM_BYTES_MAX};

#[derive(Input)]
struct Fetch {
    method: String,
    url: String,
    #[serde(default)]
    body_bytes: usize,
    timeout_ms: Option<u64>,
}

/// An action for each thing that can be asked for.
#[derive(State)]
struct Errand {
    token: Value<Option<String>>,
    seen: Value<Option<i64>>,
}

#[interlinker(
    name = "errand",
    grants(
        http("https://example.org", methods(GET, POST), reason(en = "To ask.", es = "Para preguntar.")),
        http("http://127.0.0.1:8080", methods("GET"), reason(en = "To ask the neighbour.")),
        secret("mail", reason(en = "To sign in."))
    )
)]
impl Errand {
    #[instantiate]
    fn open(&mut self, cx: &Call) -> Result<()> {
        self.token.set(cx.secret("mail")?)
    }

    #[action]
    fn look(&mut self, cx: &Call) -> Result<i64> {
        self.seen.set(Some(cx.now()?))?;
        cx.now()
    }

    #[action]
    fn draw(&self, cx: &Call) -> Result<Vec<u8>> {
        Ok([cx.random::<3>()?.to_vec(), cx.random::<9>()?.to_vec()].concat())
    }

    #[action]
    fn draw_all(&self, cx: &Call) -> Result<u64> {
        Ok(cx.random::<RANDOM_BYTES_MAX>()?.len() as u64)
    }

    #[action]
    fn fetch(&self, cx: &Call, input: Fetch) -> Result<u16> {
        let request = Request::new(input.method, input.url).body(vec![0; input.body_bytes]);
        let request = input.timeout_ms.into_iter().fold(request, Request::timeout_ms);
        Ok(cx.http(request)?.status())
    }

    #[action]
    fn ask(&self, cx: &Call) -> Result<Vec<String>> {
        let request = Request::post("https://example.org/ask?who=all").header("X-Why", "to know");
        let response = cx.http(request.json(&json!({"how": "many"}))?.timeout_ms(500))?.success()?;
        Ok(vec![response.header("ETag").unwrap_or_default().to_owned(), response.json()?])
    }

    #[action]
    fn reveal(&self, cx: &Call) -> Result<Vec<Option<String>>> {
        Ok(vec![cx.secret("mail")?, cx.secret("tax")?])
    }

    #[view]
    fn show(&self, cx: &Call, query: Wish) -> Result<Option<String>> {
        match query.wish.as_deref() {
            Some("time") => cx.now().map(|_| None),
            Some("luck") => cx.random::<1>().map(|_| None),
            Some("news") => cx.http(Request::get("https://example.org/")).map(|_| None),
            Some(_) => cx.secret("mail"),
            None => Ok(self.token.get()),
        }
    }
}

#[derive(Input)]
struct Wish {
    wish: Option<String>,
}

fn errand() -> TestHost {
    TestHost::open::<Errand>(json!({}))
}

fn fetch(errand: &mut TestHost, method: &str, url: &str) -> interlink_sdk::test_host::Answer {
    errand.act_as("ana", "fetch", json!({"method": method, "url": url}))
}

#[test]
fn the_clock_is_that_of_the_call_and_can_be_set() {
    let mut errand = errand();
    // Opening the errand took a second.
    let morning = 1_767_258_000_000_000_i64;
    assert_eq!(errand.act_as("ana", "look", json!({})).ok(), json!(morning + 1_000_000));
    errand.set_clock(1_234_567);
    assert_eq!(errand.act_as("ana", "look", json!({})).ok(), json!(1_234_567));
    errand.wait_seconds(10);
    assert_eq!(errand.act_as("ana", "look", json!({})).ok(), json!(12_234_567));
    assert_eq!(errand.state()["seen"], json!(12_234_567));
}

#[test]
fn random_bytes_go_on_and_are_those_of_the_seed() {
    let drawn = |seed: Option<u64>| {
        let mut errand = errand();
        if let Some(seed) = seed {
            errand.seed(seed);
        }
        let first = errand.act_as("ana", "draw", json!({})).ok();
        (first, errand.act_as("ana", "draw", json!({})).ok())
    };
    let (first, second) = drawn(None);
    assert_eq!(first.as_array().map(Vec::len), Some(12));
    assert_ne!(first, second);
    assert_eq!(drawn(None), (first.clone(), second));
    assert_ne!(drawn(Some(7)).0, first);
    assert_eq!(drawn(Some(7)), drawn(Some(7)));
    assert_eq!(errand().act_as("ana", "draw-all", json!({})).ok(), json!(RANDOM_BYTES_MAX));
}

#[test]
fn a_request_reaches_whoever_the_test_scripts_and_its_response_comes_back() {
    let mut errand = errand();
    errand.http("POST https://example.org/ask", |request| {
        assert_eq!((request.method(), request.url()), ("POST", "https://example.org/ask?who=all"));
        assert_eq!(request.content(), br#"{"how":"many"}"#);
        Response::new(200).with_header("ETag", "7").with_body("\"three\"")
    });
    assert_eq!(errand.act_as("ana", "ask", json!({})).ok(), json!(["7", "three"]));
    let [sent] = &errand.requests()[..] else { panic!("one was sent") };
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(sent.headers(), [header("X-Why", "to know"), header("content-type", "application/json")]);
}

#[test]
fn a_response_that_is_of_no_use_is_a_problem() {
    let mut errand = errand();
    errand.http("POST https://example.org/ask", |_| Response::new(503));
    let problem = errand.act_as("ana", "ask", json!({})).refused("http-status");
    assert_eq!(problem.data, Some(json!(503)));
    errand.http("POST https://example.org/ask", |_| Response::new(200).with_body("<html>"));
    errand.act_as("ana", "ask", json!({})).refused("response-not-understood");
    errand.http_fails("POST https://example.org/ask", "timeout");
    errand.act_as("ana", "ask", json!({})).refused("timeout");
}

#[test]
fn a_request_that_the_manifest_does_not_ask_for_is_not_granted() {
    let mut errand = errand();
    for (method, url) in [
        ("DELETE", "https://example.org/"),
        ("POST", "http://127.0.0.1:8080/"),
        ("GET", "http://example.org/"),
        ("GET", "https://example.org.evil.org/"),
        ("GET", "https://example.org:8443/"),
    ] {
        fetch(&mut errand, method, url).refused("not-granted");
    }
    assert_eq!(errand.requests(), []);
    for url in ["https://example.org", "http://127.0.0.1:8080/a"] {
        errand.http(&format!("GET {url}"), |_| Response::new(204));
        assert_eq!(fetch(&mut errand, "GET", url).ok(), json!(204));
    }
}

#[test]
fn a_request_has_a_largest_body_and_a_longest_timeout() {
    let mut errand = errand();
    errand.http("POST https://example.org/", |_| Response::new(204));
    let post = |body_bytes: usize, timeout_ms: u64| {
        let url = "https://example.org/";
        json!({"method": "POST", "url": url, "body_bytes": body_bytes, "timeout_ms": timeout_ms})
    };
    errand.act_as("ana", "fetch", post(BODY_BYTES_MAX, TIMEOUT_MS_MAX)).ok();
    errand.act_as("ana", "fetch", post(BODY_BYTES_MAX + 1, 1)).refused("request-too-large");
    errand.act_as("ana", "fetch", post(0, TIMEOUT_MS_MAX + 1)).refused("invalid-request");
    assert_eq!(errand.requests().len(), 1);
}

#[test]
#[should_panic(expected = "nobody answers `GET https://example.org/nowhere`")]
fn a_request_that_nobody_answers_says_what_to_script() {
    let _ = fetch(&mut errand(), "GET", "https://example.org/nowhere?a=b");
}

#[test]
fn a_secret_is_given_where_the_manifest_asks_for_it_and_the_test_sets_it() {
    let mut errand = TestHost::unopened::<Errand>();
    errand.secret("mail", "t0p");
    errand.secret("tax", "never asked for");
    errand.instantiate(json!({})).ok();
    assert_eq!(errand.view(), json!("t0p"), "an asset can be made with a secret");
    assert_eq!(errand.act_as("ana", "reveal", json!({})).ok(), json!(["t0p", null]));
    assert_eq!(TestHost::open::<Errand>(json!({})).view(), json!(null));
}

#[test]
fn a_view_asks_nobody() {
    let mut errand = errand();
    for wish in ["time", "luck", "news", "mail"] {
        errand.view_as("ana", json!({ "wish": wish })).refused("not-in-a-view");
    }
}

#[test]
fn the_manifest_says_what_is_asked_for() {
    let http = |origin: &str, methods: &[&str], reason| HttpGrant {
        origin: origin.into(),
        methods: methods.iter().map(|method| (*method).to_owned()).collect(),
        reason,
    };
    let expected = Grants {
        http: vec![
            http("https://example.org", &["GET", "POST"], text(&[("en", "To ask."), ("es", "Para preguntar.")])),
            http("http://127.0.0.1:8080", &["GET"], text(&[("en", "To ask the neighbour.")])),
        ],
        secrets: vec![SecretGrant { name: "mail".into(), reason: text(&[("en", "To sign in.")]) }],
        ..Grants::default()
    };
    assert_eq!(Errand::manifest().grants, expected);
}

/// A host that has nothing, not even an outside.
struct Bare;

impl Host for Bare {
    fn get(&self, _: &str) -> Option<Vec<u8>> {
        None
    }
    fn set(&self, _: &str, _: &[u8]) {}
    fn delete(&self, _: &str) {}
    fn range(&self, _: &str, _: Option<&str>, _: u32) -> Vec<(String, Vec<u8>)> {
        Vec::new()
    }
    fn count(&self, _: &str) -> u64 {
        0
    }
    fn declare_outcome(&self, _: &str) {}
}

#[test]
fn a_session_without_an_outside_says_so() {
    let cx = Call::new("{}", Session::new(Bare)).expect("a context may be empty");
    assert_eq!(cx.now().map_err(|problem| problem.code), Err("no-outside".to_owned()));
}
