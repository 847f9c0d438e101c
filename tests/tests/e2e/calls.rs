//! Interlinkers that ask the world outside: granted, recorded, going on after a kill, run again to be looked at.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Ask, Client};
use crate::given::{asset, id_of, library, running, text};
use crate::outside::Outside;
use crate::server::{Server, printed};

fn published() -> Server {
    let server = library();
    crate::given::publish_webhook(&server);
    server
}

fn webhook(client: &Client, process: &str, urls: &[String]) -> String {
    asset(client, process, "find-room", "webhook", &json!({"urls": urls}))
}

#[test]
fn what_an_interlinker_asks_outside_is_granted_recorded_and_can_be_run_again() {
    let mut server = published();
    let (ana, outside) = (server.member("ana"), Outside::start());
    let process = running(&ana, "Calls");
    let hook = webhook(&ana, &process, &[outside.url("one"), outside.url("two")]);
    let send = format!("{hook}/actions/send");
    let refused = ana.post(&send, &json!({"text": "hello"})).refused(409, "not-granted");
    assert!(outside.arrived().is_empty(), "{refused}");
    let path = "/v1/interlinkers/webhook/grants";
    ana.ask(&Ask::new("PUT", path).body("application/json", "{}")).refused(403, "forbidden");
    server
        .operator()
        .ask(&Ask::new("PUT", path).body("application/json", r#"{"http": [{"origin": "http://a/b"}]}"#))
        .refused(422, "invalid-input");
    outside.grant(&server);
    ana.post(&send, &json!({"text": "hello"})).is(200);
    assert_eq!((outside.keys("one").len(), outside.keys("two").len()), (1, 1));
    let found = ana.get(&hook).is(200);
    assert_eq!(found["outcome"], json!({"path": "/two", "number": 1}), "{found}");

    let events = ana.all(&format!("{process}/events"), 100);
    let performed = events.iter().find(|event| event["kind"] == "ActionPerformed").expect("it was run");
    let call = text(&performed["data"]["call"]).to_owned();
    ana.get(&format!("{hook}/calls/{call}")).refused(403, "forbidden");
    let record = server.operator().get(&format!("{hook}/calls/{call}")).is(200);
    let kinds: Vec<_> =
        record["host_calls"].as_array().expect("a record").iter().map(|one| text(&one["kind"])).collect();
    assert_eq!(kinds, ["clock", "http", "clock", "http"], "{record}");
    assert_eq!((&record["has_ended"], &record["action"]), (&json!(true), &json!("send")));
    let again = server.operator().tell(&format!("{hook}/calls/{call}/replay")).is(200);
    assert_eq!(again["output"], performed["data"]["output"], "{again}");
    assert_eq!((outside.keys("one").len(), outside.keys("two").len()), (1, 1), "nobody was asked");
    let output = server.cli(&["interlinker", "replay", id_of(&hook), &call]);
    assert!(output.status.success() && printed(&output).contains("http"), "{}", printed(&output));
    server.operator().get(&format!("{hook}/calls/{}", id_of(&process))).refused(404, "not-found");
    server.audit();
}

#[test]
fn a_call_is_done_to_its_end_where_whoever_asked_goes_away() {
    let mut server = published();
    let (ana, outside) = (server.member("ana"), Outside::start());
    let process = running(&ana, "Gone");
    outside.grant(&server);
    let hook = webhook(&ana, &process, &[outside.url("gate"), outside.url("two")]);
    outside.open(false);
    let (path, body) = (format!("{hook}/actions/send"), json!({"text": "hello"}));
    let address = server.address();
    let mut gone = TcpStream::connect(address.trim_start_matches("http://")).expect("the server listens");
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         idempotency-key: gone\r\ncontent-length: {}\r\n\r\n{body}",
        ana.token(),
        body.to_string().len()
    );
    gone.write_all(head.as_bytes()).expect("sent");
    outside.until_asked("gate", 1);
    drop(gone);
    // The server sees that nobody waits any more before the service answers.
    std::thread::sleep(Duration::from_millis(300));
    outside.open(true);
    let begun = Instant::now();
    while ana.get(&format!("{hook}/view")).is(200)["sent"] != json!(1) {
        assert!(begun.elapsed() < Duration::from_secs(10), "what the call did is lost");
        std::thread::sleep(Duration::from_millis(20));
    }
    let again = ana.ask(&Ask::post(&path, &body).key("gone"));
    again.is(200);
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!((outside.keys("gate").len(), outside.keys("two").len()), (1, 1), "each was asked once");
    server.audit();
}

#[test]
fn a_call_that_a_kill_interrupts_goes_on_and_no_recorded_request_is_sent_again() {
    let mut server = published();
    let (ana, outside) = (server.member("ana"), Outside::start());
    let process = running(&ana, "Interrupted");
    outside.grant(&server);
    let hook = webhook(&ana, &process, &[outside.url("one"), outside.url("gate"), outside.url("three")]);
    for round in 1..=3 {
        outside.open(false);
        let (path, key) = (format!("{hook}/actions/send"), format!("send-{round}"));
        let body = json!({"text": format!("round {round}")});
        let asking = std::thread::spawn({
            let (ana, path, key, body) = (ana.clone(), path.clone(), key.clone(), body.clone());
            move || ana.try_ask(&Ask::post(&path, &body).key(key))
        });
        outside.until_asked("gate", 2 * round - 1);
        server.kill();
        assert!(asking.join().expect("it ended").is_none(), "nothing was answered");
        outside.open(true);
        server.launch();
        // Another call of the asset waits for the one that goes on; the same key has its answer.
        let answered = ana.ask(&Ask::post(&path, &body).key(key.clone()));
        answered.is(200);
        assert_eq!(answered.header("idempotent-replayed"), "true", "round {round}");
        assert_eq!(outside.keys("one").len(), round, "what was answered and recorded is not asked again");
        let keys = outside.keys("gate");
        assert_eq!(
            (keys.len(), &keys[2 * round - 2]),
            (2 * round, &keys[2 * round - 1]),
            "asked again, with the same key"
        );
        assert_eq!(outside.keys("three").len(), round);
        let view = ana.get(&format!("{hook}/view")).is(200);
        assert_eq!((&view["sent"], &view["statuses"]), (&json!(round), &json!([200, 200, 200])));
    }
    let uses: Vec<Value> = ana.all(&format!("/v1/usage?process={}&kind=action", id_of(&process)), 100);
    assert_eq!(uses.iter().filter(|entry| entry["kind"] == "action").count(), 3, "each once");
    server.audit();
}

#[test]
fn a_secret_is_set_and_never_shown() {
    let mut server = published();
    let operator = server.operator().clone();
    let put = |name: &str, body: &str| {
        let path = format!("/v1/secrets/{name}");
        operator.ask(&Ask::new("PUT", &path).body("application/json", body))
    };
    put("mail", r#"{"value": "a-very-quiet-word"}"#).is(200);
    put("no/name", "{}").refused(404, "no-such-route");
    put("mail", "{}").points_at(422, "invalid-input", &["/value"]);
    server.member("ana").ask(&Ask::new("DELETE", "/v1/secrets/mail")).refused(403, "forbidden");
    server.stop();
    assert_eq!(crate::files::in_clear(server.data(), &["a-very-quiet-word"]), []);
    server.launch();
    operator.ask(&Ask::new("DELETE", "/v1/secrets/mail")).is(200);
    operator.ask(&Ask::new("DELETE", "/v1/secrets/mail")).refused(404, "not-found");
}
